"""Draws sweeps side by side."""

from __future__ import annotations

import itertools

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator

from optimize import wording
from optimize.charts.drawing.marks import (
    colour_of,
    draw_piled,
    legend_below,
    legend_height,
    line_style,
    point_style,
    row_pitch,
)
from optimize.charts.drawing.rows import row_axes, row_figures
from optimize.charts.drawing.scales import asinh_axis, metric_axis
from optimize.charts.numbers.comparison import Course, Courses, SweepChoices
from optimize.charts.page import Page
from optimize.charts.palette import INK, tone
from optimize.charts.parameters import Floats
from optimize.verdict import ChoiceSummary

SHORT = 30.0
"""Seconds below which times are written with their fractions."""
FAR = 40
"""Regrets this many times as large as the smallest would hide it on a linear axis."""


def draw_sweep_choices(numbers: SweepChoices, page: Page) -> None:
    """Under each sweep's name a row per choice, with its seeds, its mean and interval."""
    rows: list[tuple[str, ChoiceSummary | None, int]] = []
    for index, found in enumerate(numbers.sweeps):
        rows.append((found.sweep.short, None, index))
        rows += [(wording.short(choice.choice), choice, index) for choice in found.choices]
    heads = [place for place, (_, choice, _) in enumerate(rows) if choice is None]
    pitch = row_pitch(_seeds(choice) for _, choice, _ in rows if choice is not None)
    ax = row_axes(page, [name for name, _, _ in rows], pitch=pitch, headings=heads)
    for place, (_, choice, index) in enumerate(rows):
        if choice is not None:
            _draw_row(ax, place, choice, numbers, index, pitch)
    shown = [choice for _, choice, _ in rows if choice is not None]
    values = np.array([value for choice in shown for value in (choice.mean, *choice.values.values())])
    ends = np.array([end for choice in shown for end in (choice.low, choice.high) if end is not None], dtype=np.float64)
    metric_axis(ax, "x", numbers.metric, values, ends if len(ends) else None)


def _seeds(choice: ChoiceSummary) -> Floats:
    return np.array(list(choice.values.values()), dtype=np.float64)


def _draw_row(ax: Axes, place: int, choice: ChoiceSummary, numbers: SweepChoices, index: int, pitch: float) -> None:
    sweep, scale = numbers.sweeps[index].sweep, numbers.metric.scale
    draw_piled(ax, scale * _seeds(choice), place + 0.15, pitch, point_style(sweep, 4) | {"alpha": 0.6})
    if choice.low is not None and choice.high is not None:
        ends = [scale * choice.low, scale * choice.high]
        ax.plot(ends, [place - 0.1] * 2, color=tone(INK), lw=1.6, solid_capstyle="butt")
    ax.plot([scale * choice.mean], [place - 0.1], **point_style(sweep, 8) | {"markeredgecolor": tone(INK)})
    row_figures(ax, place, numbers.metric.value(choice.mean, numbers.precision))


def draw_courses(numbers: Courses, page: Page) -> None:
    """Over the number of trials above, over training time below."""
    sweeps = [course.sweep for course in numbers.over_trials]
    above, below = page.axes(2, height=5.2, below=legend_height(page, sweeps), sharey=True)
    for ax, courses in ((above, numbers.over_trials), (below, numbers.over_seconds)):
        for place, course in enumerate(courses):
            _draw_course(ax, course, numbers, (place - (len(courses) - 1) / 2) * 0.06, len(courses) - 1 - place)
        if numbers.unit == "regret":
            ax.set_ylabel(f"behind the best{numbers.metric.unit}")
        else:
            ax.set_ylabel("rank")
    _regret_axis(above, numbers) if numbers.unit == "regret" else _rank_axis(above, len(sweeps))
    above.set_xlabel("trials ended")
    above.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
    below.set_xlabel("training time")
    below.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 1.5, 2, 3, 6, 10]))
    longest = max(float(course.at[-1]) for course in numbers.over_seconds)
    as_text = wording.duration if longest >= SHORT else lambda seconds: f"{seconds:g} s"
    below.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: as_text(seconds)))
    legend_below(page, sweeps, lines=True)


def _draw_course(ax: Axes, course: Course, numbers: Courses, aside: float, above: int) -> None:
    """A line of steps with a bar where the sweep ended.

    Equal ones hide none: ranks lie a little aside, and a line under `above` others is that much wider.
    """
    regret = numbers.unit == "regret"
    values = numbers.metric.scale * course.values if regret else course.values + aside
    wider = above if regret else 0
    ax.step(course.at, values, where="post", **line_style(course.sweep) | {"linewidth": 1.8 + 1.6 * wider})
    marked = [0, *(i for i, (a, b) in enumerate(itertools.pairwise(values), start=1) if a != b)]
    ax.plot(course.at[marked], values[marked], **point_style(course.sweep, 5 + 2 * wider))
    last = values[course.at <= course.ended][-1:]
    ax.plot([course.ended] * len(last), last, marker="|", ms=11, mew=2, color=colour_of(course.sweep), ls="none")


def _rank_axis(ax: Axes, n: int) -> None:
    ax.set_ylim(n + 0.4, 0.6)
    ax.yaxis.set_major_locator(FixedLocator(list(range(1, n + 1))))
    ax.yaxis.set_major_formatter(FixedFormatter([str(place) for place in range(1, n + 1)]))


def _regret_axis(ax: Axes, numbers: Courses) -> None:
    """A linear axis, or one that is linear near zero and logarithmic beyond, where the first trials were poor."""
    values = numbers.metric.scale * np.concatenate([course.values for course in numbers.over_trials])
    positive, largest = values[values > 0], float(values.max())
    if not len(positive) or largest < FAR * float(positive.min()):
        ax.set_ylim(-0.04 * (largest or 1.0), 1.08 * (largest or 1.0))
        return
    width = max(float(positive.min()), largest / 1e4)
    asinh_axis(ax, "y", width, largest)
    ax.set_ylim(-0.3 * width, 1.3 * largest)
