"""Where a drawn chart's texts lie, to see whether any run into each other or off the page."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

TOUCHING = 2.5
"""Pixels by which boxes, which are a little larger than their letters, may overlap at 100 dots an inch."""


def faults(figure: Figure) -> list[str]:
    """What is wrong with where the texts of a finished figure are, a line each."""
    figure.set_dpi(100)
    FigureCanvasAgg(figure).draw()
    placed = [(text, text.get_window_extent()) for text in _drawn(figure)]
    outside = [f"{text.get_text()!r} leaves the page" for text, box in placed if not _within(box, figure.bbox)]
    return outside + [
        f"{one.get_text()!r} meets {other.get_text()!r}"
        for (one, box), (other, its) in itertools.combinations(placed, 2)
        if _meet(box, its) and _upright(one) and _upright(other)
    ]


def _drawn(figure: Figure) -> Iterator[Text]:
    unseen = set(_labels_of_ticks_out_of_view(figure))
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and id(text) not in unseen:
            yield text


def _labels_of_ticks_out_of_view(figure: Figure) -> Iterator[int]:
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            in_view = set(map(id, axis._update_ticks())) if ax.axison else set()
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if id(tick) not in in_view:
                    yield from (id(tick.label1), id(tick.label2))


def _within(box: Bbox, page: Bbox) -> bool:
    return box.x0 > -1 and box.y0 > -1 and box.x1 < page.width + 1 and box.y1 < page.height + 1


def _meet(one: Bbox, other: Bbox) -> bool:
    across, up = (
        min(getattr(one, f"{side}1"), getattr(other, f"{side}1"))
        - max(getattr(one, f"{side}0"), getattr(other, f"{side}0"))
        for side in "xy"
    )
    return across > TOUCHING and up > TOUCHING


def _upright(text: Text) -> bool:
    """Whether the text's box is the text's own, and not that of a slanted line in it."""
    return text.get_rotation() % 90 == 0
