"""The confusion matrices as a visitor drives it, without a browser; clicks and keys are in test_browser.py."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, Folders, Trained
from streamlit.testing.v1 import AppTest
from support.app_driver import HOSTILE, assert_healthy, chart_data, page_text, texts, unescape
from support.prediction_tables import images_in_cell

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.dataset import Dataset
from scalp_core.evaluation.comparison import Model, align_runs
from scalp_core.labels import GRADES, Condition
from scalp_core.metrics import metrics
from scalp_core.metrics.finding import worst_far_error
from scalp_core.palette import SEVERITY_COLORS
from scalp_core.runs.run import Run
from scalp_core.runs.store import find_run
from ui.compare import cell_pictures
from ui.words import Say

CONDITION = Condition.ERYTHEMA
LONE = Condition.HAIR_LOSS  # the only one that "three" grades

SCRIPT = """
from scalp_core.evaluation.comparison import Model
from scalp_core.data.dataset import open_dataset
from scalp_core.labels import Condition
from scalp_core.runs.store import find_run
from ui.compare.selection import ModelSelection
from ui.compare.confusion_matrices import show_confusion_matrices
from ui.words import Say
import streamlit as st

sides = {sides!r}
models = tuple(Model(runs[0], name, tuple(find_run(run) for run in runs)) for name, runs in sides.items())
language = st.query_params["lang"]
condition = Condition(st.query_params.get("condition", "value_3"))
selection = ModelSelection(open_dataset("tiny"), condition, "test", models, "quadratic_weighted_kappa")
show_confusion_matrices(selection, Say(language))
"""
SIDES = {"Network A": ["one", "one-again"], "Network B": ["two"], "Network C": ["three"]}


@dataclass(frozen=True)
class Wall:
    """A page with nothing but the matrices, in a folder of its own, beside the pages it links to."""

    script: Path
    dataset: Dataset

    def open(self, language: str = "en", **address: str) -> AppTest:
        at = AppTest.from_file(str(self.script), default_timeout=120)
        for key, value in {"lang": language, **address}.items():
            at.query_params[key] = value
        return at.run()


@pytest.fixture
def wall(trained: Trained, folders: Folders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wall:
    """Three sides on "tiny": two seeds of one recipe, a network of another opinion, and one of a single condition."""
    monkeypatch.setenv("SCALP_DATA", str(trained.dataset.folder.parent))
    for name, changes in (
        ("one", {}),
        ("one-again", {"seed": 1}),
        ("two", {"architecture": "test_vit"}),
        ("three", {"conditions": [LONE.value]}),
    ):
        copied = folders.artifacts / name
        shutil.copytree(trained.run.folder, copied)
        document = json.loads((copied / "recipe.json").read_text())
        document["recipe"] |= changes
        (copied / "recipe.json").write_text(json.dumps(document))
        table = pd.read_parquet(copied / "predictions.parquet")
        if name != "one":
            table[metrics.PROBABILITIES] = table[["p3", "p0", "p1", "p2"]].to_numpy()
        if name == "three":
            table = table[table["condition"] == LONE.value]
        table.to_parquet(copied / "predictions.parquet")
        Run(copied).write_manifest({key: value for key, value in Run(copied).manifest.items() if key != "files"})
    (tmp_path / "pages").symlink_to(ROOT / "pages")
    script = tmp_path / "wall.py"
    script.write_text(SCRIPT.format(sides=SIDES))
    return Wall(script, trained.dataset)


def component(at: AppTest, name: str) -> dict[str, Any] | None:
    """Return the data given to one of the view's components."""
    entries = [node.proto for node in at if node.type == "bidi_component" and node.proto.component_name.endswith(name)]
    return json.loads(entries[0].json) if entries else None


def shown(at: AppTest) -> list[str]:
    cards = component(at, "scalp_answer_cards")
    return [card["id"] for card in cards["cards"]] if cards else []


def table_of(run_id: str, condition: Condition = CONDITION) -> pd.DataFrame:
    table = find_run(run_id).predictions
    return table[(table["part"] == "test") & (table["condition"] == condition.value)].set_index("image").sort_index()


def captions_of(at: AppTest) -> list[str]:
    """Return the captions under the pictures of the dialog; the first of them is the picture itself."""
    return [unescape(img.caption) for node in at.image for img in node.proto.imgs][1:]


def fullest(run_id: str) -> tuple[int, int]:
    return divmod(int(metrics.confusion(find_run(run_id).predictions, CONDITION, "test").argmax()), 4)


# The matrices.


def test_every_model_has_its_mean_matrix(wall: Wall) -> None:
    say = Say("ko")
    at = assert_healthy(wall.open("ko"))
    message = component(at, "scalp_matrices")
    assert message
    *_, blind = message["matrices"]
    by_name = {matrix["name"]: matrix for matrix in message["matrices"]}
    assert set(by_name) == set(SIDES)
    assert blind["name"] == "Network C"  # what does not grade the condition comes last
    scores = [float(matrix["score"].replace("−", "-")) for matrix in message["matrices"][:2]]
    assert scores == sorted(scores, reverse=True)
    assert [matrix["best"] for matrix in message["matrices"][:2]] == [True, False]
    first, second = by_name["Network A"], by_name["Network B"]
    assert first["note"] == say("matrices_seeds", count=2)
    assert second["note"] == ""
    assert blind["missing"] == say("matrices_not_graded")
    counts = metrics.confusion(find_run("two").predictions, CONDITION, "test")
    assert [[cell["count"] for cell in row if cell["kind"] != "empty"] for row in second["cells"]] == [
        [str(count) for count in row] if row.sum() else [] for row in counts
    ]
    assert message["numbered"]


def test_worst_error_is_named_and_its_pictures_are_one_click_away(wall: Wall) -> None:
    runs = {"Network A": "one", "Network B": "two"}
    counts = {run: metrics.confusion(find_run(run).predictions, CONDITION, "test") for run in runs.values()}
    error = worst_far_error(counts)
    assert error
    at = assert_healthy(wall.open())
    (name,) = (name for name, run in runs.items() if run == error.model)
    assert f"{name} grades {error.images:,} of" in page_text(at)
    at = assert_healthy(at.button(key="finding-pictures").click().run())
    assert at.query_params["cell"] == f"{error.model}.{error.truth}.{error.predicted}"
    assert len(shown(at)) == min(error.images, cell_pictures.PER_PAGE)


def test_differences_are_against_model_that_address_names(wall: Wall) -> None:
    message = component(assert_healthy(wall.open(cells="difference", reference="two")), "scalp_matrices")
    assert message
    by_name = {matrix["name"]: matrix for matrix in message["matrices"]}
    first, second = by_name["Network A"], by_name["Network B"]
    assert all(cell["text"].lstrip("+−").isdigit() or cell["text"] == "–" for row in first["cells"] for cell in row)
    assert "against the reference" in first["cells"][0][0]["description"]
    assert "against the reference" not in second["cells"][0][0]["description"]
    assert "Network B" in message["legend"]["high"]


def test_ungraded_condition_shows_one_sentence(wall: Wall) -> None:
    wall.script.write_text(SCRIPT.format(sides={"Network C": ["three"]}))
    at = assert_healthy(wall.open(image="any"))
    message = component(at, "scalp_matrices")
    assert message
    assert [list(matrix) for matrix in message["matrices"]] == [["key", "name", "note", "badge", "missing"]]
    assert shown(at) == []


# The pictures.


def test_cell_in_address_shows_exactly_its_pictures(wall: Wall) -> None:
    say = Say("ko")
    for key, name in (("two", "Network B"), ("one", "Network A")):
        truth, predicted = fullest(key)
        at = assert_healthy(wall.open("ko", cell=f"{key}.{truth}.{predicted}"))
        wanted = images_in_cell(find_run(key).predictions, CONDITION, "test", truth, predicted)
        assert wanted
        assert shown(at) == sorted(wanted)
        message = component(at, "scalp_matrices")
        assert message
        assert message["selected"] == f"{key}.{truth}.{predicted}"
        names = {"truth": say.of(GRADES[truth].text), "predicted": say.of(GRADES[predicted].text)}
        assert say("matrices_of_cell", name=name, **names) == unescape(at.get("dialog")[0].proto.dialog.title)
        assert say("matrices_count", count=len(wanted), whole=len(table_of(key)), part=say.part("test")) in page_text(
            at
        )
        assert say.text("matrices_first_run", runs="`one`") in page_text(at)


@pytest.mark.parametrize("value", [*HOSTILE, "one.9.9", "three.0.0", "nobody.0.0"])
def test_an_address_that_means_no_cell_is_ignored(wall: Wall, value: str) -> None:
    at = assert_healthy(wall.open(cell=value, only=value, who=value, cells=value, reference=value, page=value))
    assert not at.get("dialog")


def test_disagreements_are_those_of_the_answers(wall: Wall) -> None:
    first, two = table_of("one"), table_of("two")
    truth = first["truth"]
    for only, who, wanted in (
        ("all_wrong", "one", (first["grade"] != truth) & (two["grade"] != truth)),
        ("only_right", "one", (first["grade"] == truth) & (two["grade"] != truth)),
        ("only_right", "two", (first["grade"] != truth) & (two["grade"] == truth)),
        ("apart", "one", (first["grade"].astype(int) - two["grade"].astype(int)).abs() >= 2),
    ):
        at = assert_healthy(wall.open(only=only, who=who))
        if only != "apart":
            wanted = wanted & truth.notna()
        assert shown(at) == list(first.index[wanted]), only


def test_one_model_alone_has_no_disagreements(wall: Wall) -> None:
    wall.script.write_text(SCRIPT.format(sides={"Network B": ["two"]}))
    at = assert_healthy(wall.open(only="apart", cells="difference"))
    assert not at.get("dialog")
    assert {button.key for button in at.button} & {"only-all_wrong", "only-apart", "only-only_right"} == {
        "only-all_wrong"
    }


def test_pictures_are_leafed_through(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    truth, predicted = fullest("two")
    whole = shown(assert_healthy(wall.open(cell=f"two.{truth}.{predicted}")))
    monkeypatch.setattr(cell_pictures, "PER_PAGE", 1)
    at = assert_healthy(wall.open(cell=f"two.{truth}.{predicted}", page="2"))
    assert at.pagination[0].num_pages == len(whole) > 1
    assert shown(at) == whole[1:2]
    at = assert_healthy(at.button(key="only-all_wrong").click().run())
    assert at.query_params["only"] == "all_wrong"
    assert at.query_params.get("page", "1") == "1"


def test_a_card_shows_the_label_and_every_answer(wall: Wall) -> None:
    truth, predicted = fullest("two")
    cards = component(assert_healthy(wall.open(cell=f"two.{truth}.{predicted}")), "scalp_answer_cards")
    assert cards
    for card in cards["cards"]:
        assert card["truth"] == grade_name(truth, "en")
        assert card["color"] == SEVERITY_COLORS[truth]
        assert card["source"].startswith("/thumbnails/tiny/")
        for answer, (key, name) in zip(card["answers"], (("one", "Network A"), ("two", "Network B")), strict=True):
            row = table_of(key).loc[card["id"]]
            grade = int(row["grade"])
            assert (answer["text"], answer["color"]) == (str(grade), SEVERITY_COLORS[grade])
            assert answer["right"] == (grade == truth)
            assert answer["description"] == f"{name}: {grade_name(grade, 'en')}, probability {row[f'p{grade}']:.0%}"


# One picture.


def test_picture_opens_with_every_answer_and_its_evidence(wall: Wall) -> None:
    say = Say("ko")
    image = table_of("one").index[0]
    at = assert_healthy(wall.open("ko", image=image))
    (table,) = (item.value for item in at.table)
    assert list(table.index) == ["Network A", "Network B"]
    for key, name in (("one", "Network A"), ("two", "Network B")):
        row = table_of(key).loc[image]
        assert table.loc[name, say("grade")] == grade_name(row["grade"], "ko")
        off = int(row["grade"]) - int(row["truth"])
        wanted = say("answers_right")
        if off:
            wanted = say("answers_high", count=off) if off > 0 else say("answers_low", count=-off)
        assert table.loc[name, say("answers_error")] == wanted
    assert captions_of(at) == []  # evidence is computed on demand
    at = assert_healthy(wall.open("ko", image=image, evidence="label"))
    (bars,) = chart_data(at)
    assert bars.groupby("name")["probability"].sum().to_numpy() == pytest.approx(1)
    captions = captions_of(at)
    truth = grade_name(int(table_of("one").loc[image, "truth"]), "ko")
    assert captions == [f"Network A: {truth}", f"Network B: {truth}"]
    link = next(link for link in at.get("page_link") if link.label == say("grade_this"))
    assert f"image={image}" in link.proto.query_string
    at = assert_healthy(wall.open("ko", image=image, evidence="decided"))
    captions = captions_of(at)
    decided = [grade_name(table_of(key).loc[image, "grade"], "ko") for key in ("one", "two")]
    assert captions == [f"Network A: {decided[0]}", f"Network B: {decided[1]}"]


@pytest.mark.parametrize("image", [item for item in HOSTILE if item])
def test_a_picture_that_is_not_there_is_told(wall: Wall, image: str) -> None:
    at = wall.open(image=image)
    assert not at.exception
    assert len(at.error) == 1


def test_a_picture_of_another_part_is_told(wall: Wall) -> None:
    index = wall.dataset.index
    at = wall.open(image=index.index[index["part"] == "train"][0])
    assert not at.exception
    (message,) = texts(at.error)
    assert "is not an evaluation picture of this split" in message


def test_a_picture_whose_file_is_gone_is_told(wall: Wall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = Path(shutil.copytree(wall.dataset.folder, tmp_path / "moved" / "tiny"))
    monkeypatch.setenv("SCALP_DATA", str(copied.parent))
    image = table_of("one").index[0]
    (copied / str(wall.dataset.index.loc[image, "path"])).unlink()
    at = wall.open(image=image)
    assert not at.exception
    (message,) = texts(at.error)
    assert "on this machine" in message


def test_a_damaged_run_leaves_the_others_evidence(wall: Wall, folders: Folders) -> None:
    weights = folders.artifacts / "two" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\0\1")
    image = table_of("one").index[0]
    at = wall.open(image=image, evidence="label")
    assert not at.exception
    (message,) = texts(at.error)
    assert "model.safetensors" in message
    assert len(at.table) == 1
    captions = captions_of(at)
    assert [text.split(":")[0] for text in captions] == ["Network A"]


# What is looked up among aligned answers.


def test_unlabelled_picture_has_card_without_label(wall: Wall) -> None:
    side = Model("two", "Network B", (find_run("two"),))
    lined_up = align_runs(wall.dataset, side.runs, "test")
    place = lined_up.condition(CONDITION)
    truth = lined_up.truth.copy()
    truth[place, 0] = -1
    first, second = cell_pictures.cards_of(replace(lined_up, truth=truth), CONDITION, [side], np.array([0, 1]))
    assert first.truth is None
    assert second.truth == lined_up.truth[place, 1]
    assert first.answers[0].grade == lined_up.grades[0, place, 0]
