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
    """

    def __init__(self, settings: Mapping[str, Any], *, log: Path | None = None, **options: Any) -> None:
        self._settings = dict(settings)
        self._log, self._logged = log, ""
        with dask.config.set(self._settings):
            super().__init__(**options)

    def mend(self) -> None:
        """Have a new nanny made for each that has closed, or could not be made, without waiting for its worker."""
        nannies = list(self.workers.values())
        if len(nannies) < len(self.worker_spec) or any(nanny.status in _GONE for nanny in nannies):
            self.loop.add_callback(self._reopen)

    async def _reopen(self) -> None:
        for name, nanny in list(self.workers.items()):
            if nanny.status in _GONE:
                del self.workers[name]
        try:
            with dask.config.set(self._settings):
                await self._correct_state()
        except Exception as error:  # whatever keeps a process from starting; what fails again is mended again
            self._say(f"a worker could not be started: {type(error).__name__}: {error}")

    def _say(self, what: str) -> None:
        """Write into the log what is not what was written last: what fails is tried again twice a second."""
        if self._log is None or what == self._logged:
            return
        self._logged = what
        with contextlib.suppress(OSError), self._log.open("a", encoding="utf-8") as log:  # as on a full disk
            log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')}: {what}\n")

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
