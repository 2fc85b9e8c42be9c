"""The metric of every trial of the search in the order they were started, and the best so far."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from optimize.charts.evidence import Choice, Evidence
from optimize.charts.numbers.common import Floats, NotForThisSweep
from optimize.charts.units import Metric
from optimize.wording import counted, listed


class History(NamedTuple):
    """Trials in order."""

    metric: Metric
    groups: tuple[tuple[Choice | None, Floats, Floats], ...]
    """Per choice, complete trials' numbers and values, each (n,); one group of None where choices are too many."""
    pruned: tuple[Floats, Floats]
    """Numbers and last reported values of the pruned trials."""
    failed: Floats
    """Numbers of the failed trials."""
    best: tuple[Floats, Floats]
    """Trial numbers and the best value up to each, over the complete trials."""
    says: str
    caption: str


def history(evidence: Evidence) -> History:
    """The optimization history.

    Raises:
        NotForThisSweep: fewer than two complete trials of the search.
    """
    metric, complete = evidence.metric, evidence.searched
    if len(complete) < 2:
        raise NotForThisSweep("fewer than two trials are complete")
    numbers = complete["trial"].to_numpy(dtype=np.float64)
    values = complete[metric.name].to_numpy(dtype=np.float64)
    running = np.maximum.accumulate(values) if metric.maximize else np.minimum.accumulate(values)
    groups: list[tuple[Choice | None, Floats, Floats]] = [
        (choice, rows["trial"].to_numpy(dtype=np.float64), rows[metric.name].to_numpy(dtype=np.float64))
        for choice, rows in evidence.groups(complete)
    ]
    return History(
        metric,
        tuple(groups),
        _in_state(evidence, "pruned"),
        _in_state(evidence, "failed")[0],
        (numbers, running),
        _says(numbers, values, evidence),
        _caption(evidence),
    )


def _in_state(evidence: Evidence, state: str) -> tuple[Floats, Floats]:
    rows = evidence.search[evidence.search["state"] == state]
    return rows["trial"].to_numpy(dtype=np.float64), rows[evidence.metric.name].to_numpy(dtype=np.float64)


def _says(numbers: Floats, values: Floats, evidence: Evidence) -> str:
    metric = evidence.metric
    best = int(values.argmax() if metric.maximize else values.argmin())
    later = len(values) - 1 - best
    after = f"{counted(later, 'complete trial')} after it did no better" if later else "it was the last to complete"
    single = f"the best single training{evidence.of_search}"
    return f"Trial {int(numbers[best])} is {single}, {metric.value(values[best])}; {after}"


def _caption(evidence: Evidence) -> str:
    counts = evidence.search["state"].value_counts()
    parts = [f"{counts.get('complete', 0):,} complete"]
    parts += [f"{counts[state]:,} {state}" for state in ("pruned", "failed") if counts.get(state)]
    marks = {"pruned": "×: pruned.", "failed": "Ticks below: failed."}
    trials = f"Trials{evidence.of_search}: {listed(parts)}."
    return " ".join([trials, "Line: best so far.", *(marks[s] for s in marks if counts.get(s))])
