"""Progress of a training, written into its run folder, and requests to stop, read from there."""

import time

from scalp_core.runs.run import Progress, Run

_INTERVAL = 1.0  # seconds between two writes


class Stopped(Exception):  # noqa: N818  a request, so not an error
    """The run was asked to stop; its last checkpoint stands."""


class Reporter:
    """Writes progress at most once a second, and raises Stopped when the run is asked to stop."""

    def __init__(self, run: Run) -> None:
        self.run, self.epochs = run, run.recipe.epochs
        self._written = 0.0
        self._first_step: tuple[float, float] | None = None  # of this process: when, and the share done by then

    def report(self, phase: str, epoch: int, done: float, seconds_left: float | None, force: bool = True) -> None:
        """Write progress.

        Args:
            done: share of the phase.
            force: write even if the last time is less than a second ago.

        Raises:
            Stopped: the run was asked to stop.
        """
        if self.run.stop_requested:
            raise Stopped
        if force or time.monotonic() - self._written > _INTERVAL:
            self._written = time.monotonic()
            self.run.write_progress(Progress(phase, epoch, self.epochs, round(done, 4), seconds_left))

    def prepared(self, done: float) -> None:
        """Report the share of the pictures that are prepared."""
        self.report("preparing", 0, done, None, force=False)

    def computed(self, done: float) -> None:
        """Report the share of the pictures whose features are computed."""
        self.report("computing", 0, done, None, force=False)

    def step(self, epoch: int, done: float) -> None:
        """Report the share of the whole training that is done; the steps of this process give the estimate."""
        now = time.monotonic()
        self._first_step = self._first_step or (now, done)
        since, done_before = self._first_step
        left = (now - since) / (done - done_before) * (1 - done) if done > done_before else None
        self.report("training", epoch, done, None if left is None else round(left), force=False)
