"""Export of a network to ONNX, checked against torch."""

import warnings
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from scalp_core.errors import ScalpError
from scalp_core.files import write_atomic
from scalp_core.images import Preprocessing
from scalp_core.learning.network import Network, evidence, logits
from scalp_core.runs.run import OUTPUTS, Run

MAX_DIFFERENCE = 1e-4  # of a probability between torch and ONNX Runtime
_OPSET = 18  # version of the ONNX operators


def write_export(run: Run, network: Network, preprocessing: Preprocessing) -> None:
    """Export the network into the run folder, and record which weights the export was made from."""
    differences: list[float] = []
    write_atomic(run.export_path, lambda path: differences.append(export(network, preprocessing, path, OUTPUTS)))
    run.write_export({"largest_difference": differences[0], "onnxruntime": version("onnxruntime")})


class ExportedNetwork(nn.Module):
    """The exported computation: 8-bit pixels in; probabilities, evidence maps and the mean feature map out."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.network.features(pixels.permute(0, 3, 1, 2).float())
        maps = evidence(self.network.head, features)
        return logits(maps).softmax(dim=-1), maps, features.mean(dim=(-2, -1))


def export(network: Network, preprocessing: Preprocessing, path: Path, outputs: Sequence[str]) -> float:
    """Write the network as ONNX and check it against torch in ONNX Runtime.

    Input `pixels` (N, height, width, 3) uint8; outputs, float32: probabilities (N, conditions, 4), evidence
    (N, conditions, 4, h, w) and features (N, C), the mean of the feature map that the evidence is made of.

    Args:
        outputs: their names.

    Returns:
        The largest absolute difference of a probability between the two, over a few pictures; see ordinary_noise.

    Raises:
        ScalpError: they differ by more than 1e-4.
    """
    exported = ExportedNetwork(network).eval()
    pixels = ordinary_noise(network, preprocessing)
    _write_onnx(exported, pixels, path, outputs)
    difference = _largest_difference(exported, pixels, path, outputs[0])
    if difference > MAX_DIFFERENCE:
        raise ScalpError(
            "export_differs",
            f"The exported model differs from the trained one by {difference:.2g} and is not used.",
            f"내보낸 모델이 학습된 모델과 {difference:.2g}만큼 달라 사용하지 않아요.",
        )
    return difference


def ordinary_noise(network: Network, preprocessing: Preprocessing) -> Tensor:
    """Return random pictures (3, height, width, 3), 8 bit, that are as bright and as coloured as the network expects.

    In noise of any colours, channels differ as they never do on skin. Whitening enlarges that forty times: features are
    then thousands of times too large, and the rounding of single precision alone differs by more than is allowed.
    """
    shape = (3, preprocessing.height, preprocessing.width, 3)
    normalised = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    pixels = network.mean.flatten() + normalised @ torch.linalg.inv(network.scale[:, :, 0, 0]).T
    eight_bit: Tensor = pixels.round().clamp(0, 255).to(torch.uint8)
    return eight_bit


def _write_onnx(exported: ExportedNetwork, pixels: Tensor, path: Path, outputs: Sequence[str]) -> None:
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
        )


def _largest_difference(exported: ExportedNetwork, pixels: Tensor, path: Path, output: str) -> float:
    """Compare an output of all pictures at once, and of the first alone, with torch's."""
    with torch.inference_mode():
        expected = exported(pixels)[0].numpy()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    batch = session.run([output], {"pixels": pixels.numpy()})[0]
    single = session.run([output], {"pixels": pixels[:1].numpy()})[0]
    return float(max(np.abs(batch - expected).max(), np.abs(single - expected[:1]).max()))
