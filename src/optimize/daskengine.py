"""Trials on the workers of a Dask scheduler: this machine's own, or a cluster's that may come and go."""

from __future__ import annotations

import contextlib
import queue
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import CancelledError
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import dask.config
from distributed import Client, Future, KilledWorker, get_worker
from distributed.client import ClosedClientError
from distributed.comm import CommClosedError

from main.history import Epoch
from optimize.engine import (
    EngineLost,
    EpochEnded,
    Event,
    Slot,
    TrialBegan,
    TrialEnded,
    TrialRunner,
    WorkerLost,
    next_of,
)
from optimize.trial import TrialOutcome, TrialTask

T = TypeVar("T")

POLL_SECONDS = 0.5
GONE_SECONDS = 2.0  # how long a worker is missing before what it ran is given up; its end is told sooner as a rule
FLAG_SECONDS = 5.0  # how long workers are waited for that are told to stop
SCHEDULER_AWAY_SECONDS = 300.0
WORKERS_AWAY_SECONDS = 300.0  # how long a call waits while there is no worker
SCHEDULER_LOST = "scheduler-connection-lost"  # why Dask's client cancels every future then

_LARGE = "distributed.admin.large-graph-warning-threshold"
# What calls on a client without a scheduler raise: a connection that is closed or times out is an OSError, a loop or a
# pool of connections that has been closed a RuntimeError.
_AWAY = (OSError, RuntimeError, ClosedClientError)


@dataclass(frozen=True)
class _Submitted:
    task: TrialTask
    address: str
    future: Future


class DaskEngine:
    """Trials on the workers of a Dask scheduler, one at a time on each.

    A worker's thread runs the trial; each epoch comes back as a Dask event, the outcome as the task's result. Retries
    are the coordinator's: the scheduler must have `allowed-failures: 0`, or it sends a trial that eats memory from
    worker to worker.

    Args:
        client: connected to the scheduler.
        run: what a worker does with a task.
        threads_per_worker: how many trials run in one worker process at once.
        close_cluster: called after the client has been closed.
        mend: called now and then, to fill places whose worker nothing else replaces.
        is_suspended: tells of a worker's address whether its process is stopped, where that can be told.
        reconnect: makes a client anew, after the scheduler has been away; none, where it lives in this process.
        inspect: called with the client and the addresses of workers not seen before; returns those that it could
            look at, and may refuse all by raising `VersionMismatch`.
    """

    def __init__(
        self,
        client: Client,
        run: TrialRunner,
        *,
        threads_per_worker: int = 1,
        close_cluster: Callable[[], object] = lambda: None,
        mend: Callable[[], object] = lambda: None,
        is_suspended: Callable[[str], bool] = lambda address: False,
        reconnect: Callable[[], Client] | None = None,
        inspect: Callable[[Client, Sequence[str]], Collection[str]] = lambda client, addresses: addresses,
    ) -> None:
        self._client, self._run = client, run
        self._threads = threads_per_worker
        self._close_cluster, self._mend, self._is_suspended = close_cluster, mend, is_suspended
        self._reconnect, self._inspect = reconnect, inspect
        self._topic = f"optimize-{uuid.uuid4().hex}"
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._running: dict[int, _Submitted] = {}
        self._missing: dict[str, float] = {}
        self._given_up: set[str] = set()
        self._condemned: set[str] = set()
        self._indices: dict[tuple[str, int], int] = {}
        self._placed: list[str] = []
        self._slots: tuple[Slot, ...] = ()
        self._workers: dict[str, Any] = {}
        self._preparation: Callable[[str], Future] | None = None
        self._prepared: dict[str, Future] = {}
        self._scheduler = ""
        self._polled = -POLL_SECONDS
        self._last_answer = time.monotonic()
        client.subscribe_topic(self._topic, self._hear)

    def slots(self) -> tuple[Slot, ...]:
        """One slot per worker, or as many as `threads_per_worker` says, of those that the scheduler knows now."""
        self._poll()
        known = [address for address in self._workers if address not in self._condemned]
        if known != self._placed:
            self._placed = known
            self._slots = tuple(
                Slot(self._index(str(self._workers[address]["name"]), thread), address)
                for address in known
                for thread in range(self._threads)
            )
        return self._slots

    def submit(self, slot: Slot, task: TrialTask) -> None:
        """Send the task to the slot's worker and to no other."""
        client = self._client
        try:
            future = client.submit(
                work,
                self._run,
                task,
                self._topic,
                key=f"trial-{task.trial}-{task.attempt}-{uuid.uuid4().hex[:8]}",
                workers=[slot.address],
                pure=False,
            )
        except ClosedClientError:  # since the slots were asked for
            self._events.put(WorkerLost(task.trial, task.attempt, "the scheduler went away", blamed=False))
            return
        self._running[task.trial] = _Submitted(task, slot.address, future)
        future.add_done_callback(lambda done: self._finish(task, done, client))

    def next_event(self, timeout: float) -> Event | None:
        """Wait for an epoch, an outcome or a loss; look after the workers meanwhile."""
        event = next_of(self._events, min(timeout, POLL_SECONDS))
        if event is None:
            self._poll()
        elif isinstance(event, TrialEnded | WorkerLost):
            self._forget(event.trial, event.attempt)
            if isinstance(event, WorkerLost):
                self._polled = -POLL_SECONDS
        return event

    def _forget(self, trial: int, attempt: int) -> None:
        """What an attempt that was given up says late is not said of the one that runs now."""
        submitted = self._running.get(trial)
        if submitted is not None and submitted.task.attempt == attempt:
            del self._running[trial]

    def request_stop(self, trials: Collection[int]) -> None:
        """Raise the flag on the workers concerned, without waiting long for those that do not answer."""
        concerned = [self._running[trial] for trial in trials if trial in self._running]
        flags = [(self._topic, submitted.task.trial, submitted.task.attempt) for submitted in concerned]
        addresses = {submitted.address for submitted in concerned}
        if addresses:
            with contextlib.suppress(*_AWAY):
                self._client.sync(
                    self._client._run,
                    stop_on_worker,
                    flags,
                    workers=list(addresses),
                    wait=False,
                    on_error="ignore",
                    callback_timeout=FLAG_SECONDS,
                )

    def kill(self, slot: Slot) -> None:
        """Have the worker's nanny replace its process, without waiting for it; nothing more is sent there."""
        self._condemned.add(slot.address)
        self._client.loop.add_callback(self._replace, self._client, slot.address)

    async def _replace(self, client: Client, address: str) -> None:
        try:
            await client._restart_workers([address], timeout=30, raise_for_error=False)
        except (*_AWAY, KeyError, ValueError):  # it has gone already, or has no nanny: what runs there is forgotten
            for submitted in list(self._running.values()):
                if submitted.address == address:
                    await client._cancel([submitted.future], reason="its worker cannot be killed")

    def memory(self, slot: Slot) -> int | None:
        """As of the worker's last heartbeat."""
        info = self._workers.get(slot.address)
        return int(info["metrics"]["memory"]) if info and "memory" in info["metrics"] else None

    def suspended(self, slot: Slot) -> bool:
        """Of this machine's workers alone: nobody tells of a cluster's."""
        return self._is_suspended(slot.address)

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Run it on any worker; once more where that one is lost.

        Raises:
            EngineLost: the second is lost too, or the scheduler is, or no worker has been there for five minutes.
        """
        with contextlib.suppress(KilledWorker, CancelledError):
            return self._called(function, *args)
        try:
            return self._called(function, *args)
        except (KilledWorker, CancelledError) as error:
            raise EngineLost("two workers were lost, one after the other") from error

    def _called(self, function: Callable[..., T], *args: Any) -> T:
        try:
            with dask.config.set({_LARGE: "1 TB"}):  # weights are large; Dask would have the user think again
                future = self._client.submit(function, *args, pure=False)
            self._wait_for(future)
            result: T = future.result()
        except (CancelledError, CommClosedError, ClosedClientError) as error:
            if isinstance(error, CancelledError) and getattr(error, "reason", None) != SCHEDULER_LOST:
                raise
            raise EngineLost("the Dask scheduler went away") from error
        return result

    def _wait_for(self, future: Future) -> None:
        """Wait for a call's end, and look after the workers meanwhile: nobody else does.

        Not by `_poll`: several threads may wait for calls, and a new scheduler would know nothing of them.
        """
        seen = time.monotonic()
        while self._client.status == "running":  # else the client has ended every call itself
            with contextlib.suppress(TimeoutError):
                future.exception(timeout=POLL_SECONDS)
                return
            self._mend()
            if self._has_workers():
                seen = time.monotonic()
            elif time.monotonic() - seen > WORKERS_AWAY_SECONDS:
                raise EngineLost(f"no worker has been there for {WORKERS_AWAY_SECONDS:.0f} s")

    def _has_workers(self) -> bool:
        with contextlib.suppress(*_AWAY):
            return bool(self._client.sync(self._client.scheduler.identity, n_workers=0)["n_workers"])
        return False

    def warm_up(self, function: Callable[..., object], *args: Any) -> None:
        """Run a function once on every worker ahead of its first trial, on those still to come too."""
        self._preparation = lambda address: self._client.submit(function, *args, workers=[address], pure=False)
        self._poll(now=True)

    def _prepare(self) -> None:
        """Nobody waits for it: a worker's trials queue behind."""
        if self._preparation is not None:
            kept = {address: future for address, future in self._prepared.items() if address in self._workers}
            new = [address for address in self._workers if address not in kept]
            self._prepared = kept | {address: self._preparation(address) for address in new}

    def close(self) -> None:
        """Leave the scheduler, and end it with its workers where this engine started them.

        One that does not answer in time is left to itself: everything has been said, and workers end with us. Those of
        a cluster do not: what still runs there is told to stop at its epoch's end.
        """
        if self._reconnect is not None:
            self.request_stop(self._running)
        for leave in (self._client.close, self._close_cluster):
            with contextlib.suppress(*_AWAY, ValueError):  # of addresses that are asked for as they go
                leave()

    def _hear(self, event: tuple[float, dict[str, Any]]) -> None:
        _, message = event
        trial, attempt, epoch = message["trial"], message["attempt"], message["epoch"]
        if epoch is None:
            self._events.put(TrialBegan(trial, attempt))
        else:
            self._events.put(EpochEnded(trial, attempt, Epoch(**epoch)))

    def _finish(self, task: TrialTask, future: Future, client: Client) -> None:
        """Turn a task's end into an event; called in a thread of the client's."""
        if client is not self._client:
            return  # lost with its scheduler, and told already
        try:
            self._events.put(TrialEnded(task.trial, task.attempt, future.result()))
        except KilledWorker:
            self._events.put(WorkerLost(task.trial, task.attempt, "its worker process died"))
        except (CancelledError, CommClosedError, TimeoutError) as error:
            alone = getattr(error, "reason", None) != SCHEDULER_LOST
            reason = "its worker went away" if alone else "the scheduler went away"
            self._events.put(WorkerLost(task.trial, task.attempt, reason, blamed=future.key in self._given_up))
        except Exception as error:  # the task could not even be unpacked or started there
            self._events.put(WorkerLost(task.trial, task.attempt, f"{type(error).__name__}: {error}"))
        finally:
            future.release()

    # Workers and scheduler

    def _poll(self, now: bool = False) -> None:
        if not now and time.monotonic() - self._polled < POLL_SECONDS:
            return
        try:
            if self._client.status == "closed":
                raise CommClosedError("the connection is closed")
            # Not `scheduler_info()`: a periodic refresh of the client's own may hand it a list without workers.
            self._take_stock(self._client.sync(self._client.scheduler.identity, n_workers=-1))
        except _AWAY as error:
            self._scheduler_away(error)
        self._polled = time.monotonic()

    def _take_stock(self, identity: dict[str, Any]) -> None:
        self._last_answer = time.monotonic()
        if self._scheduler and identity["id"] != self._scheduler:
            self._start_over()  # what a new scheduler was never told, it will not finish
            return
        self._scheduler = identity["id"]
        workers = dict(identity["workers"])
        strangers = [address for address in workers if address not in self._workers]
        unknown = set(strangers) - set(self._inspect(self._client, strangers)) if strangers else set()
        self._workers = {address: info for address, info in workers.items() if address not in unknown}
        self._condemned &= workers.keys()  # a new process may come back at the address
        self._prepare()
        self._mend()
        self._give_up_the_lost()

    def _scheduler_away(self, error: Exception) -> None:
        self._workers = {}
        away = time.monotonic() - self._last_answer
        if self._reconnect is None or away > SCHEDULER_AWAY_SECONDS:
            why = f"{type(error).__name__}: {error}"
            raise EngineLost(
                f"the Dask scheduler has not answered for {away:.0f} s ({why}); every finished trial is kept: run "
                "again, once it is back, to go on"
            ) from error
        with contextlib.suppress(*_AWAY):
            self._start_over()

    def _start_over(self) -> None:
        """Connect anew; trials that the former connection knew of are lost, through no fault of theirs."""
        assert self._reconnect is not None
        former, self._client = self._client, self._reconnect()
        for submitted in self._running.values():
            task = submitted.task
            self._events.put(WorkerLost(task.trial, task.attempt, "the scheduler went away", blamed=False))
        self._scheduler, self._workers, self._prepared = "", {}, {}
        self._client.subscribe_topic(self._topic, self._hear)
        with contextlib.suppress(*_AWAY):
            former.close(timeout=1)

    def _give_up_the_lost(self) -> None:
        """A task bound to a worker that left before it started would wait for ever."""
        now = time.monotonic()
        addresses = {submitted.address for submitted in self._running.values()} - self._workers.keys()
        self._missing = {address: self._missing.get(address, now) for address in addresses}
        if self._client.status != "running" or not self._scheduler:
            return
        for submitted in list(self._running.values()):
            since = self._missing.get(submitted.address, now)
            if now - since > GONE_SECONDS and not submitted.future.done():
                self._given_up.add(submitted.future.key)
                submitted.future.cancel()  # its callback tells

    def _index(self, name: str, thread: int) -> int:
        return self._indices.setdefault((name, thread), len(self._indices))


# On a worker

_stopping: set[tuple[str, int, int]] = set()


def work(run: TrialRunner, task: TrialTask, topic: str) -> TrialOutcome:
    """Run a task on a Dask worker, with its beginning and each epoch sent as an event.

    It stops at an epoch's end where it is told to, and where Dask has cancelled it: nobody waits for it any more, as
    when a cluster has outlived its coordinator.
    """
    worker = get_worker()
    key = worker.get_current_task()

    def send(epoch: dict[str, Any] | None) -> None:
        worker.log_event(topic, {"trial": task.trial, "attempt": task.attempt, "epoch": epoch})

    def report(epoch: Epoch) -> None:
        send(asdict(epoch))

    def stop_requested() -> bool:
        known = worker.state.tasks.get(key)
        cancelled = known is None or known.state == "cancelled"
        return cancelled or (topic, task.trial, task.attempt) in _stopping

    send(None)
    return run(task, report, stop_requested)


async def stop_on_worker(flags: Iterable[tuple[str, int, int]]) -> None:
    """Raise the flag that `work` reads after each epoch; on the worker's event loop, which a trial does not block."""
    _stopping.update(flags)
