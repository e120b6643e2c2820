"""Human beside model: how many pictures each model has to leave to a person, for as few unseen far errors as chosen.

The limit is in the address (`limit`). Saving one is the decision lab's.
"""

from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from scalp_core.charts.comparison_charts import referral_chart
from scalp_core.charts.comparison_tables import referral_table
from scalp_core.evaluation.referral import compare_referral
from scalp_core.metrics.alignment import FAR
from scalp_core.metrics.referral import LIMITS
from ui.choices import choose_from_list
from ui.compare.leaderboard import names_by_key, show_summary
from ui.compare.selection import ModelSelection
from ui.downloads import offer_figure, offer_table, show_table
from ui.words import Say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FIRST_LIMIT = 0.01


def show_referral(selection: ModelSelection, say: Say) -> None:
    """Show the referral curves of the models, and what each leaves to a person at the chosen limit."""
    keys = selection.comparison.graded(selection.condition, selection.metric)
    models = [model for model in selection.models if model.key in keys]
    if not models:
        show_summary(selection, say)
        return
    limits = sorted(LIMITS, key=lambda limit: limit != _FIRST_LIMIT)  # the first is the default
    with st.container(width=280):
        names = {f"{limit:g}": limit_words(limit) for limit in limits}
        limit = float(choose_from_list(say("referral_limit"), names, "limit", say.language))
    referrals = compare_referral(selection.dataset, models, selection.part, selection.condition, limit)
    table = referral_table(referrals, {model.key: len(model.runs) for model in models})
    _show_outcome(selection, table, limit, say)
    curves = {referral.name: referral.curve for referral in referrals}
    points = table.dropna(subset="referred")[["name", "referred", "unseen"]]
    st.altair_chart(
        referral_chart(curves, points, limit, say.language),
        alt=say.text("referral_alt", condition=say.of(selection.condition.text)),
    )
    st.caption(say("referral_note", distance=FAR))

    def figure() -> "Figure":
        from scalp_core.charts import print_figures

        return print_figures.referral(
            curves,
            points,
            limit,
            say.language,
            condition=selection.condition,
            synthetic=selection.dataset.synthetic,
        )

    name = f"referral-{selection.condition.code}-{selection.part}"
    offer_figure(figure, name, say, synthetic=selection.dataset.synthetic)
    _show_table(selection, table, limit, name, say)


def limit_words(limit: float) -> str:
    """Return a limit as a percentage, without zeros behind it."""
    return f"{100 * limit:g}%"


def _show_outcome(selection: ModelSelection, table: pd.DataFrame, limit: float, say: Say) -> None:
    """Say what the model with the smallest area leaves to a person, and which far errors stay unseen."""
    with_threshold = table.dropna(subset="referred")
    if with_threshold.empty:
        st.info(say("referral_uncalibrated"))
        return
    best = with_threshold.loc[with_threshold["area"].idxmin()]
    shares = {name: f"{100 * best[name]:.1f}" for name in ("unseen", "unseen_low", "unseen_high", "far")}
    name, referred = names_by_key(selection.models)[best["model"]], f"{best['referred']:.0%}"
    sentence = say("referral_outcome", name=name, referred=referred, limit=limit_words(limit), **shares)
    st.markdown(f"**{sentence}**")


def _show_table(selection: ModelSelection, table: pd.DataFrame, limit: float, name: str, say: Say) -> None:
    heads = {
        "name": say("leaderboard_model"),
        "images": say("metric_images"),
        "far": say("referral_far"),
        "referred": say("referral_referred"),
        "referred_low": say("leaderboard_low"),
        "referred_high": say("leaderboard_high"),
        "unseen": say("referral_unseen"),
        "unseen_low": say("leaderboard_low"),
        "unseen_high": say("leaderboard_high"),
        "area": say("referral_area"),
        "area_low": say("leaderboard_low"),
        "area_high": say("leaderboard_high"),
    }
    caption = f"{say('view_referral')}: {say.of(selection.condition.text)}"
    facts = {"part": selection.part, "condition": selection.condition.value, "limit": limit}
    figures = selection.figures(table.drop(columns="name"), **facts)
    formats = dict.fromkeys((column for column in heads if column not in ("name", "images")), "%.4f")
    with st.expander(say("leaderboard_table"), icon=":material/table:"):
        displayed = show_table(table, heads, caption, formats)
        offer_table(displayed, figures, name, say, caption, synthetic=selection.dataset.synthetic)
