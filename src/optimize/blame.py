"""Who answers for a worker that went, or grew too large: the trial on it, or those that it trained before."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from optimize.engine import Slot, WorkerLost
from optimize.running import Running
from optimize.trial import TrialTask
from optimize.wording import counted

MOST_SPARED = 3  # times that a trial is not blamed for the memory of a worker that has trained others before


class Blame:
    """What trials have on their account, and which workers have trained any.

    A worker that has trained before holds something of its earlier trials: what grows too large there runs again, and
    is to blame only where a fresh worker is too small for it.

    Args:
        retries: how many workers a trial may bring down and be trained again.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._lost: Counter[int] = Counter()
        self._spared: Counter[int] = Counter()
        self._used: set[Slot] = set()

    def trained(self, slot: Slot) -> None:
        """A trial has ended there."""
        self._used.add(slot)

    def replaced(self, slot: Slot) -> None:
        """A fresh worker takes that place."""
        self._used.discard(slot)

    def spares(self, trial: int, slot: Slot) -> bool:
        """Whether a trial does not answer for the memory of its worker."""
        return slot in self._used and self._spared[trial] < MOST_SPARED

    def next_for(self, slot: Slot, waiting: list[TrialTask], *, alone: bool) -> TrialTask | None:
        """Take out of those that wait the first that may run on a worker; None where none may.

        One that was spared waits for a fresh worker, or it would meet another like that which was too full for it.

        Args:
            slot: The worker's.
            waiting: Those that wait.
            alone: Whether nothing runs meanwhile: a fresh worker may then never come, and any will do.
        """
        fresh = slot not in self._used
        for place, task in enumerate(waiting):
            if alone or fresh or task.trial not in self._spared:
                return waiting.pop(place)
        return None

    def after_loss(self, running: Running, lost: WorkerLost) -> tuple[TrialTask | None, str]:
        """What is trained again of a trial whose worker went, None where it has failed; and why, in words."""
        task = running.task
        if not self._runs_again(running, lost):
            return None, running.killed or f"{lost.reason}, {counted(self._lost[task.trial], 'time')}"
        why = f"its worker {running.killed}" if running.spared else lost.reason
        return replace(task, attempt=task.attempt + 1), why

    def _runs_again(self, running: Running, lost: WorkerLost) -> bool:
        trial = running.task.trial
        self.replaced(running.slot)
        if running.spared:
            self._spared[trial] += 1
            return True
        if running.killed:
            return False
        self._lost[trial] += lost.blamed
        return self._lost[trial] <= self._retries
