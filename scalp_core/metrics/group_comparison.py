"""Figures of models by groups of pictures (device, site, region, age), and how far each group is from the rest.

All groups share each resample of captures, so that a capture which lies in several groups cancels out of differences.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.labels import GRADES, Condition
from scalp_core.metrics.alignment import CELL_COUNTS, CELLS, AlignedPredictions
from scalp_core.metrics.bootstrap import REPLICATES, deviation, merge_groups
from scalp_core.metrics.metrics import METRICS, ranked_probability_scores
from scalp_core.metrics.paired_comparison import Comparison, compare_sums, holm
from scalp_core.metrics.verdict import NEGLIGIBLE, Difference, verdict

MIN_IMAGES, MIN_CAPTURES = 20, 5  # of a group; with less nothing is said of it
MOST_GROUPS = 12  # the largest; more are no figure any more

Codes = npt.NDArray[np.signedinteger]

_GRADES = len(GRADES)
_REST = "\0rest of "  # no value of a column begins so


@dataclass(frozen=True, eq=False)
class GroupComparison:
    """Figures of several models in one condition, by groups of pictures.

    Attributes:
        names: K groups, the largest MOST_GROUPS in the order of the column.
        images: (K,) labelled pictures.
        captures: (K,) captures with such a picture.
        left_out: further groups.
        comparison: its columns are the groups, and the rest of each group, in place of conditions.
    """

    names: tuple[str, ...]
    images: npt.NDArray[np.int64]
    captures: npt.NDArray[np.int64]
    left_out: int
    comparison: Comparison

    def large_enough(self, name: str) -> bool:
        """Return whether a group has MIN_IMAGES pictures of MIN_CAPTURES captures."""
        place = self.names.index(name)
        return bool(self.images[place] >= MIN_IMAGES and self.captures[place] >= MIN_CAPTURES)

    def by_group(self, metric: str, model: str) -> pd.DataFrame:
        """Return a row a group, and how far it is from all other pictures.

        Intervals and p values of differences are corrected over the groups (Holm 1979).

        Returns:
            group, images, captures, value, low, high (95 %), difference (group − rest), difference_low,
            difference_high, p_holm, verdict (of the group). NaN and None where a group is too small.
        """
        rows = [self._row(metric, model, name) for name in self.names]
        p, sizes = np.array([row["p"] for row in rows]), [row.pop("size") for row in rows]
        corrected, levels = holm(p)
        sign = 1 if METRICS[metric].higher_is_better else -1
        for row, p_holm, level, size in zip(rows, corrected, levels, sizes, strict=True):
            width = float(size.half_widths(np.array([row.pop("deviation")]), np.array([level]))[0])
            low, high = row["difference"] - width, row["difference"] + width
            ahead = Difference(sign * row["difference"], *sorted((sign * low, sign * high)))
            row |= {"difference_low": low, "difference_high": high, "p_holm": p_holm}
            row["verdict"] = None if math.isnan(p_holm) else verdict(ahead, NEGLIGIBLE[metric])
            del row["p"]
        verdicts = pd.Series([row["verdict"] for row in rows], dtype=object)  # which pandas would turn into text
        return pd.DataFrame(rows).assign(verdict=verdicts)

    def _row(self, metric: str, model: str, name: str) -> dict[str, Any]:
        place, number = self.names.index(name), self.comparison.models.index(model)
        inside, rest = self._column(name), self._column(_REST + name)
        estimate = self.comparison.estimate(metric, model, inside)
        values, replicates = self.comparison.values(metric)[number], self.comparison.replicates[metric][:, number]
        at, beside = (self.comparison.conditions.index(column) for column in (inside, rest))
        size, enough = self.comparison.sizes[metric][at], self.large_enough(name)
        apart = float(values[at] - values[beside]) if enough else math.nan
        spread = float(deviation(replicates[:, at] - replicates[:, beside])) if enough else math.nan
        comparable = enough and not math.isnan(apart)
        p = float(size.p_values(np.array([apart]), np.array([spread]))[0]) if comparable else math.nan
        return {
            "group": name,
            "images": int(self.images[place]),
            "captures": int(self.captures[place]),
            "value": estimate.value if enough else math.nan,
            "low": estimate.low if enough else math.nan,
            "high": estimate.high if enough else math.nan,
            "difference": apart,
            "deviation": spread,
            "p": p,
            "size": size,
        }

    @staticmethod
    def _column(name: str) -> Condition:
        return cast(Condition, name)  # a column of the comparison, which only looks it up


def compare_groups(
    aligned: AlignedPredictions,
    models: Mapping[str, Sequence[str]],
    condition: Condition,
    codes: Codes,
    names: Sequence[str],
    replicates: int = REPLICATES,
) -> GroupComparison:
    """Compare models in one condition by groups of pictures.

    Args:
        models: ids of the runs of each model, by the model's name.
        codes: the group (n,) of each aligned picture, a place in `names`; −1 for none, which is in no rest either.
        names: of all groups.
    """
    aligned = replace(aligned, groups=merge_groups(aligned.groups))
    truth = aligned.truth[aligned.condition(condition)]
    labelled = (truth >= 0) & (codes >= 0)
    images = np.bincount(codes[labelled], minlength=len(names))
    pairs = np.unique(np.stack([codes[labelled], aligned.groups[labelled]]), axis=1)[0]
    captures = np.bincount(pairs, minlength=len(names))
    largest = sorted(np.argsort(-images, kind="stable")[:MOST_GROUPS].tolist())
    kept = [place for place in largest if images[place]]
    sums = _group_counts(aligned, condition, codes, len(names))
    inside, rest = sums[:, :, kept], sums.sum(axis=2, keepdims=True) - sums[:, :, kept]
    columns = [*(names[place] for place in kept), *(_REST + names[place] for place in kept)]
    counted = np.concatenate([images[kept], images.sum() - images[kept]])
    comparison = compare_sums(
        np.concatenate([inside, rest], axis=2), aligned, models, cast(list[Condition], columns), counted, replicates
    )
    left_out = int((images > 0).sum()) - len(kept)
    return GroupComparison(tuple(columns[: len(kept)]), images[kept], captures[kept], left_out, comparison)


def _group_counts(
    aligned: AlignedPredictions, condition: Condition, codes: Codes, groups: int
) -> npt.NDArray[np.float32]:
    """Count cells by capture, run and group (captures, runs, groups, 17), as `alignment.cell_counts` by condition."""
    at, captures = aligned.condition(condition), int(aligned.groups.max(initial=-1)) + 1
    counts = np.zeros((captures, len(aligned.runs), groups, CELL_COUNTS), dtype=np.float32)
    for run in range(len(aligned.runs)):
        places = np.flatnonzero(aligned.judged[run, at] & (codes >= 0))
        rows = aligned.groups[places] * groups + codes[places]
        truth = aligned.truth[at, places].astype(np.int64)
        cells = rows * CELLS + truth * _GRADES + aligned.grades[run, at, places]
        shape = (captures, groups, CELLS)
        counts[:, run, :, :CELLS] = np.bincount(cells, minlength=math.prod(shape)).reshape(shape)
        scores = ranked_probability_scores(aligned.probabilities[run, at, places], truth)
        counts[:, run, :, CELLS] = np.bincount(rows, scores, minlength=captures * groups).reshape(captures, groups)
    return counts
