"""What a worker does with one training of a learning-rate range test: as with a trial, but that its rate rises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from main.history import Epoch
from optimize.trial import TrialOutcome, TrialTask, load_data, outcome_of, refuse_other_data


@dataclass(frozen=True)
class RateTask(TrialTask):
    """One training under a rising rate."""

    rates: tuple[float, ...] = ()
    """The learning rate of each step."""


@dataclass(frozen=True)
class RateOutcome(TrialOutcome):
    """What came of a training that reached the last rate, or diverged on the way."""

    losses: tuple[float, ...] = ()
    """One per step, before it is taken."""


def run(task: TrialTask, report: Callable[[Epoch], None], stop_requested: Callable[[], bool]) -> TrialOutcome:
    """Train one network while its rate rises; whatever goes wrong becomes a failed outcome, never an exception.

    Args:
        task: what to train, a `RateTask`.
        report: not called, since a range test has no epochs to tell of.
        stop_requested: asked before each batch whether to stop there.

    Returns:
        A `RateOutcome`, unless the training failed or was stopped.
    """
    assert isinstance(task, RateTask)
    return outcome_of(task, lambda: _train(task, stop_requested))


def _train(task: RateTask, stop_requested: Callable[[], bool]) -> TrialOutcome:
    data = load_data(task.config.data)
    refuse_other_data(data, task.data_checksum)
    from main.backend import quiet_import

    quiet_import()
    from main.ratetest import losses_while_rising

    losses = losses_while_rising(
        task.config, data, task.rates, seed=task.seed, precision=task.precision, stop_requested=stop_requested
    )
    if stop_requested():
        return TrialOutcome(task.trial, "interrupted", f"stopped after batch {len(losses)}")
    reason = f"diverged at {task.rates[len(losses) - 1]:.3g}" if len(losses) < len(task.rates) else ""
    return RateOutcome(task.trial, "complete", reason, losses=losses)
