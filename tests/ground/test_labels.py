"""The vocabulary and the criteria table, against docs/design/data.md and the real joint counts."""

import pandas as pd
import pytest
from conftest import ROOT

from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS, GRADES, SCALP_TYPE_RULES, Condition, Severity, find_condition, scalp_type

NAMES = {
    "value_1": ("fine_scaling", "미세각질"),
    "value_2": ("excess_sebum", "피지과다"),
    "value_3": ("erythema", "모낭사이홍반"),
    "value_4": ("pustules", "모낭홍반/농포"),
    "value_5": ("dandruff", "비듬"),
    "value_6": ("hair_loss", "탈모"),
}

# One row a type: v1 … v6, "+" required, "±" allowed, "." must be absent.
CRITERIA = {
    "normal": "......",
    "dry": "+.....",
    "oily": ".+....",
    "sensitive": "±.+...",
    "seborrheic": "±++...",
    "inflammatory": "±±.+±.",
    "dandruff": "±±..+.",
    "alopecia": ".....+",
}


def grades(*values: int) -> dict[Condition, int | None]:
    return dict(zip(CONDITIONS, values, strict=True))


def test_conditions_have_their_keys_codes_and_korean_names() -> None:
    assert {c.value: (c.code, c.text.ko) for c in CONDITIONS} == NAMES
    assert [c.number for c in CONDITIONS] == [1, 2, 3, 4, 5, 6]
    assert all(c.text("en") and c.text("en") != c.text("ko") for c in CONDITIONS)


def test_severities_are_four_with_names_in_both_languages() -> None:
    assert [(int(s), s.text.ko, s.text.en) for s in GRADES] == [
        (0, "양호", "normal"),
        (1, "경증", "mild"),
        (2, "중등도", "moderate"),
        (3, "중증", "severe"),
    ]


@pytest.mark.parametrize(
    ("name", "condition"),
    [(name, Condition.DANDRUFF) for name in ("value_5", "dandruff", "5", "Dandruff", " 비듬 ", "비듬")]
    + [(name, Condition.HAIR_LOSS) for name in ("탈모", "hair loss", "hair_loss", "Hair-Loss", "VALUE_6", "6")]
    + [(name, Condition.PUSTULES) for name in ("모낭홍반/농포", "follicular erythema / pustules", "pustules")],
)
def test_condition_is_found_by_any_of_its_names(name: str, condition: Condition) -> None:
    assert find_condition(name) is condition


@pytest.mark.parametrize("name", ["", "0", "7", "value_0", "value_7", "비", "erythema 2", "-1", "+1", "x" * 5000])
def test_an_unknown_condition_is_explained_in_both_languages(name: str) -> None:
    with pytest.raises(ScalpError, match="value_1") as caught:
        find_condition(name)
    assert "value_6" in caught.value.text.ko
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("key", CRITERIA)
def test_criteria_table_row_by_row(key: str) -> None:
    """All 64 combinations of present and absent conditions against the row as it is printed."""
    for combination in range(64):
        present = [combination >> place & 1 for place in range(6)]
        wanted = all(
            mark == "±" or bool(there) == (mark == "+") for mark, there in zip(CRITERIA[key], present, strict=True)
        )
        got = scalp_type(grades(*(3 * there for there in present))).key
        assert (got == key) == wanted, (present, got)


def test_no_combination_meets_two_rows() -> None:
    sets = [frozenset(c for place, c in enumerate(CONDITIONS) if number >> place & 1) for number in range(64)]
    assert all(sum(rule.matches(present) for rule in SCALP_TYPE_RULES) <= 1 for present in sets)


def test_the_threshold_decides_what_is_present() -> None:
    mild = grades(1, 0, 0, 0, 0, 0)
    assert scalp_type(mild, 1).key == "dry"
    assert scalp_type(mild, 2).key == "normal"
    assert scalp_type(mild).threshold is Severity.MODERATE
    assert scalp_type(grades(2, 0, 0, 0, 0, 0), 3).key == "normal"
    assert scalp_type(grades(3, 0, 0, 0, 0, 0), 3).key == "dry"


@pytest.mark.parametrize("threshold", [-1, 0, 4, 100])
def test_thresholds_outside_one_to_three_are_refused(threshold: int) -> None:
    with pytest.raises(ScalpError, match="1, 2 or 3"):
        scalp_type(grades(0, 0, 0, 0, 0, 0), threshold)


def test_every_type_is_explained() -> None:
    sebum_and_hair = scalp_type(grades(1, 2, 0, 0, 0, 3))
    assert sebum_and_hair.key == "mixed"
    assert sebum_and_hair.present == (Condition.EXCESS_SEBUM, Condition.HAIR_LOSS)
    assert sebum_and_hair.tendencies == (Condition.FINE_SCALING,)
    assert "Excess sebum and hair loss are “moderate” or worse" in sebum_and_hair.reason.en
    assert "No single type" in sebum_and_hair.reason.en
    assert "피지과다, 탈모" in sebum_and_hair.reason.ko
    assert scalp_type(grades(0, 0, 0, 0, 0, 0)).reason.en == "No condition is “moderate” or worse."


def test_missing_grade_leaves_type_undetermined_and_says_which() -> None:
    unknown = scalp_type({Condition.DANDRUFF: 3, Condition.HAIR_LOSS: None})
    assert unknown.key == "undetermined"
    assert unknown.missing == CONDITIONS[:4] + CONDITIONS[5:]
    assert "hair loss" in unknown.reason.en
    assert "탈모" in unknown.reason.ko


def test_shares_of_types_among_the_real_label_vectors() -> None:
    table = pd.read_csv(ROOT / "scalp_core" / "synthetic" / "label_joint_counts.csv")
    shares = {}
    for threshold in (1, 2):
        types = [scalp_type(grades(*row), threshold).key for row in table[list(NAMES)].to_numpy().tolist()]
        shares[threshold] = table["n"].groupby(types).sum() / table["n"].sum()
    assert table["n"].sum() == 91_156
    assert shares[1]["mixed"] == pytest.approx(0.47, abs=0.005)
    assert shares[1]["normal"] == pytest.approx(0.0075, abs=0.0001)
    assert shares[2]["mixed"] == pytest.approx(0.09, abs=0.005)
    assert shares[2]["normal"] == pytest.approx(0.297, abs=0.0005)
