"""One damaged file takes nothing else away: every kind of file, damaged in every way, beside whole ones."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Folders, Trained
from support.app_driver import open_page, page_text
from support.prediction_tables import reach_floor
from support.privileges import bound_by_modes

from scalp_core.data.dataset import damaged_datasets, list_datasets, open_dataset
from scalp_core.errors import ScalpError
from scalp_core.importing.background import list_imports, resume_imports
from scalp_core.inference import predict, session
from scalp_core.runs import champions
from scalp_core.runs.queue import active_runs
from scalp_core.runs.run import Run
from scalp_core.runs.store import damaged_runs, list_runs
from ui.shell import PAGES


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def fill_with_noise(path: Path) -> None:
    path.write_bytes(b"\xff\x00\xfe{]" * 20)


def replace_by_list(path: Path) -> None:
    path.write_text("[1, 2]", encoding="utf-8")


def forbid(path: Path) -> None:
    path.chmod(0)


DAMAGES: list[Callable[[Path], None]] = [cut, flip, empty, replace_by_folder, fill_with_noise, replace_by_list]
FILES = (
    "data/broken/index.parquet",
    "data/broken/dataset.json",
    "data/importing/import.json",
    "data/importing/progress.json",
    "data/importing/error.json",
    "artifacts/champions.json",
    "artifacts/champions.jsonl",
    *(
        f"artifacts/broken/{name}"
        for name in (
            *("recipe.json", "manifest.json", "history.jsonl", "preprocessing.json", "predictions.parquet"),
            *("model.safetensors", "model.onnx", "export.json", "operating_point.json", "serving.json", "speed.json"),
        )
    ),
    "artifacts/failed/error.txt",
    "artifacts/failed/progress.json",
)


@pytest.fixture(scope="module")
def whole_workshop(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, a finished run, a failed one and an import, each beside whole ones that have to stay."""
    top = tmp_path_factory.mktemp("whole")
    folders = Folders(top / "data", top / "artifacts")
    with pytest.MonkeyPatch.context() as patch:
        for name, folder in (("SCALP_DATA", folders.data), ("SCALP_ARTIFACTS", folders.artifacts)):
            folder.mkdir()
            patch.setenv(name, str(folder))
        _fill(folders, trained)
    return top


@pytest.fixture
def workshop(whole_workshop: Path, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it for one test, in which no training starts."""
    monkeypatch.setattr("scalp_core.runs.worker.ensure", lambda: None)
    return Path(shutil.copytree(whole_workshop, folders.data.parent, dirs_exist_ok=True))


def _fill(folders: Folders, trained: Trained) -> None:
    for name in ("broken", "tiny"):
        shutil.copytree(trained.dataset.folder, folders.data / name)
        shutil.copytree(trained.run.folder, folders.artifacts / name)
        reach_floor(Run(folders.artifacts / name))  # they answer where promotions cannot be read
    predict.graders(run=Run(folders.artifacts / "broken")).load()
    (folders.artifacts / "broken" / "serving.json").write_text("{}", encoding="utf-8")
    (folders.artifacts / "broken" / "speed.json").write_text("{}", encoding="utf-8")
    shutil.copytree(trained.run.folder, folders.artifacts / "failed")
    (folders.artifacts / "failed" / "manifest.json").unlink()
    (folders.artifacts / "failed" / "progress.json").write_text("{}", encoding="utf-8")
    Run(folders.artifacts / "failed").write_error(Run(folders.artifacts / "failed").recipe.conditions[0].text)
    (folders.artifacts / "failed" / "progress.json").write_text("{}", encoding="utf-8")
    for condition in trained.run.recipe.conditions[:2]:
        champions.promote(condition, Run(folders.artifacts / "broken"), "to be seen")
    importing = folders.data / "importing"
    importing.mkdir()
    request = {"kind": "aihub", "source": "/nowhere"}
    state = {"request": request, "starts": 9, "started": 0.0}
    (importing / "import.json").write_text(json.dumps(state), encoding="utf-8")
    (importing / "progress.json").write_text('{"stage": "reading", "done": 1, "total": 2}', encoding="utf-8")
    (importing / "error.json").write_text('{"en": "failed", "ko": "실패"}', encoding="utf-8")


def place_of(workshop: Path, file: str, folders: Folders) -> Path:
    top, rest = file.split("/", 1)
    return (folders.data if top == "data" else folders.artifacts) / rest


@pytest.mark.parametrize("file", FILES)
def test_a_damaged_file_takes_nothing_else_away(workshop: Path, trained: Trained, folders: Folders, file: str) -> None:
    path = place_of(workshop, file, folders)
    damages, pages = [*DAMAGES, forbid], list(PAGES)
    whole = path.with_name(f".whole-{path.name}")
    path.replace(whole)
    for number, damage in enumerate(damages):
        # A page takes half a second: every page meets every damage, though not of every file.
        turn = FILES.index(file) * len(damages) + number
        page = "" if turn % 4 else pages[turn // 4 % len(pages)]
        shutil.copyfile(whole, path)
        damage(path)
        with bound_by_modes():
            assert_the_rest_stays(trained, page)
        if damage is forbid:
            assert path.read_bytes() == whole.read_bytes()
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def assert_the_rest_stays(trained: Trained, page: str) -> None:
    """All that lists and answers does so, and the page of this name opens; none where the name is empty."""
    assert "tiny" in [dataset.name for dataset in list_datasets()]
    assert "tiny" in [run.id for run in list_runs()]
    answer = predict.grade(trained.picture)
    assert set(answer.gradings) == set(trained.run.recipe.conditions)
    active_runs(), champions.changes(), list_imports(), resume_imports()
    for run in list_runs():
        _ = run.state, run.error, run.progress, run.log, run.files, run.complete and run.exported
    if page:
        at = open_page(page)
        assert not at.exception, [error.value for error in at.exception]


@pytest.mark.parametrize("folder", ["data/broken", "data/importing", "artifacts/broken", "artifacts/failed"])
def test_a_forbidden_folder_takes_nothing_else_away(
    workshop: Path, trained: Trained, folders: Folders, folder: str
) -> None:
    path = place_of(workshop, folder, folders)
    forbid(path)
    try:
        with bound_by_modes():
            for page in ("dataset", "compare", "runs"):  # which list datasets and runs
                assert_the_rest_stays(trained, page)
    finally:
        path.chmod(0o755)


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_left_out_is_named(workshop: Path, folders: Folders, damage: Callable[[Path], None]) -> None:
    damage(folders.artifacts / "broken" / "recipe.json")
    if damage is not flip:  # a flipped byte of a text may leave it readable
        assert ["broken" in str(error) for error in damaged_runs()] == [True]
        assert "broken" in page_text(open_page("runs"))
    if damage is flip:  # in the middle lie pixels' hashes, not the footer
        return
    damage(folders.data / "broken" / "index.parquet")
    assert ["broken" in str(error) for error in damaged_datasets()] == [True]
    assert "broken" in page_text(open_page("dataset"))
    with pytest.raises(ScalpError, match="damaged"):
        open_dataset("broken")


def test_what_is_forbidden_is_not_called_damaged(workshop: Path, folders: Folders) -> None:
    for broken, listed, file in (
        (folders.artifacts / "broken", damaged_runs, "recipe.json"),
        (folders.data / "broken", damaged_datasets, "index.parquet"),
    ):
        (broken / file).touch()  # what was read before is read again
        for path in (broken / file, broken, broken.parent):
            forbid(path)
            try:
                with bound_by_modes():
                    (sentence,) = map(str, listed())
                    text = page_text(open_page("runs" if listed is damaged_runs else "dataset"))
            finally:
                path.chmod(0o755)
            assert "permission denied" in sentence
            assert "damaged" not in sentence
            assert (str(path) if path == broken.parent else "broken") in sentence
            assert "permission denied" in text
    assert damaged_runs() == damaged_datasets() == []


def test_forbidden_files_of_a_run_say_so(workshop: Path, folders: Folders) -> None:
    run = Run(folders.artifacts / "broken")
    readings: dict[str, Callable[[], object]] = {
        "manifest.json": lambda: run.manifest,
        "history.jsonl": lambda: run.history,
        "preprocessing.json": lambda: run.preprocessing,
        "predictions.parquet": lambda: run.raw_predictions,
        "operating_point.json": lambda: run.operating_point,
        "model.safetensors": run.verify,
    }
    for name, read in readings.items():
        (run.folder / name).touch()
        forbid(run.folder / name)
        with bound_by_modes(), pytest.raises(ScalpError, match=f"{name}.*permission denied"):
            read()
        (run.folder / name).chmod(0o644)
    run.verify()


def test_a_forbidden_history_of_champions_is_kept(workshop: Path, trained: Trained, folders: Folders) -> None:
    path = folders.artifacts / "champions.jsonl"
    before = path.read_bytes()
    forbid(path)
    with bound_by_modes(), pytest.raises(ScalpError, match="Permission denied"):
        champions.promote(trained.run.recipe.conditions[0], Run(folders.artifacts / "tiny"))
    assert path.read_bytes() == before


def test_names_of_a_foreign_recipe_become_no_links(workshop: Path, folders: Folders) -> None:
    path = folders.artifacts / "broken" / "recipe.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    for name in ("architecture", "data"):
        foreign = values | {"recipe": values["recipe"] | {name: "[here](http://evil.example)"}}
        path.write_text(json.dumps(foreign), encoding="utf-8")
        assert ["broken" in str(error) for error in damaged_runs()] == [True]
        assert "evil" not in page_text(open_page("runs"))


def test_a_cut_export_is_made_again(workshop: Path, trained: Trained, folders: Folders) -> None:
    run = Run(folders.artifacts / "broken")
    path = run.folder / "export.json"
    whole = path.read_bytes()
    for damage in DAMAGES:
        damage(path)
        assert not run.exported or damage is flip
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        path.write_bytes(whole)
        assert run.exported
    cut(path)
    session._load.cache_clear()  # as a server that starts
    predict.graders(run=run).grade(trained.picture)
    assert run.exported
