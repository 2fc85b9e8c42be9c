"""The look that all charts share, and the paper that those of one model are drawn on and saved from."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from main.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

OKABE_ITO = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#010101", "#f0e442")
"""Okabe & Ito (2008), "Color Universal Design", the most contrasting on white first.

Their black is one step off #000000, which SVG files leave unsaid, so that it could not be swapped on dark paper."""
COLOURS = (*OKABE_ITO[:-1], "#b8a800")
"""Of classes, which have no markers of their own: the yellow darkened, or small points of it would vanish on white."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "<", ">", "h", "*")
BLUE, VERMILLION = OKABE_ITO[:2]
INK = "#1f2328"
"""Text and the one series of a chart that has a single one."""
MUTED = "#59636e"
"""Axes, ticks, captions: 6.1 to 1 on paper."""
FAINT = "#b8c0c8"
"""What stands behind: what is not the point of the chart."""
GRID = "#e4e8ec"
PAPER = "#ffffff"
WARNING = "#a83200"

MARGIN = 0.14
"""Inches around everything."""
TITLE_SIZE, SUBTITLE_SIZE = 12.5, 10
LINE = 1.32
"""Distance of lines, in multiples of the letters' size."""

RULES: dict[Any, Any] = {
    "text.parse_math": False,  # titles and names of classes are shown as they were written, dollars and all
    "font.size": 10,
    "text.color": INK,
    "figure.facecolor": PAPER,
    "savefig.facecolor": "auto",  # the figure's own, which a style may change
    "axes.facecolor": PAPER,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "savefig.dpi": 160,
    "svg.hashsalt": "optimize-sweeps",  # the same chart is the same file
    "path.simplify": True,
}
"""Of every chart, a sweep's too."""


def draw_all(
    folder: Path, drawings: Mapping[str, Callable[[], Figure]], written: Iterable[str] = ()
) -> tuple[Path, ...]:
    """Draw each figure and write it to `folder`/<name>.png; gives the files' paths in that order.

    What is `written` in them that is not ours, such as the names of classes, decides the fonts by its characters.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with drawing_rules(written):
        for name, drawing in drawings.items():
            buffer = io.BytesIO()
            # Without the program's version, the same figure is the same file.
            drawing().savefig(buffer, format="png", metadata={"Software": None})
            paths.append(folder / f"{name}.png")
            write_atomically(paths[-1], buffer.getvalue())
    return tuple(paths)


@contextmanager
def drawing_rules(written: Iterable[str]) -> Iterator[None]:
    """The rules, and fonts that have the characters of what is `written`."""
    import matplotlib as mpl

    from main import fonts

    with mpl.rc_context(RULES), warnings.catch_warnings():
        mpl.rcParams["font.family"] = fonts.families("".join(written))
        # Said once in words by `fonts`, instead of once per character.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def page(
    title: str, subtitle: str, *, width: float, height: float, rows: int = 1, columns: int = 1, **how: Any
) -> tuple[Figure, NDArray[Any]]:
    """A figure whose axes, `rows` × `columns`, have `width` × `height` inches below a heading."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from main.fonts import Paragraph, broken

    heading = [Paragraph(title, TITLE_SIZE, "bold", INK), Paragraph(subtitle, SUBTITLE_SIZE, "normal", MUTED)]
    lines = broken(heading, width - 2 * MARGIN)
    total = height + MARGIN + sum(LINE * line.size for line in lines) / 72
    layout = ConstrainedLayoutEngine(rect=(0, 0, 1, height / total), w_pad=0.08, h_pad=0.08)
    figure = Figure(figsize=(width, total), layout=layout)
    down = MARGIN
    for text, size, weight, colour in lines:
        figure.text(
            MARGIN / width, 1 - down / total, text, size=size, weight=weight, color=colour, va="top", in_layout=False
        )
        down += LINE * size / 72
    return figure, figure.subplots(rows, columns, squeeze=False, **how)


def show_image(axes: Axes, image: NDArray[Any], **how: Any) -> None:
    """One image, its pixels visible as pixels; (h, w), (h, w, 1) in grey or (h, w, 3) in colour."""
    grey = image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image
    axes.imshow(grey, **({"cmap": "gray", "interpolation": "nearest"} | how))
    bare(axes)


def bare(axes: Axes) -> None:
    """Axes without ticks, grid and frame, as around an image."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def diverging() -> Colormap:
    """Blue through white to vermillion, for values either side of zero."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("diverging", ["#004a75", BLUE, "#ffffff", VERMILLION, "#8a3d00"])


def colour_of(number: int) -> str:
    """The colour of a class, by its number; after eight they come again, with another marker."""
    return COLOURS[number % len(COLOURS)]


def marker_of(number: int) -> str:
    """The marker of a class, by its number."""
    return MARKERS[number // len(COLOURS) % len(MARKERS)]


def shortened(name: str, longest: int = 18) -> str:
    """A class's name where there is little room."""
    return name if len(name) <= longest else name[: longest - 1] + "…"


def as_pixels(values: NDArray[Any]) -> NDArray[np.float32]:
    """Any numbers, brought linearly to 0 … 1; constant ones to 0."""
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / (high - low or 1.0), dtype=np.float32)
