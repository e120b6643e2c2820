"""Distance of rendered frames from real pictures: `python -m training.fidelity [--seeds N] [--markdown]`.

Exit code 1 where a figure lies outside its range.
"""

import argparse
import sys
from collections.abc import Sequence

from scalp_core.synthetic.fidelity import Check, checks
from training.command_line import explained
from training.markdown import markdown_table

HEADER = ("cue", "grade or cast", "target", "ours", "verdict")
DEFAULT_SEEDS = 20


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.fidelity", description=__doc__)
    parser.add_argument("--seeds", type=int, default=DEFAULT_SEEDS, help="frames a figure (default %(default)s)")
    parser.add_argument("--markdown", action="store_true", help="a table for the documentation")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error("--seeds must be at least 1")
    results = checks(options.seeds)
    rows = [HEADER, *(row_of(check) for check in results)]
    print(markdown_table(rows) if options.markdown else as_text(rows))
    failed = sum(not check.ok for check in results)
    print(f"\n{len(results) - failed} of {len(results)} figures lie in their range.")
    return int(failed > 0)


def row_of(check: Check) -> tuple[str, ...]:
    """Return the table's row of one figure."""
    target = f"{check.low:.3g} – {check.high:.3g}"
    return check.cue, check.grade_or_cast, target, f"{check.measured:.3g}", "ok" if check.ok else "OUTSIDE"


def as_text(rows: Sequence[tuple[str, ...]]) -> str:
    """Align the columns of a table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


if __name__ == "__main__":
    sys.exit(main())
