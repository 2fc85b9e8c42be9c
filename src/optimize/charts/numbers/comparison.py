"""Sweeps side by side: the best choices of each, and how far behind the best of all each was on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from optimize.charts.evidence import Choice
from optimize.charts.numbers.common import Floats, NotForThisSweep
from optimize.charts.palette import looks
from optimize.charts.units import Metric
from optimize.verdict import ChoiceSummary
from optimize.wording import counted, listed

if TYPE_CHECKING:
    from optimize.compare import Axis, Comparison

MOST_OF_A_SWEEP = 8
"""Choices of one sweep that are drawn, the best ones."""


AXES: tuple[Axis, Axis] = ("trials", "seconds")


class SweepRows(NamedTuple):
    """A sweep and its best choices, best first."""

    sweep: Choice
    choices: tuple[ChoiceSummary, ...]


class SweepChoices(NamedTuple):
    """The choices of all sweeps, on one axis; the sweeps best first."""

    metric: Metric
    sweeps: tuple[SweepRows, ...]
    precision: float | None
    """Half of the usual interval; None where no choice has one."""
    says: str
    caption: str


class Course(NamedTuple):
    """One sweep on its way."""

    sweep: Choice
    at: Floats
    """(k,): trials that had ended, or seconds of training, rising."""
    values: Floats
    """(k,): from the first usable trial on, what the panel shows after each of them."""
    ended: float
    """Where the sweep's own last trial ended; beyond, it keeps its value."""


class Courses(NamedTuple):
    """Every sweep's course, over trials and over training time."""

    metric: Metric
    unit: str
    """What the values are: `regret` (in the metric's unit) or `rank`."""
    over_trials: tuple[Course, ...]
    over_seconds: tuple[Course, ...]
    says: str
    caption: str


def sweep_choices(comparison: Comparison) -> SweepChoices:
    """The best choices of each sweep, with the intervals of their means.

    Raises:
        NotForThisSweep: no sweep has a usable trial.
    """
    found = tuple(
        SweepRows(sweep, summary.choices[:MOST_OF_A_SWEEP])
        for sweep, summary in zip(_named(comparison), comparison.sweeps, strict=True)
        if summary.choices
    )
    if not found:
        raise NotForThisSweep("no trial is complete")
    shown = [choice for rows in found for choice in rows.choices]
    halves = [(c.high - c.low) / 2 for c in shown if c.low is not None and c.high is not None]
    says = comparison.verdict.sentence if comparison.verdict else comparison.sweeps[0].sentence
    return SweepChoices(
        _metric(comparison), found, float(np.median(halves)) if halves else None, says, _caption(comparison, halves)
    )


def regret_courses(comparison: Comparison) -> Courses:
    """How far the best trial so far of each sweep was behind the best trial of all.

    Raises:
        NotForThisSweep: no sweep has a usable trial.
    """
    caption = "A line per sweep: its best trial so far against the best of all sweeps. Bar: where a sweep ended."
    return _courses(comparison, "regret", comparison.regrets, caption)


def rank_courses(comparison: Comparison) -> Courses:
    """The place of each sweep by its best trial so far.

    Raises:
        NotForThisSweep: no sweep has a usable trial.
    """
    caption = "A line per sweep: its place by its best trial so far. Bar: where a sweep ended; it keeps its best trial."
    return _courses(comparison, "rank", comparison.ranks, caption)


def _courses(comparison: Comparison, unit: str, read: Callable[[Axis], pd.DataFrame], caption: str) -> Courses:
    named = _named(comparison)
    by_trials, by_seconds = (
        tuple(course for course in (_course(comparison, sweep, axis, read) for sweep in named) if len(course.at))
        for axis in AXES
    )
    if not by_trials:
        raise NotForThisSweep("no trial is complete")
    return Courses(_metric(comparison), unit, by_trials, by_seconds, _when_found(comparison), caption)


def _course(comparison: Comparison, sweep: Choice, axis: Axis, read: Callable[[Axis], pd.DataFrame]) -> Course:
    values, own = read(axis)[sweep.label].dropna(), comparison.progress["sweep"] == sweep.label
    at = values.index.to_numpy(dtype=np.float64)
    return Course(sweep, at, values.to_numpy(dtype=np.float64), float(comparison.progress.loc[own, axis].max()))


def _when_found(comparison: Comparison) -> str:
    """After how many of its trials each sweep had found its best."""
    found = []
    for name, rows in comparison.progress.groupby("sweep", sort=False):
        if rows["best"].notna().any():
            best = int(rows["trials"].iloc[int(np.nanargmin(rows["regret"]))])
            found.append(f"{name} after {best:,} of {counted(len(rows), 'trial')}")
    return f"Best trial found: {listed(found)}"


def _named(comparison: Comparison) -> tuple[Choice, ...]:
    names = [sweep.name for sweep in comparison.sweeps]
    return tuple(Choice(name, name, look) for name, look in zip(names, looks(len(names)), strict=True))


def _metric(comparison: Comparison) -> Metric:
    return Metric(comparison.metric, comparison.direction == "maximize")


def _caption(comparison: Comparison, halves: list[float]) -> str:
    rest = sum(max(0, len(sweep.choices) - MOST_OF_A_SWEEP) for sweep in comparison.sweeps)
    noun = comparison.noun
    parts = [f"Small marks: every {noun}. Large mark: the mean over them."]
    parts.append("Bar: 95 % t interval of the mean." if halves else f"No choice has two {noun}s.")
    if rest:
        parts.append(f"The best {MOST_OF_A_SWEEP} of each sweep; {counted(rest, 'other')} left out.")
    return " ".join(parts)
