"""Who answers for a worker that went, or grew too large: the trial on it, or those that it trained before."""

from __future__ import annotations

from collections import Counter

from optimize.engine import Slot, WorkerLost
from optimize.running import Running

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

    def wants_a_fresh_worker(self, trial: int, slot: Slot) -> bool:
        """Whether a trial that was spared would meet another worker like the one that was too full for it."""
        return trial in self._spared and slot in self._used

    def runs_again(self, running: Running, lost: WorkerLost) -> bool:
        """Whether a trial whose worker went is trained again; it is on its account then."""
        trial = running.task.trial
        self.replaced(running.slot)
        if running.spared:
            self._spared[trial] += 1
            return True
        if running.killed:
            return False
        self._lost[trial] += lost.blamed
        return self._lost[trial] <= self._retries

    def times(self, trial: int) -> int:
        """How many workers a trial has brought down."""
        return self._lost[trial]
