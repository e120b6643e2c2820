"""A tile for each condition: its pictures by grade, the model in use and that model's kappa; picked by click or key."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from scalp_core.charts.dataset_charts import short_number
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.verdict import Estimate
from scalp_core.palette import SEVERITY_COLORS
from ui.components.assets import asset
from ui.components.colors import ink
from ui.words import Say

_tiles = st.components.v2.component(
    "scalp_condition_tiles",
    html=asset("condition_tiles.html"),
    css=asset("thumbnail.css") + asset("condition_tiles.css"),
    js=asset("elements.js") + asset("condition_tiles.js"),
)


@dataclass(frozen=True)
class Tile:
    """One condition.

    Attributes:
        pictures: address of a thumbnail by grade.
        model: the model in use; a dash where none answers.
        run: its id, and whether it was promoted.
        kappa: of that model; its interval may be undefined.
    """

    condition: Condition
    pictures: dict[int, str]
    model: str
    run: str
    kappa: Estimate


def show_condition_tiles(
    tiles: Sequence[Tile], selected: Condition, key: str, on_pick: Callable[[Condition], None], say: Say
) -> None:
    """Show the tiles.

    Args:
        on_pick: called with the condition that was clicked, before the page runs again.
    """

    def pick() -> None:
        picked = st.session_state[key].picked
        if picked in CONDITIONS:
            on_pick(Condition(picked))

    _tiles(
        key=key,
        data={
            "tiles": [_tile_content(tile, say) for tile in tiles],
            "selected": selected.value,
            "label": say.text("conditions"),
        },
        on_picked_change=pick,
    )


def _tile_content(tile: Tile, say: Say) -> dict[str, Any]:
    kappa, name = tile.kappa, say.of(tile.condition.text)
    score = "" if math.isnan(kappa.value) else short_number(kappa.value)
    interval = "" if math.isnan(kappa.low) else f"[{short_number(kappa.low)}, {short_number(kappa.high)}]"
    return {
        "key": tile.condition.value,
        "name": name,
        "pictures": [_picture_content(grade, source) for grade, source in tile.pictures.items()],
        "model": tile.model,
        "score": score,
        "interval": interval,
        "description": say.text("tile", condition=name, run=tile.run, score=score or "–", interval=interval).rstrip(),
    }


def _picture_content(grade: int, source: str) -> dict[str, str]:
    color = SEVERITY_COLORS[grade]
    return {"grade": str(grade), "source": source, "color": color, "ink": ink(color)}
