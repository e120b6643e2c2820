"""A network from elsewhere: an ONNX file and its preprocessing, run over the pictures of a dataset."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import onnxruntime
import pandas as pd
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError

from scalp_core import images
from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.images import Pixels, Preprocessing
from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.parallel import cores, no_progress

_BATCH = 16  # pictures at once, where the file takes any number
_MOST_OFF = 0.01  # of the sum of four probabilities from 1
_GRADES = len(GRADES)

Floats = npt.NDArray[np.float32]
Colour = tuple[float, float, float]
Progress = Callable[[int, int], object]
Side = Annotated[int, Field(ge=1, le=4096)]  # pixels


class OnnxPreprocessing(BaseModel):
    """Preprocessing and outputs of an ONNX file, as its preprocessing file says.

    Attributes:
        height, width: of its input, pixels.
        resize: `squash`: the whole picture to height × width; `center_crop`: the shorter side to `shorter_side`, then
            the middle.
        shorter_side: pixels; the shorter of height and width where it is missing.
        interpolation: anti-aliased.
        scale: 8-bit values are multiplied by it, then `mean` is subtracted and divided by `std`; not for an input of
            8-bit integers.
        channels: their order.
        layout: of the input's axes.
        outputs: their names, where the network has more than these.
        conditions: of the outputs, in their order; all six where they are missing.
        activation: `softmax`: the outputs are logits; `none`: they are probabilities.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    height: Side
    width: Side
    resize: Literal["squash", "center_crop"] = "squash"
    shorter_side: Side | None = None
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    scale: PositiveFloat = 1 / 255
    mean: Colour = (0.0, 0.0, 0.0)
    std: tuple[PositiveFloat, PositiveFloat, PositiveFloat] = (1.0, 1.0, 1.0)
    channels: Literal["RGB", "BGR"] = "RGB"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    outputs: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = CONDITIONS
    activation: Literal["softmax", "none"] = "softmax"

    def prepare(self, pixels: Pixels) -> Pixels:
        """Resize a picture (h, w, 3) of 8 bit to (height, width, 3), by the door that all pictures go through."""
        if self.resize == "squash":
            return images.resize(pixels, self._size(self.height, self.width))
        shorter, (height, width) = self.shorter_side or min(self.height, self.width), pixels.shape[:2]
        share = max(shorter / min(height, width), self.height / height, self.width / width)  # the crop is always inside
        height, width = round(height * share), round(width * share)
        top, left = (height - self.height) // 2, (width - self.width) // 2
        resized = images.resize(pixels, self._size(height, width))
        return resized[top : top + self.height, left : left + self.width]

    def normalise(self, pictures: Sequence[Pixels], kind: str) -> npt.NDArray[np.generic]:
        """Return pictures (height, width, 3) as an input of the network: `tensor(float)` or `tensor(uint8)`."""
        stacked: npt.NDArray[np.generic] = np.stack(pictures)[..., :: 1 if self.channels == "RGB" else -1]
        if kind == "tensor(float)":
            mean, std = np.array(self.mean, dtype=np.float32), np.array(self.std, dtype=np.float32)
            stacked = (stacked.astype(np.float32) * np.float32(self.scale) - mean) / std
        return np.ascontiguousarray(np.moveaxis(stacked, -1, 1) if self.layout == "NCHW" else stacked)

    def _size(self, height: int, width: int) -> Preprocessing:
        return Preprocessing(height, width, self.mean, self.std, self.interpolation)


def read_preprocessing(source: Path | Mapping[str, object]) -> OnnxPreprocessing:
    """Read the fields of OnnxPreprocessing, or a JSON file with them.

    Raises:
        ScalpError: `bad_preprocessing`, it cannot be read; the message names the field that is wrong.
    """
    try:
        if isinstance(source, Path):
            return OnnxPreprocessing.model_validate_json(source.read_bytes())
        return OnnxPreprocessing.model_validate(source)
    except OSError as error:
        reason = error.strerror or str(error)
        raise _bad_preprocessing(str(source), reason, reason) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or str(source)
        raise _bad_preprocessing(place, first["msg"], first["msg"]) from error


class OnnxFile:
    """An ONNX file that was opened in ONNX Runtime, on the CPU."""

    def __init__(self, path: Path, preprocessing: OnnxPreprocessing) -> None:
        """Open the file.

        Raises:
            ScalpError: `bad_onnx`, it is none, or its input is not a batch of pictures.
        """
        self.preprocessing = preprocessing
        try:
            # From memory: weights in further files would be read from wherever the file says.
            self._session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
        except OSError as error:
            reason = error.strerror or str(error)
            raise _bad_onnx(reason, reason) from error
        except _ERRORS as error:
            raise _bad_onnx(_first_line(error), _first_line(error)) from error
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in ("tensor(float)", "tensor(uint8)") or len(inputs[0].shape) != 4:
            listed = ", ".join(f"{each.name}: {each.type} {each.shape}" for each in inputs)
            raise _bad_onnx(
                f"it needs one input of four axes, float or uint8, and has {listed}",
                f"입력은 축이 네 개인 float 또는 uint8 하나여야 해요: {listed}",
            )
        names = [output.name for output in self._session.get_outputs()]
        if unknown := set(preprocessing.outputs) - set(names):
            listed = f"{', '.join(sorted(unknown))} ({', '.join(names)})"
            raise _bad_onnx(f"it has no output {listed}", f"없는 출력이에요: {listed}")
        self._input = inputs[0]
        self.batch = self._input.shape[0] if isinstance(self._input.shape[0], int) else _BATCH

    def probabilities(self, pictures: Sequence[Pixels]) -> Floats:
        """Return the probabilities (N, conditions, 4) of pictures (height, width, 3) that were prepared.

        Raises:
            ScalpError: `bad_onnx`, the network refuses them, or its outputs are not what the preprocessing says.
        """
        # A file that takes a fixed number gets the last picture again and again.
        filled = [*pictures, *[pictures[-1]] * (self.batch - len(pictures))] if self._fixed else pictures
        batch = self.preprocessing.normalise(filled, self._input.type)
        try:
            outputs = self._session.run(self.preprocessing.outputs or None, {self._input.name: batch})
        except _ERRORS as error:
            raise _bad_onnx(_first_line(error), _first_line(error)) from error
        return self._checked(outputs, len(filled))[: len(pictures)]

    @property
    def _fixed(self) -> bool:
        return isinstance(self._input.shape[0], int)

    def _checked(self, outputs: Sequence[npt.NDArray[np.generic]], pictures: int) -> Floats:
        conditions = len(self.preprocessing.conditions)
        sizes = [output.size for output in outputs]
        if sum(sizes) != pictures * conditions * _GRADES or len(outputs) not in (1, conditions):
            shapes = ", ".join(str(list(output.shape)) for output in outputs)
            raise _bad_onnx(
                f"for {pictures} pictures and {conditions} conditions of {_GRADES} grades its outputs have the shapes "
                f"{shapes}; name the conditions in the preprocessing",
                f"사진 {pictures}장, 증상 {conditions}개, 등급 {_GRADES}개인데 출력 크기가 {shapes}예요. "
                "전처리 파일에 증상을 적으세요",
            )
        parts = [output.astype(np.float64).reshape(pictures, -1, _GRADES) for output in outputs]
        values = np.concatenate(parts, axis=1)
        if self.preprocessing.activation == "softmax":
            exponentials = np.exp(values - values.max(axis=-1, keepdims=True))
            values = exponentials / exponentials.sum(axis=-1, keepdims=True)
        if not (np.isfinite(values).all() and (values >= 0).all() and _add_up(values)):
            raise _bad_onnx(
                "its outputs are not probabilities that add up to 1; if they are logits, activation is “softmax”",
                "출력이 합이 1인 확률이 아니에요. 로짓이면 activation을 “softmax”로 적으세요",
            )
        return values.astype(np.float32)


def _add_up(values: npt.NDArray[np.float64]) -> bool:
    return bool((np.abs(values.sum(axis=-1) - 1) <= _MOST_OFF).all())


def predict_dataset(
    path: Path, preprocessing: OnnxPreprocessing, dataset: Dataset, progress: Progress = no_progress
) -> pd.DataFrame:
    """Return the file's predictions for the pictures of a dataset outside its training split.

    Args:
        progress: called with (done, total) pictures.

    Returns:
        image, condition, p0 … p3. Pictures that cannot be read are left out.

    Raises:
        ScalpError: as OnnxFile; `nothing_to_judge`, no picture could be read.
    """
    network = OnnxFile(path, preprocessing)
    outside = (dataset.column("part") != "train").to_numpy(dtype=bool)
    ids = dataset.column("id").to_numpy(dtype=object)[outside].tolist()
    answered: list[str] = []
    answers = [np.empty((0, len(preprocessing.conditions), _GRADES), dtype=np.float32)]
    with ThreadPoolExecutor(cores()) as pool:
        left, done = iter(ids), 0
        while chunk := list(islice(left, network.batch)):
            read = zip(chunk, pool.map(lambda image: _prepared(dataset, image, preprocessing), chunk), strict=True)
            pictures = {image: pixels for image, pixels in read if pixels is not None}
            if pictures:
                answers.append(network.probabilities(list(pictures.values())))
                answered += pictures
            done += len(chunk)
            progress(done, len(ids))
    if not answered:
        raise ScalpError(
            "nothing_to_judge",
            f"“{dataset.name}” has no picture outside its training split that could be read.",
            f"“{dataset.name}”의 학습 분할 밖에 읽을 수 있는 사진이 없어요.",
        )
    return _table(answered, preprocessing.conditions, np.concatenate(answers))


def _prepared(dataset: Dataset, image: str, preprocessing: OnnxPreprocessing) -> Pixels | None:
    try:
        pixels = images.decode(dataset.read(image)).pixels
    except ScalpError:
        return None
    return preprocessing.prepare(pixels)


def _table(ids: Sequence[str], conditions: Sequence[Condition], answers: Floats) -> pd.DataFrame:
    table = pd.DataFrame(answers.reshape(-1, _GRADES), columns=PROBABILITIES)
    images_of_rows = np.repeat(np.array(ids, dtype=object), len(conditions))
    return table.assign(image=images_of_rows, condition=[condition.value for condition in conditions] * len(ids))


_ERRORS = (
    onnx_errors.Fail,
    onnx_errors.InvalidArgument,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidProtobuf,
    onnx_errors.NotImplemented,
    onnx_errors.RuntimeException,
)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _bad_onnx(en: str, ko: str) -> ScalpError:
    return ScalpError("bad_onnx", f"The ONNX file cannot be used: {en}.", f"ONNX 파일을 쓸 수 없어요: {ko}.")


def _bad_preprocessing(place: str, en: str, ko: str) -> ScalpError:
    return ScalpError(
        "bad_preprocessing",
        f"The preprocessing is wrong at “{place}”: {en}.",
        f"전처리의 “{place}” 항목이 잘못되었어요: {ko}.",
    )
