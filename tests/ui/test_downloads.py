"""Tables and figures as files: what stands in them, what they are called, and that they are made when asked for."""

import io
import re

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from support.app_driver import Downloads, capture_downloads

from ui.downloads import as_csv, as_latex, escape_latex, file_stem
from ui.words import Say

TABLE = pd.DataFrame(
    {
        "모델": ["resnet18", "vgg_11 & 50 %"],
        "QWK ↑": [0.81234, float("nan")],
        "사진 수": [653, 12],
        "판단": ["판단 보류", "=1+1"],
    }
)


def page(language: str, synthetic: bool) -> None:
    import pandas as pd
    import streamlit as st

    from ui.downloads import offer_figure, offer_table, show_table
    from ui.words import Say

    def make():
        from scalp_core.charts import print_figures

        st.session_state["drawn"] = True
        history = pd.DataFrame({"epoch": [1, 2], "valid_qwk": [0.1, 0.2]})
        return print_figures.curves({"resnet18": history}, "valid_qwk", language, synthetic=synthetic)

    say, figures = Say(language), pd.DataFrame({"a_b": [1.5]})
    displayed = show_table(figures, {"a_b": "A & B"}, "all of it")
    offer_table(displayed, figures, "board ../x", say, "100 % of it", synthetic=synthetic)
    offer_figure(make, "curves", say, synthetic=synthetic)


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> Downloads:
    return capture_downloads(monkeypatch)


def test_export_offers_lazy_files(downloads: Downloads) -> None:
    at = AppTest.from_function(page, kwargs={"language": "ko", "synthetic": True}).run()
    assert not at.exception
    say = Say("ko")
    assert [item.proto.popover.label for item in at.get("popover")] == [say("export_table"), say("export_figure")]
    assert set(downloads.offered) == {
        *("board-..-x-SYNTHETIC.csv", "board-..-x-SYNTHETIC.tex", "curves-SYNTHETIC.svg", "curves-SYNTHETIC.png"),
        "curves-SYNTHETIC.pdf",
    }
    assert "drawn" not in at.session_state
    assert downloads.table("board-..-x-SYNTHETIC.csv")["a_b"].tolist() == ["1.5"]
    latex = downloads.offered["board-..-x-SYNTHETIC.tex"]().decode()
    assert r"\caption{100 \% of it (SYNTHETIC pictures)}" in latex
    assert r"A \& B \\" in latex.splitlines()
    assert at.dataframe[0].value["a_b"].tolist() == [1.5]  # the name of the browser's own download


def test_pictures_that_were_taken_are_not_called_synthetic(downloads: Downloads) -> None:
    AppTest.from_function(page, kwargs={"language": "en", "synthetic": False}).run()
    assert set(downloads.offered) == {"board-..-x.csv", "board-..-x.tex", "curves.svg", "curves.png", "curves.pdf"}
    assert "SYNTHETIC" not in downloads.offered["board-..-x.tex"]().decode()


def test_figure_is_drawn_when_it_is_asked_for(downloads: Downloads) -> None:
    AppTest.from_function(page, kwargs={"language": "en", "synthetic": True}).run()
    svg = downloads.offered["curves-SYNTHETIC.svg"]().decode()
    assert ">resnet18</text>" in svg
    assert "SYNTHETIC pictures" in svg
    assert downloads.offered["curves-SYNTHETIC.png"]().startswith(b"\x89PNG")


def test_spreadsheets_read_korean_and_run_nothing() -> None:
    written = as_csv(TABLE)
    assert written.startswith(b"\xef\xbb\xbf")  # without it they guess another encoding
    assert b"\r\n" in written
    read = pd.read_csv(io.BytesIO(written))
    assert list(read) == list(TABLE)
    assert read["판단"].tolist() == ["판단 보류", "'=1+1"]
    assert read["QWK ↑"].iloc[0] == 0.81234  # every digit, for further work
    numbers = as_csv(
        pd.DataFrame({"difference": [-0.25, float("nan")], "p": [1e-07, 0.5], "parameters": [9_200_000, 1]})
    )
    assert numbers.decode("utf-8-sig").splitlines()[1:] == ["-0.25,1e-07,9200000", ",0.5,1"]
    hostile = as_csv(pd.DataFrame({"@x": ["-2+3", "+1", "\tx", "fine", "0.5"]}))
    assert pd.read_csv(io.BytesIO(hostile))["'@x"].tolist() == ["'-2+3", "'+1", "'\tx", "fine", "0.5"]


def test_a_table_for_latex_is_escaped_and_aligned() -> None:
    written = as_latex(TABLE, "A & B_1", "board-SYNTHETIC")
    lines = written.splitlines()
    assert r"\begin{tabular}{lrrl}" in lines
    assert r"\caption{A \& B\_1}" in lines
    assert r"\label{tab:board-SYNTHETIC}" in lines
    assert r"모델 & QWK $\uparrow$ & 사진 수 & 판단 \\" in lines
    assert r"resnet18 & 0.812 & 653 & 판단 보류 \\" in lines
    assert r"vgg\_11 \& 50 \% & -- & 12 & =1+1 \\" in lines
    assert [line for line in lines if line in (r"\toprule", r"\midrule", r"\bottomrule")] == [
        *(r"\toprule", r"\midrule", r"\bottomrule")
    ]


def test_small_numbers_are_no_zeros_in_latex() -> None:
    lines = as_latex(pd.DataFrame({"p": [0.00002, 0.0, -0.2]}), "", "p").splitlines()
    assert [line for line in lines if "0" in line] == [r"2e-05 \\", r"0.000 \\", r"-0.200 \\"]


def test_nothing_that_was_typed_is_command_of_latex() -> None:
    written = escape_latex(r"\input{/etc/passwd} $x^2$ #1 ~ <b> | 5 % − 3 → 2 ≥ 1")
    plain = re.sub(r"\$[^$]*\$|\\(textbackslash|textasciicircum|textasciitilde)\{\}|\\[&%$#_{}]", "", written)
    assert not re.search(r"[\\&%$#_{}~^<>|−→≥]", plain)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("wall-value_4-test", "wall-value_4-test"),
        ("../../etc/passwd", "etc-passwd"),
        ("모델 비교", "export"),
        ("a" * 300, "a" * 120),
        ("", "export"),
    ],
)
def test_file_names_are_plain_on_every_system(name: str, stem: str) -> None:
    assert file_stem(name, synthetic=False) == stem
    assert file_stem(name, synthetic=True) == f"{stem}-SYNTHETIC"
