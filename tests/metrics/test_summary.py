"""Sentences about a comparison, in both languages."""

import re
from dataclasses import replace

import numpy as np
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
    make_comparison,
)

from scalp_core.errors import Text
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.paired_comparison import Comparison, compare
from scalp_core.metrics.summary import Cost, chance_spread, detectable_differences, summarize, undefined_kappas

KAPPA = "quadratic_weighted_kappa"
SIZES = {"v": Cost(9_000_000, None), "r": Cost(11_000_000, 4.0), "e": Cost(4_000_000, 9.0), "g": Cost(6_000_000, 7.0)}
TIMES = SIZES | {"v": Cost(9_000_000, 30.0)}


@pytest.fixture(scope="module")
def four() -> Comparison:
    return make_comparison()


def sentences(comparison: Comparison, condition: Condition, costs: dict[str, Cost] = TIMES) -> list[Text]:
    return summarize(comparison, condition, NAMES, costs, KAPPA)


def test_single_best_model_is_named(four: Comparison) -> None:
    (text,) = sentences(four, ONE_BEST)
    assert text.en == "Fine scaling: vgg11_bn is significantly better than all others."
    assert text.ko == "미세각질: vgg11_bn 모델이 나머지 모두보다 유의하게 나아요."


def test_of_two_the_better_one_is_named() -> None:
    (text,) = sentences(make_comparison(("v", "g")), ONE_BEST)
    assert text.en == "Fine scaling: vgg11_bn is significantly better than the other."


def test_of_those_who_share_lead_cheapest_is_named(four: Comparison) -> None:
    (text,) = sentences(four, TWO_LEAD)
    assert "two models lead, not significantly different" in text.en
    assert re.search(r"\((vgg11_bn, resnet18|resnet18, vgg11_bn)\)", text.en)
    assert "Fastest: resnet18 (4.0 ms per picture)." in text.en
    assert "두 모델(" in text.ko
    assert "가장 빠른 모델: resnet18(사진당 4.0 ms)." in text.ko


def test_until_every_time_is_measured_smallest_is_cheapest(four: Comparison) -> None:
    (text,) = sentences(four, TWO_LEAD, SIZES)
    assert "Smallest: vgg11_bn (9.0 million parameters)." in text.en
    assert "vgg11_bn(파라미터 900만 개)" in text.ko


def test_models_that_are_certainly_alike_are_called_so(four: Comparison) -> None:
    (text,) = sentences(four, EQUAL)
    assert "the four models are practically equal. Fastest: resnet18" in text.en
    assert "네 모델이 사실상 같아요" in text.ko


def test_where_chance_is_too_large_nothing_is_said(four: Comparison) -> None:
    (text,) = sentences(four, UNDECIDED)[:1]
    assert "no significant difference between the four models" in text.en
    assert "네 모델 사이에 유의한 차이가 없어요" in text.ko


def test_of_too_few_captures_chance_is_not_known() -> None:
    lumped = replace(aligned_predictions(), groups=np.zeros(400, dtype=np.int64))
    (text,) = sentences(compare(lumped, {"v": ["v"], "g": ["g"]}), ONE_BEST)
    assert "too few captures" in text.en
    assert "촬영이 너무 적어" in text.ko


def test_unlabelled_or_ungraded_condition_says_nothing(four: Comparison) -> None:
    (text,) = sentences(four, UNLABELLED)
    assert "no labels in this split" in text.en
    (text,) = sentences(make_comparison(("g", "e")), ONE_ALONE)
    assert text.en == "Hair loss: none of the selected models grades it."
    assert "탈모: 고른 모델 중" in text.ko


def test_labels_that_are_all_the_same_say_nothing() -> None:
    aligned = aligned_predictions()
    aligned.truth[CONDITIONS.index(EQUAL)] = 0
    aligned.grades[:, CONDITIONS.index(EQUAL)] = 0
    (text,) = sentences(compare(aligned, {"v": ["v"], "g": ["g"]}), EQUAL)
    assert "vary too little for quadratic weighted kappa (all labels are grade 0)" in text.en


def test_undefined_kappas_are_listed_with_reasons() -> None:
    aligned = aligned_predictions()
    aligned.truth[CONDITIONS.index(EQUAL)] = 0
    aligned.grades[:, CONDITIONS.index(EQUAL)] = 0
    text = undefined_kappas(compare(aligned, {"v": ["v"]}))
    assert text is not None
    assert f"{EQUAL.text.en}: all labels are grade 0" in text.en
    assert f"{UNLABELLED.text.en}: no labelled pictures" in text.en


def test_single_models_missing_models_and_unseen_grades(four: Comparison) -> None:
    first, missing, dead = sentences(four, ONE_ALONE)
    reached = four.estimate(KAPPA, "v", ONE_ALONE)
    assert first.en.startswith("Hair loss: graded by vgg11_bn only (QWK ")
    assert f"{reached.value:.2f} [{reached.low:.2f}, {reached.high:.2f}]" in first.en
    assert missing.en == "Not graded by: resnet18, efficientnet_b0, googlenet."
    assert re.fullmatch(r"vgg11_bn: recall 0 for grade 3 \(\d+ pictures\)\.", dead.en)
    assert re.fullmatch(r"vgg11_bn: 3등급\(사진 \d+장\) 재현율 0\.", dead.ko)


def test_several_dead_grades_are_in_one_sentence() -> None:
    aligned = aligned_predictions()
    place = CONDITIONS.index(EQUAL)
    aligned.grades[aligned.run("g"), place] = np.minimum(aligned.grades[aligned.run("g"), place], 1)
    dead = sentences(compare(aligned, {"v": ["v"], "g": ["g"]}), EQUAL)[-1]
    assert re.fullmatch(r"googlenet: recall 0 for grade 2 \(\d+ pictures\) or grade 3 \(\d+ pictures\)\.", dead.en)


def test_power_and_luck_are_the_comparison_s_own(four: Comparison) -> None:
    half, often = four.detectable(KAPPA, ONE_BEST)
    text = detectable_differences(four, ONE_BEST, KAPPA)
    assert text
    assert f"Power with 200 captures: 50% for a true QWK difference of {half:.2f}, 80%" in text.en
    assert f"for {often:.2f}." in text.en
    assert f"촬영 200건의 검정력: 실제 QWK 차이가 {half:.2f}이면 50%" in text.ko
    text = chance_spread(four, ONE_BEST, KAPPA)
    assert text
    values = four.values(KAPPA)[:, 0]
    assert f"chance alone would give about {four.chance_spread(KAPPA, ONE_BEST):.2f}." in text.en
    assert f"differ by {values.max() - values.min():.2f} QWK" in text.en


def test_luck_needs_a_comparison(four: Comparison) -> None:
    for condition in (UNLABELLED, ONE_ALONE):
        assert detectable_differences(four, condition, KAPPA) is None
        assert chance_spread(four, condition, KAPPA) is None


def test_every_metric_and_condition_has_its_sentences(four: Comparison) -> None:
    sentences = [
        text
        for metric in METRICS
        for condition in CONDITIONS
        for text in (
            *summarize(four, condition, NAMES, TIMES, metric),
            detectable_differences(four, condition, metric),
            chance_spread(four, condition, metric),
        )
    ]
    for text in filter(None, sentences):
        assert text.en.endswith(".")
        assert text.ko.endswith(".")
        assert "nan" not in text.en
        # No particle that depends on how a Latin name or a number is read aloud.
        assert not re.search(r"[A-Za-z0-9](은|는|이|가|을|를|과|와|으로|로)(?![가-힣])", text.ko), text.ko
