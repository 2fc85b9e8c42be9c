"""A trial that has ended: everything that tables, proposals and export know of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from main.history import Epoch
from main.yaml12 import plain
from optimize.trial import TrialOutcome, TrialTask


@dataclass(frozen=True)
class Finished:
    """A trial that has ended, as its folder keeps it: the row it makes in every table follows from this alone."""

    values: dict[str, Any]
    configuration: str
    seed: int
    purpose: str
    outcome: TrialOutcome
    fold: int | None = None
    """The fold that validated, from 0; None in a sweep without folds."""

    @classmethod
    def of(cls, task: TrialTask, outcome: TrialOutcome) -> Finished:
        """What is kept of a task and what came of it."""
        return cls(task.values, task.configuration, task.seed, task.purpose, outcome, task.fold)


def to_json(finished: Finished) -> str:
    """The text of outcome.json; weights are a file of their own."""
    content = asdict(finished)
    del content["outcome"]["weights"]
    return json.dumps(content, default=list) + "\n"


def from_json(text: str) -> Finished:
    """What `to_json` wrote.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: the text is not whole, or somebody has changed it.
    """
    content = json.loads(text)
    told = content.pop("outcome")
    history = tuple(Epoch(**epoch) for epoch in told.pop("history"))
    values = {path: plain(value) for path, value in content.pop("values").items()}
    outcome = TrialOutcome(history=history, **told)
    if not (_is_sound(outcome) and isinstance(content["seed"], int)):
        raise ValueError("no trial ends so")
    return Finished(values=values, **content, outcome=outcome)


def _is_sound(outcome: TrialOutcome) -> bool:
    """Whether a trial can have ended so: what is read of an outcome is computed with."""
    figures = [figure for epoch in outcome.history for figure in vars(epoch).values()]
    best = outcome.best()
    return (
        outcome.state in ("complete", "pruned", "failed")
        and all(isinstance(figure, int | float) for figure in (outcome.trial, outcome.seconds, *figures))
        and ((best is not None) if outcome.state == "complete" else (best is None) == (outcome.best_epoch is None))
    )
