"""A finished run as the teacher of another network (distillation; Hinton et al. 2015), place by place."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from scalp_core.files import sha256
from scalp_core.labels import Condition
from scalp_core.learning.checkpoints import load_network
from scalp_core.learning.network import Network
from scalp_core.runs.run import Run


@dataclass(frozen=True)
class Teacher:
    """A network that shows another what it sees.

    Attributes:
        network: in evaluation mode; it learns nothing.
        image_size: side of its input, pixels.
        places: of the taught conditions among its own.
        source: the run and the hash of its weights, for the manifest.
    """

    network: Network
    image_size: int
    places: list[int]
    source: str

    def evidence(self, pixels: Tensor) -> Tensor:
        """Return its evidence (n, conditions, 4, h, w) for pixels (n, 3, height, width), 0–255, of any size."""
        size = (self.image_size, self.image_size)
        if pixels.shape[-2:] != size:
            pixels = interpolate(pixels, size=size, mode="bilinear", antialias=True)
        with torch.no_grad():
            evidence: Tensor = self.network(pixels.contiguous(memory_format=torch.channels_last))
        return evidence[:, self.places].float()


def load_teacher(run: Run, conditions: tuple[Condition, ...], device: torch.device) -> Teacher:
    """Return a finished run as the teacher of these conditions.

    Raises:
        ScalpError: a file of the run is not what its manifest says.
    """
    network: nn.Module = load_network(run).requires_grad_(False)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # absent from torch's stubs
    places = [run.recipe.conditions.index(condition) for condition in conditions]
    return Teacher(network, run.recipe.image_size, places, f"run {run.id} sha256:{sha256(run.weights_path)}")  # type: ignore[arg-type]
