"""Draws the optimization history."""

from __future__ import annotations

import numpy as np
from matplotlib.ticker import MaxNLocator

from optimize.charts.drawing.marks import FAILED, crowd_size, legend_below, legend_height, point_style
from optimize.charts.drawing.scales import metric_axis
from optimize.charts.numbers.history import History
from optimize.charts.page import Page
from optimize.charts.palette import ACCENT, MUTED, tone

LEAST = 4.5
"""Points across a mark that has a choice's colour."""
CROWD = 60
"""Of more marks, those of pruned trials stand back."""


def draw_history(numbers: History, page: Page) -> None:
    """Every trial a mark, the best so far a line."""
    choices = [choice for choice, _, _ in numbers.groups if choice]
    (ax,) = page.axes(height=3.5, below=legend_height(page, choices))
    scale = numbers.metric.scale
    ax.step(numbers.best[0], scale * numbers.best[1], where="post", color=tone(ACCENT), lw=1.6, zorder=2)
    crowd = sum(len(trials) for _, trials, _ in numbers.groups)
    size = crowd_size(crowd)
    for choice, trials, values in numbers.groups:
        few = size if choice is None else max(size, LEAST)  # a choice's own must be seen among those of none
        ax.plot(trials, scale * values, zorder=4 if choice else 3, **point_style(choice, few))
    ax.plot(
        numbers.pruned[0],
        scale * numbers.pruned[1],
        marker="x",
        color=tone(MUTED),
        ls="none",
        ms=size,
        mew=1,
        alpha=1.0 if crowd <= CROWD else 0.4,
        zorder=2.5,
    )
    metric_axis(ax, "y", numbers.metric, np.concatenate([values for _, _, values in numbers.groups]))
    if len(numbers.failed):
        ax.plot(
            numbers.failed, np.full(len(numbers.failed), 0.03), transform=ax.get_xaxis_transform(),
            marker="|", color=FAILED, ls="none", ms=10, mew=1.8,
        )  # fmt: skip
    ax.set_xlabel("trial")
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10]))
    legend_below(page, choices)
