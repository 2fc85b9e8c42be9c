"""Draws the effects of the parameters' levels: one at a time as rows, two at a time as heat maps."""

from __future__ import annotations

import itertools
import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from optimize.charts.drawing.marks import point_style, worse_to_better
from optimize.charts.drawing.rows import row_axes, row_figures
from optimize.charts.numbers.effects import Effects, Heat, LevelEffect, LevelEffects
from optimize.charts.page import Page
from optimize.charts.palette import ACCENT, FAINT, MUTED, ink_on, tone
from optimize.charts.units import Metric

LONGEST_LABEL = 10


def draw_marginal(numbers: LevelEffects, page: Page) -> None:
    """Under each parameter's name a row per level, with its interval around zero."""
    rows = _headed(numbers)
    names = [row if isinstance(row, str) else row.level for row in rows]
    ax = row_axes(page, names, pitch=0.23, headings=[i for i, row in enumerate(rows) if isinstance(row, str)])
    scale = numbers.metric.scale
    ax.axvline(0, color=tone(MUTED), lw=1.2, zorder=1)
    widths = [(found.high - found.low) / 2 for found in numbers.effects]
    known = [width for width in widths if not np.isnan(width)]
    precision = float(np.median(known)) if known else 0.0
    for place, found in enumerate(rows):
        if isinstance(found, str):
            continue
        ax.plot([scale * found.low, scale * found.high], [place] * 2, color=tone(ACCENT), lw=2, zorder=2)
        ax.plot([scale * found.effect], [place], zorder=3, **point_style(None, 6) | {"markerfacecolor": tone(ACCENT)})
        row_figures(ax, place, _signed(found.effect, precision, numbers.metric))
    ax.set_xlabel(f"effect on {numbers.metric.text}{numbers.metric.unit}")


def _headed(numbers: LevelEffects) -> list[str | LevelEffect]:
    """The levels, the name of each parameter before its own."""
    rows: list[str | LevelEffect] = []
    for name, levels in itertools.groupby(numbers.effects, key=lambda found: found.parameter):
        rows += [name, *levels]
    return rows


def draw_effects(numbers: Effects, page: Page) -> None:
    """A heat map per pair on one scale of colour, each cell with its figure."""
    n = len(numbers.heats)
    longest = max(len(label) for heat in numbers.heats for label in heat.rows)
    columns = 1 if n == 1 or (longest > LONGEST_LABEL and page.width < 6) else 2
    rows = math.ceil(n / columns)
    axes = page.axes(rows, columns, height=3.2 if n == 1 else 2.4 * rows)
    largest = max(float(np.nanmax(np.abs(heat.cells))) for heat in numbers.heats) or 1.0
    for ax, heat in zip(axes, numbers.heats, strict=False):
        _draw_heat(ax, heat, numbers.metric, largest)
    for ax in axes[n:]:
        ax.remove()


def _draw_heat(ax: Axes, heat: Heat, metric: Metric, largest: float) -> None:
    better = heat.cells if metric.maximize else -heat.cells
    # The square root keeps small effects visible beside a cell that failed altogether.
    shade = np.sign(better) * np.sqrt(np.abs(better) / largest)
    colours = worse_to_better()
    ax.pcolormesh(shade, cmap=colours, vmin=-1, vmax=1, edgecolors="#d0d4d8", linewidth=0.6)
    for row, column in np.ndindex(heat.cells.shape):
        value = heat.cells[row, column]
        if math.isnan(value):
            ax.text(column + 0.5, row + 0.5, "–", ha="center", va="center", color=tone(FAINT))
            continue
        ax.text(
            column + 0.5, row + 0.5, _signed(float(value), largest / 10, metric), ha="center", va="center", size=9,
            color=ink_on(to_hex(colours(float(shade[row, column] + 1) / 2))),
        )  # fmt: skip
    ax.set_xticks(np.arange(len(heat.columns)) + 0.5, heat.columns)
    ax.set_yticks(np.arange(len(heat.rows)) + 0.5, heat.rows)
    ax.set_xlabel(heat.column)
    ax.set_ylabel(heat.row)
    ax.invert_yaxis()
    ax.grid(False)
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)


def _signed(value: float, precision: float, metric: Metric) -> str:
    text = metric.bare(value, precision)
    return f"+{text}" if value > 0 else text
