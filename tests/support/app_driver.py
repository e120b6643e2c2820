"""Pages driven without a browser, and what a reader sees of them: for the tests of pages."""

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import streamlit as st
from conftest import ROOT
from streamlit.components.v2 import manifest_scanner
from streamlit.elements.widgets.button import ButtonMixin
from streamlit.testing.v1 import AppTest

from ui.shell import PAGES

LANGUAGES = ("ko", "en")
HOSTILE = ("../../etc/passwd", "<img src=x onerror=alert(1)>", "{0.__class__}", "", "%00", "\N{SKULL}" * 300)

# Every AppTest asks each installed package whether it brings components, which takes longer than drawing a page.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


def open_page(name: str, language: str = "en", **address: str) -> AppTest:
    """The page `name` of PAGES, opened at this address."""
    at = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=120)
    at.query_params["lang"] = language
    at.switch_page(PAGES[name][0])
    for key, value in address.items():
        at.query_params[key] = value
    return at.run()


def assert_healthy(at: AppTest) -> AppTest:
    """Nothing went wrong on the page, expectedly or not."""
    assert not at.exception, [error.value for error in at.exception]
    assert not at.error, [item.value for item in at.error]
    return at


def unescape(text: str) -> str:
    """Return the text without escapes: what keeps names from becoming markup is not shown."""
    return re.sub(r"\\([^a-zA-Z0-9\s])", r"\1", text.replace(":color[]", ""))


def texts(elements: Any) -> list[str]:
    return [unescape(element.value) for element in elements]


def page_text(at: AppTest) -> str:
    return "\n".join(
        text for kind in (at.markdown, at.caption, at.info, at.warning, at.error, at.subheader) for text in texts(kind)
    )


_NO_WORDS = ("bidi_component", "vega_lite_chart", "code", "html")


def visible_words(block: Any) -> Iterator[str]:
    """All words in this part of the page: labels, options, texts, heads and cells of tables, captions of pictures."""
    for element in block.children.values():
        label = getattr(element, "label", "")
        yield label if isinstance(label, str) else ""
        options = getattr(element, "options", None)
        yield from map(str, options or ())
        # What a choice is called stands among its options; code is for copying.
        value = None if options or element.type in _NO_WORDS else getattr(element, "value", None)
        if isinstance(value, pd.DataFrame):
            table, heads = value.reset_index(), heads_of(element)
            yield from map(
                str,
                [
                    *(heads.get(name, name) for name in value.columns),
                    *(row for name in table for row in table[name] if isinstance(row, str)),
                ],
            )
        elif isinstance(value, str):
            yield value
        if getattr(element, "children", None):
            yield from visible_words(element)


def heads_of(element: Any) -> dict[str, str]:
    """Return the heads of columns that are shown under other names than the table's own."""
    columns = json.loads(getattr(element.proto, "columns", "") or "{}")
    return {name: column["label"] for name, column in columns.items() if column.get("label")}


def components(at: AppTest, name: str) -> list[dict[str, Any]]:
    """Return the data given to our components of this name."""
    protos = [node.proto for node in at if node.type == "bidi_component"]
    return [json.loads(proto.json) for proto in protos if proto.component_name.endswith(name)]


def galleries(at: AppTest) -> dict[str, list[dict[str, Any]]]:
    """Return the pictures given to each gallery, by its key."""
    protos = [node.proto for node in at if node.type == "bidi_component"]
    walls = [proto for proto in protos if proto.component_name.endswith("thumbnail_grid")]
    return {wall.id.split("-", 2)[2]: json.loads(wall.json)["pictures"] for wall in walls}


def chart_data(at: AppTest) -> list[pd.DataFrame]:
    """The data behind each chart."""
    charts = [node.proto for node in at if node.type == "vega_lite_chart"]
    return [pa.ipc.open_stream(chart.datasets[0].data.data).read_pandas() for chart in charts]


def widget(elements: Any, label: str) -> Any:
    (element,) = (element for element in elements if unescape(element.label) == label)
    return element


@dataclass
class Downloads:
    """Downloads offered by the page, by file name: the test runtime keeps no files."""

    offered: dict[str, Callable[[], bytes]] = field(default_factory=dict)

    def table(self, name: str) -> pd.DataFrame:
        return pd.read_csv(io.BytesIO(self.offered[name]()), dtype=str, keep_default_na=False)


def capture_downloads(monkeypatch: pytest.MonkeyPatch) -> Downloads:
    """From now on, what pages offer for download."""
    result = Downloads()
    draw = ButtonMixin.download_button

    def remember(block: Any, label: str, data: Callable[[], bytes], file_name: str, *rest: Any, **options: Any) -> bool:
        result.offered[file_name] = data
        return draw(block, label, data, file_name, *rest, **options)

    monkeypatch.setattr(ButtonMixin, "download_button", remember)
    monkeypatch.setattr(st, "download_button", lambda *given, **options: remember(st._main, *given, **options))
    return result
