"""A gate that only asks how sharp a picture is, for tests of what follows when it advises against one."""

import numpy as np

from scalp_core.inference import input_gate
from scalp_core.inference.gate_limits import FARTHEST, GateLimits
from scalp_core.inference.image_stats import image_stats
from scalp_core.inference.input_gate import PPCA, Gate
from scalp_core.inference.predict import graders
from scalp_core.runs.run import Run


def measured_sharpness(run: Run, data: bytes) -> float:
    """Return the sharpness that the gate of this run measures."""
    return image_stats(graders(run=run).grade(data).picture.pixels).sharpness


def write_sharpness_gate(run: Run, channels: int, sharpness: float, usual_distance: float = FARTHEST) -> None:
    """From now on this run's gate advises against every picture that is less sharp.

    Args:
        channels: of the run's features.
        usual_distance: a picture beyond is unusual; all are at about -10.
    """
    texture_features = len(image_stats(np.zeros((64, 64, 3), dtype=np.uint8)).texture_features)
    limits = GateLimits(
        pixels=1, sharpness=sharpness, overexposed=1.0, brightness=0.0, distance=FARTHEST, usual_distance=usual_distance
    )
    facts = {"version": input_gate.VERSION, "weights": run.manifest["files"]["model.safetensors"]}
    input_gate.write(Gate(limits, _everywhere(channels), _everywhere(texture_features), facts), run.gate_path)


def _everywhere(size: int) -> PPCA:
    """Nothing is far from it."""
    zeros = np.zeros((1, size), dtype=np.float32)
    return PPCA(zeros[0], zeros[0] + 1, zeros, np.ones(1, dtype=np.float32), noise_variance=1e12)
