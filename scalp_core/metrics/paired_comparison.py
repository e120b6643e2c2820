"""Paired comparison of models by a bootstrap over groups of pictures (docs/design/evaluation.md).

A model of a comparison is one run, or several that differ only in their seed: its figure is their mean. Every model and
condition gets the same resample of groups, so that the difficulty of a head cancels out of differences. Groups are
resampled and not pictures, because pictures of one head are alike.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from string import ascii_lowercase

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import bdtr, ndtri

from scalp_core.labels import GRADES, Condition
from scalp_core.metrics.alignment import CELL_COUNTS, CELLS, AlignedPredictions, cell_counts
from scalp_core.metrics.bootstrap import (
    LEVEL,
    REPLICATES,
    EffectiveSize,
    deviation,
    effective_size,
    merge_groups,
    percentiles,
    resample,
)
from scalp_core.metrics.metrics import COUNTED, METRICS, Counts, Matrices, Values
from scalp_core.metrics.verdict import NEGLIGIBLE, Difference, Estimate, Verdict, verdict

_GRADES = len(GRADES)
_POWER = 0.8  # “four in five cases” of `detectable`


# ---- many models ----


def compare(
    aligned: AlignedPredictions, models: Mapping[str, Sequence[str]], replicates: int = REPLICATES, seed: int = 0
) -> "Comparison":
    """Estimate every metric of every model and condition, with its replicates.

    Args:
        models: ids of the runs of each model, by the model's name.
        replicates: of the bootstrap.

    Raises:
        ValueError: a model has no run, or one that is not among the aligned.
    """
    if not models or not all(models.values()):
        raise ValueError("every model needs a run")
    sums = cell_counts(replace(aligned, groups=merge_groups(aligned.groups)))
    return compare_sums(sums, aligned, models, aligned.conditions, (aligned.truth >= 0).sum(axis=1), replicates, seed)


def compare_sums(
    sums: npt.NDArray[np.float32],
    aligned: AlignedPredictions,
    models: Mapping[str, Sequence[str]],
    columns: Sequence[Condition],
    images: npt.NDArray[np.int64],
    replicates: int = REPLICATES,
    seed: int = 0,
) -> "Comparison":
    """Estimate every metric from cell counts (groups, runs, columns, 17), as `compare` does.

    Args:
        columns: what the counts are of, conditions or names of groups of pictures.
        images: labelled pictures of each column.
    """
    members = [[aligned.run(run_id) for run_id in runs] for runs in models.values()]
    whole = sums.sum(axis=0, dtype=np.float64)
    counts = whole[..., :CELLS].reshape(*whole.shape[:2], _GRADES, _GRADES)
    return Comparison(
        models=tuple(models),
        conditions=tuple(columns),
        images=images,
        groups=int(aligned.groups.max(initial=-1)) + 1,
        counts=np.stack([counts[places].mean(axis=0) for places in members]),
        of_runs={name: tuple(values[places] for places in members) for name, values in _figures(whole).items()},
        replicates={
            name: np.stack([values[:, places].mean(axis=1) for places in members], axis=1)
            for name, values in _figures(resample(sums, replicates, seed)).items()
        },
        sizes=_sizes(sums),
    )


def _figures(sums: npt.NDArray[np.floating]) -> dict[str, Values]:
    """Compute every metric (…) of summed cell counts (…, 17)."""
    # In double precision, as kappa multiplies counts with each other.
    counts = sums[..., :CELLS].astype(np.float64).reshape(*sums.shape[:-1], _GRADES, _GRADES)
    images = np.einsum("...ij->...", counts)
    scores = np.where(images > 0, sums[..., CELL_COUNTS - 1] / np.maximum(images, 1), math.nan)
    return {name: COUNTED[name](counts) if name in COUNTED else scores for name in METRICS}


def _sizes(sums: npt.NDArray[np.float32]) -> dict[str, tuple[EffectiveSize, ...]]:
    """Return the effective size of each metric and condition, of cell counts (groups, runs, conditions, 17)."""
    truths = sums[..., :CELLS].reshape(*sums.shape[:3], _GRADES, _GRADES).sum(axis=4).max(axis=1)
    return {name: tuple(_size(name, truths[:, place]) for place in range(truths.shape[1])) for name in METRICS}


def _size(metric: str, truths: Matrices) -> EffectiveSize:
    """Return the effective size of one metric, given the pictures of each true grade in every group (groups, 4)."""
    groups = np.array([(truths[:, list(grades)] > 0).any(axis=1).sum() for grades in METRICS[metric].strata])
    groups = groups[groups > 0]
    return effective_size(groups[groups == groups.min()][:1] if METRICS[metric].worst and len(groups) else groups)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Figures of several models on the same pictures, and their uncertainty. Metrics are named as in METRICS.

    Attributes:
        models: M names.
        conditions: C.
        images: (C,) labelled pictures.
        groups: number of groups.
        counts: (M, C, 4, 4), truth × prediction, the mean over the model's runs.
        of_runs: values of each metric and model (runs, C).
        replicates: of each metric (replicates, M, C); none where there are fewer than two groups.
        sizes: effective sizes of each metric (C,).
    """

    models: tuple[str, ...]
    conditions: tuple[Condition, ...]
    images: npt.NDArray[np.int64]
    groups: int
    counts: Values
    of_runs: Mapping[str, Sequence[Values]]
    replicates: Mapping[str, Values]
    sizes: Mapping[str, Sequence[EffectiveSize]]

    def values(self, metric: str) -> Values:
        """Return the values (M, C); NaN where a model does not grade a condition or nothing is labelled."""
        return np.stack([runs.mean(axis=0) for runs in self.of_runs[metric]])

    def estimate(self, metric: str, model: str, condition: Condition) -> Estimate:
        """Return the value with its 95 % interval."""
        number, place = self._place(model, condition)
        level = self.sizes[metric][place].percentile_level
        low, high = percentiles(self.replicates[metric][:, number, place], level)
        return Estimate(float(self.values(metric)[number, place]), float(low), float(high))

    def spread(self, metric: str, model: str, condition: Condition) -> tuple[float, float]:
        """Return the lowest and the highest value of the model's runs, which differ in their seed."""
        number, place = self._place(model, condition)
        runs = self.of_runs[metric][number][:, place]
        return float(runs.min()), float(runs.max())

    def graded(self, condition: Condition, metric: str = "quadratic_weighted_kappa") -> tuple[str, ...]:
        """Return the models with a value."""
        defined = ~np.isnan(self.values(metric)[:, self.conditions.index(condition)])
        return tuple(model for model, has_value in zip(self.models, defined, strict=True) if has_value)

    def best(self, metric: str, condition: Condition) -> str | None:
        """Return the model with the best value."""
        ranked = self._ranked(metric, condition)
        return ranked[0] if ranked else None

    def _ranked(self, metric: str, condition: Condition) -> list[str]:
        """Return the models with a value, the best first."""
        values = dict(zip(self.models, self._oriented(metric, condition)[0], strict=True))
        return sorted(self.graded(condition, metric), key=lambda model: -values[model])

    def pairs(self, metric: str, condition: Condition) -> pd.DataFrame:
        """Compare every model with every other.

        Differences of figures of hundreds of pictures are nearly normal, so interval and p value are of Student's t
        with the standard deviation of the replicates' differences: percentiles so far out would need tens of thousands
        of replicates. Both are corrected over all pairs (Holm 1979), not only those with the best model, because the
        same pictures decided which model that is.

        Returns:
            model, other, difference (model − other), low, high, p, p_holm, verdict (of model). NaN where uncertainty
            is unknown.
        """
        couples, differences, deviations = self._couples(metric, condition)
        size = self._size(metric, condition)
        p = size.p_values(differences, deviations)
        corrected, levels = holm(p)
        half_widths = size.half_widths(deviations, levels)
        rows = [
            row
            for couple, *figures in zip(couples, differences, half_widths, p, corrected, strict=True)
            for row in _both_ways(metric, couple, *figures)
        ]
        table = pd.DataFrame(rows, columns=["model", "other", "difference", "low", "high", "p", "p_holm", "verdict"])
        # As verdicts, which pandas would turn into text.
        return table.assign(verdict=pd.Series([row[-1] for row in rows], dtype=object))

    def _couples(self, metric: str, condition: Condition) -> tuple[list[tuple[str, str]], Values, Values]:
        """Return every two models, how far the first is ahead, and the standard deviation of that."""
        values, replicates = self._oriented(metric, condition)
        at = {model: self.models.index(model) for model in self.graded(condition, metric)}
        couples = list(combinations(at, 2))
        differences = [values[at[model]] - values[at[other]] for model, other in couples]
        deviations = [deviation(replicates[:, at[model]] - replicates[:, at[other]]) for model, other in couples]
        return couples, np.array(differences), np.array(deviations)

    def tied(self, metric: str, condition: Condition) -> dict[str, str]:
        """Return a letter for every model, the best model first.

        “a” marks the best and all models that are not significantly worse; “b” the best of the rest and those of the
        rest that are not significantly worse than it, and so on. A model may so stand behind one of a later letter: its
        difference from the best is the less certain one.
        """
        pairs = self.pairs(metric, condition)
        worse = set(pairs.loc[pairs["verdict"] == Verdict.WORSE, ["model", "other"]].itertuples(index=False, name=None))
        ranked = self._ranked(metric, condition)
        letters: dict[str, str] = {}
        for letter in ascii_lowercase:
            left = [model for model in ranked if model not in letters]
            letters |= {model: letter for model in left if (model, left[0]) not in worse}
        return {model: letters.get(model, "z") for model in ranked}

    def ranks(self, metric: str, condition: Condition) -> pd.DataFrame:
        """Rank the models, with the uncertainty of the ranks.

        Returns:
            model, rank (1 = best), low and high (95 % of the replicates), best_share (share of them in which it is the
            best; models that are equal there share it); the best first.
        """
        models = self._ranked(metric, condition)
        values, replicates = self._of_models(metric, condition, models)
        replicate_ranks = (replicates[:, np.newaxis, :] > replicates[:, :, np.newaxis]).sum(axis=2) + 1.0
        low, high = percentiles(replicate_ranks)
        first = replicate_ranks == 1
        shares = (first / first.sum(axis=1, keepdims=True)).mean(axis=0) if len(replicates) else low
        ranks = (values > values[:, np.newaxis]).sum(axis=1) + 1
        return pd.DataFrame({"model": models, "rank": ranks, "low": low, "high": high, "best_share": shares})

    def overall(self, metric: str) -> pd.DataFrame:
        """Rank the models over all conditions that have a value.

        Returns:
            model, mean_rank (over the conditions that the model grades, 1 = best), value (mean over the conditions),
            low and high (95 %); the best mean rank first. The mean is NaN for a model that leaves out a condition, as
            means over other conditions cannot be compared; all are NaN for one without any value.
        """
        sign = 1 if METRICS[metric].higher_is_better else -1
        values = self.values(metric)
        measured = ~np.isnan(values).all(axis=0)
        oriented = sign * values[:, measured]
        better = (oriented[np.newaxis] > oriented[:, np.newaxis]).sum(axis=1) + 1.0
        ranks = np.where(np.isnan(oriented), math.nan, better)
        unknown = np.full(len(self.models), math.nan)
        low, high = (
            percentiles(self.replicates[metric][:, :, measured].mean(axis=2)) if measured.any() else 2 * (unknown,)
        )
        means = values[:, measured].mean(axis=1) if measured.any() else unknown
        mean_ranks = pd.DataFrame(ranks).mean(axis=1)
        table = pd.DataFrame({"model": self.models, "mean_rank": mean_ranks, "value": means, "low": low, "high": high})
        table["worth"] = -sign * table["value"]  # of equal ranks the better mean comes first
        return table.sort_values(["mean_rank", "worth"], kind="stable", ignore_index=True).drop(columns="worth")

    def mean_estimates(self, metric: str) -> dict[str, Estimate]:
        """Return the mean of each model over all conditions that have a value, as in `overall`."""
        table = self.overall(metric).set_index("model")
        return {str(model): Estimate(row["value"], row["low"], row["high"]) for model, row in table.iterrows()}

    def detectable(self, metric: str, condition: Condition) -> tuple[float, float]:
        """Return the true differences that `pairs` would find significant in half, and in four fifths, of the cases.

        They are those of the median pair, at the first step of the correction. NaN where the uncertainty is unknown.
        """
        _, _, deviations = self._couples(metric, condition)
        if not len(deviations):
            return math.nan, math.nan
        size, median = self._size(metric, condition), float(np.median(deviations))
        significant = float(size.reach(LEVEL / len(deviations)))
        return significant * median, (significant + float(ndtri(_POWER)) * math.sqrt(size.inflation)) * median

    def chance_spread(self, metric: str, condition: Condition) -> float:
        """Return the mean distance between the best and the worst of these models if all were equally good."""
        _, replicates = self._of_models(metric, condition, self.graded(condition, metric))
        if replicates.size == 0:
            return math.nan
        centred = replicates - replicates.mean(axis=0)
        return float((centred.max(axis=1) - centred.min(axis=1)).mean())

    def _of_models(self, metric: str, condition: Condition, models: Sequence[str]) -> tuple[Values, Values]:
        """Return values (m,) and replicates (replicates, m) of these models, of which more is better.

        Replicates with NaN are left out; where these are most, or there are too few groups, all are.
        """
        places = [self.models.index(model) for model in models]
        values, replicates = self._oriented(metric, condition)
        defined = replicates[~np.isnan(replicates[:, places]).any(axis=1)][:, places]
        enough = 2 * len(defined) >= len(replicates) and not math.isnan(self._size(metric, condition).freedom)
        return values[places], defined if enough else defined[:0]

    def _size(self, metric: str, condition: Condition) -> EffectiveSize:
        return self.sizes[metric][self.conditions.index(condition)]

    def _oriented(self, metric: str, condition: Condition) -> tuple[Values, Values]:
        """Return values (M,) and replicates (replicates, M), with a sign such that more is better."""
        place, sign = self.conditions.index(condition), 1 if METRICS[metric].higher_is_better else -1
        return sign * self.values(metric)[:, place], sign * self.replicates[metric][:, :, place]

    def _place(self, model: str, condition: Condition) -> tuple[int, int]:
        return self.models.index(model), self.conditions.index(condition)


def _both_ways(
    metric: str, couple: tuple[str, str], difference: float, half_width: float, p: float, p_holm: float
) -> list[tuple[object, ...]]:
    """Return two rows of `pairs`, in the metric's own direction; `difference` is how far the first model is ahead."""
    rows = []
    sign = 1 if METRICS[metric].higher_is_better else -1
    for (model, other), ahead in ((couple, difference), (couple[::-1], -difference)):
        low, high = ahead - half_width, ahead + half_width
        outcome = verdict(Difference(ahead, low, high), NEGLIGIBLE[metric])
        rows.append((model, other, sign * ahead, *sorted((sign * low, sign * high)), p, p_holm, outcome))
    return rows


# ---- many comparisons ----


def holm(p: Values) -> tuple[Values, Values]:
    """Correct p values (m,) by Holm's step-down procedure (Holm 1979).

    Returns:
        Corrected p values, and the level of each interval, such that interval and p value agree: all after the first
        that is not significant have its level. NaN where p is.
    """
    defined = np.flatnonzero(~np.isnan(p))
    order = defined[np.argsort(p[defined], kind="stable")]
    corrected, levels = np.full(len(p), math.nan), np.full(len(p), math.nan)
    highest, level = 0.0, 0.0
    for step, place in enumerate(order):
        if highest < LEVEL:
            level = LEVEL / (len(order) - step)
        highest = max(highest, min(1.0, (len(order) - step) * float(p[place])))
        corrected[place], levels[place] = highest, level
    return corrected, levels


# ---- right and wrong answers, one by one ----


@dataclass(frozen=True)
class McNemar:
    """Pictures that only one of two models has right, and the p value of a division so uneven."""

    only_first: int
    only_second: int
    p: float


def mcnemar(right: npt.NDArray[np.bool_], other_right: npt.NDArray[np.bool_]) -> McNemar:
    """Test two models' accuracies on the same pictures (n,), exactly (McNemar 1947).

    It takes every picture for a head of its own, so it is a secondary figure: p is too small where heads have several.
    """
    first, second = int((right & ~other_right).sum()), int((other_right & ~right).sum())
    p = min(1.0, 2 * float(bdtr(min(first, second), first + second, 0.5))) if first + second else 1.0
    return McNemar(first, second, p)


# ---- two models ----


@dataclass(frozen=True)
class Estimates:
    """Estimates of one model, named as in METRICS.

    The worst recall of a replicate lies below that of all pictures more often than above, as every minimum does: its
    interval leans downwards.
    """

    quadratic_weighted_kappa: Estimate
    average_mean_absolute_error: Estimate
    worst_grade_recall: Estimate


@dataclass(frozen=True)
class Differences:
    """One model's figures minus the other's; of the error, less is better."""

    quadratic_weighted_kappa: Difference
    average_mean_absolute_error: Difference
    worst_grade_recall: Difference

    @property
    def verdict(self) -> Verdict:
        """The verdict on the first model, by quadratic weighted kappa."""
        return verdict(self.quadratic_weighted_kappa)


def estimate(model: Counts) -> Estimates:
    """Estimate the figures of one model, with intervals.

    Args:
        model: (seeds, groups, 4, 4) count tables, truth × prediction; see metrics.counts_by_group.
    """
    return Estimates(*(Estimate(*_interval(*figures)) for figures in _figures_of_model(model)))


def difference(model: Counts, other: Counts) -> Differences:
    """Estimate the differences of two models named before the pictures were seen, so that nothing is corrected.

    Args:
        model: (seeds, groups, 4, 4) count tables, truth × prediction.
        other: the same groups in the same order; it may have another number of seeds.

    Raises:
        ValueError: the models were not judged on the same labels of the same groups.
    """
    if not np.array_equal(model[0].sum(axis=-1), other[0].sum(axis=-1)):
        raise ValueError("only what was judged on the same labels of the same groups can be compared")
    return Differences(
        *(
            Difference(*_interval(value - other_value, replicates - other_replicates, level))
            for (value, replicates, level), (other_value, other_replicates, _) in zip(
                _figures_of_model(model), _figures_of_model(other), strict=True
            )
        )
    )


def _figures_of_model(model: Counts) -> list[tuple[float, Values, float]]:
    """Return value, replicates and percentile level of every metric of Estimates: the means over the seeds."""
    replicates = resample(model.transpose(1, 0, 2, 3).astype(np.float32)).astype(np.float64)
    whole, truths = model.sum(axis=1), model[0].sum(axis=-1)
    computed = {name: COUNTED[name] for name in Estimates.__dataclass_fields__}
    return [
        (float(compute(whole).mean()), compute(replicates).mean(axis=-1), _size(name, truths).percentile_level)
        for name, compute in computed.items()
    ]


def _interval(value: float, replicates: Values, level: float) -> tuple[float, float, float]:
    low, high = percentiles(replicates, level)
    return value, float(low), float(high)
