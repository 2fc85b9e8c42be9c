"""What is told of a sweep while it runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from main.history import Epoch
from optimize.engine import Slot
from optimize.finished import Finished
from optimize.trial import TrialTask


class Observer(Protocol):
    """Whoever shows a sweep's progress."""

    def begin(self, finished: Collection[Finished], remaining: int) -> None:
        """How the sweep stands before this run trains anything."""

    def started(self, task: TrialTask, slot: Slot) -> None:
        """A trial has been handed to a worker."""

    def epoch(self, task: TrialTask, epoch: Epoch) -> None:
        """A running trial has finished an epoch."""

    def ended(self, finished: Finished, remaining: int) -> None:
        """A trial has ended, and about so many are still to come."""

    def note(self, text: str) -> None:
        """Something a person should know."""
