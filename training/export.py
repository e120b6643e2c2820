"""Make finished runs ready to answer: `python -m training.export [--answering]`. Done already, it takes a moment."""

import argparse
import sys

from tqdm import tqdm

from scalp_core.errors import ScalpError
from scalp_core.runs import worker
from scalp_core.runs.champions import champions
from scalp_core.runs.runs import Run, finished_runs


def main() -> int:
    """Always 0: a run that cannot be made ready is told and must not keep the others from answering."""
    parser = argparse.ArgumentParser(prog="python -m training.export", description=__doc__)
    parser.add_argument(
        "--answering", action="store_true", help="only the runs that answer now; others get ready when they are needed"
    )
    waiting = [run for run in _wanted(parser.parse_args().answering) if not run.exported]
    for run in tqdm(waiting, desc="preparing models", disable=not waiting):
        try:
            worker.export(run)
        except ScalpError as error:
            print(error, file=sys.stderr)
    return 0


def _wanted(answering: bool) -> list[Run]:
    if not answering:
        return finished_runs()
    return list(dict.fromkeys(champion.run for champion in champions().values()))


if __name__ == "__main__":
    sys.exit(main())
