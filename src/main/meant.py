"""How to write what somebody probably meant who wrote a value of another kind than is wanted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import NoneType
from typing import Any

from main.annotations import elements, kinds, leaves
from main.yaml12 import NotANumber, Plain, flow, scalar

_GROUPED = re.compile(r"[0-9]+(_[0-9]+)*|[1-9][0-9]{0,2}(,[0-9]{3})+")
_DECIMAL_COMMA = re.compile(r"(-?[0-9]+),([0-9]+)")
PERCENT = re.compile(r"([0-9]{1,3}(\.[0-9]+)?) ?%")
_WITH_A_UNIT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([a-z]{2,}|°)", re.IGNORECASE)
_THOUSANDS = re.compile(r"([0-9]{1,9}) ?k", re.IGNORECASE)
_POWER = re.compile(r"([0-9]{1,3}) ?(?:\*\*|\^) ?(-?[0-9]{1,2})")
_SHARE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?/ ?([1-9][0-9]{0,8})")
_SPACED = re.compile(r"[0-9]+(\.[0-9]+)? ?e ?[-+]? ?[0-9]+|[1-9][0-9]{0,2}( [0-9]{3})+", re.IGNORECASE)
_SQUARE = re.compile(r"([0-9]+) ?[x×*] ?\1")
_LISTED = re.compile(r"[(\[]?\s*(\w[\w.+-]*(?:(?:\s*,\s*|\s+)\w[\w.+-]*)*)(?:\s*,)?\s*[)\]]?")
_CHAINED = re.compile(r"[0-9]+(?: ?(?:[x×;+|/-]|->|→) ?[0-9]+)+")
"""Sizes of layers as they are drawn: `32-64`, `32 -> 64`."""
_BETWEEN = re.compile(r"\s*,\s*|\s+")
_OLD_BOOLEANS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
_NOTHING = ("none", "no", "off", "false")
_LARGEST_WHOLE = 2**53  # above, not every whole number is a float


def how_to_write(expected: str, value: Plain, annotation: Any, allows: Callable[[Plain], bool]) -> str:
    """What to write instead of a value of the wrong kind; nothing where that is anybody's guess.

    Args:
        expected: The kinds that are wanted, in words: `a whole number or a list`.
        value: What was read.
        annotation: Of what may be written.
        allows: Whether another value would be taken there.
    """
    return next(_guesses(expected, value, annotation, allows), "")


def is_nothing(value: Plain) -> bool:
    """Whether somebody wants none of something: `none`, `no`, false, null."""
    return value is None or value is False or (isinstance(value, str) and value.lower() in _NOTHING)


def _guesses(expected: str, value: Plain, annotation: Any, allows: Callable[[Plain], bool]) -> Iterator[str]:
    if (
        is_nothing(value) and "mapping" in expected and NoneType in leaves(annotation)
    ):  # of others null may be a default
        yield "write null for none"
    if value is None and expected == "a mapping" and NoneType not in leaves(annotation):
        yield "write {} for its defaults"
    if is_nothing(value) and "number" in expected:
        if allows(0):
            yield "write 0 for none"
        elif NoneType in leaves(annotation):
            yield "write null for none"
    if "true or false" in expected:
        yield from _boolean(value)
    if "number" in expected:
        yield from _number(value, whole="whole number" in expected)
    if "a list" in expected:
        yield from _list(expected, value, annotation, allows)
    if "a word" in expected and isinstance(value, int | float) and not isinstance(value, bool):
        yield f'write "{flow(value)}", in quotes'


def _boolean(value: Plain) -> Iterator[str]:
    if isinstance(value, str) and value.lower() in _OLD_BOOLEANS:
        yield f"write {_OLD_BOOLEANS[value.lower()]}; {value} is a word in YAML 1.2"
    if isinstance(value, str) and value.lower() in ("true", "false"):
        yield f"write {value.lower()} without quotes"
    if isinstance(value, int | float) and value in (0, 1):
        yield f"write {'true' if value else 'false'}"


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
    if not whole and (percent := PERCENT.fullmatch(value)):
        yield f"write {share_of(Decimal(percent[1]))}"
    if unit := _WITH_A_UNIT.fullmatch(value):
        yield from _written(Decimal(unit[1]), whole=whole, remark=f", without '{unit[2]}'")
    if thousands := _THOUSANDS.fullmatch(value):
        yield f"write {thousands[1]}000"
    if power := _POWER.fullmatch(value):
        base, exponent = int(power[1]), int(power[2])
        yield from _written(Decimal(base) ** exponent if base else Decimal(0), whole=whole)
    if share := _SHARE.fullmatch(value):
        yield from _written(Decimal(share[1]) / int(share[2]), whole=whole)
    if square := _SQUARE.fullmatch(value):
        yield f"write {square[1]}"
    if _SPACED.fullmatch(value) and _is_a_number(value.replace(" ", ""), whole=whole):
        yield f"write {value.replace(' ', '')}, without spaces"


def is_number_in_quotes(text: str, kind: str) -> bool:
    """Whether a word would have been of a kind, `a number` or `a whole number`, had it stood without quotes."""
    return "number" in kind and _is_a_number(text, whole="whole" in kind)


def share_of(percent: Decimal) -> str:
    """`0.5`, of 50 per cent."""
    return f"{(percent / 100).normalize():f}"


def _written(number: Decimal, *, whole: bool, remark: str = "") -> Iterator[str]:
    """A number as it is written; nothing of one that is not whole where a whole one is wanted."""
    is_whole = number == number.to_integral_value()
    if is_whole and abs(number) < _LARGEST_WHOLE:
        yield f"write {int(number)}{remark}"
    elif not whole:
        yield f"write {float(number)!r}{remark}"


def _is_a_number(text: str, *, whole: bool) -> bool:
    """Whether a word would have been a number, had it stood without quotes."""
    try:
        read = scalar(text)
    except NotANumber:
        return False
    return isinstance(read, int if whole else (int, float)) and not isinstance(read, bool)


def _list(expected: str, value: Plain, annotation: Any, allows: Callable[[Plain], bool]) -> Iterator[str]:
    allowed: frozenset[Any] = frozenset().union(*(kinds(element) for element in elements(annotation)))
    if isinstance(value, dict) and value and not any(item is not None for item in value.values()):  # {max, average}
        yield f"write [{', '.join(map(flow, value))}]"
    if (is_nothing(value) or value == 0) and expected == "a list" and Any not in allowed and allows(()):
        yield "write [] for none"
    if isinstance(value, int | float) and (Any in allowed or (type(value) in allowed and value > 0)):
        yield f"write [{flow(value)}]"
    if not isinstance(value, str):
        return
    if value.startswith("-"):
        yield "write a space after each '-'"
    if value.startswith("(") != value.endswith(")"):  # the rest stands behind a comma of the mapping around it
        yield "write a list in brackets, [..., ...]"
    if expected == "a list" and _CHAINED.fullmatch(value) and Any not in allowed:
        yield f"write [{', '.join(re.findall('[0-9]+', value))}]"
    if listed := _LISTED.fullmatch(value):
        written = _BETWEEN.split(listed[1])
        parts = list(dict.fromkeys(written))
        if Any not in allowed and not all(_is_a_number(part, whole=float not in allowed) for part in parts):
            return
        yield f"write {parts[0]}" if "number" in expected and len(parts) == 1 else f"write [{', '.join(written)}]"
