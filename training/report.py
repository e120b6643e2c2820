"""Metrics and confusion matrices of finished runs: `python -m training.report [--data NAME] [--json | --markdown]`; a
whole comparison, to print and to keep: `python -m training.report --html FILE --data NAME`.
"""

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd

from scalp_core import terms
from scalp_core.data.dataset import Dataset, open_dataset
from scalp_core.errors import ScalpError, Text
from scalp_core.evaluation.comparison import ExcludedRun, Model, list_candidates, without_partial
from scalp_core.inference import session
from scalp_core.labels import CONDITIONS, Condition
from scalp_core.metrics import calibration, grade_sets, metrics
from scalp_core.metrics.alignment import align, arrange
from scalp_core.metrics.bootstrap import CONFIDENCE
from scalp_core.metrics.grade_sets import COVERAGE
from scalp_core.metrics.operating_point import OperatingPoint
from scalp_core.metrics.paired_comparison import Comparison, compare
from scalp_core.reports.json_report import json_report
from scalp_core.runs.ancestry import MARK, Overlap, judging_dataset, overlap_of
from scalp_core.runs.champions import judged_on
from scalp_core.runs.election import run_report
from scalp_core.runs.evaluations import EvaluatedRun, evaluated_runs, evaluation_notes
from scalp_core.runs.external import ExternalRun, external_runs
from scalp_core.runs.run import Run
from scalp_core.runs.store import find_run, finished_runs
from scalp_core.synthetic.label_noise import ceiling
from training.command_line import explained
from training.markdown import figure, interval, markdown_table

_COLUMNS = {
    "quadratic_weighted_kappa": "QWK",
    "average_mean_absolute_error": "AMAE",
    "worst_grade_recall": "worst recall",
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
}


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if (options.markdown or options.html) and not options.data:
        parser.error("--markdown and --html need --data")
    if options.runs and not options.html:
        parser.error("--runs goes with --html")
    if options.part and not (options.json or options.html):
        parser.error("--part goes with --json and --html")
    return _report(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.report", description=__doc__)
    parser.add_argument("--data", help="only runs that were judged on the pictures of this dataset")
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json",
        action="store_true",
        help="for programs: every metric with its interval, every pair of models, confusion matrices",
    )
    form.add_argument("--markdown", action="store_true", help="the tables of docs/results.md: needs --data")
    form.add_argument("--html", type=Path, metavar="FILE", help="the whole comparison with its figures: needs --data")
    parser.add_argument(
        "--part", choices=("test", "valid", "calib"), help="judged on, with --json and --html (default: test)"
    )
    html = parser.add_argument_group("with --html")
    html.add_argument("--runs", nargs="+", metavar="ID", help="only these (default: all that can be compared)")
    html.add_argument("--language", choices=("en", "ko"), default="en")
    return parser


def _report(options: argparse.Namespace) -> int:
    dataset = open_dataset(options.data) if options.data else None
    runs = judged_on(dataset) if dataset else finished_runs()
    if dataset and not options.markdown:  # whose tables are of one set of pictures, and theirs may be fewer
        runs += [*evaluated_runs(dataset)[0], *external_runs(dataset)[0]]
    if not runs:
        print("No finished run to report on. Train one with: python -m training.train", file=sys.stderr)
        return 1
    if options.json:
        document = json_report(runs, options.part or "test")
        print(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1))
    elif options.html and dataset:
        _write_html(options.html, dataset, options.part or "test", options.runs, options.language)
    elif options.markdown and dataset:
        captures = dict(zip(dataset.column("id"), dataset.column("capture"), strict=True))
        milliseconds = [math.nan if run.export_failure else session.milliseconds(run) for run in runs]
        print(markdown(runs, captures, ceiling(dataset, "test"), milliseconds, _leaking(runs)))
        for warning in _warnings(runs):
            print(f"\n{warning}")
    else:
        for run in runs:
            _print(run)
            for warning in _warnings([run]):
                print(warning)
    return 0


def _overlap(run: Run) -> Overlap | None:
    dataset = judging_dataset(run)
    return overlap_of(run, dataset) if dataset else None


def _leaking(runs: Sequence[Run]) -> frozenset[str]:
    """Return the ids of runs that are judged on pictures which they or their ancestors learned from."""
    return frozenset(run.id for run in runs if (overlap := _overlap(run)) and overlap.leaks)


def _warnings(runs: Sequence[Run]) -> list[str]:
    """Return a sentence for each run that is judged on pictures which were learned from, or may be, or cannot grade.

    One more tells where rare grades are more frequent than they really are.
    """
    tempered = any(dataset.tempered for run in runs if (dataset := judging_dataset(run)))
    prior = [f"Note: {terms.TEMPERED_DATA.en}"] if tempered else []
    failures = [f"Note: {run.no_export(failure).text.en}" for run in runs if (failure := run.export_failure)]
    overlaps = {run: overlap for run in runs if (overlap := _overlap(run))}
    texts = {run: overlap.text(run.id) for run, overlap in overlaps.items()}
    leaks = [f"{MARK if overlaps[run].leaks else 'Note:'} {text.en}" for run, text in texts.items() if text]
    return [text.en for text in evaluation_notes(runs)] + leaks + failures + prior


# ---- the comparison to print ----


def _write_html(path: Path, dataset: Dataset, part: str, run_ids: Sequence[str] | None, language: str) -> None:
    from scalp_core.reports import comparison_report  # seaborn takes a second to import, for this alone

    if not path.parent.is_dir():  # before the figures are rendered
        raise _not_written(path, Text("there is no such folder", "폴더가 없어요"))
    sides, left_out = list_candidates(dataset)
    if run_ids:
        sides = _with_runs(sides, left_out, run_ids)
    else:
        sides, partial = without_partial(sides, dataset, part)
        left_out = [*left_out, *partial]
    text = comparison_report.render_report(dataset, sides, left_out, part, language, f"{date.today():%Y-%m-%d}")
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise _not_written(path, Text(str(error.strerror), str(error.strerror))) from error
    print(path)


def _not_written(path: Path, why: Text) -> ScalpError:
    return ScalpError(
        "report_not_written", f"{path} cannot be written: {why.en}.", f"{path} 파일에 쓸 수 없어요: {why.ko}."
    )


def _with_runs(sides: Sequence[Model], left_out: Sequence[ExcludedRun], run_ids: Sequence[str]) -> list[Model]:
    """Return the models with these runs alone.

    Raises:
        ScalpError: there is no such run, or it cannot be compared.
    """
    comparable = {run.id for side in sides for run in side.runs}
    for run_id in run_ids:
        if run_id not in comparable:
            raise _not_comparable(find_run(run_id), left_out)
    kept = [(side, tuple(run for run in side.runs if run.id in run_ids)) for side in sides]
    return [replace(side, key=runs[0].id, runs=runs) for side, runs in kept if runs]


def _not_comparable(run: Run, left_out: Sequence[ExcludedRun]) -> ScalpError:
    unfinished = Text("it has not finished", "완료되지 않았어요")
    reason = next((excluded.reason for excluded in left_out if excluded.run.id == run.id), unfinished)
    return ScalpError(
        "not_comparable",
        f"Run “{run.id}” cannot be compared: {reason.en}.",
        f"“{run.id}” 실행은 비교할 수 없어요: {reason.ko}.",
    )


# ---- figures for people ----


def _origin(run: Run) -> str:
    if isinstance(run, ExternalRun):
        return f"{run.id}: a model from elsewhere, judged on “{run.facts.data}”"
    own = Run(run.folder)  # of a run that is judged on other pictures, what it learned from
    kind = "SYNTHETIC pictures" if own.synthetic_data else "pictures"
    origin = ", started from a run that learned from SYNTHETIC pictures" if own.synthetic != own.synthetic_data else ""
    judged = f", judged on “{run.facts.data}”" if isinstance(run, EvaluatedRun) else ""
    mark = f" {MARK}" if _leaking([run]) else ""
    learned = f"{run.recipe.architecture} on {kind} “{run.recipe.data}”{origin}"
    return f"{run.id}{mark}: {learned}{judged}, {run.manifest['device']}"


def _print(run: Run) -> None:
    print(f"\n{_origin(run)}")
    table = run_report(run)
    table = table[table["part"].isin(["valid", "test"])].rename(columns=_COLUMNS)
    table["condition"] = [Condition(key).code for key in table["condition"]]
    with pd.option_context("display.width", 140, "display.max_columns", None):
        print(table.to_string(index=False, float_format="{:.3f}".format, na_rep="–"))
    constant = [condition.text.en for condition in run.recipe.conditions if _grades_alike(run, condition)]
    if constant and not isinstance(run, ExternalRun):
        print(
            f"One grade for every test picture: {', '.join(constant)}. Nothing that tells them apart was learned. Train"
        )
        print("longer (--epochs), or start from a run that can (--weights run:NAME) or from --weights pretrained.")


def _grades_alike(run: Run, condition: Condition) -> bool:
    """Return whether test pictures of different labels all get the same grade."""
    counts = metrics.confusion(run.predictions, condition, "test")
    return bool((counts.sum(axis=0) > 0).sum() == 1 and (counts.sum(axis=1) > 0).sum() > 1)


# ---- the tables of docs/results.md ----


def markdown(
    runs: Sequence[Run],
    captures: Mapping[str, object],
    best: Mapping[Condition, float],
    milliseconds: Sequence[float],
    leaking: frozenset[str] = frozenset(),
) -> str:
    """Return three tables of the test split, a row a run.

    QWK with its 95 % interval; AMAE and the worst grade's recall; calibration and grade sets.

    Args:
        captures: of every image id.
        best: the ceiling of each condition; empty where no truth is known.
        milliseconds: a picture, of each run; NaN where it has no export.
        leaking: ids of runs to be marked, as they are judged on pictures that were learned from.
    """
    predictions = runs[0].predictions
    tested = predictions.loc[predictions["part"] == "test", "image"].unique()
    groups = len({captures[image] for image in tested})
    kind = "**SYNTHETIC** " if runs[0].synthetic_data else ""
    return "\n\n".join(
        (
            f"{len(tested):,} {kind}test pictures of {groups:,} captures. Quadratic weighted kappa, "
            f"{CONFIDENCE} interval:",
            _kappas(runs, captures, best, leaking),
            "AMAE · recall of the worst grade; parameters; milliseconds a picture on one core:",
            _others(runs, milliseconds, leaking),
            "Expected calibration error of the network → at the operating point; share of pictures whose "
            f"{COVERAGE:.0%} grade set holds the truth (grades in a set, on average):",
            _calibration(runs, leaking),
        )
    )


def _name(run: Run, leaking: frozenset[str]) -> str:
    return f"`{run.id}` {MARK}" if run.id in leaking else f"`{run.id}`"


def _kappas(
    runs: Sequence[Run], captures: Mapping[str, object], best: Mapping[Condition, float], leaking: frozenset[str]
) -> str:
    answers = {run.id: arrange(run.predictions, "test") for run in runs}
    compared = compare(align(answers, captures), {run.id: [run.id] for run in runs})
    rows = [[_name(run, leaking), *(_kappa(compared, run, condition) for condition in CONDITIONS)] for run in runs]
    if best:
        rows.append(["ceiling", *(figure(best[condition], ".2f") for condition in CONDITIONS)])
    return markdown_table([["QWK", *_NAMES], *rows])


def _kappa(compared: Comparison, run: Run, condition: Condition) -> str:
    if condition not in run.recipe.conditions:
        return "–"
    estimate = compared.estimate("quadratic_weighted_kappa", run.id, condition)
    return interval(estimate.value, estimate.low, estimate.high, "z.2f")


def _others(runs: Sequence[Run], milliseconds: Sequence[float], leaking: frozenset[str]) -> str:
    rows = []
    for run, needed in zip(runs, milliseconds, strict=True):
        cells = [_errors(run, condition) for condition in CONDITIONS]
        rows.append([_name(run, leaking), *cells, f"{run.manifest['parameters'] / 1e6:.1f} M", figure(needed, ".0f")])
    return markdown_table([["AMAE · recall", *_NAMES, "parameters", "ms"], *rows])


def _errors(run: Run, condition: Condition) -> str:
    if condition not in run.recipe.conditions:
        return "–"
    measured = metrics.measure(metrics.confusion(run.predictions, condition, "test"))
    return f"{figure(measured.average_mean_absolute_error, '.2f')} · {figure(measured.worst_grade_recall, '.2f')}"


def _calibration(runs: Sequence[Run], leaking: frozenset[str]) -> str:
    rows = [[_name(run, leaking), *(_calibrated(run, condition) for condition in CONDITIONS)] for run in runs]
    return markdown_table([["calibration", *_NAMES], *rows])


def _calibrated(run: Run, condition: Condition) -> str:
    if condition not in run.recipe.conditions:
        return "–"
    plain = OperatingPoint().apply(run.raw_predictions)
    before, after = (
        calibration.expected_calibration_error(table, condition, "test") for table in (plain, run.predictions)
    )
    sets = grade_sets.measure_sets(run.predictions, condition, "test")
    promised = f"{sets.coverage:.2f} ({sets.size:.1f})" if sets.images else "no sets"
    return f"{figure(before, '.2f')} → {figure(after, '.2f')}; {promised}"


_NAMES = [condition.code.replace("_", " ") for condition in CONDITIONS]


if __name__ == "__main__":
    sys.exit(main())
