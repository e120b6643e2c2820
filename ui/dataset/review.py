"""Label review: a picture at a time is graded anew by keys, blind to its label, to models and to other readers."""

import hashlib
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from scalp_core import images
from scalp_core.charts.dataset_charts import grade_name
from scalp_core.data.dataset import Dataset
from scalp_core.data.reviews import (
    MOST_LETTERS,
    OUTCOMES,
    entries,
    make_reviewed,
    record,
    reviewed_labels,
    standing,
    undo,
)
from scalp_core.errors import ScalpError
from scalp_core.evaluation.label_review import reader_agreements, suspects
from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.terms import capitalized
from ui.access import change_button, change_form_button
from ui.choices import choose, choose_from_list, turn_to
from ui.components.picture_urls import picture_url
from ui.downloads import as_csv, offer_file, show_table
from ui.feedback import toast_after_rerun
from ui.frame import toolbar
from ui.markdown import literal
from ui.words import Say

LISTS = ("suspects", "second", "conflicts")
MOST_SUSPECTS = 200  # pictures of a condition; farther down models contradict few labels
_READER = "review-reader"


def show_review(dataset: Dataset, say: Say) -> None:
    """Show the next picture of the list in the address, and what came of the review so far."""
    with toolbar():
        names = {name: say(f"review_list_{name}") for name in LISTS}
        which = choose_from_list(say("review_list"), names, "list", say.language)
        conditions = {condition.value: say(f"short_{condition.code}") for condition in CONDITIONS}
        default = CONDITIONS[0].value
        condition = Condition(choose(say("condition"), conditions, "condition", default, say.language))
    reader = _choose_reader(say)
    log = entries(dataset)
    if reader:
        _show_next(dataset, condition, which, reader, log, say)
    else:
        st.info(say("review_begin"), icon=":material/person:")
    _show_outcome(dataset, condition, log, say)


def _choose_reader(say: Say) -> str:
    with st.container(width=280):
        name = st.text_input(
            say("review_reader"),
            st.session_state.get(_READER, ""),
            MOST_LETTERS,
            key=f"{_READER}-{say.language}",
            help=say("review_blind"),
        )
    st.session_state[_READER] = " ".join((name or "").split())
    reader: str = st.session_state[_READER]
    return reader


# ---- the next picture ----


def _show_next(dataset: Dataset, condition: Condition, which: str, reader: str, log: pd.DataFrame, say: Say) -> None:
    waiting = _waiting(dataset, condition, which, reader, log)
    kept = standing(log)
    done = int(((kept["reader"] == reader) & (kept["condition"] == condition.value)).sum())
    st.caption(say("review_progress", waiting=len(waiting), done=done))
    if not waiting:
        st.info(say(f"review_none_{which}"), icon=":material/done_all:")
        _offer_undo(dataset, condition, reader, say)
        return
    image_id = waiting[0]
    left, right = st.columns([3, 2])
    with left:
        try:
            pixels = images.decode(dataset.read(image_id)).pixels
        except ScalpError as error:  # the reader can skip it
            st.error(say.plain(error.text))
        else:
            st.image(picture_url(pixels), width="stretch", alt=say("review_picture"))
    with right:
        kind = "settle" if which == "conflicts" else "grade"
        st.markdown(f"**{say('review_question', condition=say.of(capitalized(condition.text)))}**")
        if kind == "settle":
            _show_conflict(log, image_id, condition, say)
        _offer_grades(dataset, condition, reader, image_id, kind, say)
        _offer_undo(dataset, condition, reader, say)


def _waiting(dataset: Dataset, condition: Condition, which: str, reader: str, log: pd.DataFrame) -> list[str]:
    """Return the pictures of the list that the reader has not answered, in the order in which they come."""
    kept = standing(log)
    of_condition = kept[kept["condition"] == condition.value]
    own = set(of_condition.loc[of_condition["reader"] == reader, "image"])
    if which == "conflicts":
        labels = reviewed_labels(log)
        rows = labels[(labels["condition"] == condition.value) & (labels["outcome"] == "conflict")]
        return _here(dataset, rows["image"].tolist())
    if which == "second":
        others = of_condition[(of_condition["reader"] != reader) & (of_condition["kind"] == "grade")]
        images_of_others = set(others["image"]) - own
        # An order that tells nothing of the first reading.
        return _here(dataset, sorted(images_of_others, key=lambda image: hashlib.sha256(image.encode()).digest()))
    ranked = suspects(dataset, condition)["image"].head(MOST_SUSPECTS)
    return _here(dataset, [image for image in ranked if image not in own])


def _here(dataset: Dataset, ids: Sequence[str]) -> list[str]:
    return [image for image in ids if dataset.row(image) >= 0]


def _show_conflict(log: pd.DataFrame, image_id: str, condition: Condition, say: Say) -> None:
    kept = standing(log)
    rows = kept[(kept["image"] == image_id) & (kept["condition"] == condition.value) & (kept["kind"] == "grade")]
    grades = sorted({int(grade) for grade in rows["grade"].dropna()})
    st.markdown(say("review_contradiction", grades=", ".join(grade_name(grade, say.language) for grade in grades)))


def _offer_grades(dataset: Dataset, condition: Condition, reader: str, image_id: str, kind: str, say: Say) -> None:
    """Offer a button for each grade, and one to skip the picture; each has a key."""
    key = f"review-{condition.value}"
    for grade in GRADES:
        name = literal(grade_name(grade, say.language))
        if change_button(name, say, key=f"{key}-{int(grade)}", shortcut=str(int(grade)), width="stretch"):
            record(dataset, reader, image_id, condition, kind, int(grade))
            st.rerun()
    if kind == "grade" and change_button(
        say("review_skip"), say, key=f"{key}-skip", shortcut="s", width="stretch", icon=":material/skip_next:"
    ):
        record(dataset, reader, image_id, condition, "skip")
        st.rerun()


def _offer_undo(dataset: Dataset, condition: Condition, reader: str, say: Say) -> None:
    key = f"review-{condition.value}-undo"
    if not change_button(say("review_undo"), say, key=key, shortcut="u", width="stretch", icon=":material/undo:"):
        return
    undone = undo(dataset, reader, condition)
    toast_after_rerun(say("review_undone") if undone else say("review_nothing_to_undo"))
    st.rerun()


# ---- what came of it ----


def _show_outcome(dataset: Dataset, condition: Condition, log: pd.DataFrame, say: Say) -> None:
    if log.empty:
        return
    with st.expander(say("review_outcome"), icon=":material/rule:"):
        labels = reviewed_labels(log)
        counts = labels.groupby("outcome").size()
        words = [
            say(f"review_count_{outcome}", count=int(counts[outcome])) for outcome in OUTCOMES if outcome in counts
        ]
        st.markdown(" · ".join(words))
        _show_agreement(dataset, condition, log, say)
        with st.container(horizontal=True):
            offer_file(say("review_log"), lambda: as_csv(entries(dataset)), f"{dataset.name}-review.csv", "text/csv")
        _offer_dataset(dataset, say)


def _show_agreement(dataset: Dataset, condition: Condition, log: pd.DataFrame, say: Say) -> None:
    agreements = reader_agreements(dataset, log, condition)
    if not agreements:
        return
    rows = [
        {"first": pair.readers[0], "second": pair.readers[1], "images": pair.images, "kappa": pair.kappa}
        | {"lower": pair.low, "upper": pair.high}
        for pair in agreements
    ]
    heads = {
        "first": say("review_first"),
        "second": say("review_second_reader"),
        "images": say("metric_images"),
        "kappa": say("review_kappa"),
        "lower": say("leaderboard_low"),
        "upper": say("leaderboard_high"),
    }
    show_table(pd.DataFrame(rows), heads, say("review_agreement"))


def _offer_dataset(dataset: Dataset, say: Say) -> None:
    with st.form("review-dataset", border=False):
        name = st.text_input(say("review_name"), f"{dataset.name}-reviewed"[:64], 64, key="review-name")
        pressed = change_form_button(say("review_make"), say, icon=":material/library_add:")
    st.caption(say("review_make_note"))
    if pressed:
        made = make_reviewed(dataset, (name or "").strip())
        toast_after_rerun(say("review_made", name=made.name))
        turn_to({"data": made.name, "view": "pictures"})
        st.rerun()
