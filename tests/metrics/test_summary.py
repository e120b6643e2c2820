"""What a person would say of a comparison, in both languages."""

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
from scalp_core.metrics.summary import Cost, luck, opening, power

KAPPA = "quadratic_weighted_kappa"
SIZES = {"v": Cost(9_000_000, None), "r": Cost(11_000_000, 4.0), "e": Cost(4_000_000, 9.0), "g": Cost(6_000_000, 7.0)}
TIMES = SIZES | {"v": Cost(9_000_000, 30.0)}


@pytest.fixture(scope="module")
def four() -> Comparison:
    return make_comparison()


def told(comparison: Comparison, condition: Condition, costs: dict[str, Cost] = TIMES) -> list[Text]:
    return opening(comparison, condition, NAMES, costs, KAPPA)


def test_one_that_is_better_than_all_others_is_named(four: Comparison) -> None:
    (text,) = told(four, ONE_BEST)
    assert text.en == "For fine scaling vgg11_bn is better than all others."
    assert text.ko == "미세각질에서는 vgg11_bn 모델이 나머지 모두보다 나아요."


def test_of_two_the_better_one_is_named() -> None:
    (text,) = told(make_comparison(("v", "g")), ONE_BEST)
    assert text.en == "For fine scaling vgg11_bn is better than the other."


def test_of_those_who_share_the_lead_the_cheapest_is_named(four: Comparison) -> None:
    (text,) = told(four, TWO_LEAD)
    assert "two models share the lead" in text.en
    assert re.search(r"\((vgg11_bn, resnet18|resnet18, vgg11_bn)\)", text.en)
    assert "resnet18 is the fastest of them (4.0 ms a picture)" in text.en
    assert "두 모델(" in text.ko
    assert "그중 가장 빠른 것은 resnet18 모델이에요(사진 한 장에 4.0 ms)." in text.ko


def test_until_every_time_is_measured_the_smallest_is_the_cheapest(four: Comparison) -> None:
    (text,) = told(four, TWO_LEAD, SIZES)
    assert "vgg11_bn is the smallest of them (9.0 million parameters)" in text.en
    assert "vgg11_bn 모델이에요(파라미터 900만 개)" in text.ko


def test_models_that_are_certainly_alike_are_called_so(four: Comparison) -> None:
    (text,) = told(four, EQUAL)
    assert "the four models are practically equal; resnet18 is the fastest of them" in text.en
    assert "네 모델이 사실상 같아요" in text.ko


def test_where_chance_is_too_large_nothing_is_said(four: Comparison) -> None:
    (text,) = told(four, UNDECIDED)[:1]
    assert "nothing can be said yet: the differences between the four models lie within chance" in text.en
    assert "아직 아무것도 말할 수 없어요" in text.ko


def test_of_too_few_captures_chance_is_not_known() -> None:
    lumped = replace(aligned_predictions(), groups=np.zeros(400, dtype=np.int64))
    (text,) = told(compare(lumped, {"v": ["v"], "g": ["g"]}), ONE_BEST)
    assert "too few captures" in text.en
    assert "촬영이 너무 적어" in text.ko


def test_nothing_is_said_where_nothing_is_labelled_or_graded(four: Comparison) -> None:
    (text,) = told(four, UNLABELLED)
    assert "no picture of this part has a label" in text.en
    (text,) = told(make_comparison(("g", "e")), ONE_ALONE)
    assert text.en == "None of the chosen models grades hair loss."
    assert "탈모 등급을 추정하는 것이 없어요" in text.ko


def test_labels_that_are_all_the_same_say_nothing() -> None:
    found = aligned_predictions()
    found.truth[CONDITIONS.index(EQUAL)] = 0
    found.grades[:, CONDITIONS.index(EQUAL)] = 0
    (text,) = told(compare(found, {"v": ["v"], "g": ["g"]}), EQUAL)
    assert "do not vary enough" in text.en


def test_who_stands_alone_and_who_is_missing_and_what_is_never_seen(four: Comparison) -> None:
    first, missing, dead = told(four, ONE_ALONE)
    reached = four.estimate(KAPPA, "v", ONE_ALONE)
    assert first.en.startswith("For hair loss there is nothing to compare vgg11_bn with; it reaches QWK ")
    assert f"{reached.value:.2f} [{reached.low:.2f}, {reached.high:.2f}]" in first.en
    assert missing.en == "Not trained to grade it: resnet18, efficientnet_b0, googlenet."
    assert re.fullmatch(r"vgg11_bn never recognises grade 3 \(\d+ pictures\)\.", dead.en)
    assert re.fullmatch(r"vgg11_bn 모델은 3등급\(사진 \d+장\)을 한 번도 알아보지 못해요\.", dead.ko)


def test_several_dead_grades_are_in_one_sentence() -> None:
    found = aligned_predictions()
    place = CONDITIONS.index(EQUAL)
    found.grades[found.run("g"), place] = np.minimum(found.grades[found.run("g"), place], 1)
    dead = told(compare(found, {"v": ["v"], "g": ["g"]}), EQUAL)[-1]
    assert re.fullmatch(r"googlenet never recognises grade 2 \(\d+ pictures\) or grade 3 \(\d+ pictures\)\.", dead.en)


def test_power_and_luck_are_the_comparison_s_own(four: Comparison) -> None:
    half, often = four.detectable(KAPPA, ONE_BEST)
    text = power(four, ONE_BEST, KAPPA)
    assert text
    assert f"With 200 captures a true difference of {half:.2f} QWK" in text.en
    assert f"one of {often:.2f} in four of five" in text.en
    assert f"촬영 200건으로는 QWK의 실제 차이가 {half:.2f} 정도면" in text.ko
    text = luck(four, ONE_BEST, KAPPA)
    assert text
    values = four.values(KAPPA)[:, 0]
    assert f"look {four.chance_spread(KAPPA, ONE_BEST):.2f} QWK better than the worst" in text.en
    assert f"here it is {values.max() - values.min():.2f}" in text.en


def test_chance_is_not_spoken_of_where_nothing_is_compared(four: Comparison) -> None:
    for condition in (UNLABELLED, ONE_ALONE):
        assert power(four, condition, KAPPA) is None
        assert luck(four, condition, KAPPA) is None


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_metric_and_condition_has_its_sentences(four: Comparison, condition: Condition, metric: str) -> None:
    said = [
        *opening(four, condition, NAMES, TIMES, metric),
        power(four, condition, metric),
        luck(four, condition, metric),
    ]
    for text in filter(None, said):
        assert text.en.endswith(".")
        assert text.ko.endswith(".")
        assert "nan" not in text.en
        # No particle that depends on how a Latin name or a number is read aloud.
        assert not re.search(r"[A-Za-z0-9](은|는|이|가|을|를|과|와|으로|로)(?![가-힣])", text.ko), text.ko
