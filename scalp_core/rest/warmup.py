"""Loads and exports runs in threads of its own, and tells which may answer without a wait."""

import logging
import threading

from scalp_core.errors import ScalpError
from scalp_core.inference import predict
from scalp_core.runs import worker
from scalp_core.runs.champions import champions
from scalp_core.runs.run import Run
from scalp_core.runs.store import find_finished

_log = logging.getLogger(__name__)

_Network = tuple[Run, int]  # a run, and when it finished: trained anew under the same name it is another one


class Warmup:
    """Loading of the answering runs and exporting of others, in the background."""

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loaded: list[Run] = []
        self._error: ScalpError | None = None
        self._exporting = threading.Lock()
        self._exports: set[_Network] = set()
        self._being_exported: set[_Network] = set()
        self._failed: dict[_Network, ScalpError] = {}

    def start(self) -> None:
        """Begin loading unless it is under way. The thread does not keep the server from stopping."""
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._load, name="warm", daemon=True)
                self._thread.start()

    def _load(self) -> None:
        try:
            self._loaded, self._error = predict.warm_up(), None
        except ScalpError as error:
            _log.error("not ready: %s", error)
            self._error = error

    def check(self) -> list[Run]:
        """Return the answering runs when all are loaded; otherwise begin to load them.

        Raises:
            ScalpError: `warming`, `no_model`, or the error of the last attempt to load.
        """
        if not self._loaded and not self._error and self._thread and self._thread.is_alive():
            raise warming()  # electing beside the thread that does so would make it later
        answering = list(dict.fromkeys(champion.run for champion in champions().values()))
        if not answering:
            raise predict.no_model()
        if set(answering) <= set(self._loaded):
            return answering
        self.start()
        raise self._error or warming()

    def run(self, run_id: str) -> Run:
        """Return the finished run of that id, exported; where the export is missing, begin to make it.

        An export takes half a minute: in the thread of the request, every other picture would wait.

        Raises:
            ScalpError: `no_run`, `run_not_finished`; `warming` while it is exported, or the error of the export.
        """
        run = find_finished(run_id)
        run.check_exportable()
        self._require_export(run, (run, run.finished_ns))
        return run

    def _require_export(self, run: Run, network: _Network) -> None:
        with self._exporting:
            if error := self._failed.pop(network, None):
                raise error  # the next request tries again
            if network in self._exports or run.exported:  # reads all of the file, so only once
                self._exports.add(network)
                return
            if network not in self._being_exported:
                self._being_exported.add(network)
                threading.Thread(target=self._export, args=(run, network), name="export", daemon=True).start()
        raise warming()

    def _export(self, run: Run, network: _Network) -> None:
        try:
            worker.export(run)
        except ScalpError as failure:
            _log.error("not exported: %s", failure)
            with self._exporting:
                self._failed[network] = failure
        finally:  # after any other error too, or it would be warming for ever
            with self._exporting:
                self._being_exported.remove(network)


def warming() -> ScalpError:
    """Return the error that a run is being loaded or exported."""
    return ScalpError(
        "warming",
        "Models are loading. Try again in a moment.",
        "모델을 불러오는 중이에요. 잠시 후 다시 확인하세요.",
    )
