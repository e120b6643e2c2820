"""Where the pictures to be graded come from: files, a folder, the camera, a data set. Knows no grade."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from scalp_core.data.dataset import Dataset
from scalp_core.data.filters import Filters, grades, labels_of, neighbours, select
from scalp_core.errors import ScalpError, Text
from scalp_core.inference import uploads
from scalp_core.labels import CONDITIONS, REGIONS, Condition
from ui.choices import asked_dataset, choose, write_address
from ui.components.gallery import show_gallery
from ui.words import Say

EXAMPLES = 12
_PICTURES = ["jpg", "jpeg", "png", "webp"]
_MOST_MEGABYTES = uploads.MAX_BYTES // 2**20
_LEFT_OUT = "too_many_pictures"  # intake's code
_FILES, _CHOSEN = "diagnose-files", "diagnose-chosen"


@dataclass(frozen=True, eq=False)
class InputImage:
    """One picture that was handed in.

    Attributes:
        key: tells it from the others of the same hand-in.
        name: for people.
        data: why there is no picture, where there is none.
        digest: SHA-256 of the data, hexadecimal; empty without.
        capture: pictures with the same one are of one head at one sitting; empty where nobody knows.
        labels: of the data set it is from.
        image: its id there.
    """

    key: str
    name: str
    data: bytes | ScalpError
    digest: str = ""
    capture: str = ""
    region: Text | None = None
    labels: Mapping[Condition, int | None] = field(default_factory=dict)
    image: str = ""


def handed_in(say: Say) -> list[InputImage]:
    """The pictures that the reader chose, from wherever; none yet, perhaps."""
    given: dict[str, Callable[[Say], list[InputImage]]] = {
        "upload": _files,
        "folder": _folder,
        "camera": _camera,
        "example": _example,
        "capture": _capture,
    }
    names = {source: say(f"source_{source}") for source in given}
    return given[choose(say("diagnose_source"), names, "source", "upload", say.language)](say)


def chosen(shots: Sequence[InputImage]) -> InputImage | None:
    """The one that is open."""
    if len(shots) == 1:
        return shots[0]
    image, key = st.query_params.get("image"), st.session_state.get(_CHOSEN)
    return next((shot for shot in shots if (shot.image == image if shot.image else shot.key == key)), None)


def open_shot(shot: InputImage) -> None:
    """It is the one that is open, in the address too where it is of a data set."""
    if shot.image:
        write_address({"image": shot.image})
    st.session_state[_CHOSEN] = shot.key


# ---- from the reader's own computer ----


def _files(say: Say) -> list[InputImage]:
    files = st.file_uploader(
        say("upload", most=uploads.MAX_PICTURES),
        type=[*_PICTURES, "zip"],
        accept_multiple_files=True,
        max_upload_size=_MOST_MEGABYTES,
        key="upload",
        on_change=_let_go,
    )
    return _sent("upload", files, say)


def _folder(say: Say) -> list[InputImage]:
    files = st.file_uploader(
        say("upload_folder", most=uploads.MAX_PICTURES),
        type=_PICTURES,
        accept_multiple_files="directory",
        max_upload_size=_MOST_MEGABYTES,
        key="upload_folder",
        on_change=_let_go,
    )
    return _sent("folder", files, say)


def _camera(say: Say) -> list[InputImage]:
    taken = st.camera_input(say("camera"), key="camera", help=say("camera_help"), on_change=_let_go)
    return _sent("camera", [taken] if taken else [], say)


def _let_go() -> None:
    """Before the page is drawn, when somebody hands in other files or takes some away."""
    st.session_state.pop(_FILES, None)


def _sent(source: str, files: Sequence[UploadedFile], say: Say) -> list[InputImage]:
    """Unpacked and hashed once, however often the page is drawn; the latest hand-in is kept, for this session.

    Streamlit forgets an uploader's files when it is not drawn, as on other pages; that hand-in is shown all the same.
    """
    st.caption(say("upload_privacy", most=uploads.MAX_PICTURES, size=_MOST_MEGABYTES))
    handed = tuple(file.file_id for file in files)
    asked, known, shots = st.session_state.get(_FILES, (source, (), []))
    if handed and known != handed:
        shots = _shots(uploads.read_uploads((file.name, file.getvalue()) for file in files))
        st.session_state[_FILES] = source, handed, shots
    elif asked != source:
        return []
    elif not handed and shots:
        _tell_kept(shots, say)
    for shot in shots:
        if _left_out(shot) and isinstance(shot.data, ScalpError):
            st.warning(say.of(shot.data.text), icon=":material/filter_list:")
    return [shot for shot in shots if not _left_out(shot)]


def _tell_kept(shots: Sequence[InputImage], say: Say) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(say("upload_kept", count=sum(not _left_out(shot) for shot in shots)))
        st.button(say("upload_clear"), key="upload_let_go", icon=":material/close:", on_click=_let_go)


def _left_out(shot: InputImage) -> bool:
    """It stands for all that were one too many, and is said where it is seen: above the others."""
    return isinstance(shot.data, ScalpError) and shot.data.code == _LEFT_OUT


def _shots(sent: Sequence[uploads.UploadedFile]) -> list[InputImage]:
    of_capture = {
        place: capture
        for capture, places in uploads.group_captures([one.name for one in sent]).items()
        for place in places
    }
    return [
        replace(_shot(place, one.name, one.data), capture=of_capture.get(place, ""), region=uploads.region(one.name))
        for place, one in enumerate(sent)
    ]


def _shot(place: int, name: str, data: bytes | ScalpError) -> InputImage:
    digest = hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else ""
    return InputImage(f"{place}-{digest[:16]}", name, data, digest)


# ---- from a data set ----


def _example(say: Say) -> list[InputImage]:
    """A picture of a data set, chosen here or by `?data=…&image=…`."""
    found = _chosen_image("example", say)
    return [_of_dataset(0, *found)] if found else []


def _capture(say: Say) -> list[InputImage]:
    """All pictures of the capture that the chosen one belongs to."""
    found = _chosen_image("capture", say)
    if not found:
        return []
    dataset, image = found
    row, (others, _) = dataset.row(image), neighbours(dataset, image)
    if row < 0:
        return [_of_dataset(0, dataset, image)]
    ids = dataset.column("id").iloc[np.sort(np.append(others[: uploads.MAX_PICTURES - 1], row))]
    return [_of_dataset(place, dataset, str(one)) for place, one in enumerate(ids)]


def _chosen_image(source: str, say: Say) -> tuple[Dataset, str] | None:
    dataset = asked_dataset(say)
    if not dataset:
        return None
    image = st.query_params.get("image")
    # Once one is chosen, its grades are what somebody came for.
    wanted = image is None or dataset.row(image) < 0
    with st.expander(say(f"{source}_pick", data=dataset.name), expanded=wanted, icon=":material/photo_library:"):
        examples = _examples(dataset)
        picked = show_gallery(dataset, examples, [""] * len(examples), key="examples", selected=image)
    if picked and picked != image:
        write_address({"image": picked})
        st.rerun()  # the wall is drawn already, with the one chosen before marked
    return (dataset, image) if image is not None else None


def _examples(dataset: Dataset) -> list[str]:
    """Test pictures with much to see, each from another capture."""
    rows = select(dataset, Filters.of({"part": ["test"]}))
    rows = rows[~dataset.column("capture").iloc[rows].duplicated().to_numpy()]
    severity = np.sum([grades(dataset, condition)[rows].clip(0) for condition in CONDITIONS], axis=0)
    return dataset.column("id").iloc[rows[np.argsort(-severity, kind="stable")[:EXAMPLES]]].tolist()


def _of_dataset(place: int, dataset: Dataset, image: str) -> InputImage:
    """Raises ScalpError where the data set has no such picture; of one whose file is gone the shot says so."""
    row = dataset.row(image)
    if row < 0:
        dataset.read(image)
    return replace(
        _shot(place, image, _content(dataset, image)),
        capture=str(dataset.column("capture").iloc[row]),
        region=REGIONS.get(str(dataset.column("region").iloc[row])),
        labels=labels_of(dataset, row),
        image=image,
    )


def _content(dataset: Dataset, image: str) -> bytes | ScalpError:
    try:
        return dataset.read(image)
    except ScalpError as error:
        return error
