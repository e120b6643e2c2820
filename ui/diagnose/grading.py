"""What was found out about the pictures of this session: each is graded once and kept while the session lasts.

Nothing is kept across sessions or written anywhere. Memory is bounded: of a picture only its answer and a thumbnail
stay, and of everything only the latest few.
"""

import base64
import io
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from PIL import Image

from scalp_core import images
from scalp_core.errors import ScalpError
from scalp_core.images import Pixels
from scalp_core.inference.input_gate import Reason
from scalp_core.inference.predict import Answer, Graders
from scalp_core.labels import scalp_type
from ui.diagnose.sources import InputImage
from ui.words import Say

Found = TypeVar("Found")

_ANSWERS, _FOUND, _INSISTED = "diagnose-answers", "diagnose-found", "diagnose-insisted"
_MOST_ANSWERS = 300
_MOST_FOUND = 4  # of a kind
_THUMBNAIL, _SHOWN = 160, 1280  # pixels along the longer edge


@dataclass(frozen=True, eq=False)
class Graded:
    """A shot with what is said of it.

    Attributes:
        answer: its picture has only the pixels of a thumbnail.
        thumbnail: data URL; empty without a picture.
        insisted: somebody wants the grades although the gate advises against them.
    """

    shot: InputImage
    answer: Answer | ScalpError
    thumbnail: str = ""
    insisted: bool = False

    @property
    def graded(self) -> Answer:
        """The answer, where there is one; raises ScalpError otherwise."""
        if isinstance(self.answer, ScalpError):
            raise self.answer
        return self.answer

    @property
    def data(self) -> bytes:
        """What was graded; raises ScalpError where there is nothing."""
        if isinstance(self.shot.data, ScalpError):
            raise self.shot.data
        return self.shot.data

    @property
    def withheld(self) -> bool:
        """The gate advises against grading, and nobody insisted."""
        return self.flagged and not self.insisted

    @property
    def flagged(self) -> bool:
        return isinstance(self.answer, Answer) and self.answer.gradable is False

    @property
    def reasons(self) -> tuple[Reason, ...]:
        return (self.answer.reasons or ()) if isinstance(self.answer, Answer) else ()


def identity(graders: Graders) -> Hashable:
    """Of whom the answers are: another run, decision, short cut or gate gives other ones."""
    facts = [(run.id, run.finished_ns, repr(graders.points[run]), serving) for run, serving in graders.serving.items()]
    gate_ns = graders.main.gate_path.stat().st_mtime_ns if graders.gate else 0
    return tuple(facts), tuple((condition, run.id) for condition, run in graders.runs.items()), gate_ns


def grade_all(shots: Sequence[InputImage], graders: Graders, say: Say) -> list[Graded]:
    """Every shot with its answer; those not graded in this session yet are graded now, with progress.

    Raises:
        ScalpError: a run that answers is damaged. What is wrong with a picture stands in its place.
    """
    graders.load()
    who, known = identity(graders), _answers()
    todo = {shot.digest: shot for shot in shots if shot.digest and (who, shot.digest) not in known}
    bar = st.empty()
    for number, shot in enumerate(todo.values()):
        bar.progress(number / len(todo), text=say("diagnose_progress", done=number, total=len(todo)))
        known[who, shot.digest] = _grade(shot.data, graders)
    bar.empty()
    graded = [_graded(shot, known, who) for shot in shots]
    while len(known) > _MOST_ANSWERS:
        known.popitem(last=False)
    return graded


def _grade(data: bytes | ScalpError, graders: Graders) -> tuple[Answer | ScalpError, str]:
    if isinstance(data, ScalpError):
        return data, ""
    try:
        answer = graders.grade(data)
    except ScalpError as error:
        return error, ""
    small = shrunk(answer.picture.pixels, _THUMBNAIL)
    return replace(answer, picture=replace(answer.picture, pixels=small)), _data_url(small)


def _graded(shot: InputImage, known: "OrderedDict[Any, Any]", who: Hashable) -> Graded:
    if isinstance(shot.data, ScalpError):
        return Graded(shot, shot.data)
    known.move_to_end((who, shot.digest))
    answer, thumbnail = known[who, shot.digest]
    return Graded(shot, answer, thumbnail, shot.digest in st.session_state.get(_INSISTED, ()))


def typed(one: Graded, threshold: int) -> Graded:
    """With the scalp type at another threshold; the grades are the same."""
    if isinstance(one.answer, ScalpError):
        return one
    grades = {condition: int(grading.grade) for condition, grading in one.answer.gradings.items()}
    return replace(one, answer=replace(one.answer, scalp_type=scalp_type(grades, threshold)))


def insist(shot: InputImage) -> None:
    """From now on the grades of this picture are shown, whatever the gate says."""
    st.session_state[_INSISTED] = st.session_state.get(_INSISTED, frozenset()) | {shot.digest}


def pixels_of(shot: InputImage) -> Pixels:
    """The picture large enough to be looked at.

    Raises:
        ScalpError: as images.decode.
    """
    data = shot.data
    if isinstance(data, ScalpError):
        raise data
    return remembered("pixels", shot.digest, lambda: shrunk(images.decode(data).pixels, _SHOWN))


def remembered(kind: str, key: Hashable, make: Callable[[], Found]) -> Found:
    """What `make` found out for this key, earlier in this session or now; the latest few of a kind are kept."""
    known = st.session_state.setdefault(f"{_FOUND}-{kind}", OrderedDict())
    if key not in known:
        known[key] = make()
    known.move_to_end(key)
    while len(known) > _MOST_FOUND:
        known.popitem(last=False)
    found: Found = known[key]
    return found


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """The picture with at most `side` pixels along its longer edge."""
    image = Image.fromarray(pixels)
    image.thumbnail((side, side))
    return np.asarray(image)


def _answers() -> "OrderedDict[Any, Any]":
    known: OrderedDict[Any, Any] = st.session_state.setdefault(_ANSWERS, OrderedDict())
    return known


def _data_url(pixels: Pixels) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=75, method=2)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
