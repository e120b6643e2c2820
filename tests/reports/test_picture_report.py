"""Graded pictures on paper and as CSV: whole, in both languages, and whatever a file is called."""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from conftest import Trained
from PIL import Image
from playwright.sync_api import sync_playwright
from support.browser import chromium, launch

from scalp_core import __version__
from scalp_core.errors import ScalpError, Text
from scalp_core.inference import predict
from scalp_core.inference.input_gate import Reason
from scalp_core.inference.predict import Answer
from scalp_core.inference.results_table import schema
from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.reports import picture_report
from scalp_core.reports.picture_report import GradedPicture, render_html

MADE = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
HOSTILE = '<img src=x onerror="alert(1)">&amp;\'</title><script>alert(2)</script>.jpg'
BLURRED = Reason("blurred", Text("It is blurred <b>badly</b>.", "매우 <b>흐립니다</b>."), 1.0, 2.0)
BAD = ScalpError("not_a_picture", "This is <none>.", "사진이 <아닙니다>.")
LANGUAGES = ("en", "ko")


class Page(HTMLParser):
    """The elements of a document, and its text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag  # nothing is left open

    def handle_data(self, data: str) -> None:
        if data.strip() and self.open[-1] != "style":
            self.texts.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return "\n".join(self.texts)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def answer(trained: Trained) -> Answer:
    return predict.grade(trained.picture)


def page(graded: Sequence[GradedPicture], language: str = "en") -> Page:
    found = Page(render_html(graded, language, MADE))
    assert found.open == []
    return found


def several(data: bytes, answer: Answer) -> list[GradedPicture]:
    """All that may come: gradable, not checked, insisted on, withheld, refused."""
    flagged = replace(answer, reasons=(BLURRED,))
    return [
        GradedPicture("0013_A2LEBJJDE00060O_1602578303771_4_LH.jpg", data, replace(answer, reasons=())),
        GradedPicture("unchecked.jpg", data, replace(answer, reasons=None)),
        GradedPicture(HOSTILE, data, flagged),
        GradedPicture("withheld.jpg", data, flagged, withheld=True),
        GradedPicture("두피 사진.heic", b"", BAD),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_asks_for_nothing_and_runs_nothing(trained: Trained, answer: Answer, language: str) -> None:
    document = render_html(several(trained.picture, answer), language, MADE)
    found = Page(document)
    assert found.elements[0] == ("html", {"lang": language})
    tags = {tag for tag, _ in found.elements}
    assert tags.isdisjoint({"script", "link", "iframe", "object", "form", "a", "svg", "base"})
    for _, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("href", "action", "srcset")]
    assert all((one["src"] or "").startswith("data:image/jpeg;base64,") for one in found.of("img"))
    assert not re.search(r"url\(|@import|https?:", document)
    (policy,) = (one for one in found.of("meta") if "http-equiv" in one)
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_and_messages_are_text_whatever_they_hold(trained: Trained, answer: Answer, language: str) -> None:
    found = page(several(trained.picture, answer), language)
    whole = " ".join(found.texts)
    assert whole.count(HOSTILE) == 2  # in the table and on its page
    assert BLURRED.text(language) in whole
    assert BAD.text(language) in whole
    assert "b" not in {tag for tag, _ in found.elements}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_says_all_that_was_answered(trained: Trained, answer: Answer, language: str) -> None:
    found = page([several(trained.picture, answer)[0]], language)
    assert sum("page" in (one.get("class") or "") for one in found.of("section")) == 1
    for condition, grading in answer.gradings.items():
        assert f"{condition.number} {condition.text(language)}" in found.text
        assert f"{int(grading.grade)} {grading.grade.text(language)}" in found.text
        for share in grading.probabilities:
            assert f"{share:.0%}" in found.texts
    bars = [one for one in found.of("span") if (one.get("class") or "").startswith("bar ")]
    widths = [float(str(one["style"]).removeprefix("width: ").removesuffix("%")) for one in bars]
    shares = [100 * share for grading in answer.gradings.values() for share in grading.probabilities]
    assert widths == pytest.approx(shares, abs=0.051)
    assert answer.scalp_type.text(language) in found.text
    assert answer.scalp_type.reason(language) in found.text
    for told in (trained.run.id, trained.run.recipe.architecture, f"Scalp Lab {__version__}", "2026-03-04 05:06 UTC"):
        assert told in found.text
    assert {"en": "left side", "ko": "좌측 측두부"}[language] in found.text
    assert {"en": "passed", "ko": "통과"}[language] in found.texts


@pytest.mark.parametrize("language", LANGUAGES)
def test_research_only_and_synthetic_stand_on_every_page(trained: Trained, answer: Answer, language: str) -> None:
    found = page(several(trained.picture, answer)[:3], language)
    assert found.text.count({"en": "Research only.", "ko": "연구용이에요."}[language]) == 4
    assert found.text.count("SYNTHETIC") == 4


def test_the_picture_and_its_maps_are_in_it(trained: Trained, answer: Answer) -> None:
    found = page([several(trained.picture, answer)[0]])
    pictures = [_picture(str(one["src"])) for one in found.of("img")]
    assert [picture.size for picture in pictures] == [(640, 480)] + [(320, 240)] * 6
    plain = np.asarray(pictures[0].resize((320, 240)), dtype=float)
    apart = [np.abs(np.asarray(one, dtype=float) - plain).mean() for one in pictures[1:]]
    assert max(apart) > 5, "something is drawn on it"
    assert all(one["alt"] for one in found.of("img"))


def _picture(source: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1])))


def test_what_the_gate_found(trained: Trained, answer: Answer) -> None:
    passed, unchecked, insisted, withheld, _ = (page([one]) for one in several(trained.picture, answer))
    assert "passed" in passed.texts
    assert "not done: this model has no quality check" in unchecked.texts
    for one in (insisted, withheld):
        assert "Quality check failed." in one.texts
        assert "failed" in one.texts
    assert "do not rely on these grades" in insisted.text
    assert len(insisted.of("article")) == len(CONDITIONS)
    assert withheld.of("article") == []
    assert answer.scalp_type.reason.en not in withheld.text


def test_grade_sets_only_where_they_are_promised(trained: Trained, answer: Answer) -> None:
    assert "90% range" not in page([GradedPicture("a.jpg", trained.picture, answer)]).text
    gradings = {
        condition: replace(grading, grade_set=(GRADES[0], GRADES[condition.number % 2]))
        for condition, grading in answer.gradings.items()
    }
    found = page([GradedPicture("a.jpg", trained.picture, replace(answer, gradings=gradings))]).texts
    assert found.count("90% range: 0 normal – 1 mild") == 3
    assert found.count("90% range: 0 normal") == 3


def test_conditions_that_nobody_grades_are_named(trained: Trained) -> None:
    answer = predict.graders([Condition.DANDRUFF, Condition.ERYTHEMA]).grade(trained.picture)
    found = page([GradedPicture("a.jpg", trained.picture, answer)])
    assert "No model for: fine scaling, excess sebum, follicular erythema / pustules, hair loss." in found.texts
    assert len(found.of("article")) == 2


def test_several_begin_with_a_table_of_all(trained: Trained, answer: Answer) -> None:
    graded = several(trained.picture, answer)
    found = page(graded)
    sections = found.of("section")
    assert [one.get("class") for one in sections] == [None] + ["page"] * 5
    names = [one.name for one in graded]
    assert [text for text in found.texts if text in names][: len(names)] == names
    badges = [one for one in found.of("span") if "title" in one]
    assert len(badges) == 3 * len(CONDITIONS)


def test_only_so_many_have_page_of_their_own(trained: Trained, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_report, "MOST_PAGES", 2)
    found = page([GradedPicture(f"{number}.jpg", trained.picture, answer) for number in range(4)])
    assert sum(one.get("class") == "page" for one in found.of("section")) == 2
    assert [text for text in found.texts if re.fullmatch(r"\d\.jpg", text)][:4] == [f"{n}.jpg" for n in range(4)]
    assert "Only the first 2 pictures have their own page." in found.texts


def test_csv_comes_back_as_it_was(trained: Trained, answer: Answer) -> None:
    graded = [*several(trained.picture, answer), GradedPicture("=cmd()", b"", BAD)]
    content = picture_report.to_csv(graded, "en")
    assert content.startswith(b"\xef\xbb\xbf")
    table = pd.read_csv(io.BytesIO(content))
    assert table.columns.tolist() == schema(CONDITIONS).names
    assert table["path"].tolist() == [one.name for one in graded[:-1]] + ["'=cmd()"]
    assert table["status"].tolist() == ["ok"] * 3 + ["withheld"] + ["not_a_picture"] * 2
    assert table["gradable"].tolist()[:4] == [True, pytest.approx(np.nan, nan_ok=True), False, False]
    assert table["reasons"].tolist()[2:4] == ["blurred", "blurred"]
    assert set(table["intended_use"]) == {"research_only"}
    assert table["synthetic"].tolist()[:3] == [True] * 3
    for condition, grading in answer.gradings.items():
        said = table.loc[0, [f"{condition}_p{int(grade)}" for grade in GRADES]].to_numpy(dtype=float)
        assert said.tolist() == list(grading.probabilities)
        assert table.loc[0, f"{condition}_grade"] == int(grading.grade)
        assert table.loc[0, f"{condition}_run"] == trained.run.id
        assert pd.isna(table.loc[3, f"{condition}_grade"]), "withheld"


def test_csv_of_nothing_but_faults() -> None:
    for language in ("en", "ko"):
        table = pd.read_csv(io.BytesIO(picture_report.to_csv([GradedPicture("a.heic", b"", BAD)], language)))
        assert table["message"].tolist() == [BAD.text(language)]


def test_every_word_is_there_in_both_languages() -> None:
    for key, text in picture_report._WORDS.items():
        assert set(re.findall(r"{\w+}", text.en)) == set(re.findall(r"{\w+}", text.ko)), key
        assert key in ("digest", "made", "size", "grade_range") or re.search("[가-힣]", text.ko), key


@pytest.mark.browser
@pytest.mark.skipif(not chromium(), reason="no Chromium here")
@pytest.mark.parametrize("language", LANGUAGES)
def test_one_picture_is_one_page_of_paper(trained: Trained, answer: Answer, language: str) -> None:
    # As much as there ever is to say: three reasons, a run for each condition, grade sets everywhere.
    gradings = {key: replace(one, grade_set=(GRADES[1], GRADES[3])) for key, one in answer.gradings.items()}
    sentence = Text(*("It is blurred and that is said at length. " * 4, "사진이 흐립니다. 자세히 설명합니다. " * 4))
    flagged = replace(answer, gradings=gradings, reasons=(replace(BLURRED, text=sentence),) * 3)
    with sync_playwright() as playwright:
        browser = launch(playwright, str(chromium()))
        tab = browser.new_page()
        counts = []
        for graded in ([GradedPicture("a" * 80, trained.picture, flagged)], several(trained.picture, answer)):
            tab.set_content(render_html(graded, language, MADE))
            counts.append(len(re.findall(rb"/Type\s*/Page\b", tab.pdf(prefer_css_page_size=True))))
        browser.close()
    assert counts == [1, 6]
