"""Draws the metric over the swept parameters: slices, ranks, contours, parallel coordinates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from optimize.charts.drawing.marks import crowd_size, good_to_bad, legend_below, legend_height, point_style, star
from optimize.charts.drawing.scales import metric_axis, parameter_axis
from optimize.charts.numbers.landscape import Contour, Pair, Pairs, Parallel, Slice, Slices, Surface
from optimize.charts.page import Page
from optimize.charts.palette import ACCENT, INK, MUTED, PAPER, tone
from optimize.charts.parameters import Floats, Parameter
from optimize.charts.units import Metric, number

LONGEST_TITLE = 14
MANY_AXES = 5
"""So many are close together on a narrow page, and their labels small."""
OFF = -0.2
"""Below a parameter's axis, where lines of trials pass in which it is off."""
JITTER = 0.16
"""How far marks of one choice spread to either side, as a share of the way to the next."""


def draw_slices(numbers: Slices, page: Page) -> None:
    """A panel per parameter, all on the metric's one axis."""
    n = len(numbers.slices)
    columns = min(n, 3 if page.width > 6 and n != 4 else 2)
    rows = math.ceil(n / columns)
    choices = [choice for choice, _, _ in numbers.slices[0].groups if choice] if n > 1 else []
    height = 3.6 if rows == 1 else 2.5 * rows
    axes = page.axes(rows, columns, height=height, below=legend_height(page, choices), sharey=True)
    values = np.concatenate([values for _, _, values in numbers.slices[0].groups])
    for ax, found in zip(axes, numbers.slices, strict=False):
        _draw_slice(ax, found, numbers)
    metric_axis(axes[0], "y", numbers.metric, values, title=False)
    for first in axes[::columns]:
        first.set_ylabel(numbers.metric.axis)
    for ax in axes[n:]:
        ax.remove()
    legend_below(page, choices)


def _draw_slice(ax: Axes, found: Slice, numbers: Slices) -> None:
    parameter_axis(ax, "x", found.parameter)
    size = crowd_size(sum(len(group) for _, group, _ in found.groups))
    for choice, places, values in found.groups:
        x, y = _apart(found.parameter, places), numbers.metric.scale * values
        ax.plot(x, y, **point_style(choice, size) | {"alpha": 0.75 if choice else 0.5})
        best = np.flatnonzero((values == numbers.best) & (places == found.best))[:1]
        ax.plot(x[best], y[best], **star())


def draw_rank(numbers: Pairs, page: Page) -> None:
    """Trials over two parameters, coloured by rank."""
    axes = _pair_panels(page, len(numbers.pairs))
    for ax, pair in zip(axes, numbers.pairs, strict=False):
        _pair_axes(ax, pair)
        worst_first = np.argsort(-pair.order, kind="stable")
        x, y = (_apart(p, pair.places[:, i], i)[worst_first] for i, p in enumerate((pair.x, pair.y)))
        points = ax.scatter(
            x, y, c=pair.order[worst_first], cmap=good_to_bad(), vmin=0, vmax=1,
            s=crowd_size(len(x)) ** 2, edgecolors=tone(INK), linewidths=0.4, zorder=3,
        )  # fmt: skip
    bar = page.figure.colorbar(points, ax=axes[: len(numbers.pairs)], aspect=30, ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["best", "middle", "worst"])
    _finish_bar(bar, downwards=True)


def draw_contour(numbers: Contour, page: Page) -> None:
    """Filled contours over two parameters, on one scale of colour for all panels, with the trials as dots."""
    axes = _pair_panels(page, len(numbers.surfaces))
    shade = _Shade(numbers.metric, np.concatenate([s.height[~np.isnan(s.height)] for s in numbers.surfaces]))
    for ax, surface in zip(axes, numbers.surfaces, strict=False):
        filled = _draw_surface(ax, surface, shade)
    bar = page.figure.colorbar(filled, ax=axes[: len(numbers.surfaces)], aspect=30)
    ticks = shade.ticks()
    bar.set_ticks([place for place, _ in ticks], labels=[text for _, text in ticks])
    bar.set_label(numbers.metric.axis)
    _finish_bar(bar, downwards=False)


def _draw_surface(ax: Axes, surface: Surface, shade: _Shade) -> Any:
    pair = surface.pair
    _pair_axes(ax, pair)
    edges = [_edges(p, places) for p, places in ((pair.x, surface.x), (pair.y, surface.y))]
    filled = ax.pcolormesh(
        *edges, shade(surface.height), vmin=0, vmax=1, cmap=good_to_bad().reversed(), rasterized=True
    )
    x, y = (_apart(p, pair.places[:, i], i) for i, p in enumerate((pair.x, pair.y)))
    ax.plot(
        x, y, "o", ms=crowd_size(len(pair.places)) * 0.5,
        mfc="#fdfdfd", mec="#101010", mew=0.5, zorder=3,
    )  # fmt: skip
    best = int(pair.order.argmin())
    ax.plot(x[[best]], y[[best]], **star())
    return filled


class _Shade:
    """Values to 0 … 1, on the metric's own scale: the logarithm of the error where that spans much."""

    def __init__(self, metric: Metric, values: Floats) -> None:
        self.metric = metric
        gaps = self._gap(values)
        self.log = bool(gaps.min() > 0 and gaps.max() / gaps.min() > 8)
        ends = self._scaled(values)
        self.low, self.high = float(ends.min()), float(ends.max())

    def _gap(self, values: Floats) -> Floats:
        return 1 - values if self.metric.scale == 100 else values

    def _scaled(self, values: Floats) -> Floats:
        if not self.log:
            return values
        return np.log10(self._gap(values)) * (-1 if self.metric.scale == 100 else 1)

    def __call__(self, values: Floats) -> Floats:
        return (self._scaled(values) - self.low) / ((self.high - self.low) or 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Five places from 0 to 1, and the metric there, with decimals enough to tell them apart."""
        places = np.linspace(0, 1, 5)
        values = self.low + places * (self.high - self.low)
        if self.log:
            values = 1 - 10**-values if self.metric.scale == 100 else 10**values
        values = self.metric.scale * values
        closest = float(np.abs(np.diff(values)).min())
        decimals = max(0, 1 - math.floor(math.log10(closest))) if closest > 0 else 2
        return [(float(place), f"{value:.{decimals}f}") for place, value in zip(places, values, strict=True)]


def _edges(parameter: Parameter, places: Floats) -> Floats:
    """The borders between cells around these places: half-way, on the parameter's own scale."""
    unit = parameter.to_unit(places)
    half = np.diff(unit) / 2
    borders = np.concatenate([unit[:1] - half[:1], unit[:-1] + half, unit[-1:] + half[-1:]])
    return parameter.from_unit(borders if parameter.labels else np.clip(borders, 0, 1))


def draw_parallel(numbers: Parallel, page: Page) -> None:
    """A line per trial across one upright axis per parameter, the metric's own last; good trials lie on top."""
    (ax,) = page.axes(height=3.7)
    shade = _Shade(numbers.metric, numbers.values)
    off = np.isnan(numbers.places)
    heights = np.column_stack([np.where(off, OFF, _fanned(numbers)), shade(numbers.values)])
    lines = [np.column_stack([np.arange(len(row)), row]) for row in heights]
    good = max(1, len(lines) // 10)
    for some, colour, width, alpha in (
        (lines[:-good], MUTED, 0.8, 0.22 if len(lines) < 300 else 0.1),
        (lines[-good:], ACCENT, 1.5, 0.85),
        (lines[-1:], INK, 2.8, 1.0),
    ):
        ax.add_collection(LineCollection(some, colors=tone(colour), linewidths=width, alpha=alpha, zorder=2))
    ax.set_xlim(-0.25, heights.shape[1] - 0.75)
    ax.set_ylim(OFF - 0.06 if off.any() else -0.09, 1.09)
    ax.set_axis_off()
    size = 7.5 if len(numbers.parameters) >= MANY_AXES and page.width < 6 else 8.5
    for place, parameter in enumerate(numbers.parameters):
        _upright(ax, place, parameter.name, _place_ticks(parameter), left=True, size=size)
        if off[:, place].any():
            _tick(ax, place, OFF, "off", left=True, size=size)
    _upright(ax, len(numbers.parameters), numbers.metric.axis, shade.ticks(), left=False, size=size)


def _upright(ax: Axes, place: int, title: str, ticks: list[tuple[float, str]], *, left: bool, size: float) -> None:
    ax.plot([place] * 2, [0, 1], color=tone(MUTED), lw=1, zorder=3)
    for height, text in ticks:
        _tick(ax, place, height, text, left=left, size=size)
    ax.annotate(
        _in_lines(title), (place, 1.09), xytext=(0, 3), textcoords="offset points", size=9, ha="center", va="bottom",
        annotation_clip=False,
    )  # fmt: skip


def _tick(ax: Axes, place: int, height: float, text: str, *, left: bool, size: float) -> None:
    ax.plot([place - 0.015, place + 0.015], [height] * 2, color=tone(MUTED), lw=1, zorder=3)
    ax.annotate(
        text, (place, height), xytext=(-4 if left else 5, 0), textcoords="offset points", size=size, va="center",
        ha="right" if left else "left", zorder=5, annotation_clip=False,
        bbox={"boxstyle": "round,pad=0.12", "fc": tone(PAPER), "ec": "none", "alpha": 0.75},
    )  # fmt: skip


def _in_lines(title: str) -> str:
    """A title that may stand beside others: a line per word once it is long."""
    return title.replace(" ", "\n") if len(title) > LONGEST_TITLE else title


def _place_ticks(parameter: Parameter) -> list[tuple[float, str]]:
    if parameter.labels:
        return [(float(parameter.to_unit(np.array(place))), text) for place, text in parameter.ticks]
    places = np.linspace(0, 1, 5)
    return [(place, number(value, 2)) for place, value in zip(places, parameter.from_unit(places), strict=True)]


def _fanned(numbers: Parallel) -> Floats:
    """Places, those of choices fanned out, so that lines through the same choices do not lie on each other."""
    fan = np.random.default_rng(0).uniform(-JITTER / 2, JITTER / 2, numbers.places.shape)
    steps = [max(len(p.labels) - 1, 1) if p.labels else np.inf for p in numbers.parameters]
    fanned: Floats = numbers.places + fan / np.array(steps)
    return fanned


def _pair_panels(page: Page, n: int) -> list[Axes]:
    columns = 1 if n == 1 else 2
    rows = math.ceil(n / columns)
    axes = page.axes(rows, columns, height=4.0 if n == 1 else 2.75 * rows)
    for ax in axes[n:]:
        ax.remove()
    return axes


def _pair_axes(ax: Axes, pair: Pair) -> None:
    parameter_axis(ax, "x", pair.x)
    parameter_axis(ax, "y", pair.y)


def _finish_bar(bar: Any, *, downwards: bool) -> None:
    bar.outline.set_visible(False)
    bar.ax.grid(False)
    if downwards:
        bar.ax.invert_yaxis()


def _apart(parameter: Parameter, values: Floats, side: int = 0) -> Floats:
    """Marks of one choice spread a little, the same way every time; `side` tells the two axes of a panel apart."""
    if parameter.numeric:
        return values
    shift = np.random.default_rng(side).uniform(-JITTER, JITTER, len(values))
    return parameter.from_unit(parameter.to_unit(values) + shift / max(len(parameter.labels) - 1, 1))
