"""The sources of pictures to grade: files, a folder, the camera, a dataset."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from scalp_core.data.dataset import Dataset
from scalp_core.data.filters import Filters, grades, labels_of, neighbours, select
from scalp_core.errors import ScalpError, Text
from scalp_core.images import ENDINGS
from scalp_core.inference import uploads
from scalp_core.labels import CONDITIONS, Condition, Severity
from scalp_core.terms import REGIONS
from ui.choices import address_dataset, choose, dataset_of_address, turn_to, write_address
from ui.components.thumbnail_grid import show_thumbnail_grid
from ui.frame import mark, notices, toolbar
from ui.words import Say

IMAGE_TYPES = [ending.removeprefix(".") for ending in ENDINGS]
MOST_MEGABYTES = uploads.MAX_TOTAL_BYTES // 2**20
_LEFT_OUT = "too_many_pictures"  # error code of uploads
_UPLOAD, _OPENED, _EXAMPLE = "diagnose-upload", "diagnose-opened", "diagnose-example"


@dataclass(frozen=True, eq=False)
class InputImage:
    """One picture to grade.

    Attributes:
        key: tells it from the other pictures of the same source.
        name: as the page shows it.
        data: content of the file, or the reason why there is none.
        digest: SHA-256 of the content, hexadecimal; empty without.
        capture: shared by pictures of one head at one sitting; empty where unknown.
        labels: from the dataset that holds it.
        image_id: id in that dataset; empty for an upload.
    """

    key: str
    name: str
    data: bytes | ScalpError
    digest: str = ""
    capture: str = ""
    region: Text | None = None
    labels: Mapping[Condition, int | None] = field(default_factory=dict)
    image_id: str = ""


def choose_images(say: Say) -> list[InputImage]:
    """Offer the sources and return the pictures of the chosen one, perhaps none yet.

    What takes pictures in is large on an empty page, and a menu of the toolbar beside the pictures.
    """
    sources: dict[str, Callable[[DeltaGenerator, Say], list[InputImage]]] = {
        "upload": _upload_files,
        "folder": _upload_folder,
        "camera": _take_photo,
        "example": _choose_example,
        "capture": _choose_capture,
    }
    if example := st.session_state.pop(_EXAMPLE, None):
        turn_to(example)
    names = {source: say(f"source_{source}") for source in sources}
    with toolbar():
        source = choose(say("diagnose_source"), names, "source", "upload", say.language)
    if state := _pictures_of(source):  # a menu of another key is closed
        menu = toolbar().popover(say("other_picture"), icon=":material/add_photo_alternate:", key=f"take-in-{state}")
        return sources[source](menu, say)
    return sources[source](st.container(key="take-in"), say)


def _pictures_of(source: str) -> str:
    """Return what identifies the pictures that the source has already, empty for none."""
    if source in ("example", "capture"):
        image_id = st.query_params.get("image", "")
        dataset = address_dataset()
        return f"{source}-{image_id}" if dataset and image_id and dataset.row(image_id) >= 0 else ""
    kept_source, file_ids, _ = st.session_state.get(_UPLOAD, ("", (), []))
    return source if st.session_state.get(source) or (kept_source == source and file_ids) else ""


def opened_image(images: Sequence[InputImage]) -> InputImage | None:
    """Return the picture that is open: a single one, else that of the address or of this session."""
    if len(images) == 1:
        return images[0]
    image_id, key = st.query_params.get("image"), st.session_state.get(_OPENED)
    return next(
        (image for image in images if (image.image_id == image_id if image.image_id else image.key == key)), None
    )


def open_image(image: InputImage) -> None:
    """Open a picture, in the address too where it is of a dataset."""
    if image.image_id:
        write_address({"image": image.image_id})
    st.session_state[_OPENED] = image.key


# ---- from the reader's own computer ----


def _upload_files(place: DeltaGenerator, say: Say) -> list[InputImage]:
    with place:
        files = st.file_uploader(
            say("upload", most=uploads.MAX_PICTURES),
            type=[*IMAGE_TYPES, "zip"],
            accept_multiple_files=True,
            max_upload_size=MOST_MEGABYTES,
            key="upload",
            on_change=_forget_upload,
        )
        images = _keep_upload("upload", files, say)
    if not images:
        _offer_examples(say)
    return images


def _upload_folder(place: DeltaGenerator, say: Say) -> list[InputImage]:
    with place:
        files = st.file_uploader(
            say("upload_folder", most=uploads.MAX_PICTURES),
            type=IMAGE_TYPES,
            accept_multiple_files="directory",
            max_upload_size=MOST_MEGABYTES,
            key="folder",
            on_change=_forget_upload,
        )
        images = _keep_upload("folder", files, say)
    if not images:
        _offer_examples(say)
    return images


def _take_photo(place: DeltaGenerator, say: Say) -> list[InputImage]:
    with place:
        photo = st.camera_input(say("camera"), key="camera", help=say("camera_help"), on_change=_forget_upload)
        return _keep_upload("camera", [photo] if photo else [], say)


def _forget_upload() -> None:
    """Forget the kept upload: called, before the page runs, when files are added or removed."""
    st.session_state.pop(_UPLOAD, None)


def _keep_upload(source: str, files: Sequence[UploadedFile], say: Say) -> list[InputImage]:
    """Unpack and hash an upload once, and keep the latest one for this session.

    Streamlit forgets the files of an uploader that a run of the page does not show, as on other pages. The kept upload
    is graded all the same.
    """
    st.caption(say("upload_privacy", most=uploads.MAX_PICTURES, size=MOST_MEGABYTES))
    file_ids = tuple(file.file_id for file in files)
    kept_source, kept_ids, images = st.session_state.get(_UPLOAD, (source, (), []))
    if file_ids and kept_ids != file_ids:
        images = _unpack(uploads.read_uploads((file.name, file.getvalue()) for file in files))
        st.session_state[_UPLOAD] = source, file_ids, images
    elif kept_source != source:
        return []
    elif not file_ids and images:
        _show_kept(images, say)
    for image in images:
        if _stands_for_left_out(image) and isinstance(image.data, ScalpError):
            notices().warning(say.plain(image.data.text), icon=":material/filter_list:")
    return [image for image in images if not _stands_for_left_out(image)]


def take_file(file: UploadedFile) -> InputImage:
    """Return the picture in a file of another page's uploader, and keep it as the upload of this session."""
    _, file_ids, images = st.session_state.get(_UPLOAD, ("", (), []))
    if file_ids != (file.file_id,):
        images = _unpack(uploads.read_uploads([(file.name, file.getvalue())]))
        st.session_state[_UPLOAD] = "upload", (file.file_id,), images
    image: InputImage = images[0]
    return image


def _show_kept(images: Sequence[InputImage], say: Say) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(say("upload_kept", count=sum(not _stands_for_left_out(image) for image in images)))
        st.button(say("upload_clear"), key="upload_let_go", icon=":material/close:", on_click=_forget_upload)


def _stands_for_left_out(image: InputImage) -> bool:
    """Return whether this entry stands for all pictures beyond the limit; a warning above the others names them."""
    return isinstance(image.data, ScalpError) and image.data.code == _LEFT_OUT


def _unpack(files: Sequence[uploads.UploadedFile]) -> list[InputImage]:
    captures = {
        place: capture
        for capture, places in uploads.group_captures([file.name for file in files]).items()
        for place in places
    }
    return [
        replace(
            _input_image(place, file.name, file.data),
            capture=captures.get(place, ""),
            region=uploads.region(file.name),
        )
        for place, file in enumerate(files)
    ]


def _input_image(place: int, name: str, data: bytes | ScalpError) -> InputImage:
    digest = hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else ""
    return InputImage(f"{place}-{digest[:16]}", name, data, digest)


# ---- from a dataset ----


def _choose_example(place: DeltaGenerator, say: Say) -> list[InputImage]:
    """Offer pictures of a dataset and return the one chosen here or by `?data=…&image=…`."""
    choice = _choose_from_dataset("example", place, say)
    return [_dataset_image(0, *choice)] if choice else []


def _choose_capture(place: DeltaGenerator, say: Say) -> list[InputImage]:
    """Offer pictures of a dataset and return the whole capture of the chosen one."""
    choice = _choose_from_dataset("capture", place, say)
    if not choice:
        return []
    dataset, image_id = choice
    row, (others, _) = dataset.row(image_id), neighbours(dataset, image_id)
    if row < 0:
        return [_dataset_image(0, dataset, image_id)]
    ids = dataset.column("id").iloc[np.sort(np.append(others[: uploads.MAX_PICTURES - 1], row))]
    return [_dataset_image(place, dataset, str(member)) for place, member in enumerate(ids)]


def _choose_from_dataset(source: str, place: DeltaGenerator, say: Say) -> tuple[Dataset, str] | None:
    dataset = dataset_of_address(say)
    if not dataset:
        return None
    image_id = st.query_params.get("image")
    with place:
        st.markdown(say(f"{source}_pick", data=dataset.name))
        picked = _show_examples(dataset, say, image_id)
    if picked and picked != image_id:
        write_address({"image": picked})
        st.rerun()  # the gallery above still marks the picture that was chosen before
    return (dataset, image_id) if image_id is not None else None


def example_image(dataset: Dataset) -> InputImage | None:
    """Return the first example of a dataset; None where it has no test picture."""
    examples = _examples(dataset)
    return _dataset_image(0, dataset, next(iter(examples))) if examples else None


def _offer_examples(say: Say) -> None:
    """Show examples below an empty source; a click turns to that source and picture."""
    dataset = address_dataset()
    if not dataset:
        return
    st.markdown(say("example_or", data=dataset.name))
    if picked := _show_examples(dataset, say):
        st.session_state[_EXAMPLE] = {"source": "example", "data": dataset.name, "image": picked}
        st.rerun()  # the choice of the source stands above


def _show_examples(dataset: Dataset, say: Say, selected: str | None = None) -> str | None:
    if dataset.synthetic:
        mark("synthetic", say("synthetic_data"))
    examples = _examples(dataset)
    captions = [
        f"{say.of(grade.text)} {say.text(f'finding_{condition.value}')}" for condition, grade in examples.values()
    ]
    labels = [int(grade) for _, grade in examples.values()]
    return show_thumbnail_grid(dataset, list(examples), captions, "examples", selected, labels)


def _examples(dataset: Dataset) -> dict[str, tuple[Condition, Severity]]:
    """Return a test picture a condition, each from another capture, with the label that it is an example of.

    Of the pictures of the condition's highest grade it is the one that has least beside it.
    """
    rows = select(dataset, Filters.of({"part": ["test"]}))
    labels = np.array([grades(dataset, condition)[rows].clip(0) for condition in CONDITIONS])
    captures = dataset.column("capture").iloc[rows].to_numpy()
    examples: dict[str, tuple[Condition, Severity]] = {}
    unused = np.full(len(rows), True)
    for condition, own in zip(CONDITIONS, labels, strict=True):
        order = np.lexsort((labels.sum(axis=0), -own, ~unused))
        if not len(order) or not unused[order[0]]:
            break
        unused &= captures != captures[order[0]]
        examples[str(dataset.column("id").iloc[rows[order[0]]])] = condition, Severity(int(own[order[0]]))
    return examples


def _dataset_image(place: int, dataset: Dataset, image_id: str) -> InputImage:
    """Return a picture of a dataset; one whose file is gone holds the reason in its data.

    Raises:
        ScalpError: the dataset has no picture of this id.
    """
    row = dataset.row(image_id)
    if row < 0:
        dataset.read(image_id)
    return replace(
        _input_image(place, image_id, _content(dataset, image_id)),
        capture=str(dataset.column("capture").iloc[row]),
        region=REGIONS.get(str(dataset.column("region").iloc[row])),
        labels=labels_of(dataset, row),
        image_id=image_id,
    )


def _content(dataset: Dataset, image_id: str) -> bytes | ScalpError:
    try:
        return dataset.read(image_id)
    except ScalpError as error:
        return error
