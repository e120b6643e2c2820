"""Distance of rendered frames from real pictures: `python -m training.fidelity [--seeds N] [--frames N] [--markdown]`.

Cues by grade beside the ranges measured on real pictures, then the realism of whole pictures by their statistics.
`--pictures FOLDER` compares the pictures of a folder instead, and renders nothing. Exit code 1 where a cue lies outside
its range; realism is a direction and fails nothing.
"""

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from scalp_core.synthetic.fidelity import Check, checks
from scalp_core.synthetic.realism import Realism, folder_realism, real_statistics, rendered_realism
from training.command_line import explained
from training.markdown import figure, markdown_table

HEADER = ("cue", "grade or cast", "target", "ours", "verdict")
REALISM_HEADER = ("statistics", "mean abs. z", "energy distance", "AUC, drawn or real")
DEFAULT_SEEDS, DEFAULT_FRAMES = 20, 400
FARTHEST = 8  # statistics that are named

_SCALES = {"thumb": "thumbnails", "frame": "whole frames"}
_REFERENCES = {
    "held_out": "real pictures that were held out",
    "drawn_generator_version_2": "drawings of generator version 2",
}


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.fidelity", description=__doc__)
    parser.add_argument("--seeds", type=int, default=DEFAULT_SEEDS, help="frames a figure (default %(default)s)")
    parser.add_argument(
        "--frames",
        type=int,
        default=DEFAULT_FRAMES,
        help="frames whose statistics are compared; 0 leaves that out (default %(default)s)",
    )
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="compare only the pictures of this folder")
    parser.add_argument("--markdown", action="store_true", help="tables for the documentation")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error("--seeds must be at least 1")
    if options.frames < 0:
        parser.error("--frames must be at least 0")
    form = markdown_table if options.markdown else as_text
    if options.pictures:
        _print_realism(folder_realism(options.pictures, options.frames or DEFAULT_FRAMES), form)
        return 0
    failed = _print_checks(checks(options.seeds), form)
    if options.frames:
        print()
        _print_realism(rendered_realism(options.frames, seed=0), form)
    return int(failed > 0)


def _print_checks(results: Sequence[Check], form: Callable[[Sequence[Sequence[str]]], str]) -> int:
    """Print every figure beside its range, and return how many lie outside."""
    print(form([HEADER, *(row_of(check) for check in results)]))
    failed = sum(not check.ok for check in results)
    print(f"\n{len(results) - failed} of {len(results)} figures lie in their range.")
    return failed


def _print_realism(results: Sequence[Realism], form: Callable[[Sequence[Sequence[str]]], str]) -> None:
    """Print the distance from the real pictures at each scale, group by group, beside reference figures."""
    for result in results:
        real = real_statistics(result.scale)
        print(f"Realism of {result.pictures} {_SCALES[result.scale]} beside {real['pictures']} real ones:\n")
        print(form([REALISM_HEADER, *realism_rows(result)]))
        farthest = sorted(result.z.items(), key=lambda item: -abs(item[1]))[:FARTHEST]
        print(f"\nFarthest: {', '.join(f'{name} {z:+.2f}' for name, z in farthest)} deviations.\n")


def realism_rows(result: Realism) -> list[tuple[str, ...]]:
    """Return the table's rows: each group of statistics, then all statistics of what was measured before."""
    real = real_statistics(result.scale)
    groups = [
        (group.group, f"{group.mean_abs_z:.3f}", figure(group.energy_distance), figure(group.auc))
        for group in result.groups
    ]
    figures = ("mean_abs_z", "energy_distance", "realism_auc_proxy")
    before = [
        (name, *(figure(real[key].get(measure, math.nan)) for measure in figures))
        for key, name in _REFERENCES.items()
        if key in real
    ]
    return groups + before


def row_of(check: Check) -> tuple[str, ...]:
    """Return the table's row of one figure."""
    target = f"{check.low:.3g} – {check.high:.3g}"
    return check.cue, check.grade_or_cast, target, f"{check.measured:.3g}", "ok" if check.ok else "OUTSIDE"


def as_text(rows: Sequence[Sequence[str]]) -> str:
    """Align the columns of a table."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


if __name__ == "__main__":
    sys.exit(main())
