"""How to write what somebody probably meant who wrote a value of another kind than is wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from types import NoneType
from typing import Any

from main.annotations import elements, kinds, leaves
from main.yaml12 import NotANumber, Plain, flow, scalar

_GROUPED = re.compile(r"[0-9]+(_[0-9]+)*|[1-9][0-9]{0,2}(,[0-9]{3})+")
_DECIMAL_COMMA = re.compile(r"(-?[0-9]+),([0-9]+)")
_PERCENT = re.compile(r"([0-9]{1,3}(\.[0-9]+)?) ?%")
_LISTED = re.compile(r"[(\[]?\s*(\w[\w.]*(?:\s*,\s*\w[\w.]*)*)(?:\s*,)?\s*[)\]]?")
_OLD_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_NOTHING = ("none", "no", "off", "false")
_LARGEST_WHOLE = 2**53  # above, not every whole number is a float


def how_to_write(expected: str, value: Plain, annotation: Any) -> str:
    """What to write instead of a value of the wrong kind; nothing where that is anybody's guess.

    Args:
        expected: The kinds that are wanted, in words: `a whole number or a list`.
        value: What was read.
        annotation: Of what may be written.
    """
    return next(_guesses(expected, value, annotation), "")


def _guesses(expected: str, value: Plain, annotation: Any) -> Iterator[str]:
    is_nothing = value is False or str(value).lower() in _NOTHING
    if is_nothing and "mapping" in expected and NoneType in leaves(annotation):  # of others null may be a default
        yield "write null for none"
    if value is None and expected == "a mapping" and NoneType not in leaves(annotation):
        yield "write {} for its defaults"
    if "true or false" in expected:
        yield from _boolean(value)
    if "number" in expected:
        yield from _number(value, whole="whole number" in expected)
    if "a list" in expected:
        yield from _list(expected, value, annotation)
    if "a word" in expected and isinstance(value, int | float) and not isinstance(value, bool):
        yield f'write "{flow(value)}", in quotes'


def _boolean(value: Plain) -> Iterator[str]:
    if isinstance(value, str) and value.lower() in _OLD_BOOLEANS:
        yield f"write {_OLD_BOOLEANS[value.lower()]}; {value} is a word in YAML 1.2"
    if isinstance(value, str) and value.lower() in ("true", "false"):
        yield f"write {value.lower()} without quotes"


def _number(value: Plain, *, whole: bool) -> Iterator[str]:
    if whole and isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_WHOLE:
        yield f"write {int(value)}"
    if not isinstance(value, str):
        return
    if _is_a_number(value, whole=whole):
        yield f"write {value} without quotes"
    if _GROUPED.fullmatch(value):
        yield f"write {value.replace('_', '').replace(',', '')}"
    if not whole and (decimals := _DECIMAL_COMMA.fullmatch(value)):
        yield f"write {decimals[1]}.{decimals[2]}, with a point"
    if not whole and (percent := _PERCENT.fullmatch(value)):
        yield f"write {(Decimal(percent[1]) / 100).normalize():f}"


def _is_a_number(text: str, *, whole: bool) -> bool:
    """Whether a word would have been a number, had it stood without quotes."""
    try:
        read = scalar(text)
    except NotANumber:
        return False
    return isinstance(read, int if whole else (int, float)) and not isinstance(read, bool)


def _list(expected: str, value: Plain, annotation: Any) -> Iterator[str]:
    allowed: frozenset[Any] = frozenset().union(*(kinds(element) for element in elements(annotation)))
    if isinstance(value, int | float) and (Any in allowed or (type(value) in allowed and value > 0)):
        yield f"write [{flow(value)}]"
    if not isinstance(value, str):
        return
    if value.startswith("-"):
        yield "write a space after each '-'"
    if value.startswith("(") != value.endswith(")"):  # the rest stands behind a comma of the mapping around it
        yield "write a list in brackets, [..., ...]"
    if listed := _LISTED.fullmatch(value):
        parts = list(dict.fromkeys(re.split(r"\s*,\s*", listed[1])))
        if Any not in allowed and not all(_is_a_number(part, whole=float not in allowed) for part in parts):
            return
        yield f"write {parts[0]}" if "number" in expected and len(parts) == 1 else f"write [{listed[1]}]"
