"""Importing from the dataset page: the form, what is under way, and what came of it. Clicks are in test_browser.py."""

import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Folders, until
from streamlit.testing.v1 import AppTest
from support.aihub_tree import build_tree, csv_table, folders_tree
from support.app_driver import (
    LANGUAGES,
    Downloads,
    assert_healthy,
    capture_downloads,
    open_page,
    page_text,
    texts,
    unescape,
    widget,
)

from scalp_core.data.dataset import Dataset, claimed, open_dataset
from scalp_core.data.splits import OVERLAPS, SPLIT_METHODS
from scalp_core.files import read_json
from scalp_core.importing import background as import_task
from scalp_core.importing.importer import FAULT_LIST, FAULTS, REPORT, WARNINGS, ImportRequest, import_tree
from scalp_core.seals import write_sealed_json
from ui.words import Say


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> Downloads:
    return capture_downloads(monkeypatch)


def bars(at: AppTest) -> list[Any]:
    return [node for node in at.main if node.type == "progress"]


def form(at: AppTest, language: str, **given: str) -> AppTest:
    """Fill in the form and send it off."""
    for key, text in given.items():
        element = at.text_area if key == "columns" else at.text_input
        element(key=f"import_{key}").set_value(text)
    return widget(at.button, Say(language)("import_start")).click().run()


@pytest.fixture
def background(folders: Folders) -> Iterator[Folders]:
    """Folders that no import is at work in any longer when the test ends."""
    yield folders
    for item in import_task.list_imports():
        import_task.dismiss_import(item.name)
    until(lambda: not [item for item in import_task.list_imports() if item.state.working])


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_any_data_set_page_offers_import(folders: Folders, language: str) -> None:
    say = Say(language)
    at = assert_healthy(open_page("dataset", language, view="labels"))
    assert say("no_dataset") in texts(at.warning)
    assert say("import_new") in texts(at.subheader)
    assert say("import_start") in [button.label for button in at.button]


def test_an_import_that_cannot_begin_says_why(tiny_data: Dataset, folders: Folders, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    folders_tree(tree)
    shutil.copytree(tiny_data.folder, folders.data / "mine")
    for given, named in (
        ({"source": str(tmp_path / "nowhere"), "name": "new"}, "nowhere"),
        ({"source": "", "name": "new"}, ""),
        ({"source": "tests", "name": "new"}, ""),  # from where the server happens to run
        ({"source": str(tree), "name": "../new"}, "../new"),
        ({"source": str(tree), "name": ""}, ""),
        ({"source": str(tree), "name": "mine"}, "mine"),
        ({"source": str(folders.data), "name": "new"}, ""),
    ):
        at = form(open_page("dataset", "ko", view="import"), "ko", **given)
        assert not at.exception
        (message,) = texts(at.error)
        assert named in message
        assert re.search("[가-힣]", message), message
    assert import_task.list_imports() == []
    assert [path.name for path in folders.data.iterdir() if path.is_dir()] == ["mine"]


def test_a_server_may_keep_imports_to_one_folder(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    folders_tree(tmp_path / "tree")
    monkeypatch.setenv("SCALP_IMPORT_FROM", str(allowed))
    for source in (tmp_path / "tree", allowed / ".." / "tree"):
        at = open_page("dataset", "ko")
        assert any(str(allowed) in text for text in texts(at.markdown))
        at = form(at, "ko", source=str(source), name="new")
        assert not at.exception
        (message,) = texts(at.error)
        assert str(allowed) in message
        assert "가져올 수 있어요" in message
    assert import_task.list_imports() == []


def test_folder_that_moved_is_named_and_replaced(
    folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALP_IMPORT_FROM", str(tmp_path / "allowed"))
    folders_tree(tmp_path / "tree")
    dataset = import_tree(ImportRequest("folders", str(tmp_path / "tree")), "mine", processes=1)
    (tmp_path / "tree").rename(tmp_path / "outside")
    shutil.copytree(tmp_path / "outside", tmp_path / "allowed" / "moved")
    at = open_page("dataset", "ko", view="import")
    assert any(dataset.source in text for text in texts(at.error))
    for place in ("outside", "allowed/moved"):
        at.text_input(key="moved_to").set_value(str(tmp_path / place))
        at = widget(at.button, Say("ko")("moved_apply")).click().run()
        assert open_dataset("mine").is_away == (place == "outside")
    assert not texts(assert_healthy(at).error)


def test_a_table_is_imported_from_the_form(background: Folders, tmp_path: Path) -> None:
    root = tmp_path / "clinic"
    root.mkdir()
    table, columns, truth = csv_table(root)
    at = open_page("dataset", "ko")
    at = at.radio(key="import_kind").set_value("csv").run()
    given = {"source": str(root / "images"), "table": str(table), "name": "clinic"}
    at = assert_healthy(
        form(at, "ko", **given, columns="\n".join(f"{key} = {value}" for key, value in columns.items()))
    )
    (report,) = import_task.list_imports() or [None]  # unless it is over already
    assert report is None or report.request.columns == columns
    until(lambda: not import_task.list_imports() and (background.data / "clinic" / "index.parquet").is_file())
    at = assert_healthy(open_page("dataset", "ko", view="import"))
    assert at.selectbox(key="data-ko").options == ["clinic"]
    assert Say("ko")("import_report") in texts(at.subheader)
    rows = open_dataset("clinic").index.sort_values("sha256")
    assert list(rows["sha256"]) == list(truth.rows["sha256"])
    assert rows["value_6"].isna().tolist() == truth.rows["value_6"].isna().tolist()


def test_page_turns_to_what_was_imported(background: Folders, tmp_path: Path) -> None:
    folders_tree(tmp_path / "tree")
    import_tree(ImportRequest("folders", str(tmp_path / "tree")), "aaa", processes=1)
    at = form(open_page("dataset", "ko", view="import"), "ko", source=str(tmp_path / "tree"), name="new")
    until(lambda: not import_task.list_imports() and (background.data / "new" / "index.parquet").is_file())
    at = assert_healthy(at.run())
    assert at.selectbox(key="data-ko").value == at.sidebar.selectbox(key="retrain_data").value == "new"


def test_running_import_is_shown_and_can_stop(folders: Folders, tmp_path: Path) -> None:
    say = Say("ko")
    with claimed("new") as folder:  # this test plays the process that imports
        request = {"kind": "aihub", "source": str(tmp_path)}
        write_sealed_json(folder / "import.json", {"request": request, "starts": 1, "started": time.time()})
        assert say("phase_starting") in [bar.text for bar in bars(assert_healthy(open_page("dataset", "ko")))]
        message = {"stage": "inspecting", "done": 1000, "total": 3500, "seconds": 40.0}
        write_sealed_json(folder / "progress.json", message)
        at = assert_healthy(open_page("dataset", "ko"))
        assert "**new**" in texts(at.markdown)
        assert str(tmp_path) in texts(at.text)
        (bar,) = bars(at)
        assert bar.value == pytest.approx(100 * 1000 / 3500, abs=1)
        words = f"{say.of(import_task.STAGES['inspecting'])} · 1,000 / 3,500"
        assert bar.text == f"{words} · {say('time_left', minutes=1, seconds=40)}"
        button = at.button(key="import-stop-new")
        assert button.label == say("import_stop")
        at = assert_healthy(button.click().run())
        assert "**new**" not in texts(at.markdown)
    assert import_task.list_imports() == []


def test_failed_import_says_why_until_dismissed(background: Folders, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    at = assert_healthy(form(open_page("dataset"), "en", source=str(tmp_path / "empty"), name="new"))
    assert Say("en")("import_started", name="new") in texts(at.toast)
    until(lambda: [item for item in import_task.list_imports() if item.state.error and not item.state.working])
    for language in LANGUAGES:
        at = open_page("dataset", language)
        assert not at.exception
        (message,) = texts(at.error)
        assert str(tmp_path / "empty") in message
        assert ("사진" in message) == (language == "ko")
    button = at.button(key="import-stop-new")
    assert button.label == Say("en")("import_dismiss")
    assert_healthy(button.click().run())
    assert import_task.list_imports() == []
    # The name is free again.
    folders_tree(tmp_path / "tree")
    import_task.start_import(ImportRequest("folders", str(tmp_path / "tree")), "new")
    until(lambda: (background.data / "new" / "index.parquet").is_file())


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A tree with every fault, imported once, split as its publisher did."""
    place = tmp_path_factory.mktemp("faulty")
    build_tree(place / "tree")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALP_DATA", str(place / "data"))
        return import_tree(ImportRequest("aihub", str(place / "tree"), by="official"), "mine", processes=1)


def test_what_was_wrong_in_an_import_is_reported(
    faulty: Dataset, folders: Folders, downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALP_DATA", str(faulty.folder.parent))
    say, report = Say("ko"), read_json(faulty.folder / REPORT)
    at = open_page("dataset", "ko", view="import")
    assert not at.exception
    assert faulty.source in texts(at.text)
    labels = [unescape(box.label) for box in at.expander]
    assert len(report["counts"]) > 10
    for kind, count in report["counts"].items():
        assert f"{say.of(FAULTS[kind])}: **{count:,}**" in labels
    names = {name for frame in at.dataframe for name in frame.value["name"]}
    assert names == {fault["name"] for faults in report["faults"].values() for fault in faults}
    assert len(downloads.table(f"mine-{FAULT_LIST}")) == sum(report["counts"].values())
    # A split that leaks is said to, with how much.
    (leak,) = texts(at.error)
    shares = read_json(faulty.folder / "dataset.json")["parts"]["overlap"]
    assert all(f"{say.of(OVERLAPS[key])} {100 * share:.1f} %" in leak for key, share in shares.items())
    assert "누출" in leak
    assert say.of(SPLIT_METHODS["official"]) in page_text(at)


def test_what_labels_from_folders_mean_is_said(folders: Folders, tmp_path: Path) -> None:
    say = Say("ko")
    folders_tree(tmp_path / "tree")
    import_tree(ImportRequest("folders", str(tmp_path / "tree")), "mine", processes=1)
    at = assert_healthy(open_page("dataset", "ko", view="import"))
    warnings = texts(at.warning)
    assert say.of(WARNINGS["folder_labels_only"]) in warnings
    assert say.of(WARNINGS["no_captures"]) in warnings


def test_a_faultless_import_says_so(folders: Folders, tmp_path: Path) -> None:
    build_tree(tmp_path / "tree", damaged=False, styles=("stored",))
    import_tree(ImportRequest("aihub", str(tmp_path / "tree")), "mine", processes=1)
    at = assert_healthy(open_page("dataset", view="import"))
    assert Say("en")("import_faultless") in texts(at.success)
    assert texts(at.warning) == []
