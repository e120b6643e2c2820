"""The operating point: how a run's probabilities become grades and grade sets. Fitted on the calibration part after
training and stored in the run. Knows no run, no file, no network.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import log_softmax, softmax

from scalp_core import evaluate
from scalp_core.evaluate import PROBABILITIES
from scalp_core.labels import GRADES, Condition

Grades = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float64]
PerGrade = tuple[float, float, float, float]

PART = "calib"
COVERAGE = 0.9  # of the grade sets
RULES = ("argmax", "median", "expected_cost")  # the simplest first
TAUS = tuple(float(tau) for tau in np.arange(13) / 8)  # 0 … 1.5
RECALL_FLOOR = 0.2
# Below this nothing can be fitted that holds for other pictures.
MIN_IMAGES = 30
# Kappas this near are the same: the gentler decision is taken, which has less of the calibration part in it.
_HAIR = 0.005
_LEAST = 1e-12  # probability: its logarithm has to be finite
_N = len(GRADES)
_COST = np.square(np.subtract.outer(np.arange(_N), np.arange(_N))).astype(np.float64)


@dataclass(frozen=True)
class Decision:
    """How one condition's probabilities become a grade. As it stands, the most probable grade is decided.

    Attributes:
        temperature: divides the logits; above 1 the network was too sure of itself.
        shift: added to the logits of the four grades: corrects a prior that balanced training has moved.
            (Bias-corrected temperature scaling: Alexandari, Kundaje & Shrikumar 2020.)
        rule: one of RULES.
        tau: strength of the logit adjustment p · prior^-tau in favour of rare grades (Menon et al. 2021); 0 = none.
        prior: shares of the four grades in the calibration part, smoothed.
        set_threshold: mass up to which a grade set grows (see `grade_set`); 1 = always all four grades.
        images: labelled pictures that it was fitted on; 0 = not fitted.
        quadratic_weighted_kappa: what it reached on them.
        worst_grade_recall: likewise.
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

    def __post_init__(self) -> None:
        if self.rule not in RULES or not self.temperature > 0 or len(self.shift) != _N or min(self.prior) <= 0:
            raise ValueError(f"not a decision: {self}")

    @property
    def fitted(self) -> bool:
        """Its probabilities are calibrated and its grade sets keep what COVERAGE promises."""
        return self.images > 0

    def calibrated(self, probabilities: npt.ArrayLike) -> Probabilities:
        """softmax(log p / temperature + shift) of a network's probabilities (…, 4)."""
        raw = np.asarray(probabilities, dtype=np.float64)
        if self.temperature == 1 and not any(self.shift):
            return raw  # to the bit what the network said
        return _calibrated(raw, self.temperature, np.array(self.shift))

    def grade(self, calibrated: npt.ArrayLike) -> Grades:
        """The decided grades (…) of calibrated probabilities (…, 4). The only place where they are decided."""
        adjusted = _adjusted(np.asarray(calibrated, dtype=np.float64), self.prior, self.tau)
        return _decide(adjusted, self.rule)

    def grade_set(self, calibrated: npt.ArrayLike) -> tuple[Grades, Grades]:
        """Lowest and highest grade of contiguous sets that hold the truth in 90 of 100 pictures; both (…).

        A set begins with the decided grade and takes in the more probable neighbour as long as its mass has not passed
        `set_threshold` (ordinal adaptive prediction sets: Lu, Angelopoulos & Pomerantz 2022). A decision that was not
        fitted promises nothing: its sets hold all four grades, and nobody should be shown them (see `fitted`).
        """
        probabilities = np.asarray(calibrated, dtype=np.float64)
        inside = _mass_before(probabilities, self.grade(probabilities)) <= self.set_threshold
        return inside.argmax(axis=-1), _N - 1 - inside[..., ::-1].argmax(axis=-1)


@dataclass(frozen=True)
class OperatingPoint:
    """The decisions of all conditions of a run.

    Attributes:
        decisions: of those conditions that could be fitted.
        recall_floor: worst-grade recall that was asked for.
        made: UTC, ISO 8601; empty when nothing was ever fitted.
        why: the occasion, in words.
    """

    decisions: Mapping[Condition, Decision] = field(default_factory=dict)
    recall_floor: float = RECALL_FLOOR
    made: str = ""
    why: str = ""

    @property
    def fitted(self) -> bool:
        """At least one condition was."""
        return any(decision.fitted for decision in self.decisions.values())

    def decision(self, condition: str) -> Decision:
        """The plain one for conditions that were not fitted."""
        return self.decisions.get(Condition(condition), Decision())

    def apply(self, raw: pd.DataFrame) -> pd.DataFrame:
        """A network's prediction table with calibrated p0 … p3 (float64) and what is decided: grade, low, high (Int8).

        low and high are missing where the condition was not fitted.
        """
        table = raw.reset_index(drop=True)
        probabilities = table[PROBABILITIES].to_numpy(dtype=np.float64, copy=True)
        grades = np.zeros(len(table), dtype=np.int64)
        low, high, promised = grades.copy(), grades.copy(), np.zeros(len(table), dtype=bool)
        for condition, rows in table.groupby("condition", sort=False, observed=True).indices.items():
            decision = self.decision(str(condition))
            probabilities[rows] = decision.calibrated(probabilities[rows])
            grades[rows] = decision.grade(probabilities[rows])
            low[rows], high[rows] = decision.grade_set(probabilities[rows])
            promised[rows] = decision.fitted
        table[PROBABILITIES] = probabilities
        table["grade"] = pd.array(grades, dtype="Int8")
        table["low"] = pd.Series(low, dtype="Int8").where(promised)
        table["high"] = pd.Series(high, dtype="Int8").where(promised)
        return table


def fit(raw: pd.DataFrame, recall_floor: float = RECALL_FLOOR, why: str = "") -> OperatingPoint:
    """Fit every condition on the labelled pictures of the calibration part, and on nothing else.

    First temperature and shift by likelihood; then rule and tau by quadratic weighted kappa among those that keep the
    floor; then the threshold of the sets. Conditions with too few labelled pictures or a single grade are left plain;
    those in which no decision is better than chance are calibrated, but the most probable grade stays the decision.

    Args:
        raw: a prediction table with the network's own probabilities: condition, part, truth, p0 … p3.
        recall_floor: recall that the grade recognised least must reach. Where no decision does, the one that comes
            nearest is taken.
    """
    rows = raw[(raw["part"] == PART) & raw["truth"].notna()]
    decisions = {
        Condition(str(condition)): _fit_decision(
            one[PROBABILITIES].to_numpy(dtype=np.float64), one["truth"].to_numpy(dtype=np.int64), recall_floor
        )
        for condition, one in rows.groupby("condition", sort=False, observed=True)
        if len(one) >= MIN_IMAGES and one["truth"].nunique() > 1
    }
    return OperatingPoint(decisions, recall_floor, datetime.now(UTC).isoformat(), why)


def _fit_decision(raw: Probabilities, truth: Grades, recall_floor: float) -> Decision:
    temperature, shift = _fit_calibration(raw, truth)
    calibrated = _calibrated(raw, temperature, shift)
    prior = (np.bincount(truth, minlength=_N) + 1) / (len(truth) + _N)
    rule, tau = _choose_rule(calibrated, truth, prior, recall_floor)
    grades = _decide(_adjusted(calibrated, prior, tau), rule)
    reached = evaluate.measure(evaluate.count(truth, grades))
    return Decision(
        temperature=temperature,
        shift=per_grade(shift),
        rule=rule,
        tau=tau,
        prior=per_grade(prior),
        set_threshold=_fit_set_threshold(calibrated, grades, truth),
        images=len(truth),
        quadratic_weighted_kappa=reached.quadratic_weighted_kappa,
        worst_grade_recall=reached.worst_grade_recall,
    )


def per_grade(values: npt.NDArray[np.float64]) -> PerGrade:
    """Four numbers of an array (4,) as a value of its own."""
    first, second, third, fourth = (float(value) for value in values)
    return first, second, third, fourth


# Calibration.


def _calibrated(raw: Probabilities, temperature: float, shift: npt.NDArray[np.float64]) -> Probabilities:
    result: Probabilities = softmax(np.log(raw.clip(_LEAST)) / temperature + shift, axis=-1)
    return result


def _fit_calibration(raw: Probabilities, truth: Grades) -> tuple[float, npt.NDArray[np.float64]]:
    """Temperature and shift (4,) of the greatest posterior.

    The logarithm of the temperature and the shifts have a normal prior of variance 1. Beside hundreds of pictures that
    is nothing: it pulls at a shift of s as s pictures would. But a rare grade has three, or none: its likelihood alone
    would send the shift to minus infinity, and the grade would be dead for good.
    """
    # Pages and answers apply what was fitted and never fit: they need not wait for it.
    from scipy.optimize import minimize

    logarithms, labels = np.log(raw.clip(_LEAST)), np.eye(_N)[truth]

    def loss(values: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        scaled = logarithms * np.exp(-values[0])
        logs = log_softmax(scaled + values[1:], axis=1)
        residuals = np.exp(logs) - labels
        slope = np.concatenate([[-(residuals * scaled).sum()], residuals.sum(axis=0)])
        return float(-(labels * logs).sum() + values @ values / 2), slope + values

    found = minimize(loss, np.zeros(1 + _N), jac=True, method="L-BFGS-B").x
    return float(np.exp(found[0])), found[1:]


# The decision.


def _adjusted(calibrated: Probabilities, prior: npt.ArrayLike, tau: float) -> Probabilities:
    if tau == 0:
        return calibrated
    weighed: Probabilities = calibrated * np.asarray(prior) ** -tau
    weighed /= weighed.sum(axis=-1, keepdims=True)
    return weighed


def _decide(probabilities: Probabilities, rule: str) -> Grades:
    """The most probable grade, the median, or the grade of the least expected squared distance."""
    if rule == "argmax":
        grades: Grades = probabilities.argmax(axis=-1)
    elif rule == "median":
        # The tolerance: a half that float addition missed by a hair is a half.
        grades = (probabilities.cumsum(axis=-1) >= 0.5 - 1e-9).argmax(axis=-1)
    else:
        grades = (probabilities @ _COST).argmin(axis=-1)
    return grades


def _choose_rule(
    calibrated: Probabilities, truth: Grades, prior: npt.NDArray[np.float64], recall_floor: float
) -> tuple[str, float]:
    """Rule and tau, of all combinations on a grid: the gentlest of those that are best, which `fit` explains.

    Only decisions whose kappa is above chance count. Of a network that learned nothing every decision is worthless, and
    the search for recall would name healthy heads ill at random.
    """
    candidates = [(rule, tau) for tau in TAUS for rule in RULES]
    adjusted = {tau: _adjusted(calibrated, prior, tau) for tau in TAUS}
    counts = np.stack([evaluate.count(truth, _decide(adjusted[tau], rule)) for rule, tau in candidates])
    kappas, recalls = evaluate.kappas(counts), evaluate.worst_recalls(counts)
    # Unrelated grades have a kappa of 0 with a standard error of about 1 / √n (as a correlation: Fleiss & Cohen 1973).
    # Three of them, because the best of forty is looked at.
    above_chance = kappas > 3 / np.sqrt(len(truth))
    if not above_chance.any():
        return RULES[0], 0.0
    kept = above_chance & (recalls >= min(recall_floor, recalls[above_chance].max()) - 1e-9)
    best = kappas[kept].max()
    return candidates[int((kept & (kappas >= best - _HAIR)).argmax())]


# Grade sets.


def _mass_before(probabilities: Probabilities, grades: Grades) -> Probabilities:
    """Mass that the set growing from `grades` (…) has gathered before each grade enters it: (…, 4), 0 for the first."""
    flat, low = probabilities.reshape(-1, _N), grades.reshape(-1).copy()
    rows, high = np.arange(len(flat)), low.copy()
    mass, before = flat[rows, low], np.zeros(flat.shape)
    fenced = np.pad(flat, ((0, 0), (1, 1)), constant_values=-1.0)  # no neighbour: less probable than any
    for _ in range(_N - 1):
        down = fenced[rows, low] >= fenced[rows, high + 2]
        low, high = low - down, high + ~down
        entered = np.where(down, low, high)
        before[rows, entered] = mass.clip(max=1.0)
        mass = mass + flat[rows, entered]
    return before.reshape(probabilities.shape)


def _fit_set_threshold(calibrated: Probabilities, grades: Grades, truth: Grades) -> float:
    """The ⌈(n + 1) · COVERAGE⌉-th smallest of the masses before the true grades enter (split conformal prediction).

    Source: Vovk, Gammerman & Shafer 2005; for sets grown by probability, Romano, Sesia & Candès 2020. Temperature and
    rule were fitted to the same pictures, which strictly voids the guarantee; they have too few parameters for the
    coverage to lose more than a hundredth, even with forty pictures.
    """
    masses = np.take_along_axis(_mass_before(calibrated, grades), truth[:, np.newaxis], axis=1)[:, 0]
    place = int(np.ceil((len(masses) + 1) * COVERAGE))
    return float(np.sort(masses)[place - 1]) if place <= len(masses) else 1.0


# As it is stored.


def as_json(point: OperatingPoint) -> dict[str, Any]:
    """The point as JSON can hold it."""
    decisions = {condition.value: asdict(decision) for condition, decision in point.decisions.items()}
    return asdict(point) | {"decisions": decisions}


def from_json(values: Mapping[str, Any]) -> OperatingPoint:
    """What `as_json` gave.

    Raises:
        ValueError, LookupError, TypeError: the values are not a point.
    """
    decisions = {
        Condition(key): Decision(**one | {"shift": tuple(one["shift"]), "prior": tuple(one["prior"])})
        for key, one in values["decisions"].items()
    }
    return OperatingPoint(**{**values, "decisions": decisions})
