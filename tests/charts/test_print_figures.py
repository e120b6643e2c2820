"""Figures for print: what is written in them and in which colours, in both languages; never their pixels."""

import re
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from support.comparison_fixtures import (
    EQUAL,
    NAMES,
    ONE_ALONE,
    ONE_BEST,
    UNDECIDED,
    UNLABELLED,
    aligned_predictions,
    condition_index,
    make_comparison,
)

from scalp_core.charts import fonts, print_figures
from scalp_core.charts.dataset_charts import AXES, grade_name
from scalp_core.charts.fonts import korean_font, language_of_figures
from scalp_core.errors import Text
from scalp_core.evaluation.baselines import Baseline
from scalp_core.labels import CONDITIONS, GRADES
from scalp_core.metrics.calibration import calibration_error, reliability_bins
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.paired_comparison import Comparison
from scalp_core.metrics.verdict import Verdict
from scalp_core.palette import DIVERGING, FAR_MARKS, UNKNOWN, architecture_color

KAPPA, AMAE = "quadratic_weighted_kappa", "average_mean_absolute_error"
GUESSED = Baseline(Text("majority grade", "최다 등급"), KAPPA, 0.0, Text("how", "방법"))
CEILING = Baseline(Text("best to be expected", "기대할 수 있는 최고"), KAPPA, 0.97, Text("how", "방법"))
LANGUAGES = ("en", pytest.param("ko", marks=pytest.mark.skipif(not korean_font(), reason="no font with Hangul")))
HISTORY = pd.DataFrame({"epoch": [1, 2, 3], "valid_qwk": [0.2, 0.5, 0.6], "valid_loss": [1.0, 0.8, 0.9]})
COSTS = pd.DataFrame(
    [
        ("resnet18", 0.7, 0.6, 0.8, 12.0, 11_200_000),
        ("vgg11_bn", 0.8, 0.7, 0.9, 60.0, 9_200_000),
        ("googlenet", 0.6, 0.5, 0.7, np.nan, 5_600_000),
    ],
    columns=["name", "value", "low", "high", "milliseconds", "parameters"],
)


@pytest.fixture(scope="module")
def four() -> Comparison:
    return make_comparison()


def texts(svg: str) -> list[str]:
    """Everything that is written in it, in order."""
    elements = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314  our own
    return ["".join(element.itertext()).strip() for element in elements]


def all_of(four: Comparison, language: str) -> Iterator[tuple[str, matplotlib.figure.Figure]]:
    """One figure of each kind."""
    notices = {"synthetic": True}
    counts = {NAMES[side]: four.counts[number, 0] for number, side in enumerate(four.models)}
    table = reliability_bins(np.full((60, 4), 0.25), np.arange(60) % 4)
    yield "leaderboard", print_figures.leaderboard(four, NAMES, KAPPA, {ONE_BEST: [CEILING]}, language, **notices)
    yield "wall", print_figures.confusion_matrices(counts, ONE_BEST, language, **notices)
    yield "forest", print_figures.forest(four.pairs(KAPPA, ONE_BEST), NAMES, "v", KAPPA, language, **notices)
    yield "recall", print_figures.recall(four, ONE_BEST, NAMES, language, **notices)
    yield "reliability", print_figures.reliability({"resnet18": table}, language, condition=ONE_BEST, **notices)
    curve = pd.DataFrame({"referred": [0.0, 0.5, 1.0], "unseen": [0.06, 0.01, 0.0]})
    points = pd.DataFrame({"name": ["resnet18"], "referred": [0.5], "unseen": [0.01]})
    curves = dict.fromkeys(("resnet18", "vit_tiny"), curve)
    yield "referral", print_figures.referral(curves, points, 0.01, language, condition=ONE_BEST, **notices)
    yield "curves", print_figures.curves({"resnet18": HISTORY}, "valid_qwk", language, **notices)
    yield "pareto", print_figures.pareto(COSTS, KAPPA, "milliseconds", language, **notices)


# ---- every figure ----


@pytest.mark.parametrize("language", LANGUAGES)
def test_figures_speak_one_language_and_state_research(four: Comparison, language: str) -> None:
    for name, figure in all_of(four, language):
        svg = print_figures.as_svg(figure)
        written = texts(svg)
        assert {"en": "SYNTHETIC pictures · research only", "ko": "합성(SYNTHETIC) 사진 · 연구용"}[language] in written
        assert bool(re.search("[가-힣]", "".join(written))) == (language == "ko"), name
        assert "<image" not in svg, f"{name} holds pixels"
        assert not [word for word in written if re.search("nan|None", word)], name
        assert ElementTree.fromstring(svg).attrib["width"] == "511.2pt"  # noqa: S314  what A4 leaves


def test_pictures_that_were_taken_are_not_called_synthetic(four: Comparison) -> None:
    written = texts(print_figures.as_svg(print_figures.recall(four, ONE_BEST, NAMES, "en")))
    assert "research only" in written
    assert not [word for word in written if "SYNTHETIC" in word]


def test_same_figure_is_same_file_from_any_thread(four: Comparison) -> None:
    def draw(_: object = None) -> list[str]:
        recalls = print_figures.recall(four, ONE_BEST, NAMES, "en")
        return [
            print_figures.as_svg(figure)
            for figure in (recalls, print_figures.pareto(COSTS, KAPPA, "milliseconds", "en"))
        ]

    alone, before = draw(), dict(matplotlib.rcParams)
    with ThreadPoolExecutor(4) as pool:
        assert all(together == alone for together in pool.map(draw, range(4)))
    assert dict(matplotlib.rcParams) == before  # other figures keep their style


def test_pixels_come_before_or_after_without_moving_anything(four: Comparison) -> None:
    first, second = (print_figures.recall(four, ONE_BEST, NAMES, "en") for _ in range(2))
    png = print_figures.as_png(first, dpi=100)
    assert print_figures.as_svg(first) == print_figures.as_svg(second)
    picture = Image.open(BytesIO(png))
    assert picture.size[0] == 710
    assert len(picture.convert("RGB").getcolors(1 << 24) or ()) > 50
    assert Image.open(BytesIO(print_figures.as_png(second))).size[0] == 1420


@pytest.mark.skipif(not korean_font(), reason="no font with Hangul")
def test_every_korean_letter_has_a_shape_in_pixels(four: Comparison) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # “Glyph … missing from font(s)”
        for _, figure in all_of(four, "ko"):
            assert print_figures.as_png(figure, dpi=50).startswith(b"\x89PNG")


def test_without_a_korean_font_figures_are_english(four: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    assert language_of_figures("en") == "en"
    monkeypatch.setattr(fonts, "_KOREAN", ())
    korean_font.cache_clear()
    try:
        assert language_of_figures("ko") == "en"
        written = texts(print_figures.as_svg(print_figures.recall(four, ONE_BEST, NAMES, "ko")))
    finally:
        korean_font.cache_clear()
    assert grade_name(0, "en") in " ".join(written)
    assert not re.search("[가-힣]", "".join(written))


# ---- each of them ----


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("metric", [KAPPA, AMAE])
def test_leaderboard_shows_values_intervals_and_letters(four: Comparison, metric: str, language: str) -> None:
    against = {condition: [GUESSED, CEILING] for condition in CONDITIONS}
    written = texts(print_figures.as_svg(print_figures.leaderboard(four, NAMES, metric, against, language)))
    for condition in CONDITIONS:
        letters = four.tied(metric, condition)
        assert set(condition.text(language).split()) <= set(" ".join(written).split())  # over several lines
        for side in NAMES:
            estimate = four.estimate(metric, side, condition)
            if np.isnan(estimate.value):
                assert "–" in written
                continue
            assert f"{estimate.value:.2f} {letters[side]}" in written
            if not np.isnan(estimate.low):
                assert f"{estimate.low:z.2f} … {estimate.high:z.2f}".replace("-", "−") in written
    for mean in four.mean_estimates(metric).values():
        assert ("–" if np.isnan(mean.value) else f"{mean.value:.2f}") in written
    assert AXES["mean"](language) in written
    assert set(NAMES.values()) <= set(written)
    assert (CEILING.name(language) in written) == (metric == KAPPA)
    assert written.count("0.97") >= (len(CONDITIONS) if metric == KAPPA else 0)
    assert METRICS[metric].text(language) in " ".join(written)


def test_leaderboard_shows_named_models_in_order(four: Comparison) -> None:
    written = texts(
        print_figures.as_svg(print_figures.leaderboard(four, {"g": "first", "v": "second"}, KAPPA, {}, "en"))
    )
    assert written.index("first") < written.index("second")
    assert "resnet18" not in written


@pytest.mark.parametrize("language", LANGUAGES)
def test_matrices_name_axes_and_outline_far_errors(language: str) -> None:
    counts = np.array([[90, 5, 3, 0], [4, 20.5, 0, 0], [1, 0, 1234, 0], [0, 2, 0, 7]])
    svg = print_figures.as_svg(
        print_figures.confusion_matrices({"one": counts, "two": counts.T, "three": counts}, ONE_BEST, language)
    )
    written = texts(svg)
    rows, columns = {"en": ("label (rows)", "prediction (columns)"), "ko": ("라벨 (행)", "예측 (열)")}[language]
    assert (written.count(rows), written.count(columns)) == (3, 3)
    assert {"one", "two", "three", "92", "90", "20.5", "1,234"} <= set(written)  # per cent and pictures
    assert {grade_name(grade, language) for grade in GRADES} <= set(written)
    assert AXES["share"](language) in written
    assert svg.count(f"fill: {FAR_MARKS[0]}") == 3 * 3  # 0 as 2, 2 as 0, 3 as 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_poster_shows_every_model_and_condition(four: Comparison, language: str) -> None:
    figure = print_figures.poster(four, NAMES, KAPPA, language, synthetic=True)
    written = texts(print_figures.as_svg(figure))
    assert set(NAMES.values()) <= set(written)
    assert len([panel for panel in figure.axes if panel.get_title()]) == len(NAMES) * len(CONDITIONS)
    assert any(f"{four.estimate(KAPPA, 'v', ONE_BEST).value:.2f} [" in text for text in written)
    assert print_figures.as_pdf(figure).startswith(b"%PDF")
    assert print_figures.as_pdf(figure) == print_figures.as_pdf(figure)


def test_a_forest_tells_differences_in_words_and_colours(four: Comparison) -> None:
    pairs = four.pairs(KAPPA, ONE_BEST)
    svg = print_figures.as_svg(print_figures.forest(pairs, NAMES, "v", KAPPA, "en", condition=ONE_BEST))
    written = " ".join(texts(svg))
    for row in pairs[pairs["other"] == "v"].to_dict("records"):
        assert f"{row['difference']:+.3f}  {Verdict(row['verdict']).text.en}".replace("-", "−") in written
    assert ONE_BEST.text.en in written
    assert "better →" in written
    assert DIVERGING[0] in svg  # worse
    assert DIVERGING[2] not in svg
    assert DIVERGING[2] in print_figures.as_svg(print_figures.forest(pairs, NAMES, "r", KAPPA, "en"))
    undecided = print_figures.as_svg(print_figures.forest(four.pairs(AMAE, UNDECIDED), NAMES, "v", AMAE, "en"))
    assert "← better" in " ".join(texts(undecided))
    assert UNKNOWN in undecided


@pytest.mark.parametrize("language", LANGUAGES)
def test_recall_names_how_many_pictures_there_are(four: Comparison, language: str) -> None:
    svg = print_figures.as_svg(print_figures.recall(four, ONE_BEST, NAMES, language))
    written = texts(svg)
    images = four.counts[0, condition_index(ONE_BEST)].sum(axis=1)
    assert {f"n = {number:.0f}" for number in images} <= set(written)
    for name in NAMES.values():
        assert name in written
        assert architecture_color(name) in svg


def test_reliability_has_panel_side_with_its_error() -> None:
    predictions = aligned_predictions()
    judged = predictions.judged[0, condition_index(ONE_BEST)]
    table = reliability_bins(
        predictions.probabilities[0, condition_index(ONE_BEST)][judged],
        predictions.truth[condition_index(ONE_BEST)][judged],
    )
    names = [f"vit_tiny · {number}" for number in range(6)]
    svg = print_figures.as_svg(print_figures.reliability(dict.fromkeys(names, table), "en", condition=ONE_BEST))
    written = texts(svg)
    assert set(names) <= set(written)
    assert written.count(f"error {calibration_error(table):.3f}") == 6


def test_referral_has_a_line_a_model_and_a_point_where_there_is_a_threshold() -> None:
    curve = pd.DataFrame({"referred": [0.0, 0.5, 1.0], "unseen": [0.06, 0.01, 0.0]})
    points = pd.DataFrame({"name": ["vit_tiny"], "referred": [0.5], "unseen": [0.01]})
    figure = print_figures.referral(dict.fromkeys(("resnet18", "vit_tiny"), curve), points, 0.02, "en")
    (panel,) = figure.axes
    assert [line.get_ydata()[0] for line in panel.lines] == [0.06, 0.06, 0.01, 0.02]
    assert {"resnet18", "vit_tiny", "pictures for a person"} <= set(texts(print_figures.as_svg(figure)))


def test_curves_tell_runs_of_one_family_apart() -> None:
    names = ("resnet18", "resnet18 · again", "resnet50 · third", "vit_tiny")
    svg = print_figures.as_svg(print_figures.curves(dict.fromkeys(names, HISTORY), "valid_loss", "en"))
    assert set(names) <= set(texts(svg))
    assert "validation loss" in texts(svg)
    assert svg.count("stroke-dasharray") >= 2
    assert architecture_color("resnet18") in svg
    assert architecture_color("vit_tiny") in svg


def test_costs_leave_out_what_was_not_measured() -> None:
    timed = texts(print_figures.as_svg(print_figures.pareto(COSTS, KAPPA, "milliseconds", "en", condition=ONE_BEST)))
    sized = texts(print_figures.as_svg(print_figures.pareto(COSTS, KAPPA, "parameters", "en")))
    assert "resnet18" in timed
    assert "11.2 M" in timed
    assert "googlenet" not in timed
    assert "googlenet" in sized
    assert ONE_BEST.text.en in timed


def test_empty_figures_are_drawn_without_error(four: Comparison) -> None:
    nothing = reliability_bins(np.empty((0, 4)), np.empty(0, dtype=np.int64))
    empty = COSTS.assign(value=np.nan, low=np.nan, high=np.nan)
    for figure in (
        print_figures.leaderboard(make_comparison(("v",)), {"v": "vgg11_bn"}, AMAE, {}, "en"),
        print_figures.confusion_matrices({"one": np.zeros((4, 4))}, UNLABELLED, "en"),
        print_figures.forest(four.pairs(KAPPA, ONE_ALONE), NAMES, "v", KAPPA, "en"),
        print_figures.forest(four.pairs(KAPPA, EQUAL), NAMES, "v", KAPPA, "en"),
        print_figures.recall(four, UNLABELLED, NAMES, "en"),
        print_figures.recall(four, ONE_ALONE, NAMES, "en"),
        print_figures.reliability({"one": nothing}, "en"),
        print_figures.reliability({}, "en"),
        print_figures.pareto(empty, KAPPA, "milliseconds", "en"),
    ):
        assert "research only" in texts(print_figures.as_svg(figure))


def test_ladder_has_panel_metric_and_hollow_points_aside() -> None:
    steps = pd.DataFrame(
        {"step": ["seed", "full"], "alternative": [False, True], KAPPA: [0.5, 0.6], f"{KAPPA}_low": [0.4, np.nan]}
    ).assign(**{f"{KAPPA}_high": [0.6, np.nan], AMAE: [0.5, 0.4]})
    figure = print_figures.ladder(
        steps, {"seed": "cross-entropy", "full": "full balance"}, {KAPPA: "QWK ↑", AMAE: "AMAE ↓"}, "pustules"
    )
    written = texts(print_figures.as_svg(figure))
    assert {"cross-entropy", "full balance", "QWK ↑", "AMAE ↓", "pustules"} <= set(written)


def test_dollars_in_names_are_no_formula() -> None:
    history = pd.DataFrame({"epoch": [1, 2], "valid_qwk": [0.1, 0.2]})
    assert "$x^2$" in print_figures.as_svg(print_figures.curves({"$x^2$": history}, "valid_qwk", "en"))
