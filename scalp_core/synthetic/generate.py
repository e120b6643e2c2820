"""Generates the synthetic dataset: its sites, captures and labels, and their files on disk.

Pictures and labels are laid out and named like the
real ones, so that all that reads the real data can be tried on it; but they are drawings, and say nothing about people.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.data.dataset import (
    LABEL_COLUMNS,
    PARTS,
    TEXT_COLUMNS,
    Dataset,
    check_name,
    claimed,
    name_taken,
    open_dataset,
)
from scalp_core.data.index_writer import write_dataset
from scalp_core.data.quality import ImageMeasures, measure, measure_columns
from scalp_core.data.splits import PART_SHARES, split_groups
from scalp_core.errors import ScalpError
from scalp_core.files import TEMPORARY, UNREADABLE, read_json, sweep
from scalp_core.labels import CONDITIONS, META, Condition
from scalp_core.parallel import cores, no_progress, parallel_map
from scalp_core.paths import data_folder
from scalp_core.seals import read_sealed_json, write_sealed_json
from scalp_core.synthetic.drawing.canvas import Colour
from scalp_core.synthetic.drawing.cues import Cues, cues_of, masks_of_cues
from scalp_core.synthetic.drawing.frame import render
from scalp_core.synthetic.drawing.scene import CONFUSERS, HAIR_COLOURS, Camera, Cast, Scene
from scalp_core.synthetic.label_noise import CLEAN_COLUMNS, SEVERITY_COLUMNS, clean_grades, draw_labels

# Raised whenever the same seed gives other names, labels or pixels than before.
GENERATOR = "scalp_core.synthetic.generate"
GENERATOR_VERSION = 3

MIN_IMAGES = 16
IMAGES_PER_SITE = 50  # where there are images enough for several sites a part
SITES_OF_A_SMALL_PART = 3
MAX_SITES = 9999  # the number has four digits
# Shares of captures with 1 … 5 images; 91,156 images in 22,338 captures make 4.08 on average.
CAPTURE_SIZES = (0.03, 0.07, 0.12, 0.35, 0.43)
FRAMES = (2, 3, 4, 5, 6)
REGION_OF_FRAME = {2: "TH", 3: "TH", 4: "LH", 5: "RH", 6: "BH"}
# Families of device serials with their shares among the real images.
DEVICE_FAMILIES = {"A2LEBJJDE": 0.952, "A1LCAIHDH": 0.039, "A2LCBJCAC": 0.009}
SECOND_DEVICE_SHARE = 0.4
USUAL_CAST_SHARE = 0.8  # of the captures of a device; some lamps are moved or set anew
# L*, a* and b* of healthy skin under the lamps of devices: mean, deviation, and correlations.
CAST_MEAN = (69.5, -4.2, 2.7)
CAST_SPREAD = (2.0, 5.6, 5.6)
CAST_CORRELATION = ((1.0, -0.5, -0.2), (-0.5, 1.0, 0.35), (-0.2, 0.35, 1.0))
MOST_STRAY = 2.1  # deviations: no lamp is farther from the mean
HEAD_SPREAD = (1.0, 1.4, 1.4)  # L*, a*, b* from one head to the next under the same lamp
FIRST_EPOCH_MS, LAST_EPOCH_MS = 1_596_240_000_000, 1_606_780_800_000  # August to November 2020, as the real ones
# A few real names carry nine digits in place of thirteen (13 of 91,156 files; more often here, so that small sets do).
NINE_DIGITS_SHARE = 0.003

# The real counts to this power. 1 keeps the imbalance that a model is judged under; less lets it see rare grades
# more often while it learns, without forgetting which conditions go together.
PRIORS = {"real": 1.0, "tempered": 0.6}
# The same for what is judged on. At .6 a test split of 1,700 pictures to be judged on had 11 to 24 severe pustules; at
# .4 it has 29 or more, and each of the other two splits 23 or more, of every grade of every condition (16 seeds).
EVALUATION_PRIORS = {"real": 1.0, "tempered": 0.4}
# Each region takes a group of labels from its capture with this chance, otherwise draws its own: two regions agree with
# the square of it. Scaling and sebum go together, so that one excludes the other as in the real data.
KEPT: tuple[tuple[tuple[Condition, ...], float], ...] = (
    ((Condition.FINE_SCALING, Condition.EXCESS_SEBUM), 0.68),
    ((Condition.ERYTHEMA,), 0.68),
    ((Condition.PUSTULES,), 0.45),
    ((Condition.DANDRUFF,), 0.68),
    ((Condition.HAIR_LOSS,), 0.7),
)
# The top of the head is oilier (1.42 against about 1.16) and less red (0.75 against about 1.1).
# Logarithm of how much likelier each further grade is there, and elsewhere.
TILT = {"TH": {Condition.EXCESS_SEBUM: 0.55, Condition.ERYTHEMA: -0.8}}
TILT |= {region: {Condition.EXCESS_SEBUM: -0.5, Condition.ERYTHEMA: 0.55} for region in ("LH", "RH", "BH")}

# How far severities stray from the middle of their grade, in grades: a region of a head, and two frames of it.
REGION_SPREAD, FRAME_SPREAD, MAX_STRAY = 0.2, 0.07, 0.45
TRACE = 0.35  # a normal scalp strays this much of it, upwards

# Answers of a questionnaire, made up but for their names; a dyed head has an answer that fits.
ANSWERS: dict[str, tuple[str, ...]] = {
    "gender": ("남", "여"),
    "age": ("10대", "20대", "30대", "40대", "50대", "60대 이상"),
    "location": ("서울", "경기", "부산", "대구", "광주"),
    "answers1": ("1일 1회", "1일 2회", "2~3일에 1회"),
    "answers2": ("하지 않음", "1년에 1~2회", "1년에 3회 이상"),
    "answers3": ("하지 않음", "1년에 1~2회", "1년에 3회 이상"),
    "answers4": ("건강", "손상", "심한 손상"),
    "answers5": ("샴푸", "샴푸, 린스", "샴푸, 트리트먼트, 에센스"),
}

# Devices write JPEG with halved colours (4:2:0), of a quality of their own.
JPEG_QUALITIES = (88, 100)
# Red, green and blue where no light comes back, and where a channel is full: mean, deviation, least and most.
BLACK_MEAN, BLACK_SPREAD = (22.0, 25.0, 12.0), (11.0, 9.0, 9.0)
WHITE_MEAN, WHITE_SPREAD = (235.0, 245.0, 244.0), (7.0, 3.5, 6.0)
WHITES = ((222.0, 237.0, 225.0), (252.0, 251.0, 250.0))
CHUNK = 8  # images handed to a worker at once; what is handed out is finished even after Ctrl-C
# Names the settings of an unfinished dataset; its presence allows to go on in that folder.
MAKING = "making.json"

Progress = Callable[[int, int], None]
Grades = tuple[int, ...]


@dataclass(frozen=True)
class Site:
    """A place that takes pictures, with its devices, each with its camera and the cast of its lamp."""

    number: int
    serials: tuple[str, ...]
    cameras: tuple[Camera, ...]
    casts: tuple[Cast, ...]


@dataclass(frozen=True)
class PlannedPicture:
    """One image to be: its identity, what it shows, what a rater wrote, and what it needs to be drawn.

    Attributes:
        key: what its random numbers are drawn from, beside the seed of the dataset.
        severities: 0.0–3.0 for each condition.
        labels: the grades a rater wrote down, see scalp_core.synthetic.label_noise.
        answers: of the questionnaire, in the order of ANSWERS.
    """

    key: tuple[int, int, int]
    part: str
    site: str
    device: str
    capture: str
    frame: int
    severities: tuple[float, ...]
    labels: Grades
    camera: Camera
    cast: Cast
    direction: float
    hair: str
    confusers: frozenset[str]
    answers: tuple[str, ...]

    @cached_property
    def clean(self) -> Grades:
        """The grades of its severities."""
        return tuple(int(grade) for grade in clean_grades(np.array(self.severities)))

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
    name: str,
    images: int,
    seed: int,
    *,
    evaluation: int | None = None,
    prior: str = "tempered",
    evaluation_prior: str = "real",
    processes: int | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Render `images` pictures into `data/<name>/`, or go on where an earlier call was killed.

    The same arguments give the same labels and scenes, whatever the number of processes; a dataset that is there
    already is returned as it is. With the same `evaluation` and seed a larger dataset contains a smaller one of 150 to
    some 125,000 pictures to learn from: the same ones to be judged on, more to learn from.

    Args:
        images: at least 16.
        evaluation: how many of them are for validation, calibration and test; None takes 40 %.
        prior: one of PRIORS, for what is learned from.
        evaluation_prior: one of EVALUATION_PRIORS, for what is judged on. `tempered` gives every grade enough pictures
            for a recall to be a figure; kappas and shares measured there are not those of the real imbalance.
        processes: worker processes; None takes one a core, 1 renders in this process.
        progress: called with (done, total) now and then, from 0 to total.

    Raises:
        ScalpError: a bad name or number; another dataset stands under this name; a worker or the disk failed.
    """
    check_name(name)
    judged = _evaluation_images(images, evaluation)
    _check(images, judged, prior, evaluation_prior)
    settings: dict[str, object] = {
        "generator": GENERATOR,
        "version": GENERATOR_VERSION,
        "images": images,
        "evaluation": judged,
        "prior": prior,
        "seed": seed,
    }
    if evaluation_prior != "real":  # datasets from before there was a choice do not say it
        settings["evaluation_prior"] = evaluation_prior
    if (data_folder() / name / "index.parquet").is_file():
        dataset = open_dataset(name)
        if dataset.made == settings:
            return dataset
        raise name_taken(name)
    with claimed(name) as folder:
        _claim(folder, settings)
        pictures = plan_pictures(images, seed, evaluation=judged, prior=prior, evaluation_prior=evaluation_prior)
        measured = _render_all(folder, pictures, seed, processes or cores(), progress or no_progress)
        return _write_index(folder, settings, pictures, measured)


def is_rendered(folder: Path) -> bool:
    """Return whether a folder holds pictures that this program rendered, in whichever version, whole or in part."""
    if (folder / MAKING).is_file():
        return True
    try:
        return bool(read_json(folder / "dataset.json")["made"]["generator"] == GENERATOR)
    except (*UNREADABLE, LookupError, TypeError):
        return False


def _write_index(
    folder: Path, settings: dict[str, object], pictures: list[PlannedPicture], measured: dict[str, ImageMeasures]
) -> Dataset:
    sites = len({picture.site for picture in pictures})
    parts: dict[str, object] = {"by": "site", "seed": settings["seed"], "leaky": False}
    parts |= {"values": sites, "groups": sites}
    dataset = write_dataset(folder, "synthetic", settings, _rows(pictures, measured), parts=parts)
    (folder / MAKING).unlink(missing_ok=True)
    return dataset


def _evaluation_images(images: int, evaluation: int | None) -> int:
    return round(images * (1 - PART_SHARES["train"])) if evaluation is None else evaluation


def _check(images: int, evaluation: int, prior: str, evaluation_prior: str) -> None:
    if images < MIN_IMAGES:
        raise ScalpError(
            "too_few_images",
            f"A dataset of {images} images cannot be split by site into {len(PARTS)} splits; use {MIN_IMAGES} or more.",
            f"이미지 {images}장으로는 기관별로 {len(PARTS)}개 분할로 나눌 수 없어요. {MIN_IMAGES}장 이상을 지정하세요.",
        )
    most = images - MIN_IMAGES // 4
    if not MIN_IMAGES // 4 <= evaluation <= most:
        raise ScalpError(
            "bad_evaluation",
            f"Of {images} images, {MIN_IMAGES // 4} to {most} can be for evaluation, not {evaluation}.",
            f"이미지 {images}장 가운데 평가용은 {MIN_IMAGES // 4}–{most}장이어야 해요 (지정한 값: {evaluation}).",
        )
    for name, priors in ((prior, PRIORS), (evaluation_prior, EVALUATION_PRIORS)):
        if name not in priors:
            raise ScalpError(
                "bad_prior",
                f"There is no label prior “{name[:40]}”; known are {', '.join(priors)}.",
                f"“{name[:40]}” 라벨 분포가 없어요. 가능한 값: {', '.join(priors)}.",
            )


def _claim(folder: Path, settings: dict[str, object]) -> None:
    """Begin or resume in `folder`; never in one that holds something else."""
    marker = folder / MAKING
    if marker.is_file():
        try:
            same = read_sealed_json(marker) == settings
        except UNREADABLE as error:
            raise name_taken(folder.name) from error
        if not same:
            raise name_taken(folder.name)
        return
    if folder.exists() and any(not path.name.startswith(TEMPORARY) for path in folder.iterdir()):
        raise name_taken(folder.name)
    write_sealed_json(marker, settings)


def _rows(pictures: list[PlannedPicture], measured: dict[str, ImageMeasures]) -> pd.DataFrame:
    measures = [measured[picture.image_id] for picture in pictures]
    texts = [_texts(picture, file.sha256) for picture, file in zip(pictures, measures, strict=True)]
    return pd.concat(
        [
            pd.DataFrame(texts, columns=list(TEXT_COLUMNS)),
            pd.DataFrame([picture.labels for picture in pictures], columns=list(LABEL_COLUMNS)),
            pd.DataFrame([picture.answers for picture in pictures], columns=[f"{META}{name}" for name in ANSWERS]),
            pd.DataFrame([picture.severities for picture in pictures], columns=list(SEVERITY_COLUMNS)),
            pd.DataFrame([picture.clean for picture in pictures], columns=list(CLEAN_COLUMNS)),
            pd.DataFrame({"confusers": [" ".join(sorted(picture.confusers)) for picture in pictures]}),
            measure_columns(measures),
        ],
        axis=1,
    )


def _texts(picture: PlannedPicture, content: str) -> tuple[str, ...]:
    """Return the text columns of one row."""
    device, region, part = picture.device, picture.region, picture.part
    return picture.image_id, picture.path, content, picture.site, device, picture.capture, region, part


# --- Who is in the dataset -----------------------------------------------------------------------------------------


EVALUATION, TRAINING = 0, 1  # the first number of a picture's key


def plan_pictures(
    images: int, seed: int, *, evaluation: int | None = None, prior: str = "tempered", evaluation_prior: str = "real"
) -> list[PlannedPicture]:
    """Plan all pictures of a dataset without their pixels; deterministic, see `make_dataset`."""
    judged = _evaluation_images(images, evaluation)
    tested = _plan_sites(EVALUATION, judged, seed, EVALUATION_PRIORS[evaluation_prior])
    return _assign_parts(tested, seed) + _plan_sites(TRAINING, images - judged, seed, PRIORS[prior])


def _plan_sites(kind: int, images: int, seed: int, prior: float) -> list[PlannedPicture]:
    """Plan `images` pictures, site after site; more of them begin with the same ones.

    Args:
        prior: the power that the real counts of label vectors are taken to, here and below.
    """
    numbers = np.random.default_rng([seed, 1]).permutation(MAX_SITES) + 1
    parts = len(PARTS) - 1 if kind == EVALUATION else 1
    usual = min(IMAGES_PER_SITE, max(1, images // (parts * SITES_OF_A_SMALL_PART)))
    usual = max(usual, 4 * images // MAX_SITES)  # both kinds together must find numbers enough
    pictures: list[PlannedPicture] = []
    position = 0
    while len(pictures) < images:
        generator = np.random.default_rng([seed, 2, kind, position])
        size = max(1, round(usual * generator.uniform(0.65, 1.35)))
        site = _site(int(numbers[position if kind == EVALUATION else -1 - position]), generator)
        key = (kind, position)
        pictures += _pictures_of(site, key, min(size, images - len(pictures)), prior, generator)
        position += 1
    return pictures


def _assign_parts(pictures: list[PlannedPicture], seed: int) -> list[PlannedPicture]:
    """Assign the pictures to evaluate on to splits: whole sites, every grade in every split if possible."""
    rows = pd.DataFrame([picture.labels for picture in pictures], columns=list(LABEL_COLUMNS))
    shares = {part: share for part, share in PART_SHARES.items() if part != "train"}
    parts = split_groups(rows.assign(site=[picture.site for picture in pictures]), "site", seed, shares)
    return [replace(picture, part=str(part)) for picture, part in zip(pictures, parts, strict=True)]


def _site(number: int, generator: np.random.Generator) -> Site:
    devices = 2 if generator.random() < SECOND_DEVICE_SHARE else 1
    balance = generator.normal(0.0, 0.014, 3)
    return Site(
        number,
        tuple(_serial(generator) for _ in range(devices)),
        tuple(_camera(balance, generator) for _ in range(devices)),
        tuple(_lamp(generator) for _ in range(devices)),
    )


def _serial(generator: np.random.Generator) -> str:
    family = str(generator.choice(list(DEVICE_FAMILIES), p=list(DEVICE_FAMILIES.values())))
    return f"{family}{int(generator.integers(100_000)):05d}{'ABCDEFGHJKLMNOPQ'[int(generator.integers(16))]}"


def _camera(balance: npt.NDArray[np.float64], generator: np.random.Generator) -> Camera:
    red, green, blue = np.exp(balance + generator.normal(0.0, 0.006, 3))
    return Camera(
        gains=(float(red), float(green), float(blue)),
        gamma=float(generator.uniform(0.95, 1.05)),
        noise=round(float(generator.uniform(1.5, 4.0)), 1),
        blur=float(generator.uniform(0.7, 1.0)),
        sharpening=float(generator.uniform(0.15, 0.5)),
        black=_levels(np.maximum(generator.normal(BLACK_MEAN, BLACK_SPREAD), 0.0)),
        white=_levels(np.clip(generator.normal(WHITE_MEAN, WHITE_SPREAD), *WHITES)),
        quality=int(generator.integers(JPEG_QUALITIES[0], JPEG_QUALITIES[1] + 1)),
    )


def _levels(values: npt.NDArray[np.float64]) -> Colour:
    red, green, blue = values.tolist()
    return red, green, blue


def _lamp(generator: np.random.Generator) -> Cast:
    """Draw the cast of one lamp from the spread of real ones."""
    stray = np.linalg.cholesky(np.array(CAST_CORRELATION)) @ generator.standard_normal(3)
    stray *= min(1.0, MOST_STRAY / float(np.linalg.norm(stray)))
    return _cast(*(np.array(CAST_MEAN) + np.array(CAST_SPREAD) * stray).tolist())


def _cast(lightness: float, a: float, b: float) -> Cast:
    return Cast(f"L {lightness:.0f} a {a:+.0f} b {b:+.0f}", lightness, a, b)


def _cast_of_head(lamp: Cast, generator: np.random.Generator) -> Cast:
    """Return the cast of a lamp on one head: skins differ."""
    skin = np.array([lamp.lightness, lamp.a, lamp.b]) + generator.normal(0.0, HEAD_SPREAD)
    return _cast(*skin.tolist())


def _pictures_of(
    site: Site, key: tuple[int, int], size: int, prior: float, generator: np.random.Generator
) -> list[PlannedPicture]:
    """Plan `size` pictures of one site, capture after capture; more of them begin with the same ones."""
    pictures: list[PlannedPicture] = []
    moment = int(generator.integers(FIRST_EPOCH_MS, LAST_EPOCH_MS))
    while len(pictures) < size:
        moment += int(generator.integers(120_000, 7_200_000))
        capture = _capture(site, key, moment, prior, generator)
        numbered = enumerate(capture, start=len(pictures))
        pictures += [replace(picture, key=(*key, number)) for number, picture in numbered]
    return pictures[:size]


def _capture(
    site: Site, key: tuple[int, int], moment: int, prior: float, generator: np.random.Generator
) -> list[PlannedPicture]:
    """Plan one head at one sitting: the same hair and light, one to five frames of its regions."""
    device = int(generator.integers(len(site.serials)))
    stamp = moment // 10_000 if generator.random() < NINE_DIGITS_SHARE else moment
    lamp = site.casts[device] if generator.random() < USUAL_CAST_SHARE else _lamp(generator)
    cast = _cast_of_head(lamp, generator)
    hair = str(generator.choice(list(HAIR_COLOURS), p=list(HAIR_COLOURS.values())))
    answers = _answers(hair, generator)
    count = 1 + int(generator.choice(len(CAPTURE_SIZES), p=CAPTURE_SIZES))
    frames = sorted(int(frame) for frame in generator.choice(FRAMES, count, replace=False))
    base = _draw_grades("", prior, generator)
    regions = {region: _region(base, region, prior, generator) for region in sorted(set(REGION_OF_FRAME.values()))}
    severities = np.array([_severities(*regions[REGION_OF_FRAME[frame]], generator) for frame in frames])
    labels = draw_labels(severities, generator)
    return [
        PlannedPicture(
            key=(*key, 0),
            part="train",
            site=f"{site.number:04d}",
            device=site.serials[device],
            capture=f"{site.number:04d}_{site.serials[device]}_{stamp}",
            frame=frame,
            severities=tuple(float(severity) for severity in severities[number]),
            labels=tuple(int(grade) for grade in labels[number]),
            camera=site.cameras[device],
            cast=cast,
            direction=float(generator.uniform(0, 2 * np.pi)),
            hair=hair,
            confusers=frozenset(name for name, share in CONFUSERS.items() if generator.random() < share),
            answers=answers,
        )
        for number, frame in enumerate(frames)
    ]


def _answers(hair: str, generator: np.random.Generator) -> tuple[str, ...]:
    answers = {name: str(generator.choice(values)) for name, values in ANSWERS.items()}
    if hair == "dyed":
        answers["answers3"] = str(generator.choice(ANSWERS["answers3"][1:]))
    return tuple(answers.values())


def _region(
    base: Grades, region: str, prior: float, generator: np.random.Generator
) -> tuple[Grades, npt.NDArray[np.float64]]:
    """Draw the grades of one region of a head and how far it strays from their middle."""
    grades = dict(zip(CONDITIONS, _draw_grades(region, prior, generator), strict=True))
    for group, chance in KEPT:
        if generator.random() < chance:
            grades |= {condition: base[CONDITIONS.index(condition)] for condition in group}
    return tuple(grades[condition] for condition in CONDITIONS), generator.normal(0, REGION_SPREAD, len(CONDITIONS))


def _severities(
    grades: Grades, stray: npt.NDArray[np.float64], generator: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Return the severities in one frame of a region, shape (6,), each within its grade."""
    strayed = stray + generator.normal(0, FRAME_SPREAD, len(CONDITIONS))
    strayed = np.clip(strayed, -MAX_STRAY, MAX_STRAY)
    return np.minimum(np.where(np.array(grades) == 0, TRACE * abs(strayed), np.array(grades) + strayed), 3.0)


@lru_cache(maxsize=1)
def _label_vectors() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the 1,279 label vectors that occur in the real data, and how often each of them does."""
    table = pd.read_csv(Path(__file__).with_name("label_joint_counts.csv"))
    return table[list(LABEL_COLUMNS)].to_numpy(np.int64), table["n"].to_numpy(np.float64)


@lru_cache(maxsize=8)
def _cumulative(region: str, prior: float) -> npt.NDArray[np.float64]:
    """Return cumulative chances of the label vectors in a region; "" stands for the head as a whole."""
    vectors, counts = _label_vectors()
    weights = counts**prior
    for condition, tilt in TILT.get(region, {}).items():
        weights = weights * np.exp(tilt * vectors[:, CONDITIONS.index(condition)])
    return np.asarray(np.cumsum(weights) / weights.sum())


def _draw_grades(region: str, prior: float, generator: np.random.Generator) -> Grades:
    vectors, _ = _label_vectors()
    place = int(np.searchsorted(_cumulative(region, prior), generator.random(), side="right"))
    return tuple(int(grade) for grade in vectors[min(place, len(vectors) - 1)])


# --- Pixels and files -----------------------------------------------------------------------------------------------


def render_picture(picture: PlannedPicture, seed: int) -> npt.NDArray[np.uint8]:
    """Render the frame of one planned picture, (480, 640, 3) RGB."""
    return render(scene_of_picture(picture), _pixel_generator(picture, seed))


def cue_masks(picture: PlannedPicture, seed: int) -> npt.NDArray[np.uint8]:
    """Return how strongly each condition's cue covers each pixel of a planned picture, 0–255.

    Returns:
        (6, 480, 640), in order of CONDITIONS; drawn from the same parameters and random numbers as its frame.
    """
    return masks_of_cues(cues_of_picture(picture, seed))


def cues_of_picture(picture: PlannedPicture, seed: int) -> Cues:
    """Return the cues of one planned picture, without its pixels."""
    return cues_of(scene_of_picture(picture), _pixel_generator(picture, seed))


def scene_of_picture(picture: PlannedPicture) -> Scene:
    """Return the parameters of the frame of one planned picture."""
    severities = dict(zip(CONDITIONS, picture.severities, strict=True))
    return Scene(severities, picture.cast, picture.camera, picture.direction, picture.hair, picture.confusers)


def _pixel_generator(picture: PlannedPicture, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, 3, *picture.key])


def encode(pixels: npt.NDArray[np.uint8], quality: int = JPEG_QUALITIES[1]) -> bytes:
    """Encode a frame as the JPEG that a device of this `quality` writes."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
    return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), flags)[1].tobytes()


def _render_all(
    folder: Path, pictures: list[PlannedPicture], seed: int, processes: int, progress: Progress
) -> dict[str, ImageMeasures]:
    """Render every file to disk; returns the measures by id."""
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        sweep(folder / kind)
    chunks = [pictures[start : start + CHUNK] for start in range(0, len(pictures), CHUNK)]
    work = partial(_render_chunk, folder, seed)
    measured: dict[str, ImageMeasures] = {}
    progress(0, len(pictures))
    try:
        for done in parallel_map(work, chunks, min(processes, len(chunks))):
            measured |= done
            progress(len(measured), len(pictures))
    except OSError as error:
        raise ScalpError(
            "cannot_write",
            f"The pictures cannot be written to {folder}: {error.strerror or error}. Make room or set SCALP_DATA to "
            "another folder, then start the same command again.",
            f"{folder}에 사진을 쓸 수 없어요: {error.strerror or error}. 공간을 확보하거나 SCALP_DATA를 다른 폴더로 "
            "바꾼 뒤 같은 명령을 다시 실행하세요.",
        ) from error
    return measured


def _render_chunk(folder: Path, seed: int, pictures: list[PlannedPicture]) -> dict[str, ImageMeasures]:
    return {picture.image_id: _render_one(folder, seed, picture) for picture in pictures}


def _render_one(folder: Path, seed: int, picture: PlannedPicture) -> ImageMeasures:
    """Return the measures of the picture's file, which is rendered unless it is there."""
    path = folder / picture.path
    label = folder / "labels" / f"{picture.stem}.json"
    if label.is_file() and _whole(path):
        return measure(path.read_bytes())
    encoded = encode(render_picture(picture, seed), picture.camera.quality)
    _write_quickly(path, encoded)
    _write_quickly(label, json.dumps(_label_file(picture, path.name), ensure_ascii=False).encode())
    return measure(encoded)


def _label_file(picture: PlannedPicture, file_name: str) -> dict[str, str]:
    values = {condition.value: str(grade) for condition, grade in zip(CONDITIONS, picture.labels, strict=True)}
    return {"image_id": picture.image_id, "image_file_name": file_name, **values}


def _whole(path: Path) -> bool:
    """Return whether a JPEG is there from its first marker to its last."""
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
