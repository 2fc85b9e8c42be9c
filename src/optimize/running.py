"""A trial on a worker, and when it has outgrown the limits that the sweep file sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from optimize.engine import Event, Slot
from optimize.sections import RunConfig
from optimize.trial import TrialOutcome, TrialTask
from optimize.wording import limit

READY_SECONDS = 600.0  # how much longer than `run.timeout` a trial may take whose worker has not begun with it


@dataclass
class Running:
    """A trial on a worker."""

    task: TrialTask
    slot: Slot
    seconds: float = 0.0
    """Since it was submitted; since it began, once it has. Those for which its process was suspended do not count."""
    began: bool = False
    pruned_at: int | None = None
    killed: str = ""
    """Why this process ended the trial's worker, if it did."""
    spared: bool = False
    """Whether that was no fault of the trial, which is to run again."""

    def begin(self) -> None:
        """Its first sign of life: from here on its time counts."""
        self.began, self.seconds = True, 0.0

    def held_to_limits(self, outcome: TrialOutcome) -> TrialOutcome:
        """What came of it: a failure where it stopped because it had outgrown a limit."""
        if self.killed and outcome.state == "interrupted":
            return replace(outcome, state="failed", reason=self.killed)
        return outcome

    def overtime(self, limits: RunConfig) -> str:
        """In words, that it has run for too long; empty where it has not."""
        if limits.timeout is None or self.seconds <= limits.timeout + (0.0 if self.began else READY_SECONDS):
            return ""
        return f"ran longer than {limit(limits.timeout)}" if self.began else "its worker did not begin with it"

    def excess(self, limits: RunConfig, memory: int | None) -> str:
        """In words, that its worker holds too much memory, of so many bytes, if known; empty where it does not."""
        if limits.memory is None or not self.began or (memory or 0) <= limits.memory:
            return ""
        return f"grew beyond {limits.memory / 2**20:.0f} MiB"


def concerned(running: Mapping[int, Running], event: Event | None) -> Running | None:
    """What an event is about, of what runs by its number; an attempt that was given up has nothing more to say."""
    found = None if event is None else running.get(event.trial)
    return found if event is not None and found is not None and found.task.attempt == event.attempt else None
