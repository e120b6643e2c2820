"""Selection of comparable runs, the models they form, and the references beside their figures."""

import shutil
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import Folders
from support.prediction_tables import add_noise, prediction_table

from scalp_core.data.dataset import LABEL_COLUMNS, Dataset
from scalp_core.data.index_writer import write_dataset
from scalp_core.errors import ScalpError
from scalp_core.evaluation.baselines import Baseline, find_baselines
from scalp_core.evaluation.comparison import align_runs, compare_models, list_candidates, newest_and_best
from scalp_core.files import write_text
from scalp_core.images import Preprocessing
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.metrics import COUNTED, METRICS
from scalp_core.metrics.verdict import Verdict
from scalp_core.runs.evaluations import EvaluationFacts, evaluation_notes, write_evaluation
from scalp_core.runs.recipe import Recipe
from scalp_core.runs.run import Run
from scalp_core.synthetic.label_noise import ceiling

SEBUM, HAIR = Condition.EXCESS_SEBUM, Condition.HAIR_LOSS
KAPPA = "quadratic_weighted_kappa"
RECIPE = Recipe(architecture="test_resnet", data="heads")


def heads(folders: Folders, name: str = "heads", kind: str = "csv", pictures: int = 240) -> Dataset:
    """Captures of three pictures, and pictures of the test part without a label of hair loss."""
    generator = np.random.default_rng(len(name))
    grades = generator.choice(4, (pictures, len(CONDITIONS)), p=(0.5, 0.25, 0.15, 0.1))
    rows = pd.DataFrame(grades, columns=list(LABEL_COLUMNS)).astype("Int8")
    names = [f"p{number:03d}" for number in range(pictures)]
    rows = rows.assign(id=names, path=names, sha256=names, device="d", region="TH", site="s")
    rows["capture"] = [f"c{number // 3}" for number in range(pictures)]
    rows["part"] = np.where(
        np.arange(pictures) % 12 < 3, "test", np.where(np.arange(pictures) % 12 < 6, "valid", "train")
    )
    rows.loc[rows["part"] == "test", HAIR.value] = pd.NA
    return write_dataset(folders.data / name, kind, {}, rows)


def finish(name: str, dataset: Dataset, share: float, recipe: Recipe = RECIPE, **facts: Any) -> Run:
    """A run that has answered a share of the pictures one grade off; its folder as training leaves it."""
    from scalp_core.paths import artifacts_folder

    folder = artifacts_folder() / name
    judged = {"index_hash": dataset.index_hash, "evaluation_hash": dataset.evaluation_hash}
    created = f"2026-01-01T00:00:00+00:00-{name}"
    run = Run(folder)
    run.write_recipe({"recipe": asdict(recipe), "synthetic": False, "created": created} | judged | facts)
    run.write_history([])
    run.write_preprocessing(Preprocessing(64, 64, (0.5,) * 3, (0.5,) * 3, "bilinear"))
    write_text(folder / "model.safetensors", "")
    answers(dataset, share, recipe, len(name)).to_parquet(folder / "predictions.parquet")
    run.write_manifest({"parameters": 1000})
    return run


def answers(dataset: Dataset, share: float, recipe: Recipe, seed: int) -> pd.DataFrame:
    generator, tables = np.random.default_rng(seed), []
    for part in ("valid", "test"):
        rows = dataset.index[dataset.index["part"] == part]
        for condition in recipe.conditions:
            truth = rows[condition.value].fillna(0).to_numpy(dtype=np.int64)
            table = prediction_table(
                rows[condition.value], add_noise(truth, share, generator), condition, part, list(rows["id"])
            )
            tables.append(table.drop(columns=["grade", "low", "high"]))
    return pd.concat(tables)


def test_runs_differing_in_seed_form_one_model(folders: Folders) -> None:
    dataset = heads(folders)
    for seed in (2, 0, 1):
        finish(f"resnet-{seed}", dataset, 0.3, replace(RECIPE, seed=seed))
    finish("other", dataset, 0.3, replace(RECIPE, architecture="test_vit"))
    sides, left_out = list_candidates(dataset)
    assert [side.name for side in sides] == ["test_resnet", "test_vit"]
    assert [run.id for run in sides[0].runs] == ["resnet-0", "resnet-1", "resnet-2"]
    assert (sides[0].key, sides[0].parameters, sides[0].milliseconds) == ("resnet-0", 1000, None)
    assert sides[0].recipe.architecture == "test_resnet"
    assert left_out == []


def test_recipes_of_one_architecture_are_told_apart(folders: Folders) -> None:
    dataset = heads(folders)
    finish("plain", dataset, 0.3)
    finish("long", dataset, 0.3, replace(RECIPE, epochs=RECIPE.epochs + 1))
    finish("more-data", dataset, 0.3, index_hash="of more pictures to learn from")
    sides, left_out = list_candidates(dataset)
    assert {side.key for side in sides} == {"plain", "long", "more-data"}
    assert len({side.name for side in sides}) == 3
    assert all(side.name.startswith("test_resnet") for side in sides)
    assert left_out == []


def test_of_same_recipe_and_seed_latest_counts(folders: Folders) -> None:
    dataset = heads(folders)
    for name in ("a-first", "b-again", "c-latest"):
        finish(name, dataset, 0.3)
    (side,), excluded = list_candidates(dataset)
    assert [run.id for run in side.runs] == ["c-latest"]
    assert [exclusion.run.id for exclusion in excluded] == ["a-first", "b-again"]
    assert all("c-latest" in text for exclusion in excluded for text in (exclusion.reason.en, exclusion.reason.ko))


def test_run_on_other_pictures_is_excluded_with_reason(folders: Folders) -> None:
    dataset, other = heads(folders), heads(folders, "elsewhere")
    finish("here", dataset, 0.3)
    finish("changed", dataset, 0.3, evaluation_hash="before", index_hash="before")
    finish("there", other, 0.3, replace(RECIPE, data="elsewhere"))
    sides, excluded = list_candidates(dataset)
    assert [side.key for side in sides] == ["here"]
    reasons = {exclusion.run.id: exclusion.reason for exclusion in excluded}
    assert "labels" in reasons["changed"].en
    assert "elsewhere" in reasons["there"].en
    assert "elsewhere" in reasons["there"].ko
    assert list_candidates(other)[0][0].key == "there"


def test_first_looked_at_are_newest_and_best(folders: Folders) -> None:
    dataset = heads(folders)
    for number in range(7):  # the later, the worse; all of one architecture
        finish(f"run-{number}", dataset, 0.1 + 0.1 * number, replace(RECIPE, epochs=number + 1))
    finish("elsewhere", dataset, 0.0, replace(RECIPE, data="other-heads"))
    models, _ = list_candidates(dataset)
    assert newest_and_best(models, SEBUM) == ["run-6", "run-0", "run-1", "run-2", "run-3"]
    assert newest_and_best([], SEBUM) == []


def test_a_retrained_run_is_looked_at_beside_those_it_started_from(folders: Folders) -> None:
    """The last layer of a run of another dataset, learned anew on this one, does not send the others away."""
    dataset = heads(folders)
    for number in range(2):
        finish(f"run-{number}", dataset, 0.1 + 0.1 * number, replace(RECIPE, data="larger", epochs=number + 1))
    finish("other", dataset, 0.0, replace(RECIPE, data="other-heads"))
    finish("run-new", dataset, 0.3, replace(RECIPE, weights="run:run-1"))
    models, _ = list_candidates(dataset)
    assert newest_and_best(models, SEBUM) == ["run-new", "run-0", "run-1"]
    shutil.rmtree(folders.artifacts / "run-1")
    assert newest_and_best(list_candidates(dataset)[0], SEBUM) == ["run-new"]


def test_without_runs_there_is_nothing_to_compare(folders: Folders) -> None:
    assert list_candidates(heads(folders)) == ([], [])


def test_sides_are_compared_by_captures_and_kept(folders: Folders) -> None:
    dataset = heads(folders)
    for seed in (0, 1):
        finish(f"good-{seed}", dataset, 0.1, replace(RECIPE, seed=seed))
    finish("poor", dataset, 0.7, replace(RECIPE, architecture="test_vit", conditions=(SEBUM,)))
    models, _ = list_candidates(dataset)
    comparison = compare_models(dataset, models, "test")
    assert comparison is compare_models(dataset, models, "test")
    assert comparison.models == ("good-0", "poor")
    assert comparison.groups == 20
    assert comparison.images[comparison.conditions.index(SEBUM)] == 60
    assert comparison.images[comparison.conditions.index(HAIR)] == 0
    assert np.isnan(comparison.values(KAPPA)[:, comparison.conditions.index(HAIR)]).all()
    assert comparison.graded(Condition.ERYTHEMA) == ("good-0",)
    pairs = comparison.pairs(KAPPA, SEBUM).set_index(["model", "other"])
    assert pairs.loc[("good-0", "poor"), "verdict"] == Verdict.BETTER
    assert compare_models(dataset, models, "valid").images[comparison.conditions.index(HAIR)] == 60
    assert compare_models(dataset, models, "train").groups == 0  # there are no predictions there


def test_a_run_made_anew_is_compared_anew(folders: Folders) -> None:
    dataset = heads(folders)
    run = finish("one", dataset, 0.1)
    before = align_runs(dataset, [run], "test")
    assert before.runs == ("one",)
    assert align_runs(dataset, [run], "test") is before
    sides, _ = list_candidates(dataset)
    good = compare_models(dataset, sides, "test").values(KAPPA)
    finish("one", dataset, 0.8)
    sides, _ = list_candidates(dataset)
    poor = compare_models(dataset, sides, "test").values(KAPPA)
    place = CONDITIONS.index(SEBUM)
    assert poor[0, place] < good[0, place] - 0.2


def test_no_run_cannot_be_lined_up(folders: Folders) -> None:
    with pytest.raises(ValueError, match="nothing"):
        align_runs(heads(folders), [], "test")


# ---- references ----


def by_name(baselines: list[Baseline], name: str) -> dict[str, float]:
    return {baseline.metric: baseline.value for baseline in baselines if baseline.name.en == name}


def test_without_a_network_kappa_is_nothing(folders: Folders) -> None:
    dataset = heads(folders)
    baselines = find_baselines(dataset, "test")
    majority, chance = (by_name(baselines[SEBUM], name) for name in ("majority grade", "random by frequency"))
    assert set(majority) == set(chance) == set(METRICS)
    assert majority[KAPPA] == pytest.approx(0)
    assert chance[KAPPA] == pytest.approx(0)
    labels = dataset.index.query("part == 'test'")[SEBUM.value].astype(int)
    learned = dataset.index.query("part == 'train'")[SEBUM.value].astype(int)
    commonest = learned.mode()[0]
    assert majority["accuracy"] == pytest.approx((labels == commonest).mean())
    assert majority["worst_grade_recall"] == 0
    assert majority["ranked_probability_score"] == pytest.approx((labels - commonest).abs().mean() / 3)
    assert chance["ranked_probability_score"] < majority["ranked_probability_score"]
    assert baselines[HAIR] == []  # no label in the part
    assert all(baseline.protocol.en and baseline.protocol.ko for baseline in baselines[SEBUM])


def test_random_answers_reach_what_is_said_of_them(folders: Folders) -> None:
    dataset = heads(folders)
    expected = by_name(find_baselines(dataset, "valid")[SEBUM], "random by frequency")
    learned = dataset.index.query("part == 'train'")[SEBUM.value].to_numpy(dtype=np.int64)
    labels = dataset.index.query("part == 'valid'")[SEBUM.value].to_numpy(dtype=np.int64)
    generator = np.random.default_rng(0)
    random_counts = np.zeros((4, 4))
    np.add.at(random_counts, (np.tile(labels, 2000), generator.choice(learned, len(labels) * 2000)), 1)
    for name, of in COUNTED.items():
        assert float(of(random_counts)) == pytest.approx(expected[name], abs=0.01), name


def test_synthetic_pictures_have_a_ceiling(tiny: Dataset) -> None:
    baselines, best_kappas = find_baselines(tiny, "test"), ceiling(tiny, "test")
    for condition in CONDITIONS:
        assert by_name(baselines[condition], "ceiling")[KAPPA] == pytest.approx(best_kappas[condition])


def test_what_others_published_stands_beside_their_pictures_only(folders: Folders) -> None:
    real, own = (
        find_baselines(heads(folders, name, kind), "test") for name, kind in (("real", "aihub"), ("own", "csv"))
    )
    published = [baseline for baseline in real[SEBUM] if "AI Hub" in baseline.name.en]
    assert [(baseline.metric, baseline.value) for baseline in published] == [("accuracy", 0.905)]
    assert "share captures" in published[0].protocol.en
    assert len(own[SEBUM]) == 2 * len(METRICS)  # nor is the ceiling known


def test_where_part_cannot_say_there_is_no_reference(folders: Folders) -> None:
    dataset = heads(folders)
    rows = dataset.index.reset_index(drop=True)
    rows.loc[rows["part"] != "calib", SEBUM.value] = 0  # healthy heads alone
    baselines = find_baselines(write_dataset(dataset.folder, "csv", {}, rows), "test")[SEBUM]
    assert {baseline.metric for baseline in baselines} == set(METRICS) - {KAPPA, "sensitivity"}


@pytest.mark.parametrize("damage", ["predictions.parquet", "history.jsonl", "manifest.json", "model.safetensors"])
def test_damaged_run_is_excluded_by_name(folders: Folders, damage: str) -> None:
    dataset = heads(folders)
    sound, broken = finish("sound", dataset, 0.2), finish("broken", dataset, 0.3, replace(RECIPE, lr=0.01))
    path = broken.folder / damage
    path.unlink(missing_ok=True) if damage == "model.safetensors" else write_text(path, "PAR1 {")
    sides, excluded = list_candidates(dataset)
    assert [side.runs for side in sides] == [(sound,)]
    (exclusion,) = excluded
    assert exclusion.run == broken
    assert damage in exclusion.reason.en
    assert damage in exclusion.reason.ko


def test_tables_with_other_labels_are_refused(folders: Folders) -> None:
    dataset = heads(folders)
    run, other = finish("one", dataset, 0.2), finish("other", dataset, 0.3, replace(RECIPE, lr=0.01))
    table = other.raw_predictions.copy()
    table["truth"] = (table["truth"] + 1) % 4
    table.to_parquet(other.predictions_path)
    other.write_manifest({"parameters": 1000})
    with pytest.raises(ScalpError) as caught:
        align_runs(dataset, [run, other], "valid")
    assert caught.value.code == "not_alike"
    assert "one, other" in caught.value.text.ko


def test_time_that_cannot_be_read_is_not_known(folders: Folders) -> None:
    run = finish("one", heads(folders), 0.2)
    for written in ("{", "[]", '{"machine": 1}'):
        write_text(run.folder / "speed.json", written)
        assert run.milliseconds is None


def test_runs_judged_here_since_stand_beside_those_trained_here(folders: Folders) -> None:
    """And are compared at first, though others of their dataset are not; on what they did not learn from."""
    here, away = heads(folders), heads(folders, "away")
    own = finish("own", here, 0.2)
    far = finish("far", away, 0.1, replace(RECIPE, data="away"))
    finish("stranger", away, 0.1, replace(RECIPE, data="away", lr=0.1))
    table = answers(here, 0.7, RECIPE, 1)
    left_out = sorted(table.loc[table["part"] == "test", "image"].unique())[:3]
    facts = EvaluationFacts(
        "heads",
        here.evaluation_hash,
        far.manifest["files"]["model.safetensors"],
        False,
        tuple(left_out),
        (),
        "2026-02-01",
    )
    write_evaluation(far, facts, table[~table["image"].isin(left_out)])
    models, excluded = list_candidates(here)
    assert {model.key: model.evaluated for model in models} == {"own": False, "far": True}
    assert [entry.run.id for entry in excluded if entry.can_be_judged] == ["stranger"]
    assert set(newest_and_best(models, SEBUM)) == {"own", "far"}
    later = finish("z-later", away, 0.1, replace(RECIPE, data="away", epochs=7))
    write_evaluation(later, replace(facts, left_out=()), table)
    assert "own" in newest_and_best(list_candidates(here)[0], SEBUM)
    aligned = align_runs(here, [run for model in models for run in model.runs], "test")
    assert set(aligned.images) == set(own.predictions.query("part == 'test'")["image"]) - set(left_out)
    comparison = compare_models(here, models, "test")
    assert comparison.estimate(KAPPA, "own", SEBUM).value > comparison.estimate(KAPPA, "far", SEBUM).value
    assert "3 pictures that were learned from" in evaluation_notes(run for model in models for run in model.runs)[0].en


def test_answers_of_weights_that_are_gone_count_for_nothing(folders: Folders) -> None:
    here, away = heads(folders), heads(folders, "away")
    far = finish("far", away, 0.1, replace(RECIPE, data="away"))
    facts = EvaluationFacts("heads", here.evaluation_hash, "0" * 64, False, (), (), "2026-02-01")
    write_evaluation(far, facts, answers(here, 0.3, RECIPE, 1))
    assert list_candidates(here)[0] == []
