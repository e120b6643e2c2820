"""The pages as a visitor drives them, without a browser: on a tiny real run, on several, and on nothing at all."""

import json
import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, TINY, Folders, Trained, promote_everywhere, until
from filelock import FileLock
from streamlit.testing.v1 import AppTest
from support.app_driver import (
    HOSTILE,
    LANGUAGES,
    assert_healthy,
    chart_data,
    heads_of,
    open_page,
    page_text,
    texts,
    unescape,
    visible_words,
)
from support.changed_runs import change_recipe, vouch_again
from support.same_process import measure_in_this_process, perform

from scalp_core.architectures import PACKAGES
from scalp_core.charts.dataset_charts import short_number
from scalp_core.data.dataset import Dataset, list_datasets, open_dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.errors import Text
from scalp_core.evaluation import ablation
from scalp_core.files import is_locked
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics import metrics
from scalp_core.metrics.operating_point import MIN_IMAGES, Decision, OperatingPoint, cost_of
from scalp_core.runs import champions, duration, election
from scalp_core.runs.queue import create_run
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Progress, Run, State, utc_now
from scalp_core.runs.store import find_run, list_runs
from scalp_core.seals import sealed_json, write_sealed_json
from ui.shell import PAGES
from ui.words import Say


@pytest.fixture(scope="module")
def several_to_copy(tiny_data: Dataset, trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what `several` is a copy of."""
    place = tmp_path_factory.mktemp("several")
    folders = Folders(place / "data", place / "artifacts")
    hashes = {}
    for name, kind in (("tiny", "synthetic"), ("clinic", "import")):
        copied = folders.data / name
        shutil.copytree(tiny_data.folder, copied)
        rows = tiny_data.index.reset_index(drop=True)
        if name == "clinic":  # graded by another clinic
            rows["value_1"] = (rows["value_1"] + 1) % 4
        written = write_dataset(copied, kind, tiny_data.made, rows)
        hashes[name] = {"index_hash": written.index_hash, "evaluation_hash": written.evaluation_hash}
    for name, changes, requested in (
        ("one", {}, {}),
        ("two", {"architecture": "test_vit"}, {}),
        ("stranger", {}, {"index_hash": "0" * 64, "evaluation_hash": "0" * 64}),
        ("clinical", {"data": "clinic"}, {"synthetic": False} | hashes["clinic"]),
    ):
        copied = folders.artifacts / name
        shutil.copytree(trained.run.folder, copied)
        change_recipe(Run(copied), changes, **requested)
    # Another opinion: every grade one higher.
    table = pd.read_parquet(folders.artifacts / "two" / "predictions.parquet")
    table[metrics.PROBABILITIES] = table[["p3", "p0", "p1", "p2"]].to_numpy()
    table.to_parquet(folders.artifacts / "two" / "predictions.parquet")
    vouch_again(Run(folders.artifacts / "two"))
    return place


@pytest.fixture
def several(several_to_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """Two datasets, one of them not rendered, and four finished runs: one of them was judged elsewhere."""
    shutil.copytree(several_to_copy, tmp_path, dirs_exist_ok=True)
    folders = Folders(tmp_path / "data", tmp_path / "artifacts")
    monkeypatch.setenv("SCALP_DATA", str(folders.data))
    monkeypatch.setenv("SCALP_ARTIFACTS", str(folders.artifacts))
    return folders


# Every page.


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", PAGES)
def test_every_page_in_both_languages(trained: Trained, name: str, language: str) -> None:
    at = assert_healthy(open_page(name, language))
    say = Say(language)
    assert texts(at.title) == [say(f"title_{name}")]
    assert say("research_only") in texts(at.markdown)
    assert [link.label for link in at.sidebar.get("page_link")] == [say(f"page_{page}") for page in PAGES]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_with_nothing_there(folders: Folders, name: str) -> None:
    at = assert_healthy(open_page(name, "en", source="example"))
    say = Say("en")
    assert say("research_only") in texts(at.markdown)
    message = {
        "home": say("none_finished"),
        "dataset": say("no_dataset"),
        "compare": say("no_dataset"),
        "diagnose": say("no_dataset"),
        "runs": say("runs_none"),
    }
    assert message[name] in page_text(at)
    assert say("no_dataset") in texts(at.sidebar.caption)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_with_pictures_but_no_run(tiny: Dataset, name: str) -> None:
    at = open_page(name, "ko", source="example", image=tiny.index["id"].iloc[0])
    say = Say("ko")
    assert not at.exception
    if name == "diagnose":
        (message,) = texts(at.error)
        assert "python -m training.train" in message
        assert "등급을 추정할" in message
        return
    assert_healthy(at)
    message = {"home": say("none_finished"), "compare": say("compare_none", data="tiny"), "runs": say("runs_none")}
    assert message.get(name, "") in page_text(at)


@pytest.mark.parametrize(("locale", "language"), [("ko-KR", "ko"), ("ko", "ko"), ("en-US", "en"), ("fr-FR", "en")])
def test_the_browser_s_language_is_the_default(trained: Trained, locale: str, language: str) -> None:
    at = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=120)
    at.context = {"locale": locale}
    assert Say(language)("research_only") in texts(assert_healthy(at.run()).markdown)
    at.query_params["lang"] = "ko"
    other = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=120)
    other.context = {"locale": locale}
    other.query_params["lang"] = "ko"
    assert Say("ko")("research_only") in texts(other.run().markdown)


def test_links_take_along_language_data_and_condition(trained: Trained) -> None:
    at = open_page("compare", "ko", data="tiny", condition="value_4", part="valid")
    for link in at.sidebar.get("page_link"):
        assert "lang=ko" in link.proto.query_string
        assert "condition=value_4" in link.proto.query_string
        assert "data=tiny" in link.proto.query_string
        assert "part" not in link.proto.query_string
    at = assert_healthy(at.button_group(key="condition-ko").set_value("value_2").run())
    assert all("condition=value_2" in link.proto.query_string for link in at.sidebar.get("page_link"))


@pytest.mark.parametrize("name", PAGES)
def test_a_hostile_address_is_left_alone(trained: Trained, name: str) -> None:
    keys = ("lang", "data", "condition", "part", "view", "run", "threshold", "page")
    for value in HOSTILE:
        at = assert_healthy(open_page(name, **dict.fromkeys((*keys, "source"), value)))
        assert len(at.title) == 1


@pytest.mark.parametrize("name", ["dataset", "diagnose"])
def test_a_picture_that_is_not_there_is_told(trained: Trained, name: str) -> None:
    for value in HOSTILE:
        at = open_page(name, "ko", data="tiny", source="example", image=value)
        assert not at.exception, [error.value for error in at.exception]
        (message,) = texts(at.error)
        assert value[:80] in message
        assert "사진이 없어요" in message
        assert at.sidebar.button  # the rest of the page is there


def test_rendered_pictures_are_called_so_and_others_not(several: Folders) -> None:
    synthetic = Say("en")("synthetic_data")
    for name in ("dataset", "compare"):
        assert synthetic in texts(open_page(name, data="tiny").markdown)
        assert synthetic not in texts(open_page(name, data="clinic").markdown)
    # The run trained on real pictures answers, so nothing synthetic is left to warn of.
    promote_everywhere(find_run("clinical"))
    assert texts(open_page("home").warning) == []
    promote_everywhere(find_run("one"))
    assert synthetic in texts(open_page("home").markdown)
    image = open_dataset("clinic").index["id"].iloc[0]
    at = assert_healthy(open_page("diagnose", source="example", data="clinic", image=image))
    assert Say("en")("diagnose_synthetic") in texts(at.markdown)


# Home.


def home_tiles(at: AppTest) -> list[dict[str, Any]]:
    components = [node.proto for node in at if node.type == "bidi_component"]
    (tiles,) = [json.loads(part.json) for part in components if part.component_name.endswith("condition_tiles")]
    return list(tiles["tiles"])


def test_home_says_who_answers(trained: Trained) -> None:
    say = Say("ko")
    at = assert_healthy(open_page("home", "ko"))
    tiles = home_tiles(at)
    assert [tile["name"] for tile in tiles] == [condition.text("ko") for condition in CONDITIONS]
    assert all(f"tiny · {say('pinned_below')}" in tile["description"] for tile in tiles)
    measured = metrics.report(trained.run.predictions)
    for condition, tile in zip(CONDITIONS, tiles, strict=True):
        rows = measured[measured["condition"] == condition].set_index("part")["quadratic_weighted_kappa"]
        assert tile["score"] == ("" if math.isnan(rows["test"]) else short_number(rows["test"]))
        index = trained.dataset.index
        grades = sorted(set(index.loc[index["part"] == "test", condition].dropna()) - {0})
        assert [int(picture["grade"]) for picture in tile["pictures"]] == grades
    assert say("synthetic_data") in texts(at.markdown)
    assert any(say("home_idle") in text for text in texts(at.caption))


def test_home_has_few_words(trained: Trained) -> None:
    at = assert_healthy(open_page("home", "en"))
    hidden = [Say("en")(key) for key in ("research_only", "synthetic_data", "diagnose_synthetic")]  # behind chips
    # The tiny run has splits without a single grade above 0, and says so.
    words = [text for text in visible_words(at.main) if text not in hidden and "QWK –" not in text]
    assert len(" ".join(words).split()) <= 60, words


def test_home_names_a_promoted_run(several: Folders) -> None:
    promote_everywhere(find_run("clinical"))
    champions.promote(Condition("value_2"), find_run("two"))
    tiles = home_tiles(assert_healthy(open_page("home")))
    below = [f"{name} · promoted, below the floor" for name in ("clinical", "two")]
    names = [below[0], below[1], *[below[0]] * 4]
    assert all(name in tile["description"] for name, tile in zip(names, tiles, strict=True))


def test_home_and_runs_say_why_no_run_answers(several: Folders) -> None:
    for name, language in (("home", "en"), ("runs", "ko")):
        at = assert_healthy(open_page(name, language))
        say = Say(language)
        conditions = ", ".join(condition.text(language) for condition in CONDITIONS)
        assert say("none_answers", conditions=conditions) in texts(at.warning)
        (info,) = [text for text in texts(at.info) if say("passed_over") in text]
        assert info.count("clinical") == len(CONDITIONS)
        images = int(election.validation_images(find_run("clinical"), CONDITIONS[0]))
        assert f"{images} labelled validation" in info or f"검증 사진 {images}장" in info


def test_change_of_automatic_choice_is_announced(several: Folders) -> None:
    run = find_run("one")
    change = champions.Change(
        utc_now(), CONDITIONS[0], "", run.id, False, "it is <b>better</b>", "더 나음", elected=True
    )
    (several.artifacts / "champions.jsonl").write_bytes(sealed_json(asdict(change)))
    assert not any("더 나음" in text for text in texts(open_page("home", "ko").info))  # it answers no more
    write_sealed_json(several.artifacts / "champions.json", {"value_1": "one"})
    for name in ("home", "runs"):
        assert any("더 나음" in text and run.id in text for text in texts(open_page(name, "ko").info))
    at = assert_healthy(open_page("runs", "en", run="one"))
    (log,) = [frame.value for frame in at.dataframe if "Before" in frame.value]
    assert list(log["Kind"]) == ["selected"]


def test_undefined_kappa_is_dash_with_reason(several: Folders) -> None:
    path = find_run("one").predictions_path
    table = pd.read_parquet(path)
    table.loc[table["condition"] == "value_2", "truth"] = 3
    table.to_parquet(path)
    vouch_again(find_run("one"))
    promote_everywhere(find_run("one"))
    at = assert_healthy(open_page("home", "en"))
    assert home_tiles(at)[1]["score"] == ""
    reason = f"{Condition('value_2').text.en}: all labels are grade 3"
    assert len([text for text in texts(at.caption) if reason in text]) == 2
    at = assert_healthy(open_page("compare", data="tiny", condition="value_2", view="best", runs="one"))
    assert any(reason in text for text in texts(at.caption))
    assert "0.00" not in at.main.table[0].value.iloc[1][Say("en")("qwk_valid")]


# Compare.


VIEWS = ("leaderboard", "wall", "differences", "decision", "best")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_of_the_comparison(several: Folders, view: str, language: str) -> None:
    say = Say(language)
    at = assert_healthy(open_page("compare", language, data="tiny", condition="value_3", view=view))
    assert at.multiselect[0].value == ["one", "two"]  # “stranger” saw other labels, “clinical” other pictures
    assert say("compare_left_out", count=2) in [box.label for box in at.main.expander]
    left_out = next(
        frame.value for frame in at.main.dataframe if {say("run"), say("compare_reason")} <= set(frame.value)
    )
    assert set(left_out[say("run")]) == {"stranger", "clinical"}
    assert say("synthetic_data") in texts(at.markdown)
    assert say("compare_report") in [button.label for button in at.main.get("download_button")]
    # Browsers keep an address written during drawing as an extra page to go back to.
    assert set(at.query_params) == {"lang", "data", "condition", "view"}


@pytest.mark.parametrize("part", ["test", "valid"])
def test_the_leaderboard_says_what_evaluate_says(several: Folders, part: str) -> None:
    say = Say("en")
    at = assert_healthy(open_page("compare", data="tiny", view="leaderboard", part=part))
    assert (say("compare_not_test") in texts(at.caption)) == (part == "valid")
    table = next(frame.value for frame in at.main.dataframe if "value" in frame.value)
    sebum = table[table["condition"] == Condition("value_2").text.en]
    kappas = [
        metrics.measure(metrics.confusion(find_run(run_id).predictions, "value_2", part)).quadratic_weighted_kappa
        for run_id in ("one", "two")
    ]
    assert sorted(sebum["value"]) == pytest.approx(sorted(kappas))


def test_all_models_can_be_deselected(several: Folders) -> None:
    at = assert_healthy(open_page("compare", data="tiny", view="best"))
    candidates = [text for text in texts(at.main.markdown) if "QWK: validation" in text]
    assert len(candidates) == 2
    at = assert_healthy(at.multiselect[0].unselect("two").run())
    assert at.query_params["runs"] == "one"
    assert len([text for text in texts(at.main.markdown) if "QWK: validation" in text]) == 1
    at = assert_healthy(at.multiselect[0].unselect("one").run())
    assert Say("en")("compare_choose") in texts(at.info)


def test_a_link_names_its_models(several: Folders) -> None:
    at = assert_healthy(open_page("compare", data="tiny", runs="two,gone"))
    assert at.multiselect[0].value == ["two"]
    at = assert_healthy(open_page("compare", data="tiny", runs=""))
    assert Say("en")("compare_choose") in texts(at.info)


def test_run_of_one_condition_is_compared_only_there(several: Folders) -> None:
    change_recipe(Run(several.artifacts / "two"), {"conditions": ["value_6"]})
    candidates = {}
    for condition in ("value_6", "value_1"):
        at = assert_healthy(open_page("compare", data="tiny", condition=condition, view="best"))
        candidates[condition] = len([text for text in texts(at.main.markdown) if "QWK: validation" in text])
    assert candidates == {"value_6": 2, "value_1": 1}
    assert "two" in assert_healthy(open_page("runs", run="two")).query_params["run"]


def test_run_with_more_training_pictures_is_compared(several: Folders) -> None:
    # Its dataset is not on this machine.
    change_recipe(Run(several.artifacts / "two"), {"data": "tiny-and-more"}, index_hash="1" * 64)
    at = assert_healthy(open_page("compare", data="tiny", condition="value_3", runs="one,two"))
    assert at.multiselect[0].value == ["one", "two"]
    for view in ("home", "runs"):
        assert_healthy(open_page(view, run="two"))


@pytest.mark.parametrize("view", VIEWS)
def test_condition_without_labels_is_compared_silently(several: Folders, view: str) -> None:
    for name in ("one", "two"):
        path = several.artifacts / name / "predictions.parquet"
        table = pd.read_parquet(path)
        table.loc[table["condition"] == "value_1", "truth"] = pd.NA
        table.to_parquet(path)
        vouch_again(Run(path.parent))
    assert_healthy(open_page("compare", data="tiny", condition="value_1", view=view))


def test_the_best_is_promoted_and_taken_back(several: Folders) -> None:
    at = assert_healthy(open_page("compare", data="tiny", condition="value_2", view="best"))
    at = assert_healthy(at.button(key="promote-value_2-two").click().run())
    assert champions.pins() == {Condition("value_2"): "two"}
    assert "two · promoted, below the floor" in list(at.main.table[0].value["In use"])
    assert "QWK: validation" in champions.changes()[0].why
    assert_healthy(at.button(key="unpin-value_2-two").click().run())
    assert champions.pins() == {}


@pytest.mark.parametrize("view", VIEWS)
def test_one_damaged_run_does_not_take_comparison_away(several: Folders, view: str) -> None:
    (several.artifacts / "two" / "predictions.parquet").write_bytes(b"PAR1 damaged")
    at = assert_healthy(open_page("compare", "ko", data="tiny", condition="value_3", view=view))
    assert at.multiselect[0].value == ["one"]
    say = Say("ko")
    columns = {say("run"), say("compare_reason")}
    left_out = next(frame.value for frame in at.main.dataframe if columns <= set(frame.value))
    assert any("predictions.parquet" in reason for reason in left_out[say("compare_reason")])


# Runs.


def test_one_damaged_run_leaves_others_in_table(several: Folders) -> None:
    (several.artifacts / "two" / "history.jsonl").write_text("{cut short")
    at = open_page("runs", run="one")
    assert not at.exception
    assert all("history.jsonl of run “two”" in text for text in texts(at.error))
    states = list_of_runs(at).value.set_index("run")["state"]
    assert states["two"] == "damaged"
    assert states["one"] == "finished"
    opened = open_page("runs", run="two")
    assert any("history.jsonl" in text for text in texts(opened.error))


def actions(at: AppTest) -> list[str]:
    """Return the actions of the buttons beside the opened run; each key ends with the run it is for."""
    offered = [button.key.partition("-")[0] for button in at.main.button]
    return [action for action in offered if action not in ("rename", "delete")]


def list_of_runs(at: AppTest) -> Any:
    """Return the element with the list of all runs."""
    (element,) = [frame for frame in at.main.dataframe if "run" in frame.value]
    return element


def test_a_run_in_depth(trained: Trained) -> None:
    say = Say("ko")
    at = assert_healthy(open_page("runs", "ko"))
    table = list_of_runs(at).value
    assert heads_of(list_of_runs(at))["epochs"] == say("epochs_done")
    assert list(table["run"]) == ["tiny"]
    assert list(table["state"]) == [State.FINISHED.text("ko")]
    assert list(table["epochs"]) == ["2 / 2"]
    assert list(table["curve"].iloc[0]) == trained.run.history["valid_qwk"].tolist()
    assert table["mean_valid_qwk"].tolist() == [trained.run.history["valid_qwk"].max()]
    charts = [json.loads(node.proto.spec) for node in at.get("vega_lite_chart")][:3]
    measures = [chart["layer"][0]["encoding"]["y"]["field"] for chart in charts]
    assert measures == ["valid_qwk", "valid_loss", "train_loss"]
    document = json.loads(open_tab(at, say, "runs_settings").json[0].value)
    assert document["architecture"] == "test_efficientnet"
    assert document["index_hash"] == trained.dataset.index_hash
    assert document["epochs"] == 2
    files = dict(trained.run.files)
    (listed,) = [frame.value for frame in open_tab(at, say, "runs_files").dataframe if "file" in frame.value]
    assert dict(listed.to_numpy()) == files
    assert not {"pause", "cancel", "resume"} & set(actions(at))


def test_run_without_export_says_why_and_exports_again(several: Folders) -> None:
    run, say = find_run("two"), Say("ko")
    (run.folder / "recipe.json").write_bytes((several.artifacts / "one" / "recipe.json").read_bytes())
    run.write_manifest({key: value for key, value in run.manifest.items() if key != "files"})
    run.write_export_failure(Text("Too *different*.", "너무 *달라요*."))
    at = assert_healthy(open_page("runs", "ko", run="two"))
    states = list_of_runs(at).value.set_index("run")["state"]
    assert (states["one"], states["two"]) == (State.FINISHED.text("ko"), say("runs_not_exported"))
    assert any("너무 *달라요*." in text for text in texts(at.main.warning))
    at = assert_healthy(at.button(key="export-two").click().run(timeout=300))
    assert find_run("two").exported
    assert "export" not in actions(at)


def open_tab(at: AppTest, say: Say, name: str) -> AppTest:
    """The page with this tab of the opened run open; the others are not drawn."""
    at.session_state[f"run-tabs-{say.language}"] = say(name)
    return assert_healthy(at.run())


def test_the_log_is_shown_as_it_is(several: Folders) -> None:
    (several.artifacts / "two" / "log.txt").write_text("<script>alert(1)</script> **loss** 1.0\n")
    assert "<script>alert(1)</script> **loss** 1.0" in texts(
        open_tab(open_page("runs", run="two"), Say("en"), "runs_log").code
    )


def test_a_failed_run_says_why(several: Folders) -> None:
    run = find_run("two")
    (run.folder / "manifest.json").unlink()
    (run.folder / "error.txt").write_text("It broke.\n고장이 났어요.\n\nTraceback: details\n")
    for language, sentence in (("en", "It broke."), ("ko", "고장이 났어요.")):
        at = open_page("runs", language, run="two")
        assert not at.exception
        assert sentence in texts(at.error)
        assert "Traceback: details" in texts(at.code)
        assert "resume" in actions(at)


@pytest.fixture
def waiting_run(tiny: Dataset, folders: Folders) -> Iterator[Run]:
    """A run that this test plays the training process of, and whose runner it waits for."""
    run = create_run(Recipe(**TINY, epochs=50))
    yield run
    run.cancel()
    until(lambda: not is_locked(folders.artifacts / ".runner.lock"))


def test_running_run_can_pause_cancel_and_resume(waiting_run: Run) -> None:
    say = Say("ko")
    with waiting_run.lock():
        waiting_run.write_progress(Progress("training", 3, 50, 0.05, 130.0))
        at = assert_healthy(open_page("runs", "ko"))
        assert actions(at) == ["pause", "cancel"]
        progress = [node for node in at.main if node.type == "progress"]
        assert (
            progress[0].text
            == f"{say('phase_training', epoch=3, epochs=50)} · {say('time_left', minutes=2, seconds=10)}"
        )
        assert [node.type for node in assert_healthy(open_page("home", "ko")).main if node.type == "progress"] == [
            "progress"
        ]
        assert_healthy(at.button(key=f"pause-{waiting_run.id}").click().run())
        assert waiting_run.stop_requested
    assert waiting_run.state is State.PAUSED
    at = assert_healthy(open_page("runs", "ko"))
    assert actions(at) == ["cancel", "resume"]
    assert_healthy(at.button(key=f"cancel-{waiting_run.id}").click().run())
    assert waiting_run.state is State.CANCELLED
    with waiting_run.lock():  # the runner that is started waits until this ends
        at = assert_healthy(open_page("runs", "ko"))
        assert actions(at) == ["resume"]
        assert_healthy(at.button(key=f"resume-{waiting_run.id}").click().run())
        assert waiting_run.state is State.RUNNING
        at = assert_healthy(open_page("dataset", "ko"))
        assert_healthy(at.sidebar.button(key=f"retrain_cancel-{waiting_run.id}").click().run())
        assert waiting_run.state is State.CANCELLED


# Retraining from the sidebar.

CHOSEN = {
    "retrain_epochs": 1,
    "retrain_image_size": 64,
    "retrain_batch_size": 8,
    "retrain_lr": 0.002,
    "retrain_weight_decay": 0.01,
    "retrain_warmup_epochs": 0.5,
    "retrain_layer_decay": 0.9,
    "retrain_ema": 0.5,
    "retrain_mixup": 0.2,
    "retrain_patience": 3,
    "retrain_recall_floor": 0.1,
    "retrain_seed": 7,
}
WORDED = {
    "loss": "distance_weighted",
    "sampling": "full",
    "grade_weights": "square_root",
    "colours": "plain",
    "augmentation": "none",
    "precision": "full",
}


def fill(at: AppTest, architecture: str) -> AppTest:
    """Choose CHOSEN in the sidebar, this architecture, and random weights."""
    at.sidebar.radio(key="retrain_way").set_value("scratch").run()
    for key, number in CHOSEN.items():
        at.sidebar.number_input(key=key).set_value(number)
    at.sidebar.text_input(key="retrain_other").set_value(architecture)
    return at


def submit(at: AppTest) -> AppTest:
    return at.sidebar.button(key="retrain_start").click().run()


@pytest.fixture
def _played_worker(folders: Folders) -> Iterator[None]:
    """While it lasts the test itself trains what waits: test_browser.py has the real worker do it."""
    with FileLock(folders.artifacts / ".runner.lock"):
        yield


@pytest.mark.usefixtures("_played_worker")
def test_form_creates_the_entered_recipe_and_trains(tiny: Dataset) -> None:
    at = fill(open_page("compare"), " test_efficientnet ")
    at.sidebar.multiselect(key="retrain_conditions").set_value([Condition("value_5"), Condition("value_2")])
    for name, choice in WORDED.items():
        at.sidebar.selectbox(key=f"retrain_{name}").set_value(choice)
    at = assert_healthy(submit(at))
    (run,) = list_runs()
    assert run.recipe == Recipe(
        architecture="test_efficientnet",
        data="tiny",
        conditions=(Condition("value_2"), Condition("value_5")),
        epochs=1,
        image_size=64,
        batch_size=8,
        lr=0.002,
        weight_decay=0.01,
        warmup_epochs=0.5,
        frozen_epochs=0,
        layer_decay=0.9,
        ema=0.5,
        mixup=0.2,
        patience=3,
        recall_floor=0.1,
        weights="none",
        seed=7,
        **WORDED,
    )
    assert any(run.id in text for text in texts(at.toast))
    assert perform("train", str(run.folder)) == 0
    # One that cannot be trained fails with a sentence.
    at = assert_healthy(submit(fill(open_page("home", "ko"), "test_resnet.no_such_tag")))
    bad = list_runs()[-1]
    assert perform("train", str(bad.folder)) == 1
    assert (run.state, bad.state) == (State.FINISHED, State.FAILED)
    assert list(run.predictions["condition"].unique()) == ["value_2", "value_5"]
    for language in LANGUAGES:
        at = open_page("runs", language, run=bad.id)
        sentence = bad.error[0](language)
        assert "test_resnet.no_such_tag" in sentence
        assert sentence in texts(at.main.error)
        assert sentence in texts(at.sidebar.error)  # wherever the reader is, the last training's end is told
    at = open_page("compare", data="tiny", view="leaderboard")
    assert len(chart_data(at)) == 1
    assert not at.exception


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("retrain_other", "../../etc", "architecture"),
        ("retrain_other", "no_such_network", "no_such_network"),
        ("retrain_other", "hf_hub:somebody/model", "architecture"),
        ("retrain_image_size", 100, "image_size"),
        ("retrain_condition_weights", "1, 2", "condition_weights"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_form(
    tiny: Dataset, folders: Folders, key: str, value: Any, named: str
) -> None:
    at = open_page("dataset", "ko")
    widget = at.sidebar.number_input(key=key) if isinstance(value, int) else at.sidebar.text_input(key=key)
    widget.set_value(value)
    at = submit(at)
    assert not at.exception
    (message,) = texts(at.sidebar.error)
    assert named in message
    assert re.search("[가-힣]", message)
    assert list_runs() == []
    assert not (folders.artifacts / ".runner.lock").exists()


def test_unlabelled_condition_and_pictures_are_named_in_form(several: Folders) -> None:
    rows = open_dataset("tiny").index.reset_index(drop=True)
    rows["value_3"] = None
    rows.loc[rows.index[rows["part"] == "train"][:-4], [c.value for c in CONDITIONS]] = None
    write_dataset(several.data / "tiny", "synthetic", {}, rows)
    at = assert_healthy(open_page("compare", data="tiny"))
    assert any("interfollicular erythema" in text for text in texts(at.sidebar.caption))
    assert any("learns from 4" in text for text in texts(at.sidebar.warning))
    with FileLock(several.artifacts / ".runner.lock"):
        at = assert_healthy(submit(fill(at, "test_efficientnet")))
        run = list_runs()[-1]
        run.cancel()
    assert run.recipe.conditions == tuple(c for c in CONDITIONS if c.value != "value_3")
    at.sidebar.multiselect(key="retrain_conditions").set_value([Condition("value_3")])
    assert any("value_3" in text for text in texts(submit(at).sidebar.error))


def test_runs_that_cannot_be_written_are_told(tiny: Dataset, folders: Folders, tmp_path: Path) -> None:
    (folders.artifacts / ".create.lock").mkdir()  # whichever user runs the tests, this cannot be opened for writing
    at = submit(fill(open_page("home", "ko"), "test_efficientnet"))
    assert not at.exception
    assert any("artifacts" in text for text in texts(at.sidebar.error))


def test_sidebar_takes_the_page_s_dataset(several: Folders) -> None:
    at = open_page("compare", data="tiny")
    assert at.sidebar.selectbox(key="retrain_data").value == "tiny"
    at.sidebar.selectbox(key="retrain_data").select("clinic").run()
    assert at.sidebar.selectbox(key="retrain_data").value == "clinic"
    at.main.selectbox(key="data-en").select("clinic").run()
    at = assert_healthy(at.main.selectbox(key="data-en").select("tiny").run())
    assert at.sidebar.selectbox(key="retrain_data").value == "tiny"


def test_both_data_sets_can_be_chosen(several: Folders) -> None:
    at = open_page("home")
    assert (
        at.sidebar.selectbox(key="retrain_data").options
        == [dataset.name for dataset in list_datasets()]
        == ["clinic", "tiny"]
    )


def test_packaged_weights_offer_only_their_architectures(tiny: Dataset) -> None:
    at = open_page("home").sidebar.radio(key="retrain_way").set_value("fine_tune").run()
    at = assert_healthy(at.sidebar.selectbox(key="retrain_weights-fine_tune").set_value("packaged").run())
    assert at.sidebar.selectbox(key="retrain_architecture-packaged").options == list(PACKAGES)


def test_two_clicks_in_two_tabs_make_one_run(tiny: Dataset, waiting_run: Run) -> None:
    with waiting_run.lock():
        tabs = [fill(open_page("home", language), "test_efficientnet").run() for language in LANGUAGES]
        toasts = [toast for at in tabs for toast in texts(assert_healthy(submit(at)).toast)]
        first, second = [run for run in list_runs() if run != waiting_run] * 2
        assert toasts == [Say("ko")("retrain_started", run=first.id), Say("en")("retrain_already", run=second.id)]
        first.cancel()


def test_run_to_start_from_decides_architecture_and_size(several: Folders) -> None:
    promote_everywhere(find_run("one"))
    at = assert_healthy(open_page("home", data="tiny"))
    assert at.sidebar.radio(key="retrain_way").value == "head"
    weights = at.sidebar.selectbox(key="retrain_weights-head")
    assert weights.value == "run:one"  # what answers
    at = assert_healthy(weights.set_value("pretrained").run())
    assert at.sidebar.number_input(key="retrain_image_size").value == Recipe().image_size
    assert at.sidebar.selectbox(key="retrain_architecture").value == Recipe().architecture
    at = assert_healthy(at.sidebar.selectbox(key="retrain_weights-head").set_value("run:two").run())
    assert at.sidebar.number_input(key="retrain_image_size").value == 64
    assert "retrain_architecture" not in {widget.key for widget in at.sidebar.selectbox}
    assert at.sidebar.text_input(key="retrain_other").disabled
    for key in ("retrain_layer_decay", "retrain_frozen_epochs"):
        assert at.sidebar.number_input(key=key).disabled  # without effect on the last layer
    at.sidebar.number_input(key="retrain_epochs").set_value(1)
    at.sidebar.text_input(key="retrain_name").set_value("my-try")
    with FileLock(several.artifacts / ".runner.lock"):
        at = assert_healthy(submit(at))
        run = list_runs()[-1]
        run.cancel()
    assert run.id == "my-try"
    assert run.recipe == Recipe(
        architecture="test_vit", data="tiny", epochs=1, image_size=64, weights="run:two", learns="head"
    )


def test_what_will_be_drawn_is_shown_before(trained: Trained) -> None:
    say = Say("ko")
    at = assert_healthy(open_page("home", "ko"))
    index = trained.dataset.index
    labels = index.loc[index["part"] == "train", "value_5"].dropna()
    at = at.sidebar.selectbox(key="retrain_sampling").set_value("none").run()
    (table,) = [item.value for item in at.sidebar.table if CONDITIONS[0].text("ko") in item.value.index]
    assert list(table.index) == [condition.text("ko") for condition in CONDITIONS]
    shares = [f"{100 * (labels == grade).mean():.0f}" for grade in range(4)]
    assert list(table.loc[Condition("value_5").text("ko")]) == shares
    assert say("sampled_same") in texts(at.sidebar.caption)
    at.sidebar.multiselect(key="retrain_conditions").set_value([Condition("value_5")])
    at = at.sidebar.selectbox(key="retrain_sampling").set_value("full").run()
    (row,) = at.sidebar.table[0].value.to_numpy().tolist()
    present = sum(share != "0" for share in shares)
    assert [cell.rpartition(" ")[2] for cell in row] == [f"{100 / present:.0f}" if s != "0" else "0" for s in shares]
    assert say("sampled_note") in texts(at.sidebar.caption)


def test_duration_is_shown_once_measured(tiny: Dataset, folders: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    at = assert_healthy(fill(open_page("home"), "test_efficientnet").run())
    assert "retrain_measure" in {button.key for button in at.sidebar.button}
    measure_in_this_process(monkeypatch)
    duration.measure(Recipe(**TINY | {"batch_size": 8}, precision="full"))
    at.sidebar.selectbox(key="retrain_precision").set_value("full")
    at.sidebar.number_input(key="retrain_image_size").set_value(64)
    at = assert_healthy(at.run())
    assert "retrain_measure" not in {button.key for button in at.sidebar.button}
    assert any(text.endswith("on this machine") for text in texts(at.sidebar.caption))


def test_a_training_is_followed_live(waiting_run: Run) -> None:
    say = Say("ko")
    epochs = [(0.4, 1.0), (0.6, 0.8), (0.6, 0.9), (0.5, 0.7)]
    lines = [
        {"epoch": n, "train_loss": 1.0, "valid_loss": loss, "valid_qwk": qwk, "at_once": 4}
        for n, (qwk, loss) in enumerate(epochs, start=1)
    ]
    with waiting_run.lock():
        assert say("live_patience", count=8) not in page_text(open_page("runs", "ko"))
        waiting_run.write_history(lines)
        entries = [
            say("live_reached", qwk="0.500", best="0.600", epoch=2, loss="0.700"),
            say("live_patience", count=waiting_run.recipe.patience - 2),
            say("live_at_once", count=4),
        ]
        at = assert_healthy(open_page("runs", "ko"))
        for place in (at.main, at.sidebar):
            assert " · ".join(entries) in texts(place.caption)


def test_finished_retraining_is_announced_with_kappa_before_and_after(several: Folders) -> None:
    say, parent, run = Say("en"), find_run("one"), find_run("two")
    change_recipe(run, {"weights": "run:one"})
    (run.folder / "log.txt").write_text("done\n")
    for name in ("stranger", "clinical"):
        shutil.rmtree(several.artifacts / name)
    (several.artifacts / "two").rename(several.artifacts / "zwei")  # the newest of equal age
    run = find_run("zwei")
    means = [
        np.mean([election.score(each, condition, "valid") for condition in CONDITIONS if defined(parent, condition)])
        for each in (parent, run)
    ]
    at = assert_healthy(open_page("home"))
    words = say(
        "retrain_before_after",
        before=f"{means[0]:.3f}",
        after=f"{means[1]:.3f}",
        difference=f"{means[1] - means[0]:+.3f}".replace("-", "−"),
    )
    assert unescape(words) in texts(at.sidebar.markdown)
    table = list_of_runs(assert_healthy(open_page("runs"))).value.set_index("run")
    assert table["parent_difference"]["zwei"] == pytest.approx(means[1] - means[0])
    assert pd.isna(table["parent_difference"]["one"])
    links = [node.proto.query_string for node in at.sidebar if node.type == "page_link"]
    assert [link for link in links if "new=zwei" in link and "runs=one%2Czwei" in link and "data=tiny" in link]
    at = assert_healthy(at.sidebar.button(key="retrain_result_close").click().run())
    assert unescape(words) not in texts(at.sidebar.markdown)


def defined(run: Run, condition: Condition) -> bool:
    return election.score(run, condition, "valid") is not None


def test_run_is_renamed_and_deleted_after_question(several: Folders) -> None:
    say = Say("ko")
    promote_everywhere(find_run("two"))
    at = assert_healthy(open_page("runs", "ko", run="two"))
    at.text_input(key="name-two").set_value("Not allowed!")
    assert "Not allowed" in "".join(texts(at.button(key="rename-two").click().run().error))
    at.text_input(key="name-two").set_value("zwei")
    at = assert_healthy(at.button(key="rename-two").click().run())
    assert say("manage_renamed", before="two", after="zwei") in texts(at.toast)
    assert at.query_params["run"] == ["zwei"] or at.query_params["run"] == "zwei"
    assert champions.champions()[Condition("value_2")].run.id == "zwei"
    at = assert_healthy(at.button(key="delete-zwei").click().run())
    assert (several.artifacts / "zwei").is_dir()
    (question,) = [text for text in texts(at.main.warning) if "zwei" in text]
    assert "MB" in question
    assert Condition("value_2").text("ko") in question
    at = assert_healthy(at.button(key="delete-keep-zwei").click().run())
    assert "delete-now" not in {key.rpartition("-")[0] for key in keys(at)}
    at = assert_healthy(at.button(key="delete-zwei").click().run())
    at = assert_healthy(at.button(key="delete-now-zwei").click().run())
    assert not (several.artifacts / "zwei").exists()
    assert any("zwei" in text for text in texts(at.toast))
    assert "zwei" not in list(list_of_runs(at).value["run"])


def keys(at: AppTest) -> list[str]:
    return [button.key for button in at.main.button]


# Who answers, how grades are decided, and which measure did what.


def test_a_run_is_promoted_and_taken_back(several: Folders) -> None:
    say = Say("ko")
    promote_everywhere(find_run("clinical"))
    at = assert_healthy(open_page("runs", "ko", run="one"))
    assert any("clinical" in text and "one" in text for text in texts(at.markdown))  # other pictures: no verdict
    assert say("verdict_none") in texts(at.caption)
    shutil.rmtree(several.artifacts / "clinical")
    shutil.rmtree(several.artifacts / "stranger")
    promote_everywhere(find_run("one"))
    at = assert_healthy(open_page("runs", "ko", run="two"))
    verdicts = [text for text in texts(at.markdown) if " one" in text and text.startswith("**")]
    assert len(verdicts) == len(CONDITIONS)
    at = assert_healthy(at.button(key="promote-value_2-two").click().run())
    assert champions.champions()[Condition("value_2")].run.id == "two"
    name = Condition("value_2").text("ko")
    assert say("promote_done", run="two", condition=name) in texts(at.toast)
    assert f"**{name}** · {say('verdict_promoted_below')}" in texts(at.markdown)
    change = champions.changes()[0]
    assert verdicts[1].endswith(change.why)
    at = assert_healthy(at.button(key="unpin-value_2-two").click().run())
    assert Condition("value_2") not in champions.champions()
    (log,) = [frame.value for frame in at.dataframe if say("promote_before") in frame.value]
    assert list(log[say("promote_kind")])[:2] == [say("promote_unpinned"), say("promote_pinned")]


def test_broken_promotions_are_told(several: Folders) -> None:
    (several.artifacts / "champions.json").write_text("{")
    for name in ("home", "runs"):
        at = assert_healthy(open_page(name, "ko"))
        assert any("champions.json" in text for text in texts(at.warning))
    at = open_page("runs", "ko", run="two").button(key="promote-value_2-two").click().run()
    assert not at.exception
    assert any("champions.json" in text for text in texts(at.error))


def test_the_operating_point_is_shown_and_fitted_anew(several: Folders) -> None:
    say = Say("ko")
    run = find_run("two")
    table = run.raw_predictions.copy()
    table["part"] = table["part"].where(table["part"] != "test", "calib")  # enough to fit on
    table = pd.concat([table, *[table[table["part"] == "calib"]] * 3])
    table.to_parquet(run.predictions_path)
    run.write_manifest({key: value for key, value in run.manifest.items() if key != "files"})
    at = assert_healthy(open_page("runs", "ko", run="two"))
    assert any(say("point_none", count=MIN_IMAGES) in text for text in texts(at.caption))
    at.number_input(key="floor-two").set_value(0.35)
    at = assert_healthy(at.button(key="fit-two").click().run())
    assert run.operating_point.fitted
    assert run.operating_point.recall_floor == 0.35
    assert say("point_fitted") in texts(at.toast)
    (entries,) = [table.value for table in at.table if say("point_rule") in table.value]
    rules = [run.operating_point.decision(condition).rule for condition in CONDITIONS if condition in fitted(run)]
    assert [rule for rule in map(unescape, entries[say("point_rule")]) if rule != say("point_unfitted")] == [
        say(f"rule_{rule}") for rule in rules
    ]
    after = metrics.measure(metrics.confusion(run.predictions, CONDITIONS[0], "valid")).quadratic_weighted_kappa
    assert entries[say("metric_quadratic_weighted_kappa")].iloc[0].endswith("–" if pd.isna(after) else f"{after:.3f}")
    columns = {say("point_made"), say("recall_floor")}
    (versions,) = [frame.value for frame in at.dataframe if columns <= set(frame.value)]
    assert list(versions[say("recall_floor")]) == [0.35, 0.2]


def test_refused_and_losing_decisions_are_named(several: Folders) -> None:
    run = find_run("one")
    table = run.raw_predictions.copy()
    right = np.eye(4)[table["truth"].to_numpy(dtype=int)]
    table[metrics.PROBABILITIES] = 0.9 * right + 0.025
    table.to_parquet(run.predictions_path)
    run.write_manifest({key: value for key, value in run.manifest.items() if key != "files"})
    cost = cost_of(np.outer([0, 0, 0, 1], [1, 1, 1, 0]))
    always_severe = Decision(rule="expected_cost", cost=cost, images=40)
    point = OperatingPoint({Condition("value_2"): always_severe}, refused={Condition("value_1"): (0.379, 0.135)})
    run.write_operating_point(replace(point, made=utc_now()))
    (warning,) = [text for text in texts(assert_healthy(open_page("runs", "en", run="one")).warning) if "QWK" in text]
    assert "from 0.379 to 0.135" in warning
    assert "from 1.000 to 0.000 with this decision" in warning


def fitted(run: Run) -> set[Condition]:
    return set(run.operating_point.decisions)


def test_what_is_special_about_a_run_comes_first(trained: Trained) -> None:
    say = Say("en")
    (table,) = [row.value for row in open_tab(open_page("runs"), say, "runs_settings").main.table]
    assert dict(table[say("setting_here")]) == {
        say("architecture"): "test_efficientnet",
        say("data_set"): "tiny",
        say("epochs"): "2",
        say("image_size"): "64",
        say("batch_size"): "8",
        say("loss"): say("choice_loss_cross_entropy"),
        say("retrain_start_from"): say("retrain_random"),
    }


def test_the_ladder_is_planned_and_asked_for(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    say = Say("ko")
    at = AppTest.from_function(_ladder, default_timeout=120, args=("ko",)).run()
    at = at.selectbox(key="ablate_like").set_value("tiny").run()
    assert not at.error
    base = replace(trained.run.recipe, conditions=CONDITIONS, seed=0)
    steps = ablation.ladder(base)
    table = at.main.table[0].value
    assert [unescape(words) for words in table[say("ablation_does")]] == [step.text("ko") for step in steps]
    plan = ablation.plan_trainings(base, range(3))
    missing = sum(training.run is None for training in plan)
    assert say("ablation_plan", networks=len(plan), missing=missing) in texts(at.markdown)
    assert trained.run in [training.run for training in plan]
    (reached,) = [frame.value for frame in at.dataframe]  # the run that is there is judged already
    assert (1, 3) in list(reached[["seeds", "wanted"]].itertuples(index=False, name=None))
    assert all(pd.api.types.is_numeric_dtype(reached[name]) for name in reached if "difference" in name)
    assert len(chart_data(at)) == 1


def _ladder(language: str) -> None:
    from scalp_core.data.dataset import list_datasets
    from ui.runs.ablation import _show_ladder
    from ui.words import Say

    _show_ladder(Say(language), [dataset.name for dataset in list_datasets()])


@pytest.mark.parametrize("name", ["dataset", "compare", "diagnose"])
def test_link_to_absent_data_set_names_its_substitute(trained: Trained, name: str) -> None:
    words = Say("ko")("other_dataset", shown="tiny")
    for data, message in (("gone", True), ("tiny", False)):
        at = assert_healthy(open_page(name, "ko", source="example", data=data))
        assert (words in texts(at.warning)) == message


VIEWS = [
    ("home", ""),
    ("diagnose", ""),
    ("runs", ""),
    *(("dataset", view) for view in ("pictures", "labels", "audit", "map", "import")),
    *(("compare", view) for view in ("leaderboard", "wall", "differences", "decision", "best")),
]


CLOSED = ("expander", "expandable", "status", "popover")


def prose(block: Any) -> Iterator[str]:
    """Sentences, headings and labels of widgets in this part of a page; not options, tables, or what is closed."""
    of_tabs = [child for child in block.children.values() if child.type == "tab"]
    for element in block.children.values():
        if element in of_tabs[1:]:
            continue
        label = getattr(element, "label", "")
        if isinstance(label, str) and element.type not in CLOSED:
            yield label
        if element.type in ("markdown", "caption", "heading", "title", "subheader", "alert", "info", "warning", "text"):
            yield element.value
        if getattr(element, "children", None) and element.type not in CLOSED:
            yield from prose(element)


@pytest.mark.parametrize(("page", "view"), VIEWS)
def test_a_page_has_under_150_words_before_anything_is_opened(trained: Trained, page: str, view: str) -> None:
    at = assert_healthy(open_page(page, "en", view=view, data="tiny"))
    assert len(" ".join(prose(at.main)).split()) < 150
