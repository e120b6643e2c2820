"""Places that evidence points at: `python -m training.pointing RUN… --data DATASET [--images N]`, a Markdown table.

Of every run and condition, in test pictures that show it: how often the strongest cell of the map lies on the drawn
cue (pointing game), and how much of all that is lit does, for our local grades and for Grad-CAM of the same network;
and how much is lit where the condition is not there. The dataset must be a synthetic one that this version rendered.
"""

import argparse
import sys
from collections.abc import Sequence

from scalp_core.architectures import family
from scalp_core.data.dataset import open_dataset
from scalp_core.learning.pointing import Pointing, measure_pointing
from scalp_core.runs.run import Run
from scalp_core.runs.store import find_finished
from training.command_line import explained
from training.markdown import figure, markdown_table

DEFAULT_IMAGES = 400
HEADER = (
    *("network", "condition", "pictures", "by chance", "pointing, ours", "Grad-CAM"),
    *("mass, ours", "Grad-CAM", "lit where it is not"),
)


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.pointing", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="finished runs")
    parser.add_argument("--data", required=True, help="name of a synthetic dataset")
    parser.add_argument(
        "--images", type=int, default=DEFAULT_IMAGES, help="pictures of its test part at most (default %(default)s)"
    )
    options = parser.parse_args(arguments)
    if options.images < 1:
        parser.error("--images must be at least 1")
    measured = measure_pointing(
        [find_finished(name) for name in options.runs], open_dataset(options.data), options.images
    )
    rows = [row_of(run, pointing) for run, pointings in measured.items() for pointing in pointings]
    print(markdown_table([HEADER, *rows]))
    return 0


def row_of(run: Run, pointing: Pointing) -> tuple[str, ...]:
    """Return the table's row of one condition; a dash where no picture tells."""
    shares = (pointing.chance, pointing.ours, pointing.grad_cam, pointing.ours_mass, pointing.grad_cam_mass)
    named = f"{family(run.recipe.architecture)} ({run.id})"
    figures = [figure(share, ".2f") for share in (*shares, pointing.lit_healthy)]
    return named, pointing.condition.text.en, str(pointing.pictures), *figures


if __name__ == "__main__":
    sys.exit(main())
