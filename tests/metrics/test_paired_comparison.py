"""The paired bootstrap: a known better side is better, equal ones are not, and intervals keep what they promise."""

import math
import time
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, recall_score
from support.comparison_fixtures import make_comparison
from support.prediction_tables import DANDRUFF, SEBUM, add_noise, align_tables, prediction_table

from benchmarks.simulation import World, draw, error_for, shares_of, true_values
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics import bootstrap, metrics, paired_comparison
from scalp_core.metrics.alignment import AlignedPredictions
from scalp_core.metrics.metrics import PROBABILITIES, ranked_probability_scores
from scalp_core.metrics.paired_comparison import Comparison, difference, estimate, holm, mcnemar
from scalp_core.metrics.verdict import NEGLIGIBLE, Difference, Verdict, verdict

KAPPA, ERROR, RECALL = "quadratic_weighted_kappa", "average_mean_absolute_error", "worst_grade_recall"

METRICS = tuple(paired_comparison.Estimates.__dataclass_fields__)


def sides(
    generator: np.random.Generator, groups: int, shares: tuple[float, ...], images: int = 4, seeds: int = 1
) -> list[np.ndarray]:
    """Sides that grade the same pictures, each with that share of grades that are one off; (seeds, groups, 4, 4).

    How hard a head is, all sides share: pictures of one group go wrong together.
    """
    truth = generator.integers(0, 4, (groups, images))
    hard = generator.beta(0.5, 0.5, (groups, 1))
    tables = []
    for share in shares:
        wrong = generator.random((seeds, groups, images)) < 2 * share * hard
        predicted = np.where(wrong, np.where(truth == 0, 1, truth - 1), truth)
        cells = np.arange(groups)[:, np.newaxis] * 16 + truth * 4 + predicted
        counts = [np.bincount(side_cells.ravel(), minlength=groups * 16).reshape(-1, 4, 4) for side_cells in cells]
        tables.append(np.stack(counts))
    return tables


def test_one_network_is_as_evaluate_says() -> None:
    (side,) = sides(np.random.default_rng(0), 60, (0.3,))
    counts = side[0].sum(axis=0)
    estimates, measured = estimate(side), metrics.measure(counts)
    for name in METRICS:
        interval = getattr(estimates, name)
        assert interval.value == pytest.approx(getattr(measured, name))
        assert interval.low < interval.value < interval.high


def test_several_seeds_count_by_their_mean() -> None:
    (side,) = sides(np.random.default_rng(1), 40, (0.3,), seeds=3)
    alone = [estimate(side[seed : seed + 1]) for seed in range(3)]
    for name in METRICS:
        mean = np.mean([getattr(alone_estimates, name).value for alone_estimates in alone])
        assert getattr(estimate(side), name).value == pytest.approx(mean)
    widths = [
        alone_estimates.quadratic_weighted_kappa.high - alone_estimates.quadratic_weighted_kappa.low
        for alone_estimates in alone
    ]
    together = estimate(side).quadratic_weighted_kappa
    assert together.high - together.low < max(widths)


def test_better_side_is_better_and_other_worse() -> None:
    good, bad = sides(np.random.default_rng(2), 150, (0.1, 0.35), seeds=3)
    differences, back = difference(good, bad), difference(bad, good)
    assert differences.verdict is Verdict.BETTER
    assert back.verdict is Verdict.WORSE
    assert differences.average_mean_absolute_error.high < 0 < differences.worst_grade_recall.low
    for name in METRICS:
        forward, backward = getattr(differences, name), getattr(back, name)
        assert (forward.value, forward.low, forward.high) == pytest.approx(
            (-backward.value, -backward.high, -backward.low)
        )
        assert forward.value == pytest.approx(getattr(estimate(good), name).value - getattr(estimate(bad), name).value)


def test_the_same_networks_are_practically_equal() -> None:
    (side,) = sides(np.random.default_rng(3), 30, (0.3,), seeds=2)
    differences = difference(side, side)
    assert differences.verdict is Verdict.PRACTICALLY_EQUAL
    assert vars(differences.quadratic_weighted_kappa) == {"value": 0, "low": 0, "high": 0}


def test_equally_good_networks_on_few_pictures_are_undecided() -> None:
    side, other = sides(np.random.default_rng(4), 25, (0.3, 0.3))
    assert difference(side, other).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.001, 0.1, Verdict.BETTER),
        (-0.1, -0.001, Verdict.WORSE),
        (-0.019, 0.019, Verdict.PRACTICALLY_EQUAL),
        (0.005, 0.015, Verdict.PRACTICALLY_EQUAL),  # significant, and too small to matter
        (-0.01, 0.03, Verdict.UNDECIDED),
        (float("nan"), float("nan"), Verdict.UNDECIDED),
    ],
)
def test_verdicts(low: float, high: float, expected: Verdict) -> None:
    assert verdict(Difference((low + high) / 2, low, high)) is expected
    assert expected.text.en
    assert expected.text.ko


def test_pairing_sees_what_two_intervals_do_not() -> None:
    """Most errors are the same ones: heads that are hard for both say nothing about who is better."""
    generator = np.random.default_rng(5)
    same, mine, theirs = sides(generator, 120, (0.4, 0.05, 0.15))
    good, bad = same + mine, same + theirs  # the same truth twice, so the labels agree
    paired = difference(good, bad).quadratic_weighted_kappa
    alone = [estimate(side).quadratic_weighted_kappa for side in (good, bad)]
    assert alone[0].low < alone[1].high
    assert paired.low > 0
    assert paired.high - paired.low < min(interval.high - interval.low for interval in alone)


def test_equal_models_rarely_differ() -> None:
    generator = np.random.default_rng(6)
    inside = dict.fromkeys(METRICS, 0)
    for _ in range(50):
        differences = difference(*sides(generator, 60, (0.3, 0.3), images=5))
        for name in METRICS:
            inside[name] += getattr(differences, name).low <= 0 <= getattr(differences, name).high
    assert all(44 <= count <= 50 for count in inside.values()), inside  # of a nominal 47.5


def test_a_dead_grade_shows() -> None:
    truth = np.zeros((1, 20, 4, 4), dtype=np.int64)
    truth[..., 0, 0], truth[..., 3, 2] = 5, 1
    estimates = estimate(truth)
    assert vars(estimates.worst_grade_recall) == {"value": 0, "low": 0, "high": 0}
    assert estimates.average_mean_absolute_error.value == pytest.approx(0.5)


def test_nothing_says_nothing() -> None:
    for groups in (0, 1):
        side = np.zeros((2, groups, 4, 4), dtype=np.int64)
        side[..., 1, 2], side[..., 0, 0] = 3, 1
        for name in METRICS:
            interval = getattr(estimate(side), name)
            assert np.isnan([interval.low, interval.high]).all()
            assert np.isnan(interval.value) == (groups == 0)
        assert difference(side, side).verdict is Verdict.UNDECIDED


def test_other_pictures_cannot_be_compared() -> None:
    side, _ = sides(np.random.default_rng(7), 20, (0.3, 0.3))
    (other,) = sides(np.random.default_rng(8), 20, (0.3,))
    with pytest.raises(ValueError, match="same labels"):
        difference(side, other)
    with pytest.raises(ValueError, match="same labels"):
        difference(side, side[:, :10])


def test_images_as_groups_would_say_too_much() -> None:
    (side,) = sides(np.random.default_rng(10), 60, (0.3,), images=5)
    images = np.zeros((300, 4, 4), dtype=np.int64)
    number = 0
    for truth in range(4):
        for predicted in range(4):
            for _ in range(int(side[0, :, truth, predicted].sum())):
                images[number, truth, predicted] = 1
                number += 1
    by_group, by_image = (estimate(table).quadratic_weighted_kappa for table in (side, images[np.newaxis]))
    assert by_group.value == pytest.approx(by_image.value)
    assert by_group.high - by_group.low > 1.2 * (by_image.high - by_image.low)


def test_constant_answers_have_no_kappa_interval() -> None:
    constant = np.zeros((1, 5, 4, 4), dtype=np.int64)
    constant[..., 0, 0] = 3
    kappa = estimate(constant).quadratic_weighted_kappa
    assert np.isnan([kappa.value, kappa.low, kappa.high]).all()


def test_usual_case_takes_no_time_to_wait_for() -> None:
    side, other = sides(np.random.default_rng(9), 170, (0.3, 0.2), seeds=3)
    start = time.process_time()
    difference(side, other)
    assert time.process_time() - start < 1  # a few hundredths on an idle machine


# ---- many runs at once ----


def judged(share: dict[str, float], images: int = 120, in_group: int = 4, seed: int = 0) -> AlignedPredictions:
    """Runs that are one grade off in that share of the pictures of one condition."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, 4, images)
    return align_tables(
        {name: prediction_table(truth, add_noise(truth, off, generator)) for name, off in share.items()}, in_group
    )


def alone(aligned: AlignedPredictions, **options: int) -> Comparison:
    return paired_comparison.compare(aligned, {run: [run] for run in aligned.runs}, **options)


def by_the_book(rows: pd.DataFrame) -> dict[str, float]:
    """The metrics as scikit-learn and their definitions have them."""
    truth, grades = (rows[name].to_numpy(dtype=np.int64) for name in ("truth", "grade"))
    distance, occurring = np.abs(truth - grades), np.unique(truth)
    return {
        KAPPA: cohen_kappa_score(truth, grades, weights="quadratic", labels=range(4)),
        ERROR: float(np.mean([distance[truth == grade].mean() for grade in occurring])),
        RECALL: recall_score(truth, grades, labels=occurring, average=None, zero_division=0).min(),
        "ranked_probability_score": ranked_probability_scores(rows[PROBABILITIES].to_numpy(), truth).mean(),
        "accuracy": accuracy_score(truth, grades),
        "macro_f1": f1_score(truth, grades, average="macro", zero_division=0),
        "within_one_accuracy": (distance <= 1).mean(),
        "far_error_share": (distance > 1).sum() / max(1, (distance > 0).sum()),
        "sensitivity": recall_score(truth >= 2, grades >= 2, zero_division=0),
        "specificity": recall_score(truth < 2, grades < 2, zero_division=0),
    }


def many_tables() -> dict[str, pd.DataFrame]:
    """Three runs in two conditions, of which the last grades only one; groups of uneven size."""
    generator = np.random.default_rng(3)
    truth = {condition: generator.integers(0, 4, 90) for condition in (SEBUM, DANDRUFF)}
    tables = {
        name: pd.concat(
            [
                prediction_table(truth[condition], add_noise(truth[condition], share, generator), condition)
                for condition in truth
            ]
        )
        for name, share in (("good", 0.2), ("poor", 0.5))
    }
    return tables | {"narrow": prediction_table(truth[SEBUM], generator.integers(0, 4, 90))}


def test_every_resample_is_what_resampled_rows_give() -> None:
    """The same draws, made by hand: whole groups of rows of the tables, the same for every run and condition."""
    tables = many_tables()
    aligned = align_tables(tables, in_group=6)
    comparison = alone(aligned, replicates=8, seed=5)
    generator = np.random.default_rng(5)
    for replicate in range(8):
        rows = np.concatenate([np.flatnonzero(aligned.groups == group) for group in generator.integers(0, 15, 15)])
        for side, table in tables.items():
            for condition in table["condition"].unique():
                of_condition = table[table["condition"] == condition].set_index("image")
                expected = by_the_book(of_condition.loc[list(aligned.images[rows])])
                at = comparison.models.index(side), comparison.conditions.index(Condition(condition))
                for name, value in expected.items():
                    assert comparison.replicates[name][replicate, *at] == pytest.approx(value, rel=1e-5), name
    assert np.isnan(comparison.replicates[KAPPA][:, 2, comparison.conditions.index(DANDRUFF)]).all()


def test_independent_draws_give_about_the_same_interval() -> None:
    aligned = judged({"one": 0.3}, images=200)
    grades, truth = aligned.grades[0, aligned.condition(SEBUM)], aligned.truth[aligned.condition(SEBUM)]
    generator, replicates = np.random.default_rng(77), []
    for _ in range(2000):
        rows = (generator.integers(0, 50, 50)[:, np.newaxis] * 4 + np.arange(4)).ravel()
        replicates.append(metrics.kappas(metrics.count(truth[rows], grades[rows])))
    estimate = alone(aligned).estimate(KAPPA, "one", SEBUM)
    level = estimate.high - estimate.low
    assert [estimate.low, estimate.high] == pytest.approx(np.percentile(replicates, [2.25, 97.75]), abs=0.08 * level)


def test_values_and_estimates_are_those_of_the_tables() -> None:
    tables = many_tables()
    comparison = alone(align_tables(tables, in_group=6))
    assert (comparison.groups, comparison.images.tolist()) == (15, [0, 90, 0, 0, 90, 0])
    for name, value in by_the_book(tables["good"].query("condition == 'value_5'")).items():
        estimate = comparison.estimate(name, "good", DANDRUFF)
        assert estimate.value == pytest.approx(value, rel=1e-5)
        assert estimate.low <= estimate.value <= estimate.high
        nothing = comparison.estimate(name, "narrow", DANDRUFF)
        assert np.isnan([nothing.value, nothing.low, nothing.high]).all()
    assert comparison.graded(DANDRUFF) == ("good", "poor")
    assert "narrow" not in comparison.tied(KAPPA, DANDRUFF)
    assert comparison.best(KAPPA, CONDITIONS[0]) is None
    assert comparison.pairs(KAPPA, CONDITIONS[0]).empty
    assert comparison.tied(KAPPA, CONDITIONS[0]) == {}
    assert np.isnan(
        [*comparison.detectable(KAPPA, CONDITIONS[0]), comparison.chance_spread(KAPPA, CONDITIONS[0])]
    ).all()


def test_a_side_of_several_seeds_is_their_mean() -> None:
    aligned = judged({"a1": 0.2, "a2": 0.3, "a3": 0.4, "b": 0.3})
    comparison = paired_comparison.compare(aligned, {"a": ["a1", "a2", "a3"], "b": ["b"]})
    each = alone(aligned)
    place = comparison.conditions.index(SEBUM)
    values = each.values(KAPPA)[:, place]
    assert comparison.values(KAPPA)[:, place] == pytest.approx([values[:3].mean(), values[3]])
    assert comparison.spread(KAPPA, "a", SEBUM) == (values[:3].min(), values[:3].max())
    assert comparison.replicates[KAPPA][:, 0, place] == pytest.approx(each.replicates[KAPPA][:, :3, place].mean(axis=1))
    assert comparison.counts[0, place].sum() == 120
    assert comparison.counts[0, place] == pytest.approx(each.counts[:3, place].mean(axis=0))


def test_every_pair_is_told_from_both_sides() -> None:
    comparison = alone(judged({"good": 0.05, "fair": 0.3, "poor": 0.6}, images=400))
    for metric, better_if_lower in ((KAPPA, False), (ERROR, True)):
        pairs = comparison.pairs(metric, SEBUM).set_index(["model", "other"])
        assert len(pairs) == 6
        pair, back = pairs.loc["good", "poor"], pairs.loc["poor", "good"]
        assert (pair["verdict"], back["verdict"]) == (Verdict.BETTER, Verdict.WORSE)
        assert pair["verdict"] is Verdict.BETTER
        assert (pair["difference"] < 0) == better_if_lower
        assert (pair["low"], pair["high"]) == pytest.approx((-back["high"], -back["low"]))
        assert pair["low"] < pair["difference"] < pair["high"]
        values = dict(
            zip(comparison.models, comparison.values(metric)[:, comparison.conditions.index(SEBUM)], strict=True)
        )
        assert pair["difference"] == pytest.approx(values["good"] - values["poor"])
        assert (pairs["p_holm"] >= pairs["p"]).all()
        assert ((pairs["low"] > 0) | (pairs["high"] < 0)).tolist() == (pairs["p_holm"] < 0.05).tolist()


def test_pair_alone_is_paired_difference_with_students_t() -> None:
    aligned = judged({"one": 0.3, "other": 0.4})
    comparison = alone(aligned)
    replicates = comparison.replicates[KAPPA][:, :, comparison.conditions.index(SEBUM)]
    reach = stats.t.ppf(0.975, 29) * math.sqrt(30 / 29) * (replicates[:, 0] - replicates[:, 1]).std(ddof=1)
    pair = comparison.pairs(KAPPA, SEBUM).iloc[0]
    assert (pair["low"], pair["high"]) == pytest.approx((pair["difference"] - reach, pair["difference"] + reach))
    assert pair["p"] == pair["p_holm"]


def test_more_sides_make_a_difference_less_certain() -> None:
    aligned = judged({"one": 0.25, "other": 0.35, "third": 0.3, "fourth": 0.3})
    two, four = (paired_comparison.compare(aligned, {run: [run] for run in aligned.runs[:many]}) for many in (2, 4))
    few, many = (comparison.pairs(KAPPA, SEBUM).iloc[0] for comparison in (two, four))
    assert few["difference"] == many["difference"]
    assert few["p"] == many["p"] < many["p_holm"]
    assert few["high"] - few["low"] < many["high"] - many["low"]


def test_what_is_negligible_depends_on_the_metric() -> None:
    """0.01 of a ranked probability score is a great deal; of kappa nothing."""
    assert verdict(Difference(0.01, 0.008, 0.012)) is Verdict.PRACTICALLY_EQUAL
    assert verdict(Difference(0.01, 0.008, 0.012), 0.005) is Verdict.BETTER
    comparison = alone(judged({"sure": 0.2, "surer": 0.17}, images=4000, in_group=1))
    score = comparison.pairs("ranked_probability_score", SEBUM).iloc[0]
    assert max(abs(score["low"]), abs(score["high"])) < NEGLIGIBLE["quadratic_weighted_kappa"]
    assert score["verdict"] != Verdict.PRACTICALLY_EQUAL


def test_identical_answers_share_the_first_rank() -> None:
    aligned = judged({"one": 0.3, "poor": 0.7}, images=200)
    twice = replace(
        aligned,
        runs=("one", "poor", "again"),
        **{name: getattr(aligned, name)[[0, 1, 0]] for name in ("grades", "low", "high", "probabilities")},
    )
    comparison = alone(twice)
    pairs = comparison.pairs(KAPPA, SEBUM).set_index(["model", "other"])
    assert pairs.loc[("one", "again"), "verdict"] == Verdict.PRACTICALLY_EQUAL
    assert pairs.loc[("one", "again"), "p"] == 1
    ranks = comparison.ranks(KAPPA, SEBUM)
    assert ranks["model"].tolist() == ["one", "again", "poor"]
    assert ranks["rank"].tolist() == [1, 1, 3]
    assert ranks["best_share"].tolist() == pytest.approx([0.5, 0.5, 0], abs=0.01)
    assert comparison.tied(KAPPA, SEBUM) == {"one": "a", "again": "a", "poor": "b"}


def test_letters_follow_verdicts_and_order_values() -> None:
    comparison = alone(judged({"poor": 0.6, "good": 0.05, "alike": 0.06, "middle": 0.35}, images=600))
    assert list(comparison.tied(KAPPA, SEBUM)) == comparison.ranks(KAPPA, SEBUM)["model"].tolist()
    assert comparison.tied(KAPPA, SEBUM)["good"] == comparison.tied(KAPPA, SEBUM)["alike"] == "a"
    assert comparison.tied(KAPPA, SEBUM)["middle"] == "b"
    assert comparison.tied(KAPPA, SEBUM)["poor"] == "c"
    assert next(iter(comparison.tied(ERROR, SEBUM))) in ("good", "alike")


def test_uncertain_model_keeps_the_best_letter() -> None:
    """Verdicts are not transitive: the second is told apart from the best, the third, which varies more, is not."""
    comparison = alone(judged({"best": 0.1, "second": 0.2, "third": 0.3}))
    place = comparison.conditions.index(SEBUM)
    generator = np.random.default_rng(0)
    replicates = np.zeros_like(comparison.replicates[KAPPA])
    replicates[:, :, place] = [0.9, 0.8, 0.75] + generator.normal(size=(2000, 3)) * [0.001, 0.001, 0.5]
    values = np.full((1, 6), math.nan)
    runs = []
    for value in (0.9, 0.8, 0.75):
        run_values = values.copy()
        run_values[0, place] = value
        runs.append(run_values)
    uneven = replace(comparison, replicates={KAPPA: replicates}, of_runs={KAPPA: tuple(runs)})
    assert list(uneven.tied(KAPPA, SEBUM).items()) == [("best", "a"), ("second", "b"), ("third", "a")]


def test_ranks_and_shares_are_counted_over_the_resamples() -> None:
    comparison = alone(judged({"one": 0.3, "two": 0.32, "three": 0.34}))
    replicates = comparison.replicates[ERROR][:, :, comparison.conditions.index(SEBUM)]
    shares = comparison.ranks(ERROR, SEBUM).set_index("model")["best_share"]
    assert shares.sum() == pytest.approx(1)
    ties = (replicates == replicates.min(axis=1, keepdims=True)).sum(axis=1)
    for place, side in enumerate(comparison.models):
        expected = ((replicates[:, place] == replicates.min(axis=1)) / ties).mean()
        assert shares[side] == pytest.approx(expected)
    ranks = comparison.ranks(ERROR, SEBUM)
    assert ranks["rank"].tolist() == [1, 2, 3]
    assert (ranks["low"] >= 1).all()
    assert (ranks["high"] <= 3).all()


@pytest.mark.parametrize("in_group", [120, 1000])
def test_one_group_gives_figures_and_leaves_everything_undecided(in_group: int) -> None:
    comparison = alone(judged({"one": 0.1, "other": 0.6}, in_group=in_group))
    assert comparison.groups == 1
    estimate = comparison.estimate(KAPPA, "one", SEBUM)
    assert estimate.value > 0.8
    assert np.isnan([estimate.low, estimate.high]).all()
    pairs = comparison.pairs(KAPPA, SEBUM)
    assert pairs[["low", "high", "p", "p_holm"]].isna().all(axis=None)
    assert (pairs["verdict"] == Verdict.UNDECIDED).all()
    assert set(comparison.tied(KAPPA, SEBUM).values()) == {"a"}
    assert comparison.ranks(KAPPA, SEBUM)[["low", "high", "best_share"]].isna().all(axis=None)
    assert np.isnan([*comparison.detectable(KAPPA, SEBUM), comparison.chance_spread(KAPPA, SEBUM)]).all()


def test_a_part_without_pictures_says_nothing() -> None:
    comparison = alone(
        align_tables(
            {"one": prediction_table([0], [0], part="valid"), "other": prediction_table([0], [1], part="valid")}
        )
    )
    assert (comparison.groups, comparison.images.tolist()) == (0, [0] * 6)
    assert np.isnan(comparison.values(KAPPA)).all()
    assert comparison.best(KAPPA, SEBUM) is None
    assert comparison.ranks(KAPPA, SEBUM).empty
    assert np.isnan(comparison.spread(KAPPA, "one", SEBUM)).all()


def test_two_heads_with_a_clear_finding_decide_nothing() -> None:
    """One side finds both, the other neither: every resample that has one agrees, and still it is only two heads."""
    truth = np.array([3, 0, 0, 0, 3, 0, 0, 0] + [0] * 72)
    comparison = alone(
        align_tables(
            {"finds": prediction_table(truth, truth), "misses": prediction_table(truth, truth * 0)}, in_group=4
        )
    )
    pairs = comparison.pairs("sensitivity", SEBUM)
    assert pairs["difference"].tolist() == [1, -1]
    assert (pairs["verdict"] == Verdict.UNDECIDED).all()
    assert comparison.sizes["sensitivity"][comparison.conditions.index(SEBUM)].groups == 2
    assert comparison.sizes["accuracy"][comparison.conditions.index(SEBUM)].groups == 20


def test_resamples_do_not_depend_on_the_other_sides() -> None:
    aligned = judged({"one": 0.3, "other": 0.4, "third": 0.5})
    both, three = paired_comparison.compare(aligned, {"one": ["one"], "other": ["other"]}), alone(aligned)
    assert both.estimate(ERROR, "one", SEBUM) == three.estimate(ERROR, "one", SEBUM)


def test_merged_groups_keep_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    aligned = judged({"one": 0.3, "other": 0.35}, images=3000, in_group=2)
    whole = alone(aligned)
    monkeypatch.setattr(bootstrap, "_MAX_GROUPS", 500)
    sets = alone(aligned)
    assert whole.groups == sets.groups == 1500
    assert np.array_equal(whole.counts, sets.counts)
    first, second = (comparison.estimate(KAPPA, "one", SEBUM) for comparison in (whole, sets))
    assert first.value == second.value
    assert first.high - first.low == pytest.approx(second.high - second.low, rel=0.15)


def test_compare_needs_known_runs() -> None:
    aligned = judged({"one": 0.3})
    for models in ({}, {"a": []}, {"a": ["who"]}):
        with pytest.raises(ValueError, match=r"run|not in"):
            paired_comparison.compare(aligned, models)


def test_mcnemar_by_hand_and_by_scipy() -> None:
    right, other = np.array([True] * 20 + [False] * 10), np.array([True] * 12 + [False] * 8 + [True] * 2 + [False] * 8)
    result = mcnemar(right, other)
    assert (result.only_first, result.only_second) == (8, 2)
    assert result.p == pytest.approx(stats.binomtest(2, 10).pvalue)
    assert mcnemar(other, right).p == result.p
    assert mcnemar(right, right).p == 1
    for first, second in ((0, 6), (3, 3), (5, 17)):
        right = np.array([True] * first + [False] * second)
        assert mcnemar(right, ~right).p == pytest.approx(stats.binomtest(first, first + second).pvalue)


# ---- with a known truth ----

WORLD = World(shares_of(SEBUM), (0.35, 0.35))


def test_intervals_cover_the_truth_as_stated() -> None:
    generator, held = np.random.default_rng(0), dict.fromkeys((KAPPA, ERROR, "accuracy"), 0)
    truth = true_values(WORLD)
    for seed in range(25):  # six repetitions each
        comparison = alone(draw(WORLD, 60, generator), replicates=500, seed=seed)
        for condition in CONDITIONS:
            for name in held:
                estimate = comparison.estimate(name, comparison.models[0], condition)
                held[name] += estimate.low <= truth[name] <= estimate.high
    assert all(count / 150 >= 0.89 for count in held.values()), held  # python -m benchmarks coverage: more


def test_detectable_difference_has_its_stated_power() -> None:
    generator = np.random.default_rng(1)
    half = np.mean([alone(draw(WORLD, 100, generator)).detectable(KAPPA, condition)[0] for condition in CONDITIONS])
    uneven = replace(WORLD, errors=(error_for(WORLD, float(half)), 0.35))
    seen = 0
    for seed in range(15):
        comparison = alone(draw(uneven, 100, generator), replicates=500, seed=seed)
        seen += sum(comparison.pairs(KAPPA, condition)["verdict"].iloc[0] == Verdict.BETTER for condition in CONDITIONS)
    assert 0.3 < seen / 90 < 0.7


def test_four_of_five_lie_beyond_half() -> None:
    half, often = alone(judged({"one": 0.3, "other": 0.3}, images=4000, in_group=1)).detectable(KAPPA, SEBUM)
    normal = NormalDist()
    assert often / half == pytest.approx((normal.inv_cdf(0.975) + normal.inv_cdf(0.8)) / normal.inv_cdf(0.975), 0.01)


def test_best_of_equals_exceeds_by_stated_luck() -> None:
    equal = replace(WORLD, errors=(0.35,) * 5)
    generator, spreads, predictions = np.random.default_rng(2), [], []
    for seed in range(6):
        comparison = alone(draw(equal, 100, generator), replicates=400, seed=seed)
        for place, condition in enumerate(CONDITIONS):
            values = comparison.values(KAPPA)[:, place]
            spreads.append(values.max() - values.min())
            predictions.append(comparison.chance_spread(KAPPA, condition))
    assert np.mean(predictions) == pytest.approx(np.mean(spreads), rel=0.2)


@given(p=st.lists(st.floats(0, 1), max_size=12))
def test_holm_by_the_book(p: list[float]) -> None:
    """Step down: the smallest of m is held to α / m, the next to α / (m − 1), and so on until one fails."""
    corrected, levels = holm(np.array(p))
    certain, order = set(), np.argsort(p, kind="stable")
    for step, place in enumerate(order):
        if p[place] >= 0.05 / (len(p) - step):
            break
        certain.add(int(place))
    # A product of p and a number of comparisons is the same test but for rounding.
    near = {place for place in range(len(p)) if corrected[place] == pytest.approx(0.05)}
    assert set(np.flatnonzero(corrected < 0.05)) - near == certain - near
    assert set(np.flatnonzero(np.array(p) < levels)) - near == certain - near
    assert (corrected >= np.array(p) - 1e-15).all()
    assert (corrected <= 1).all()
    assert (np.diff(corrected[order]) >= 0).all()


def test_holm_by_hand() -> None:
    corrected, levels = holm(np.array([0.01, 0.04, math.nan, 0.03, 0.005]))
    assert corrected.tolist() == pytest.approx([0.03, 0.06, math.nan, 0.06, 0.02], nan_ok=True)
    assert levels.tolist() == pytest.approx([0.05 / 3, 0.025, math.nan, 0.025, 0.0125], nan_ok=True)


def test_models_are_ranked_over_all_conditions() -> None:
    comparison = make_comparison()
    for metric in (KAPPA, ERROR):
        table = comparison.overall(metric)
        values = comparison.values(metric)[:, ~np.isnan(comparison.values(metric)).all(axis=0)]
        sign = -1 if metric == KAPPA else 1
        ranks = pd.DataFrame(sign * values, index=list(comparison.models)).rank(method="min").mean(axis=1)
        assert table.set_index("model")["mean_rank"].to_dict() == pytest.approx(ranks.to_dict(), nan_ok=True)
        assert table["mean_rank"].is_monotonic_increasing
        means = dict(zip(comparison.models, values.mean(axis=1), strict=True))
        assert table.set_index("model")["value"].to_dict() == pytest.approx(means, nan_ok=True)
        complete = table.dropna(subset=["value"])
        assert ((complete["low"] < complete["value"]) & (complete["value"] < complete["high"])).all()
        assert len(complete) < len(table)  # one leaves out a condition
