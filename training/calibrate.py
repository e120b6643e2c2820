"""Fit operating point and gate of finished runs anew: `python -m training.calibrate RUN [RUN …]`. Trains nothing.

Pages and REST use the new ones at once; the previous operating point is kept beside the new one.
"""

import argparse
import sys
from collections.abc import Sequence

import pandas as pd

from scalp_core.labels import Condition
from scalp_core.metrics import calibration, grade_sets
from scalp_core.metrics import metrics as evaluate
from scalp_core.metrics.operating_point import MIN_IMAGES, Decision, evaluate_referral, fit, labelled_predictions
from scalp_core.runs.champions import logged_elections
from scalp_core.runs.run import Run
from scalp_core.runs.store import find_finished
from training.command_line import explained
from training.gate import fit_gate
from training.markdown import figure

# The calibration split flatters, as everything was fitted on it; nothing was fitted on the validation split.
_PARTS = ("calib", "valid")


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.calibrate", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="finished runs")
    parser.add_argument(
        "--recall-floor",
        type=_share,
        help="recall that the worst grade has to keep on the calibration split, 0–1 (default: as the recipe says)",
    )
    parser.add_argument(
        "--far-limit",
        type=_share,
        help="share of pictures, 0–1, that may be graded two or more grades wrong without being left to a person: "
        "answers say “refer” for the riskiest (default: as it is; 0: nothing is left to a person)",
    )
    parser.add_argument("--why", default="python -m training.calibrate", help="the occasion, kept with the point")
    options = parser.parse_args(arguments)
    for run in [_finished(name) for name in options.runs]:
        _calibrate(run, options.recall_floor, options.far_limit, options.why)
        fit_gate(run)
    return 0


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value <= 1:  # a comparison that NaN cannot pass
        raise argparse.ArgumentTypeError(f"“{text}” is not a number from 0 to 1")
    return value


def _finished(name: str) -> Run:
    """Return the run. Raise ScalpError if there is none, it has not finished, or its files are damaged."""
    run = find_finished(name)
    run.verify()
    return run


def _calibrate(run: Run, recall_floor: float | None, far_limit: float | None, why: str) -> None:
    before, limits = run.predictions, run.operating_point.far_limits
    if far_limit is not None:
        limits = dict.fromkeys(run.recipe.conditions, far_limit) if far_limit else {}
    floor = run.recipe.recall_floor if recall_floor is None else recall_floor
    point = fit(run.raw_predictions, floor, why, limits)
    with logged_elections():
        run.change_operating_point(lambda _: point)
    print(f"\n{run.id}: decided on the calibration split, worst-grade recall at least {floor:g}")
    after = run.predictions
    for condition in run.recipe.conditions:
        decision = point.decision(condition)
        if decision.far_limit is not None:
            print(f"{condition.code}: {_referral(run, decision, condition)}")
        if condition in point.refused:
            plain, fitted = point.refused[condition]
            print(
                f"{condition.code}: left as it was trained. With the fitted decision QWK on validation would fall from "
                f"{plain:.3f} to {fitted:.3f}."
            )
            continue
        if not decision.fitted:
            print(
                f"{condition.code}: left as it was trained. Fitting needs {MIN_IMAGES} labelled pictures, two grades."
            )
            continue
        print(f"{condition.code}: temperature {decision.temperature:.2f}, {decision.rule}, tau {decision.tau:g}")
        print(_table(before, after, condition).to_string(index=False))


def _referral(run: Run, decision: Decision, condition: Condition) -> str:
    """Return in words what is left to a person on the validation split."""
    quality = evaluate_referral(decision, labelled_predictions(run.raw_predictions, condition, "valid"))
    shares = (quality.referred_share, quality.unseen_share, quality.far_share)
    referred, unseen, far = (figure(share, ".1%") for share in shares)
    return (
        f"at most {decision.far_limit:.1%} unseen far errors; on validation {referred} are left to a person, and "
        f"{unseen} instead of {far} are far wrong and unseen"
    )


def _table(before: pd.DataFrame, after: pd.DataFrame, condition: Condition) -> pd.DataFrame:
    """Return a row a split: metrics with the previous → with the new point."""
    rows = []
    for part in _PARTS:
        was, now = _reached(before, condition, part), _reached(after, condition, part)
        sets = grade_sets.measure_sets(after, condition, part)
        changes = {name: f"{figure(was[name])} → {figure(now[name])}" for name in now}
        rows.append(
            {
                "part": part,
                "images": sets.images,
                **changes,
                "in set": f"{figure(sets.coverage, '.1%')} of {figure(sets.size, '.2f')}",
            }
        )
    return pd.DataFrame(rows)


def _reached(predictions: pd.DataFrame, condition: Condition, part: str) -> dict[str, float]:
    metrics = evaluate.measure(evaluate.confusion(predictions, condition, part))
    return {
        "QWK": metrics.quadratic_weighted_kappa,
        "worst recall": metrics.worst_grade_recall,
        "calibration error": calibration.expected_calibration_error(predictions, condition, part),
    }


if __name__ == "__main__":
    sys.exit(main())
