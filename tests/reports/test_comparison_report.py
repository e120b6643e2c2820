"""The printable report: all in one file that asks for nothing, says what was compared, and how to make it again."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import pandas as pd
import pytest
from conftest import ROOT, Trained
from support.changed_runs import change_recipe

from scalp_core import __version__, terms
from scalp_core.charts.fonts import korean_font
from scalp_core.errors import ScalpError
from scalp_core.evaluation.comparison import Model, list_candidates
from scalp_core.files import sha256
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.reports import comparison_report
from scalp_core.runs.run import Run
from scalp_core.runs.store import find_run
from training import report

GRADED = (Condition.EXCESS_SEBUM,)
HOSTILE = '<img src=x onerror="alert(1)">&amp;'


class Page(HTMLParser):
    """The elements of a document, and the text of each that has any."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag  # nothing is left open

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1], data.strip()))

    def of(self, tag: str) -> list[str]:
        return [text for where, text in self.texts if where == tag]

    @property
    def everything(self) -> str:
        return "\n".join(text for where, text in self.texts if where != "style")


def copied(run: Run, name: str, recipe: dict[str, object], **facts: object) -> Run:
    """The same run under another name, as if it had been asked for otherwise; it grades one condition."""
    folder = run.folder.parent / name
    shutil.copytree(run.folder, folder)
    graded = [condition.value for condition in GRADED]
    rows = pd.read_parquet(folder / "predictions.parquet")
    rows[rows["condition"].isin(graded)].to_parquet(folder / "predictions.parquet")
    changed = Run(folder)
    change_recipe(changed, {"conditions": graded} | recipe, **facts)
    return changed


@pytest.fixture(scope="module")
def sides(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Model]]:
    """Three runs, two of them of one recipe with other seeds; one more that was judged on something else."""
    folder = tmp_path_factory.mktemp("compared")
    shutil.copytree(trained.run.folder, folder / "original")
    original = Run(folder / "original")
    copied(original, "first", {})
    copied(original, "second", {"seed": 1})
    copied(original, "other", {"architecture": "test_vit", "weights": HOSTILE})
    copied(original, "stranger", {"lr": 0.01}, evaluation_hash="0" * 64, index_hash="1" * 64)
    shutil.rmtree(folder / "original")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCALP_DATA", str(trained.dataset.folder.parent))
        patch.setenv("SCALP_ARTIFACTS", str(folder))
        yield list_candidates(trained.dataset)[0]


@pytest.fixture(scope="module")
def texts(sides: list[Model], trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Render the test part in English as the command does, and the validation part in Korean as a page does.

    The Korean one is told that rare grades are more frequent in what is judged on.
    """
    file = tmp_path_factory.mktemp("reports") / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["training.report", "--html", str(file), "--data", "tiny"])
        assert report.main() == 0
    left_out = list_candidates(trained.dataset)[1]
    tempered = replace(trained.dataset, made=trained.dataset.made | {"evaluation_prior": "tempered"})
    korean = comparison_report.render_report(tempered, sides, left_out, "valid", "ko", "2026-01-31")
    return {"en": file.read_text(encoding="utf-8"), "ko": korean}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_report_is_complete_and_self_contained(texts: dict[str, str], language: str) -> None:
    page = Page(texts[language])
    assert page.open == []
    assert page.elements[0] == ("html", {"lang": language})
    tags = {tag for tag, _ in page.elements}
    assert tags.isdisjoint({"script", "img", "image", "link", "iframe", "object", "form", "a"})
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href", "action")]
        assert all((value or "").startswith("#") for name, value in attributes.items() if name == "xlink:href")
    style = next(text for where, text in page.texts if where == "style" and "@page" in text)
    assert "size: A4" in style
    assert not re.search(r"url\((?!#)|@import", texts[language])
    policy = next(attributes for _, attributes in page.elements if "http-equiv" in attributes)
    assert (policy["content"] or "").startswith("default-src 'none'")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_report_names_its_subject_and_synthetic_data(texts: dict[str, str], trained: Trained, language: str) -> None:
    page, dataset = Page(texts[language]), trained.dataset
    facts = page.of("dd")
    assert {dataset.evaluation_hash, dataset.index_hash, f"Scalp Lab {__version__}"} <= set(facts)
    assert any(fact.startswith("tiny") for fact in facts)
    assert {"en": "test", "ko": "검증"}[language] in facts
    assert {"en": f"{date.today():%Y-%m-%d}", "ko": "2026-01-31"}[language] in facts
    notes = " ".join(page.of("p"))
    assert "SYNTHETIC" in notes
    assert {"en": "Research only", "ko": "연구용이에요"}[language] in notes
    if korean_font() or language == "en":
        assert page.everything.count({"en": "SYNTHETIC pictures", "ko": "합성(SYNTHETIC) 사진"}[language]) >= 10


def test_report_names_another_prior_than_the_real(texts: dict[str, str]) -> None:
    assert terms.TEMPERED_DATA.ko in Page(texts["ko"]).everything
    assert terms.TEMPERED_DATA.en not in Page(texts["en"]).everything


@pytest.mark.parametrize("language", ["en", "ko"])
def test_conditions_have_chapters_and_figures_names(texts: dict[str, str], language: str) -> None:
    page = Page(texts[language])
    titles = page.of("h2")
    for condition in CONDITIONS:
        assert f"{condition.number} · {condition.text(language)}" in titles
    figures = [attributes for tag, attributes in page.elements if tag == "svg"]
    # Three leaderboards; wall, differences, recall, reliability and costs of one condition; two of learning curves.
    assert len(figures) == 3 + 5 * len(GRADED) + 2
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in figures)
    if language == "ko":
        plain = " ".join(text for where, text in page.texts if where in ("h1", "h2", "h3", "p", "li", "dt", "th"))
        assert not re.findall(r"\b(?:the|of|and|pictures|models?)\b", plain)


def test_sides_stand_in_every_table_with_intervals(texts: dict[str, str], sides: list[Model]) -> None:
    page = Page(texts["en"])
    assert [side.name for side in sides] == ["test_efficientnet", "test_vit"]
    names = page.of("th")
    assert all(names.count(side.name) >= 4 for side in sides)
    cells = page.of("td")
    assert [cell for cell in cells if re.fullmatch(r"−?\d\.\d{3}\N{NBSP}a \[−?\d\.\d{3},\N{NBSP}−?\d\.\d{3}\]", cell)]
    assert "–" in cells  # a condition that is not graded


def test_report_lists_recipes_files_and_exclusions(texts: dict[str, str]) -> None:
    page = Page(texts["en"])
    written = page.everything
    assert '"test_vit"' in page.of("td")
    assert "0, 1" in page.of("td")  # the seeds of one side
    assert '"epochs": 2' in written
    run = find_run("second")
    assert all(digest in page.of("td") for digest in run.manifest["files"].values())
    assert sha256(run.operating_point_path) in page.of("td")
    assert "stranger" in page.of("th")
    assert "evaluated on other pictures, labels or splits than the dataset has now" in page.of("td")


def test_what_people_typed_is_text(texts: dict[str, str]) -> None:
    for text in texts.values():
        page = Page(text)
        assert HOSTILE not in text
        assert "&lt;img src=x" in text
        assert [cell for cell in page.of("td") if "<img src=x" in cell]


def test_the_command_makes_it_again(texts: dict[str, str], sides: list[Model], trained: Trained) -> None:
    command = comparison_report.command(trained.dataset, sides, "valid", "ko")
    assert command in Page(texts["ko"]).of("pre")
    assert shlex.split(command)[:3] == ["python", "-m", "training.report"]
    options = report._parser().parse_args(shlex.split(command)[3:])
    assert (options.data, options.part, options.language) == ("tiny", "valid", "ko")
    assert report._with_runs(sides, [], options.runs) == sides


# ---- as a command ----


def test_a_side_is_the_runs_asked_for(sides: list[Model]) -> None:
    (side,) = report._with_runs(sides, [], ["second"])
    assert side.key == "second"
    assert [run.id for run in side.runs] == ["second"]
    assert side.name == sides[0].name


@pytest.mark.usefixtures("sides")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--data", "tiny", "--runs", "nobody"], "There is no run “nobody”"),
        (["--data", "tiny", "--runs", "stranger"], "cannot be compared: evaluated on other"),
        (["--data", "nothing"], "nothing"),
    ],
)
def test_impossible_report_is_explained_and_unwritten(
    tmp_path, words: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["training.report", "--html", str(tmp_path / "r.html"), *words])
    assert report.main() == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["--html", "r.html"], ["--runs", "first"], ["--html", "r.html", "--json"]])
def test_forms_that_make_no_sense_are_refused(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["training.report", *words])
    with pytest.raises(SystemExit) as end:
        report.main()
    assert end.value.code == 2


def test_unwritable_file_is_a_readable_error(sides: list[Model], trained: Trained, tmp_path) -> None:
    with pytest.raises(ScalpError) as raised:
        report._write_html(tmp_path / "no" / "such" / "folder.html", trained.dataset, "test", [sides[1].key], "en")
    assert raised.value.code == "report_not_written"


def test_pages_and_rest_start_without_what_only_prints() -> None:
    code = (
        "import sys, ui.downloads, scalp_core.charts.fonts, scalp_core.rest.app, scalp_core.evaluation.comparison\n"
        "import training.report\n"
        "printing = {'seaborn', 'scalp_core.charts.print_figures', 'scalp_core.reports.comparison_report'}\n"
        "assert not printing & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
