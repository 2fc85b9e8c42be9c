"""The paper a chart is drawn on: title, subtitle and footer around the axes, whatever characters they hold."""

from __future__ import annotations

import io
import itertools
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import FixedLocator

from main import figures
from main.errors import UserError
from main.figures import INK, LINE, MARGIN, MUTED, SUBTITLE_SIZE, TITLE_SIZE, WARNING
from main.fonts import Paragraph, broken
from optimize.charts.palette import tone

FOOTER_SIZE = 8.5
LETTER_GAP = 0.04
"""Inches between labels that stand side by side."""
POINTS = 72
"""To an inch: what files of lines rather than pixels measure in."""

CLIP_PATH = re.compile(rb"\bp[0-9a-f]{10}\b")

LEFT_TO_US: Any = {
    "text.parse_math": False,
    "text.usetex": False,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
}
"""What a style may not change: names are shown as they are, and pages are laid out here."""
LEFT_TO_A_STYLE: Any = {"axes.titlecolor": "auto", "xtick.labelcolor": "inherit", "ytick.labelcolor": "inherit"}
"""Colours that styles name under other names."""


class Words(NamedTuple):
    """What stands around a chart."""

    title: str
    subtitle: str
    caption: str
    notice: str | None = None


@contextmanager
def _without_layout_warnings() -> Iterator[None]:
    """Where names leave axes no room, matplotlib gives up its layout and says so to a person who cannot mend it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        yield


class Page:
    """One chart's figure; made by `axes`, which a drawing calls once."""

    def __init__(self, words: Words | None = None) -> None:
        """Without words, whoever embeds the chart says them."""
        self._words = words
        self.figure = Figure(layout="constrained")
        FigureCanvasAgg(self.figure)

    @property
    def width(self) -> float:
        """Inches. A page's own column is narrow on a phone, where a wide chart's letters would be too small."""
        return 6.4 if self._words else 5.0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in CSS pixels, of which there are 96 to an inch."""
        width, height = self.figure.get_size_inches()
        return round(96 * width), round(96 * height)

    def axes(
        self, rows: int = 1, columns: int = 1, *, height: float = 3.6, below: float = 0.0, **how: Any
    ) -> list[Axes]:
        """The chart's axes, row by row, on `width` × `height` inches besides the words around them.

        `below` are inches to be left free between the axes and the footer; their upper end is at `self.foot`.
        """
        width = self.width
        above, footer = self._write(self._words, width) if self._words else (0.0, 0.0)
        below += footer
        total = height + above + below
        self.foot = below / total
        self.figure.set_size_inches(width, total)
        for text in self.figure.texts:  # written in inches from the top or the bottom
            x, y = text.get_position()
            text.set_position((x / width, (total + y if y < 0 else y) / total))
        engine = self.figure.get_layout_engine()
        assert isinstance(engine, ConstrainedLayoutEngine)
        rect = (MARGIN / 2 / width, below / total, 1 - MARGIN / width, height / total)
        engine.set(rect=rect, w_pad=0.06, h_pad=0.06)
        return list(self.figure.subplots(rows, columns, squeeze=False, **how).flat)

    def settle(self) -> None:
        """Lay the axes out, so that places on paper can be computed.

        By the layout alone: matplotlib would draw everything on nothing for it, here and before it saves a file.
        """
        engine = self.figure.get_layout_engine()
        assert engine is not None
        with _without_layout_warnings():
            engine.execute(self.figure)

    def render(self, format: str) -> bytes:  # noqa: A002 - the word matplotlib and the command have for it
        """The finished file; asked for once."""
        # In points, letters end on fractions that six digits hold: the file does not depend on the solver's last one.
        dpi = self.figure.dpi if mpl.rcParams["savefig.dpi"] == "figure" else mpl.rcParams["savefig.dpi"]
        self.figure.dpi = dpi if format == "png" else POINTS
        self.settle()
        if self._turn_crowded_labels():
            self.settle()
        self.figure.set_layout_engine(None)  # one that is "none" would have it drawn twice still
        # A file that holds the moment it was made is never the same twice.
        undated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
        buffer = io.BytesIO()
        self.figure.savefig(buffer, format=format, metadata=undated.get(format))
        return _with_stable_ids(buffer.getvalue()) if format == "svg" else buffer.getvalue()

    def _turn_crowded_labels(self) -> bool:
        """Turn the labels under axes of choices where they would run into each other; whether any would."""
        turned = False
        gap = LETTER_GAP * self.figure.dpi
        for ax in self.figure.axes:
            if not isinstance(ax.xaxis.get_major_locator(), FixedLocator):
                continue
            low, high = sorted(ax.get_xlim())
            ticks = [tick for tick in ax.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
            boxes = [tick.label1.get_window_extent() for tick in ticks if tick.label1.get_text()]
            if any(left.x1 + gap > right.x0 for left, right in itertools.pairwise(boxes)):
                turned = True
                ax.tick_params(axis="x", labelrotation=35)
                for label in ax.get_xticklabels():
                    label.set(horizontalalignment="right", rotation_mode="anchor")
        return turned

    def _write(self, words: Words, width: float) -> tuple[float, float]:
        room = width - 2 * MARGIN
        heading = [
            Paragraph(words.title, TITLE_SIZE, "bold", INK),
            Paragraph(words.subtitle, SUBTITLE_SIZE, "normal", INK),
        ]
        footer = [Paragraph(words.caption, FOOTER_SIZE, "normal", MUTED)]
        if words.notice:
            footer.append(Paragraph(words.notice, FOOTER_SIZE, "bold", WARNING))
        return self._block(heading, room, top=True), self._block(footer, room, top=False)

    def _block(self, paragraphs: list[Paragraph], room: float, top: bool) -> float:
        """Write paragraphs one below the other; returns the height they take, in inches."""
        lines = broken(paragraphs, room)
        height = (MARGIN if top else 1.4 * MARGIN) + sum(LINE * line.size / 72 for line in lines)
        y = -MARGIN if top else height - 0.4 * MARGIN
        for line, size, weight, colour in lines:
            self.figure.text(MARGIN, y, line, size=size, weight=weight, color=tone(colour), va="top", in_layout=False)
            y -= LINE * size / 72
        return height


@contextmanager
def drawing_rules(texts: list[str], style: str | None = None) -> Iterator[None]:
    """Our rules, then a matplotlib style over them, and fonts that have the characters of `texts`.

    Raises:
        UserError: matplotlib knows no such style.
    """
    with figures.drawing_rules(texts):
        if style is not None:
            families = mpl.rcParams["font.family"]
            mpl.rcParams.update(LEFT_TO_A_STYLE)
            _use(style)
            mpl.rcParams.update(LEFT_TO_US | {"font.family": families})
        yield


def _with_stable_ids(svg: bytes) -> bytes:
    """Clip paths named by their order: matplotlib hashes where in memory they happen to be."""
    order: dict[bytes, bytes] = {}
    return CLIP_PATH.sub(lambda found: order.setdefault(found[0], b"clip%d" % len(order)), svg)


def _use(style: str) -> None:
    if style not in mpl.style.available and not Path(style).is_file():  # a dotted name would import a package
        some = ", ".join(name for name in mpl.style.available if not name.startswith("_"))
        raise UserError(f"matplotlib has no style {style!r}; it has {some}, and takes a style file's path")
    complaints = _Complaints()
    log = logging.getLogger("matplotlib")
    log.addHandler(complaints)
    log.propagate, before = False, log.propagate
    try:
        mpl.style.use(style)
    except (OSError, ValueError) as error:
        raise UserError(f"{style} is no matplotlib style: {error}") from error
    finally:
        log.propagate = before
        log.removeHandler(complaints)
    if complaints.messages:
        raise UserError(f"{style} is no matplotlib style: {' '.join(complaints.messages[0].split())}")


class _Complaints(logging.Handler):
    """What matplotlib only warns of when it reads a style."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
