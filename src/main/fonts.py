"""Fonts for whatever characters a title holds, and lines broken to a width."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties, fontManager, get_font

from main.wording import unbroken

log = logging.getLogger(__name__)

PREFERRED = (
    "Noto Sans CJK",
    "Noto Sans",
    "WenQuanYi",
    "IPA",
    "Hiragino",
    "Yu Gothic",
    "Microsoft YaHei",
    "PingFang",
)
"""Families tried first for what DejaVu lacks; colour fonts cannot be drawn."""


HINTED = 0.97
"""Share of a width that is filled: at a low resolution, hinted letters are a little wider than measured."""


def families(text: str) -> list[str]:
    """DejaVu Sans, then as few installed families as cover what it lacks of `text`.

    Characters that no font here has are drawn as their block's placeholder, and named once in the log.
    """
    chosen = ["DejaVu Sans"]
    missing = {character for character in text if _is_drawn(character)} - _covered_by_default(text)
    if not missing:
        return chosen
    for path, name in _candidates():
        found = {character for character in missing if ord(character) in _characters(path)}
        if found:
            chosen.append(name)
            missing -= found
        if not missing:
            return chosen
    log.info("no font installed here has %s", " ".join(sorted(missing)))
    return chosen


class Paragraph(NamedTuple):
    """A text, or one line of it, and how it is written."""

    text: str
    size: float
    weight: str
    colour: str


def broken(paragraphs: Sequence[Paragraph], width: float) -> list[Paragraph]:
    """Every line of some paragraphs, each of at most `width` inches."""
    room = HINTED * width * 72
    return [
        paragraph._replace(text=line)
        for paragraph in paragraphs
        for line in wrap(paragraph.text, FontProperties(size=paragraph.size, weight=paragraph.weight), room)
    ]


def wrap(text: str, font: FontProperties, width: float) -> list[str]:
    """Break a text into lines of at most `width` points, between words, or inside one that is wider than a line."""

    def fits(line: str) -> bool:
        return width_of(line, font) <= width

    lines: list[str] = []
    line, taken = "", 0.0  # the words of a line are measured one by one, for most have been measured before
    for piece in _pieces(text):
        if taken + width_of(piece.rstrip(), font) <= width:
            line, taken = line + piece, taken + width_of(piece, font)
            continue
        if line:
            lines.append(line.rstrip())
        while not fits(piece.rstrip()):
            cut = next(n for n in range(len(piece) - 1, 0, -1) if n == 1 or fits(piece[:n]))
            lines.append(piece[:cut])
            piece = piece[cut:]
        line, taken = piece, width_of(piece, font)
    return [*lines, line.rstrip()] if line.strip() else lines


def width_of(text: str, font: FontProperties) -> float:
    """In points; a space at the end counts."""
    return _measured(text, font, tuple(mpl.rcParams["font.family"]))


@lru_cache(maxsize=4096)
def _measured(text: str, font: FontProperties, families: tuple[str, ...]) -> float:
    """`families` are those that the font falls back to: part of what decides."""
    renderer: Any = RendererAgg(1, 1, 720)  # type: ignore[no-untyped-call]  # ten pixels a point: fewer would round every letter up
    return float(renderer.get_text_width_height_descent(text, font, ismath=False)[0]) / 10


def _pieces(text: str) -> list[str]:
    """Words with the space behind them; of wide scripts, which have no spaces, each character is a word."""
    pieces: list[str] = []
    for word in re.findall(r"[^ ]+ ?", unbroken(" ".join(text.split()))):
        start = 0
        for i, character in enumerate(word):
            if unicodedata.east_asian_width(character) in "WF":
                pieces += [word[start:i]] if i > start else []
                pieces.append(character)
                start = i + 1
        pieces += [word[start:]] if start < len(word) else []
    return pieces


def _is_drawn(character: str) -> bool:
    return unicodedata.category(character)[0] not in "CZ" and unicodedata.category(character) != "Mn"


def _covered_by_default(text: str) -> set[str]:
    if text.isascii():
        return set(text)
    default = mpl.get_data_path() + "/fonts/ttf/DejaVuSans.ttf"
    return {character for character in text if ord(character) in _characters(default)}


@cache
def _characters(path: str) -> frozenset[int]:
    return frozenset(get_font(path).get_charmap())


@cache
def _candidates() -> tuple[tuple[str, str], ...]:
    def preference(name: str) -> int:
        return next((i for i, start in enumerate(PREFERRED) if name.startswith(start)), len(PREFERRED))

    found = {
        (font.fname, font.name) for font in fontManager.ttflist if "Emoji" not in font.name or "Color" not in font.name
    }
    usable = {item for item in found if "LastResort" not in item[0] and not item[1].startswith(("STIX", "cm"))}
    return tuple(sorted(usable, key=lambda item: (preference(item[1]), item[1], item[0])))
