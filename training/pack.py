"""Write the evidence pack of a finished run: `python -m training.pack RUN [--output FILE]`.

One zip with model card, CLAIM checklist, recipe, hashes, predictions, tables, report, and the network with a script
that grades with it alone. No picture of the dataset is in it.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scalp_core import terms
from scalp_core.errors import ScalpError
from scalp_core.files import sha256
from scalp_core.reports.evidence_pack import write_pack
from scalp_core.runs.store import find_finished
from training.command_line import explained


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.pack", description=__doc__)
    parser.add_argument("run", metavar="RUN", help="a finished run")
    parser.add_argument("--output", type=Path, metavar="FILE", help="(default: RUN.zip here)")
    options = parser.parse_args(arguments)
    run = find_finished(options.run)
    path = options.output or Path(f"{run.id}.zip")
    try:
        write_pack(run, path)
    except OSError as error:
        reason = error.strerror or str(error)
        message = (f"{path} cannot be written: {reason}.", f"{path} 파일을 쓸 수 없어요: {reason}.")
        raise ScalpError("not_writable", *message) from error
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, SHA-256 {sha256(path)}")
    print(terms.RESEARCH_ONLY_SHORT.en)
    return 0


if __name__ == "__main__":
    sys.exit(main())
