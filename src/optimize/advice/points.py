"""What somebody meant who wrote a word or a list in place of a mapping from paths to values, as in `when: sgd`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from main.annotations import KeyPath, dotted, value_at
from main.yaml12 import NotANumber, Plain, flow, scalar
from optimize.forms import forms_within
from optimize.paths import SWEEPABLE

_SAID = re.compile(r"([\w.]+)\s*(?:==?|:|\bis\b)\s*(\S.*)")
"""`train.optimizer == sgd`."""
_WORD = re.compile(r"[\w.+-]{1,60}")


def point_meant(value: Plain, data: Plain, beside: KeyPath = ()) -> str:
    """How a mapping from the paths of what is swept to values is written that was meant by a value of another kind.

    Args:
        value: What was read.
        data: Of the whole file.
        beside: The path of the parameter whose condition it is, which does not decide itself.

    Returns:
        What to write, or a mapping of that kind where what was meant is a guess; nothing where none can be written.
    """
    choices = {path: listed for path, listed in _swept(data) if path != dotted(beside)}
    if isinstance(value, tuple) and value and all(isinstance(item, dict) for item in value):
        merged = {key: item for part in value if isinstance(part, dict) for key, item in part.items()}
        return f"write {flow(merged)}"
    if isinstance(value, str) and (found := _meant(value, choices)):
        path, chosen = found
        return f"write {flow({path: chosen})}"
    first = next(iter(choices.items()), None)
    return f"write a path and a value, such as {flow({first[0]: first[1][0]})}" if first else ""


def _swept(data: Plain) -> Iterator[tuple[str, tuple[Plain, ...]]]:
    """Paths of the choices of a file, and these."""
    for section in SWEEPABLE:
        for path in forms_within(value_at(data, (section,))):
            listed = value_at(data, (section, *path, "choices"))
            if isinstance(listed, tuple) and listed:
                yield dotted((section, *path)), listed


def _meant(text: str, choices: dict[str, tuple[Plain, ...]]) -> tuple[str, Plain] | None:
    """The path and the choice that a text says; None of another."""
    said = _SAID.fullmatch(text)
    name, word = (said[1], said[2]) if said else ("", text)
    word = word.strip("'\"")
    if not _WORD.fullmatch(word):
        return None
    try:
        wanted = scalar(word)
    except NotANumber:
        return None
    for path, listed in choices.items():
        if wanted in listed and (path == name or path.endswith(f".{name}") or not name):
            return path, wanted
    return None
