"""Export of a network to ONNX, checked against torch on pictures."""

import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnxruntime import InferenceSession
from onnxruntime.capi import onnxruntime_pybind11_state as onnxruntime_errors
from PIL import Image
from torch import Tensor, nn

from scalp_core import images
from scalp_core.data.dataset import Dataset
from scalp_core.errors import ScalpError
from scalp_core.files import write_atomic
from scalp_core.images import Preprocessing
from scalp_core.inference.session import open_onnx
from scalp_core.learning.external_weights import refer_to_weights
from scalp_core.learning.network import Network, logits
from scalp_core.memory_budget import out_of_memory
from scalp_core.parallel import cores
from scalp_core.runs.ancestry import judging_dataset
from scalp_core.runs.run import OUTPUTS, Run

Pictures = npt.NDArray[np.uint8]  # (n, height, width, 3) at the size of the network

# Between torch and ONNX Runtime: of a probability; of evidence and features too, relative to the largest of them where
# that is above 1, as rounding grows with what is rounded.
TOLERANCE = 1e-4
_COMPARED = 4  # pictures
_OCTAVES = 5  # sizes of detail in a picture made up for the comparison: 2, 4 … 32 patches along a side
_OPSET = 18  # version of the ONNX operators

# What torch raises on a network that it cannot trace, and ONNX Runtime on a file that it cannot run. The networks are
# a library's, with a thousand names, and it is not known what their code does while it is traced.
_NOT_EXPORTABLE = (
    *(RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError),
    *(onnxruntime_errors.Fail, onnxruntime_errors.InvalidArgument, onnxruntime_errors.InvalidGraph),
    *(onnxruntime_errors.InvalidProtobuf, onnxruntime_errors.NotImplemented, onnxruntime_errors.RuntimeException),
)


def write_export(run: Run, network: Network, preprocessing: Preprocessing) -> None:
    """Export the network into the run folder, and record which weights the export was made from, or why it failed.

    Raises:
        ScalpError: the network cannot be exported, or its export says something else; recorded in the run folder.
        OSError, RuntimeError, MemoryError: disk or memory ran out; not recorded, as the network has no part in it.
    """
    pictures = comparison_pictures(run, preprocessing)
    differences: list[float] = []
    try:
        write_atomic(
            run.export_path,
            lambda path: differences.append(export(network, pictures, path, OUTPUTS, run.weights_path)),
        )
    except ScalpError as error:
        run.write_export_failure(error.text)
        raise
    run.write_export({"largest_difference": differences[0], "onnxruntime": version("onnxruntime")})


def comparison_pictures(run: Run, preprocessing: Preprocessing) -> Pictures:
    """Return a few pictures of the run's validation split as its network sees them.

    Where no dataset with these pictures is here: fields of the colours that the network expects, with detail of every
    size as in a photograph. Even noise would be no comparison: it drives a network that learned for a few steps to
    evidence of thousands, where rounding alone decides.
    """
    dataset = judging_dataset(run)
    pictures = _validation_pictures(dataset, preprocessing) if dataset else []
    return np.stack(pictures or _made_up_pictures(preprocessing))


def _validation_pictures(dataset: Dataset, preprocessing: Preprocessing) -> list[images.Pixels]:
    ids = dataset.column("id")[(dataset.column("part") == "valid").to_numpy(dtype=bool)]
    pictures = []
    for image_id in ids.iloc[:: max(1, len(ids) // _COMPARED)].iloc[:_COMPARED]:
        try:
            pictures.append(images.preprocess(dataset.read(image_id), preprocessing))
        except ScalpError:  # gone since, as where a run is exported on another machine
            continue
    return pictures


def _made_up_pictures(preprocessing: Preprocessing) -> list[images.Pixels]:
    random, size = np.random.default_rng(0), (preprocessing.width, preprocessing.height)
    # What the network's normalisation takes to a variance of 1 along every direction of colour.
    colours = np.diag(preprocessing.std)
    if preprocessing.whitening:
        colours = np.linalg.inv(np.reshape(preprocessing.whitening, (3, 3)))
    pictures = []
    for _ in range(_COMPARED):
        fields = [
            Image.fromarray(random.standard_normal((2**octave, 2**octave)).astype(np.float32)).resize(size)
            for octave in range(1, _OCTAVES + 1)
            for _channel in range(3)
        ]
        octaves = np.stack([np.asarray(field) for field in fields]).reshape(_OCTAVES, 3, *size[::-1])
        field = octaves.sum(axis=0)
        mixed = np.einsum("oc,chw->hwo", colours, field / field.std()) + preprocessing.mean
        pictures.append((255 * mixed).clip(0, 255).astype(np.uint8))
    return pictures


class ExportedNetwork(nn.Module):
    """The exported computation: 8-bit pixels in; probabilities, evidence and the mean of the last feature map out."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.network.features(pixels.permute(0, 3, 1, 2).float())
        maps = self.network.evidence(features)
        return logits(maps).softmax(dim=-1), maps, features[-1].mean(dim=(-2, -1))


def export(
    network: Network, pictures: Pictures, path: Path, outputs: Sequence[str], weights: Path | None = None
) -> float:
    """Write the network as ONNX and check it against torch in ONNX Runtime.

    Input `pixels` (N, height, width, 3) uint8; outputs, float32: probabilities (N, conditions, 4), evidence
    (N, conditions, 4, h, w) and features (N, C), the mean of the backbone's last feature map.

    Args:
        pictures: they are compared on, and the network is traced with.
        outputs: their names.
        weights: the network's weights as safetensors, in the folder of `path`: what they hold is not stored again,
            and the export answers only beside them.

    Returns:
        The largest absolute difference of a probability between the two.

    Raises:
        ScalpError: it cannot be exported, or an output differs by more than TOLERANCE.
        OSError, RuntimeError, MemoryError: disk or memory ran out.
    """
    exported = ExportedNetwork(network).eval()
    pixels = torch.from_numpy(pictures)
    try:
        _write_onnx(exported, pixels, path, outputs)
        if weights:
            model = onnx.load(path)
            refer_to_weights(model, weights, "network.")
            onnx.save(model, path)
        differences = _differences(exported, pixels, open_onnx(path, cores(), weights), outputs)
    except _NOT_EXPORTABLE as error:
        if out_of_memory(error):
            raise
        raise _not_exportable(error) from error
    largest = max(differences)
    if not largest <= TOLERANCE:  # nor does NaN pass
        raise ScalpError(
            "export_differs",
            f"The exported model differs from the trained one by {largest:.2g}, more than {TOLERANCE:g}.",
            f"내보낸 모델이 학습된 모델과 {largest:.2g}만큼 달라요(허용 오차 {TOLERANCE:g}).",
        )
    return differences[0]


def _not_exportable(error: Exception) -> ScalpError:
    reason = (str(error).strip().splitlines() or [""])[0][:300] or type(error).__name__
    return ScalpError(
        "not_exportable",
        f"The network cannot be converted to ONNX: {reason}",
        f"네트워크를 ONNX로 변환할 수 없어요: {reason}",
    )


def _write_onnx(exported: ExportedNetwork, pixels: Tensor, path: Path, outputs: Sequence[str]) -> None:
    """Write the computation with the weights as they are: what can be computed from them, ONNX Runtime does."""
    # By tracing: the newer exporter (dynamo=True) takes ten times as long, for a network with the same outputs and the
    # same latency (docs/design/serving.md). The check afterwards is what counts, hence no warnings.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            exported,
            (pixels,),
            path,
            input_names=["pixels"],
            output_names=list(outputs),
            dynamic_axes={name: {0: "pictures"} for name in ("pixels", *outputs)},
            opset_version=_OPSET,
            dynamo=False,
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,  # else normalisations are multiplied into convolutions
        )


def _differences(
    exported: ExportedNetwork, pixels: Tensor, session: InferenceSession, outputs: Sequence[str]
) -> list[float]:
    """Compare each output of all pictures at once, and of the first alone, with torch's; see TOLERANCE."""
    with torch.inference_mode():
        expected = [output.numpy() for output in exported(pixels)]
    batch, single = (session.run(outputs, {"pixels": pictures.numpy()}) for pictures in (pixels, pixels[:1]))
    return [
        float(np.maximum(np.abs(many - truth).max(), np.abs(first - truth[:1]).max()) / max(1.0, np.abs(truth).max()))
        for truth, many, first in zip(expected, batch, single, strict=True)
    ]
