"""A trial on a worker, and when it has outgrown the limits that the sweep file sets."""

from __future__ import annotations

from dataclasses import dataclass

from optimize.engine import Slot
from optimize.sections import RunConfig
from optimize.trial import TrialTask

READY_SECONDS = 600.0  # how much longer than `run.timeout` a trial may take whose worker has not begun with it


@dataclass
class Running:
    """A trial on a worker."""

    task: TrialTask
    slot: Slot
    blame: int = 0
    """How many workers it has brought down."""
    seconds: float = 0.0
    """Since it was submitted; since it began, once it has."""
    began: bool = False
    pruned_at: int | None = None
    killed: str = ""
    """Why this process ended the trial's worker, if it did."""

    def excess(self, limits: RunConfig, memory: int | None) -> str:
        """Which limit it has outgrown, in words; empty where none. `memory` is its worker's, in bytes, if known."""
        if limits.timeout is not None and self.seconds > limits.timeout + (0.0 if self.began else READY_SECONDS):
            return f"ran longer than {limits.timeout:g} s" if self.began else "its worker did not begin with it"
        if limits.memory is not None and (memory or 0) > limits.memory:
            return f"grew beyond {limits.memory / 2**20:.0f} MiB"
        return ""
