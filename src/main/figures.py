"""The paper that evaluation, explanation and learning curves are drawn on: one look, one way to save."""

from __future__ import annotations

import io
import re
import textwrap
import unicodedata
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from main.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#b8a800")
"""Okabe & Ito (2008), "Color Universal Design"; the yellow darkened, or thin lines of it would vanish on
white.
"""
MARKERS = ("o", "^", "s", "D")
BLUE, VERMILLION = COLOURS[:2]
INK = "#1f2328"
MUTED = "#59636e"
"""Axes, ticks and captions: 6.1 to 1 on white."""
FAINT = "#c8ced4"
GRID = "#e4e8ec"

MARGIN = 0.16
"""Inches around the heading."""
TITLE_SIZE, SUBTITLE_SIZE = 13, 10
LINE = 1.4
"""Distance of lines in the heading, in multiples of the letters' size."""
LETTER = 0.53
"""Mean width of a letter, in multiples of its size: where the heading is broken into lines."""

FONTS = (
    "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans SC", "PingFang SC", "Hiragino Sans", "Microsoft YaHei",
    "Yu Gothic", "Malgun Gothic", "WenQuanYi Zen Hei", "Noto Sans Arabic", "Noto Sans Devanagari",
)  # fmt: skip
"""Tried in this order for each letter of a class's name, as far as they are installed."""

BREAKABLE_PERCENT = re.compile(r"(?<=\d) (?=%)")

RULES: dict[Any, Any] = {
    "text.parse_math": False,  # a class is called what its folder is called, dollars and all
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "savefig.dpi": 160,
}


def unbroken(text: str) -> str:
    """A text for a page or a chart, in whose lines no number is parted from its ` %`."""
    return BREAKABLE_PERCENT.sub("\N{NO-BREAK SPACE}", text)


def draw_all(folder: Path, drawings: Mapping[str, Callable[[], Figure]]) -> tuple[Path, ...]:
    """Draw each figure and write it to `folder`/<name>.png; gives the files' paths in that order.

    Raises:
        OSError: the folder cannot be written.
    """
    import matplotlib as mpl

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with mpl.rc_context(RULES | {"font.family": installed_fonts()}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # drawn as a placeholder
        for name, drawing in drawings.items():
            buffer = io.BytesIO()
            # Without the program's version, the same figure is the same file.
            drawing().savefig(buffer, format="png", metadata={"Software": None})
            paths.append(folder / f"{name}.png")
            write_atomically(paths[-1], buffer.getvalue())
    return tuple(paths)


def installed_fonts() -> list[str]:
    """Those of `FONTS` that are installed here."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return [name for name in FONTS if name in installed]


def page(
    title: str, subtitle: str, *, width: float, height: float, rows: int = 1, columns: int = 1, **how: Any
) -> tuple[Figure, NDArray[Any]]:
    """A figure whose axes, `rows` × `columns`, have `width` × `height` inches below a heading."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    room = (width - 2 * MARGIN) * 72
    looks: list[tuple[str, float, dict[str, Any]]] = [
        (title, TITLE_SIZE, {"weight": "bold"}),
        (subtitle, SUBTITLE_SIZE, {"color": MUTED}),
    ]
    words = [
        (line, size, look)
        for text, size, look in looks
        for line in textwrap.wrap(unbroken(text), int(room / (size * LETTER * _breadth(text))))
    ]
    heading = MARGIN + sum(LINE * size for _, size, _ in words) / 72
    total = height + heading
    layout = ConstrainedLayoutEngine(rect=(0, 0, 1, height / total), w_pad=0.08, h_pad=0.08)
    figure = Figure(figsize=(width, total), layout=layout)
    down = MARGIN
    for line, size, look in words:
        figure.text(MARGIN / width, 1 - down / total, line, size=size, va="top", in_layout=False, **look)
        down += LINE * size / 72
    return figure, figure.subplots(rows, columns, squeeze=False, **how)


def _breadth(text: str) -> float:
    """Mean width of a text's letters in `LETTER`s: Chinese, Japanese and Korean ones are two wide."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return 1 + wide / max(len(text), 1)


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
