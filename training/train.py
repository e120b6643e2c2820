"""Train one run and watch it: `python -m training.train --architecture efficientnet_b0 --data demo --epochs 5`.

The flags are the fields of Recipe. The run itself belongs to the runner, exactly as if the sidebar had started it.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import fields

from tqdm import tqdm

from scalp_core import runner
from scalp_core.errors import ScalpError
from scalp_core.labels import CONDITIONS, find_condition
from scalp_core.runs import Recipe, Run, State, create_run, find_run

_POLL = 0.5  # seconds
INTERRUPTED = 130  # exit code, as shells have it


def main() -> int:
    arguments = _parser().parse_args()
    try:
        run = _chosen(arguments)
        runner.ensure()
        return watch(run)
    except ScalpError as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    add_recipe(parser)
    parser.add_argument("--name", help="the run's own name; otherwise made of architecture and time")
    parser.add_argument("--resume", metavar="RUN", help="go on with a paused, cancelled or failed run instead")
    return parser


def add_recipe(parser: argparse.ArgumentParser, leave_out: Sequence[str] = ()) -> None:
    """One option for every field of a recipe."""
    for one in fields(Recipe):
        if one.name in leave_out:
            continue
        explained = one.metadata["help"].en.replace("%", "%%")
        if one.name == "conditions":
            parser.add_argument("--conditions", nargs="+", metavar="CONDITION", help=f"{explained} (default: all six)")
            continue
        parser.add_argument(
            f"--{one.name.replace('_', '-')}",
            type=type(one.default),
            default=one.default,
            help=f"{explained} (default: {one.default})",
        )


def chosen_recipe(options: argparse.Namespace, **others: object) -> Recipe:
    """The recipe that the options of `add_recipe` say, with those left out given here."""
    values = {one.name: others.get(one.name, getattr(options, one.name, None)) for one in fields(Recipe)}
    names = values.pop("conditions")
    return Recipe(**values, conditions=tuple(map(find_condition, names)) if names else CONDITIONS)


def _chosen(options: argparse.Namespace) -> Run:
    if options.resume:
        run = find_run(options.resume)
        run.resume()
        return run
    return create_run(chosen_recipe(options), options.name)


def watch(run: Run) -> int:
    """Show the progress of a run until it ends; the exit code. Ctrl-C pauses it."""
    print(f"run {run.id}")
    try:
        with tqdm(total=1000, bar_format="{desc:44}|{bar}| {percentage:3.0f} %", desc="queued") as bar:
            shown = 0
            while run.state.active:
                runner.ensure()  # should somebody have killed it meanwhile
                shown = _show(run, bar, shown)
                time.sleep(_POLL)
            _show(run, bar, shown)
    except KeyboardInterrupt:
        run.pause()
        print(f"\nPaused. Finished epochs are kept. Go on with: python -m training.train --resume {run.id}")
        return INTERRUPTED
    return _tell(run)


def _show(run: Run, bar: "tqdm[None]", shown: int) -> int:
    history = run.history
    for line in history.iloc[shown:].to_dict("records"):
        bar.write(
            f"epoch {line['epoch']:3d}  train loss {line['train_loss']:.4f}  valid loss {line['valid_loss']:.4f}  "
            f"valid QWK {line['valid_qwk']:.3f}  {line['seconds']:.0f} s"
        )
    if progress := run.progress:
        seconds = progress.seconds_left
        bar.n = round(1000 * progress.done)
        left = "" if seconds is None else f", {seconds // 60:.0f} min {seconds % 60:02.0f} s left"
        bar.set_description_str(f"{progress.phase}, epoch {progress.epoch} of {progress.epochs}{left}")
    return len(history)


def _tell(run: Run) -> int:
    state = run.state
    if state is State.FINISHED:
        manifest = run.manifest
        print(
            f"finished in {manifest['seconds']:.0f} s on {manifest['device']}, best epoch {manifest['best_epoch']}. "
            f"See it on the Compare page or with: python -m training.report --data {run.recipe.data}"
        )
        return 0
    sentence, details = run.error
    print(f"{state.text.en}: {sentence.en or run.id}\n{details}".strip(), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
