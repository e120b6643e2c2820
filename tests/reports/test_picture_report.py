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
UNUSUAL = Reason("unusual", Text("It is unusual.", "흔하지 않습니다."), 2.0, 1.0)
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
    document = Page(render_html(graded, language, MADE))
    assert document.open == []
    return document


def several(data: bytes, answer: Answer) -> list[GradedPicture]:
    """All that may come: gradable, not checked, insisted on, withheld, refused, unusual."""
    flagged = replace(answer, reasons=(BLURRED,))
    return [
        GradedPicture("0013_A2LEBJJDE00060O_1602578303771_4_LH.jpg", data, replace(answer, reasons=())),
        GradedPicture("unchecked.jpg", data, replace(answer, reasons=None)),
        GradedPicture(HOSTILE, data, flagged),
        GradedPicture("withheld.jpg", data, flagged, withheld=True),
        GradedPicture("두피 사진.heic", b"", BAD),
        GradedPicture("unusual.jpg", data, replace(answer, reasons=(UNUSUAL,))),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_asks_for_nothing_and_runs_nothing(trained: Trained, answer: Answer, language: str) -> None:
    document = render_html(several(trained.picture, answer), language, MADE)
    parsed = Page(document)
    assert parsed.elements[0] == ("html", {"lang": language})
    tags = {tag for tag, _ in parsed.elements}
    assert tags.isdisjoint({"script", "link", "iframe", "object", "form", "a", "svg", "base"})
    for _, attributes in parsed.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("href", "action", "srcset")]
    assert all((attributes["src"] or "").startswith("data:image/jpeg;base64,") for attributes in parsed.of("img"))
    assert not re.search(r"url\(|@import|https?:", document)
    (policy,) = (attributes for attributes in parsed.of("meta") if "http-equiv" in attributes)
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_and_messages_are_text_whatever_they_hold(trained: Trained, answer: Answer, language: str) -> None:
    document = page(several(trained.picture, answer), language)
    whole = " ".join(document.texts)
    assert whole.count(HOSTILE) == 2  # in the table and on its page
    assert BLURRED.text(language) in whole
    assert BAD.text(language) in whole
    assert "b" not in {tag for tag, _ in document.elements}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_says_all_that_was_answered(trained: Trained, answer: Answer, language: str) -> None:
    document = page([several(trained.picture, answer)[0]], language)
    assert sum("page" in (attributes.get("class") or "") for attributes in document.of("section")) == 1
    for condition, grading in answer.gradings.items():
        assert f"{condition.number} {condition.text(language)}" in document.text
        assert f"{int(grading.grade)} {grading.grade.text(language)}" in document.text
        for share in grading.probabilities:
            assert f"{share:.0%}" in document.texts
    bars = [attributes for attributes in document.of("span") if (attributes.get("class") or "").startswith("bar ")]
    widths = [float(str(attributes["style"]).removeprefix("width: ").removesuffix("%")) for attributes in bars]
    shares = [100 * share for grading in answer.gradings.values() for share in grading.probabilities]
    assert widths == pytest.approx(shares, abs=0.051)
    assert answer.scalp_type.text(language) in document.text
    assert answer.scalp_type.reason(language) in document.text
    for text in (trained.run.id, trained.run.recipe.architecture, f"Scalp Lab {__version__}", "2026-03-04 05:06 UTC"):
        assert text in document.text
    assert {"en": "left side", "ko": "좌측 측두부"}[language] in document.text
    assert {"en": "passed", "ko": "통과"}[language] in document.texts


@pytest.mark.parametrize("language", LANGUAGES)
def test_research_only_and_synthetic_stand_on_every_page(trained: Trained, answer: Answer, language: str) -> None:
    document = page(several(trained.picture, answer)[:3], language)
    assert document.text.count({"en": "Research only.", "ko": "연구용이에요."}[language]) == 4
    assert document.text.count("SYNTHETIC") == 4


def test_the_picture_and_its_maps_are_in_it(trained: Trained, answer: Answer) -> None:
    document = page([several(trained.picture, answer)[0]])
    pictures = [_picture(str(attributes["src"])) for attributes in document.of("img")]
    assert [picture.size for picture in pictures] == [(640, 480)] + [(320, 240)] * 6
    plain = np.asarray(pictures[0].resize((320, 240)), dtype=float)
    apart = [np.abs(np.asarray(attributes, dtype=float) - plain).mean() for attributes in pictures[1:]]
    assert max(apart) > 5, "something is drawn on it"
    assert all(attributes["alt"] for attributes in document.of("img"))


def _picture(source: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1])))


def test_what_the_gate_found(trained: Trained, answer: Answer) -> None:
    pages = [page([picture]) for picture in several(trained.picture, answer)]
    passed, unchecked, insisted, withheld, _, unusual = pages
    assert "passed" in passed.texts
    assert "not done: this model has no quality check" in unchecked.texts
    for picture in (insisted, withheld):
        assert "Quality check failed." in picture.texts
        assert "failed" in picture.texts
    assert "do not rely on these grades" in insisted.text
    assert len(insisted.of("article")) == len(CONDITIONS)
    assert withheld.of("article") == []
    assert len(unusual.of("article")) == len(CONDITIONS)
    assert {"passed, but unusual", "An unusual picture.", UNUSUAL.text.en} <= set(unusual.texts)
    assert "Quality check failed." not in unusual.texts
    assert answer.scalp_type.reason.en not in withheld.text


def test_grade_sets_only_where_they_are_promised(trained: Trained, answer: Answer) -> None:
    assert "90% range" not in page([GradedPicture("a.jpg", trained.picture, answer)]).text
    gradings = {
        condition: replace(grading, grade_set=(GRADES[0], GRADES[condition.number % 2]))
        for condition, grading in answer.gradings.items()
    }
    texts = page([GradedPicture("a.jpg", trained.picture, replace(answer, gradings=gradings))]).texts
    assert texts.count("90% range: 0 normal – 1 mild") == 3
    assert texts.count("90% range: 0 normal") == 3


def test_conditions_that_nobody_grades_are_named(trained: Trained) -> None:
    answer = predict.graders([Condition.DANDRUFF, Condition.ERYTHEMA]).grade(trained.picture)
    document = page([GradedPicture("a.jpg", trained.picture, answer)])
    assert "No model for: fine scaling, excess sebum, follicular erythema / pustules, hair loss." in document.texts
    assert len(document.of("article")) == 2


def test_several_begin_with_a_table_of_all(trained: Trained, answer: Answer) -> None:
    graded = several(trained.picture, answer)
    document = page(graded)
    sections = document.of("section")
    assert [attributes.get("class") for attributes in sections] == [None] + ["page"] * 6
    names = [attributes.name for attributes in graded]
    assert [text for text in document.texts if text in names][: len(names)] == names
    badges = [attributes for attributes in document.of("span") if "title" in attributes]
    assert len(badges) == 4 * len(CONDITIONS)


def test_only_so_many_have_page_of_their_own(trained: Trained, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_report, "MOST_PAGES", 2)
    document = page([GradedPicture(f"{number}.jpg", trained.picture, answer) for number in range(4)])
    assert sum(attributes.get("class") == "page" for attributes in document.of("section")) == 2
    assert [text for text in document.texts if re.fullmatch(r"\d\.jpg", text)][:4] == [f"{n}.jpg" for n in range(4)]
    assert "Only the first 2 pictures have their own page." in document.texts


def test_csv_comes_back_as_it_was(trained: Trained, answer: Answer) -> None:
    graded = [*several(trained.picture, answer), GradedPicture("=cmd()", b"", BAD)]
    content = picture_report.to_csv(graded, "en")
    assert content.startswith(b"\xef\xbb\xbf")
    table = pd.read_csv(io.BytesIO(content))
    assert table.columns.tolist() == schema(CONDITIONS).names
    assert table["path"].tolist() == [picture.name for picture in graded[:-1]] + ["'=cmd()"]
    assert table["status"].tolist() == ["ok"] * 3 + ["withheld", "not_a_picture", "ok", "not_a_picture"]
    assert table["gradable"].tolist()[:4] == [True, pytest.approx(np.nan, nan_ok=True), False, False]
    assert table["reasons"].tolist()[2:4] == ["blurred", "blurred"]
    assert set(table["intended_use"]) == {"research_only"}
    assert table["synthetic"].tolist()[:3] == [True] * 3
    for condition, grading in answer.gradings.items():
        probabilities = table.loc[0, [f"{condition}_p{int(grade)}" for grade in GRADES]].to_numpy(dtype=float)
        assert probabilities.tolist() == list(grading.probabilities)
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
def test_one_picture_is_one_page_of_paper(trained: Trained, answer: Answer) -> None:
    # As much as there ever is to say: three reasons, a run for each condition, grade sets everywhere.
    gradings = {key: replace(grading, grade_set=(GRADES[1], GRADES[3])) for key, grading in answer.gradings.items()}
    sentence = Text(*("It is blurred and that is said at length. " * 4, "사진이 흐립니다. 자세히 설명합니다. " * 4))
    flagged = replace(answer, gradings=gradings, reasons=(replace(BLURRED, text=sentence),) * 3)
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium, str(chromium()))
        tab = browser.new_page()
        counts: dict[str, list[int]] = {language: [] for language in LANGUAGES}
        for language in LANGUAGES:
            for graded in ([GradedPicture("a" * 80, trained.picture, flagged)], several(trained.picture, answer)):
                tab.set_content(render_html(graded, language, MADE))
                counts[language].append(len(re.findall(rb"/Type\s*/Page\b", tab.pdf(prefer_css_page_size=True))))
        browser.close()
    assert list(counts.values()) == [[1, 7]] * len(LANGUAGES)
