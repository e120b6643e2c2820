"""Make every finished run ready to answer: `python -m training.export`. Done already, it takes a moment."""

import sys

from tqdm import tqdm

from scalp_core import runner
from scalp_core.errors import ScalpError
from scalp_core.runs import finished_runs


def main() -> int:
    """Always 0: a run that cannot be made ready is told and must not keep the others from answering."""
    waiting = [run for run in finished_runs() if not run.exported]
    for run in tqdm(waiting, desc="preparing models", disable=not waiting):
        try:
            runner.export(run)
        except ScalpError as error:
            print(error, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
