"""Draws accuracy and loss over epochs."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from optimize.charts.drawing.marks import (
    colour_of,
    label_directly,
    label_ends,
    legend_below,
    legend_height,
    line_style,
    point_style,
)
from optimize.charts.drawing.scales import metric_axis
from optimize.charts.numbers.learning import MOST_BANDS, LearningCurves, Panel
from optimize.charts.page import Page


def draw_learning_curves(numbers: LearningCurves, page: Page) -> None:
    """One panel above the other, each choice a line in its band, named where it ends."""
    choices = [curve.choice for curve in numbers.panels[0].curves]
    direct = label_directly(choices)
    below = 0.0 if direct else legend_height(page, choices)
    axes = page.axes(len(numbers.panels), height=2.55 * len(numbers.panels), below=below, sharex=True)
    for ax, panel in zip(axes, numbers.panels, strict=True):
        _draw_panel(ax, panel)
    axes[-1].set_xlabel("epoch")
    axes[-1].xaxis.set_major_locator(MaxNLocator(8, integer=True))
    if not direct:
        legend_below(page, choices, lines=True)
        return
    for ax, panel in zip(axes, numbers.panels, strict=True):
        label_ends(page, ax, [(c.choice, panel.metric.scale * c.mean[-1]) for c in panel.curves if len(c.mean)])


def _draw_panel(ax: Axes, panel: Panel) -> None:
    scale = panel.metric.scale
    for curve in panel.curves:
        ax.fill_between(
            curve.epochs,
            scale * curve.low,
            scale * curve.high,
            color=colour_of(curve.choice),
            alpha=0.16,
            lw=0,
        )
        marker = curve.choice.look.marker if len(panel.curves) <= MOST_BANDS else ""
        style = {
            **point_style(curve.choice, 4.5),
            **line_style(curve.choice),
            "marker": marker,
            "linewidth": 1.8,
        }
        ax.plot(curve.epochs, scale * curve.mean, markevery=max(1, len(curve.epochs) // 8), **style)
    means = np.concatenate([curve.mean for curve in panel.curves])
    ends = np.array([end for curve in panel.curves for end in (*curve.low, *curve.high)])
    metric_axis(ax, "y", panel.metric, means, ends, title=False)
    ax.set_title(panel.metric.axis)
