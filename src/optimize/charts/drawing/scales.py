"""Axes on which differences can be seen: logarithmic in the loss, in the error rate, or in a parameter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator, NullLocator, ScalarFormatter

from optimize.charts.parameters import Parameter
from optimize.charts.units import Metric, number

Side = Literal["x", "y"]
Floats = npt.NDArray[np.float64]

MANY_TIMES = 8
"""Errors (or losses) whose largest is this many times the smallest are drawn logarithmically."""
STEPS = (1.0, 2.0, 5.0)


def metric_axis(
    ax: Axes, side: Side, metric: Metric, values: Floats, ends: Floats | None = None, *, title: bool = True
) -> None:
    """Scale, limits, ticks and title of an axis that shows a metric.

    Accuracies that range from poor to excellent are drawn by the logarithm of their error, so that 98 and 99 % stand
    as far apart as 80 and 90 %; losses that range as far, by their own.

    Args:
        ax: The axes.
        side: Which of their two axes.
        metric: What it shows.
        values: What decides the scale, in the metric's own unit; what is drawn is `metric.scale` times that.
        title: Whether the axis is named.
        ends: Ends of intervals, which are shown as well, but may not squeeze the values into a corner: where they
            reach further than the values' own extent again, they are cut off at the axis.
    """
    if title:
        getattr(ax, f"set_{side}label")(metric.axis)
    drawn = metric.scale * values[np.isfinite(values)]
    if not len(drawn):
        return
    gaps = metric.scale - drawn if metric.scale == 100 else drawn
    positive = gaps[gaps > 0]
    if len(positive) and gaps.max() / positive.min() > MANY_TIMES:
        _logarithmic(ax, side, metric, float(positive.min()), float(gaps.max()), zero=bool((gaps <= 0).any()))
        return
    low, high = float(drawn.min()), float(drawn.max())
    if ends is not None and np.isfinite(ends).any():
        reach = (high - low) or np.inf
        low = max(min(low, metric.scale * float(np.nanmin(ends))), low - reach)
        high = min(max(high, metric.scale * float(np.nanmax(ends))), high + reach)
    _linear(ax, side, low, high)


def parameter_axis(ax: Axes, side: Side, parameter: Parameter, *, title: bool = True) -> None:
    """Scale, limits and ticks of an axis that shows a swept parameter."""
    axis = getattr(ax, f"{side}axis")
    if title:
        getattr(ax, f"set_{side}label")(parameter.name)
    low, high = parameter.low, parameter.high
    if parameter.log:
        getattr(ax, f"set_{side}scale")("log")
        pad = (high / low) ** 0.05 if high > low else 2.0
        getattr(ax, f"set_{side}lim")(low / pad, high * pad)
        axis.set_minor_locator(NullLocator())
        _fixed(axis, _parameter_ticks(parameter, _decades(low, high)))
        return
    pad = 0.05 * (high - low) if parameter.numeric else 0.5
    getattr(ax, f"set_{side}lim")(low - (pad or 0.5), high + (pad or 0.5))
    if parameter.ticks and (not parameter.numeric or len(parameter.ticks) <= 8):
        _fixed(axis, list(parameter.ticks))
    else:
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))


def asinh_axis(ax: Axes, side: Side, width: float, largest: float) -> None:
    """An axis that is linear up to `width`, and logarithmic beyond, with ticks at zero and up to `largest`."""
    getattr(ax, f"set_{side}scale")("asinh", linear_width=width)
    axis = getattr(ax, f"{side}axis")
    axis.set_minor_locator(NullLocator())
    _fixed(axis, [(tick, number(tick)) for tick in (0.0, *_decades(width, largest))])


def _parameter_ticks(parameter: Parameter, decades: list[float]) -> list[tuple[float, str]]:
    if parameter.ticks and len(parameter.ticks) <= 8:
        return list(parameter.ticks)
    return [(value, number(value)) for value in decades]


def _fixed(axis: object, ticks: Sequence[tuple[float, str]]) -> None:
    axis.set_major_locator(FixedLocator([place for place, _ in ticks]))  # type: ignore[attr-defined]
    axis.set_major_formatter(FixedFormatter([text for _, text in ticks]))  # type: ignore[attr-defined]


def _linear(ax: Axes, side: Side, low: float, high: float) -> None:
    extent = high - low or max(abs(high), 1e-9) * 0.02
    getattr(ax, f"set_{side}lim")(low - 0.07 * extent, high + 0.07 * extent)
    axis = getattr(ax, f"{side}axis")
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    plain = ScalarFormatter(useOffset=False)  # as many decimals on every tick
    plain.set_scientific(not 1e-3 < extent < 1e6)
    axis.set_major_formatter(plain)


def _logarithmic(ax: Axes, side: Side, metric: Metric, low: float, high: float, *, zero: bool) -> None:
    """A scale in the logarithm of the gap: of the error for an accuracy, of the value itself for a loss."""
    floor = low / 2 if zero else low
    accuracy = metric.scale == 100
    forward, inverse = (
        partial(_to_scale, floor=floor, accuracy=accuracy),
        partial(_from_scale, accuracy=accuracy),
    )
    getattr(ax, f"set_{side}scale")("function", functions=(forward, inverse))
    pad = (high / floor) ** 0.06
    ends = sorted(float(inverse(np.log10(end))) for end in (floor / pad, high * pad))
    if accuracy:
        ends = sorted(float(100 - end) for end in (floor / pad, high * pad))
    getattr(ax, f"set_{side}lim")(*ends)
    axis = getattr(ax, f"{side}axis")
    axis.set_minor_locator(NullLocator())
    gaps = _decades(floor / pad, high * pad)
    ticks = [(100 - gap if accuracy else gap) for gap in gaps if not accuracy or gap < 100]
    if zero and accuracy:
        ticks = [tick for tick in ticks if tick <= 100 - floor]
    _fixed(axis, [(tick, number(tick, 5)) for tick in ticks])


def _to_scale(values: Floats, *, floor: float, accuracy: bool) -> Floats:
    gaps = 100 - np.asarray(values, dtype=np.float64) if accuracy else np.asarray(values, dtype=np.float64)
    logs = np.log10(np.maximum(gaps, floor / 4))
    return -logs if accuracy else logs


def _from_scale(values: Floats, *, accuracy: bool) -> Floats:
    return 100 - 10 ** -np.asarray(values, dtype=np.float64) if accuracy else 10 ** np.asarray(values, dtype=np.float64)


def _decades(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers between two ends: every 1, 2 and 5 of a decade, or its 1 and 3, or each decade, or every second."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    finest: list[float] = []
    for mantissas in (STEPS, (1.0, 3.0), (1.0,)):
        found = [m * 10.0**decade for decade in range(first, last + 1) for m in mantissas]
        finest = [float(f"{value:.6g}") for value in found if low <= value <= high]
        if len(finest) <= most:
            return finest
    return finest[:: math.ceil(len(finest) / most)]
