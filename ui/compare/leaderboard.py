"""The leaderboard: what can be said in a sentence, and a metric of every model in every condition."""

import math
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from scalp_core.charts.comparison_charts import leaderboard_chart
from scalp_core.charts.comparison_tables import leaderboard_table
from scalp_core.errors import Text
from scalp_core.evaluation.baselines import Baseline, find_baselines
from scalp_core.evaluation.comparison import Model
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics import summary
from scalp_core.metrics.metrics import METRICS
from ui.compare.selection import ModelSelection
from ui.downloads import offer_figure, offer_table
from ui.words import Say

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_leaderboard(one: ModelSelection, say: Say) -> None:
    """The sentence for the condition that the address names first, then all six."""
    say_opening(one, say)
    if not one.comparison.images.any():
        return
    _say_chance(one, say)
    against = find_baselines(one.dataset, one.part)
    metric = say.of(METRICS[one.metric].text)
    st.altair_chart(
        leaderboard_chart(one.comparison, names_of(one.sides), one.metric, against, say.language),
        alt=say("leaderboard_alt", metric=metric),
    )
    _legend(one, say)

    def drawn() -> "Figure":
        from scalp_core.charts import print_figures

        given = (one.comparison, names_of(one.sides), one.metric, against, say.language)
        return print_figures.leaderboard(*given, synthetic=one.dataset.synthetic)

    offer_figure(drawn, f"leaderboard-{one.metric}-{one.part}", say, synthetic=one.dataset.synthetic)
    with st.expander(say("leaderboard_table"), icon=":material/table:"):
        _tables(one, against, say)


def names_of(sides: tuple[Model, ...]) -> dict[str, str]:
    """What the sides are called, by key."""
    return {side.key: side.name for side in sides}


# ---- in words ----


def say_opening(one: ModelSelection, say: Say) -> None:
    """What a person would say first of the chosen condition."""
    costs = {side.key: summary.Cost(side.parameters, side.milliseconds) for side in one.sides}
    first, *others = summary.summarize(one.comparison, one.condition, names_of(one.sides), costs, one.metric)
    st.markdown(f"**{say.plain(first)}** {' '.join(say.plain(other) for other in others)}")


def _say_chance(one: ModelSelection, say: Say) -> None:
    """How far it goes, so that nobody forgets."""
    told: list[Text | None] = [
        say_of(one.comparison, one.condition, one.metric)
        for say_of in (summary.chance_spread, summary.detectable_differences)
    ]
    if known := [say.plain(text) for text in told if text]:
        st.info(" ".join(known), icon=":material/casino:")


def _legend(one: ModelSelection, say: Say) -> None:
    metric = METRICS[one.metric]
    direction = say("leaderboard_more") if metric.higher_is_better else say("leaderboard_less")
    captures = f"{one.comparison.groups:,}"
    st.caption(say("leaderboard_legend", metric=say.of(metric.text), direction=direction, captures=captures))
    st.caption(say("leaderboard_letters"))


# ---- as tables ----


def _tables(one: ModelSelection, against: dict[Condition, list[Baseline]], say: Say) -> None:
    table = leaderboard_table(one.comparison, names_of(one.sides), one.metric)
    caption = say("leaderboard_caption", metric=say.of(METRICS[one.metric].text), part=say.part(one.part))
    name = f"leaderboard-{one.metric}-{one.part}"
    _offered(one, _wide(table, say), name, caption, say)
    _offered(one, _long(table, say), f"{name}-long", caption, say)
    seen = _references(against, one.metric, say)
    if not seen.empty:
        st.markdown(f"**{say('leaderboard_references')}**")
        st.dataframe(seen, hide_index=True, alt=say("leaderboard_references"))


def _offered(one: ModelSelection, table: pd.DataFrame, name: str, caption: str, say: Say) -> None:
    st.dataframe(table.round(3), hide_index=True, alt=caption)
    offer_table(table, name, say, caption, synthetic=one.dataset.synthetic)


def _wide(table: pd.DataFrame, say: Say) -> pd.DataFrame:
    """A row a model and a column a condition: `0.71 [0.66, 0.76] a`."""
    rows: dict[str, dict[str, str]] = {}
    for row in table.to_dict("records"):
        cells = rows.setdefault(row["name"], {say("leaderboard_model"): row["name"]})
        cells[say.of(Condition(row["condition"]).text)] = _cell(row)
    return pd.DataFrame(list(rows.values()))


def _cell(row: dict[str, float]) -> str:
    if math.isnan(row["value"]):
        return "–"
    reach = "" if math.isnan(row["low"]) else f" [{row['low']:z.2f}, {row['high']:z.2f}]"
    return f"{row['value']:z.2f}{reach} {row['tied']}".strip().replace("-", "−")


def _long(table: pd.DataFrame, say: Say) -> pd.DataFrame:
    """Every figure in a cell of its own."""
    heads = {
        "name": say("leaderboard_model"),
        "condition": say("condition"),
        "images": say("metric_images"),
        "value": say("leaderboard_value"),
        "low": say("leaderboard_low"),
        "high": say("leaderboard_high"),
        "tied": say("leaderboard_tied"),
        "seeds": say("leaderboard_seeds"),
        "lowest": say("leaderboard_lowest"),
        "highest": say("leaderboard_highest"),
    }
    conditions = [say.of(Condition(one).text) for one in table["condition"]]
    return table.assign(condition=conditions)[list(heads)].rename(columns=heads)


def _references(against: dict[Condition, list[Baseline]], metric: str, say: Say) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                say("leaderboard_reference"): say.of(found.name),
                say("condition"): say.of(condition.text),
                say("leaderboard_value"): f"{found.value:z.3f}",
                say("leaderboard_protocol"): say.of(found.protocol),
            }
            for condition in CONDITIONS
            for found in against.get(condition, ())
            if found.metric == metric
        ]
    )
