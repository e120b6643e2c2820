"""The decision lab as a visitor drives it, without a browser: live figures, links, saving and bringing back."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import Folders, Trained
from streamlit.testing.v1 import AppTest
from support.app_driver import LANGUAGES, assert_healthy, page_text, texts, widget
from support.changed_runs import change_recipe, vouch_again

from scalp_core.charts.dataset_charts import grade_name
from scalp_core.charts.decision_charts import MARKS
from scalp_core.data.dataset import Dataset
from scalp_core.labels import GRADES, Condition
from scalp_core.metrics import metrics
from scalp_core.metrics.metrics import METRICS, PROBABILITIES
from scalp_core.metrics.operating_point import (
    COSTS,
    PART,
    Decision,
    LabelledPredictions,
    best_decision,
    cost_of,
    decide_grades,
    evaluate_referral,
    fit,
    labelled_predictions,
    set_rule,
)
from scalp_core.runs.run import Run
from ui.words import Say

SEBUM, DANDRUFF, ALONE = Condition.EXCESS_SEBUM, Condition.DANDRUFF, Condition.HAIR_LOSS
FOUR_BY_FOUR = ",".join(["0,1,4,9", "1,0,1,4", "4,1,0,1", "9,4,1,0"])
_EN = Say("en")


def answers(images: int, condition: Condition, part: str) -> pd.DataFrame:
    """Return noisy predictions of an imbalanced problem."""
    generator = np.random.default_rng([images, condition.number])
    truth = generator.choice(4, size=images, p=(0.7, 0.15, 0.1, 0.05))
    distances = truth[:, None] + 1.1 * generator.standard_normal((images, 1)) - np.arange(4)
    likelihood = np.exp(-np.square(distances) / 2)
    text = (likelihood / likelihood.sum(axis=1, keepdims=True)).astype(np.float32)
    names = [f"{part}-{number}" for number in range(images)]
    table = pd.DataFrame(text, columns=PROBABILITIES).assign(image=names, condition=condition.value, part=part)
    return table.assign(truth=pd.array(truth, dtype="Int8"))


@pytest.fixture
def run(trained: Trained, tiny: Dataset, folders: Folders) -> Run:
    """A finished run with enough pictures; one condition has too few for a fit, and none in validation."""
    copied = Run(Path(shutil.copytree(trained.run.folder, folders.artifacts / "mine")))
    sizes = {PART: 400, "valid": 300, "test": 50}
    parts = [answers(size, item, part) for item in (SEBUM, DANDRUFF) for part, size in sizes.items()]
    pd.concat([*parts, answers(20, ALONE, PART)]).to_parquet(copied.predictions_path)
    copied.operating_point_path.unlink(missing_ok=True)
    vouch_again(copied)
    copied.write_operating_point(fit(copied.raw_predictions, why="fitted"))
    return copied


def lab_page(language: str, ids: tuple[str, ...]) -> None:
    import streamlit as st

    from scalp_core.data.dataset import open_dataset
    from scalp_core.evaluation.comparison import Model
    from scalp_core.labels import Condition
    from scalp_core.runs.store import find_run
    from ui.compare.decision_lab import show_decision_lab
    from ui.compare.selection import ModelSelection
    from ui.feedback import show_pending_toast
    from ui.words import Say

    side = Model(ids[0], "a network", tuple(find_run(name) for name in ids))
    condition = Condition(st.query_params.get("condition", "value_2"))
    show_pending_toast()
    selection = ModelSelection(open_dataset("tiny"), condition, "test", (side,), "quadratic_weighted_kappa")
    show_decision_lab(selection, Say(language))


def lab(language: str = "en", ids: tuple[str, ...] = ("mine",), **address: str) -> AppTest:
    at = AppTest.from_function(lab_page, default_timeout=120, args=(language, ids))
    for key, value in address.items():
        at.query_params[key] = value
    return at.run()


def address(at: AppTest, key: str) -> str | None:
    """Return the current value: AppTest gives a text after the page wrote it, a list before."""
    value = at.query_params.get(key)
    return value[0] if isinstance(value, list) else value


def figures(at: AppTest) -> pd.DataFrame:
    """A row a metric; columns Chosen here, In force, As trained."""
    (table,) = (frame.value for frame in at.dataframe if _EN("lab_plain") in frame.value)
    return table


def expected(run: Run, decision: Decision, part: str, condition: Condition = SEBUM) -> list[float]:
    displayed = labelled_predictions(run.raw_predictions, condition, part)
    counts = metrics.count(displayed.truth, decide_grades(decision, displayed))
    return [float(metric.compute(counts)) for metric in METRICS.values() if metric.compute]


def calibration(run: Run, condition: Condition = SEBUM) -> LabelledPredictions:
    return labelled_predictions(run.raw_predictions, condition, PART)


def stored(run: Run, condition: Condition = SEBUM) -> Decision:
    return run.operating_point.decision(condition)


def slider(at: AppTest, language: str = "en") -> Any:
    return widget(at.select_slider, Say(language)("point_tau"))


def rule(at: AppTest, language: str = "en") -> Any:
    return widget(at.segmented_control, Say(language)("point_rule"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_lab_opens_with_current_point_without_test(run: Run, language: str) -> None:
    say, at = Say(language), assert_healthy(lab(language))
    assert rule(at, language).value == stored(run).rule
    assert slider(at, language).value == stored(run).tau
    assert say("lab_note") in page_text(at)
    assert widget(at.segmented_control, say("part")).options == [say.part(PART), say.part("valid")]
    assert say("lab_same") in page_text(at)
    assert at.button(key="lab-to-stored").disabled


def test_a_link_opens_what_it_says(run: Run) -> None:
    at = assert_healthy(lab(rule="expected_cost", tau="0.75", cost=FOUR_BY_FOUR.replace("9", "8"), lab_part="valid"))
    cost = cost_of([[min(cell, 8) for cell in row] for row in COSTS["squared"].cost])
    selected = set_rule(stored(run), calibration(run), "expected_cost", 0.75, cost)
    here, in_force, plain = figures(at).to_numpy(dtype=float).T
    assert here[:9].tolist() == pytest.approx(expected(run, selected, "valid"))
    assert in_force[:9].tolist() == pytest.approx(expected(run, stored(run), "valid"))
    assert plain[:9].tolist() == pytest.approx(expected(run, Decision(), "valid"))
    assert here[9] > 0.8
    assert np.isnan(plain[9])


@pytest.mark.parametrize(
    "query",
    [
        {"rule": "mean", "tau": "0.3", "cost": "1,2", "lab_part": "test", "lab_cell": "else.1.1", "lab_run": "other"},
        {"rule": "", "tau": "nan", "cost": FOUR_BY_FOUR.replace("9", "nan"), "lab_part": "", "lab_cell": "here.4.1"},
        {"rule": "<b>", "tau": "9" * 400, "cost": ",".join("0" * 16), "lab_side": "../x", "lab_cell": "here"},
    ],
    ids=["unknown", "malformed", "hostile"],
)
def test_a_malformed_address_is_as_none(run: Run, query: dict[str, str]) -> None:
    at = assert_healthy(lab(**query))
    assert at.button(key="lab-to-stored").disabled
    assert address(at, "rule") == stored(run).rule
    assert address(at, "tau") == f"{stored(run).tau:g}"
    assert address(at, "lab_part") in (None, PART)


def test_figures_curve_and_address_move_with_the_choice(run: Run) -> None:
    at = assert_healthy(lab())
    rule(at).set_value("median").run()
    slider(at).set_value(1.5).run()
    at = assert_healthy(at)
    selected = set_rule(stored(run), calibration(run), "median", 1.5)
    assert figures(at).iloc[:9, 0].tolist() == pytest.approx(expected(run, selected, PART))
    assert (address(at, "rule"), address(at, "tau")) == ("median", "1.5")
    (chart,) = (node.proto for node in at if node.type == "vega_lite_chart")
    entries = [pa.ipc.open_stream(dataset.data.data).read_pandas() for dataset in chart.datasets]
    (here,) = (table for table in entries if set(table.get("mark", ())) == {MARKS["here"].en})
    assert here["tau"].unique().tolist() == [1.5]


def test_reset_to_fitted_and_to_current_point(run: Run) -> None:
    run.write_operating_point(fit(run.raw_predictions, 0.5))
    best = best_decision(stored(run), calibration(run), 0.5)
    at = assert_healthy(lab(rule="argmax", tau="1.375"))
    at = assert_healthy(at.button(key="lab-to-optimum").click().run())
    assert (rule(at).value, slider(at).value) == (best.rule, best.tau)
    assert at.button(key="lab-to-optimum").disabled
    slider(at).set_value(1.25).run()
    at = assert_healthy(at.button(key="lab-to-stored").click().run())
    assert slider(at).value == stored(run).tau


def test_another_condition_begins_with_its_own(run: Run) -> None:
    at = assert_healthy(lab(rule="argmax", tau="1.375"))
    assert slider(at).value == 1.375
    at.query_params["condition"] = DANDRUFF.value
    at = assert_healthy(at.run())
    assert rule(at).value == stored(run, DANDRUFF).rule
    assert slider(at).value == stored(run, DANDRUFF).tau


# Costs.


def test_costs_are_chosen_edited_and_refused(run: Run) -> None:
    at = assert_healthy(lab(rule="expected_cost", tau="0"))
    at = assert_healthy(at.button(key="lab-cost-severe").click().run())
    assert address(at, "cost") == "0,1,4,9,1,0,1,4,4,1,0,1,18,8,2,0"
    editor = f"lab-costs-{run.id}-{SEBUM.value}-en-1"  # the first since a button was pressed
    names = [grade_name(grade, "en") for grade in GRADES]
    at.session_state[editor] = {"edited_rows": {3: {names[0]: 30}}, "added_rows": [], "deleted_rows": []}
    at = assert_healthy(at.run())
    assert address(at, "cost") == "0,1,4,9,1,0,1,4,4,1,0,1,30,8,2,0"
    cost = cost_of([float(word) for word in (address(at, "cost") or "").split(",")])
    selected = set_rule(stored(run), calibration(run), "expected_cost", 0.0, cost)
    assert figures(at).iloc[:9, 0].tolist() == pytest.approx(expected(run, selected, PART))
    at.session_state[editor] = {"edited_rows": {0: {names[0]: 100}}, "added_rows": [], "deleted_rows": []}
    at = at.run()
    assert not at.exception
    assert any("sixteen numbers" in text for text in texts(at.error))
    assert not [button for button in at.button if button.label == _EN("lab_save_button")], (
        "what cannot decide cannot be saved"
    )
    assert address(at, "cost") == "0,1,4,9,1,0,1,4,4,1,0,1,30,8,2,0"


# The pictures.


def test_a_cell_shows_its_pictures(run: Run, tiny: Dataset) -> None:
    table = run.raw_predictions.copy()
    reference = table["image"].str.startswith(PART) & (table["condition"] == SEBUM)
    table.loc[reference & (np.arange(len(table)) < len(tiny.index)), "image"] = tiny.column("id").tolist()
    table.to_parquet(run.predictions_path)
    run.write_manifest({key: value for key, value in run.manifest.items() if key != "files"})
    displayed = labelled_predictions(run.raw_predictions, SEBUM, PART)
    at = assert_healthy(lab(rule="argmax", tau="0", lab_cell="here.1.0"))
    selected = set_rule(stored(run), calibration(run), "argmax", 0.0)
    count = int(((displayed.truth == 1) & (decide_grades(selected, displayed) == 0)).sum())
    message = _EN("lab_cell", matrix=_EN("lab_here"), truth="1 mild", predicted="0 normal", count=count)
    assert message in page_text(at)


# Which run.


def test_of_several_seeds_one_is_chosen(run: Run, folders: Folders) -> None:
    shutil.copytree(run.folder, folders.artifacts / "second")
    other = Run(folders.artifacts / "second")
    other.change_operating_point(lambda point: fit(other.raw_predictions, 0.6, "another"))
    at = assert_healthy(lab(ids=("mine", "second"), lab_run="second", rule="argmax", tau="1"))
    assert "`second`" in page_text(at)
    at = assert_healthy(widget(at.selectbox, _EN("run")).set_value("mine").run())
    assert "`mine`" in page_text(at)
    assert slider(at).value == stored(run).tau, "what was tried on another run means nothing here"


def test_empty_lab_says_so(run: Run) -> None:
    at = assert_healthy(lab(condition=ALONE.value, lab_part="valid"))
    assert _EN("lab_unlabelled") in texts(at.info)
    at = assert_healthy(lab(condition=ALONE.value))
    assert _EN("lab_no_optimum") in page_text(at)
    change_recipe(run, {"conditions": [each for each in run.recipe.conditions if each != ALONE]})
    at = assert_healthy(lab(condition=ALONE.value))
    assert _EN("compare_no_model") in texts(at.info)


# Saving.


def save(at: AppTest, who: str = "", why: str = "", language: str = "en") -> AppTest:
    say = Say(language)
    at.text_input(key="lab-who").set_value(who)
    next(item for item in at.text_input if (item.key or "").startswith("lab-why")).set_value(why)
    return next(button for button in at.button if button.label == say("lab_save_button")).click().run()


def test_saved_decision_applies_and_can_be_restored(run: Run) -> None:
    say, before = Say("ko"), run.operating_point
    at = assert_healthy(lab("ko", rule="argmax", tau="1.5"))
    at = assert_healthy(save(at, "서연 <b>", "rare grades matter", "ko"))
    assert say("lab_saved", condition=SEBUM.text("ko")) in texts(at.toast)
    assert stored(run) == set_rule(before.decision(SEBUM), calibration(run), "argmax", 1.5)
    assert stored(run, DANDRUFF) == before.decision(DANDRUFF)
    assert (run.operating_point.who, run.operating_point.why) == ("서연 <b>", "rare grades matter")
    assert run.earlier_operating_points == [before]
    message = run.predictions[(run.predictions["condition"] == SEBUM) & (run.predictions["part"] == "test")]
    displayed = labelled_predictions(run.raw_predictions, SEBUM, "test")
    assert (message["grade"].to_numpy(dtype=int) == decide_grades(stored(run), displayed)).all()
    (versions,) = (frame.value for frame in at.dataframe if say("point_made") in frame.value)
    assert list(versions[say("point_author")]) == ["서연 <b>", "–"]
    words = f"{SEBUM.text('ko')}: {say('rule_argmax')}, τ 1.5"
    assert list(versions[say("point_what")]) == [words, say("point_first")]
    at = assert_healthy(widget(at.button, say("point_bring_back")).click().run())
    assert run.operating_point.decisions == before.decisions
    assert len(run.earlier_operating_points) == 2
    assert before.why in run.operating_point.why


def test_a_limit_is_tried_saved_and_brought_back(run: Run) -> None:
    at = assert_healthy(lab())
    assert not [text for text in texts(at.markdown) if "For a person" in text]
    widget(at.select_slider, _EN("referral_limit")).set_value(0.02).run()
    at = assert_healthy(at)
    selected = replace(stored(run), **_referring(run, 0.02))
    quality = evaluate_referral(selected, calibration(run))
    shares = (quality.referred_share, quality.unseen_share, quality.far_share)
    referred, unseen, far = (f"{share:.1%}" for share in shares)
    assert _EN("lab_referral", referred=referred, unseen=unseen, far=far) in texts(at.markdown)
    assert address(at, "far") == "0.02"
    at = assert_healthy(save(at))
    assert stored(run) == selected
    assert "unseen far errors ≤ 2%" in run.operating_point.why
    run.change_operating_point(lambda point: fit(run.raw_predictions, 0.2, far_limits=point.far_limits))
    assert run.operating_point.far_limits == {SEBUM: 0.02}
    at = assert_healthy(lab(far="0"))
    assert widget(at.select_slider, _EN("referral_limit")).value == 0
    assert _EN("lab_same") not in page_text(at)


def _referring(run: Run, limit: float) -> dict[str, float]:
    decision = set_rule(stored(run), calibration(run), stored(run).rule, stored(run).tau, far_limit=limit)
    return {"far_limit": limit, "refer_from": decision.refer_from}


def test_unnamed_decision_describes_itself(run: Run) -> None:
    assert_healthy(save(assert_healthy(lab(rule="median", tau="1.5"))))
    assert run.operating_point.who == ""
    assert run.operating_point.why == "excess sebum by hand: median, τ 1.5"


@pytest.mark.parametrize("answering", [True, False])
def test_it_says_what_will_follow_decisions(run: Run, answering: bool) -> None:
    if not answering:
        values = run.manifest | {"parameters": 1}
        other = Run(Path(shutil.copytree(run.folder, run.folder.parent / "smaller")))
        other.write_manifest({key: value for key, value in values.items() if key != "files"})
    key = "lab_answers" if answering else "lab_waits"
    assert _EN(key, condition="excess sebum") in page_text(assert_healthy(lab()))


def test_unwritable_decision_keeps_the_choices(run: Run) -> None:
    before = run.operating_point
    (run.folder.parent / ".operating_points.lock").unlink(missing_ok=True)
    (run.folder.parent / ".operating_points.lock").mkdir()  # forbidden even to root
    at = save(assert_healthy(lab(rule="median", tau="1.5")), "me", "why")
    assert not at.exception
    assert any("cannot be written" in text for text in texts(at.error))
    assert run.operating_point == before
    assert (rule(at).value, slider(at).value) == ("median", 1.5)
    assert at.text_input(key="lab-who").value == "me"
    assert (address(at, "rule"), address(at, "tau")) == ("median", "1.5")


def test_a_damaged_run_is_not_decided_anew(run: Run) -> None:
    with run.weights_path.open("ab") as file:
        file.write(b"more")
    at = save(assert_healthy(lab(rule="median", tau="1.5")))
    assert any("model.safetensors" in text for text in texts(at.error))
    assert run.earlier_operating_points == []
