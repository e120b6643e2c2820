"""Export finished runs: `python -m training.export [--answering]`. Exported ones are skipped, failures repeated."""

import argparse
import sys
from collections.abc import Sequence

from scalp_core.errors import ScalpError
from scalp_core.runs import worker
from scalp_core.runs.champions import champions
from scalp_core.runs.run import Run
from scalp_core.runs.store import finished_runs
from training.command_line import Bar, explained


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; always return 0: a run that cannot be exported is reported and does not stop the others."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.add_argument(
        "--answering", action="store_true", help="only the runs that answer now; others get ready when they are needed"
    )
    waiting = [run for run in _wanted(parser.parse_args(arguments).answering) if not run.exported]
    for run in Bar(waiting, desc="preparing models", disable=not waiting):
        try:
            worker.export(run, again=True)
        except ScalpError as error:
            print(error, file=sys.stderr)
    return 0


def _wanted(answering: bool) -> list[Run]:
    if not answering:
        return finished_runs()
    return list(dict.fromkeys(champion.run for champion in champions().values()))


if __name__ == "__main__":
    sys.exit(main())
