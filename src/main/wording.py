"""Figures as people read them, the same on the terminal, in charts and in reports."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_BREAKABLE_PERCENT = re.compile(r"(?<=\d) (?=%)")


def percent(share: float, decimals: int = 2) -> str:
    """A share of 1 as `99.05 %`."""
    return f"{100 * share:.{decimals}f} %"


def unbroken(text: str) -> str:
    """A text for a page or a chart, in whose lines no number is parted from its ` %`."""
    return _BREAKABLE_PERCENT.sub("\N{NO-BREAK SPACE}", text)


def printable(text: str, kept: str = "\n\t") -> str:
    """A text in which a terminal finds nothing to obey: the name of a file may hold what clears the screen."""
    shown = (c.isprintable() or c in kept or unicodedata.category(c) == "Zs" for c in text)
    return "".join(c if is_shown else "\N{REPLACEMENT CHARACTER}" for c, is_shown in zip(text, shown, strict=True))


def counted(n: int, noun: str) -> str:
    """`1 seed`, `5 seeds`, `1,200 seeds`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def accuracy_text(accuracy: float, low: float, high: float, n: int) -> str:
    """An accuracy with its 95 % interval: `99.05 % (95 % 98.84 to 99.22, 10,000 images)`."""
    return f"{percent(accuracy)} (95 % {100 * low:.2f} to {100 * high:.2f}, {counted(n, 'image')})"


def accuracy_of(test: Mapping[str, Any]) -> str:
    """What a card's section `test` says of the accuracy."""
    return accuracy_text(test["accuracy"], test["low"], test["high"], test["n"])


def figure_of(name: str, value: Any) -> str:
    """A metric's value as cards and those who speak of them write it; nothing of what is no number."""
    if not isinstance(value, int | float):
        return ""
    try:
        return percent(value) if "accuracy" in name else f"{value:.6g}"
    except OverflowError:  # a whole number that no float holds
        return ""
