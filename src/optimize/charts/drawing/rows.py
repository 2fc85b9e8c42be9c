"""Axes with a named row per thing: names beside the rows while they are short, above them where they are long."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties

from main.fonts import wrap
from optimize.charts.page import Page
from optimize.charts.palette import PAPER, tone

LONGEST_BESIDE = 26
NAME_SIZE = 9.5
FIGURES = 1.5
"""Inches at the right that a name above its row leaves to the figures."""
AXIS = 0.68
"""Inches that the axis below takes with its title."""
LINE = 0.19
"""Inches of a line of a name above its row."""


def row_axes(
    page: Page,
    names: Sequence[str],
    *,
    pitch: float = 0.4,
    bold: Collection[int] = (),
    headings: Collection[int] = (),
) -> Axes:
    """Axes whose rows are at y = 0, 1, … from the top, `pitch` inches apart besides what names above them need.

    `headings` are rows of a name alone, in bold too.
    """
    beside = max(map(len, names)) <= LONGEST_BESIDE
    font = FontProperties(size=NAME_SIZE)
    above = [] if beside else ["\n".join(wrap(name, font, (page.width - FIGURES) * 72)) for name in names]
    lines = max((text.count("\n") + 1 for text in above), default=0)
    step = pitch + LINE * lines
    top = step - pitch / 2  # inches above the first row's middle
    if above and 0 in headings:
        top = LINE * (above[0].count("\n") + 1) + 0.06 - pitch / 2
    (ax,) = page.axes(height=max(0.6, step * (len(names) - 1) + pitch / 2 + top) + AXIS)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="y", visible=False)
    if beside:
        ax.set_yticks(range(len(names)), list(names))
        ax.set_ylim(len(names) - 0.5, -0.5)
        for place in {*bold, *headings}:
            ax.get_yticklabels()[place].set_fontweight("bold")
        return ax
    ax.set_yticks([])
    ax.set_ylim(len(names) - 1 + pitch / 2 / step, -top / step)
    for place, text in enumerate(above):
        up = -pitch / 2 + 0.03 if place in headings else pitch / 2 - 0.03  # a heading stands close to what it heads
        ax.annotate(
            text, xy=(0, place), xycoords=("axes fraction", "data"), xytext=(0, 72 * up),
            textcoords="offset points", ha="left", va="bottom", size=NAME_SIZE, linespacing=1.15,
            weight="bold" if place in {*bold, *headings} else "normal", annotation_clip=False, zorder=5,
            bbox={"boxstyle": "round,pad=0.1", "fc": tone(PAPER), "ec": "none", "alpha": 0.85},
        )  # fmt: skip
    return ax


def row_figures(ax: Axes, place: int, text: str) -> None:
    """Figures at the right end of a row."""
    ax.annotate(
        text, xy=(1.0, place), xycoords=("axes fraction", "data"), xytext=(7, 0), textcoords="offset points",
        va="center", size=NAME_SIZE, annotation_clip=False,
    )  # fmt: skip
