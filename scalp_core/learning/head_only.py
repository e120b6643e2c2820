"""Training of the head alone, on features computed once.

A logit is the mean of evidence, and evidence is linear in the features. So the head on features averaged over each
picture is the same head.
"""

import copy
import hashlib
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from scalp_core.data.dataset import Dataset
from scalp_core.images import Preprocessing
from scalp_core.learning.loop import Inputs
from scalp_core.learning.network import Network, evidence
from scalp_core.learning.pixel_cache import cached_features
from scalp_core.learning.reporter import Reporter

_AT_ONCE = 64  # pictures through the backbone together
_LEAST_SPREAD = 1e-6  # of a feature that is the same everywhere


def averaged_features(
    network: Network,
    dataset: Dataset,
    pixels: Inputs,
    weights_used: str,
    preprocessing: Preprocessing,
    reporter: Reporter,
) -> npt.NDArray[np.float32]:
    """Return the features of each picture averaged over it, (images, channels), from the cache where they are there.

    Args:
        weights_used: the backbone's weights; with the preprocessing they name the features in the cache.
    """
    device = network.mean.device
    key = hashlib.sha256(f"{weights_used} {asdict(preprocessing)}".encode()).hexdigest()[:16]

    def compute() -> npt.NDArray[np.float32]:
        features = []
        network.eval()
        with torch.inference_mode():
            for start in range(0, len(pixels), _AT_ONCE):
                reporter.prepared(start / len(pixels))
                copied = np.array(pixels[start : start + _AT_ONCE])  # mapped ones are read-only
                batch = torch.from_numpy(copied).to(device).permute(0, 3, 1, 2).float()
                features.append(network.features(batch).mean(dim=(-2, -1)).cpu().numpy())
        return np.concatenate(features)

    return cached_features(dataset, key, compute)


class HeadOnly(nn.Module):
    """The head on averaged features, standardised so that one learning rate suits every backbone.

    `copy_to` folds the standardisation back into the weights.

    Args:
        head: its weights are copied.
        features: (pictures, channels) of the training split, whose mean and deviation standardise.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, head: nn.Conv2d, features: npt.NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(features.mean(axis=0)), persistent=False)
        self.register_buffer("scale", torch.from_numpy(features.std(axis=0) + _LEAST_SPREAD), persistent=False)
        self.head = copy.deepcopy(head)
        with torch.no_grad():
            _bias(self.head).add_((head.weight[..., 0, 0] * self.mean).sum(dim=1))
            self.head.weight *= self.scale[:, None, None]

    def forward(self, features: Tensor) -> Tensor:
        standardised = (features - self.mean[:, None, None]) / self.scale[:, None, None]
        return evidence(self.head, standardised)

    def copy_to(self, head: nn.Conv2d) -> None:
        """Give `head`, which takes features as they are, the weights of the same function."""
        with torch.no_grad():
            head.weight.copy_(self.head.weight / self.scale[:, None, None])
            _bias(head).copy_(_bias(self.head) - (head.weight[..., 0, 0] * self.mean).sum(dim=1))


def _bias(head: nn.Conv2d) -> Tensor:
    assert head.bias is not None
    return head.bias
