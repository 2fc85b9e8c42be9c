"""Whether the titles of a chart's panels can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONG = ("a pullover with a hood", "mobile telephone mast", "coat", "constructor", "a very long class's name")


def titles_in_the_way(figure: Figure) -> list[str]:
    """Titles of axes that reach out of the figure or into another title."""
    figure.draw_without_rendering()
    titles = [axes.title if axes.title.get_text() else axes._left_title for axes in figure.axes]
    boxes = [(title.get_text(), title.get_window_extent()) for title in titles if title.get_text()]
    width = figure.bbox.width
    return [
        text
        for text, box in boxes
        if box.x0 < 0 or box.x1 > width or any(other is not box and box.overlaps(other) for _, other in boxes)
    ]
