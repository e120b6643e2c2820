"""The operating point, which turns a run's probabilities into grades and grade sets.

It is fitted on the calibration split after training, or set by hand, and stored in the run.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from scalp_core.errors import ScalpError, Text
from scalp_core.labels import GRADES, Condition
from scalp_core.metrics import metrics
from scalp_core.metrics.calibration import Grades, Probabilities, apply_calibration, fit_calibration
from scalp_core.metrics.grade_sets import SetQuality, fit_set_threshold, mass_before, set_quality
from scalp_core.metrics.metrics import PROBABILITIES
from scalp_core.metrics.referral import Flags, ReferralQuality, far_errors, far_risk, fit_referral, referral_quality

PerGrade = tuple[float, float, float, float]
Cost = tuple[PerGrade, PerGrade, PerGrade, PerGrade]  # rows truth, columns prediction

PART = "calib"
RULES = ("argmax", "median", "expected_cost")  # the simplest first
TAUS = tuple(float(tau) for tau in np.arange(13) / 8)  # 0 … 1.5
RECALL_FLOOR = 0.2
MIN_IMAGES = 30  # labelled pictures; fewer cannot be fitted so that it holds for other pictures
# Kappa that a fitted decision may lose on validation against the network's own most probable grade, beyond what it gave
# up on the calibration split for the recall floor. A loss there is of the calibration split's luck; the shipped runs'
# decisions, fitted on 544 pictures, lose up to 0.043.
MAX_LOSS = 0.05
# Kappas this near are the same: the gentler decision is taken, which has less of the calibration split in it.
_SAME_KAPPA = 0.005
_N = len(GRADES)
_DISTANCE = np.abs(np.subtract.outer(np.arange(_N), np.arange(_N))).astype(np.float64)


def per_grade(values: npt.NDArray[np.float64]) -> PerGrade:
    """Convert an array (4,) to a tuple of floats."""
    first, second, third, fourth = (float(value) for value in values)
    return first, second, third, fourth


def _cost(matrix: npt.NDArray[np.float64]) -> Cost:
    first, second, third, fourth = (per_grade(row) for row in matrix)
    return first, second, third, fourth


SQUARED_DISTANCE = _cost(np.square(_DISTANCE))  # what quadratic weighted kappa charges
LARGEST_COST = 1000.0


class NamedCost(NamedTuple):
    """A predefined cost matrix and its name."""

    text: Text
    cost: Cost


COSTS = {
    "squared": NamedCost(Text("squared distance", "제곱 거리"), SQUARED_DISTANCE),
    "absolute": NamedCost(Text("absolute distance", "절대 거리"), _cost(_DISTANCE)),
    "severe": NamedCost(
        Text("squared, missing a severe grade costs double", "제곱 거리, 중증을 놓치면 두 배"),
        _cost(np.square(_DISTANCE) * [[1], [1], [1], [2]]),
    ),
}


def cost_of(values: npt.ArrayLike) -> Cost:
    """Convert sixteen numbers, rows the truth and columns the prediction, to costs.

    Raises:
        ScalpError: they are not sixteen numbers from 0 to LARGEST_COST; a mistake would be cheaper than being right; or
            nothing costs more than anything else.
    """
    try:
        cost = _cost(np.asarray(values, dtype=np.float64).reshape(_N, _N))
    except (ValueError, TypeError, OverflowError):
        cost = _cost(np.full((_N, _N), math.nan))
    if not _sensible(cost):
        raise ScalpError(
            "bad_cost",
            f"Costs are sixteen numbers from 0 to {LARGEST_COST:g}. In no row may a mistake cost less than the right "
            "grade, and at least one mistake has to cost more.",
            f"비용은 0부터 {LARGEST_COST:g}까지의 숫자 16개예요. 어느 행에서도 틀린 등급의 비용이 맞는 등급보다 "
            "작을 수 없고, 하나 이상은 더 커야 해요.",
        )
    return cost


def _sensible(cost: Cost) -> bool:
    """Check that the right grade is the cheapest of every row, and that some other grade costs more."""
    matrix = np.array(cost)
    if matrix.shape != (_N, _N) or not ((matrix >= 0) & (matrix <= LARGEST_COST)).all():  # NaN passes neither
        return False
    regret = matrix - np.diag(matrix)[:, np.newaxis]
    return bool((regret >= 0).all() and regret.any())


@dataclass(frozen=True)
class Decision:
    """The way from one condition's probabilities to a grade; by default the most probable grade is decided.

    Attributes:
        temperature: divides the logits; above 1 the network was too sure of itself.
        shift: added to the logits of the four grades: corrects a prior that balanced training has moved.
            (Bias-corrected temperature scaling: Alexandari, Kundaje & Shrikumar 2020.)
        rule: one of RULES.
        tau: strength of the logit adjustment p · prior^-tau in favour of rare grades (Menon et al. 2021); 0 = none.
        cost: of each grade (column) where another is true (row); used by the rule "expected_cost" alone.
        far_limit: share of pictures that may be graded far wrong without being left to a person, 0–1; None: nothing is.
        refer_from: risk of a far error from which a picture is left to a person (see `referral.fit_referral`).
        prior: shares of the four grades in the calibration split, smoothed.
        set_threshold: mass up to which a grade set grows (see `grade_set`); 1 = always all four grades.
        images: labelled pictures that it was fitted on; 0 = not fitted.
        quadratic_weighted_kappa: reached on them.
        worst_grade_recall: reached on them.
    """

    temperature: float = 1.0
    shift: PerGrade = (0.0, 0.0, 0.0, 0.0)
    rule: str = "argmax"
    tau: float = 0.0
    prior: PerGrade = (0.25, 0.25, 0.25, 0.25)
    set_threshold: float = 1.0
    images: int = 0
    quadratic_weighted_kappa: float | None = None
    worst_grade_recall: float | None = None
    cost: Cost = SQUARED_DISTANCE
    far_limit: float | None = None
    refer_from: float = 1.0

    def __post_init__(self) -> None:
        decidable = self.rule in RULES and math.isfinite(self.tau) and _sensible(self.cost)
        referable = (self.far_limit is None or 0 < self.far_limit < 1) and 0 <= self.refer_from <= 1
        usable = decidable and referable and self.temperature > 0
        if not usable or len(self.shift) != _N or min(self.prior) <= 0:
            raise ValueError(f"not a decision: {self}")

    @property
    def way(self) -> tuple[str, float, Cost | None, float | None]:
        """Rule, tau, the costs where the rule uses them, and the limit: the parts that may be set by hand."""
        return self.rule, self.tau, self.cost if self.rule == "expected_cost" else None, self.far_limit

    @property
    def fitted(self) -> bool:
        """Whether probabilities are calibrated, so that grade sets have COVERAGE."""
        return self.images > 0

    def calibrated(self, probabilities: npt.ArrayLike) -> Probabilities:
        """Return softmax(log p / temperature + shift) of a network's probabilities (…, 4)."""
        raw = np.asarray(probabilities, dtype=np.float64)
        if self.temperature == 1 and not any(self.shift):
            return raw  # to the bit
        return apply_calibration(raw, self.temperature, np.array(self.shift))

    def grade(self, calibrated: npt.ArrayLike) -> Grades:
        """Decide the grades (…) of calibrated probabilities (…, 4). The only place where grades are decided."""
        adjusted = _adjust(np.asarray(calibrated, dtype=np.float64), self.prior, self.tau)
        return _decide(adjusted, self.rule, self.cost)

    def grade_set(self, calibrated: npt.ArrayLike) -> tuple[Grades, Grades]:
        """Return the lowest and highest grade of contiguous sets that hold the truth in 90 % of pictures; both (…).

        A set begins with the decided grade and takes in the more probable neighbour as long as its mass has not passed
        `set_threshold` (ordinal adaptive prediction sets: Lu, Angelopoulos & Pomerantz 2022). The sets of a decision
        that was not fitted hold all four grades and should not be shown (see `fitted`).
        """
        probabilities = np.asarray(calibrated, dtype=np.float64)
        inside = mass_before(probabilities, self.grade(probabilities)) <= self.set_threshold
        return inside.argmax(axis=-1), _N - 1 - inside[..., ::-1].argmax(axis=-1)

    def refer(self, calibrated: npt.ArrayLike) -> Flags:
        """Decide which of calibrated probabilities (…, 4) are left to a person; none without a limit."""
        probabilities = np.asarray(calibrated, dtype=np.float64)
        risks = far_risk(probabilities, self.grade(probabilities))
        return np.full(risks.shape, False) if self.far_limit is None else risks >= self.refer_from


@dataclass(frozen=True)
class OperatingPoint:
    """The decisions of all conditions of a run.

    Attributes:
        decisions: of those conditions that could be fitted.
        refused: kappas on validation of the plain decision, which was kept, and of the fitted one, which was not taken.
        recall_floor: worst-grade recall that the fit had to reach.
        made: UTC, ISO 8601; empty when nothing was ever fitted.
        why: the occasion, in words.
        who: name of the person who set it; empty for a fit.
    """

    decisions: Mapping[Condition, Decision] = field(default_factory=dict)
    recall_floor: float = RECALL_FLOOR
    made: str = ""
    why: str = ""
    who: str = ""
    refused: Mapping[Condition, tuple[float, float]] = field(default_factory=dict)

    @property
    def fitted(self) -> bool:
        """Whether at least one condition was fitted."""
        return any(decision.fitted for decision in self.decisions.values())

    @property
    def far_limits(self) -> dict[Condition, float]:
        """The limits of the conditions that have one."""
        limits = {condition: decision.far_limit for condition, decision in self.decisions.items()}
        return {condition: limit for condition, limit in limits.items() if limit is not None}

    def decision(self, condition: str) -> Decision:
        """Return the decision of a condition; the default one if it was not fitted."""
        return self.decisions.get(Condition(condition), Decision())

    def apply(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Calibrate p0 … p3 (float64) of a network's prediction table, and add grade, low and high (Int8).

        low and high are missing where the condition was not fitted.
        """
        table = raw.reset_index(drop=True)
        probabilities = table[PROBABILITIES].to_numpy(dtype=np.float64, copy=True)
        grades = np.zeros(len(table), dtype=np.int64)
        low, high, fitted = grades.copy(), grades.copy(), np.zeros(len(table), dtype=bool)
        for condition, rows in table.groupby("condition", sort=False, observed=True).indices.items():
            decision = self.decision(str(condition))
            probabilities[rows] = decision.calibrated(probabilities[rows])
            grades[rows] = decision.grade(probabilities[rows])
            low[rows], high[rows] = decision.grade_set(probabilities[rows])
            fitted[rows] = decision.fitted
        table[PROBABILITIES] = probabilities
        table["grade"] = pd.array(grades, dtype="Int8")
        table["low"] = pd.Series(low, dtype="Int8").where(fitted)
        table["high"] = pd.Series(high, dtype="Int8").where(fitted)
        return table


def fit(
    raw: pd.DataFrame,
    recall_floor: float = RECALL_FLOOR,
    why: str = "",
    far_limits: Mapping[Condition, float] = MappingProxyType({}),
) -> OperatingPoint:
    """Fit every condition on the labelled pictures of the calibration split; validation only says whether it holds.

    First temperature and shift by likelihood; then rule and tau by quadratic weighted kappa among those that keep the
    floor; then the thresholds of the sets and of what is left to a person. Conditions with too few labelled pictures or
    a single grade are not fitted; those in which no decision is better than chance are calibrated, but the most
    probable grade stays the decision. A decision that loses more than MAX_LOSS on validation is refused, and the
    condition stays as the network grades it. A limit holds for these too.

    Args:
        raw: a prediction table with the network's own probabilities: condition, part, truth, p0 … p3.
        recall_floor: recall that the grade recognised least must reach. Where no decision does, the nearest is taken.
        far_limits: shares of pictures that may be far wrong and go unseen by a person; nothing is left to one where
            there is none.
    """
    decisions: dict[Condition, Decision] = {}
    refused: dict[Condition, tuple[float, float]] = {}
    for condition in map(Condition, raw["condition"].unique()):
        calibration = labelled_predictions(raw, condition, PART)
        plain = Decision(far_limit=far_limits.get(condition))
        if plain.far_limit is not None:
            decisions[condition] = _with_figures(plain, calibration)
        if len(calibration.truth) < MIN_IMAGES or len(np.unique(calibration.truth)) < 2:
            continue
        decision, validation = (
            _fit_decision(plain, calibration, recall_floor),
            labelled_predictions(raw, condition, "valid"),
        )
        before, reached = (_kappa(each, validation) for each in (plain, decision))
        given_up = max(0.0, _kappa(plain, calibration) - _kappa(decision, calibration))
        if before - reached > given_up + MAX_LOSS:  # false where kappa is undefined
            refused[condition] = before, reached
        else:
            decisions[condition] = decision
    return OperatingPoint(decisions, recall_floor, datetime.now(UTC).isoformat(), why, refused=refused)


def _kappa(decision: Decision, predictions: "LabelledPredictions") -> float:
    return metrics.quadratic_weighted_kappa(metrics.count(predictions.truth, decide_grades(decision, predictions)))


def _fit_decision(plain: Decision, calibration: "LabelledPredictions", recall_floor: float) -> Decision:
    raw, truth = calibration.raw, calibration.truth
    temperature, shift = fit_calibration(raw, truth)
    calibrated = apply_calibration(raw, temperature, shift)
    prior = (np.bincount(truth, minlength=_N) + 1) / (len(truth) + _N)
    rule, tau = _choose_rule(calibrated, truth, prior, recall_floor)
    fitted = replace(
        plain,
        temperature=temperature,
        shift=per_grade(shift),
        rule=rule,
        tau=tau,
        prior=per_grade(prior),
        images=len(truth),
    )
    return _with_figures(fitted, calibration)


def _with_figures(decision: Decision, calibration: "LabelledPredictions") -> Decision:
    """Return the decision with its thresholds and figures, all on the calibration split.

    One that was not fitted has no sets and no figures, but refers: that needs no calibrated probabilities.
    """
    calibrated, truth = decision.calibrated(calibration.raw), calibration.truth
    grades = decision.grade(calibrated)
    if decision.far_limit is not None:
        risks, errors = far_risk(calibrated, grades), far_errors(truth, grades)
        decision = replace(decision, refer_from=fit_referral(risks, errors, decision.far_limit))
    if not decision.fitted:
        return decision
    figures = metrics.measure(metrics.count(truth, grades))
    return replace(
        decision,
        set_threshold=fit_set_threshold(calibrated, grades, truth),
        quadratic_weighted_kappa=figures.quadratic_weighted_kappa,
        worst_grade_recall=figures.worst_grade_recall,
    )


# Setting by hand.


class LabelledPredictions(NamedTuple):
    """A network's predictions of the labelled pictures of one split, for one condition.

    Attributes:
        images: ids, (n,).
        raw: the network's probabilities, (n, 4), not calibrated.
        truth: (n,).
    """

    images: npt.NDArray[np.object_]
    raw: Probabilities
    truth: Grades


def labelled_predictions(raw: pd.DataFrame, condition: str, part: str) -> LabelledPredictions:
    """Select the labelled predictions of one condition and split from a raw prediction table."""
    rows = metrics.labelled_rows(raw, condition, part)
    probabilities = rows[PROBABILITIES].to_numpy(dtype=np.float64)
    truth = rows["truth"].to_numpy(dtype=np.int64)
    return LabelledPredictions(rows["image"].to_numpy(dtype=object), probabilities, truth)


def set_rule(
    fitted: Decision,
    calibration: LabelledPredictions,
    rule: str,
    tau: float,
    cost: Cost = SQUARED_DISTANCE,
    far_limit: float | None = None,
) -> Decision:
    """Return `fitted` with another rule: calibrated as before, its sets, referrals and figures measured anew.

    A set begins with the decided grade, so another rule needs another threshold to keep its coverage. A decision that
    was not fitted still has no sets.

    Args:
        calibration: of PART.
    """
    return _with_figures(replace(fitted, rule=rule, tau=tau, cost=cost, far_limit=far_limit), calibration)


def best_decision(decision: Decision, calibration: LabelledPredictions, recall_floor: float) -> Decision:
    """Return `decision` with the rule and tau that `fit` would choose, calibrated as it is, sets measured anew."""
    calibrated, prior = decision.calibrated(calibration.raw), np.array(decision.prior)
    rule, tau = _choose_rule(calibrated, calibration.truth, prior, recall_floor)
    return set_rule(decision, calibration, rule, tau, far_limit=decision.far_limit)


def tau_curves(decision: Decision, predictions: LabelledPredictions) -> pd.DataFrame:
    """Measure its rule and costs with every tau: columns tau, quadratic_weighted_kappa, worst_grade_recall."""
    calibrated = decision.calibrated(predictions.raw)
    counts = [metrics.count(predictions.truth, replace(decision, tau=tau).grade(calibrated)) for tau in TAUS]
    kappas, recalls = metrics.kappas(np.stack(counts)), metrics.worst_recalls(np.stack(counts))
    return pd.DataFrame({"tau": TAUS, "quadratic_weighted_kappa": kappas, "worst_grade_recall": recalls})


def decide_grades(decision: Decision, predictions: LabelledPredictions) -> Grades:
    """Decide the grades (n,) of these pictures."""
    return decision.grade(decision.calibrated(predictions.raw))


def evaluate_sets(decision: Decision, predictions: LabelledPredictions) -> SetQuality:
    """Measure the grade sets of these pictures; none are counted where the decision was not fitted."""
    if not decision.fitted:
        return SetQuality(0, math.nan, math.nan)
    low, high = decision.grade_set(decision.calibrated(predictions.raw))
    return set_quality(predictions.truth, low, high)


def evaluate_referral(decision: Decision, predictions: LabelledPredictions) -> ReferralQuality:
    """Count which of these pictures are left to a person, and which far errors are not."""
    calibrated = decision.calibrated(predictions.raw)
    return referral_quality(predictions.truth, decision.grade(calibrated), decision.refer(calibrated))


MAX_WHO, MAX_WHY = 80, 300  # letters


def sign(point: OperatingPoint, who: str, why: str) -> OperatingPoint:
    """Return the same decisions as a new version, made now; overlong words are cut."""
    now = datetime.now(UTC).isoformat()
    return replace(point, made=now, who=_one_line(who)[:MAX_WHO], why=_one_line(why)[:MAX_WHY])


def with_decision(point: OperatingPoint, condition: str, decision: Decision, who: str, why: str) -> OperatingPoint:
    """Return a new version of the point, with another decision for one condition."""
    decisions = {**point.decisions, Condition(condition): decision}
    refused = {key: kappas for key, kappas in point.refused.items() if key != condition}
    return sign(replace(point, decisions=decisions, refused=refused), who, why)


def _one_line(text: str) -> str:
    return " ".join(text.split())


# Decision rules.


def _adjust(calibrated: Probabilities, prior: npt.ArrayLike, tau: float) -> Probabilities:
    if tau == 0:
        return calibrated
    weighted: Probabilities = calibrated * np.asarray(prior) ** -tau
    weighted /= weighted.sum(axis=-1, keepdims=True)
    return weighted


def _decide(probabilities: Probabilities, rule: str, cost: Cost = SQUARED_DISTANCE) -> Grades:
    """Decide the most probable grade, the median, or the grade of the least expected cost."""
    if rule == "argmax":
        grades: Grades = probabilities.argmax(axis=-1)
    elif rule == "median":
        # The tolerance: a half that float addition missed by a hair is a half.
        grades = (probabilities.cumsum(axis=-1) >= 0.5 - 1e-9).argmax(axis=-1)
    else:
        grades = (probabilities @ np.array(cost)).argmin(axis=-1)
    return grades


def _choose_rule(
    calibrated: Probabilities, truth: Grades, prior: npt.NDArray[np.float64], recall_floor: float
) -> tuple[str, float]:
    """Choose rule and tau on a grid: the gentlest of the best combinations, as `fit` explains.

    Only decisions whose kappa is above chance count. With a network that learned nothing every decision is worthless,
    and the search for recall would grade healthy heads as ill at random.
    """
    candidates = [(rule, tau) for tau in TAUS for rule in RULES]
    adjusted = {tau: _adjust(calibrated, prior, tau) for tau in TAUS}
    counts = np.stack([metrics.count(truth, _decide(adjusted[tau], rule)) for rule, tau in candidates])
    kappas, recalls = metrics.kappas(counts), metrics.worst_recalls(counts)
    # Unrelated grades have a kappa of 0 with a standard error of about 1 / √n (as a correlation: Fleiss & Cohen 1973).
    # Three of them, because the best of forty is looked at.
    above_chance = kappas > 3 / np.sqrt(len(truth))
    if not above_chance.any():
        return RULES[0], 0.0
    kept = above_chance & (recalls >= min(recall_floor, recalls[above_chance].max()) - 1e-9)
    best = kappas[kept].max()
    return candidates[int((kept & (kappas >= best - _SAME_KAPPA)).argmax())]


# Storage.


def as_json(point: OperatingPoint) -> dict[str, Any]:
    """Convert the point to values that JSON can hold."""
    decisions = {condition.value: asdict(decision) for condition, decision in point.decisions.items()}
    refused = {condition.value: kappas for condition, kappas in point.refused.items()}
    return asdict(point) | {"decisions": decisions, "refused": refused}


def from_json(values: Mapping[str, Any]) -> OperatingPoint:
    """Convert the values of `as_json` back.

    Raises:
        ValueError, LookupError, TypeError: the values are not a point.
    """
    decisions = {Condition(key): _decision_from(decision) for key, decision in values["decisions"].items()}
    # The shipped runs' points have none.
    refused = {
        Condition(key): (float(plain), float(reached)) for key, (plain, reached) in values.get("refused", {}).items()
    }
    return OperatingPoint(**{**values, "decisions": decisions, "refused": refused})


def _decision_from(values: Mapping[str, Any]) -> Decision:
    cost = values.get("cost", SQUARED_DISTANCE)  # the shipped runs' points have none
    tuples = {"shift": tuple(values["shift"]), "prior": tuple(values["prior"]), "cost": tuple(map(tuple, cost))}
    return Decision(**{**values, **tuples})
