"""Trials that run, held against the limits of the sweep file: what takes too long, or too much memory, is ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from optimize.blame import Blame
from optimize.engine import Engine
from optimize.running import Running
from optimize.sections import RunConfig

LONGEST_TICK = 5.0  # seconds; a longer one means this process slept, and no trial is charged for it
DESERTED_SECONDS = 30.0  # without a single worker before somebody is told
WATCH_SECONDS = 0.2  # how often running trials are held against their limits


class Ticks:
    """Seconds from one call to the next; none where this process slept in between."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self) -> float:
        """Seconds since the last call, or since this was made."""
        now = time.monotonic()
        passed, self._last = now - self._last, now
        return passed if passed < LONGEST_TICK else 0.0


class Desertion:
    """Says once that there is no worker: on a cluster it may take hours until one comes, or none ever does.

    Args:
        address: of the cluster's scheduler; None on this machine.
        say: told of it.
    """

    def __init__(self, address: str | None, say: Callable[[str], None]) -> None:
        self._where, self._say = f" at {address}" if address else "", say
        self._deserted = 0.0

    def after(self, seconds: float, engine: Engine) -> None:
        """Look for workers, so many seconds after the last time."""
        if engine.slots():
            self._deserted = 0.0
            return
        before, self._deserted = self._deserted, self._deserted + seconds
        if before < DESERTED_SECONDS <= self._deserted:
            self._say(f"no worker is there yet; waiting for one{self._where}")


class Watch:
    """Ends trials that outgrow their limits.

    Args:
        limits: the sweep file's.
        blame: says which trials do not answer for the memory of their worker.
    """

    def __init__(self, limits: RunConfig, blame: Blame) -> None:
        self._limits, self._blame = limits, blame
        self._unwatched = 0.0

    def after(self, seconds: float, trials: Iterable[Running], engine: Engine) -> None:
        """Charge trials for seconds that have passed, and kill what has outgrown its limits.

        This is done now and then: hundreds of trials may be running. A suspended process is not charged: whoever
        stopped it may have it go on.
        """
        self._unwatched += seconds
        if self._unwatched < WATCH_SECONDS or (self._limits.timeout is None and self._limits.memory is None):
            return
        for running in trials:
            if not engine.suspended(running.slot):
                running.seconds += self._unwatched
            self._judge(running, engine)
        self._unwatched = 0.0

    def _judge(self, running: Running, engine: Engine) -> None:
        overtime = running.overtime(self._limits)
        excess = running.excess(self._limits, engine.memory(running.slot))
        if (overtime or excess) and not running.killed:
            running.killed = overtime or excess
            running.spared = not overtime and self._blame.spares(running.task.trial, running.slot)
            engine.kill(running.slot)
