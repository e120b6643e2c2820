"""Reads the pictures, labels, further facts and faults of one folder or zip file."""

import gc
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from unicodedata import normalize

from scalp_core import images
from scalp_core.data.aihub import folder_name, label_values, meta_values, published_name, readable
from scalp_core.data.file_tree import Container, ContainerReader
from scalp_core.data.zip_files import Fault, Member, ending_of
from scalp_core.errors import ScalpError
from scalp_core.importing.import_db import Contents, Pending, Place, grades_text
from scalp_core.labels import CONDITIONS, GRADES

_META = "_meta"
_HEAD = 1024  # bytes; enough for the size of a picture, were it not for a long EXIF block
_MAX_LABEL_BYTES = 2**20
_VALUES = {condition.value for condition in CONDITIONS}
_all_values = itemgetter(*(condition.value for condition in CONDITIONS))
_USUAL_VALUES = {str(int(grade)) for grade in GRADES}


def read_container(root: Path, container: Container, *, label_files: bool = True) -> Contents:
    """Read one folder or zip file of the tree `root`, without decoding a picture.

    Args:
        label_files: False if a table has the labels; JSON files are then passed over.
    """
    contents = Contents(container)
    try:
        with _gc_paused(), ContainerReader(root, container) as reader:
            _read(root, reader, contents, label_files)
    except OSError as error:  # gone or without permission since the tree was listed
        contents.faults.append(Fault("unreadable", container.path.rpartition("/")[2], "", error.strerror or str(error)))
    return contents


@contextmanager
def _gc_paused() -> Iterator[None]:
    """Pause garbage collection: it would look through tens of thousands of rows that all stay, a tenth of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _read(root: Path, reader: ContainerReader, contents: Contents, label_files: bool) -> None:
    places: dict[tuple[str, ...], Place] = {}
    for member in reader.members():
        if isinstance(member, Fault):
            contents.faults.append(member)
            continue
        place = places.get(member.parts)
        if place is None:
            place = places[member.parts] = _place(root, contents.container, member.parts)
            contents.places.append(place)
        if member.ending in images.ENDINGS or _is_picture(reader, member):
            _add_picture(reader, member, place, contents, label_files)
        elif member.ending == ".json" and label_files:
            _add_label(reader, member, place, contents)
        elif member.ending in images.OTHER_ENDINGS:
            where = place.location + member.name
            contents.faults.append(Fault("other_format", member.name, where, f"only {images.FORMAT_NAMES} are read"))
        else:
            contents.ignored[member.ending] += 1


def _is_picture(reader: ContainerReader, member: Member) -> bool:
    """Return whether a file without the usual ending is a picture by its content: `IMG_01`, `2024.01.05`, `1.gif`."""
    if member.ending[1:].isalpha() and member.ending not in images.OTHER_ENDINGS:
        return False  # every other file would be opened, of trees with hundreds of thousands
    try:
        images.size_from_header(reader.read(member, _HEAD))
    except (ScalpError, OSError, zlib.error):
        return False
    return True


def _place(root: Path, container: Container, parts: tuple[str, ...]) -> Place:
    folder = folder_name((readable(root.name), *parts))
    slash = "/" if container.path and not container.is_zip else ""
    location = "".join(f"{part}/" for part in parts)
    return Place(location, container.path + slash, folder.condition, folder.grade, folder.official)


def stem(name: str) -> str:
    """Return a file's name without its ending, composed (NFC), so that Korean names of every system compare."""
    own = name.rpartition(".")[0] or name
    # Half a surrogate pair, which JSON may escape, can be stored nowhere.
    return own if own.isascii() else normalize("NFC", own).encode("utf-8", "replace").decode()


def own_name(name: str) -> str:
    """Return a picture's name without its ending; a dot in a name without one belongs to it."""
    return stem(name if ending_of(name) in (*images.ENDINGS, *images.OTHER_ENDINGS) else f"{name}.")


def join_of(own: str) -> str:
    """Return the key that joins a picture and the rows of a table that may mean it; `merge` decides which do."""
    return published_name(own) or own.casefold()


def _add_picture(reader: ContainerReader, member: Member, place: Place, contents: Contents, label_files: bool) -> None:
    _, name, _, file, size, stamp, offset, length, deflated = member
    own = own_name(name)
    published = published_name(own)
    identity = published or place.location + name
    joins = published or (_joins(own, place) if label_files else join_of(own))
    place.copies.append((identity, joins, name, file, offset, length, deflated, size, stamp))
    try:
        images.size_from_header(reader.read(member, _HEAD))
    except (ScalpError, OSError, zlib.error) as error:
        pending = Pending(place.path + (file or ""), offset, length, deflated, size, stamp)
        contents.spoilt.append((pending, str(error)))


def _add_label(reader: ContainerReader, member: Member, place: Place, contents: Contents) -> None:
    def add_fault(kind: str, detail: str) -> None:
        contents.faults.append(Fault(kind, member.name, place.location + member.name, detail))

    own = stem(member.name)
    try:
        document = _document(reader.read(member, _MAX_LABEL_BYTES))
    except (ValueError, RecursionError, OSError, zlib.error) as error:  # the second: brackets in brackets
        add_fault("bad_label", str(error))
        return
    if own[-len(_META) :].lower() == _META:
        if meta := meta_values(document):
            text = json.dumps(meta, ensure_ascii=False, sort_keys=True)
            place.metas.append((_joins(own[: -len(_META)], place), text))
        return
    if _VALUES.isdisjoint(document):
        add_fault("bad_label", "none of value_1 … value_6 is in it")
        return
    grades, problems = _grades(document)
    for problem in problems:
        add_fault("bad_value", problem)
    file_name = document.get("image_file_name")
    labelled = stem(file_name.strip()) if isinstance(file_name, str) and file_name.strip() else own
    place.labels.append((_joins(labelled, place), member.name, None, grades, None))


def _grades(document: Mapping[str, object]) -> tuple[str, list[str]]:
    """Return the grades as the database keeps them, and their faults."""
    try:
        # Nearly always, and hundreds of thousands of times: six texts from 0 to 3.
        usual = _all_values(document)
        if _USUAL_VALUES.issuperset(usual):
            return "".join(usual), []
    except (KeyError, TypeError):  # a value is missing, or is a list or an object
        pass
    values, problems = label_values(document)
    return grades_text(values.values()), problems


def _document(content: bytes) -> dict[str, object]:
    """Parse the JSON object in these bytes; ValueError if there is none."""
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        text = content.decode("cp949")  # what older Korean tools write; the keys and values are ASCII either way
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    return document


def _joins(own: str, place: Place) -> str:
    """Return the key that joins a picture and its label file.

    The publisher's names are unique over the whole dataset; any other name says something within its class only.
    """
    grade = "" if place.grade is None else place.grade
    return published_name(own) or f"{own}|{place.condition or ''}|{grade}|{place.official or ''}"
