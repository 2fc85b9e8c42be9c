"""When a sweep ends before its trials are spent."""

from __future__ import annotations

import math
from collections import Counter
from typing import Literal, NamedTuple

from main.history import better
from optimize.finished import Finished
from optimize.sections import StopConfig
from optimize.wording import limit

Ending = Literal["done", "interrupted", "terminated", "stopped", "hopeless"]

FAILURES_IN_A_ROW = 5


class Stop(NamedTuple):
    """An ending, and why in a sentence."""

    ending: Ending
    why: str


class StopRules:
    """The sweep file's `stop` section, and the rule that a sweep whose first trials all fail is hopeless.

    `no_improvement` counts complete trials since the best one; pruned and failed trials say nothing about whether
    searching on would pay.
    """

    def __init__(self, rules: StopConfig | None, metric: str) -> None:
        self._rules, self._metric = rules, metric
        self._best = math.nan
        self._since_best = 0
        self._failures: Counter[str] = Counter()
        self._succeeded = False

    def after_trial(self, finished: Finished) -> Stop | None:
        """Judge a trial that has just ended."""
        if finished.outcome.state == "failed":
            return self._after_failure(finished.outcome.reason)
        self._succeeded = True
        best = finished.outcome.best()
        if finished.outcome.state != "complete" or best is None or self._rules is None:
            return None
        return self._after_value(finished.outcome.trial, getattr(best, self._metric))

    def after_seconds(self, elapsed: float) -> Stop | None:
        """Judge the time this run has taken, in seconds."""
        if self._rules is None or self._rules.time is None or elapsed <= self._rules.time:
            return None
        return Stop("stopped", f"the time of {limit(self._rules.time)} is spent")

    def _after_failure(self, reason: str) -> Stop | None:
        self._failures[reason] += 1
        if self._succeeded or self._failures.total() < FAILURES_IN_A_ROW:
            return None
        [(commonest, _)] = self._failures.most_common(1)
        return Stop("hopeless", f"the first {FAILURES_IN_A_ROW} trials all failed: {commonest}")

    def _after_value(self, trial: int, value: float) -> Stop | None:
        assert self._rules is not None
        if math.isnan(self._best) or better(value, self._best, self._metric):
            self._best, self._since_best = value, 0
        else:
            self._since_best += 1
        target, patience = self._rules.target, self._rules.no_improvement
        if target is not None and not better(target, value, self._metric):
            return Stop("stopped", f"trial {trial} reached the target of {target:g}")
        if patience is not None and self._since_best >= patience:
            return Stop("stopped", f"{patience} trials in a row brought no improvement")
        return None
