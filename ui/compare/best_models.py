"""The best model for each condition: chosen on validation, shown on test, promoted. Knows no statistics of its own."""

import math
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from scalp_core.errors import Text
from scalp_core.evaluation import comparison
from scalp_core.evaluation.comparison import Model
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics.metrics import HEADLINE
from scalp_core.metrics.paired_comparison import PRACTICALLY_EQUAL, Comparison, Estimate
from scalp_core.runs import champions
from scalp_core.runs.champions import Champion
from scalp_core.runs.run import Run
from ui.compare.selection import ModelSelection
from ui.downloads import offer_table
from ui.runs.promotion import promotion_buttons, show_changes, tell_broken_pins
from ui.words import Say


def show_best(one: ModelSelection, say: Say) -> None:
    """A row a condition; then the candidates for the chosen condition with their buttons."""
    tell_broken_pins(say)
    st.caption(say("best_note", margin=f"{PRACTICALLY_EQUAL:g}"))
    valid, test = (comparison.compare_models(one.dataset, one.sides, part) for part in ("valid", "test"))
    answering = champions.champions()
    rows = [_row(one, condition, valid, test, answering.get(condition), say) for condition in CONDITIONS]
    table = pd.DataFrame(rows)
    # Left to itself the column is as narrow as its head, and names are cut.
    longest = max(len(str(row.get(say("best_tied"), ""))) for row in rows)
    wide = {say("best_tied"): st.column_config.TextColumn(width=min(300, 40 + 7 * longest))}
    st.dataframe(table, hide_index=True, column_config=wide, alt=say("view_best"))
    offer_table(table, "best", say, say("view_best"), synthetic=one.dataset.synthetic)
    st.subheader(say("best_for", condition=say.of(one.condition.text)))
    _candidates(one, valid, test, answering.get(one.condition), say)
    show_changes(say)


def _row(
    one: ModelSelection, condition: Condition, valid: Comparison, test: Comparison, champion: Champion | None, say: Say
) -> dict[str, object]:
    able = [run for side in one.sides for run in side.runs if condition in run.recipe.conditions]
    near = champions.practically_equal(able, condition)
    row: dict[str, object] = {say("condition"): say.of(condition.text)}
    if not near:
        return row
    side = _side_of(one.sides, near[0])
    others = dict.fromkeys(_side_of(one.sides, run).name for run in near[1:])
    return row | {
        say("best_chosen"): side.name,
        say("best_tied"): ", ".join(name for name in others if name != side.name) or "–",
        say("qwk_valid"): _figure(valid.estimate(HEADLINE, side.key, condition)),
        say("qwk_test"): _figure(test.estimate(HEADLINE, side.key, condition)),
        say("best_answers"): _answering(champion, say),
        say("parameters"): f"{side.parameters / 1e6:.1f} M",
        say("best_time"): "–" if side.milliseconds is None else f"{side.milliseconds:.0f} ms",
    }


def _side_of(sides: Sequence[Model], run: Run) -> Model:
    return next(side for side in sides if run in side.runs)


def _figure(found: Estimate) -> str:
    if math.isnan(found.value):
        return "–"
    return f"{found.value:.2f}" if math.isnan(found.low) else f"{found.value:.2f} ({found.low:.2f}–{found.high:.2f})"


def _answering(champion: Champion | None, say: Say) -> str:
    if champion is None:
        return "–"
    return champion.run.id + (f" · {say('pinned')}" if champion.pinned else "")


def _candidates(one: ModelSelection, valid: Comparison, test: Comparison, champion: Champion | None, say: Say) -> None:
    """Every model that grades the condition, the best on validation first."""
    able = [side for side in one.sides if one.condition in side.recipe.conditions]
    if not able:
        st.info(say("compare_no_model"))
        return
    place = valid.conditions.index(one.condition)
    reached = dict(zip(valid.sides, valid.values(HEADLINE)[:, place], strict=True))
    for side in sorted(able, key=lambda side: -math.inf if math.isnan(reached[side.key]) else -reached[side.key]):
        told, buttons = st.columns([3, 2], vertical_alignment="center")
        figures = {
            name: _figure(found.estimate(HEADLINE, side.key, one.condition))
            for name, found in (("valid", valid), ("test", test))
        }
        why = say("best_candidate", **figures)
        told.markdown(f"**{say.plain(Text(side.name, side.name))}** · {why}")
        with buttons.container(horizontal=True):
            promotion_buttons(side.runs[0], one.condition, champion, why, say)
