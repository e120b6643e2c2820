"""Measures of where the maps of a network point, against the drawn cues: its local grades beside its Grad-CAM."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from scalp_core import images
from scalp_core.data.dataset import Dataset
from scalp_core.inference.evidence import local_grade
from scalp_core.labels import CONDITIONS, GRADES, Condition
from scalp_core.learning.checkpoints import load_network
from scalp_core.learning.network import Network, logits
from scalp_core.metrics.operating_point import Decision
from scalp_core.runs.run import Run
from scalp_core.sampling import evenly_spaced
from scalp_core.synthetic.cue_shares import cue_shares

LEAST_SHARE = 0.1  # of a cell that a cue covers where the cell lies on the cue
LIT = 0.5  # local grade from which a cell is lit: it rounds to mild or more
_AT_ONCE = 32  # pictures through a network together

Maps = npt.NDArray[np.float32]  # (pictures, h, w), 0 or more


@dataclass(frozen=True)
class Pointing:
    """Places that the maps of one condition point at, in the pictures with its cue.

    Attributes:
        pictures: with the cue.
        chance: share of the cells that lie on the cue, which blind maps would reach in both measures.
        ours, grad_cam: share of pictures whose strongest cell lies on the cue (pointing game, Zhang et al. 2018).
        ours_mass, grad_cam_mass: share of the sum of a map that lies on the cue.
        lit_healthy: share of the cells of pictures without the cue whose local grade is LIT or more.
    """

    condition: Condition
    pictures: int
    chance: float
    ours: float
    grad_cam: float
    ours_mass: float
    grad_cam_mass: float
    lit_healthy: float


def measure_pointing(runs: Sequence[Run], dataset: Dataset, most: int) -> dict[Run, list[Pointing]]:
    """Measure the networks of finished runs on the test part of a synthetic dataset.

    Args:
        most: pictures, evenly over the test part.

    Raises:
        ScalpError: `no_masks`, the pictures were not drawn by this version; a run is damaged; a picture is gone.
    """
    ids = list(dataset.index.index[dataset.index["part"] == "test"])
    ids = [ids[place] for place in evenly_spaced(len(ids), most)]
    cues = torch.from_numpy(cue_shares(dataset, ids)).float() / 255
    return {run: _pointing_of(run, dataset, ids, cues) for run in runs}


def _pointing_of(run: Run, dataset: Dataset, ids: Sequence[str], cues: Tensor) -> list[Pointing]:
    network, ours, theirs = load_network(run), [], []
    decisions = [run.operating_point.decision(condition) for condition in run.recipe.conditions]
    for start in range(0, len(ids), _AT_ONCE):
        pictures = [images.preprocess(dataset.read(name), run.preprocessing) for name in ids[start : start + _AT_ONCE]]
        pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float()
        grades, cams = maps_of(network, pixels, decisions)
        ours.append(grades)
        theirs.append(cams)
    grades, cams = np.concatenate(ours), np.concatenate(theirs)
    on_cue = adaptive_avg_pool2d(cues, (grades.shape[-2], grades.shape[-1])).numpy() >= LEAST_SHARE
    return [
        pointing(condition, grades[:, place], cams[:, place], on_cue[:, CONDITIONS.index(condition)])
        for place, condition in enumerate(run.recipe.conditions)
    ]


def maps_of(network: Network, pixels: Tensor, decisions: Sequence[Decision]) -> tuple[Maps, Maps]:
    """Return local grades and Grad-CAM of pictures, both (n, conditions, h, w) on the grid of the evidence.

    Args:
        decisions: of the network's conditions; they calibrate its probabilities.
    """
    features = [maps.detach().requires_grad_() for maps in network.features(pixels)]
    evidence = network.evidence(features)
    cams = grad_cam(features[-1], evidence)
    enlarged = interpolate(cams, evidence.shape[-2:], mode="bilinear").numpy()
    raw = logits(evidence).softmax(dim=-1).detach().numpy()
    probabilities = np.stack([each.calibrated(raw[:, place]) for place, each in enumerate(decisions)], axis=1)
    grades = [
        list(map(local_grade, *picture)) for picture in zip(evidence.detach().numpy(), probabilities, strict=True)
    ]
    return np.array(grades, dtype=np.float32), enlarged


def grad_cam(features: Tensor, evidence: Tensor) -> Tensor:
    """Return Grad-CAM (Selvaraju et al. 2017) of the expected grade of each condition, (n, conditions, h, w).

    Args:
        features: (n, C, h, w), the last feature map, of which `evidence` was computed.
        evidence: (n, conditions, 4, …, …).
    """
    grades = torch.arange(len(GRADES), dtype=torch.float32)
    expected = (logits(evidence).softmax(dim=-1) * grades).sum(dim=(0, 2))
    cams = []
    for score in expected:
        (gradient,) = torch.autograd.grad(score, features, retain_graph=True)
        weights = gradient.mean(dim=(-2, -1), keepdim=True)
        cams.append((weights * features).sum(dim=1).relu())
    return torch.stack(cams, dim=1).detach()


def pointing(condition: Condition, ours: Maps, grad_cam: Maps, on_cue: npt.NDArray[np.bool_]) -> Pointing:
    """Compare maps with cues.

    Args:
        ours, grad_cam: maps of all pictures.
        on_cue: (pictures, h, w), cells that lie on the cue; none of them in pictures without it.
    """
    with_cue = on_cue.any(axis=(1, 2))
    cells = on_cue[with_cue]
    healthy = ours[~with_cue]
    return Pointing(
        condition,
        int(with_cue.sum()),
        _mean(cells),
        _mean(_strongest_on(ours[with_cue], cells)),
        _mean(_strongest_on(grad_cam[with_cue], cells)),
        _mean(_mass_on(ours[with_cue], cells)),
        _mean(_mass_on(grad_cam[with_cue], cells)),
        _mean(healthy >= LIT),
    )


def _strongest_on(maps: Maps, on_cue: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return whether the strongest cell of each map lies on the cue; a map that is dark everywhere points nowhere."""
    flat = maps.reshape(len(maps), maps[0].size if len(maps) else 1)
    hits = np.take_along_axis(on_cue.reshape(flat.shape), flat.argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.asarray(hits & (flat.max(axis=1) > 0))


def _mass_on(maps: Maps, on_cue: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    total = maps.sum(axis=(1, 2))
    return np.asarray((maps * on_cue).sum(axis=(1, 2)) / np.where(total > 0, total, 1))


def _mean(values: npt.NDArray[np.bool_] | npt.NDArray[np.float32]) -> float:
    return float(values.mean()) if values.size else float("nan")
