"""The agreement that the picture itself allows: `python -m training.oracle [--images N] [--markdown]`.

The ceiling assumes a grader who knows every severity, the oracle one who reads the exact drawn quantities. Exit code 1
where the oracle falls short of .90 of the ceiling: there the drawing is what is wrong.
"""

import argparse
import sys
from collections.abc import Sequence

from scalp_core.synthetic.generate import MIN_IMAGES
from scalp_core.synthetic.oracle import OracleResult, ask_oracle
from training.command_line import Bar, explained
from training.fidelity import as_text
from training.markdown import markdown_table

HEADER = ("condition", "present", "ceiling", "oracle", "share", "verdict")
DEFAULT_IMAGES = 2000


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.oracle", description=__doc__)
    parser.add_argument("--images", type=int, default=DEFAULT_IMAGES, help="pictures planned (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="the same seed plans the same pictures (default 0)")
    parser.add_argument("--markdown", action="store_true", help="a table for the documentation")
    options = parser.parse_args(arguments)
    if options.images < MIN_IMAGES:
        parser.error(f"--images must be at least {MIN_IMAGES}")
    if options.seed < 0:
        parser.error("--seed must not be negative")
    with Bar(total=options.images, unit=" pictures") as bar:
        results = ask_oracle(options.images, options.seed, progress=bar.show)
    rows = [HEADER, *(row_of(result) for result in results)]
    print(markdown_table(rows) if options.markdown else as_text(rows))
    return int(any(not result.is_reachable for result in results))


def row_of(result: OracleResult) -> tuple[str, ...]:
    """Return the table's row of one condition."""
    verdict = "ok" if result.is_reachable else "SHORT"
    figures = (f"{figure:.3f}" for figure in (result.ceiling, result.oracle, result.share))
    return result.condition.text.en, str(result.present), *figures, verdict


if __name__ == "__main__":
    sys.exit(main())
