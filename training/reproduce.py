"""Make the run of an evidence pack again and say what differs: `python -m training.reproduce PACK [--check]`.

Every file is held to its SHA-256 first. `--check` trains nothing: it grades the dataset's pictures with the pack's
network and compares with the pack's predictions. Exit code 0: the same but for rounding; 1: something differs.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scalp_core import terms
from scalp_core.reports.evidence_pack import Pack, read_pack
from scalp_core.reports.reproduction import Agreement, agreements, dataset_of, grade_again, point_of, recipe_of
from scalp_core.runs.queue import create_run
from scalp_core.runs.store import check_recipe, find_finished
from training.command_line import Bar, explained
from training.markdown import figure
from training.train import train_all

_DIFFERENT = 1


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.reproduce", description=__doc__)
    parser.add_argument("pack", type=Path, metavar="PACK", help="a zip of training.pack")
    parser.add_argument("--check", action="store_true", help="only grade again, by the pack's own network")
    parser.add_argument("--id", metavar="ID", help="of the run that is trained (default: the pack's run, and -again)")
    parser.add_argument("--weights", metavar="FILE", help="that the run began from, where it began from a file")
    options = parser.parse_args(arguments)
    pack = read_pack(options.pack)
    print(f"{options.pack.name}: run {pack.facts['run']}, {len(pack.files)} files are what their sums say")
    if options.check:
        return _check(pack)
    return _train(pack, options.id or f"{pack.facts['run'][:58]}-again", options.weights)


def _check(pack: Pack) -> int:
    dataset, point = dataset_of(pack, judged=True), point_of(pack)
    with Bar(unit=" pictures", desc="grading", dynamic_ncols=True, leave=False) as bar:
        again = grade_again(pack, dataset, bar.show)
    return _print(agreements(pack.predictions, point, again, point))


def _train(pack: Pack, run_id: str, weights: str | None) -> int:
    recipe = replace(recipe_of(pack), data=dataset_of(pack).name)
    recipe = replace(recipe, weights=weights or recipe.weights)
    check_recipe(recipe)
    run = create_run(recipe, run_id)
    if code := train_all([run]):
        return code
    run = find_finished(run.id)
    _print_versions(pack.facts["versions"], {**run.manifest["versions"], "python": run.manifest["python"]})
    began, before = run.manifest.get("weights_used", ""), pack.facts["weights_used"]
    print("Began from: " + ("the same" if began == before else f"{before or '–'} → {began or '–'}"))
    trained = run.manifest["files"]["model.safetensors"]
    print("Weights: " + ("the same" if trained == pack.facts["weights_sha256"] else f"others, {trained[:12]}…"))
    return _print(agreements(pack.predictions, point_of(pack), run.raw_predictions, run.operating_point))


def _print_versions(before: Mapping[str, str], after: Mapping[str, str]) -> None:
    changed = [
        f"{name} {before.get(name, '–')} → {after.get(name, '–')}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    print("Versions: " + (", ".join(changed) or "the same"))


def _print(compared: Sequence[Agreement]) -> int:
    print(f"{'condition':<14}{'pictures':>9}{'largest difference':>20}{'equal grades':>14}{'test QWK':>20}")
    for each in compared:
        kappas = f"{figure(each.before)} → {figure(each.after)}"
        print(f"{each.condition.code:<14}{each.images:>9,}{each.largest:>20.2g}{each.equal:>14.1%}{kappas:>20}")
    same = all(each.same for each in compared)
    print("The same but for rounding." if same else "Something differs.")
    print(terms.RESEARCH_ONLY_SHORT.en)
    return 0 if same else _DIFFERENT


if __name__ == "__main__":
    sys.exit(main())
