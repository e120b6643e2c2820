"""Make every finished run ready to answer: `python -m training.export`. Done already, it takes a moment."""

import sys

from tqdm import tqdm

from scalp_core import runner
from scalp_core.errors import ScalpError
from scalp_core.runs import State, list_runs


def main() -> int:
    try:
        waiting = [run for run in list_runs() if run.state is State.FINISHED and not run.exported]
        for run in tqdm(waiting, desc="preparing models", disable=not waiting):
            runner.export(run)
    except ScalpError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
