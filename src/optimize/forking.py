"""The process that this machine's workers are forked from: what they all import, it imports once, ahead of them."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver

from main.gpus import gpus
from optimize.engine import STORAGE_VARIABLE

_EVERY_WORKERS, _TRAINING = "optimize.forked", "optimize.forked_training"
_PR_SET_PDEATHSIG = 1

GONE_VARIABLE = "OPTIMIZE_GONE"
"""Names of variables that a forked worker has from before and shall not have."""

_threads: int | None = None
_variables: frozenset[str] = frozenset()


def start_fork_server(threads: int, *, training: bool = False) -> bool:
    """Have the process run that workers are forked from; what it imports it goes on importing when this returns.

    TensorFlow's import takes each worker 2 s of a core. It starts no thread, and computes nothing, so that a process
    may be forked after it. With GPUs it looks for them, and a process that has may not; elsewhere than on Linux
    systems' own libraries object. There, and where an earlier call had another number of threads, workers start anew.
    It ends with this process and the last of its workers.

    Args:
        threads: cores of each worker; libraries read it as they are imported.
        training: whether it shall import TensorFlow; else each worker does where it trains.

    Returns:
        Whether workers can be forked.
    """
    global _threads, _variables
    if not sys.platform.startswith("linux") or gpus() or _threads not in (None, threads):
        return False
    os.environ.update(worker_variables(threads))  # whenever it runs no longer and starts again here
    if _threads is None:
        _threads = threads
        os.unsetenv(STORAGE_VARIABLE)  # what a process has inherited shows in the list of processes
        _variables = frozenset(os.environ) - {STORAGE_VARIABLE}
        multiprocessing.set_forkserver_preload([_EVERY_WORKERS, _TRAINING] if training else [_EVERY_WORKERS])
    try:
        forkserver.ensure_running()
    except OSError:  # no folder for its socket, or one whose path is too long
        return False
    return True


def worker_variables(threads: int) -> dict[str, str]:
    """What a worker's environment must hold before Python and its libraries start in it."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": "1",  # a worker that replaces a lost one computes as it did
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "MALLOC_TRIM_THRESHOLD_": "65536",  # Dask's own: memory that is free goes back to the system
        "PYTHONHASHSEED": "6640",  # Dask's own: workers go through sets in one order
        "PYTHONWARNINGS": "ignore",
        "DASK_LOGGING__DISTRIBUTED": "error",  # read when the worker imports Dask, before any setting reaches it
    }


@contextmanager
def restored_environment() -> Iterator[None]:
    """Leave the variables that are for workers as they were found: TensorFlow may be imported in this process too.

    What is started in between reads them from this process's environment, in which Dask sets them as well.
    """
    found = {name: os.environ.get(name) for name in worker_variables(1)}
    try:
        yield
    finally:
        for name, value in found.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def present_environment() -> dict[str, str]:
    """What turns the environment of a worker that is forked now into this process's own, which may have changed."""
    own = {name: value for name, value in os.environ.items() if name != STORAGE_VARIABLE}
    return own | {GONE_VARIABLE: " ".join(sorted(_variables - own.keys()))}


def forget_what_is_gone() -> None:
    """In a forked worker: remove the variables that the coordinator no longer has."""
    for name in os.environ.pop(GONE_VARIABLE, "").split():
        os.environ.pop(name, None)


def leave_with_fork_server() -> None:
    """Have this process killed when the one that it was forked from ends, which alone can tell of its own end."""
    if sys.platform.startswith("linux") and forkserver.get_inherited_fds() is not None:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
