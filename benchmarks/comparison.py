"""`python -m benchmarks coverage | verdicts | compare`: whether the comparison of runs keeps what it promises,
and what it costs.

The first two draw simulated tables of which the truth is known (benchmarks.simulation) and count how often intervals
hold it and verdicts are wrong. The third measures seconds beside the straightforward way, a loop over scikit-learn.
"""

import argparse
import importlib
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

from benchmarks.measuring import machine, measured_apart, memory, write_json
from benchmarks.simulation import OWN, World, draw, error_for, shares_of, true_values
from scalp_core.labels import CONDITIONS, GRADES, Condition, find_condition
from scalp_core.metrics.alignment import AlignedPredictions, PartPredictions, align, arrange, cell_counts, confusion
from scalp_core.metrics.metrics import COUNTED, PROBABILITIES, ranked_probability_scores
from scalp_core.metrics.paired_comparison import Comparison, Verdict, compare

_AT_ONCE = len(CONDITIONS)  # repetitions in one comparison
_LEADING = "quadratic_weighted_kappa"
_NETWORKS = 5
_GAIN = 0.05  # of the better network, in quadratic weighted kappa
_IMAGES_OF_HEAD = 5
_PART = "test"


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
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
            help="whose shares of grades to draw (default value_5 value_1 value_2)",
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
            found = coverage(condition, groups, options.repetitions, options.replicates)
            rows += [{"condition": condition.code, "heads": groups, **row} for row in found]
    print("Share of 95% intervals that hold the truth, in SIMULATED tables of five pictures a head;", end=" ")
    _tell("coverage", rows, options)


def coverage(condition: Condition, groups: int, repetitions: int, replicates: int) -> list[dict[str, Any]]:
    """Of each metric: true value, share of intervals that hold it when heads are resampled and when pictures are, and
    share of intervals of the difference between two equally good networks that hold 0.
    """
    world = World(shares_of(condition), (OWN, OWN), _IMAGES_OF_HEAD)
    held: dict[str, list[tuple[bool, bool, bool]]] = {name: [] for name in COUNTED}
    for drawn, seed in _draws(world, groups, repetitions):
        by_head = _compared(drawn, replicates, seed)
        pictures = np.arange(len(drawn.images))
        by_picture = _compared(replace(drawn, groups=pictures), replicates, seed)
        for name, truth in true_values(world).items():
            held[name] += [
                (
                    _holds(by_head, name, one, truth),
                    _holds(by_picture, name, one, truth),
                    _no_difference(by_head, name, one),
                )
                for one in CONDITIONS
            ]
    shares = {name: np.mean(found, axis=0).tolist() for name, found in held.items()}
    return [
        {"metric": name, "truth": true_values(world)[name], "heads resampled": of_heads}
        | {"pictures resampled": of_pictures, "difference of two, heads": of_difference}
        for name, (of_heads, of_pictures, of_difference) in shares.items()
    ]


def _draws(world: World, groups: int, repetitions: int) -> Iterator[tuple[AlignedPredictions, int]]:
    """Tables with the seed of their resamples, each six repetitions."""
    generator = np.random.default_rng(groups)
    for number in range(max(1, repetitions // _AT_ONCE)):
        yield draw(world, groups, generator), number


def _compared(drawn: AlignedPredictions, replicates: int, seed: int) -> Comparison:
    return compare(drawn, {run: [run] for run in drawn.runs}, replicates, seed)


def _holds(found: Comparison, metric: str, condition: Condition, truth: float) -> bool:
    one = found.estimate(metric, found.sides[0], condition)
    return one.low <= truth <= one.high


def _no_difference(found: Comparison, metric: str, condition: Condition) -> bool:
    one = found.pairs(metric, condition).iloc[0]
    return not (one["low"] > 0 or one["high"] < 0)


# --- Verdicts -------------------------------------------------------------------------------------------------------


def _verdicts(options: argparse.Namespace) -> None:
    rows = []
    for condition in options.conditions:
        for groups in options.groups:
            print(f"{condition.code}, {groups} heads …", file=sys.stderr)
            found = verdicts(condition, groups, options.repetitions, options.replicates)
            rows.append({"condition": condition.code, "heads": groups, **found})
    print(
        f"Verdicts on {_NETWORKS} networks, in SIMULATED tables of five pictures a head. Silent: of equally good ones",
        end=" ",
    )
    print(f"none is called better or worse. Seen: one is truly better by {_GAIN} QWK, and is called better;", end=" ")
    _tell("verdicts", rows, options)


def verdicts(condition: Condition, groups: int, repetitions: int, replicates: int) -> dict[str, float]:
    """Shares of repetitions.

    Returns:
        By metric, “silent”: of five equal networks none is called better than another. “uncorrected”: none would be
        called so by p values of pairs below 0.05. Then, one of five being better: “seen” against each of the others on
        average and against all, “first”: it has the best value, “mistaken”: another is called better than it.
        “detectable”: by how much it would have to be better to be seen against another in half of the repetitions, and
        in four of five, as the comparison itself says on average.
    """
    world = World(shares_of(condition), (OWN,) * _NETWORKS, _IMAGES_OF_HEAD)
    metrics = ("quadratic_weighted_kappa", "average_mean_absolute_error", "worst_grade_recall", "accuracy")
    silent: dict[str, list[bool]] = {name: [] for name in (*(f"silent {name}" for name in metrics), "uncorrected")}
    for drawn, seed in _draws(world, groups, repetitions):
        found = _compared(drawn, replicates, seed)
        for one in CONDITIONS:
            for name in metrics:
                said = found.pairs(name, one)["verdict"]
                silent[f"silent {name}"].append(not said.isin((Verdict.BETTER, Verdict.WORSE)).any())
            silent["uncorrected"].append(not (found.pairs(_LEADING, one)["p"] < 0.05).any())
    return {name: float(np.mean(found)) for name, found in silent.items()} | _power(
        world, groups, repetitions, replicates
    )


def _power(world: World, groups: int, repetitions: int, replicates: int) -> dict[str, float]:
    uneven = replace(world, errors=(OWN, *(error_for(world, -_GAIN),) * (_NETWORKS - 1)))
    found: list[tuple[float, ...]] = []
    for drawn, seed in _draws(uneven, groups, repetitions):
        comparison = _compared(drawn, replicates, seed)
        better = comparison.sides[0]
        for one in CONDITIONS:
            pairs = comparison.pairs(_LEADING, one)
            said = pairs.loc[pairs["side"] == better, "verdict"]
            seen, mistaken = said == Verdict.BETTER, said == Verdict.WORSE
            first = comparison.best(_LEADING, one) == better
            shares = (float(seen.mean()), float(seen.all()), float(first), float(mistaken.any()))
            found.append((*shares, *comparison.detectable(_LEADING, one)))
    names = ("seen", "seen against all", "first", "mistaken", "detectable in half", "detectable in four of five")
    return dict(zip(names, np.mean(found, axis=0).tolist(), strict=True))


def _tell(benchmark: str, rows: list[dict[str, Any]], options: argparse.Namespace) -> None:
    print(f"{options.repetitions} repetitions of {options.replicates} resamples.")
    table = pd.DataFrame(rows).map(_number)
    print(table.T.to_string(header=False) if len(table) <= table.shape[1] else table.to_string(index=False))
    if options.json:
        asked = {"repetitions": options.repetitions, "replicates": options.replicates}
        write_json(options.json, {"benchmark": benchmark, "synthetic": True, **asked, "rows": rows})


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


# --- Seconds --------------------------------------------------------------------------------------------------------

_RUNS = 5
_REPLICATES = 2000
_PLAIN_SECONDS = 20.0  # the plain way gets no more than about so long, but one resample at least


def _compare(options: argparse.Namespace) -> None:
    found = [_in_own_process(images, options.repeats) for images in sorted(options.images)]
    figures = {"benchmark": "compare", "synthetic": True, "machine": machine(), "sizes": found}
    _print(figures)
    if options.json:
        write_json(options.json, figures)


def _in_own_process(images: int, repeats: int) -> dict[str, Any]:
    """Figures for one size: measured by a fresh process, so that its memory is all that size's."""
    print(f"{images:,} pictures …", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="scalp-benchmark-") as temporary:
        return measured_apart(Path(temporary), "compare-measure", str(images), "--repeats", str(repeats))


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
    found = {"images": options.images, "groups": comparison.groups, "seconds": seconds}
    found |= {"memory": {"before": before["resident"], "peak": peak}, "plain": plain_way(aligned, options.repeats)}
    write_json(options.json, found)


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
    """Five runs that are right two times in three, and say so with some doubt."""
    generator = np.random.default_rng(0)
    names = np.array([f"{number:07d}" for number in range(images)], dtype=object)
    shares = np.array([shares_of(condition) for condition in CONDITIONS])
    truth = (generator.random((len(CONDITIONS), images, 1)) > shares.cumsum(axis=1)[:, np.newaxis, :-1]).sum(axis=2)
    made = {}
    for number in range(_RUNS):
        grades = np.clip(truth + generator.choice((-1, 0, 0, 0, 0, 1), truth.shape), 0, 3).astype(np.int8)
        probabilities = 0.05 + 0.8 * np.eye(len(GRADES), dtype=np.float32)[grades]
        made[f"run {number}"] = PartPredictions(
            names, truth.astype(np.int8), grades, np.maximum(grades - 1, 0), np.minimum(grades + 1, 3), probabilities
        )
    return made


def _table(answers: PartPredictions) -> pd.DataFrame:
    """The table that a run keeps."""
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


def plain_way(aligned: AlignedPredictions, repeats: int) -> dict[str, Any] | None:
    """Seconds a replicate of the straightforward way; None where scikit-learn, which only tests need, is missing."""
    try:
        metrics = importlib.import_module("sklearn.metrics")
    except ImportError:
        return None
    rows_of = np.split(np.arange(len(aligned.groups)), np.flatnonzero(np.diff(aligned.groups)) + 1)
    generator, taken = np.random.default_rng(0), list[float]()
    while not taken or (sum(taken) < _PLAIN_SECONDS and len(taken) < repeats):
        start = time.perf_counter()
        rows = np.concatenate([rows_of[one] for one in generator.integers(0, len(rows_of), len(rows_of))])
        for run in range(len(aligned.runs)):
            for condition in range(len(aligned.conditions)):
                truth, grades = aligned.truth[condition, rows], aligned.grades[run, condition, rows]
                plain_metrics(metrics, truth, grades, aligned.probabilities[run, condition, rows])
        taken.append(time.perf_counter() - start)
    return {"replicates": len(taken), "seconds": median(taken)}


def plain_metrics(
    metrics: Any, truth: npt.NDArray[np.int8], grades: npt.NDArray[np.int8], probabilities: npt.NDArray[np.float32]
) -> dict[str, float]:
    """The ten metrics as one writes them down."""
    distance, labels = np.abs(truth.astype(np.int64) - grades), [int(grade) for grade in GRADES]
    occurring = np.unique(truth)
    clear, said_clear = truth >= 2, grades >= 2
    return {
        "quadratic_weighted_kappa": metrics.cohen_kappa_score(truth, grades, weights="quadratic", labels=labels),
        "average_mean_absolute_error": np.mean([distance[truth == grade].mean() for grade in occurring]),
        "worst_grade_recall": metrics.recall_score(truth, grades, labels=occurring, average=None).min(),
        "ranked_probability_score": ranked_probability_scores(probabilities, truth).mean(),
        "accuracy": metrics.accuracy_score(truth, grades),
        "macro_f1": metrics.f1_score(truth, grades, average="macro"),
        "within_one_accuracy": (distance <= 1).mean(),
        "far_error_share": (distance > 1).sum() / max(1, (distance > 0).sum()),
        "sensitivity": metrics.recall_score(clear, said_clear),
        "specificity": metrics.recall_score(~clear, ~said_clear),
    }


def _print(figures: dict[str, Any]) -> None:
    told = figures["machine"]
    print(
        f"Comparing {_RUNS} runs in {len(CONDITIONS)} conditions on SYNTHETIC answers, {_IMAGES_OF_HEAD} pictures",
        end=" ",
    )
    print(f"a head; {told['cores']} cores, Python {told['python']}, load {told['load']}. Seconds are medians.")
    columns = {f"{one['images']:,} pictures": _column(one) for one in figures["sizes"]}
    print(pd.DataFrame(columns).to_string(justify="right"))
    if any(one["plain"] is None for one in figures["sizes"]):
        print("scikit-learn is not installed (it is in tests/requirements.txt): no loop to compare with.")
        return
    print(f"The loop over scikit-learn is scaled to {_REPLICATES:,} resamples from those that it was run with.")


def _column(one: dict[str, Any]) -> dict[str, str]:
    seconds, plain = one["seconds"], one["plain"]
    rows = {"heads": f"{one['groups']:,}"}
    rows |= {f"{name}, s": f"{value:.3f}" for name, value in seconds.items()}
    rows |= {f"peak MiB, {name}": f"{value:.0f}" for name, value in one["memory"].items()}
    if plain is None:
        return rows
    whole = plain["seconds"] * _REPLICATES
    return rows | {
        "scikit-learn, resamples run": str(plain["replicates"]),
        "scikit-learn, s a resample": f"{plain['seconds']:.2f}",
        "scikit-learn, scaled, s": f"{whole:,.0f}",
        "  times as long as compare": f"{whole / seconds['compare']:,.0f}",
    }
