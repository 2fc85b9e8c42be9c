"""This machine's worker processes, each on cores and a GPU of its own; and the way to the workers of a cluster."""

from __future__ import annotations

import asyncio
import atexit
import gc
import logging
import os
import random
import signal
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from distributed import Client, Nanny, Scheduler, batched
from tornado.ioloop import IOLoop

from main.backend import uncollected
from main.config import DataConfig
from main.errors import UserError
from main.gpus import VISIBLE, gpus
from optimize.cores import machine_cores
from optimize.crew import Crew, ForkingNanny, leave_out_main_module
from optimize.daskengine import DaskEngine
from optimize.engine import STORAGE_VARIABLE, TrialRunner, VersionMismatch
from optimize.forking import (
    forget_what_is_gone,
    leave_with_fork_server,
    present_environment,
    start_fork_server,
    worker_variables,
)
from optimize.trial import load_data

DECISIVE = ("python", "tensorflow", "keras", "numpy", "distributed", "optimize-sweeps")
CORES_VARIABLE = "OPTIMIZE_CORES"
BUSY_SECONDS = 0.2  # over which cores are watched, where a sweep leaves some idle
LOG_VARIABLE = "OPTIMIZE_WORKER_LOG"

_SETTINGS = {
    "distributed.scheduler.allowed-failures": 0,  # retries are the coordinator's
    "distributed.scheduler.worker-ttl": None,  # a machine that slept, or whose clock moved, has lost no worker
    "distributed.worker.daemon": True,
    "distributed.worker.memory.target": False,  # a trial's memory is its own: nothing to spill
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    "distributed.admin.tick.limit": "1 h",  # a long step is no fault worth a log line
    # With which Dask watches itself, a hundred times a second, on 7 % of the core on which a worker trains.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1 s",
    "distributed.admin.system-monitor.interval": "10 s",
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.comm.timeouts.connect": "60 s",
}


def local_engine(run: TrialRunner, *, workers: int, threads: int = 1, log: Path | None = None) -> DaskEngine:
    """Start `workers` processes, each pinned to `threads` cores; they leave with this process, however it ends.

    Where there are GPUs each worker has one, shared where there are more workers; it is then pinned to its share of
    the cores, at least `threads`, which feed the GPU.

    Args:
        run: what a worker does with a task.
        workers: how many processes.
        threads: cores of each; workers share cores where there are not enough.
        log: where the workers' own output goes.

    Raises:
        optimize.engine.EngineLost: not one worker could be started.
    """
    _silence_dask()
    _keep_time_steadily()
    leave_out_main_module()
    cores, devices = machine_cores(), gpus()
    pinned = max(threads, len(cores) // workers) if devices else threads
    if workers * pinned < len(cores):
        cores = _least_busy(cores)
    forked = start_fork_server(threads)
    variables = worker_variables(threads)
    os.environ.update(variables)  # Dask, which sets them too, would keep those that were set before
    settings = {**_SETTINGS, "distributed.nanny.pre-spawn-environ": variables}
    os.unsetenv(STORAGE_VARIABLE)  # what a process has inherited shows in the list of processes; `os.environ` keeps it
    with warnings.catch_warnings(), uncollected():  # a collection that Dask only sees end would print a trace
        warnings.simplefilter("ignore")
        cluster = Crew(
            settings,
            scheduler={"cls": Scheduler, "options": {"host": "127.0.0.1", "dashboard": False, "port": 0}},
            workers={
                slot: {
                    "cls": ForkingNanny if forked else Nanny,
                    "options": {
                        "config": settings,  # of workers too that it starts later, when they are not in force here
                        "nthreads": 1,
                        "memory_limit": 0,  # a trial's limit is the coordinator's to watch
                        "preload": ["optimize.workers"],
                        "env": present_environment() | _worker_environment(slot, pinned, cores, devices, log),
                        "host": "127.0.0.1",
                        "dashboard": False,
                    },
                }
                for slot in range(workers)
            },
            log=log,
            silence_logs=logging.CRITICAL,
        )
        client = Client(cluster, set_as_default=False)
    return DaskEngine(client, run, close_cluster=cluster.close, mend=cluster.mend, is_suspended=cluster.is_suspended)


def _keep_time_steadily() -> None:
    """Let Dask's streams wait by a clock that nobody sets.

    They and Tornado's loop read the wall's: where that is set back by an hour, they would send nothing for an hour.
    Must precede the first stream; a notebook's own loop, which runs already, is left alone.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        alone = True
    else:
        alone = CORES_VARIABLE in os.environ  # a worker process, whose only loop is Dask's
    if alone:
        batched.time = time.monotonic
        setattr(IOLoop, "time", lambda self: time.monotonic())  # noqa: B010 - a type checker refuses the assignment


def _least_busy(cores: list[int]) -> list[int]:
    """The cores, those first that others use least: two sweeps of few workers should not share some and leave others.

    Of those that are equally idle, a sweep that starts at the same moment should not take the same.
    """
    busy = dict(enumerate(psutil.cpu_percent(interval=BUSY_SECONDS, percpu=True)))
    return sorted(random.sample(cores, len(cores)), key=lambda core: busy.get(core, 0.0))


def _worker_environment(
    slot: int, pinned: int, cores: list[int], devices: Sequence[str], log: Path | None
) -> dict[str, str]:
    first = slot * pinned
    chosen = sorted({cores[(first + offset) % len(cores)] for offset in range(pinned)})
    environment = {CORES_VARIABLE: ",".join(map(str, chosen))}
    if devices:
        environment[VISIBLE] = devices[slot % len(devices)]
    if log is not None:
        environment[LOG_VARIABLE] = str(log.resolve())
    return environment


def cluster_engine(run: TrialRunner, address: str, *, patience: str = "20 s") -> DaskEngine:
    """Use the workers of a scheduler that is already running; `patience` is how long it may take to answer at first.

    Raises:
        NoScheduler: none answers there.
        VersionMismatch: from the engine, whenever it meets a worker that has other versions than this process, of a
            package that matters; each is named.
    """

    def connect(timeout: str) -> Client:
        return Client(address, set_as_default=False, timeout=timeout)

    _silence_dask()
    try:
        client = connect(patience)
    except OSError as error:
        raise NoScheduler(f"no Dask scheduler answers at {address}") from error
    return DaskEngine(
        client,
        run,
        reconnect=lambda: connect("5 s"),
        inspect=lambda client, addresses: refuse_other_versions(client, addresses, package_versions()),
    )


def _silence_dask() -> None:
    """A scheduler or worker that is lost is told of in the sweep's words, without Dask's own traces of it."""
    for name in ("distributed", "distributed.client"):  # Dask gives the second a level of its own
        logging.getLogger(name).setLevel(logging.CRITICAL)


def refuse_other_versions(client: Client, addresses: Sequence[str], ours: dict[str, str]) -> list[str]:
    """Make sure that workers have our versions of what decides a result.

    Returns:
        Those that have; a worker that did not answer is to be asked again.

    Raises:
        VersionMismatch: one has not; every package of every worker is named.
        OSError: the scheduler does not answer.
    """
    answers = client.run(package_versions, workers=list(addresses), on_error="return")
    heard = {address: answer for address, answer in answers.items() if not isinstance(answer, OSError)}
    faults = {address: answer for address, answer in heard.items() if isinstance(answer, Exception)}
    mismatches = compare_versions({address: heard[address] for address in heard.keys() - faults.keys()}, ours)
    mismatches += [f"{address}: {type(fault).__name__}: {fault}" for address, fault in sorted(faults.items())]
    if mismatches:
        raise VersionMismatch("\n".join(mismatches))
    return list(heard)


class NoScheduler(UserError):
    """No Dask scheduler answers at the address that the sweep file gives."""


def package_versions() -> dict[str, str]:
    """The versions that must agree between a coordinator and its workers; what is not installed is left out."""
    from main.provenance import versions

    found = versions()
    return {name: found[name] for name in DECISIVE if name in found}


def compare_versions(workers: dict[str, dict[str, str]], ours: dict[str, str]) -> list[str]:
    """A line for each package of each worker that differs from ours."""
    return [
        f"{address}: {package} {theirs.get(package, 'missing')}, here {version}"
        for address, theirs in sorted(workers.items())
        for package, version in ours.items()
        if theirs.get(package) != version
    ]


# In a worker process


def dask_setup(worker: Any) -> None:
    """Dask's preload hook: pin the process to its cores, and leave signals and the study to the coordinator."""
    os.environ.pop(STORAGE_VARIABLE, None)  # on a cluster: a trial needs no database, its password no further process
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # a terminal, and a batch system, signal the whole process group
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    leave_with_fork_server()
    forget_what_is_gone()
    _keep_time_steadily()
    _pin_every_thread(os.environ.get(CORES_VARIABLE, ""))
    atexit.register(gc.freeze)  # or the interpreter's last collections take TensorFlow apart, for seconds
    log = os.environ.get(LOG_VARIABLE)
    if log:
        handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.close(handle)


def _pin_every_thread(cores: str) -> None:
    """Threads made later inherit the affinity of the one that makes them; those that exist must be told."""
    if not cores or not hasattr(os, "sched_setaffinity"):
        return
    chosen = {int(core) for core in cores.split(",")}
    for task in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(task.name), chosen)


def prepare(data: DataConfig, threads: int) -> None:
    """What every worker does while the coordinator is still planning: import TensorFlow, read the data."""
    from main.backend import quiet_import, set_threads

    quiet_import(whole=False)
    gc.freeze()  # what was imported stays: collections while a network is traced need not walk it
    set_threads(threads)
    load_data(data)
