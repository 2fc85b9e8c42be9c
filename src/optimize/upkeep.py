"""When a worker that is between two trials holds so much memory that a fresh one should take its place."""

from __future__ import annotations

from optimize.engine import Slot

MOST_GROWTH = 2**30  # bytes; traced networks and read data make any worker grow a little over its first trials


class Upkeep:
    """Compares what a worker's process holds after each of its trials with what it held after its first.

    Args:
        memory: most memory of a worker, in bytes, where the sweep file says it; a quarter of it is then the most that a
            worker may grow, if that is less than 1 GiB.
    """

    def __init__(self, memory: int | None) -> None:
        self._most = MOST_GROWTH if memory is None else min(MOST_GROWTH, memory // 4)
        self._first: dict[Slot, int] = {}

    def after_trial(self, slot: Slot, memory: int | None) -> str:
        """Why the worker in `slot` should be replaced, in words; empty where it need not be."""
        if memory is None:
            return ""
        first = self._first.setdefault(slot, memory)
        if memory - first <= self._most:
            return ""
        del self._first[slot]  # its successor has the same number, and as a rule another address
        return f"had grown from {first / 2**20:.0f} to {memory / 2**20:.0f} MiB"
