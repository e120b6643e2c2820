"""Grades of the pictures of this session: each picture is graded once and kept while the session lasts.

Nothing is kept across sessions or written anywhere. Memory is bounded: of a picture only its answer and a thumbnail
stay, and of everything only the latest few.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from PIL import Image

from scalp_core.errors import ScalpError
from scalp_core.images import Pixels, decode
from scalp_core.inference.input_gate import Reason
from scalp_core.inference.predict import Answer, Graders
from scalp_core.labels import scalp_type
from ui.components.picture_urls import picture_url
from ui.diagnose.sources import InputImage
from ui.words import Say

Value = TypeVar("Value")

_OUTCOMES, _CACHE, _INSISTED = "diagnose-outcomes", "diagnose-cache", "diagnose-insisted"
_MOST_OUTCOMES = 300
_MOST_CACHED = 4  # values of a kind
_THUMBNAIL_SIZE, _SHOWN_SIZE = 160, 1280  # pixels along the longer edge


@dataclass(frozen=True, eq=False)
class GradedImage:
    """A picture with its grades.

    Attributes:
        outcome: the answer, whose picture has only the pixels of a thumbnail; or the reason why there is none.
        thumbnail: data URL; empty without a picture.
        insisted: the reader wants the grades although the gate withholds them.
    """

    image: InputImage
    outcome: Answer | ScalpError
    thumbnail: str = ""
    insisted: bool = False

    @property
    def answer(self) -> Answer:
        """The answer; raises ScalpError where there is none."""
        if isinstance(self.outcome, ScalpError):
            raise self.outcome
        return self.outcome

    @property
    def data(self) -> bytes:
        """The content of the file; raises ScalpError where there is none."""
        if isinstance(self.image.data, ScalpError):
            raise self.image.data
        return self.image.data

    @property
    def withheld(self) -> bool:
        """The gate advises against grading, and the reader did not insist."""
        return self.flagged and not self.insisted

    @property
    def shown(self) -> bool:
        """The page shows grades of the picture."""
        return isinstance(self.outcome, Answer) and not self.withheld

    @property
    def flagged(self) -> bool:
        return isinstance(self.outcome, Answer) and self.outcome.gradable is False

    @property
    def unusual(self) -> bool:
        """The gate marks the picture, graded or not."""
        return isinstance(self.outcome, Answer) and bool(self.outcome.remarks)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        return (self.outcome.reasons or ()) if isinstance(self.outcome, Answer) else ()


def _identity(graders: Graders) -> Hashable:
    """Return what the answers depend on beside the picture: runs, decisions, optimized exports and the gate."""
    facts = [(run.id, run.finished_ns, repr(graders.points[run]), serving) for run, serving in graders.serving.items()]
    gate_ns = graders.main.gate_path.stat().st_mtime_ns if graders.gate else 0
    return tuple(facts), tuple((condition, run.id) for condition, run in graders.runs.items()), gate_ns


def grade_all(images: Sequence[InputImage], graders: Graders, say: Say) -> list[GradedImage]:
    """Grade the pictures, with progress; those graded in this session before are not graded again.

    Raises:
        ScalpError: a run that answers is damaged. A fault of a picture stands in its outcome instead.
    """
    graders.load()
    identity, outcomes = _identity(graders), _session_outcomes()
    waiting = {image.digest: image for image in images if image.digest and (identity, image.digest) not in outcomes}
    bar = st.empty()
    for number, image in enumerate(waiting.values()):
        bar.progress(number / len(waiting), text=say("diagnose_progress", done=number, total=len(waiting)))
        outcomes[identity, image.digest] = _grade(image.data, graders)
    bar.empty()
    graded_images = [_graded(image, outcomes, identity) for image in images]
    while len(outcomes) > _MOST_OUTCOMES:
        outcomes.popitem(last=False)
    return graded_images


def grade_for_all_sessions(image: InputImage, graders: Graders) -> GradedImage:
    """Grade a picture that is not private, such as an example, once for all sessions.

    Raises:
        ScalpError: a run that answers is damaged.
    """
    graders.load()
    outcome, thumbnail = _shared_outcome(image.digest, repr(_identity(graders)), image.data, graders)
    return GradedImage(image, outcome, thumbnail, image.digest in st.session_state.get(_INSISTED, ()))


@st.cache_resource(max_entries=_MOST_CACHED, show_spinner=False)
def _shared_outcome(
    digest: str, identity: str, _data: bytes | ScalpError, _graders: Graders
) -> tuple[Answer | ScalpError, str]:
    return _grade(_data, _graders)


def _grade(data: bytes | ScalpError, graders: Graders) -> tuple[Answer | ScalpError, str]:
    """Return the outcome and the thumbnail."""
    if isinstance(data, ScalpError):
        return data, ""
    try:
        answer = graders.grade(data)
    except ScalpError as error:
        return error, ""
    small = shrink(answer.picture.pixels, _THUMBNAIL_SIZE)
    return replace(answer, picture=replace(answer.picture, pixels=small)), picture_url(small, quality=75)


def _graded(image: InputImage, outcomes: "OrderedDict[Any, Any]", identity: Hashable) -> GradedImage:
    if isinstance(image.data, ScalpError):
        return GradedImage(image, image.data)
    outcomes.move_to_end((identity, image.digest))
    outcome, thumbnail = outcomes[identity, image.digest]
    return GradedImage(image, outcome, thumbnail, image.digest in st.session_state.get(_INSISTED, ()))


def with_threshold(graded: GradedImage, threshold: int) -> GradedImage:
    """Return the picture with the scalp type at another threshold; the grades are the same."""
    if isinstance(graded.outcome, ScalpError):
        return graded
    grades = {condition: int(grading.grade) for condition, grading in graded.outcome.gradings.items()}
    return replace(graded, outcome=replace(graded.outcome, scalp_type=scalp_type(grades, threshold)))


def insist(image: InputImage) -> None:
    """Let the grades of this picture be shown from now on, whatever the gate says."""
    st.session_state[_INSISTED] = st.session_state.get(_INSISTED, frozenset()) | {image.digest}


def pixels_of(image: InputImage) -> Pixels:
    """Return the picture large enough to be looked at.

    Raises:
        ScalpError: the picture cannot be read.
    """
    data = image.data
    if isinstance(data, ScalpError):
        raise data
    return cached_in_session("pixels", image.digest, lambda: shrink(decode(data).pixels, _SHOWN_SIZE))


def cached_in_session(kind: str, key: Hashable, make: Callable[[], Value]) -> Value:
    """Return what `make` makes for this key, now or earlier in this session; the latest few of a kind are kept."""
    values = st.session_state.setdefault(f"{_CACHE}-{kind}", OrderedDict())
    if key not in values:
        values[key] = make()
    values.move_to_end(key)
    while len(values) > _MOST_CACHED:
        values.popitem(last=False)
    value: Value = values[key]
    return value


def shrink(pixels: Pixels, size: int) -> Pixels:
    """Return the picture with at most `size` pixels along its longer edge."""
    image = Image.fromarray(pixels)
    image.thumbnail((size, size))
    return np.asarray(image)


def _session_outcomes() -> "OrderedDict[Any, Any]":
    outcomes: OrderedDict[Any, Any] = st.session_state.setdefault(_OUTCOMES, OrderedDict())
    return outcomes
