"""Draws the metric of every choice."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties

from main.fonts import wrap
from optimize.charts.drawing.marks import draw_piled, point_style, row_pitch
from optimize.charts.drawing.rows import row_axes, row_figures
from optimize.charts.drawing.scales import metric_axis
from optimize.charts.numbers.choices import ChoiceRow, ChoiceRows
from optimize.charts.page import Page
from optimize.charts.palette import INK, MUTED, tone

NAMES = 2.5
"""Inches at the left that the names of rows leave no title to."""


def draw_choices(numbers: ChoiceRows, page: Page) -> None:
    """A row per choice: its seeds, its mean with interval, and the mean in figures."""
    pitch = row_pitch(row.values for row in numbers.rows)
    ax = row_axes(page, [row.choice.short for row in numbers.rows], pitch=pitch, bold=[numbers.best])
    for place, row in enumerate(numbers.rows):
        _draw_row(ax, place, row, numbers.metric.scale, pitch)
        row_figures(ax, place, _figures(row, numbers))
    title = wrap(numbers.compared, FontProperties(size=9.5), (page.width - NAMES) * 72)
    ax.set_title("\n".join(title), size=9.5, color=tone(MUTED))
    values = np.concatenate([[row.mean, *row.values] for row in numbers.rows])
    ends = np.array([end for row in numbers.rows for end in (row.low, row.high)])
    metric_axis(ax, "x", numbers.metric, values, ends)


def _draw_row(ax: Axes, place: int, row: ChoiceRow, scale: float, pitch: float) -> None:
    """The mean with its interval, and the single values a little below."""
    draw_piled(ax, scale * row.values, place + 0.17, pitch, point_style(row.choice, 5) | {"alpha": 0.6})
    if math.isfinite(row.low):
        ends = [scale * row.low, scale * row.high]
        ax.plot(ends, [place - 0.1] * 2, color=tone(INK), lw=1.6, solid_capstyle="butt")
    rim = {"markeredgecolor": tone(INK)}
    ax.plot([scale * row.mean], [place - 0.1], **point_style(row.choice, 9) | rim)


def _figures(row: ChoiceRow, numbers: ChoiceRows) -> str:
    mean = numbers.metric.value(row.mean, numbers.precision)
    if numbers.precision is None or math.isnan(row.low):
        return mean
    below, above = row.mean - row.low, row.high - row.mean
    if not math.isclose(below, above, rel_tol=0.05):  # the interval was cut off where the metric ends
        low, high = (numbers.metric.bare(end, numbers.precision) for end in (row.low, row.high))
        return f"{mean} ({low} to {high})"
    return f"{mean} ± {numbers.metric.bare((row.high - row.low) / 2, numbers.precision)}"
