"""Where trials run: one small interface for this process, this machine's cores, and a Dask cluster."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import psutil

from main.errors import UserError
from main.history import Epoch
from optimize.trial import TrialOutcome, TrialTask

T = TypeVar("T")
STORAGE_VARIABLE = "OPTIMIZE_STORAGE"
"""Where the study's database is said to be: to the coordinator alone, which keeps it from every worker."""
TrialRunner = Callable[[TrialTask, Callable[[Epoch], None], Callable[[], bool]], TrialOutcome]


@dataclass(frozen=True)
class TrialBegan:
    """A task's first sign of life from where it runs; until then it waited for a worker to be ready."""

    trial: int
    attempt: int


@dataclass(frozen=True)
class EpochEnded:
    """A running trial has finished an epoch."""

    trial: int
    attempt: int
    epoch: Epoch


@dataclass(frozen=True)
class TrialEnded:
    """A task has come back with its outcome."""

    trial: int
    attempt: int
    outcome: TrialOutcome


@dataclass(frozen=True)
class WorkerLost:
    """The process that trained a trial is gone, and the trial's result with it."""

    trial: int
    attempt: int
    reason: str
    blamed: bool = True
    """Whether the trial may have brought it down; a scheduler that went away takes every trial with it."""


Event = TrialBegan | EpochEnded | TrialEnded | WorkerLost


class Slot(NamedTuple):
    """A place where one trial can run."""

    number: int
    """From 0; the same for a worker and its replacement."""
    address: str


class EngineLost(UserError):
    """The scheduler, or every worker, has been out of reach for too long to wait on."""


class VersionMismatch(UserError):
    """A cluster's worker has other versions of what decides a result."""


class Engine(Protocol):
    """Runs tasks in slots and tells what becomes of them."""

    def slots(self) -> tuple[Slot, ...]:
        """The slots that are alive now."""

    def submit(self, slot: Slot, task: TrialTask) -> None:
        """Start a task in a free slot."""

    def next_event(self, timeout: float) -> Event | None:
        """The next thing that happened; None when `timeout` seconds passed without any."""

    def request_stop(self, trials: Collection[int]) -> None:
        """Ask running trials to stop at the end of their epoch."""

    def kill(self, slot: Slot) -> None:
        """End a slot's process at once, for a fresh one to take its place; a `WorkerLost` follows if it ran a trial."""

    def memory(self, slot: Slot) -> int | None:
        """Bytes of main memory held by a slot's process, where that is known."""

    def suspended(self, slot: Slot) -> bool:
        """Whether a slot's process is known to be stopped (SIGSTOP), and goes on when it is told to."""

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Run any function where trials run, and wait for what it returns."""

    def close(self) -> None:
        """End every worker that this engine started."""


class ThreadEngine:
    """`workers: 0`: one trial at a time in a thread of this process, for debuggers and notebooks."""

    _training = threading.Lock()
    """Held while a trial trains: one that a former engine was closed on goes on to its epoch's end, on networks that
    this process traces once and for all."""

    def __init__(self, run: TrialRunner) -> None:
        self._run = run
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._submitted: set[int] = set()
        self._stopping: set[int] = set()

    def slots(self) -> tuple[Slot, ...]:
        """The only slot."""
        return (Slot(0, "this process"),)

    def submit(self, slot: Slot, task: TrialTask) -> None:
        """Start the task's thread."""
        self._submitted = {task.trial}
        threading.Thread(target=self._work, args=(task,), name=f"trial-{task.trial}", daemon=True).start()

    def _work(self, task: TrialTask) -> None:
        def report(epoch: Epoch) -> None:
            self._events.put(EpochEnded(task.trial, task.attempt, epoch))

        with self._training:
            self._events.put(TrialBegan(task.trial, task.attempt))
            ended = self._ended(task, report)
        self._submitted = set()
        self._events.put(ended)

    def _ended(self, task: TrialTask, report: Callable[[Epoch], None]) -> Event:
        try:
            outcome = self._run(task, report, lambda: task.trial in self._stopping)
        except Exception as error:  # a runner that should have made an outcome of it; its thread would end in silence
            return WorkerLost(task.trial, task.attempt, f"{type(error).__name__}: {error}")
        return TrialEnded(task.trial, task.attempt, outcome)

    def next_event(self, timeout: float) -> Event | None:
        """Wait for the thread to say something."""
        return next_of(self._events, timeout)

    def request_stop(self, trials: Collection[int]) -> None:
        """Raise the flag that a trial reads at its epoch's end."""
        self._stopping.update(trials)

    def kill(self, slot: Slot) -> None:
        """A thread cannot be killed: its trial is asked to stop at its epoch's end instead."""
        self._stopping.update(self._submitted)

    def memory(self, slot: Slot) -> int | None:
        """This process's, while a trial trains in it; between two, what it has kept is the caller's own affair."""
        return int(psutil.Process().memory_info().rss) if self._submitted else None

    def suspended(self, slot: Slot) -> bool:
        """It asks, so it is not."""
        return False

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call it."""
        return function(*args)

    def close(self) -> None:
        """Ask what still trains to stop at its epoch's end."""
        self._stopping.update(self._submitted)


def first_slots(engine: Engine, seconds: float = 60.0) -> tuple[Slot, ...]:
    """The slots that there are, as soon as there is one.

    Raises:
        EngineLost: no worker has come in `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not (slots := engine.slots()):
        if time.monotonic() > deadline:
            raise EngineLost(f"no worker has come in {seconds:.0f} s")
        time.sleep(0.2)
    return slots


def next_of(events: queue.SimpleQueue[Event], timeout: float) -> Event | None:
    """The oldest event, waited for; None when `timeout` seconds passed without any."""
    try:
        return events.get(timeout=timeout)
    except queue.Empty:
        return None
