"""The gate: is this a picture that the run can grade?"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scalp_core.errors import Text
from scalp_core.images import Picture


@dataclass(frozen=True)
class Reason:
    """Why a picture should not be graded."""

    code: str
    text: Text
    value: float
    limit: float


@dataclass(frozen=True, eq=False)
class Gate:
    """Skeleton; being written."""

    def check(self, picture: Picture, features: npt.NDArray[np.float32]) -> tuple[Reason, ...]:
        """Why the picture should not be graded; empty where nothing speaks against it."""
        return ()


def read(path: Path, weights: str) -> Gate | None:
    """The gate in this file, None where there is none or it belongs to other weights."""
    return None
