"""Draws what ran when, and how every trial went."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from optimize.charts.drawing.marks import FAILED, colour_of, legend_below, legend_height, point_style
from optimize.charts.drawing.scales import metric_axis
from optimize.charts.numbers.progress import Bar, IntermediateValues, Path, Timeline
from optimize.charts.page import Page
from optimize.charts.palette import ACCENT, FAINT, GRID, INK, MUTED, PAPER, tone
from optimize.charts.units import number
from optimize.wording import duration

MOST_LEGEND = 12
MANY = 60
"""Of more lines, all are thin, and those of no choice stand back, or they would run into one."""


def draw_timeline(numbers: Timeline, page: Page) -> None:
    """A lane per worker; bars in their choice's colour, pruned ones hatched or pale, failed ones crossed out."""
    lanes = len(numbers.workers)
    choices = numbers.choices if len(numbers.choices) <= MOST_LEGEND else ()
    (ax,) = page.axes(height=max(1.3, 0.42 * lanes + 0.7), below=legend_height(page, choices))
    for state, style in _bar_styles(numbers.crowded).items():
        bars = [bar for bar in numbers.bars if bar.state == state]
        patches = [Rectangle((bar.start, bar.lane - 0.36), bar.end - bar.start, 0.72) for bar in bars]
        faces = [style["face"] or colour_of(bar.choice) for bar in bars]
        ax.add_collection(
            PatchCollection(
                patches,
                facecolors=faces,
                edgecolors=style["edge"],
                linewidths=0.2 if numbers.crowded else 0.5,
                hatch=style["hatch"],
                zorder=2,
            )
        )
    _cross_out(ax, [bar for bar in numbers.bars if bar.state == "failed"])
    for place, length in numbers.pauses:
        ax.axvline(place, color=tone(INK), ls=(0, (3, 2)), lw=1.1, zorder=4)
        ax.annotate(
            f"{duration(length)} pause", (place, 1), xycoords=("data", "axes fraction"), xytext=(0, 2),
            textcoords="offset points", ha="center", va="bottom", size=8.5,
        )  # fmt: skip
    ax.set_yticks(range(lanes), [f"worker {worker}" for worker in numbers.workers])
    ax.set_ylim(lanes - 0.4, -0.6)
    end = max(bar.end for bar in numbers.bars)
    ax.set_xlim(-0.01 * end, 1.01 * end)
    _time_axis(ax, end)
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    legend_below(page, choices, marker="s")


def _bar_styles(crowded: bool) -> dict[str, dict[str, Any]]:
    hatched = {"face": tone(PAPER), "edge": tone(MUTED), "hatch": "//////"}
    pale = {"face": tone(GRID), "edge": tone(PAPER), "hatch": None}
    return {
        "complete": {"face": None, "edge": tone(PAPER), "hatch": None},
        "pruned": pale if crowded else hatched,
        "failed": {"face": tone(PAPER), "edge": FAILED, "hatch": None},
    }


def _cross_out(ax: Any, bars: list[Bar]) -> None:
    middles = [(bar.start + bar.end) / 2 for bar in bars]
    ax.plot(middles, [bar.lane for bar in bars], "x", ms=8, mew=2, color=FAILED, zorder=3)


def _time_axis(ax: Any, end: float) -> None:
    size, unit = next(((s, u) for s, u in ((3600, "h"), (60, "min")) if end > 2 * s), (1, "s"))
    ax.xaxis.set_major_locator(_Multiples(size))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value / size)))
    ax.set_xlabel(f"time ({unit})")


class _Multiples(MaxNLocator):
    """Round numbers of a unit of time, on an axis in seconds."""

    def __init__(self, size: float) -> None:
        super().__init__(7, steps=[1, 2, 5, 10])
        self._size = size

    def tick_values(self, vmin: float, vmax: float) -> Any:
        return np.asarray(super().tick_values(vmin / self._size, vmax / self._size)) * self._size


def draw_intermediate_values(numbers: IntermediateValues, page: Page) -> None:
    """A line per trial; the best thick, the pruned pale and ending in a cross."""
    choices = numbers.choices if len(numbers.choices) <= MOST_LEGEND else ()
    (ax,) = page.axes(height=3.6, below=legend_height(page, choices))
    scale = numbers.metric.scale
    complete = [path for path in numbers.paths if path.state == "complete"]
    own, others = [path for path in complete if path.choice], [path for path in complete if not path.choice]
    stopped = [path for path in numbers.paths if path.state != "complete"]
    width = 1.1 if len(numbers.paths) <= MANY else 0.7
    standing_back = 0.7 if len(others) <= MANY else 0.25
    for paths, alpha, order in ((stopped, 0.8, 2.0), (others, standing_back, 3.0), (own, 0.7, 3.5)):
        lines = [np.column_stack([path.epochs, scale * path.values]) for path in paths]
        colours = [_line_colour(path) for path in paths]
        ax.add_collection(LineCollection(lines, colors=colours, linewidths=width, alpha=alpha, zorder=order))
    for state, colour in (("pruned", MUTED), ("failed", FAILED)):
        ends = [(path.epochs[-1], scale * path.values[-1]) for path in stopped if path.state == state]
        if ends:
            seen = 1.0 if len(ends) <= MANY else 0.5
            ax.plot(*np.array(ends).T, "x", ms=5.5, mew=1.2, color=tone(colour), alpha=seen, zorder=4)
    for choice in choices:  # as the legend has them; a mark at each epoch would be too many
        ends = [(path.epochs[-1], scale * path.values[-1]) for path in complete if path.choice == choice]
        if ends:
            ax.plot(*np.array(ends).T, **point_style(choice, 4.5), zorder=6)
    for path in complete:
        if path.trial == numbers.best:
            colour = colour_of(path.choice) if path.choice else tone(ACCENT)
            ax.plot(path.epochs, scale * path.values, color=colour, lw=3, zorder=5)
    metric_axis(ax, "y", numbers.metric, np.concatenate([path.values for path in numbers.paths]))
    ax.set_xlabel("epoch")
    ax.set_xlim(0.8, max(path.epochs[-1] for path in numbers.paths) + 0.2)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    legend_below(page, choices, lines=True)


def _line_colour(path: Path) -> str:
    if path.state != "complete":
        return tone(FAINT)
    return colour_of(path.choice) if path.choice else tone(MUTED)
