"""What a person sees while a sweep runs: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import errno
import math
import time
from collections import Counter, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from main.history import Epoch, better
from optimize.config import SweepConfig
from optimize.engine import Slot
from optimize.finished import Finished
from optimize.trial import TrialTask
from optimize.wording import counted, duration, trained_on, value_text

STYLES = {"complete": "green", "pruned": "yellow", "failed": "red"}


@dataclass
class Tally:
    """Where a sweep stands."""

    metric: str
    remaining: int
    """Trials not ended yet, running ones included, as far as is known."""
    states: Counter[str] = field(default_factory=Counter)
    best: Finished | None = None
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=50))
    """Wall time of each of the latest trials."""
    at_once: int = 1
    """The most trials that have run at the same time."""

    def take_up(self, finished: Finished) -> None:
        """Count a trial that an earlier run finished."""
        self.states[finished.outcome.state] += 1
        value = self.value(finished)
        if finished.outcome.state == "complete" and value is not None:
            champion = self.value(self.best) if self.best else None
            if champion is None or better(value, champion, self.metric):
                self.best = finished

    def end(self, finished: Finished, remaining: int) -> None:
        """Count a trial that has just ended."""
        self.take_up(finished)
        self.remaining = remaining
        self.seconds.append(finished.outcome.seconds)

    def value(self, finished: Finished) -> float | None:
        """The metric at the trial's best epoch."""
        best = finished.outcome.best()
        return float(getattr(best, self.metric)) if best else None

    def seconds_left(self) -> float | None:
        """What the latest trials took, for those still to come; None before the first has ended."""
        if not self.seconds:
            return None
        return math.ceil(self.remaining / self.at_once) * sum(self.seconds) / len(self.seconds)


class Progress:
    """Shows a sweep on a console; use as a context manager around the run."""

    def __init__(self, config: SweepConfig, console: Console) -> None:
        self._config, self._console = config, console
        self._tally = Tally(config.study.metric, remaining=0)
        self._running: dict[int, tuple[TrialTask, Slot, Epoch | None]] = {}
        self._notes: list[str] = []
        self._began = time.monotonic()
        self._live = Live(get_renderable=self._table, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            with self._heard():
                self._live.stop()

    # What the coordinator tells

    def begin(self, finished: Collection[Finished], remaining: int) -> None:
        """How the sweep stands before this run trains anything."""
        self._tally.remaining = remaining
        for trial in finished:
            self._tally.take_up(trial)
        if finished and remaining:
            done = f"{counted(len(finished), 'trial')} {'is' if len(finished) == 1 else 'are'}"
            self.note(f"going on: {done} finished, {remaining:,} to go")
        elif remaining and not self._console.is_terminal:
            self._print(f"{counted(remaining, 'trial')} to go")

    def started(self, task: TrialTask, slot: Slot) -> None:
        """A trial has been handed to a worker."""
        self._running[task.trial] = (task, slot, None)
        self._tally.at_once = max(self._tally.at_once, len(self._running))

    def epoch(self, task: TrialTask, epoch: Epoch) -> None:
        """A running trial has finished an epoch."""
        if task.trial in self._running:
            self._running[task.trial] = (task, self._running[task.trial][1], epoch)

    def ended(self, finished: Finished, remaining: int) -> None:
        """A trial has ended."""
        self._running.pop(finished.outcome.trial, None)
        self._tally.end(finished, remaining)
        if finished.outcome.state == "failed" or not self._console.is_terminal:
            self._print(self._line(finished))

    def note(self, text: str) -> None:
        """Something a person should know."""
        self._print(Text(text, style="bold yellow"))

    def _print(self, what: RenderableType) -> None:
        with self._heard():
            self._console.print(what, highlight=False, soft_wrap=True)

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        """Say nothing more once the terminal has been closed: what trains goes on to its epoch's end without it."""
        try:
            yield
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            self._console.quiet = True

    # What is shown

    def _line(self, finished: Finished) -> Text:
        outcome, value = finished.outcome, self._tally.value(finished)
        shown = f"{self._config.study.metric} {self._figure(value)}," if value is not None else ""
        reason, state = outcome.reason or "", str(outcome.state)
        ended = reason if reason.startswith(state) else f"{state} ({reason})" if reason else state
        named = f"{finished.configuration}, {trained_on(finished.seed, finished.fold)}:"
        words = (
            f"trial {outcome.trial}", named, shown, ended, f"in {outcome.seconds:.1f} s",
        )  # fmt: skip
        left = self._tally.seconds_left()
        tail = f"; {self._tally.remaining} to go, about {duration(left)}" if left and self._tally.remaining else ""
        return Text(" ".join(word for word in words if word) + tail, style=STYLES[outcome.state] if not shown else "")

    def _figure(self, value: float) -> str:
        return value_text(self._config.study.metric, value)

    def _table(self) -> RenderableType:
        done = self._tally.states.total()
        counts = Text.assemble(
            (f"{self._tally.states['complete']} complete", "green"),
            *([(f"  {self._tally.states['pruned']} pruned", "yellow")] if self._tally.states["pruned"] else []),
            *([(f"  {self._tally.states['failed']} failed", "red")] if self._tally.states["failed"] else []),
            f"  of {done + self._tally.remaining}   {duration(time.monotonic() - self._began)} elapsed",
            self._left(),
        )
        bar = ProgressBar(total=max(done + self._tally.remaining, 1), completed=done, width=60)
        return Group(Text(self._config.question, style="bold"), bar, counts, self._best(), self._workers())

    def _left(self) -> str:
        left = self._tally.seconds_left()
        return f", about {duration(left)} left" if left is not None and self._tally.remaining else ""

    def _best(self) -> Text:
        best = self._tally.best
        value = self._tally.value(best) if best else None
        if best is None or value is None:
            return Text("")
        named = f"{best.configuration}, {trained_on(best.seed, best.fold)}"
        return Text(f"best so far: {named}: {self._config.study.metric} {self._figure(value)}")

    def _workers(self) -> Table:
        blocks = ("seed", "fold") if self._config.study.folds else ("seed",)
        table = Table("worker", "trial", "configuration", *blocks, "epoch", self._config.study.metric, box=None)
        for task, slot, epoch in sorted(self._running.values(), key=lambda entry: entry[1].number):
            progress = f"{epoch.epoch if epoch else 0}/{task.config.train.epochs}"
            value = self._figure(getattr(epoch, self._config.study.metric)) if epoch else "–"
            block = [str(getattr(task, name)) for name in blocks]
            table.add_row(str(slot.number), str(task.trial), task.configuration, *block, progress, value)
        return table
