"""Values within braces that their own comma ended: of `{learning_rate: 0,001}` YAML reads 0, and a key `001`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from main.annotations import KeyPath, dotted, value_at
from main.checking import Problem
from main.complaints import LINE_END, ConfigError
from main.document import Document
from main.yaml12 import Plain
from optimize.paths import placed, removed

_MOST_PIECES = 12
"""Keys without a value that are looked at: for each the file is checked once more."""
Refused = Callable[[Document], ConfigError | None]
"""What is wrong with a document, explained; None where nothing is."""
_WORD = re.compile(r"[A-Za-z_]\w*")


def told_of_the_whole(
    document: Document, problems: Iterable[Problem], told: ConfigError, refused: Refused
) -> ConfigError:
    """What is wrong with a document whose values are whole again, where that says what to write; `told` elsewhere.

    Args:
        document: What was read.
        problems: What is wrong with it, not yet explained.
        told: The same, explained.
        refused: The same of other documents.
    """
    faulty = {problem.path for problem in problems if not problem.at_key}
    unknown = [p.path for p in problems if p.at_key and p.message.startswith("unknown key")]
    pieces = [path for path in unknown if value_at(document.data, path) is None]
    if len(pieces) > _MOST_PIECES:
        return told
    data: Plain = document.data
    joined: dict[KeyPath, str] = {}
    for piece in pieces:
        value = _value_before(document, piece, pieces)
        text = _text(document, value, piece) if value is not None else ""
        if value is not None and text and (value in faulty or _is_a_piece(document, value, text, piece, refused)):
            joined[value] = text
            data = removed(placed(data, value, text), piece)
    if not joined or not isinstance(data, dict):
        return told
    return refused(replace(document, data=data)) or told


def _is_a_piece(document: Document, value: KeyPath, text: str, piece: KeyPath, refused: Refused) -> bool:
    """Whether a key goes with the value before it: it is no word, or each part of the two could stand there."""
    if not _WORD.fullmatch(str(piece[-1])):
        return True
    data = removed(placed(document.data, value, {"choices": tuple(part.strip() for part in text.split(","))}), piece)
    assert isinstance(data, dict)
    error = refused(replace(document, data=data))
    return error is None or not any(complaint.path.startswith(dotted(value)) for complaint in error.complaints)


def _value_before(document: Document, piece: KeyPath, pieces: Iterable[KeyPath]) -> KeyPath | None:
    """The path of the value that a comma before a key ended, or pieces and commas before it; None where none did."""
    around = value_at(document.data, piece[:-1])
    before: str | None = None
    for key, item in around.items() if isinstance(around, dict) else ():
        if key == piece[-1]:
            return (*piece[:-1], before) if before is not None else None
        if (*piece[:-1], key) not in pieces:
            before = key if isinstance(item, str | int | float) else None
    return None


def _text(document: Document, value: KeyPath, piece: KeyPath) -> str:
    """What stands from a value to the end of a key in the same line; nothing where they do not."""
    start, end = document.places.get(value), document.places.get(piece)
    if start is None or end is None or start.source != end.source or start.value.line != end.key.line:
        return ""
    lines = LINE_END.split(start.source.text)
    written = lines[start.value.line - 1][start.value.column - 1 : end.key.column - 1 + len(str(piece[-1]))]
    return written if "," in written and "}" not in written else ""
