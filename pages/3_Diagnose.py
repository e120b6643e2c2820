"""Pictures in, six graded conditions each out, with their reasons, and with a word where one cannot be graded."""

import streamlit as st

from scalp_core.errors import Text
from scalp_core.inference import predict
from ui.choices import choose_threshold
from ui.diagnose.grading import grade_all, typed
from ui.diagnose.overview import name_of, show_overview
from ui.diagnose.picture import show_graded
from ui.diagnose.sources import chosen, handed_in
from ui.shell import show
from ui.words import Say


def diagnose(say: Say) -> None:
    shots = handed_in(say)
    if not shots:
        st.info(say("diagnose_wait"))
        return
    graders = predict.graders()
    if any(run.synthetic for run in graders.points):
        st.warning(say("diagnose_synthetic"), icon=":material/draw:")
    graded = grade_all(shots, graders, say)
    opened = chosen(shots)
    if len(shots) == 1:
        show_graded(graded[0], say)
        return
    threshold = choose_threshold(say)
    show_overview([typed(one, threshold) for one in graded], opened, say)
    if opened:
        one = graded[shots.index(opened)]
        name = name_of(one, graded, say)
        st.header(say.plain(Text(name, name)), divider="gray")
        show_graded(one, say, threshold)


show("diagnose", diagnose)
