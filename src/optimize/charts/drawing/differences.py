"""Draws the pairwise differences."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from optimize.charts.drawing.marks import colour_of, point_style
from optimize.charts.drawing.rows import row_axes, row_figures
from optimize.charts.drawing.scales import asinh_axis
from optimize.charts.numbers.differences import Difference, Differences
from optimize.charts.page import Page
from optimize.charts.palette import INK, MUTED, PAPER, tone
from optimize.charts.units import Metric

FAR = 40
"""Differences this many times as large as the usual interval is wide would hide the small ones on a linear axis."""


def draw_differences(numbers: Differences, page: Page) -> None:
    """A row per pair: an interval, a mark that is filled where the pair is decided, and the figures."""
    names = [f"{pair.better.short} over {pair.worse.short}" for pair in numbers.pairs]
    ax = row_axes(page, names, pitch=0.33)
    scale = numbers.metric.scale
    _difference_axis(ax, numbers)
    ax.axvline(0, color=tone(MUTED), lw=1.2, zorder=1)
    for place, pair in enumerate(numbers.pairs):
        _draw_pair(ax, place, pair, scale)
        row_figures(ax, place, _figures(pair, numbers.metric))
    ax.set_xlabel(f"how much better: {numbers.metric.text}{numbers.metric.unit}")


def _draw_pair(ax: Axes, place: int, pair: Difference, scale: float) -> None:
    ax.plot([scale * pair.low, scale * pair.high], [place] * 2, color=colour_of(pair.better), lw=2, zorder=2)
    style = point_style(pair.better, 7.5) | {"markeredgewidth": 1.1}
    style["markeredgecolor"] = tone(INK) if pair.decided else colour_of(pair.better)
    if not pair.decided:
        style["markerfacecolor"] = tone(PAPER)
    ax.plot([scale * pair.difference], [place], zorder=3, **style)


def _difference_axis(ax: Axes, numbers: Differences) -> None:
    """A linear axis, or beside a choice that failed altogether one that is linear near zero and logarithmic beyond."""
    widths = [numbers.metric.scale * (pair.high - pair.low) / 2 for pair in numbers.pairs]
    ends = np.abs([numbers.metric.scale * end for pair in numbers.pairs for end in (pair.low, pair.high)])
    fine = float(np.median(widths))
    if not fine or ends.max() < FAR * fine:
        return
    asinh_axis(ax, "x", 2 * fine, float(ends.max()))


def _figures(pair: Difference, metric: Metric) -> str:
    precision = (pair.high - pair.low) / 2 or pair.difference
    mean, low, high = (metric.bare(end, precision) for end in (pair.difference, pair.low, pair.high))
    return f"{mean}  ({low} to {high})"
