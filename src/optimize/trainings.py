"""Trainings that are no trials of a study, run on an engine by the rules that trials run by."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from main.history import Epoch
from optimize.blame import Blame
from optimize.engine import Engine, EpochEnded, Event, TrialBegan, TrialEnded, WorkerLost, first_slots
from optimize.running import Running, concerned
from optimize.sections import RunConfig
from optimize.trial import TrialOutcome, TrialTask
from optimize.watch import Desertion, Ticks, Watch


class Trainings:
    """Some trainings, as many at once as the engine has slots, under the watch that trials are under.

    Args:
        tasks: all of them, by which number in `trial`.
        run: how long each may take, how much memory, and how often it is tried again.
        engine: where they run.
        announce: told of each that runs again, and where no worker comes.
        on_epoch: told of each epoch.
        on_end: told of each as it ends.
    """

    def __init__(
        self,
        tasks: Sequence[TrialTask],
        run: RunConfig,
        engine: Engine,
        announce: Callable[[str], None],
        *,
        on_epoch: Callable[[Epoch], None] = lambda _: None,
        on_end: Callable[[TrialTask, TrialOutcome], None] = lambda _, __: None,
    ) -> None:
        self._engine, self._announce = engine, announce
        self._on_epoch, self._on_end = on_epoch, on_end
        self._waiting = list(tasks)
        self._running: dict[int, Running] = {}
        self._ended: dict[int, TrialOutcome] = {}
        self._blame = Blame(run.retries)
        self._watch = Watch(run, self._blame)
        self._desertion = Desertion(run.engine, announce)

    def run(self) -> dict[int, TrialOutcome]:
        """What came of each, by its number.

        Raises:
            optimize.engine.EngineLost: no worker comes at first, or the cluster's scheduler is gone.
        """
        first_slots(self._engine)
        ticks = Ticks()
        while self._waiting or self._running:
            self._fill()
            self._handle(self._engine.next_event(timeout=0.2))
            passed = ticks()
            self._watch.after(passed, self._running.values(), self._engine)
            self._desertion.after(passed, self._engine)
        return self._ended

    def _fill(self) -> None:
        taken = {running.slot for running in self._running.values()}
        for slot in self._engine.slots():
            free = slot not in taken
            task = self._blame.next_for(slot, self._waiting, alone=not self._running) if free else None
            if task is not None:
                self._running[task.trial] = Running(task, slot)
                self._engine.submit(slot, task)

    def _handle(self, event: Event | None) -> None:
        running = concerned(self._running, event)
        if running is None:
            return
        if isinstance(event, TrialBegan):
            running.begin()
        elif isinstance(event, EpochEnded):
            self._on_epoch(event.epoch)
        elif isinstance(event, TrialEnded):
            self._blame.trained(running.slot)
            self._end(running, running.held_to_limits(event.outcome))
        elif isinstance(event, WorkerLost):
            self._lost(running, event)

    def _lost(self, running: Running, lost: WorkerLost) -> None:
        task = running.task
        again, why = self._blame.after_loss(running, lost)
        if again is None:
            self._end(running, TrialOutcome(task.trial, "failed", why))
            return
        del self._running[task.trial]
        self._waiting.insert(0, again)
        self._announce(f"{task.configuration}, seed {task.seed}: {why}; it runs again")

    def _end(self, running: Running, outcome: TrialOutcome) -> None:
        del self._running[running.task.trial]
        self._ended[running.task.trial] = outcome
        self._on_end(running.task, outcome)
