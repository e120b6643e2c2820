"""The tables and model styles behind the figures of a comparison, interactive and printed alike."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scalp_core.architectures import ARCHITECTURE_NAME, family
from scalp_core.evaluation.baselines import Baseline
from scalp_core.evaluation.referral import ModelReferral
from scalp_core.labels import GRADES, Condition
from scalp_core.metrics.intervals import wilson
from scalp_core.metrics.metrics import METRICS
from scalp_core.metrics.paired_comparison import Comparison
from scalp_core.metrics.referral import ReferralQuality
from scalp_core.metrics.verdict import Verdict
from scalp_core.palette import DIVERGING, UNKNOWN, architecture_color, architecture_shape
from scalp_core.sampling import evenly_spaced

# Orange for better and blue for worse, as on evidence maps.
VERDICT_COLORS = {
    Verdict.BETTER: DIVERGING[2],
    Verdict.WORSE: DIVERGING[0],
    Verdict.PRACTICALLY_EQUAL: UNKNOWN,
    Verdict.UNDECIDED: UNKNOWN,
}

# Errors of guessing; the metrics that are not listed are 0 there.
_GUESSED = {"average_mean_absolute_error": 1.0, "ranked_probability_score": 0.25, "far_error_share": 0.5}


@dataclass(frozen=True)
class ModelStyle:
    """The look of one model, by its family of architectures.

    Attributes:
        shape: by Vega's names.
        place: among the shown models of the same family; the first one is filled and its line solid.
    """

    color: str
    shape: str
    place: int


def model_styles(names: Iterable[str]) -> list[ModelStyle]:
    """Return the style of every model, by its name, which begins with its architecture."""
    places: Counter[str] = Counter()
    styles = []
    for name in names:
        match = ARCHITECTURE_NAME.match(name)
        architecture = match[0] if match else ""
        name_of_family = family(architecture)
        place = places[name_of_family]
        styles.append(ModelStyle(architecture_color(architecture), architecture_shape(architecture), place))
        places[name_of_family] += 1
    return styles


def leaderboard_table(comparison: Comparison, names: Mapping[str, str], metric: str) -> pd.DataFrame:
    """Return one row for every model and condition.

    Args:
        names: of the shown models, by key, in their order.
        metric: a key of metrics.METRICS.

    Returns:
        model (key), name, condition, images, value, low, high (95 %), tied (letter; empty where only one model is
        graded), seeds, lowest, highest (of the seeds).
    """
    letters = [_letters(comparison, metric, condition) for condition in comparison.conditions]
    rows = []
    for model, name in names.items():
        seeds = len(comparison.of_runs[metric][comparison.models.index(model)])
        for place, condition in enumerate(comparison.conditions):
            estimate = comparison.estimate(metric, model, condition)
            values = (int(comparison.images[place]), estimate.value, estimate.low, estimate.high)
            spread = comparison.spread(metric, model, condition)
            rows.append((model, name, condition.value, *values, letters[place].get(model, ""), seeds, *spread))
    columns = ["model", "name", "condition", "images", "value", "low", "high", "tied", "seeds", "lowest", "highest"]
    return pd.DataFrame(rows, columns=columns)


def _letters(comparison: Comparison, metric: str, condition: Condition) -> dict[str, str]:
    letters = comparison.tied(metric, condition)
    return letters if len(letters) > 1 else {}


def baseline_table(
    baselines: Mapping[Condition, Sequence[Baseline]], conditions: Sequence[Condition], metric: str, language: str
) -> pd.DataFrame:
    """Return one row for every baseline of a metric and every condition.

    Returns:
        name, condition, value (NaN where the baseline has none), protocol.
    """
    by_cell = {
        (baseline.name(language), condition): baseline
        for condition in conditions
        for baseline in baselines.get(condition, ())
        if baseline.metric == metric and not math.isnan(baseline.value)
    }
    rows = []
    for name in dict.fromkeys(name for name, _ in by_cell):
        for condition in conditions:
            baseline = by_cell.get((name, condition))
            value, protocol = (baseline.value, baseline.protocol(language)) if baseline else (math.nan, "–")
            rows.append((name, condition.value, value, protocol))
    return pd.DataFrame(rows, columns=["name", "condition", "value", "protocol"])


def goodness(values: pd.Series, metric: str) -> pd.Series:
    """Return 0 for what guessing reaches, 1 for perfect values."""
    if METRICS[metric].higher_is_better:
        return values.clip(0, 1)
    return (1 - values / _GUESSED[metric]).clip(0, 1)


def forest_table(pairs: pd.DataFrame, names: Mapping[str, str], reference: str) -> pd.DataFrame:
    """Return the rows of Comparison.pairs against one model, with `name`, in the order of `names`."""
    rows = pairs[pairs["other"] == reference].set_index("model")
    rows = rows.reindex([model for model in names if model in rows.index]).reset_index()
    return rows.assign(name=rows["model"].map(dict(names)))


def recall_table(comparison: Comparison, condition: Condition, names: Mapping[str, str]) -> pd.DataFrame:
    """Return one row for every grade and model that grades the condition.

    Returns:
        model (key), name, grade, images (of that grade), recall (mean over the model's seeds), low, high (95 %, see
        `wilson`); NaN for a grade without pictures.
    """
    place = comparison.conditions.index(condition)
    rows = []
    for model, name in names.items():
        counts = comparison.counts[comparison.models.index(model), place]
        images, right = counts.sum(axis=1), np.diagonal(counts)
        if not images.any():
            continue
        low, high = wilson(right, images)
        recalls = right / np.where(images > 0, images, math.nan)
        rows += [
            (model, name, int(grade), round(images[grade]), recalls[grade], low[grade], high[grade]) for grade in GRADES
        ]
    return pd.DataFrame(rows, columns=["model", "name", "grade", "images", "recall", "low", "high"])


def pareto_front(table: pd.DataFrame, metric: str, cost: str) -> pd.DataFrame:
    """Return the rows of the models that no other beats in both value and cost, the cheapest first.

    Args:
        table: columns value and `cost`, a row a model; NaN where unknown.
        metric: a key of metrics.METRICS.
    """
    ordered = table.assign(worth=table["value"] if METRICS[metric].higher_is_better else -table["value"])
    ordered = ordered.dropna(subset=["worth", cost]).sort_values([cost, "worth"], ascending=[True, False])
    best_before = ordered["worth"].cummax().shift(fill_value=-math.inf)
    return ordered[ordered["worth"] > best_before].drop(columns="worth")


_MOST_CORNERS = 300  # of a curve; more cannot be told apart


def referral_corners(curve: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a referral curve where it turns, which draw the same line; of many rows some."""
    unseen = curve["unseen"].to_numpy()
    falls = np.diff(unseen) != 0
    corners = np.flatnonzero(np.append(True, falls) | np.append(falls, True))
    return curve.iloc[corners[evenly_spaced(len(corners), _MOST_CORNERS)]]


def referral_table(referrals: Sequence[ModelReferral], seeds: Mapping[str, int]) -> pd.DataFrame:
    """Return what each model leaves to a person, with 95 % intervals (see `wilson` and `referral.curve_area`).

    Args:
        seeds: number of runs of each model, by its key; their pictures are the same and count once in intervals.

    Returns:
        model (key), name, images, far (errors, share), area, area_low, area_high, referred, referred_low,
        referred_high, unseen, unseen_low, unseen_high (shares of all pictures); NaN where no threshold could be chosen.
    """
    rows = []
    for referral in referrals:
        quality = referral.quality or ReferralQuality(0, 0, 0, 0)
        images = quality.images / seeds[referral.model]
        row = {"model": referral.model, "name": referral.name, "images": round(images)}
        row |= {"far": float(referral.curve["unseen"].iloc[0])}
        row |= {"area": referral.area.value, "area_low": referral.area.low, "area_high": referral.area.high}
        for name, share in (("referred", quality.referred_share), ("unseen", quality.unseen_share)):
            low, high = wilson(share * images, images)
            row |= {name: share, f"{name}_low": float(low), f"{name}_high": float(high)}
        rows.append(row)
    return pd.DataFrame(rows)
