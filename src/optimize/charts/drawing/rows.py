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


def row_axes(page: Page, names: Sequence[str], *, pitch: float = 0.4, bold: Collection[int] = ()) -> Axes:
    """Axes whose rows are at y = 0, 1, … from the top, `pitch` inches apart besides what names above them need."""
    beside = max(map(len, names)) <= LONGEST_BESIDE
    font = FontProperties(size=NAME_SIZE)
    above = [] if beside else ["\n".join(wrap(name, font, (page.width - FIGURES) * 72)) for name in names]
    lines = max((text.count("\n") + 1 for text in above), default=0)
    step = pitch + 0.19 * lines
    (ax,) = page.axes(height=max(0.6, step * len(names)) + AXIS)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="y", visible=False)
    low_end = len(names) - 0.5
    if beside:
        ax.set_yticks(range(len(names)), list(names))
        ax.set_ylim(low_end, -0.5)
        for place in bold:
            ax.get_yticklabels()[place].set_fontweight("bold")
        return ax
    ax.set_yticks([])
    ax.set_ylim(low_end - 0.5 + pitch / 2 / step, -0.5 - (step - pitch) / 2 / step)
    for place, text in enumerate(above):
        ax.annotate(
            text, xy=(0, place), xycoords=("axes fraction", "data"), xytext=(0, 72 * (pitch / 2 - 0.03)),
            textcoords="offset points", ha="left", va="bottom", size=NAME_SIZE, linespacing=1.15,
            weight="bold" if place in bold else "normal", annotation_clip=False, zorder=5,
            bbox={"boxstyle": "round,pad=0.1", "fc": tone(PAPER), "ec": "none", "alpha": 0.85},
        )  # fmt: skip
    return ax


def row_figures(ax: Axes, place: int, text: str) -> None:
    """Figures at the right end of a row."""
    ax.annotate(
        text, xy=(1.0, place), xycoords=("axes fraction", "data"), xytext=(7, 0), textcoords="offset points",
        va="center", size=NAME_SIZE, annotation_clip=False,
    )  # fmt: skip
