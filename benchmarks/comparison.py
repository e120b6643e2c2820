"""`python -m benchmarks coverage | verdicts | compare`: correctness and cost of the comparison of runs.

The first two simulate tables with a known truth (benchmarks.simulation) and count how often intervals hold it and
verdicts are wrong. The third measures seconds beside the straightforward way, a loop over scikit-learn.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.measuring import Commands, machine, measure_apart, memory, write_json
from benchmarks.simulation import OWN, World, draw, error_for, shares_of, true_values
from scalp_core.labels import CONDITIONS, GRADES, Condition, find_condition
from scalp_core.metrics.alignment import AlignedPredictions, PartPredictions, align, arrange, cell_counts, confusion
from scalp_core.metrics.bootstrap import CONFIDENCE
from scalp_core.metrics.metrics import COUNTED, PROBABILITIES, ranked_probability_scores
from scalp_core.metrics.paired_comparison import Comparison, compare
from scalp_core.metrics.verdict import Verdict

_AT_ONCE = len(CONDITIONS)  # repetitions in one comparison
_LEADING = "quadratic_weighted_kappa"
_NETWORKS = 5
_GAIN = 0.05  # of the better network, in quadratic weighted kappa
_IMAGES_OF_HEAD = 5
_PART = "test"


def add_commands(commands: Commands) -> None:
    """Add the three commands and the one that they start."""
    coverage = commands.add_parser("coverage", help="how often 95 %% intervals hold the truth, in simulations")
    coverage.set_defaults(command=_coverage)
    verdicts = commands.add_parser("verdicts", help="how often verdicts are wrong, and how often they see a difference")
    verdicts.set_defaults(command=_verdicts)
    for parser, groups in ((coverage, (76, 150, 400)), (verdicts, (60, 80, 150, 400))):
        parser.add_argument("--groups", type=int, nargs="+", default=groups, help=f"heads (default {groups})")
        parser.add_argument(
            "--conditions",
            nargs="+",
            type=find_condition,
            default=[Condition.DANDRUFF, Condition.FINE_SCALING, Condition.EXCESS_SEBUM],
            help="whose shares of grades to simulate (default value_5 value_1 value_2)",
        )
        parser.add_argument("--repetitions", type=int, default=600, help="of each (default 600)")
        parser.add_argument("--replicates", type=int, default=2000, help="of the bootstrap (default 2000)")
        parser.add_argument("--json", type=Path, help="write the figures to this file as well")

    costs = commands.add_parser("compare", help="seconds of a comparison of five runs, beside a scikit-learn loop")
    costs.add_argument("--images", type=int, nargs="+", default=(10_000, 100_000, 1_000_000), help="sizes")
    costs.add_argument("--repeats", type=int, default=5, help="of everything; medians count (default 5)")
    costs.add_argument("--json", type=Path, help="write the figures to this file as well")
    costs.set_defaults(command=_compare)

    # Started by the one above, once for every size.
    inner = commands.add_parser("compare-measure")
    inner.add_argument("images", type=int)
    inner.add_argument("--repeats", type=int, required=True)
    inner.add_argument("--json", type=Path, required=True)
    inner.set_defaults(command=_measure)


# --- Intervals ------------------------------------------------------------------------------------------------------


def _coverage(options: argparse.Namespace) -> None:
    rows = []
    for condition in options.conditions:
        for groups in options.groups:
            print(f"{condition.code}, {groups} heads …", file=sys.stderr)
            shares = coverage(condition, groups, options.repetitions, options.replicates)
            rows += [{"condition": condition.code, "heads": groups, **row} for row in shares]
    print(f"Share of {CONFIDENCE} intervals that hold the truth, in SIMULATED tables of five pictures a head;", end=" ")
    _report("coverage", rows, options)


def coverage(condition: Condition, groups: int, repetitions: int, replicates: int) -> list[dict[str, Any]]:
    """Count the coverage of 95 % intervals.

    Returns:
        A row a metric: true value, share of intervals that hold it when heads are resampled and when pictures are, and
        share of intervals of the difference between two equally good networks that hold 0.
    """
    world = World(shares_of(condition), (OWN, OWN), _IMAGES_OF_HEAD)
    held: dict[str, list[tuple[bool, bool, bool]]] = {name: [] for name in COUNTED}
    for simulated, seed in _simulations(world, groups, repetitions):
        by_head = _compared(simulated, replicates, seed)
        pictures = np.arange(len(simulated.images))
        by_picture = _compared(replace(simulated, groups=pictures), replicates, seed)
        for name, truth in true_values(world).items():
            held[name] += [
                (
                    _holds(by_head, name, repetition, truth),
                    _holds(by_picture, name, repetition, truth),
                    _no_difference(by_head, name, repetition),
                )
                for repetition in CONDITIONS
            ]
    shares = {name: np.mean(outcomes, axis=0).tolist() for name, outcomes in held.items()}
    return [
        {"metric": name, "truth": true_values(world)[name], "heads resampled": of_heads}
        | {"pictures resampled": of_pictures, "difference of two, heads": of_difference}
        for name, (of_heads, of_pictures, of_difference) in shares.items()
    ]


def _simulations(world: World, groups: int, repetitions: int) -> Iterator[tuple[AlignedPredictions, int]]:
    """Yield tables with the seed of their resamples, each six repetitions."""
    generator = np.random.default_rng(groups)
    for number in range(max(1, repetitions // _AT_ONCE)):
        yield draw(world, groups, generator), number


def _compared(simulated: AlignedPredictions, replicates: int, seed: int) -> Comparison:
    return compare(simulated, {run: [run] for run in simulated.runs}, replicates, seed)


def _holds(comparison: Comparison, metric: str, condition: Condition, truth: float) -> bool:
    estimate = comparison.estimate(metric, comparison.models[0], condition)
    return estimate.low <= truth <= estimate.high


def _no_difference(comparison: Comparison, metric: str, condition: Condition) -> bool:
    pair = comparison.pairs(metric, condition).iloc[0]
    return not (pair["low"] > 0 or pair["high"] < 0)


# --- Verdicts -------------------------------------------------------------------------------------------------------


def _verdicts(options: argparse.Namespace) -> None:
    rows = []
    for condition in options.conditions:
        for groups in options.groups:
            print(f"{condition.code}, {groups} heads …", file=sys.stderr)
            shares = verdicts(condition, groups, options.repetitions, options.replicates)
            rows.append({"condition": condition.code, "heads": groups, **shares})
    print(
        f"Verdicts on {_NETWORKS} networks, in SIMULATED tables of five pictures a head. Silent: of equally good ones",
        end=" ",
    )
    print(f"none is called better or worse. Seen: one is truly better by {_GAIN} QWK, and is called better;", end=" ")
    _report("verdicts", rows, options)


def verdicts(condition: Condition, groups: int, repetitions: int, replicates: int) -> dict[str, float]:
    """Count right and wrong verdicts.

    Returns:
        Shares of repetitions. By metric, “silent”: of five equal networks none is called better than another.
        “uncorrected”: none would be called so by p values of pairs below 0.05. Then, one of five being better: “seen”
        against each of the others on average and against all, “first”: it has the best value, “mistaken”: another is
        called better than it. “detectable”: by how much it would have to be better to be seen against another in half
        of the repetitions, and in four of five, as the comparison itself says on average.
    """
    world = World(shares_of(condition), (OWN,) * _NETWORKS, _IMAGES_OF_HEAD)
    metrics = ("quadratic_weighted_kappa", "average_mean_absolute_error", "worst_grade_recall", "accuracy")
    silent: dict[str, list[bool]] = {name: [] for name in (*(f"silent {name}" for name in metrics), "uncorrected")}
    for simulated, seed in _simulations(world, groups, repetitions):
        comparison = _compared(simulated, replicates, seed)
        for repetition in CONDITIONS:
            for name in metrics:
                verdict = comparison.pairs(name, repetition)["verdict"]
                silent[f"silent {name}"].append(not verdict.isin((Verdict.BETTER, Verdict.WORSE)).any())
            silent["uncorrected"].append(not (comparison.pairs(_LEADING, repetition)["p"] < 0.05).any())
    power = _power(world, groups, repetitions, replicates)
    return {name: float(np.mean(outcomes)) for name, outcomes in silent.items()} | power


def _power(world: World, groups: int, repetitions: int, replicates: int) -> dict[str, float]:
    uneven = replace(world, errors=(OWN, *(error_for(world, -_GAIN),) * (_NETWORKS - 1)))
    outcomes: list[tuple[float, ...]] = []
    for simulated, seed in _simulations(uneven, groups, repetitions):
        comparison = _compared(simulated, replicates, seed)
        better = comparison.models[0]
        for repetition in CONDITIONS:
            pairs = comparison.pairs(_LEADING, repetition)
            verdicts_on_better = pairs.loc[pairs["model"] == better, "verdict"]
            seen, mistaken = verdicts_on_better == Verdict.BETTER, verdicts_on_better == Verdict.WORSE
            first = comparison.best(_LEADING, repetition) == better
            shares = (float(seen.mean()), float(seen.all()), float(first), float(mistaken.any()))
            outcomes.append((*shares, *comparison.detectable(_LEADING, repetition)))
    names = ("seen", "seen against all", "first", "mistaken", "detectable in half", "detectable in four of five")
    return dict(zip(names, np.mean(outcomes, axis=0).tolist(), strict=True))


def _report(benchmark: str, rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    print(f"{options.repetitions} repetitions of {options.replicates} resamples.")
    table = pd.DataFrame(rows).map(_number)
    print(table.T.to_string(header=False) if len(table) <= table.shape[1] else table.to_string(index=False))
    if options.json:
        settings = {"repetitions": options.repetitions, "replicates": options.replicates}
        write_json(options.json, {"benchmark": benchmark, "synthetic": True, **settings, "rows": rows})


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


# --- Seconds --------------------------------------------------------------------------------------------------------

_RUNS = 5
_REPLICATES = 2000
_PLAIN_SECONDS = 20.0  # the plain way gets no more than about so long, but one resample at least


def _compare(options: argparse.Namespace) -> None:
    sizes = [_in_own_process(images, options.repeats) for images in sorted(options.images)]
    figures = {"benchmark": "compare", "synthetic": True, "machine": machine(), "sizes": sizes}
    _print(figures)
    if options.json:
        write_json(options.json, figures)


def _in_own_process(images: int, repeats: int) -> dict[str, Any]:
    """Measure one size in a fresh process, so that its memory is all that size's."""
    print(f"{images:,} pictures …", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="scalp-benchmark-") as temporary:
        return measure_apart(Path(temporary), "compare-measure", str(images), "--repeats", str(repeats))


def _measure(options: argparse.Namespace) -> None:
    answers = _answers(options.images)
    first = next(iter(answers.values()))
    table, captures = _table(first), {image: place // _IMAGES_OF_HEAD for place, image in enumerate(first.images)}
    aligned = align(answers, captures)
    sides = {run: [run] for run in aligned.runs}
    ways: dict[str, Callable[[], object]] = {
        "arrange a run": lambda: arrange(table, _PART),
        "line up": lambda: align(answers, captures),
        "matrices": lambda: confusion(aligned),
        "counts by head": lambda: cell_counts(aligned),
        "compare": lambda: compare(aligned, sides, _REPLICATES),
    }
    before = memory()
    comparison = compare(aligned, sides, _REPLICATES)
    ways["every pair, all metrics and conditions"] = lambda: _every_pair(comparison)
    taken = {name: _seconds(way, options.repeats) for name, way in ways.items()}
    seconds = {name: median(times) for name, times in taken.items()} | {"compare, fastest": min(taken["compare"])}
    peak = memory()["peak"]  # before the plain way
    figures = {"images": options.images, "groups": comparison.groups, "seconds": seconds}
    figures |= {"memory": {"before": before["resident"], "peak": peak}, "plain": plain_way(aligned, options.repeats)}
    write_json(options.json, figures)


def _seconds(way: Callable[[], object], repeats: int) -> list[float]:
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        way()
        taken.append(time.perf_counter() - start)
    return taken


def _every_pair(comparison: Comparison) -> None:
    for name in comparison.of_runs:
        for condition in comparison.conditions:
            comparison.pairs(name, condition)


def _answers(images: int) -> dict[str, PartPredictions]:
    """Simulate five runs that are right two times in three, with some doubt."""
    generator = np.random.default_rng(0)
    names = np.array([f"{number:07d}" for number in range(images)], dtype=object)
    shares = np.array([shares_of(condition) for condition in CONDITIONS])
    truth = (generator.random((len(CONDITIONS), images, 1)) > shares.cumsum(axis=1)[:, np.newaxis, :-1]).sum(axis=2)
    predictions = {}
    for number in range(_RUNS):
        grades = np.clip(truth + generator.choice((-1, 0, 0, 0, 0, 1), truth.shape), 0, 3).astype(np.int8)
        probabilities = 0.05 + 0.8 * np.eye(len(GRADES), dtype=np.float32)[grades]
        predictions[f"run {number}"] = PartPredictions(
            names, truth.astype(np.int8), grades, np.maximum(grades - 1, 0), np.minimum(grades + 1, 3), probabilities
        )
    return predictions


def _table(answers: PartPredictions) -> pd.DataFrame:
    """Return the prediction table of a run with these answers."""
    conditions, images = answers.truth.shape
    columns = {name: getattr(answers, name).ravel() for name in ("truth", "low", "high")}
    return pd.DataFrame(
        {
            "image": np.tile(answers.images, conditions),
            "condition": np.repeat([condition.value for condition in CONDITIONS], images),
            "part": _PART,
            **{name: pd.array(values, dtype="Int8") for name, values in columns.items()},
            "grade": pd.array(answers.grades.ravel(), dtype="Int8"),
            **dict(zip(PROBABILITIES, answers.probabilities.reshape(-1, len(GRADES)).T, strict=True)),
        }
    )


def plain_way(aligned: AlignedPredictions, repeats: int) -> dict[str, Any]:
    """Measure the seconds of the straightforward way a replicate."""
    from sklearn import metrics  # not before ours is measured: it takes memory

    rows_of = np.split(np.arange(len(aligned.groups)), np.flatnonzero(np.diff(aligned.groups)) + 1)
    generator, taken = np.random.default_rng(0), list[float]()
    while not taken or (sum(taken) < _PLAIN_SECONDS and len(taken) < repeats):
        start = time.perf_counter()
        rows = np.concatenate([rows_of[group] for group in generator.integers(0, len(rows_of), len(rows_of))])
        for run in range(len(aligned.runs)):
            for condition in range(len(aligned.conditions)):
                truth, grades = aligned.truth[condition, rows], aligned.grades[run, condition, rows]
                plain_metrics(metrics, truth, grades, aligned.probabilities[run, condition, rows])
        taken.append(time.perf_counter() - start)
    return {"replicates": len(taken), "seconds": median(taken)}


def plain_metrics(
    metrics: Any, truth: npt.NDArray[np.int8], grades: npt.NDArray[np.int8], probabilities: npt.NDArray[np.float32]
) -> dict[str, float]:
    """Compute the ten metrics with scikit-learn."""
    distance, labels = np.abs(truth.astype(np.int64) - grades), [int(grade) for grade in GRADES]
    occurring = np.unique(truth)
    clear, predicted_clear = truth >= 2, grades >= 2
    return {
        "quadratic_weighted_kappa": metrics.cohen_kappa_score(truth, grades, weights="quadratic", labels=labels),
        "average_mean_absolute_error": np.mean([distance[truth == grade].mean() for grade in occurring]),
        "worst_grade_recall": metrics.recall_score(truth, grades, labels=occurring, average=None).min(),
        "ranked_probability_score": ranked_probability_scores(probabilities, truth).mean(),
        "accuracy": metrics.accuracy_score(truth, grades),
        "macro_f1": metrics.f1_score(truth, grades, average="macro"),
        "within_one_accuracy": (distance <= 1).mean(),
        "far_error_share": (distance > 1).sum() / max(1, (distance > 0).sum()),
        "sensitivity": metrics.recall_score(clear, predicted_clear),
        "specificity": metrics.recall_score(~clear, ~predicted_clear),
    }


def _print(figures: dict[str, Any]) -> None:
    computer = figures["machine"]
    print(
        f"Comparing {_RUNS} runs in {len(CONDITIONS)} conditions on SYNTHETIC answers, {_IMAGES_OF_HEAD} pictures",
        end=" ",
    )
    print(
        f"a head; {computer['cores']} cores, Python {computer['python']}, load {computer['load']}. Seconds are medians."
    )
    columns = {f"{size['images']:,} pictures": _column(size) for size in figures["sizes"]}
    print(pd.DataFrame(columns).to_string(justify="right"))
    print(f"The loop over scikit-learn is scaled to {_REPLICATES:,} resamples from those that it was run with.")


def _column(size: dict[str, Any]) -> dict[str, str]:
    seconds, plain = size["seconds"], size["plain"]
    rows = {"heads": f"{size['groups']:,}"}
    rows |= {f"{name}, s": f"{value:.3f}" for name, value in seconds.items()}
    rows |= {f"peak MiB, {name}": f"{value:.0f}" for name, value in size["memory"].items()}
    whole = plain["seconds"] * _REPLICATES
    return rows | {
        "scikit-learn, resamples run": str(plain["replicates"]),
        "scikit-learn, s a resample": f"{plain['seconds']:.2f}",
        "scikit-learn, scaled, s": f"{whole:,.0f}",
        "  times as long as compare": f"{whole / seconds['compare']:,.0f}",
    }
