"""How the search's values are distributed, and what choices cost."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from optimize.charts.evidence import Choice, Evidence
from optimize.charts.numbers.common import Floats, NotForThisSweep
from optimize.charts.units import Metric
from optimize.wording import counted, listed

MOST_STEPS = 8


class Distribution(NamedTuple):
    """The values of one choice, or of all trials where choices are too many."""

    choice: Choice | None
    values: Floats
    """(n,), ascending."""
    shares: Floats
    """(n,): share of the trials that are at or below each value."""


class Edf(NamedTuple):
    """Empirical distribution functions."""

    metric: Metric
    distributions: tuple[Distribution, ...]
    says: str
    caption: str


class Cost(NamedTuple):
    """The metric against one cost."""

    name: str
    """Title of the axis."""
    groups: tuple[tuple[Choice | None, Floats, Floats], ...]
    """Cost and value of each choice's mean, (1,) each; one group of None with every trial where choices are many."""
    trials: tuple[Floats, Floats]
    """Cost and value of every trial behind the means."""
    front: tuple[Floats, Floats]
    """Cost and value of what nothing else beats in both, cheapest first."""


class Pareto(NamedTuple):
    """The metric against parameters and against time."""

    metric: Metric
    costs: tuple[Cost, ...]
    says: str
    caption: str


def edf(evidence: Evidence) -> Edf:
    """The empirical distribution of the metric in the search, per choice where those are few.

    Raises:
        NotForThisSweep: fewer than four trials of the search are complete.
    """
    rows, metric = evidence.searched, evidence.metric
    if len(rows) < 4:
        raise NotForThisSweep("fewer than four trials are complete")
    groups = evidence.groups(rows)
    of_many = len(evidence.choices) > MOST_STEPS or evidence.confirmed
    if of_many or any(len(group) == 1 for _, group in groups):  # a single trial has no distribution
        groups = [(None, rows)]
    found = tuple(_distribution(choice, group, metric) for choice, group in groups)
    values = rows[metric.name].to_numpy(dtype=np.float64)
    says = (
        f"Half of {counted(len(rows), 'trial')}{evidence.of_search} reach {metric.value(float(np.median(values)))}; "
        f"the best, {metric.value(float(values.max() if metric.maximize else values.min()))}"
    )
    caption = f"Height: share of the complete trials{evidence.of_search} with this value or less."
    return Edf(metric, found, says, caption)


def pareto(evidence: Evidence) -> Pareto:
    """The metric against what it costs, with the points that nothing beats in both.

    Raises:
        NotForThisSweep: fewer than two points to compare.
    """
    points = _points(evidence)
    if len(points) < 2:
        raise NotForThisSweep("fewer than two points to compare")
    costs = [_cost("training time (s)", "seconds", points, evidence)]
    if points["parameters"].nunique() > 1:
        costs.insert(0, _cost("parameters", "parameters", points, evidence))
    return Pareto(evidence.metric, tuple(costs), _says(costs[0], points, evidence), _caption(evidence))


def _distribution(choice: Choice | None, rows: pd.DataFrame, metric: Metric) -> Distribution:
    values = np.sort(rows[metric.name].to_numpy(dtype=np.float64))
    return Distribution(choice, values, np.arange(1, len(values) + 1) / len(values))


def _points(evidence: Evidence) -> pd.DataFrame:
    """A row per choice with the means of its trials, or per trial that is judged where choices are too many."""
    columns = [evidence.metric.name, "parameters", "seconds"]
    if not evidence.choices:
        return evidence.judged[columns].assign(choice=None).dropna(subset=columns)
    if evidence.factor:
        return _at_their_best(evidence)
    means = evidence.judged.groupby("choice")[columns].mean()
    return means.loc[[choice.label for choice in evidence.choices]].reset_index()


def _at_their_best(evidence: Evidence) -> pd.DataFrame:
    """A row per choice of the factor: the best that is to be expected of it, and what its best configuration costs."""
    tuned = evidence.verdict.factor.choices if evidence.verdict and evidence.verdict.factor else ()
    by_label = {choice.label: found for found in tuned if (choice := evidence.choice(found.choice))}
    rows = []
    for choice in evidence.choices:
        best = by_label.get(choice.label)
        trials = evidence.judged[evidence.judged["choice"] == choice.label]
        if best is not None:
            trials = trials[trials["configuration"] == best.best_configuration]
        value = trials[evidence.metric.name].mean() if best is None else best.expected_best
        rows.append(
            {
                "choice": choice.label,
                evidence.metric.name: value,
                "parameters": trials["parameters"].mean(),
                "seconds": trials["seconds"].mean(),
            }
        )
    return pd.DataFrame(rows)


def _cost(name: str, column: str, points: pd.DataFrame, evidence: Evidence) -> Cost:
    cost = points[column].to_numpy(dtype=np.float64)
    value = points[evidence.metric.name].to_numpy(dtype=np.float64)
    groups: list[tuple[Choice | None, Floats, Floats]] = [
        (choice, cost[i : i + 1], value[i : i + 1]) for i, choice in enumerate(evidence.choices)
    ]
    kept = front(cost, value if evidence.metric.maximize else -value)
    return Cost(name, tuple(groups) or ((None, cost, value),), _every(column, evidence), (cost[kept], value[kept]))


def _every(column: str, evidence: Evidence) -> tuple[Floats, Floats]:
    rows = evidence.judged.dropna(subset=[column])
    return rows[column].to_numpy(dtype=np.float64), rows[evidence.metric.name].to_numpy(dtype=np.float64)


def front(cost: Floats, gain: Floats) -> list[int]:
    """Which points no other beats: none is cheaper with as much gain; ordered by cost, the first among equals."""
    kept: list[int] = []
    for i in np.lexsort((-gain, cost)):
        if not kept or gain[i] > gain[kept[-1]]:
            kept.append(int(i))
    return kept


def _says(cost: Cost, points: pd.DataFrame, evidence: Evidence) -> str:
    n, on = len(points), len(cost.front[0])
    axis = cost.name.split(" (")[0]
    if not evidence.choices:
        are = "is" if on == 1 else "are"
        return f"{on} of {counted(n, 'trial')} {are} beaten by none in both {evidence.metric.text} and {axis}"
    best = set(zip(*cost.front, strict=True))
    names = [c.short for c, x, y in cost.groups if c and (x[0], y[0]) in best]
    return f"Beaten by none in both {evidence.metric.text} and {axis}: {listed(names)}"


def _caption(evidence: Evidence) -> str:
    single = len(evidence.judged) == len(evidence.choices)
    means = f"the one {evidence.noun} of each" if single else f"means over {evidence.noun}s"
    marks = "the best to be expected of each, at the cost of its best" if evidence.factor else means
    dots = "" if single else " Dots: single trials."
    points = f"Marks: {marks}.{dots}" if evidence.choices else "Points: single trials."
    return f"{points} Line: Pareto front. Time is wall time of a training, among whatever else ran beside it."
