"""Marks and labels that several charts share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.patheffects import Normal, Stroke
from matplotlib.transforms import ScaledTranslation

from optimize.charts.evidence import Choice
from optimize.charts.page import Page
from optimize.charts.palette import FAINT, INK, MUTED, OKABE_ITO, PAPER, tone
from optimize.charts.parameters import Floats

LONGEST_DIRECT = 24
MOST_DIRECT = 10
CHARACTERS_PER_INCH = 11.5
PALE = ("#f0e442",)
"""Colours that need a rim to be seen on white."""
FAILED = OKABE_ITO[1]
PITCH, MORE_PITCH, MOST_APART = 0.4, 0.03, 5
"""Inches from row to row, and how many more for each mark of a pile, of which so many are given room."""
PILE = 5.0
"""Points for a pile in rows of the usual pitch."""


def colour_of(choice: Choice | None) -> str:
    """A choice's colour; the ink's where there is no choice to tell apart."""
    return tone(choice.look.colour if choice else MUTED)


def point_style(choice: Choice | None, size: float = 6) -> dict[str, Any]:
    """How a choice's marks look, as keywords of `plot`."""
    colour = colour_of(choice)
    return {
        "marker": choice.look.marker if choice else "o",
        "markersize": size,
        "markerfacecolor": colour,
        "markeredgecolor": tone(INK if colour in PALE else PAPER),
        "markeredgewidth": 0.6,
        "linestyle": "none",
    }


def line_style(choice: Choice | None) -> dict[str, Any]:
    """How a choice's lines look, as keywords of `plot`."""
    colour = colour_of(choice)
    style: dict[str, Any] = {"color": colour, "linestyle": "-"}
    if colour in PALE:
        style["path_effects"] = [Stroke(linewidth=2.8, foreground=tone(INK)), Normal()]
    return style


def equals_before(values: Floats) -> npt.NDArray[np.int64]:
    """(n,): how many of the values before each are the same, whose marks would hide one another."""
    seen = Counter[float]()
    found = []
    for value in np.round(values, 12).tolist():
        found.append(seen[value])
        seen[value] += 1
    return np.array(found, dtype=np.int64)


def row_pitch(rows: Iterable[Floats]) -> float:
    """Inches from one row of marks to the next, more of them where equal values stand in a pile."""
    deepest = max((int(equals_before(values).max(initial=0)) for values in rows), default=0)
    return PITCH + MORE_PITCH * min(deepest, MOST_APART)


def draw_piled(ax: Axes, values: Floats, place: float, pitch: float, style: Mapping[str, Any]) -> None:
    """Marks in a row below `place`, in rows that are `pitch` inches apart; equal ones in a pile."""
    levels = equals_before(values)
    most = int(levels.max(initial=0))
    step = min(style["markersize"] / 2, (PILE + 72 * (pitch - PITCH) / 2) / max(most, 1))
    for level in range(most + 1):
        lower = ScaledTranslation(0, -level * step / 72, ax.figure.dpi_scale_trans)
        same = values[levels == level]
        ax.plot(same, np.full(len(same), place), transform=ax.transData + lower, **style)


def star(size: float = 13) -> dict[str, Any]:
    """The mark of the best trial, as keywords of `plot`."""
    return {
        "marker": "*",
        "markersize": size,
        "markerfacecolor": OKABE_ITO[7],
        "markeredgecolor": tone(INK),
        "markeredgewidth": 0.9,
        "linestyle": "none",
        "zorder": 6,
    }


def crowd_size(n: int) -> float:
    """The size of one mark among `n`."""
    return 6.0 if n <= 60 else 4.5 if n <= 200 else 3.0


def label_directly(choices: Sequence[Choice]) -> bool:
    """Whether choices are few and short enough to be named beside their lines."""
    longest = max((len(choice.short) for choice in choices), default=0)
    return len(choices) <= MOST_DIRECT and longest <= LONGEST_DIRECT


def label_ends(page: Page, ax: Axes, ends: Sequence[tuple[Choice, float]], size: float = 9.5) -> None:
    """Name lines at the right edge of the axes, each at the height where it ends (in data) or as near as they fit."""
    page.settle()
    box = ax.get_window_extent()
    width, height = (extent / page.figure.dpi * 72 for extent in (box.width, box.height))
    to_axes = ax.transAxes.inverted()
    wanted = [float(to_axes.transform(ax.transData.transform((0, end)))[1]) * height for _, end in ends]
    for (choice, _), place, want in zip(ends, spread(wanted, 1.3 * size, height), wanted, strict=True):
        ax.plot(
            [1.0, 1 + 11 / width], [want / height, place / height],
            transform=ax.transAxes, clip_on=False, lw=0.8, color=tone(FAINT), zorder=1,
        )  # fmt: skip
        ax.plot([1 + 16 / width], [place / height], transform=ax.transAxes, clip_on=False, **point_style(choice, 5.5))
        ax.annotate(
            choice.short, xy=(1.0, place / height), xycoords="axes fraction", xytext=(23, 0),
            textcoords="offset points", va="center", ha="left", size=size, annotation_clip=False,
        )  # fmt: skip


def spread(wanted: Sequence[float], gap: float, room: float) -> list[float]:
    """Places as near as possible to those wanted, in the same order, at least `gap` apart, within 0 to `room`.

    Neighbours that would overlap become a block around the mean of what they want; blocks grow until none meet.
    """
    order = np.argsort(wanted, kind="stable")
    blocks: list[list[int]] = []

    def bottom(block: list[int]) -> float:
        extent = gap * (len(block) - 1)
        middle = float(np.mean([wanted[i] for i in block]))
        return min(max(middle - extent / 2, 0.0), max(room - extent, 0.0))

    for i in order:
        blocks.append([int(i)])
        while len(blocks) > 1 and bottom(blocks[-2]) + gap * len(blocks[-2]) > bottom(blocks[-1]) + 1e-9:
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    places = [0.0] * len(wanted)
    for block in blocks:
        for step, i in enumerate(block):
            places[i] = bottom(block) + gap * step
    return places


def legend_height(page: Page, choices: Sequence[Choice]) -> float:
    """Inches that `legend_below` needs."""
    return 0.06 + 0.195 * math.ceil(len(choices) / _legend_columns(page, choices)) if choices else 0.0


def _legend_columns(page: Page, choices: Sequence[Choice]) -> int:
    longest = max(len(choice.short) for choice in choices)
    return max(1, min(len(choices), int(CHARACTERS_PER_INCH * page.width / (longest + 6))))


def legend_below(page: Page, choices: Sequence[Choice], *, lines: bool = False, marker: str | None = None) -> None:
    """Name the choices under the axes, in as many columns as fit; `marker` replaces their own.

    The page must have been given `legend_height` inches below its axes.
    """
    if not choices:
        return
    handles = [Line2D([], [], **(point_style(c) | (line_style(c) if lines else {}))) for c in choices]
    if marker is not None:
        for handle in handles:
            handle.set_marker(marker)
    legend = page.figure.legend(
        handles, [choice.short for choice in choices], loc="upper left", bbox_to_anchor=(0.12 / page.width, page.foot),
        ncols=_legend_columns(page, choices), borderaxespad=0.0, borderpad=0.0, columnspacing=1.4, handletextpad=0.4,
        handlelength=1.6 if lines else 1.0, labelspacing=0.4,
    )  # fmt: skip
    legend.set_in_layout(False)


def good_to_bad() -> LinearSegmentedColormap:
    """Colours of ranks, 0 (best) to 1 (worst): cividis, darkest where best, told apart on light and dark paper."""
    from matplotlib import colormaps

    return LinearSegmentedColormap.from_list("good_to_bad", colormaps["cividis"](np.linspace(0.05, 0.97, 64)))


def worse_to_better() -> LinearSegmentedColormap:
    """Colours around zero: vermillion below, blue above, the neutral between them no paper's own.

    Each end is a step off its colour in `OKABE_ITO`, so that none is swapped on dark paper and what is written on it
    can still be read.
    """
    return LinearSegmentedColormap.from_list("worse_to_better", ["#d55e01", "#f4f4f2", "#0072b3"])
