"""YAML 1.2's core schema: what a plain scalar means, and how a value is written so that it is read back.

PyYAML follows YAML 1.1, where `1e-3` is a word, `no` is false and `010` is eight.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

Plain = None | bool | int | float | str | tuple["Plain", ...] | dict[str, "Plain"]
"""What a file holds: words, numbers, booleans, null, lists (as tuples) and mappings."""

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGERS = {10: re.compile(r"[-+]?[0-9]+"), 8: re.compile(r"0o[0-7]+"), 16: re.compile(r"0x[0-9a-fA-F]+")}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LONGEST_NUMBER = 100
_BARE_WORD = re.compile(r"[A-Za-z0-9_./~+]([A-Za-z0-9_./~+@?%()-]| (?=[A-Za-z0-9]))*")


def plain(value: Any) -> Plain:
    """A value of JSON as one of YAML: lists as tuples."""
    if isinstance(value, list | tuple):
        return tuple(map(plain, value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    scalar_value: bool | int | float | str | None = value
    return scalar_value


class NotANumber(ValueError):
    """A plain scalar that looks like a number and is none that can be computed with."""


def scalar(text: str) -> bool | int | float | str | None:
    """The value of a plain scalar, as the core schema of YAML 1.2 has it.

    Raises:
        NotANumber: If it is infinite, not a number, or has more than 100 characters of number.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if not text[0].isdigit() and text[0] not in "+-.":
        return text
    if _NOT_FINITE.fullmatch(text):
        raise NotANumber(f"{text} is not a finite number")
    if len(text) > _LONGEST_NUMBER:
        if _FLOAT.fullmatch(text) or _INTEGERS[16].fullmatch(text) or _INTEGERS[8].fullmatch(text):
            raise NotANumber(f"a number of {len(text):,} characters; {_LONGEST_NUMBER} at most are read")
        return text
    for base, pattern in _INTEGERS.items():
        if pattern.fullmatch(text):
            return int(text, base) if base == 10 else int(text[2:], base)
    if not _FLOAT.fullmatch(text):
        return text
    number = float(text)
    if not isfinite(number):
        raise NotANumber(f"{text} is larger than any number that can be computed with")
    return number


def flow(value: object) -> str:
    """`value` on one line, as it could stand in a file: `max`, `0.001`, `[32, 64]`, `{name: sgd}`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return _word(str(value))


def _word(text: str) -> str:
    """A word as it stands, or in double quotes where it would be read as something else."""
    if _BARE_WORD.fullmatch(text):
        try:
            if scalar(text) == text:
                return text
        except NotANumber:
            pass
    return json.dumps(text, ensure_ascii=False)
