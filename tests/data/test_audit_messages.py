"""The words of findings: both languages, the same values, and shares that are never rounded to nothing."""

from string import Formatter

from scalp_core.data import audit_messages
from scalp_core.data.audit_messages import FindingSeverity, listed, percent
from scalp_core.errors import Text


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_both_languages_say_the_same() -> None:
    texts = [(key, text) for key, words in audit_messages._WORDS.items() for text in words]
    assert [key for key, text in texts if fields(text.en) != fields(text.ko)] == []
    assert [key for key, text in texts if not text.en or text.en.strip() != text.en] == []
    assert [key for key, text in texts if not any("가" <= letter <= "힣" for letter in text.ko)] == []


def test_something_is_never_nothing_percent() -> None:
    assert percent(0, 100).en == "0.0%"
    assert percent(1, 100_000) == Text("under 0.1%", "0.1% 미만")
    assert percent(1, 3).ko == "33.3%"
    assert percent(0, 0).en == "0.0%"


def test_long_lists_are_cut_and_say_so() -> None:
    names = [Text(f"grade {number}", f"등급 {number}") for number in range(8)]
    assert listed(names[:2]).en == "grade 0, grade 1"
    assert listed(names, limit=6).en.endswith("grade 5 and 2 more")
    assert listed(names, limit=6).ko.endswith("등급 5 외 2개")
    assert listed([]) == Text("", "")


def test_severities_have_an_order_and_names() -> None:
    assert [severity.rank for severity in FindingSeverity] == [0, 1, 2, 3]
    assert FindingSeverity.ERROR.text.ko == "오류"
