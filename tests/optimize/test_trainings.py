"""Trainings without a study: a reproduction's and a range test's, when their workers go."""

from collections.abc import Callable

import pytest

import stubs
from main.history import Epoch
from optimize.config import SweepConfig
from optimize.engine import Engine, EpochEnded, Slot, ThreadEngine, WorkerLost
from optimize.reproduce import _trained
from optimize.trainings import Trainings
from optimize.trial import TrialOutcome, TrialTask
from sweeps import POOLING


class Deadly(ThreadEngine):
    """Loses the worker of the first attempts."""

    def __init__(self, losses: int) -> None:
        super().__init__(stubs.learn)
        self._losses = losses

    def submit(self, slot: Slot, task: TrialTask) -> None:
        if task.attempt > self._losses:
            super().submit(slot, task)
            return
        self._events.put(EpochEnded(task.trial, task.attempt, Epoch(1, 0.1, 0.9, 0.1, 0.9, 0.1, 1e-3, 0.1)))
        self._events.put(WorkerLost(task.trial, task.attempt, "its worker process died"))


def task_of(config: SweepConfig, trial: int = 0) -> TrialTask:
    return TrialTask(trial, {}, "max", 3, config.concrete({"model.pooling": "max"}), "val_accuracy", "float32", "sum")


@pytest.mark.parametrize(("losses", "state"), [(1, "complete"), (3, "failed")])
def test_a_training_whose_worker_goes_is_made_again_as_often_as_a_trial_is(
    sweep: Callable[[str], SweepConfig], losses: int, state: str
) -> None:
    config, said, ended = sweep(POOLING), list[str](), list[tuple[int, str]]()
    tasks = [task_of(config, trial) for trial in range(2)]

    def on_end(task: TrialTask, outcome: TrialOutcome) -> None:
        ended.append((task.trial, outcome.state))

    outcomes = Trainings(tasks, config.run, Deadly(losses), said.append, on_end=on_end).run()
    assert ended == [(0, state), (1, state)]
    assert [outcomes[trial].state for trial in range(2)] == [state, state]
    assert said == ["max, seed 3: its worker process died; it runs again"] * 2 * min(losses, 2)
    if losses == 3:
        assert outcomes[0].reason == "its worker process died, 3 times"


def test_a_reproduction_outlives_its_worker_and_has_the_time_that_it_takes(
    sweep: Callable[[str], SweepConfig],
) -> None:
    config = sweep(POOLING + "run: {timeout: 0.1}\n")
    epochs: list[int] = []
    engine: Engine = Deadly(1)
    engine._run = stubs.slow  # type: ignore[attr-defined]
    outcome = _trained(engine, task_of(config), config.run, lambda epoch: epochs.append(epoch.epoch), lambda _: None)
    assert outcome.state == "complete"
    assert epochs == [1, 1, 2, 3]
