"""Draws the parameters' importances."""

from __future__ import annotations

from optimize.charts.drawing.rows import row_axes
from optimize.charts.numbers.importances import Importances
from optimize.charts.page import Page
from optimize.charts.palette import ACCENT, INK, tone


def draw_importances(numbers: Importances, page: Page) -> None:
    """A bar per parameter, the most important on top, with the spread of its repetitions."""
    found = numbers.importances
    ax = row_axes(page, [importance.name for importance in found])
    places = range(len(found))
    means = [100 * importance.mean for importance in found]
    ax.barh(places, means, height=0.56, color=tone(ACCENT), zorder=2)
    for place, importance in enumerate(found):
        ax.plot([100 * importance.low, 100 * importance.high], [place] * 2, color=tone(INK), lw=1.4, marker="|", ms=6)
        ax.annotate(
            f"{100 * importance.mean:.0f} %", xy=(100 * max(importance.high, importance.mean), place),
            xytext=(6, 0), textcoords="offset points", va="center", size=9.5,
        )  # fmt: skip
    ax.set_xlim(0, 1.12 * max(100 * importance.high for importance in found))
    ax.set_xlabel("share of what single parameters explain (%)")
