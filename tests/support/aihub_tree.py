"""Trees of pictures as users have them, with every drift and every fault, and the truth that an import must find.

Everything is deterministic; pictures are small real JPEG files with patterns of their own, so that none look alike.
"""

import io
import json
import os
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from unicodedata import normalize

import cv2
import numpy as np
import pandas as pd
from PIL import Image

from scalp_core.data.aihub import META_FIELDS
from scalp_core.data.dataset import LABEL_COLUMNS
from scalp_core.labels import CONDITIONS, Condition, Severity

TOP = "유형별 두피 이미지"
SMALL = (64, 48)
REGIONS = {2: "TH", 3: "TH", 4: "LH", 5: "RH", 6: "BH"}
META_COLUMNS = tuple(f"meta_{key}" for key in META_FIELDS)

Membership = tuple[Condition, int]
Values = dict[Condition, int | None]

_NAMES = {
    Condition.FINE_SCALING: "미세각질",
    Condition.EXCESS_SEBUM: "피지과다",
    Condition.ERYTHEMA: "모낭사이홍반",
    Condition.PUSTULES: "모낭홍반농포",
    Condition.DANDRUFF: "비듬",
    Condition.HAIR_LOSS: "탈모",
}
_DRIFTED_NAMES = {Condition.EXCESS_SEBUM: "피지 과다", Condition.PUSTULES: "모낭홍반_농포"}
_WORDS = ("양호", "경증", "중등도", "중증")
_DRIFTED_WORDS = ("양호", "위증", "중증도", "중증")

# How a class folder or zip file may be written; each class of the mixed tree takes the next one.
STYLES = (
    "stored",
    "nfd",
    "cp949",
    "numbered",
    "deflated",
    "bare",
    "flagged",
    "plain",
    "unflagged",
    "folder",
    "mojibake",
    "zipfile",
    "escaped",
    "english",
)


@dataclass(frozen=True)
class Truth:
    """The index and the faults that an import must find.

    Attributes:
        rows: one row a picture that belongs in the index; null where nothing is known.
        faults: names by kind: picture ids, or file names of what is no picture of the dataset.
        contents: the bytes that reading a picture must give, by id (by SHA-256 where the id is the importer's choice).
    """

    rows: pd.DataFrame
    faults: dict[str, set[str]]
    contents: dict[str, bytes]


@dataclass(frozen=True)
class Picture:
    """A picture under a name of AI Hub."""

    site: str
    frame: int
    values: Values
    data: bytes
    epoch: str = "1602578303771"

    @property
    def device(self) -> str:
        return f"A2LEBJJDE0{self.site}O"

    @property
    def capture(self) -> str:
        return f"{self.site}_{self.device}_{self.epoch}"

    @property
    def id(self) -> str:
        return f"{self.capture}_{self.frame}"

    @property
    def stem(self) -> str:
        return f"{self.id}_{REGIONS[self.frame]}"

    @property
    def row(self) -> dict[str, object]:
        where = {"id": self.id, "site": self.site, "device": self.device, "capture": self.capture}
        return where | {"region": REGIONS[self.frame]} | {key.value: value for key, value in self.values.items()}


def jpeg(number: int, size: tuple[int, int] = SMALL, quality: int = 90) -> bytes:
    """A JPEG file of its own; `size` is width, height."""
    coarse = np.random.default_rng([2024, number]).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def label_json(picture: Picture, values: Values, kind: int = 0) -> bytes:
    """A label file: texts, as the publisher's; or with a BOM; or with numbers and in another order, indented."""
    document: dict[str, object] = {"image_id": picture.id, "image_file_name": f"{picture.stem}.jpg"}
    if kind % 3 == 2:
        numbers = {key.value: value for key, value in reversed(values.items())}
        return json.dumps(numbers | document, indent=2).encode()
    document |= {key.value: str(value) for key, value in values.items()}
    return (b"\xef\xbb\xbf" if kind % 3 == 1 else b"") + json.dumps(document, ensure_ascii=False).encode()


class _Member(zipfile.ZipInfo):
    """A zip member whose stored name and flags are chosen."""

    stored_name: bytes | None = None
    more_flags = 0

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - the name of the one hook that zipfile has
        name, flags = super()._encodeFilenameFlags()
        if self.stored_name is not None:
            name, flags = self.stored_name, flags & ~0x800
        return name, flags | self.more_flags


class _Stream:
    """A file that cannot go back, so that sizes follow the data of each member, as macOS writes them."""

    def __init__(self, file: BinaryIO) -> None:
        self.write, self.flush = file.write, file.flush


def write_zip(
    path: Path,
    members: Iterable[tuple[str, bytes]],
    *,
    deflated: bool = False,
    encoding: str = "",
    flags: int = 0,
    streamed: bool = False,
) -> None:
    """A zip file; names in `encoding` come without the flag that says UTF-8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file, zipfile.ZipFile(_Stream(file) if streamed else file, "w") as archive:
        for name, data in members:
            member = _Member(name)
            member.compress_type = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
            member.stored_name = name.encode(encoding) if encoding else None
            member.more_flags = flags
            archive.writestr(member, data)


@dataclass
class _Tree:
    """Files and zip members by their places, gathered before anything is written."""

    styles: tuple[str, ...]
    files: dict[str, bytes] = field(default_factory=dict)
    archives: dict[tuple[str, str], dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    rows: dict[str, dict[str, object]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def put(self, split: str, role: str, membership: Membership, name: str, data: bytes) -> None:
        """One file into the class folder or zip file of that split and role, however that is written."""
        condition, grade = membership
        style = self.styles[(condition.number * 4 + grade + 5 * (split == "Validation")) % len(self.styles)]
        archive, folder = _place(style, split, role, condition, grade)
        target = self.archives[archive, style] if archive else self.files
        path = str(PurePosixPath(folder) / name)
        assert path not in target, f"{path} twice"
        target[path] = data

    def add(
        self,
        picture: Picture,
        memberships: Iterable[Membership],
        splits: Iterable[str] = ("Training",),
        *,
        label: bytes | None = None,
        name: str = "",
    ) -> None:
        """A whole picture in all these folders, its label beside it (none if empty), and its row in the truth."""
        memberships, splits = list(memberships), list(splits)
        label = label_json(picture, picture.values) if label is None else label
        for split in splits:
            for membership in memberships:
                self.put(split, "images", membership, name or f"{picture.stem}.jpg", picture.data)
                if label:
                    self.put(split, "labels", membership, f"{picture.stem}.json", label)
        official = "both" if len(splits) == 2 else {"Training": "train", "Validation": "valid"}[splits[0]]
        folders = " ".join(sorted({f"{condition.value}/{grade}" for condition, grade in memberships}))
        self.rows[picture.id] = picture.row | {"official": official, "folders": folders}
        self.contents[picture.id] = picture.data

    def meta(self, picture: Picture, split: str, membership: Membership, answers: dict[str, str]) -> None:
        data = json.dumps({"image_id": picture.id} | answers, ensure_ascii=False).encode("utf-8-sig")
        self.put(split, "labels", membership, f"{picture.stem}_META.json", data)
        self.rows[picture.id] |= {f"meta_{key}": normalize("NFC", text) for key, text in answers.items() if text}

    def write(self, root: Path) -> None:
        for path, data in self.files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        for (path, style), members in self.archives.items():
            encoding = {"cp949": "cp949", "unflagged": "utf-8"}.get(style, "")
            deflated, streamed = style in ("deflated", "flagged", "unflagged"), style == "unflagged"
            write_zip(root / path, members.items(), deflated=deflated, encoding=encoding, streamed=streamed)

    def truth(self) -> Truth:
        columns = ["id", "site", "device", "capture", "region", *LABEL_COLUMNS, "official", "folders", *META_COLUMNS]
        rows = pd.DataFrame([self.rows[image_id] for image_id in sorted(self.rows)], columns=columns)
        return Truth(rows.astype(dict.fromkeys(LABEL_COLUMNS, "Int8")), dict(self.faults), self.contents)


def _place(style: str, split: str, role: str, condition: Condition, grade: int) -> tuple[str, str]:
    """The zip file ("" for none) and the folder, in it or in the tree, of one class."""
    korean = "원천" if role == "images" else "라벨"
    name, word = _NAMES[condition], _WORDS[grade]
    drifted, drifted_word = _DRIFTED_NAMES.get(condition, name), _DRIFTED_WORDS[grade]
    delivered = f"[{korean}]{name}_{grade}.{word}"
    plain, numbered = f"{TOP}/{split}", f"{TOP}/{1 if split == 'Training' else 2}.{split}"
    folders = {
        "folder": f"{plain}/{delivered}",
        "nfd": normalize("NFD", f"{numbered}/[{korean}]{drifted}_{grade}.{drifted_word}"),
        "bare": f"{plain}/{korean}{drifted}_{grade}.{drifted_word}",
        "zipfile": f"{numbered}/{delivered}.zipfile",
        "numbered": f"{numbered}/{'원천데이터' if role == 'images' else '라벨링데이터'}"
        f"/{condition.number}.{name}/{grade}.{word}",
        "plain": f"{plain}/{'data' if role == 'images' else 'label'}/{name}/{grade}",
        "english": f"{plain}/{role}/{condition.code}/{Severity(grade).text.en}",
        "mojibake": f"{plain}/{delivered.encode('cp949').decode('cp437')}",
        "escaped": f"{plain}/{os.fsdecode(delivered.encode('cp949'))}",
    }
    archives = {
        "stored": (f"{plain}/{delivered}.zip", ""),
        "deflated": (f"{numbered}/[{korean}]{drifted}_{grade}.zip", ""),
        "cp949": (f"{plain}/{role}-windows.zip", delivered),
        "flagged": (f"{TOP}/{role}-all.zip", f"{numbered}/{delivered}"),
        "unflagged": (f"{plain}/{role}-mac.zip", normalize("NFD", f"{delivered}")),
    }
    return archives[style] if style in archives else ("", folders[style])


def build_tree(
    root: Path,
    *,
    styles: tuple[str, ...] = STYLES,
    damaged: bool = True,
    labels: bool = True,
    sites: int = 12,
    size: tuple[int, int] = SMALL,
) -> Truth:
    """An AI Hub tree under `root` with five pictures a site.

    Args:
        styles: how class folders are written: all ways in one tree, or for instance `("stored",)` as delivered.
        damaged: plant every fault as well.
        labels: with label files; without them each picture is labelled by its folders alone.
        size: width and height of every picture but the odd one.
    """
    tree = _Tree(styles)
    for number in range(sites * len(REGIONS)):
        _add_sound(tree, number, sites, labels, size)
    if damaged:
        _plant_labels(tree)
        _plant_pictures(tree)
    tree.write(root)
    if damaged:
        _plant_files(tree, root)
    return tree.truth()


def _add_sound(tree: _Tree, number: int, sites: int, labels: bool, size: tuple[int, int]) -> None:
    """A picture without fault, in the folders of its conditions; every seventh in both parts of the official split."""
    site, frame = divmod(number, len(REGIONS))
    generator = np.random.default_rng([7, number])
    grades = generator.choice(4, 6, p=(0.45, 0.3, 0.15, 0.1)) * (number % 10 > 0)
    values: Values = {condition: int(grade) for condition, grade in zip(CONDITIONS, grades, strict=True)}
    epoch = "160257830" if site == 3 else f"16025783{site:05d}"
    picture = Picture(f"{site + 1:04d}", frame + 2, values, jpeg(number, size), epoch)
    present = [(condition, grade) for condition, grade in values.items() if grade]
    # What the publisher calls 양호 is normal in everything; and some positives lie in no folder of their condition.
    memberships = present[: 1 + number % 4] or list(values.items())
    splits = ["Training", "Validation"] if number % 7 == 0 else ["Training" if site < 0.8 * sites else "Validation"]
    if not labels:
        picture = Picture(
            picture.site, picture.frame, dict.fromkeys(CONDITIONS) | dict(memberships), picture.data, epoch
        )
        tree.add(picture, memberships, splits, label=b"")
        return
    tree.add(picture, memberships, splits, label=label_json(picture, values, number))
    if number % 3 == 0:
        answers = {"gender": "여" if number % 2 else "남", "age": normalize("NFD", "20대"), "answers1": " 1일 1회 "}
        tree.meta(picture, splits[0], memberships[0], {key: text.strip() for key, text in answers.items()})


def _odd(number: int, frame: int = 2, **values: int | None) -> Picture:
    """A picture of the site 90 and above, where the faults are; conditions not given are normal."""
    grades: Values = {condition: values.get(condition.code, 0) for condition in CONDITIONS}
    return Picture(f"{90 + number:04d}", frame, grades, jpeg(9000 + 10 * number + frame))


def _plant_labels(tree: _Tree) -> None:
    """Labels that are wrong, missing, contradictory or unreadable."""
    sebum, redness, loss = Condition.EXCESS_SEBUM, Condition.ERYTHEMA, Condition.HAIR_LOSS

    for frame, wrong in ((2, "7"), (3, "x"), (4, -1), (5, True)):
        picture = _odd(0, frame, hair_loss=1, excess_sebum=None)
        document = json.loads(label_json(picture, picture.values)) | {"value_2": wrong}
        tree.add(picture, [(loss, 1)], label=json.dumps(document).encode())
        tree.faults["bad_value"].add(picture.id)

    missing = _odd(1, 2, hair_loss=1, erythema=None)
    document = json.loads(label_json(missing, missing.values))
    del document["value_3"]
    tree.add(missing, [(loss, 1)], label=json.dumps(document).encode())

    for frame, garbage in ((3, b"not JSON at all {"), (4, b"\xff\xfe\x00"), (5, b""), (6, b"[" * 100_000)):
        unread = Picture("0091", frame, dict.fromkeys(CONDITIONS) | {loss: 2}, jpeg(9100 + frame))
        tree.add(unread, [(loss, 2)], label=b"")
        tree.put("Training", "labels", (loss, 2), f"{unread.stem}.json", garbage)
        tree.faults["bad_label"].add(unread.id)

    contradicted = _odd(2, 2, hair_loss=1, excess_sebum=2, erythema=None)
    tree.add(contradicted, [(loss, 1), (sebum, 2)], label=b"")
    for membership, grade in (((loss, 1), 1), ((sebum, 2), 3)):
        label = label_json(contradicted, contradicted.values | {redness: grade})
        tree.put("Training", "labels", membership, f"{contradicted.stem}.json", label)
    tree.faults["conflicting_labels"].add(contradicted.id)

    torn = Picture("0092", 3, dict.fromkeys(CONDITIONS) | {loss: 3}, jpeg(9203))
    tree.add(torn, [(sebum, 1), (sebum, 2), (loss, 3)], label=b"")
    tree.faults["conflicting_labels"].add(torn.id)

    misplaced = _odd(2, 4, hair_loss=1)
    tree.add(misplaced, [(loss, 2)])
    tree.faults["folder_disagrees"].add(misplaced.id)

    orphan = _odd(2, 5, hair_loss=2)
    tree.put("Training", "labels", (loss, 2), f"{orphan.stem}.json", label_json(orphan, orphan.values))
    tree.faults["label_without_picture"].add(orphan.id)

    unlabelled = Picture("0092", 6, dict.fromkeys(CONDITIONS), jpeg(9206))
    tree.files[f"{TOP}/기타 사진/{unlabelled.stem}.jpg"] = unlabelled.data
    tree.rows[unlabelled.id] = unlabelled.row
    tree.contents[unlabelled.id] = unlabelled.data
    tree.faults["picture_without_label"].add(unlabelled.id)

    # Known by its folders only: nothing is said about the other conditions, and that is no fault.
    by_folder = Picture("0093", 2, dict.fromkeys(CONDITIONS) | {loss: 2, sebum: 1}, jpeg(9302))
    tree.add(by_folder, [(loss, 2), (sebum, 1)], label=b"")


def _plant_pictures(tree: _Tree) -> None:
    """Pictures that are damaged, doubled, or of another size."""
    sebum, loss = Condition.EXCESS_SEBUM, Condition.HAIR_LOSS

    whole = jpeg(9403)
    for frame, data in ((2, whole[: len(whole) // 2]), (3, b""), (4, "사진이 아닙니다\n".encode())):
        broken = _odd(4, frame, hair_loss=2)
        tree.put("Training", "images", (loss, 2), f"{broken.stem}.jpg", data)
        tree.put("Training", "labels", (loss, 2), f"{broken.stem}.json", label_json(broken, broken.values))
        tree.faults["bad_picture"].add(broken.id)

    # The largest copy that can be read is the picture.
    halved, swollen, reduced = (_odd(site, 3, hair_loss=2, excess_sebum=1) for site in (5, 7, 8))
    others = (halved.data[:-200], b"\0" * (len(swollen.data) + 500), jpeg(9000 + 10 * 8 + 3, quality=40))
    for picture, other in zip((halved, swollen, reduced), others, strict=True):
        tree.add(picture, [(loss, 2)])
        tree.put("Training", "images", (sebum, 1), f"{picture.stem}.jpg", other)
        tree.rows[picture.id] |= {"folders": "value_2/1 value_6/2"}
        tree.faults["same_name_other_content"].add(picture.id)
    tree.faults["bad_picture"] |= {halved.id, swollen.id}

    # One picture under two names: one row, all folders; where the two labels contradict each other nothing is known.
    for site, grade in ((5, 0), (7, 2)):
        first = _odd(site, 4, hair_loss=2, excess_sebum=1, erythema=None if grade else 0)
        second = _odd(site, 5, hair_loss=2, excess_sebum=1, erythema=grade)
        tree.add(first, [(loss, 2)], label=label_json(first, first.values | {Condition.ERYTHEMA: 0}))
        tree.add(replace(second, data=first.data), [(sebum, 1)])
        del tree.rows[second.id], tree.contents[second.id]
        tree.rows[first.id] |= {"folders": "value_2/1 value_6/2"}
        tree.faults["same_content"].add(second.id)
    tree.faults["conflicting_labels"].add(first.id)

    large = Picture("0096", 2, _odd(6, hair_loss=3).values, jpeg(9602, (800, 600)))
    tree.add(large, [(loss, 3)])
    tree.faults["odd_size"].add(large.id)

    shouted, whispered = _odd(6, 3, hair_loss=3), _odd(6, 4, hair_loss=3)
    tree.add(shouted, [(loss, 3)], name=f"{shouted.stem}.JPG")
    tree.add(whispered, [(loss, 3)], name=f"{whispered.id}_lh.jpeg")


def _plant_files(tree: _Tree, root: Path) -> None:
    """Zip files that mean harm or are damaged, links, and junk that is not reported."""
    top = root / TOP
    picture = jpeg(9901)
    names = ["../../evil.jpg", "/evil_absolute.jpg", "..\\..\\evil_windows.jpg", "inside/../../../evil_inside.jpg"]
    write_zip(top / "남의 것.zip", [(name, jpeg(9910 + place)) for place, name in enumerate(names)])
    tree.faults["unsafe_name"] |= {"evil.jpg", "evil_absolute.jpg", "evil_windows.jpg", "evil_inside.jpg"}

    _write_zeros(top / "폭탄.zip", "bomb.jpg", 200)
    _write_zeros(top / "부풀린.zip", "flat.jpg", 10)
    tree.faults["too_large"] |= {"bomb.jpg", "flat.jpg"}
    _write_zeros(top / "거짓말.zip", "liar.jpg", 200, claimed=1000)
    (top / "=1+1.jpg").write_bytes(b"a formula to a spreadsheet")
    tree.faults["bad_picture"] |= {"liar.jpg", "=1+1.jpg"}

    changed = _odd(4, 5)
    write_zip(top / "Training" / "[원천]탈모_2.깨진.zip", [(f"{changed.stem}.jpg", changed.data)])
    _flip(top / "Training" / "[원천]탈모_2.깨진.zip", len(changed.data))
    tree.faults["bad_picture"].add(changed.id)

    for delivered in [*top.glob("*/[[]원천[]]*중증.zip")]:  # downloaded twice
        shutil.copy(delivered, delivered.with_name(f"{delivered.stem} (1).zip"))

    write_zip(top / "잠긴.zip", [("encrypted.jpg", picture)], flags=0x1)
    tree.faults["encrypted"].add("encrypted.jpg")

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as inner:
        inner.writestr("inner.jpg", jpeg(9902))
    write_zip(top / "겹친.zip", [("inner.zip", stream.getvalue())])
    tree.faults["nested_zip"].add("inner.zip")

    (top / "[원천]비듬_3.잘린.zip").write_bytes(stream.getvalue()[: len(stream.getvalue()) // 2])
    (top / "[원천]비듬_3.아님.zip").write_bytes(b"this is no zip file")
    tree.faults["bad_zip"] |= {"[원천]비듬_3.잘린.zip", "[원천]비듬_3.아님.zip"}

    for name in ("[원천]탈모_3.중증.zip.part0", "[원천]탈모_2.중등도.zip.crdownload"):
        (top / name).write_bytes(b"PK\3\4" + picture)
        tree.faults["partial_download"].add(name)

    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "0099_A2LEBJJDE00099O_1602578303771_2_TH.jpg").write_bytes(jpeg(9903))
    (top / "outside").symlink_to(outside)
    (top / "0099_A2LEBJJDE00099O_1602578303771_3_TH.jpg").symlink_to(next(outside.iterdir()))
    tree.faults["unsafe_name"] |= {"outside", "0099_A2LEBJJDE00099O_1602578303771_3"}

    junk = [".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX/._x.jpg"]
    for name in junk:
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_bytes(b"junk")
    write_zip(top / "맥.zip", [(name, b"junk") for name in junk])


def _write_zeros(path: Path, name: str, megabytes: int, claimed: int = 0) -> None:
    """Zeros that deflate to nearly nothing and are called a picture; the directory may say that they are few."""
    zeros = bytes(2**20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        info = zipfile.ZipInfo(name)
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w") as member:
            for _ in range(megabytes):
                member.write(zeros)
        info.file_size = claimed or info.file_size


def _flip(path: Path, size: int) -> None:
    """Change a byte near the end of a zip file's one picture, which stays a picture: only the checksum tells."""
    content = bytearray(path.read_bytes())
    place = content.index(b"\xff\xd8") + size - 40
    content[place] ^= 0x01
    path.write_bytes(content)


def folders_tree(root: Path, copies: int = 3) -> Truth:
    """Class folders `<condition>/<grade>/1.jpg` …: the same few names in all of them, each time another picture.

    One picture lies in two class folders under two names, of which `twin` sorts first and is kept; one name occurs only
    once. Rows are known by `sha256`.
    """
    rows: dict[str, dict[str, object]] = {}
    contents: dict[str, bytes] = {}
    for number, (condition, grade) in enumerate((condition, grade) for condition in CONDITIONS for grade in range(4)):
        folder = root / (condition.code if number % 2 else condition.value) / str(grade)
        folder.mkdir(parents=True)
        for copy in range(copies):
            name = "only-here" if (number, copy) == (5, 0) else str(copy + 1)
            data = jpeg(20_000 + number * copies + copy)
            (folder / f"{name}.jpg").write_bytes(data)
            rows[sha256(data).hexdigest()] = {condition.value: grade, "folders": f"{condition.value}/{grade}"}
            contents[sha256(data).hexdigest()] = data
    shared = jpeg(20_000)
    twin = root / "hair_loss" / "2" / "twin.jpg"
    twin.parent.mkdir(parents=True, exist_ok=True)
    twin.write_bytes(shared)
    rows[sha256(shared).hexdigest()] |= {"value_6": 2, "folders": "value_1/0 value_6/2"}
    return Truth(_by_hash(rows), {"same_content": {"1.jpg"}}, contents)


def csv_table(root: Path, pictures: int = 24) -> tuple[Path, dict[str, str], Truth]:
    """A CSV file with Korean headings beside a folder `images`; also what its columns mean, by field.

    File names occur twice, in two folders. Some cells are empty; one row has a value out of range, one a picture that
    is not there, one names a picture outside the folder.
    """
    columns = {"image": "사진 이름", "site": "병원", "value_2": "피지", "value_6": "탈모 정도"}
    lines, rows, contents = [",".join(columns.values())], {}, {}
    for number in range(pictures):
        name, data = f"폴더{number % 2}/사진 {number // 2:02d}.jpg", jpeg(30_000 + number)
        (root / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "images" / name).write_bytes(data)
        sebum, loss = (None if number % 5 == 0 else number % 4), (None if number == 1 else number % 3)
        lines.append(f"{name},병원{number % 8},{'' if sebum is None else sebum},{9 if loss is None else loss}")
        key = sha256(data).hexdigest()
        rows[key] = {"site": f"병원{number % 8}", "value_2": sebum, "value_6": loss}
        contents[key] = data
    (root / "evil.jpg").write_bytes(jpeg(30_999))
    lines += ["폴더0/not there.jpg,병원1,1,1", "../evil.jpg,병원1,1,1"]
    table = root / "labels.csv"
    table.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8-sig")
    faults = {"bad_value": {"사진 00.jpg"}, "label_without_picture": {"not there.jpg", "evil.jpg"}}
    return table, columns, Truth(_by_hash(rows), faults, contents)


def _by_hash(rows: dict[str, dict[str, object]]) -> pd.DataFrame:
    table = pd.DataFrame([{"sha256": key} | row for key, row in sorted(rows.items())])
    columns = dict.fromkeys([*table.columns, *LABEL_COLUMNS])
    return table.reindex(columns=[*columns]).astype(dict.fromkeys(LABEL_COLUMNS, "Int8"))
