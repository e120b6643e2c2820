"""The views of a comparison as a visitor drives them, without a browser: several runs, one run, nothing to compare."""

import io
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from conftest import Folders, Trained
from streamlit.testing.v1 import AppTest
from support.app_driver import (
    LANGUAGES,
    assert_healthy,
    capture_downloads,
    chart_data,
    components,
    open_page,
    texts,
    unescape,
    visible_words,
    widget,
)
from support.changed_runs import vouch_again

from scalp_core.data.dataset import open_dataset
from scalp_core.evaluation.comparison import compare_models, list_candidates
from scalp_core.evaluation.referral import compare_referral
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics import group_comparison
from scalp_core.metrics.metrics import METRICS, PROBABILITIES
from scalp_core.metrics.summary import chance_spread
from scalp_core.metrics.verdict import Estimate
from scalp_core.runs.run import Run
from ui.compare.best_models import estimate_words
from ui.words import Say

KAPPA = "quadratic_weighted_kappa"
FIGURES = ("forest", "recall", "reliability", "curves", "pareto")
ALONE, BARE = Condition.ERYTHEMA, Condition.PUSTULES  # graded by one run; not labelled


def _view() -> None:
    """Draw the view as the page does once everything is selected."""
    import streamlit as st

    from scalp_core.data.dataset import open_dataset
    from scalp_core.evaluation.comparison import list_candidates
    from scalp_core.labels import Condition
    from ui.compare.differences import show_differences
    from ui.compare.leaderboard import show_leaderboard
    from ui.compare.selection import ModelSelection
    from ui.words import Say

    requested, dataset = st.query_params, open_dataset("tiny")
    sides = [side for side in list_candidates(dataset)[0] if side.name in requested["sides"].split(",")]
    first = ModelSelection(
        dataset, Condition(requested["condition"]), requested["part"], tuple(sides), requested["metric"]
    )
    show = show_differences if requested["view"] == "differences" else show_leaderboard
    show(first, Say(requested["lang"]))


def view(name: str, language: str = "en", sides: str = "resnet18,vgg11_bn,vit_tiny", **address: str) -> AppTest:
    at = AppTest.from_function(_view, default_timeout=60)
    selected = {"condition": "value_2", "part": "test", "metric": KAPPA, "view": name, "lang": language, "sides": sides}
    for key, value in (selected | address).items():
        at.query_params[key] = value
    return assert_healthy(at.run())


def forest(at: AppTest) -> pd.DataFrame:
    """The differences that are drawn; the band behind them is a table of its own."""
    (chart,) = (node.proto for node in at if node.type == "vega_lite_chart")
    tables = [pa.ipc.open_stream(dataset.data.data).read_pandas() for dataset in chart.datasets]
    return next(table for table in tables if "difference" in table)


@pytest.fixture(scope="module")
def three_to_copy(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the runs that `three` are copies of."""
    artifacts = tmp_path_factory.mktemp("three")
    for number, architecture in enumerate(("vgg11_bn", "resnet18", "vit_tiny")):
        copied = artifacts / f"run-{architecture}"
        shutil.copytree(trained.run.folder, copied)
        document = json.loads((copied / "recipe.json").read_text())
        document["recipe"]["architecture"] = architecture
        table = pd.read_parquet(copied / "predictions.parquet")
        table[PROBABILITIES] = np.roll(table[PROBABILITIES].to_numpy(), number, axis=1)  # other opinions
        table.loc[(table["condition"] == BARE) & (table["part"] == "test"), "truth"] = None
        if number:
            table = table[table["condition"] != ALONE]
            document["recipe"]["conditions"] = [condition.value for condition in CONDITIONS if condition is not ALONE]
            document["recipe"]["condition_weights"] = []
        table.to_parquet(copied / "predictions.parquet")
        (copied / "recipe.json").write_text(json.dumps(document))
        Run(copied).write_manifest({key: value for key, value in Run(copied).manifest.items() if key != "files"})
    return artifacts


@pytest.fixture
def three(three_to_copy: Path, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """Three finished runs of three families; BARE has no label in the test part, and two of them do not grade ALONE."""
    folders = Folders(trained.dataset.folder.parent, tmp_path / "artifacts")
    shutil.copytree(three_to_copy, folders.artifacts)
    monkeypatch.setenv("SCALP_ARTIFACTS", str(folders.artifacts))
    return folders


def test_leaderboard_says_it_first_and_shows_all_six(three: Folders) -> None:
    at = view("leaderboard", "ko")
    dataset = open_dataset("tiny")
    comparison = compare_models(dataset, list_candidates(dataset)[0], "test")
    ranking = comparison.overall(KAPPA)
    names = {model.key: model.name for model in list_candidates(dataset)[0]}
    assert names[ranking["model"][0]] in texts(at.markdown)[0]
    (cells,) = chart_data(at)
    assert set(cells["condition"]) == {"mean", *(condition.value for condition in CONDITIONS)}
    assert list(dict.fromkeys(cells["model"].dropna())) == list(ranking["model"])  # the best on top
    assert {"resnet18", "vgg11_bn", "vit_tiny"} < set(cells["name"])  # and references
    (wide,) = (table.value for table in at.table)
    long, references = (table.value for table in at.dataframe)
    assert [unescape(head) for head in wide.columns] == [condition.text("ko") for condition in CONDITIONS]
    assert len(long) == 3 * len(CONDITIONS)
    assert pd.api.types.is_float_dtype(references["value"])


def test_intervals_are_written_on_demand(three: Folders) -> None:
    at = view("leaderboard")
    (cells,) = chart_data(at)
    assert set(cells["detail"]) == {""}
    (cells,) = chart_data(assert_healthy(at.toggle(key="leaderboard-intervals").set_value(True).run()))
    assert any("[" in text for text in cells["detail"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_run_that_has_just_finished_is_marked(three: Folders, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    say = Say(language)
    marked = say.text("compare_new_model", name="resnet18")
    for new, names in (
        ("run-resnet18", {marked, "vgg11_bn", "vit_tiny"}),
        ("gone", {"resnet18", "vgg11_bn", "vit_tiny"}),
    ):
        (table,) = (table for table in chart_data(view("leaderboard", language, new=new)) if "name" in table)
        assert set(table["name"]) >= names
        assert (marked in set(table["name"])) == (marked in names)
        at = assert_healthy(open_page("compare", language, data="tiny", view="wall", new=new))
        assert (marked in widget(at.multiselect, say("compare_runs")).options) == (marked in names)
        badges = {matrix["name"]: matrix["badge"] for matrix in components(at, "scalp_matrices")[0]["matrices"]}
        assert badges["resnet18"] == (say.text("compare_new") if marked in names else "")
        assert badges["vit_tiny"] == ""
    downloads = capture_downloads(monkeypatch)
    view("leaderboard", language, new="run-resnet18")
    tables = [name for name in downloads.offered if name.endswith(".csv")]
    assert tables
    assert all(b"resnet18" in downloads.offered[name]() for name in tables)
    assert not any(marked.encode() in downloads.offered[name]() for name in tables)


def test_forest_says_how_far_chance_reaches(three: Folders) -> None:
    dataset = open_dataset("tiny")
    comparison = compare_models(dataset, list_candidates(dataset)[0], "test")
    chance = chance_spread(comparison, Condition("value_2"), KAPPA)
    captions = " ".join(texts(view("differences", "ko").caption))
    assert not chance or chance("ko") in captions


def test_the_leaderboard_follows_the_metric_of_the_page(three: Folders) -> None:
    for metric in ("average_mean_absolute_error", "ranked_probability_score"):
        at = view("leaderboard", metric=metric)
        assert METRICS[metric].text.en in " ".join(texts(at.caption))


@pytest.mark.parametrize("name", ["leaderboard", "differences"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_views_speak_only_the_reader_s_language(three: Folders, name: str, language: str) -> None:
    for figure in FIGURES if name == "differences" else ("",):
        words = " ".join(visible_words(view(name, language, figure=figure).main))
        assert any("가" <= letter <= "힣" for letter in words) == (language == "ko"), words


def test_what_is_shown_can_be_taken_along(three: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads = capture_downloads(monkeypatch)
    view("leaderboard")
    assert b"booktabs" in downloads.offered[f"leaderboard-{KAPPA}-test-wide-SYNTHETIC.tex"]()
    for figure in FIGURES:
        view("differences", figure=figure, axis="parameters")
    kinds = {name.split("-")[0] for name in downloads.offered if name.endswith(".svg")}
    assert kinds == {"leaderboard", "differences", "recall", "reliability", "curves", "parameters"}
    for name, make in downloads.offered.items():
        if name.endswith(".svg"):
            assert b"</svg>" in make(), name


def test_csv_holds_numbers_alike_in_both_languages(three: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    written = {}
    for language in LANGUAGES:
        downloads = capture_downloads(monkeypatch)
        view("leaderboard", language)
        for figure in FIGURES:
            view("differences", language, figure=figure, axis="parameters")
        open_page("compare", language, data="tiny", view="best")
        written[language] = {name: make() for name, make in downloads.offered.items() if name.endswith(".csv")}
    assert written["ko"] == written["en"]
    tables = {name.split("-")[0]: pd.read_csv(io.BytesIO(content)) for name, content in written["en"].items()}
    assert set(tables) == {"leaderboard", "pairs", "ranks", "recall", "reliability", "costs", "best"}
    numbers = {"value", "lower", "upper", "difference", "p", "p_holm", "p_mcnemar", "best_share", "recall"}
    numbers |= {"parameters", "milliseconds", "images", "confidence", "accuracy", "valid_value", "test_upper"}
    for name, table in tables.items():
        assert all(re.fullmatch("[a-z_0-9]+", column) for column in table), name
        assert {"dataset", "synthetic", "model", "architecture", "leaks"} < set(table), name
        assert all(pd.api.types.is_numeric_dtype(table[column]) for column in numbers & set(table)), name
        assert set(table["condition"]) <= {condition.value for condition in CONDITIONS}, name
    models = list_candidates(open_dataset("tiny"))[0]
    comparison = compare_models(open_dataset("tiny"), models, "test")
    pair = tables["pairs"].iloc[0]
    (row,) = (
        row
        for row in comparison.pairs(KAPPA, Condition("value_2")).to_dict("records")
        if (row["model"], row["other"]) == (pair["model"], pair["other"])
    )
    assert [pair[name] for name in ("difference", "lower", "upper", "p", "p_holm")] == pytest.approx(
        [row[name] for name in ("difference", "low", "high", "p", "p_holm")], nan_ok=True
    )
    assert tables["costs"]["parameters"].tolist() == [
        side.parameters for side in list_candidates(open_dataset("tiny"))[0]
    ]
    best = tables["best"].set_index("condition")
    assert best.loc["value_2", ["valid_value", "test_lower", "milliseconds"]].map(type).ne(str).all()


def test_zero_has_no_sign() -> None:
    assert estimate_words(Estimate(-0.001, -0.2, -0.004)) == "0.00 (-0.20–0.00)"
    assert estimate_words(Estimate(float("nan"), -0.2, 0.1)) == "–"


def test_tables_on_the_page_hold_numbers(three: Folders) -> None:
    for table in view("differences").dataframe:
        texts_alone = {"model", "other", "verdict"}
        assert all(pd.api.types.is_numeric_dtype(table.value[name]) for name in table.value if name not in texts_alone)


def test_differences_begin_with_the_best_on_validation(three: Folders) -> None:
    dataset = open_dataset("tiny")
    sides = list_candidates(dataset)[0]
    best = compare_models(dataset, sides, "valid").best(KAPPA, Condition("value_2"))
    at = view("differences")
    assert at.selectbox(key="reference-en").value == best
    assert set(forest(at)["other"]) == {best}
    pairs, ranks = (table.value for table in at.dataframe)
    assert len(pairs) == 3
    names = {side.key: side.name for side in sides}
    assert list(pairs["other"][:2]) == [names[best]] * 2
    assert set(ranks["model"]) == set(names.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_groups_of_pictures_have_figures_and_links(
    three: Folders, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    say = Say(language)
    at = assert_healthy(open_page("compare", language, data="tiny", view="groups", by="region", condition="value_2"))
    small = {"images": group_comparison.MIN_IMAGES, "captures": group_comparison.MIN_CAPTURES}
    assert say("groups_small", **small) in texts(at.main.info)
    monkeypatch.setattr(group_comparison, "MIN_IMAGES", 1)
    monkeypatch.setattr(group_comparison, "MIN_CAPTURES", 1)
    at = assert_healthy(
        open_page("compare", language, data="tiny", view="groups", by="region", condition="value_2", metric="accuracy")
    )
    (table,) = [frame.value for frame in at.main.dataframe if "calibration_error" in frame.value]
    index = open_dataset("tiny").index
    test = index[index["part"] == "test"]
    assert table.groupby("name")["images"].sum().eq(len(test)).all()
    assert set(table["name"]) == {"vgg11_bn", "resnet18", "vit_tiny"}
    links = [link.proto.query_string for link in at.main.get("page_link")]
    assert any("part=test" in link and "region=" in link for link in links)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_models_leave_to_a_person(three: Folders, language: str) -> None:
    say, limit = Say(language), 0.1
    options = {"data": "tiny", "view": "referral", "condition": "value_2", "limit": f"{limit:g}"}
    at = assert_healthy(open_page("compare", language, **options))
    (table,) = [frame.value for frame in at.main.dataframe if "unseen" in frame.value]
    assert set(table["name"]) == {"vgg11_bn", "resnet18", "vit_tiny"}
    models, _ = list_candidates(open_dataset("tiny"))
    referrals = compare_referral(open_dataset("tiny"), models, "test", Condition("value_2"), limit)
    by_name = {referral.name: referral.quality for referral in referrals}
    for row in table.to_dict("records"):
        quality = by_name[row["name"]]
        assert quality is not None
        assert (row["referred"], row["unseen"]) == (quality.referred_share, quality.unseen_share)
    best = table.loc[table["area"].idxmin()]
    assert any(best["name"] in text and f"{best['referred']:.0%}" in text for text in texts(at.main.markdown))
    (lines,) = chart_data(at)
    assert {"referred", "unseen"} <= set(lines)
    assert set(lines["name"]) == set(table["name"])
    assert say("referral_note", distance=2) in texts(at.main.caption)


def test_another_reference_is_in_the_address(three: Folders) -> None:
    at = view("differences", reference="run-vit_tiny")
    assert at.selectbox(key="reference-en").value == "run-vit_tiny"
    at.selectbox(key="reference-en").select("run-resnet18").run()
    assert at.query_params["reference"] == "run-resnet18"
    assert set(forest(at)["other"]) == {"run-resnet18"}


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("name", ["alone", "bare"])
def test_where_there_is_nothing_to_compare_sentence_stands(three: Folders, figure: str, name: str) -> None:
    condition = {"alone": ALONE, "bare": BARE}[name]
    at = view("differences", condition=condition.value, figure=figure, axis="parameters")
    first = texts(at.markdown)
    rendered = len(chart_data(at))
    if figure == "curves":
        assert len(at.get("plotly_chart")) == 2
    elif name == "bare":
        assert "no labels in this split" in first[0]
        assert rendered == 0
    elif figure == "forest":
        assert "graded by vgg11_bn only" in first[0]
        assert rendered == 0
    else:
        assert rendered == 1
    assert_healthy(view("leaderboard", condition=condition.value))


def test_single_model_has_figures_without_differences(three: Folders) -> None:
    at = view("differences", sides="resnet18")
    assert "graded by resnet18 only" in texts(at.markdown)[0]
    assert not at.dataframe
    assert len(chart_data(view("leaderboard", sides="resnet18"))) == 1


def test_times_are_measured_when_asked_for(three: Folders) -> None:
    dataset = open_dataset("tiny")
    (side,) = (side for side in list_candidates(dataset)[0] if side.name == "vgg11_bn")
    side.runs[0].write_milliseconds(12.5)
    at = view("differences", sides="vgg11_bn,resnet18", figure="pareto", axis="milliseconds")
    assert any("resnet18" in text and "vgg11_bn" not in text for text in texts(at.info))
    assert widget(at.button, Say("en")("cost_measure"))
    (costs,) = (table for table in chart_data(at) if "interval" in table)
    assert list(costs["name"]) == ["vgg11_bn"]
    for candidate in list_candidates(dataset)[0]:
        candidate.runs[0].write_milliseconds(20.0)
    at = view("differences", sides="vgg11_bn,resnet18", figure="pareto", axis="milliseconds")
    assert not at.info
    assert not at.button


def test_histories_that_say_nothing_are_no_curves(three: Folders) -> None:
    for name, written in (("vgg11_bn", ""), ("resnet18", '{"epoch": 1}\n')):
        (three.artifacts / f"run-{name}" / "history.jsonl").write_text(written)
        vouch_again(Run(three.artifacts / f"run-{name}"))
    at = view("differences", figure="curves")
    charts = [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]
    assert [[line["name"] for line in chart["data"]] for chart in charts] == [["vit_tiny"]] * 2


def test_compare_page_offers_the_report(three: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads = capture_downloads(monkeypatch)
    assert_healthy(open_page("compare", data="tiny"))
    report = downloads.offered["comparison-tiny-test-SYNTHETIC.html"]()
    assert report.startswith(b"<!DOCTYPE html>")
    assert b"vgg11_bn" in report
