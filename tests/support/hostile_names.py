"""Names and values that try to be something else than text, in datasets and runs: for the tests of pages."""

import json
import shutil
from pathlib import Path

from scalp_core.data.dataset import Dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.runs.run import Run

WORDS = (
    "[evil](http://evil.example)",
    "![evil](http://127.0.0.1:9/evil.png)",
    "https://evil.example/a_b?x=1&y=2",
    "www.evil.example evil@evil.example",
    ":material/delete: :material_delete: :streamlit: :smile: evil",
    "$evil^2$ $$evil$$ costs $5",
    "**evil** __evil__ `evil` ~~evil~~",
    ":red[evil] a:red :help[evil] :evil",
    "evil -> evil <- evil -- evil >= evil",
    "# evil",
    "- evil",
    "1. evil",
    "> evil",
    "| evil | evil |",
    "--- evil",
    "<b onclick=alert(1)>[evil](javascript:alert(1))</b> &lt;evil&gt; <http://evil.example>",
)
ID = "\"><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script> [evil](www.evil.example)"
# A folder can have any letter but one: a browser takes \ for the slash that is missing.
RUN = r"![evil](\\evil.example\x.png) [evil](www.evil.example) `evil` $evil$ :smile: <b>evil"


def hostile_dataset(tiny_data: Dataset, folder: Path) -> None:
    """A dataset whose every text tries to be markup."""
    tested = tiny_data.index["part"] == "test"
    rows = tiny_data.index[tested].head(len(WORDS)).reset_index(drop=True)
    words = [WORDS[number % len(WORDS)] for number in rows.index]
    folder.mkdir()
    for number, path in enumerate(rows["path"]):
        shutil.copy(tiny_data.folder / path, folder / f"{number}.jpg")
    rows["path"] = [f"{number}.jpg" for number in rows.index]
    rows["id"] = [f"{number}{ID}" for number in rows.index]
    rows["capture"] = WORDS[0]
    for column in ("site", "device", "region", *(f"meta_{word}" for word in WORDS)):
        rows[column] = words
    write_dataset(folder, "import", {}, rows)


def hostile_run(run: Run, folder: Path) -> Run:
    """A run whose folder has such a name, and a reason for its promotion."""
    copied = Path(shutil.copytree(run.folder, folder / ".copied"))
    return Run(copied.rename(folder / RUN))  # a server's pages see it whole


def damaged_run(folder: Path) -> Path:
    """A run of such a name that cannot be read."""
    made = folder / f"damaged {RUN}"
    made.mkdir()
    (made / "recipe.json").write_text(json.dumps(WORDS[0]))
    return made
