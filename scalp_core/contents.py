"""What the files of one folder or zip say: pictures, labels, further facts, and what is wrong with them.

Knows one container at a time; what the whole tree adds up to is settle.py's.
"""

import json
import zlib
from functools import lru_cache
from pathlib import Path
from unicodedata import normalize

from scalp_core import images
from scalp_core.aihub import FolderName, PictureName, folder_name, label_values, meta_values, picture_name, readable
from scalp_core.errors import ScalpError
from scalp_core.journal import Contents, Copy, Label, Pending
from scalp_core.labels import CONDITIONS
from scalp_core.trees import Container, Fault, Member, Reader

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
_META = "_meta"
_HEAD = 1024  # bytes; enough for the size of a picture, were it not for a long EXIF block
_MOST_LABEL_BYTES = 2**20


def read_container(root: Path, container: Container, *, label_files: bool = True) -> Contents:
    """Everything in one folder or zip file of the tree `root`, without decoding a picture.

    Args:
        label_files: False where a table has the labels; JSON files are then passed over.
    """
    found = Contents(container, [], [], [], [], [], [])
    try:
        with Reader(root, container) as reader:
            for member in reader.members(container):
                if isinstance(member, Fault):
                    found.faults.append(member)
                else:
                    _take(root, reader, member, found, label_files)
    except OSError as error:  # gone or closed to us since the tree was listed
        found.faults.append(Fault("unreadable", container.path.rpartition("/")[2], "", error.strerror or str(error)))
    return found


def stem(name: str) -> str:
    """A file's name without its ending, composed (NFC), so that Korean names of every system compare."""
    own = name.rpartition(".")[0] or name
    # Half a surrogate pair, which JSON may escape, can be stored nowhere.
    return own if own.isascii() else normalize("NFC", own).encode("utf-8", "replace").decode()


def join_of(own: str) -> str:
    """What a picture and its row of a table have in common: the name without its ending."""
    named = picture_name(own)
    return _canonical(named) if named else own


def _take(root: Path, reader: Reader, member: Member, found: Contents, label_files: bool) -> None:
    if member.ending in PICTURES:
        _take_picture(root, reader, member, found, label_files)
    elif member.ending == ".json" and label_files:
        _take_label(root, reader, member, found)
    else:
        found.ignored.append(member.name)


def _take_picture(root: Path, reader: Reader, member: Member, found: Contents, label_files: bool) -> None:
    folder = _folder(_root_name(root), member.parts)
    own = stem(member.name)
    named = picture_name(own)
    found.copies.append(
        Copy(
            identity=_canonical(named) if named else member.where,
            joins=_joins(own, named, folder) if label_files else join_of(own),
            name=member.name,
            location=member.where,
            path=member.path,
            offset=member.offset,
            length=member.length,
            deflated=member.deflated,
            bytes=member.size,
            stamp=member.stamp,
            condition=folder.condition,
            grade=folder.grade,
            official=folder.official,
        )
    )
    try:
        images.size_from_header(reader.read(member, _HEAD))
    except (ScalpError, OSError, zlib.error) as error:
        pending = Pending(member.path, member.offset, member.length, member.deflated, member.size, member.stamp)
        found.spoilt.append((pending, str(error)))


def _take_label(root: Path, reader: Reader, member: Member, found: Contents) -> None:
    try:
        document = _document(reader.read(member, _MOST_LABEL_BYTES))
    except (ValueError, RecursionError, OSError, zlib.error) as error:  # the one before last: brackets in brackets
        found.faults.append(Fault("bad_label", member.name, member.where, str(error)))
        return
    folder, own = _folder(_root_name(root), member.parts), stem(member.name)
    if own.casefold().endswith(_META):
        own = own[: -len(_META)]
        if meta := meta_values(document):
            text = json.dumps(meta, ensure_ascii=False, sort_keys=True)
            found.metas.append((_joins(own, picture_name(own), folder), text))
        return
    file_name = document.get("image_file_name")
    labelled = stem(file_name.strip()) if isinstance(file_name, str) and file_name.strip() else own
    values, problems = label_values(document)
    if not any(condition.value in document for condition in CONDITIONS):
        found.faults.append(Fault("bad_label", member.name, member.where, "none of value_1 … value_6 is in it"))
        return
    found.faults.extend(Fault("bad_value", member.name, member.where, problem) for problem in problems)
    joins = _joins(labelled, picture_name(labelled), folder)
    ordered = tuple(values[condition] for condition in CONDITIONS)
    found.labels.append(Label(joins, member.name, member.where, ordered, None))


def _document(content: bytes) -> dict[str, object]:
    """The JSON object in these bytes; ValueError if there is none."""
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        text = content.decode("cp949")  # what older Korean tools write; the keys and values are ASCII either way
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    return document


def _canonical(named: PictureName) -> str:
    return f"{named.image_id}_{named.region}"


def _joins(own: str, named: PictureName | None, folder: FolderName) -> str:
    """What a picture and its label have in common.

    The publisher's names are unique over the whole data set; any other name says something within its class only.
    """
    if named:
        return _canonical(named)
    return f"{own}|{folder.condition or ''}|{'' if folder.grade is None else folder.grade}|{folder.official or ''}"


@lru_cache(maxsize=4096)
def _folder(root_name: str, parts: tuple[str, ...]) -> FolderName:
    return folder_name((root_name, *parts))


@lru_cache(maxsize=8)
def _root_name(root: Path) -> str:
    return readable(root.name)
