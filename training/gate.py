"""Fit the gate of finished runs anew: `python -m training.gate RUN [RUN …]`. Operating points stay as they are.

Needed for runs of an earlier version, whose gates are not read any more, and after a change of their pictures.
"""

import argparse
import sys
from collections.abc import Callable, Sequence

from scalp_core.errors import ScalpError
from scalp_core.inference import gate_fit
from scalp_core.inference.input_gate import Gate
from scalp_core.runs.run import Run, not_writable
from scalp_core.runs.store import find_finished
from training.command_line import explained


@explained
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0 if every run has a new gate, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m training.gate", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="finished runs")
    options = parser.parse_args(arguments)
    refit = gate_fit.refitter()
    fitted = [fit_gate(run, refit) for run in [find_finished(name) for name in options.runs]]
    return 0 if all(fitted) else 1


def fit_gate(run: Run, refit: Callable[[Run], Gate] = gate_fit.refit) -> bool:
    """Fit the gate of a run and print its limits; print why, and return False, where its pictures do not allow it.

    Args:
        refit: `gate_fit.refitter` for several runs.

    Raises:
        ScalpError: `not_writable`.
    """
    try:
        gate = refit(run)
    except ScalpError as error:
        print(f"quality check of {run.id}: {error}")
        return False
    except OSError as error:
        raise not_writable(error) from error
    print(_limits(run, gate))
    return True


def _limits(run: Run, gate: Gate) -> str:
    facts, limits = gate.facts, gate.limits
    return (
        f"quality check of {run.id}: fitted on {facts['trained_on']} training and {facts['calibrated_on']} calibration "
        f"pictures of “{facts['data']}”, each also varied; usual up to distance {limits.usual_distance:.2f}, a scalp "
        f"up to {limits.distance:.2f}; sharpness from {limits.sharpness:.2f}, over-exposed up to "
        f"{limits.overexposed:.1%}, brightness from {limits.brightness:.0f}"
    )


if __name__ == "__main__":
    sys.exit(main())
