"""Interactive figures of a comparison: what is in them, whatever they look like."""

import math

import numpy as np
import pandas as pd
import pytest
from support.comparison_fixtures import (
    EQUAL,
    NAMES,
    ONE_ALONE,
    ONE_BEST,
    TWO_LEAD,
    UNDECIDED,
    UNLABELLED,
    aligned_predictions,
    condition_index,
    make_comparison,
)

from scalp_core.charts.comparison_charts import (
    curves_chart,
    curves_of_models,
    forest_chart,
    groups_chart,
    leaderboard_chart,
    pareto_chart,
    recall_chart,
    reliability_chart,
)
from scalp_core.charts.comparison_tables import goodness, leaderboard_table, pareto_front, recall_table
from scalp_core.charts.dataset_charts import grade_name, short_number
from scalp_core.errors import Text
from scalp_core.evaluation.baselines import Baseline
from scalp_core.labels import CONDITIONS, GRADES
from scalp_core.metrics.calibration import calibration_error, reliability_bins
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.paired_comparison import Comparison, compare
from scalp_core.metrics.verdict import NEGLIGIBLE, Verdict
from scalp_core.palette import architecture_color, architecture_shape

LANGUAGES = ("ko", "en")
KAPPA = "quadratic_weighted_kappa"
AMAE = "average_mean_absolute_error"
CEILING = Baseline(Text("ceiling", "최고"), KAPPA, 0.97, Text("labels as noisy as these", "이 정도의 라벨 잡음"))


@pytest.fixture(scope="module")
def four() -> Comparison:
    return make_comparison()


def tables_of(chart: dict) -> list[list[dict]]:
    return list(chart["datasets"].values())


def rows_with(chart: dict, column: str) -> list[dict]:
    """The table in a chart that has this column."""
    (rows,) = (rows for rows in tables_of(chart) if column in rows[0])
    return rows


def layers(chart: dict, mark: str) -> list[dict]:
    return [layer for layer in chart["layer"] if layer["mark"]["type"] == mark]


def test_figures_in_cells_are_short() -> None:
    assert [short_number(value) for value in (0.714, 0, 1, 1.234, -0.05, -0.001, math.nan)] == [
        *(".71", ".00", "1.00", "1.23", "−.05", ".00", "–")
    ]


# ---- the leaderboard ----


def test_the_leaderboard_is_the_comparison_s(four: Comparison) -> None:
    table = leaderboard_table(four, NAMES, KAPPA).set_index(["model", "condition"])
    assert len(table) == len(NAMES) * len(CONDITIONS)
    reached = four.estimate(KAPPA, "r", TWO_LEAD)
    row = table.loc["r", TWO_LEAD.value]
    assert (row["value"], row["low"], row["high"]) == (reached.value, reached.low, reached.high)
    assert (row["lowest"], row["highest"]) == four.spread(KAPPA, "r", TWO_LEAD)
    assert (row["seeds"], row["images"], row["name"]) == (2, 400, "resnet18")
    assert row["lowest"] < row["value"] < row["highest"]
    assert dict(table.xs(TWO_LEAD.value, level="condition")["tied"]) == four.tied(KAPPA, TWO_LEAD)
    assert table.loc["v", ONE_ALONE.value]["tied"] == ""  # the only model
    assert math.isnan(table.loc["e", ONE_ALONE.value]["value"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_cells_show_value_letter_and_interval(four: Comparison, language: str) -> None:
    chart = leaderboard_chart(four, NAMES, KAPPA, {}, language).to_dict()
    cells = {(row["model"], row["condition"]): row for row in rows_with(chart, "text")}
    reached = four.estimate(KAPPA, "v", ONE_BEST)
    best = cells["v", ONE_BEST.value]
    assert best["text"] == f"{short_number(reached.value)} a"
    assert best["detail"] == f"[{short_number(reached.low)}\N{EN SPACE}{short_number(reached.high)}]"
    assert best["condition_name"] == ONE_BEST.text(language)
    assert best["spread"] == "–"
    assert cells["r", ONE_BEST.value]["spread"] != "–"
    for missing in (cells["g", ONE_ALONE.value], cells["v", UNLABELLED.value]):
        assert (missing["text"], missing["detail"]) == ("–", "")
        assert math.isnan(missing["good"])
    heads = chart["layer"][0]["encoding"]["x"]["sort"]
    assert [head.replace("\n", " ") for head in heads] == [
        *(condition.text(language) for condition in CONDITIONS),
        {"en": "mean", "ko": "평균"}[language],
    ]
    overall = four.overall(KAPPA).set_index("model")
    assert cells["v", "mean"]["detail"].endswith(f"{overall.loc['v', 'mean_rank']:.1f}")
    short = leaderboard_chart(four, NAMES, KAPPA, {}, language, intervals=False).to_dict()
    assert {row["detail"] for row in rows_with(short, "text")} == {""}


@pytest.mark.parametrize("metric", METRICS)
def test_dark_is_good_whatever_is_measured(four: Comparison, metric: str) -> None:
    values = leaderboard_table(four, NAMES, metric)["value"].dropna().sort_values()
    shades = goodness(values, metric)
    assert shades.between(0, 1).all()
    assert shades.nunique() > 5
    assert shades.is_monotonic_increasing if METRICS[metric].higher_is_better else shades.is_monotonic_decreasing


def test_references_stand_below_with_their_protocol(four: Comparison) -> None:
    other = Baseline(Text("published", "발표"), "accuracy", 0.9, Text("elsewhere", "다른 곳"))
    chart = leaderboard_chart(four, NAMES, KAPPA, {ONE_BEST: [CEILING, other]}, "en").to_dict()
    rows = chart["layer"][0]["encoding"]["y"]["sort"]
    assert rows == [*NAMES.values(), "ceiling"]
    below = [row for row in rows_with(chart, "text") if row["name"] == "ceiling"]
    assert [row["text"] for row in below] == [".97", *["–"] * 5]
    assert below[0]["protocol"] == "labels as noisy as these"
    assert all(row["first"] for row in below)  # under the line
    accuracy = leaderboard_chart(four, NAMES, "accuracy", {ONE_BEST: [CEILING, other]}, "ko").to_dict()
    assert accuracy["layer"][0]["encoding"]["y"]["sort"][-1] == "발표"


def test_only_named_sides_are_shown_in_their_order(four: Comparison) -> None:
    chart = leaderboard_chart(four, {"g": "googlenet", "v": "vgg11_bn"}, KAPPA, {}, "en").to_dict()
    assert chart["layer"][0]["encoding"]["y"]["sort"] == ["googlenet", "vgg11_bn"]


def test_a_long_name_takes_several_lines(four: Comparison) -> None:
    names = {"v": "vgg11_bn · second-attempt-of-all", "g": "googlenet"}
    long, other = leaderboard_chart(four, names, KAPPA, {}, "en").to_dict()["layer"][0]["encoding"]["y"]["sort"]
    assert max(map(len, long.split("\n"))) <= 17
    assert "".join(long.split()) == "".join(names["v"].split())
    assert other.split("\n") == ["", "googlenet", ""]  # beside the middle of its row


# ---- differences ----


@pytest.mark.parametrize("metric", [KAPPA, AMAE])
@pytest.mark.parametrize("language", LANGUAGES)
def test_forest_shows_every_other_side_with_its_verdict(four: Comparison, metric: str, language: str) -> None:
    pairs = four.pairs(metric, ONE_BEST)
    chart = forest_chart(pairs, NAMES, "v", metric, language).to_dict()
    rows = rows_with(chart, "difference")
    assert [row["model"] for row in rows] == ["r", "e", "g"]
    for row in rows:
        pair = pairs[(pairs["model"] == row["model"]) & (pairs["other"] == "v")].iloc[0]
        assert (row["difference"], row["low"], row["high"]) == tuple(pair[["difference", "low", "high"]])
        assert row["row"].split("\n") == [NAMES[row["model"]], Verdict.WORSE.text(language)]
        assert (row["difference"] < 0) == (metric == KAPPA)  # worse is less agreement, or more error
    ((band,),) = [rows for rows in tables_of(chart) if "zero" in rows[0]]
    assert (band["from"], band["to"]) == (-NEGLIGIBLE[metric], NEGLIGIBLE[metric])
    title = layers(chart, "point")[0]["encoding"]["x"]["title"]
    assert "vgg11_bn" in title[0]
    assert title[1].startswith("←") == (metric == AMAE)


def test_undefined_intervals_are_no_layer(four: Comparison) -> None:
    pairs = four.pairs(KAPPA, ONE_BEST).assign(low=math.nan, high=math.nan)
    chart = forest_chart(pairs, NAMES, "v", KAPPA, "en").to_dict()
    assert [layer["encoding"]["x"]["field"] for layer in layers(chart, "rule")] == ["zero"]
    (points,) = layers(chart, "point")
    assert points["encoding"]["x"]["axis"]["tickCount"] == 5
    costs = pareto_chart(COSTS.assign(low=math.nan, high=math.nan), KAPPA, "parameters", "en").to_dict()
    assert layers(costs, "rule") == []
    assert layers(costs, "point")[0]["encoding"]["y"]["title"] == METRICS[KAPPA].text.en


def test_verdicts_differ_in_colour_or_shape(four: Comparison) -> None:
    seen = set()
    for condition, reference in ((ONE_BEST, "v"), (ONE_BEST, "g"), (EQUAL, "v"), (UNDECIDED, "v")):
        chart = forest_chart(four.pairs(KAPPA, condition), NAMES, reference, KAPPA, "en").to_dict()
        (points,) = layers(chart, "point")
        looks = zip(*(points["encoding"][key]["scale"]["range"] for key in ("color", "shape")), strict=True)
        look_of = dict(zip(points["encoding"]["shape"]["scale"]["domain"], looks, strict=True))
        seen |= {(row["kind"], look_of[row["kind"]]) for row in rows_with(chart, "difference")}
    assert {kind for kind, _ in seen} == set(Verdict)
    assert len({look for _, look in seen}) == len(Verdict)


# ---- recall ----


def test_recall_is_that_of_the_matrix(four: Comparison) -> None:
    table = recall_table(four, TWO_LEAD, NAMES).set_index(["model", "grade"])
    counts = four.counts[1, condition_index(TWO_LEAD)]
    for grade in GRADES:
        row = table.loc["r", int(grade)]
        assert row["recall"] == pytest.approx(counts[grade, grade] / counts[grade].sum())
        assert row["images"] == counts[grade].sum()
        assert row["low"] < row["recall"] < row["high"]
    assert set(recall_table(four, ONE_ALONE, NAMES)["model"]) == {"v"}
    assert recall_table(four, UNLABELLED, NAMES).empty


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_grade_that_nobody_has_keeps_its_row(language: str) -> None:
    predictions = aligned_predictions()
    predictions.truth[condition_index(EQUAL)] = np.minimum(predictions.truth[condition_index(EQUAL)], 2)
    rare = compare(predictions, {"v": ["v"], "g": ["g"]}, replicates=20)
    chart = recall_chart(rare, EQUAL, {"v": "vgg11_bn", "g": "googlenet"}, language).to_dict()
    rows = chart["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert rows[-1] == f"{grade_name(3, language)}\nn = 0"
    assert [row.split("\n")[0] for row in rows] == [grade_name(grade, language) for grade in GRADES]
    assert {row["grade"] for row in rows_with(chart, "value")} == {0, 1, 2}


def test_families_have_colours_and_second_is_hollow(four: Comparison) -> None:
    names = {"v": "vgg11_bn", "r": "vgg16_bn · more", "g": "googlenet"}
    (points,) = layers(recall_chart(four, ONE_BEST, names, "en").to_dict(), "point")
    scales = {key: points["encoding"][key]["scale"] for key in ("stroke", "fill", "shape")}
    assert all(scale["domain"] == list(names.values()) for scale in scales.values())
    vgg, googlenet = (architecture_color(name) for name in ("vgg11_bn", "googlenet"))
    assert scales["stroke"]["range"] == [vgg, vgg, googlenet]
    assert scales["fill"]["range"] == [vgg, "transparent", googlenet]
    assert scales["shape"]["range"][-1] == architecture_shape("googlenet")


# ---- probabilities, epochs, costs ----


@pytest.mark.parametrize("language", LANGUAGES)
def test_reliability_tells_the_calibration_error(language: str) -> None:
    predictions = aligned_predictions()
    tables = {}
    for name, run in (("vgg11_bn", "v"), ("googlenet", "g")):
        probabilitiess = predictions.probabilities[predictions.run(run), condition_index(ONE_BEST)].astype(float)
        tables[name] = reliability_bins(probabilitiess, predictions.truth[condition_index(ONE_BEST)].astype(int), 5)
    chart = reliability_chart(tables, language).to_dict()
    rows = rows_with(chart, "images")
    assert len(rows) == 10
    for name, table in tables.items():
        mine = [row for row in rows if row["name"].startswith(name)]
        assert [row["accuracy"] for row in mine] == pytest.approx(list(table["accuracy"]))
        assert f"{calibration_error(table):.3f}" in mine[0]["name"]
    first, last = next(probabilitiess for probabilitiess in tables_of(chart) if "images" not in probabilitiess[0])
    assert (first["confidence"], last["confidence"]) == (first["accuracy"], last["accuracy"])  # the diagonal


@pytest.mark.parametrize("measure", ["valid_qwk", "valid_loss", "train_loss"])
def test_learning_curves_have_a_line_a_run(measure: str) -> None:
    long = pd.DataFrame({"epoch": range(1, 41), measure: np.linspace(0, 1, 40)})
    chart = curves_chart({"vgg11_bn · 0": long, "vgg11_bn · 1": long[:2]}, measure, "ko").to_dict()
    rows = rows_with(chart, measure)
    assert [row["epoch"] for row in rows if row["name"] == "vgg11_bn · 1"] == [1, 2]
    assert len(rows) == 42
    (line,) = layers(chart, "line")
    assert line["encoding"]["stroke"]["scale"]["range"] == [architecture_color("vgg11_bn")] * 2
    dashes = line["encoding"]["strokeDash"]["scale"]["range"]
    assert dashes[0] != dashes[1]
    assert line["encoding"]["y"]["title"]


@pytest.mark.parametrize("measure", ["valid_qwk", "valid_loss"])
def test_curves_of_models_show_an_epoch_together(measure: str) -> None:
    long = pd.DataFrame({"epoch": range(1, 41), measure: np.linspace(0, 1, 40)})
    figure = curves_of_models({"vgg11_bn · 0": long, "vgg11_bn · 1": long[:2]}, measure, "ko")
    assert [line.name for line in figure.data] == ["vgg11_bn · 0", "vgg11_bn · 1"]
    assert list(figure.data[1].x) == [1, 2]
    assert list(figure.data[1].y) == list(long[measure][:2])
    assert {line.line.color for line in figure.data} == {architecture_color("vgg11_bn")}
    assert figure.data[0].line.dash != figure.data[1].line.dash
    assert figure.layout.hovermode == "x unified"
    assert figure.layout.xaxis.dtick == 5
    assert figure.layout.yaxis.title.text


def test_names_of_curves_are_not_html() -> None:
    history = pd.DataFrame({"epoch": [1], "valid_qwk": [0.5]})
    (line,) = curves_of_models({"<a href='www.evil.example'>": history}, "valid_qwk", "en").data
    assert line.name == "&lt;a href='www.evil.example'&gt;"
    assert "markers" in line.mode  # a single epoch is a point, and seen


def test_groups_have_a_row_each_and_models_side_by_side() -> None:
    rows = [
        ("a", "left\nn = 30", 0.5, 0.4, 0.6),
        ("b", "left\nn = 30", 0.6, 0.5, 0.7),
        ("a", "right\nn = 9", *[math.nan] * 3),
    ]
    table = pd.DataFrame(rows, columns=["name", "row", "value", "low", "high"])
    chart = groups_chart(table, "quadratic_weighted_kappa", "ko").to_dict()
    (points,) = layers(chart, "point")
    assert points["encoding"]["y"]["scale"]["domain"] == ["left\nn = 30", "right\nn = 9"]
    assert points["encoding"]["yOffset"]["sort"] == ["a", "b"]
    assert [row["value"] for row in rows_with(chart, "value")] == [0.5, 0.6]  # what is too small has no mark
    assert layers(chart, "rule")


def test_a_single_epoch_is_a_point() -> None:
    chart = curves_chart({"vit_tiny": pd.DataFrame({"epoch": [1], "valid_qwk": [0.5]})}, "valid_qwk", "en").to_dict()
    (points,) = layers(chart, "point")
    assert points["mark"]["size"] > 30


COSTS = pd.DataFrame(
    {
        "name": ["efficientnet_b0", "resnet18", "vgg11_bn", "googlenet"],
        "value": [0.7, 0.65, 0.9, 0.8],
        "low": [0.6, 0.55, 0.8, 0.7],
        "high": [0.8, 0.75, 0.95, 0.9],
        "milliseconds": [8.0, 9.0, 70.0, math.nan],
        "parameters": [4_000_000, 11_000_000, 9_000_000, 6_000_000],
    }
)


def test_the_front_is_what_nothing_cheaper_beats() -> None:
    assert list(pareto_front(COSTS, KAPPA, "parameters")["name"]) == ["efficientnet_b0", "googlenet", "vgg11_bn"]
    assert list(pareto_front(COSTS, KAPPA, "milliseconds")["name"]) == ["efficientnet_b0", "vgg11_bn"]
    assert list(pareto_front(COSTS, AMAE, "milliseconds")["name"]) == [
        "efficientnet_b0",
        "resnet18",
    ]  # of errors less is better


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("cost", ["milliseconds", "parameters"])
def test_only_known_costs_are_drawn(cost: str, language: str) -> None:
    chart = pareto_chart(COSTS, KAPPA, cost, language).to_dict()
    names = {row["name"] for table in tables_of(chart) for row in table}
    assert ("googlenet" in names) == (cost == "parameters")
    (rule,) = layers(chart, "rule")
    assert (rule["encoding"]["y"]["field"], rule["encoding"]["y2"]["field"]) == ("low", "high")
    assert rule["encoding"]["x"]["scale"]["type"] == "log"
    (line,) = layers(chart, "line")
    assert line["mark"]["interpolate"] == "step-after"
