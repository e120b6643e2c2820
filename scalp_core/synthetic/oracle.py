"""The oracle: the agreement that a grader reaches who reads the exact drawn quantities of a frame, and nothing else.

The ceiling of label_noise.py assumes a grader who knows every severity. The oracle knows what of it was drawn and is
not hidden by hair: areas, counts, widths, redness. What it falls short of the ceiling no network can reach either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import GroupKFold, cross_val_predict

from scalp_core.labels import CONDITIONS, Condition
from scalp_core.parallel import cores, no_progress, parallel_map
from scalp_core.synthetic.drawing.canvas import HEIGHT, SHIFT, WIDTH, Pixels, corners
from scalp_core.synthetic.drawing.cues import Cues, masks_of_cues
from scalp_core.synthetic.drawing.scene import Hair
from scalp_core.synthetic.generate import PlannedPicture, Progress, cues_of_picture, plan_pictures
from scalp_core.synthetic.label_noise import best_grades, best_kappa, clean_grades, expected_kappa, label_chances

FOLDS, TREES = 5, 100
LEAST_SHARE = 0.90  # of the ceiling; below it the drawing is what is wrong
CHUNK = 16  # pictures planned by a worker at once
CLEAR = 128  # from which a pixel of a mask counts as covered
GAP_QUANTILES = (50, 90, 99)  # per cent of the distances from the nearest hair
WIDTH_QUANTILES = (10, 50, 90)  # per cent of the widths of the hairs

Quantities = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OracleResult:
    """The oracle beside the ceiling in one condition, on the same pictures.

    Attributes:
        present: pictures whose clean grade is not 0.
        ceiling: expected QWK of a grader who knows every severity.
        oracle: expected QWK of a grader who knows the drawn quantities.
    """

    condition: Condition
    present: int
    ceiling: float
    oracle: float

    @property
    def share(self) -> float:
        """Return the share of the ceiling that the drawn quantities allow."""
        return self.oracle / self.ceiling

    @property
    def is_reachable(self) -> bool:
        """Return whether the drawn quantities allow enough of the ceiling; NaN does not."""
        return self.share >= LEAST_SHARE


def ask_oracle(
    images: int, seed: int, *, processes: int | None = None, progress: Progress | None = None
) -> list[OracleResult]:
    """Return the oracle beside the ceiling for every condition, on planned pictures with the tempered prior.

    The severity is estimated from the quantities by randomised trees, cross-validated with whole captures held out.
    The best grades for the label chances of these estimates are judged on those of the true severities.

    Args:
        images: how many pictures; their pixels are not drawn.
        processes: worker processes; None takes one a core.
        progress: called with (done, total) now and then.
    """
    pictures = plan_pictures(images, seed)
    severities = np.array([picture.severities for picture in pictures])
    quantities = _all_quantities(pictures, seed, processes or cores(), progress or no_progress)
    captures = np.array([picture.capture for picture in pictures])
    estimates = np.stack(
        [estimated_severity(quantities[place], severities[:, place], captures) for place in range(len(CONDITIONS))],
        axis=1,
    )
    truth, guessed = label_chances(severities), label_chances(estimates)
    return [
        OracleResult(
            condition,
            int((clean_grades(severities[:, place]) > 0).sum()),
            best_kappa(truth[:, place]),
            expected_kappa(best_grades(guessed[:, place]), truth[:, place]),
        )
        for place, condition in enumerate(CONDITIONS)
    ]


def estimated_severity(
    quantities: Quantities, severity: npt.NDArray[np.float64], captures: npt.NDArray[np.str_]
) -> npt.NDArray[np.float64]:
    """Return each picture's severity as estimated from its quantities by trees that never saw its capture.

    Args:
        quantities: (pictures, quantities).
        severity, captures: (pictures,).
    """
    trees = ExtraTreesRegressor(n_estimators=TREES, min_samples_leaf=2, random_state=0)
    folds = GroupKFold(n_splits=FOLDS)
    estimates = cross_val_predict(trees, quantities, severity, groups=captures, cv=folds)
    return np.asarray(np.clip(estimates, 0.0, 3.0), dtype=np.float64)


def _all_quantities(
    pictures: Sequence[PlannedPicture], seed: int, processes: int, progress: Progress
) -> list[Quantities]:
    """Return the quantities by condition, each (pictures, quantities)."""
    chunks = [pictures[start : start + CHUNK] for start in range(0, len(pictures), CHUNK)]
    rows: dict[str, list[Quantities]] = {}  # chunks come in the order in which they are done
    for done in parallel_map(partial(_quantities_of, seed), chunks, min(processes, len(chunks))):
        rows |= done
        progress(len(rows), len(pictures))
    ordered = [rows[picture.image_id] for picture in pictures]
    return [np.stack([row[place] for row in ordered]) for place in range(len(CONDITIONS))]


def _quantities_of(seed: int, pictures: Sequence[PlannedPicture]) -> dict[str, list[Quantities]]:
    return {picture.image_id: drawn_quantities(cues_of_picture(picture, seed)) for picture in pictures}


def drawn_quantities(cues: Cues) -> list[Quantities]:
    """Return what a frame shows of each condition, in order of CONDITIONS; nothing of it under hair."""
    seen = cv2.bitwise_not(_hair_mask(cues.hair))
    masks = dict(zip(CONDITIONS, masks_of_cues(cues), strict=True))
    quantities = {condition: _areas(mask, seen) for condition, mask in masks.items()}
    quantities[Condition.ERYTHEMA] = np.concatenate([quantities[Condition.ERYTHEMA], _redness(cues, seen)])
    quantities[Condition.PUSTULES] = np.concatenate([quantities[Condition.PUSTULES], _lesions(cues)])
    # The mask of bald places is left out: it is empty by decree where hair is as it should be.
    quantities[Condition.HAIR_LOSS] = _hair(cues.hair, seen)
    return [quantities[condition] for condition in CONDITIONS]


def _hair_mask(hair: Hair) -> Pixels:
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    for shaft in hair.shafts:
        cv2.fillPoly(mask, [corners(shaft.outline())], (255,), cv2.LINE_8, SHIFT)
    return mask


def _areas(mask: Pixels, seen: Pixels) -> Quantities:
    """Return mean and clear share of a mask over what is seen, and the number of its pieces."""
    visible = cv2.bitwise_and(mask, seen)
    clear = (visible > CLEAR).astype(np.uint8)
    room = max(cv2.countNonZero(seen), 1)
    pieces = cv2.connectedComponents(clear)[0] - 1
    return np.array([visible.sum() / 255.0 / room, clear.sum() / room, pieces], dtype=np.float64)


def _redness(cues: Cues, seen: Pixels) -> Quantities:
    """Return mean and highest Δa* of what is seen."""
    small = cv2.resize(seen, cues.redness.rise.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
    rise = cues.redness.rise[small]
    return np.array([rise.mean(), np.percentile(rise, 95)] if rise.size else [0.0, 0.0], dtype=np.float64)


def _lesions(cues: Cues) -> Quantities:
    """Return how many halos, droplets and crusts there are, and how red the reddest halo is."""
    counts = [len(cues.pustules), *(sum(getattr(p, part) > 0 for p in cues.pustules) for part in ("dome", "crust"))]
    reddest = max((pustule.redness for pustule in cues.pustules), default=0.0)
    return np.array([*counts, reddest], dtype=np.float64)


def _hair(hair: Hair, seen: Pixels) -> Quantities:
    """Return coverage, gaps, number and widths of the hairs, their spread, and the pores with and without hair."""
    coverage = 1.0 - cv2.countNonZero(seen) / (HEIGHT * WIDTH)
    widths = np.array([float(np.median(shaft.widths)) for shaft in hair.shafts] or [0.0])
    empty = sum(follicle.empty for follicle in hair.follicles)
    quantiles = np.percentile(widths, WIDTH_QUANTILES)
    gaps = np.percentile(cv2.distanceTransform(seen, cv2.DIST_L2, 3)[::8, ::8], GAP_QUANTILES)
    spread = float(widths.std() / max(widths.mean(), 1e-9))
    full = len(hair.follicles) - empty
    return np.array([coverage, *gaps, len(hair.shafts), *quantiles, spread, full, empty], dtype=np.float64)
