"""A gate that only asks how sharp a picture is, for tests of what follows when it advises against one."""

import numpy as np

from scalp_core.inference import input_gate
from scalp_core.inference.gate_limits import FARTHEST, GateLimits
from scalp_core.inference.image_stats import TEXTURE_FEATURES, image_stats
from scalp_core.inference.input_gate import Gate, ScalpDistance
from scalp_core.inference.predict import graders
from scalp_core.runs.run import Run


def measured_sharpness(run: Run, data: bytes) -> float:
    """Return the sharpness that the gate of this run measures."""
    return image_stats(graders(run=run).grade(data).picture.pixels).sharpness


def write_sharpness_gate(run: Run, sharpness: float, usual_distance: float = FARTHEST) -> None:
    """From now on this run's gate advises against every picture that is less sharp.

    Args:
        usual_distance: a picture beyond is unusual; `-FARTHEST`: every one is.
    """
    limits = GateLimits(1, sharpness, 1.0, 0.0, FARTHEST, usual_distance)
    facts = {"version": input_gate.VERSION, "weights": run.manifest["files"]["model.safetensors"]}
    input_gate.write(Gate(limits, euclidean_distance(), facts), run.gate_path)


def euclidean_distance() -> ScalpDistance:
    """Return the logarithm of the squared length of a picture's texture features."""
    zeros = np.zeros(TEXTURE_FEATURES, dtype=np.float32)
    identity = np.eye(TEXTURE_FEATURES, dtype=np.float32)
    return ScalpDistance(zeros, zeros + 1, identity, np.zeros(2 * TEXTURE_FEATURES, dtype=np.float32), 0.0)
