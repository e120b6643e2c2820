"""The wall of thumbnails: what it hands to the browser. How it is clicked and drawn is in test_browser.py."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from support.app_driver import assert_healthy, components

from scalp_core.data.dataset import Dataset
from scalp_core.data.thumbnails import address, thumbnail_at
from scalp_core.palette import SEVERITY_COLORS


def wall_page(ids: list[str], captions: list[str], grades: list[int | None] | None) -> None:
    from scalp_core.data.dataset import open_dataset
    from ui.components.thumbnail_grid import show_thumbnail_grid

    show_thumbnail_grid(open_dataset("tiny"), ids, captions, key="wall", selected=ids[0], grades=grades)


def wall(ids: list[str], captions: list[str] | None = None, grades: list[int | None] | None = None) -> dict[str, Any]:
    """Return the component's data for these pictures of "tiny"."""
    at = AppTest.from_function(wall_page, default_timeout=120, args=(ids, captions or ids, grades)).run()
    (document,) = components(assert_healthy(at), "thumbnail_grid")
    return document


@pytest.fixture
def ids(tiny: Dataset) -> list[str]:
    return list(tiny.column("id").iloc[[3, 0, 40]])


def test_pictures_are_addresses_and_not_their_bytes(tiny: Dataset, ids: list[str]) -> None:
    message = wall(ids, ["one", "two", "<b>three</b>"])
    assert [picture["id"] for picture in message["pictures"]] == ids
    assert [picture["caption"] for picture in message["pictures"]] == ["one", "two", "<b>three</b>"]
    assert [picture["source"] for picture in message["pictures"]] == ["/" + address(tiny, row) for row in (3, 0, 40)]
    assert message["selected"] == ids[0]
    for picture in message["pictures"]:
        assert thumbnail_at(picture["source"].removeprefix("/")).startswith(b"RIFF")


def test_below_a_base_path_the_addresses_are_too(
    tiny: Dataset, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALP_BASE_PATH", "/lab/scalp/")
    message = wall(ids)
    assert message["pictures"][0]["source"] == f"/lab/scalp/{address(tiny, 3)}"


def test_picture_that_index_no_longer_has_is_gap(ids: list[str]) -> None:
    message = wall([ids[0], "../../etc/passwd"])
    assert [bool(picture["source"]) for picture in message["pictures"]] == [True, False]


def test_grades_are_dots_in_colours_of_all_charts(ids: list[str]) -> None:
    message = wall(ids, grades=[0, 3, None])
    assert [picture["badge"] for picture in message["pictures"]] == [SEVERITY_COLORS[0], SEVERITY_COLORS[3], ""]
    assert {picture["badge"] for picture in wall(ids)["pictures"]} == {""}
