"""A synthetic dataset laid out as AI Hub delivers its scalp pictures, to try the importer on a whole tree.

The real tree must not be passed on and is behind a login. This one has its zip files, its names, its label files and
what makes it treacherous: pictures in the folders of several conditions, positives that were left out of theirs, and an
official split that leaks."""

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from zipfile import ZipFile, ZipInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.data.aihub import META_FIELDS, Official
from scalp_core.data.dataset import LABEL_COLUMNS, Dataset
from scalp_core.errors import ScalpError
from scalp_core.files import TEMPORARY
from scalp_core.labels import CONDITIONS, GRADES, META, Condition, Severity
from scalp_core.parallel import no_progress

TOP = "유형별 두피 이미지"
PART_FOLDERS: Mapping[Official, str] = {"train": "Training", "valid": "Validation"}
IMAGES, LABELS = "[원천]", "[라벨]"
# The same for every member, so that the same dataset gives the same bytes.
MOMENT = (2021, 6, 1, 0, 0, 0)
STREAM = 216  # keeps these random numbers apart from others of the same seed

# The real folders hold no positive twice, though 5.2 % of the pictures are in both parts: such a picture is in Training
# for some of its conditions and in Validation for the others. These shares give what was counted in the real tree:
# 74.1 % of the pictures only in Training, 20.6 % only in Validation; 30.5 % of those in Validation share a capture
# with Training.
CAPTURE_SHARES = {"train": 0.6905, "valid": 0.1790, "mixed": 0.1305}
BOTH_OF_MIXED = 0.40
OTHERS_OF_MIXED = {"train": 0.65, "valid": 0.35}
# 2,332 of 214,759 positives are in no folder of their condition; a bit more, as a picture's last folder stays.
UNFILED_CHANCE = 0.0116

# Bytes that come with each picture in a folder: its label file, its `…_META.json`, and what a zip file notes of each.
_BESIDE = 2048

Progress = Callable[[int, int], None]
Folder = tuple[Condition, int]


class ClassFolder(NamedTuple):
    """One of the 48 places for pictures: a part of the official split, a condition and a grade."""

    part: Official
    condition: Condition
    grade: int


@dataclass(frozen=True)
class TreeSummary:
    """The size of a tree.

    Attributes:
        images: different pictures.
        files: members of all zip files.
        only_training, only_validation, both: the pictures by where they are.
    """

    images: int
    files: int
    only_training: int
    only_validation: int
    both: int


@dataclass(frozen=True)
class _Picture:
    """One picture with its files' names and the content of its label files; `meta` is empty where nothing is known."""

    id: str
    stem: str
    label: bytes
    meta: bytes


def write_aihub_tree(dataset: Dataset, folder: Path, seed: int, progress: Progress | None = None) -> TreeSummary:
    """Write a synthetic dataset as the tree of AI Hub 216; the same dataset and seed give the same bytes.

    All or nothing: the tree is made beside `folder` and renamed when it is whole.

    Args:
        folder: where the tree will lie; must not be there yet, or be empty.
        seed: of who lies in which folder and in which part of the official split.
        progress: called with (done, total) files.

    Raises:
        ScalpError: real pictures, a folder that is taken, too little room, a picture that is gone.
    """
    _check_synthetic(dataset)
    folder = folder.resolve()
    index = dataset.index
    folders = assign_folders(index["capture"].tolist(), index[list(LABEL_COLUMNS)].to_numpy(np.int64), seed)
    try:
        check_folder(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        _check_room(folder.parent, _bytes_needed(dataset, folders))
        # It goes with whatever is in it, even on Ctrl-C.
        with TemporaryDirectory(prefix=TEMPORARY, dir=folder.parent) as temporary:
            whole = Path(temporary) / "tree"
            files = _write_zips(dataset, whole / TOP, folders, progress or no_progress)
            whole.replace(folder)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    return _summary(folders, files)


def _summary(folders: Sequence[Sequence[ClassFolder]], files: int) -> TreeSummary:
    parts = [{place.part for place in places} for places in folders]
    training, validation = parts.count({"train"}), parts.count({"valid"})
    return TreeSummary(len(folders), files, training, validation, len(parts) - training - validation)


# ---- who lies where ----


def assign_folders(captures: Sequence[str], grades: npt.NDArray[np.int64], seed: int) -> list[tuple[ClassFolder, ...]]:
    """Assign each picture its class folders, each of its conditions in one part of the official split only.

    Args:
        captures: of each picture.
        grades: shape (pictures, 6), in the order of CONDITIONS.
    """
    generator = np.random.default_rng([seed, STREAM])
    filed = [_class_folders(row, generator) for row in grades.tolist()]
    # The six folders of a healthy picture stay together.
    divisible = np.array([len(folders) > 1 and folders[0][1] > 0 for folders in filed])
    sides = _official_sides(captures, divisible, generator)
    return [_with_parts(folders, side, generator) for folders, side in zip(filed, sides, strict=True)]


def _class_folders(grades: Sequence[int], generator: np.random.Generator) -> list[Folder]:
    """Return the conditions whose folder a picture lies in: all that are present, without some that were forgotten."""
    present = [(condition, grade) for condition, grade in zip(CONDITIONS, grades, strict=True) if grade]
    if not present:
        return [(condition, 0) for condition in CONDITIONS]
    return [folder for folder in present if generator.random() >= UNFILED_CHANCE] or present


def _official_sides(
    captures: Sequence[str], divisible: npt.NDArray[np.bool_], generator: np.random.Generator
) -> list[str]:
    """Return `train`, `valid` or `both` for each picture: the same for a whole capture, except in mixed ones."""
    names, members = np.unique(np.asarray(captures, dtype=str), return_inverse=True)
    sides = _by_share(len(names), CAPTURE_SHARES, generator)[members]
    mixed = generator.permutation(np.flatnonzero(sides == "mixed"))
    both = mixed[divisible[mixed]][: round(BOTH_OF_MIXED * len(mixed))]
    others = np.setdiff1d(mixed, both)
    sides[both] = "both"
    sides[others] = _by_share(len(others), OTHERS_OF_MIXED, generator)
    return [str(side) for side in sides]


def _by_share(count: int, shares: Mapping[str, float], generator: np.random.Generator) -> npt.NDArray[np.str_]:
    """Return `count` values in random order by their shares: nearer to the shares than separate draws."""
    places = (generator.permutation(count) + 0.5) / max(count, 1)
    return np.array(list(shares))[np.searchsorted(np.cumsum(list(shares.values())), places)]


def _with_parts(folders: Sequence[Folder], side: str, generator: np.random.Generator) -> tuple[ClassFolder, ...]:
    """Return the folders with their parts; a picture that is in both has at least one of them in each."""
    number = len(folders)
    training = int(generator.integers(1, number)) if side == "both" else number * (side == "train")
    in_training = set(generator.permutation(number)[:training].tolist())
    parts: list[Official] = ["train" if place in in_training else "valid" for place in range(number)]
    return tuple(ClassFolder(part, *folder) for part, folder in zip(parts, folders, strict=True))


# ---- files ----


def _write_zips(dataset: Dataset, top: Path, folders: Sequence[Sequence[ClassFolder]], progress: Progress) -> int:
    """Write all zip files under `top`; returns the number of files in them."""
    pictures = _pictures(dataset.index)
    total = sum(len(places) * (3 if picture.meta else 2) for picture, places in zip(pictures, folders, strict=True))
    done = 0
    progress(done, total)
    for name, members in _zips(dataset, pictures, folders):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with ZipFile(path, "w") as archive:
            for member, content in members:
                archive.writestr(ZipInfo(member, MOMENT), content)
                done += 1
                progress(done, total)
    return done


def _zips(
    dataset: Dataset, pictures: Sequence[_Picture], folders: Sequence[Sequence[ClassFolder]]
) -> Iterator[tuple[str, Iterable[tuple[str, bytes]]]]:
    """Yield the names and members of all 96 zip files, empty ones among them."""
    inside: dict[ClassFolder, list[_Picture]] = defaultdict(list)
    for picture, places in zip(pictures, folders, strict=True):
        for place in places:
            inside[place].append(picture)
    for part, part_name in PART_FOLDERS.items():
        for condition in CONDITIONS:
            for grade in GRADES:
                name, members = _class_name(condition, grade), inside[ClassFolder(part, condition, int(grade))]
                yield (
                    f"{part_name}/{IMAGES}{name}.zip",
                    ((f"{item.stem}.jpg", dataset.read(item.id)) for item in members),
                )
                yield f"{part_name}/{LABELS}{name}.zip", (file for item in members for file in _label_files(item))


def _class_name(condition: Condition, grade: Severity) -> str:
    """Return a name such as `모낭홍반농포_3.중증`."""
    return f"{condition.text.ko.replace('/', '')}_{int(grade)}.{grade.text.ko}"


def _label_files(picture: _Picture) -> Iterator[tuple[str, bytes]]:
    yield f"{picture.stem}.json", picture.label
    if picture.meta:
        yield f"{picture.stem}_META.json", picture.meta


def _pictures(index: pd.DataFrame) -> list[_Picture]:
    metas = [key for key in META_FIELDS if META + key in index]
    columns = ["id", "region", *LABEL_COLUMNS, *(META + key for key in metas)]
    rows = index[columns].astype("string").fillna("").itertuples(index=False, name=None)
    return [_picture(row, metas) for row in rows]


def _picture(row: Sequence[str], metas: Sequence[str]) -> _Picture:
    image_id, region, *others = row
    stem = f"{image_id}_{region}"
    grades = dict(zip(LABEL_COLUMNS, others, strict=False))
    answers = dict(zip(metas, others[len(LABEL_COLUMNS) :], strict=True))
    label = {"image_id": image_id, "image_file_name": f"{stem}.jpg"} | grades
    meta = {key: answer for key, answer in answers.items() if answer}
    return _Picture(image_id, stem, _json(label), _json(meta) if meta else b"")


def _json(document: Mapping[str, str]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()


# ---- what may go wrong ----


def _check_synthetic(dataset: Dataset) -> None:
    if not dataset.synthetic:
        raise ScalpError(
            "not_synthetic",
            f"Dataset “{dataset.name}” holds real pictures. Only synthetic datasets are written as a tree.",
            f"데이터셋 “{dataset.name}”은(는) 실제 사진이에요. 합성 데이터셋만 트리로 쓸 수 있어요.",
        )


def check_folder(folder: Path) -> None:
    """Raise ScalpError unless a tree may be written there: in a new or an empty folder."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ScalpError(
            "folder_taken",
            f"{folder} is not empty. Choose a folder that does not exist yet, or empty this one.",
            f"{folder}에 이미 다른 것이 있어요. 아직 없는 폴더를 지정하거나 이 폴더를 비우세요.",
        )


def _bytes_needed(dataset: Dataset, folders: Sequence[Sequence[ClassFolder]]) -> int:
    """Return about 2.4 times the pictures for the real labels: each lies in the folders of all its conditions."""
    sizes = dataset.column("bytes")
    return sum(len(places) * (int(size) + _BESIDE) for places, size in zip(folders, sizes, strict=True))


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ScalpError(
            "no_room",
            f"The tree needs {needed / 1e6:,.0f} MB, and {folder} has {free / 1e6:,.0f} MB left. Make room or name a "
            "folder on another disk.",
            f"트리를 쓰려면 {needed / 1e6:,.0f} MB가 필요하지만 {folder}에는 {free / 1e6:,.0f} MB만 남아 있어요. "
            "공간을 확보하거나 다른 디스크의 폴더를 지정하세요.",
        )


def _cannot_write(folder: Path, error: OSError) -> ScalpError:
    reason = error.strerror or str(error)
    return ScalpError(
        "cannot_write",
        f"The tree cannot be written to {folder}: {reason}. Make room or name another folder, then start the same "
        "command again.",
        f"{folder}에 트리를 쓸 수 없어요: {reason}. 공간을 확보하거나 다른 폴더를 지정한 뒤 같은 명령을 다시 "
        "실행하세요.",
    )
