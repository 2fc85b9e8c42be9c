"""Colours and markers: one pair per choice, the same in every chart, and told apart by the colour-blind."""

from __future__ import annotations

from typing import NamedTuple

from main.figures import FAINT as FAINT
from main.figures import GRID as GRID
from main.figures import INK as INK
from main.figures import MARKERS as MARKERS
from main.figures import MUTED as MUTED
from main.figures import OKABE_ITO as OKABE_ITO
from main.figures import PAPER as PAPER
from main.figures import WARNING as WARNING

ACCENT = "#0072b1"
"""The best, where no choice has a colour of its own; a step off `OKABE_ITO[0]`, whose partner on dark it has not."""
INKS = ("#020202", "#fefefe")
"""What is written on a colour: one of them has at least 4.5 to 1 on any. Neither is swapped on dark paper."""

DARK = {
    PAPER: "#12161c",
    INK: "#e8ecf1",
    MUTED: "#a6b0bb",
    FAINT: "#5c6672",
    GRID: "#2a313a",
    ACCENT: "#58a9e6",
    WARNING: "#ffa657",
    "#0072b2": "#3d9be0",
    "#d55e00": "#f0772b",
    "#009e73": "#1fbf93",
    "#010101": "#f2f5f8",
}
"""What replaces a colour on dark paper; the others are light enough for both."""


class Look(NamedTuple):
    """How one choice is drawn wherever it appears."""

    colour: str
    marker: str


def looks(n: int) -> tuple[Look, ...]:
    """Colours and markers of `n` choices: Okabe-Ito up to eight, beyond that cividis from dark to light."""
    return tuple(Look(colour, MARKERS[i % len(MARKERS)]) for i, colour in enumerate(_colours(n)))


def _colours(n: int) -> tuple[str, ...]:
    if n <= len(OKABE_ITO):
        return OKABE_ITO[:n]
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    # The lightest tenth would vanish on white paper.
    return tuple(to_hex(colormaps["cividis"](0.9 * i / (n - 1))) for i in range(n))


def ink_on(colour: str) -> str:
    """The one of `INKS` that stands out more, by the contrast ratio of WCAG 2.2."""
    behind = _luminance(colour)

    def contrast(ink: str) -> float:
        darker, lighter = sorted((behind, _luminance(ink)))
        return (lighter + 0.05) / (darker + 0.05)

    return max(INKS, key=contrast)


def _luminance(colour: str) -> float:
    from matplotlib.colors import to_rgb

    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def tone(colour: str) -> str:
    """The colour as the paper of the style in force needs it: as it is on light paper, its `DARK` partner on dark."""
    from matplotlib import rcParams
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(rcParams["figure.facecolor"])
    return colour if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.4 else DARK.get(colour, colour)
