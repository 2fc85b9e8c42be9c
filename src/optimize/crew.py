"""This machine's Dask cluster, whose every place is filled again however its worker was lost."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from multiprocessing import spawn
from pathlib import Path
from typing import Any

import dask.config
import psutil
from distributed import Nanny, SpecCluster, utils
from distributed.core import Status
from distributed.deploy.cluster import Cluster

from optimize.engine import EngineLost

_GONE = (Status.closed, Status.failed)
_NANNYS = "Dask Worker process (from Nanny)"  # what Dask calls the processes that it starts workers in


class Crew(SpecCluster):  # type: ignore[misc]
    """A `SpecCluster` that keeps its number of workers.

    A nanny starts a worker again that died. Two of Dask's habits would leave a place empty for ever: a nanny that fails
    to start a worker, because that was killed as it started, closes itself; and 15 seconds after a worker has gone
    Dask closes the nanny whose next worker happens not to be there at that moment.

    Args:
        settings: Dask's, in force whenever a nanny is made.
        log: where is said why a worker cannot be started.
        **options: `SpecCluster`'s own.

    Raises:
        EngineLost: not one worker could be started.
    """

    def __init__(self, settings: Mapping[str, Any], *, log: Path | None = None, **options: Any) -> None:
        self._settings = dict(settings)
        self._log_file, self._fault = log, ""
        with dask.config.set(self._settings):
            super().__init__(**options)
        if not self.workers:
            self.close()
            raise EngineLost(f"no worker could be started: {self._fault}")

    def mend(self) -> None:
        """Have a new nanny made for each that has closed, or could not be made, without waiting for its worker."""
        nannies = list(self.workers.values())
        if len(nannies) < len(self.worker_spec) or any(nanny.status in _GONE for nanny in nannies):
            self.loop.add_callback(self._reopen)

    async def _reopen(self) -> None:
        self._forget_those_gone()
        with dask.config.set(self._settings), contextlib.suppress(Exception):  # raised as all are to end: close() hears
            await self._correct_state()

    async def _correct_state_internal(self) -> None:
        """Start and end workers as is wanted; one that cannot be started costs its own place alone, for a while."""
        try:
            await super()._correct_state_internal()
        except Exception as error:  # whatever keeps a process from starting
            if not self.worker_spec:  # all are to end
                raise
            self._forget_those_gone()
            self._log_fault(error)

    def _forget_those_gone(self) -> None:
        for name, nanny in list(self.workers.items()):
            if nanny.status in _GONE:
                del self.workers[name]

    def _log_fault(self, error: BaseException) -> None:
        """Keep in the log why a worker did not start; once where it is tried again, twice a second, to no avail."""
        while error.__cause__ is not None:  # Dask's own errors say that it did not
            error = error.__cause__
        before, self._fault = self._fault, f"{type(error).__name__}: {error}"
        if self._log_file is None or self._fault == before:
            return
        with contextlib.suppress(OSError), self._log_file.open("a", encoding="utf-8") as log:  # as on a full disk
            when = datetime.now(UTC).isoformat(timespec="seconds")
            log.write(f"{when}: a worker could not be started: {self._fault}\n")

    def is_suspended(self, address: str) -> bool:
        """Whether the process of the worker at an address has been stopped (SIGSTOP)."""
        pids = (nanny.pid for nanny in list(self.workers.values()) if nanny.worker_address == address)
        with contextlib.suppress(psutil.NoSuchProcess, AttributeError):  # a nanny in another thread has just lost it
            return any(pid is not None and psutil.Process(pid).status() == psutil.STATUS_STOPPED for pid in pids)
        return False

    def _update_worker_status(self, op: str, msg: Any) -> None:
        """Without what `SpecCluster` does 15 seconds later."""
        Cluster._update_worker_status(self, op, msg)


class ForkingNanny(Nanny):  # type: ignore[misc]
    """A nanny whose workers are forked, at the start and ever after, from the process of `optimize.forking`."""

    async def instantiate(self) -> Status:
        """Start the worker's process."""
        # Or Dask would import every package it has a use for here, for a list of its own of what to preload.
        utils._forkserver_preload_set = True
        with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
            return await super().instantiate()


@cache
def leave_out_main_module() -> None:
    """Have Dask's worker processes start without the program's main module, from now on.

    multiprocessing imports it into every process, so that a script that starts any must keep its statements behind
    `if __name__ == "__main__"`. Workers have no use for it, and a script of three lines that runs a sweep should run.
    """
    whole = spawn.get_preparation_data

    def without_main(name: str) -> dict[str, Any]:
        data: dict[str, Any] = whole(name)
        if name == _NANNYS:
            data.pop("init_main_from_name", None)
            data.pop("init_main_from_path", None)
        return data

    spawn.get_preparation_data = without_main
