"""The built-in synthetic data set: which sites, captures and labels there are, and their files on disk.

Knows nothing of how a frame is drawn (renderer.py) nor of training. Pictures and labels are laid out and named like the
real ones, so that all that reads the real data can be tried on it; but they are drawings, and say nothing about people.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.dataset import (
    LABEL_COLUMNS,
    PARTS,
    TEXT_COLUMNS,
    Dataset,
    check_name,
    claimed,
    data_folder,
    name_taken,
    open_dataset,
    write_dataset,
)
from scalp_core.drawing.frame import render
from scalp_core.drawing.scene import CASTS, Camera, Scene
from scalp_core.errors import ScalpError
from scalp_core.files import TEMPORARY, read_json, sweep, write_json
from scalp_core.inspection import Measures, columns_of, measure
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.parts import deal
from scalp_core.workers import share_out

# Raised whenever the same seed gives other names, labels or pixels than before.
GENERATOR_VERSION = 1

FEWEST_IMAGES = 16
IMAGES_PER_SITE = 50
REAL_SITES, MOST_SITES = 190, 9999  # the number has four digits
FEWEST_SITES = 12  # where there are images enough; a split needs at least one site a part
# Shares of captures with 1 … 5 images; 91,156 images in 22,338 captures make 4.08 on average.
CAPTURE_SIZES = (0.03, 0.07, 0.12, 0.35, 0.43)
FRAMES = (2, 3, 4, 5, 6)
REGION_OF_FRAME = {2: "TH", 3: "TH", 4: "LH", 5: "RH", 6: "BH"}
# Families of device serials with their shares among the real images.
DEVICE_FAMILIES = {"A2LEBJJDE": 0.952, "A1LCAIHDH": 0.039, "A2LCBJCAC": 0.009}
SECOND_DEVICE_SHARE = 0.4
FIRST_EPOCH_MS, LAST_EPOCH_MS = 1_596_240_000_000, 1_606_780_800_000  # August to November 2020, as the real ones

# The real counts to this power: 1 would leave the rare grades (0.5 % for the worst) untrainable, 0 would forget which
# conditions go together.
TEMPER = 0.4
# Each image takes a group of labels from its capture with this chance, otherwise draws its own: two images agree with
# the square of it. Scaling and sebum go together, so that one excludes the other as in the real data.
KEPT: tuple[tuple[tuple[Condition, ...], float], ...] = (
    ((Condition.FINE_SCALING, Condition.EXCESS_SEBUM), 0.68),
    ((Condition.ERYTHEMA,), 0.68),
    ((Condition.PUSTULES,), 0.45),
    ((Condition.DANDRUFF,), 0.68),
    ((Condition.HAIR_LOSS,), 0.7),
)
# The top of the head is oilier (1.42 against about 1.16) and less red (0.75 against about 1.1).
TOP_TILT = {Condition.EXCESS_SEBUM: 0.8, Condition.ERYTHEMA: -0.9}

# A grade is what a person made of a continuous severity; neighbours touch but hardly overlap.
SEVERITY_SPREAD = 0.2
MOST_STRAY = 0.45
JPEG = (
    (cv2.IMWRITE_JPEG_QUALITY, 90),
    (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
)
CHUNK = 8  # images handed to a worker at once; what is handed out is finished even after Ctrl-C
# Names the settings of an unfinished data set; its presence allows to go on in that folder.
MAKING = "making.json"

Progress = Callable[[int, int], None]
Grades = tuple[int, ...]


@dataclass(frozen=True)
class Site:
    """A place that takes pictures, with its devices, their light and how hair is parted there."""

    number: int
    serials: tuple[str, ...]
    cameras: tuple[Camera, ...]
    cast: int


@dataclass(frozen=True)
class Picture:
    """One image to be: its identity, its six labels and what it needs to be drawn."""

    number: int
    site: str
    device: str
    capture: str
    frame: int
    grades: Grades
    camera: Camera
    cast: int
    direction: float

    @property
    def region(self) -> str:
        return REGION_OF_FRAME[self.frame]

    @property
    def image_id(self) -> str:
        return f"{self.capture}_{self.frame}"

    @property
    def stem(self) -> str:
        return f"{self.image_id}_{self.region}"

    @property
    def path(self) -> str:
        return f"images/{self.stem}.jpg"


def make_dataset(
    name: str, images: int, seed: int, *, processes: int | None = None, progress: Progress | None = None
) -> Dataset:
    """Render `images` pictures into `data/<name>/`, or go on where an earlier call was killed.

    The same name, number and seed give the same labels and scenes, whatever the number of processes; a data set that
    is there already is returned as it is.

    The rarest grades are 3 of pustules with 5.5 % and 3 of hair loss with 6.5 % of the images, of 1,000 images never
    less than 3.9 % over twelve seeds; the commonest is 0 of pustules with 70 %. Spearman of scaling with sebum −.5;
    two regions of a capture correlate .4–.5 in each condition, .2 in pustules.

    Args:
        images: at least 16.
        processes: worker processes; None takes one a core, 1 renders in this process.
        progress: called with (done, total) now and then, from 0 to total.

    Raises:
        ScalpError: a bad name or number; another data set stands under this name; a worker or the disk failed.
    """
    check_name(name)
    _check_number(images)
    settings: dict[str, object] = {
        "generator": "scalp_core.synthetic",
        "version": GENERATOR_VERSION,
        "images": images,
        "seed": seed,
    }
    if (data_folder() / name / "index.parquet").is_file():
        dataset = open_dataset(name)
        if dataset.made == settings:
            return dataset
        raise name_taken(name)
    with claimed(name) as folder:
        return _make(folder, settings, processes or os.cpu_count() or 1, progress or _silent)


def _make(folder: Path, settings: dict[str, object], processes: int, progress: Progress) -> Dataset:
    _claim(folder, settings)
    images, seed = int(str(settings["images"])), int(str(settings["seed"]))
    pictures = plan_pictures(images, seed)
    rows = _rows(pictures, _render_all(folder, pictures, seed, processes, progress))
    dealt = deal(rows, "site", seed)
    dataset = write_dataset(folder, "synthetic", settings, rows.assign(part=dealt.parts), parts=dealt.described)
    (folder / MAKING).unlink(missing_ok=True)
    return dataset


def _silent(_done: int, _total: int) -> None:
    """For whoever does not want to know."""


def _check_number(images: int) -> None:
    if images < FEWEST_IMAGES:
        raise ScalpError(
            "too_few_images",
            f"A data set of {images} images cannot be split by site into {len(PARTS)} parts; ask for {FEWEST_IMAGES} "
            "or more.",
            f"이미지 {images}장으로는 촬영 장소별로 {len(PARTS)}개 부분으로 나눌 수 없습니다. {FEWEST_IMAGES}장 이상을 "
            "지정하십시오.",
        )


def _claim(folder: Path, settings: dict[str, object]) -> None:
    """Begin or resume in `folder`; never in one that holds something else."""
    marker = folder / MAKING
    if marker.is_file():
        if read_json(marker) != settings:
            raise name_taken(folder.name)
        return
    if folder.exists() and any(not path.name.startswith(TEMPORARY) for path in folder.iterdir()):
        raise name_taken(folder.name)
    write_json(marker, settings)


def _rows(pictures: list[Picture], measured: dict[int, Measures]) -> pd.DataFrame:
    measures = [measured[picture.number] for picture in pictures]
    texts = [_texts(picture, one.sha256) for picture, one in zip(pictures, measures, strict=True)]
    labels = [picture.grades for picture in pictures]
    columns = [pd.DataFrame(texts, columns=list(TEXT_COLUMNS)), pd.DataFrame(labels, columns=list(LABEL_COLUMNS))]
    return pd.concat([*columns, columns_of(measures)], axis=1)


def _texts(picture: Picture, content: str) -> tuple[str, ...]:
    """The text columns of one row, the part left open."""
    device, region = picture.device, picture.region
    return picture.image_id, picture.path, content, picture.site, device, picture.capture, region, ""


# --- Who is in the data set -----------------------------------------------------------------------------------------


def plan_pictures(images: int, seed: int) -> list[Picture]:
    """All pictures of a data set without their pixels; the same for the same arguments."""
    sizes = _site_sizes(images, seed)
    numbers = np.random.default_rng([seed, 1]).permutation(max(REAL_SITES, len(sizes)))
    pictures: list[Picture] = []
    for position, size in enumerate(sizes):
        generator = np.random.default_rng([seed, 2, position])
        site = _site(int(numbers[position]), generator)
        pictures += _pictures_of(site, size, len(pictures), generator)
    return pictures


def _site_sizes(images: int, seed: int) -> list[int]:
    """Images of each site: about 50, a dozen sites at least where there are images enough."""
    sites = min(MOST_SITES, max(FEWEST_SITES, round(images / IMAGES_PER_SITE)), images // 2)
    weights = np.random.default_rng([seed, 0]).uniform(0.65, 1.35, sites)
    ends = np.round(np.cumsum(weights) / weights.sum() * images).astype(int)
    return [int(size) for size in np.diff(ends, prepend=0)]


def _site(number: int, generator: np.random.Generator) -> Site:
    devices = 2 if generator.random() < SECOND_DEVICE_SHARE else 1
    balance = generator.normal(0.0, 0.028, 3)
    return Site(
        number,
        tuple(_serial(generator) for _ in range(devices)),
        tuple(_camera(balance, generator) for _ in range(devices)),
        int(generator.integers(len(CASTS))),
    )


def _serial(generator: np.random.Generator) -> str:
    family = str(generator.choice(list(DEVICE_FAMILIES), p=list(DEVICE_FAMILIES.values())))
    return f"{family}{int(generator.integers(100_000)):05d}{'ABCDEFGHJKLMNOPQ'[int(generator.integers(16))]}"


def _camera(balance: npt.NDArray[np.float64], generator: np.random.Generator) -> Camera:
    red, green, blue = np.exp(balance + generator.normal(0.0, 0.01, 3))
    return Camera(
        gains=(float(red), float(green), float(blue)),
        gamma=float(generator.uniform(0.92, 1.08)),
        noise=round(float(generator.uniform(1.5, 4.0)), 1),
        vignette=float(generator.uniform(2.0, 10.0)),
    )


def _pictures_of(site: Site, size: int, first: int, generator: np.random.Generator) -> list[Picture]:
    """`size` pictures of one site, capture after capture."""
    pictures: list[Picture] = []
    moment = int(generator.integers(FIRST_EPOCH_MS, LAST_EPOCH_MS))
    while len(pictures) < size:
        moment += int(generator.integers(120_000, 7_200_000))
        device = int(generator.integers(len(site.serials)))
        capture = f"{site.number:04d}_{site.serials[device]}_{moment}"
        cast = site.cast if generator.random() < 0.65 else int(generator.integers(len(CASTS)))
        frames = _frames(size - len(pictures), generator)
        base = _draw_grades("", generator)
        for frame in frames:
            grades = _grades_within(base, REGION_OF_FRAME[frame], generator)
            direction = float(generator.uniform(0, 2 * np.pi))
            number = first + len(pictures)
            camera = site.cameras[device]
            serial = site.serials[device]
            pictures.append(
                Picture(number, f"{site.number:04d}", serial, capture, frame, grades, camera, cast, direction)
            )
    return pictures


def _frames(most: int, generator: np.random.Generator) -> list[int]:
    count = min(most, 1 + int(generator.choice(len(CAPTURE_SIZES), p=CAPTURE_SIZES)))
    return sorted(int(frame) for frame in generator.choice(FRAMES, count, replace=False))


@lru_cache(maxsize=1)
def _label_vectors() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The 1,279 label vectors that occur in the real data, and how often each of them does."""
    table = pd.read_csv(Path(__file__).with_name("label_joint_counts.csv"))
    return table[list(LABEL_COLUMNS)].to_numpy(np.int64), table["n"].to_numpy(np.float64)


@lru_cache(maxsize=4)
def _cumulative(region: str) -> npt.NDArray[np.float64]:
    """Cumulative chances of the label vectors in a region; "" stands for the head as a whole."""
    vectors, counts = _label_vectors()
    weights = counts**TEMPER
    if region == "TH":
        for condition, tilt in TOP_TILT.items():
            weights = weights * np.exp(tilt * vectors[:, CONDITIONS.index(condition)])
    return np.asarray(np.cumsum(weights) / weights.sum())


def _draw_grades(region: str, generator: np.random.Generator) -> Grades:
    vectors, _ = _label_vectors()
    drawn = int(np.searchsorted(_cumulative(region), generator.random(), side="right"))
    return tuple(int(grade) for grade in vectors[min(drawn, len(vectors) - 1)])


def _grades_within(base: Grades, region: str, generator: np.random.Generator) -> Grades:
    """The grades of one image: group by group those of its capture or its own."""
    own = _draw_grades(region, generator)
    grades = dict(zip(CONDITIONS, own, strict=True))
    for group, chance in KEPT:
        if generator.random() < chance:
            grades |= {condition: base[CONDITIONS.index(condition)] for condition in group}
    return tuple(grades[condition] for condition in CONDITIONS)


# --- Pixels and files -----------------------------------------------------------------------------------------------


def draw_picture(picture: Picture, seed: int) -> npt.NDArray[np.uint8]:
    """The frame of one planned picture, (480, 640, 3) RGB."""
    generator = np.random.default_rng([seed, 3, picture.number])
    stray = np.clip(generator.normal(0.0, SEVERITY_SPREAD, len(CONDITIONS)), -MOST_STRAY, MOST_STRAY)
    grades = np.array(picture.grades)
    # A normal scalp shows a trace at most: half the stray.
    severities = np.clip(grades + np.where(grades == 0, stray / 2, stray), 0.0, 3.0)
    by_condition = {condition: float(severities[place]) for place, condition in enumerate(CONDITIONS)}
    scene = Scene(by_condition, CASTS[picture.cast], picture.camera, picture.direction)
    return render(scene, generator)


def _render_all(
    folder: Path, pictures: list[Picture], seed: int, processes: int, progress: Progress
) -> dict[int, Measures]:
    """Every file on disk; what is measured on them by picture number."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        sweep(folder / kind)
    chunks = [pictures[start : start + CHUNK] for start in range(0, len(pictures), CHUNK)]
    work = partial(_render_chunk, folder, seed)
    measured: dict[int, Measures] = {}
    progress(0, len(pictures))
    try:
        for done in share_out(work, chunks, min(processes, len(chunks))):
            measured |= done
            progress(len(measured), len(pictures))
    except OSError as error:
        raise ScalpError(
            "cannot_write",
            f"The pictures cannot be written to {folder}: {error.strerror or error}. Make room or set SCALP_DATA to "
            "another folder, then start the same command again.",
            f"{folder}에 사진을 쓸 수 없습니다: {error.strerror or error}. 공간을 확보하거나 SCALP_DATA를 다른 폴더로 "
            "바꾼 뒤 같은 명령을 다시 실행하십시오.",
        ) from error
    return measured


def _render_chunk(folder: Path, seed: int, pictures: list[Picture]) -> dict[int, Measures]:
    return {picture.number: _render_one(folder, seed, picture) for picture in pictures}


def _render_one(folder: Path, seed: int, picture: Picture) -> Measures:
    """What is measured on the picture's file, which is drawn unless it is there."""
    path = folder / picture.path
    label = folder / "labels" / f"{picture.stem}.json"
    if label.is_file() and _whole(path):
        return measure(path.read_bytes())
    pixels = draw_picture(picture, seed)
    flags = [value for flag in JPEG for value in flag]
    encoded = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), flags)[1].tobytes()
    _write_quickly(path, encoded)
    _write_quickly(label, json.dumps(_label_file(picture, path.name), ensure_ascii=False).encode())
    return measure(encoded)


def _label_file(picture: Picture, file_name: str) -> dict[str, str]:
    values = {condition.value: str(grade) for condition, grade in zip(CONDITIONS, picture.grades, strict=True)}
    return {"image_id": picture.image_id, "image_file_name": file_name, **values}


def _whole(path: Path) -> bool:
    """Whether a JPEG is there from its first marker to its last."""
    if not path.is_file():
        return False
    content = path.read_bytes()
    return content.startswith(b"\xff\xd8") and content.endswith(b"\xff\xd9")


def _write_quickly(path: Path, content: bytes) -> None:
    """Write and rename, so that a kill leaves no half file.

    Unlike files.write_atomic it does not wait for the disk: that would cost as much as drawing, and what a power cut
    may lose is found by `_whole` and drawn again.
    """
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    temporary.write_bytes(content)
    temporary.replace(path)
