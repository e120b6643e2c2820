"""Training of the heads alone, on features computed once.

A logit is the mean of evidence, and evidence is linear in the features. So the heads on features averaged over each
picture are the same heads.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from scalp_core.data.dataset import Dataset
from scalp_core.images import Preprocessing
from scalp_core.labels import GRADES
from scalp_core.learning.loop import Inputs
from scalp_core.learning.network import Network
from scalp_core.learning.pixel_cache import cached_features
from scalp_core.learning.reporter import Reporter

_AT_ONCE = 16  # pictures through the backbone together: 64 leave the cache and take 7–18 % longer (VGG-11, two cores)
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

    Those of every head, finest first.

    Args:
        weights_used: the backbone's weights; with the preprocessing they name the features in the cache.
    """
    device = network.mean.device
    strides = list(network.finer)
    key = hashlib.sha256(f"{weights_used} {strides} {asdict(preprocessing)}".encode()).hexdigest()[:16]

    def compute() -> npt.NDArray[np.float32]:
        features = []
        network.eval()
        with torch.inference_mode():
            for start in range(0, len(pixels), _AT_ONCE):
                reporter.computed(start / len(pixels))
                copied = np.array(pixels[start : start + _AT_ONCE])  # mapped ones are read-only
                batch = torch.from_numpy(copied).to(device).permute(0, 3, 1, 2).float()
                averaged = [maps.mean(dim=(-2, -1)) for maps in network.features(batch)]
                features.append(torch.cat(averaged, dim=1).cpu().numpy())
        return np.concatenate(features)

    return cached_features(dataset, key, compute)


class HeadOnly(nn.Module):
    """All heads as one on averaged features, standardised so that one learning rate suits every backbone.

    `copy_to` folds the standardisation back into the weights.

    Args:
        heads: their weights are copied, side by side.
        features: (pictures, channels of all heads) of the training split, whose mean and deviation standardise.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, heads: Sequence[nn.Conv2d], features: npt.NDArray[np.float32]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.from_numpy(features.mean(axis=0)), persistent=False)
        self.register_buffer("scale", torch.from_numpy(features.std(axis=0) + _LEAST_SPREAD), persistent=False)
        self.head = nn.Conv2d(features.shape[1], heads[0].out_channels, kernel_size=1)
        with torch.no_grad():
            weights = torch.cat([head.weight for head in heads], dim=1).cpu()
            bias = torch.stack([_bias(head) for head in heads]).sum(dim=0).cpu()
            _bias(self.head).copy_(bias + (weights[..., 0, 0] * self.mean).sum(dim=1))
            self.head.weight.copy_(weights * self.scale[:, None, None])

    def forward(self, features: Tensor, alone: Tensor | None = None) -> Tensor:
        """Return evidence (N, conditions, 4, 1, 1); `alone` is the loop's and does nothing without places."""
        standardised = (features - self.mean[:, None, None]) / self.scale[:, None, None]
        return torch.unflatten(self.head(standardised), 1, (-1, len(GRADES)))

    def copy_to(self, heads: Sequence[nn.Conv2d]) -> None:
        """Give `heads`, which take features as they are, the weights of the same function; the last has the bias."""
        with torch.no_grad():
            weights = self.head.weight / self.scale[:, None, None]
            bias = _bias(self.head) - (weights[..., 0, 0] * self.mean).sum(dim=1)
            by_head = torch.split(weights, [head.in_channels for head in heads], dim=1)
            for head, own in zip(heads, by_head, strict=True):
                head.weight.copy_(own)
                _bias(head).zero_()
            _bias(heads[-1]).copy_(bias)


def _bias(head: nn.Conv2d) -> Tensor:
    assert head.bias is not None
    return head.bias
