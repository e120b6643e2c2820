"""Names, values and addresses that try to be Markdown, on every view: each is shown as the text that it is."""

import json
import shutil
from collections.abc import Iterator

import pandas as pd
import pytest
from conftest import Trained
from google.protobuf.message import Message
from streamlit.testing.v1 import AppTest
from support.app_driver import open_page
from support.changed_runs import change_recipe
from support.hostile_names import ID, RUN, WORDS, damaged_run, hostile_dataset, hostile_run

from scalp_core.data.dataset import open_dataset
from scalp_core.labels import CONDITIONS
from scalp_core.runs import champions
from scalp_core.runs.run import Run
from ui.markdown import code, literal

MARKDOWN = {"body", "caption", "content", "help", "label", "text"}  # fields, except in:
PLAIN = {"arrow_data_frame", "arrow_vega_lite_chart", "bidi_component", "code", "json", "text", "vega_lite_chart"}

DATASET = ("pictures", "labels", "map", "audit", "import")
COMPARE = ("leaderboard", "wall", "decision", "best")
FIGURES = ("forest", "recall", "reliability", "curves", "pareto")
VIEWS = [
    *(("home", {}), ("runs", {}), ("diagnose", {"source": "example"}), ("diagnose", {"source": "capture"})),
    *(("dataset", {"view": view}) for view in DATASET),
    *(("compare", {"view": view}) for view in COMPARE),
    *(("compare", {"view": "differences", "figure": figure}) for figure in FIGURES),
]


@pytest.fixture(scope="module")
def hostile(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A dataset, runs, a damaged run, a promotion and an operating point of such names, and nothing else."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "artifacts").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALP_DATA", str(folder / "data"))
        patch.setenv("SCALP_ARTIFACTS", str(folder / "artifacts"))
        shutil.copytree(trained.dataset.folder, folder / "data" / "tiny")
        hostile_dataset(trained.dataset, folder / "data" / "hostile")
        run = hostile_run(trained.run, folder / "artifacts")
        other = Run(shutil.copytree(run.folder, folder / "artifacts" / "other"))
        change_recipe(other, {}, patience=1)  # models are named by their runs
        damaged_run(folder / "artifacts")
        champions.promote(CONDITIONS[0], run, WORDS[0])
        yield run


def strings(message: Message) -> Iterator[tuple[str, str]]:
    """Return the texts in a message of Streamlit, each with the name of its field."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING:
            yield from ((field.name, text) for text in ([value] if isinstance(value, str) else value))
        elif field.type == field.TYPE_MESSAGE:
            for part in [value] if isinstance(value, Message) else value:
                if isinstance(part, Message):
                    yield from strings(part)


def elements(at: AppTest) -> Iterator[tuple[str, str, str]]:
    """Return the texts of a page, each with the kind of its element and the name of its field."""
    for node in at:
        if proto := getattr(node, "proto", None):
            yield from ((node.type, name, text) for name, text in strings(proto))
        value = getattr(node, "value", None)
        if isinstance(value, pd.DataFrame):
            yield from ((node.type, "cell", str(cell)) for cell in value.reset_index().astype(str).to_numpy().ravel())
            yield from ((node.type, "cell", str(name)) for name in value.columns)


def without_escaped(markdown: str) -> str:
    """Remove the hostile words that are escaped."""
    for word in sorted((*WORDS, ID, RUN, f"damaged {RUN}"), key=len, reverse=True):
        for safe in (code(word), literal(word), literal(f"x {word}")[2:]):
            markdown = markdown.replace(safe, "")
    return markdown


def assert_text(at: AppTest) -> int:
    """Every hostile word is escaped where Markdown is shown, and nothing where it is not; return how many there are."""
    assert not at.exception, [error.value for error in at.exception]
    count = 0
    for kind, field, text in elements(at):
        count += "evil" in text
        if kind == "table" or (field in MARKDOWN and kind not in PLAIN):
            assert "evil" not in without_escaped(text), (kind, field, text)
        elif field not in ("id", "element_id", "key"):
            assert ":color[]" not in text, (kind, field, text)
            assert r"\[evil" not in text.replace("\\\\", "\\"), (kind, field, text)
    return count


@pytest.mark.parametrize(
    ("page", "address"), VIEWS, ids=lambda part: part if isinstance(part, str) else " ".join(part.values())
)
def test_names_from_outside_are_text(hostile: Run, page: str, address: dict[str, str]) -> None:
    data = "hostile" if page in ("dataset", "diagnose") else "tiny"
    image = open_dataset(data).column("id").iloc[0]
    at = open_page(page, data=data, run=hostile.id, image=image, **address)
    assert assert_text(at) > 0 or address["view"] in ("audit", "import")


@pytest.mark.parametrize("page", ["home", "dataset", "compare", "diagnose", "runs"])
def test_words_of_the_address_are_text(hostile: Run, page: str) -> None:
    keys = (
        "data",
        "view",
        "condition",
        "image",
        "run",
        "runs",
        "source",
        "cell",
        "figure",
        "site",
        "part",
        "text",
        "sort",
    )
    for word in WORDS[:3]:
        assert_text(open_page(page, **dict.fromkeys(keys, word)))


def test_damaged_files_repeat_nothing_as_markdown(hostile: Run) -> None:
    manifest = hostile.folder / "manifest.json"
    whole = manifest.read_text(encoding="utf-8")
    manifest.write_text(json.dumps(json.loads(whole) | {"files": {WORDS[0]: WORDS[1]}}))
    try:
        for page in ("compare", "diagnose", "runs"):
            assert_text(open_page(page, data="hostile", run=hostile.id, source="example"))
    finally:
        manifest.write_text(whole)
