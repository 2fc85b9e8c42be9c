"""Draws how values are distributed and what they cost."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from optimize.charts.drawing.marks import crowd_size, legend_below, legend_height, line_style, point_style
from optimize.charts.drawing.scales import metric_axis
from optimize.charts.numbers.spread import Cost, Edf, Pareto
from optimize.charts.page import Page
from optimize.charts.palette import ACCENT, FAINT, tone
from optimize.charts.units import Metric, number

WIDE = 20
"""Costs whose largest is this many times the smallest are drawn logarithmically."""


def draw_edf(numbers: Edf, page: Page) -> None:
    """A staircase per choice."""
    choices = [found.choice for found in numbers.distributions if found.choice]
    (ax,) = page.axes(height=3.4, below=legend_height(page, choices))
    scale = numbers.metric.scale
    everything = np.concatenate([found.values for found in numbers.distributions])
    metric_axis(ax, "x", numbers.metric, everything)
    low, high = ax.get_xlim()
    for found in numbers.distributions:
        x = np.concatenate([[low], scale * found.values, [high]])
        y = 100 * np.concatenate([[0], found.shares, [1]])
        style = line_style(found.choice) if found.choice else {"color": tone(ACCENT)}
        ax.step(x, y, where="post", **style)
        if found.choice:
            ax.plot(scale * found.values, 100 * found.shares, **point_style(found.choice, 5))
    ax.set_xlim(low, high)
    ax.set_ylim(-2, 104)
    ax.set_ylabel("share of trials (%)")
    legend_below(page, choices, lines=True)


def draw_pareto(numbers: Pareto, page: Page) -> None:
    """A panel per cost, the Pareto front as a staircase."""
    choices = [choice for choice, _, _ in numbers.costs[0].groups if choice]
    axes = page.axes(1, len(numbers.costs), height=3.3, below=legend_height(page, choices), sharey=True)
    for ax, cost in zip(axes, numbers.costs, strict=True):
        _draw_cost(ax, cost, numbers.metric)
    _, values = numbers.costs[0].trials
    metric_axis(axes[0], "y", numbers.metric, values)
    legend_below(page, choices)


def _draw_cost(ax: Axes, cost: Cost, metric: Metric) -> None:
    n = sum(len(costs) for _, costs, _ in cost.groups)
    for choice, costs, values in cost.groups:
        style = point_style(choice, 8 if choice else crowd_size(n)) | {"alpha": 1.0 if choice else 0.5}
        ax.plot(costs, metric.scale * values, zorder=3, **style)
    everything, every_value = cost.trials
    if cost.groups[0][0]:
        ax.plot(everything, metric.scale * every_value, "o", ms=3, mfc=tone(FAINT), mec="none", zorder=1)
    x, y = cost.front
    ax.step(x, metric.scale * y, where="post", color=tone(ACCENT), lw=1.8, zorder=2)
    if len(cost.groups) == 1:
        ax.plot(x, metric.scale * y, "o", ms=crowd_size(n), mfc=tone(ACCENT), mec="none", zorder=4)
    ax.set_xlabel(cost.name)
    if everything.min() > 0 and everything.max() / everything.min() > WIDE:
        ax.set_xscale("log")
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        ax.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        ax.margins(x=0.08)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
