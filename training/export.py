"""Export finished runs: `python -m training.export`. Exported ones are skipped, failures repeated."""

import argparse
import sys
from collections.abc import Sequence

from scalp_core.errors import ScalpError
from scalp_core.runs import worker
from scalp_core.runs.store import finished_runs
from training.command_line import Bar, explained


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; always return 0: a run that cannot be exported is reported and does not stop the others."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.parse_args(arguments)
    waiting = [run for run in finished_runs() if not run.exported]
    for run in Bar(waiting, desc="preparing models", disable=not waiting):
        try:
            worker.export(run, again=True)
        except ScalpError as error:
            print(error, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
