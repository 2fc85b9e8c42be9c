"""Choices and ranges as people and other tools write them: `1e-5..1e-2`, `{min: 1, max: 3}`, `loguniform(...)`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from main.annotations import words
from main.checking import check
from main.nearest import nearest_to
from main.yaml12 import NotANumber, Plain, flow, scalar
from optimize.forms import ChoicesForm, RangeForm

_LISTS = (
    "choices", "values", "options", "choice", "grid_search", "grid", "list", "enum", "one_of", "categorical",
    "candidates", "categories", "in", "sweep",
)  # fmt: skip
_LOWS = ("low", "min", "lower", "from", "start", "minimum", "begin", "min_value", "lower_bound")
_HIGHS = ("high", "max", "upper", "to", "stop", "end", "maximum", "until", "max_value", "upper_bound")
_STEPS = ("step", "q", "quantum", "increment")
_ONE = ("value", "const", "constant", "fixed", "default")
CONDITIONS = ("when", "if", "condition", "only_if", "where")
"""What others call `when`."""
_RANGES = ("range", "uniform", "between", "interval", "bounds", "randint", "suggest", "rand", "space")
"""Within the names of what stands for a range; those with `log` in them, of a logarithmic one."""
_SPACED = ("num", "base", "steps", "count", "points", "n")
"""Keys of what is spaced otherwise, or says how many values there are."""
_EXCLUSIVE = ("range", "randint", "randrange")
"""Calls whose second number is left out."""
_NUMBER = r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_FROM_TO = re.compile(rf"[\[(]?\s*({_NUMBER})\s*(?:\.\.\.?|…|to|until|through|[-–—~:])\s*({_NUMBER})\s*[\])]?")
_BETWEEN = re.compile(rf"(?:between|from)\s+({_NUMBER})\s+(?:and|to)\s+({_NUMBER})")
_CALL = re.compile(r"(?:\w+\.)*(\w+)\s*\((.*)\)", re.DOTALL)
_LONGEST = 80
_FAR_APART = 100
"""From the least to the largest of numbers that differ in their decades."""


def as_a_form(value: Plain, takes: Collection[type]) -> str:
    """How a mapping or a word of another tool is written here, a value, choices or a range; empty of others.

    Args:
        value: What was read.
        takes: The kinds of value that may stand there.
    """
    whole = int in takes and float not in takes
    read = _of_a_word(value, whole=whole) if isinstance(value, str) else None
    when: Plain = None
    if isinstance(value, dict):
        written = {key.lower(): item for key, item in value.items()}
        when = next((written.pop(key) for key in CONDITIONS if key in written), None)
        read = _of_a_mapping(written, whole=whole)
    if isinstance(read, dict):
        form = ChoicesForm if "choices" in read else RangeForm
        if check(form, read)[1] or ("low" in read and not {int, float} & set(takes)):
            return ""
        read = {**read, **({"when": when} if when is not None else {})}
    text = flow(read) if read is not None else ""
    return text if len(text) <= _LONGEST else ""


def _of_a_mapping(written: Mapping[str, Plain], *, whole: bool) -> Plain:
    """Plain data of a form, or the one value that is written; None where either is a guess."""
    if written and all(item is None for item in written.values()):  # {max, average}
        several = tuple(map(read_scalar, written))
        return {"choices": several} if len(several) > 1 else several[0]
    for key in _LISTS:
        if isinstance(listed := written.get(key), tuple) and listed:
            return {"choices": listed}
    if len(written) == 1:
        key, item = next(iter(written.items()))
        if key in _ONE and isinstance(item, str | int | float):
            return item
        if isinstance(item, tuple) and any(name in key for name in _RANGES):
            return _range(item, whole=whole, log="log" in key)
    ends = [next((written[key] for key in keys if key in written), None) for keys in (_LOWS, _HIGHS)]
    step = next((written[key] for key in _STEPS if key in written), None)
    log = written.get("log") is True or any("log" in str(item) for item in written.values())
    if not written.keys().isdisjoint(_SPACED):
        return None
    return _range([*ends, step] if step is not None else ends, whole=whole, log=log)


def _of_a_word(text: str, *, whole: bool) -> Plain:
    text = text.strip()
    if found := _FROM_TO.fullmatch(text) or _BETWEEN.fullmatch(text.lower()):
        return _range(map(read_scalar, found.groups()), whole=whole, log=False)
    call = _CALL.fullmatch(text)
    if not call:
        return None
    name, written = call[1].lower(), call[2]
    arguments = [read_scalar(part.strip(" []()")) for part in written.split(",") if "=" not in part]
    if any(kind in name for kind in ("choice", "categorical", "grid_search", "sample")):
        listed = [part for part in arguments if part not in ("", None)]
        return {"choices": tuple(part for part in listed if not str(part).startswith(("'", '"')))} if listed else None
    numbers = [part for part in arguments if isinstance(part, int | float)]
    if not any(kind in name for kind in _RANGES) or len(numbers) not in (2, 3):
        return None
    if name in _EXCLUSIVE and whole and isinstance(numbers[1], int):
        numbers[1] -= 1
    return _range(numbers, whole=whole, log="log" in name or "log=true" in written.replace(" ", "").lower())


def _range(numbers: Iterable[Plain], *, whole: bool, log: bool) -> dict[str, Any] | None:
    """Plain data of a range from its ends and, where there are three, its step; None where they make none."""
    read = [_whole(number) if whole else number for number in numbers]
    if len(read) not in (2, 3) or not all(isinstance(n, int | float) and not isinstance(n, bool) for n in read):
        return None
    low, high = read[:2]
    far_apart = low > 0 and high / low >= _FAR_APART  # type: ignore[operator]
    if not low < high or (log and low <= 0):  # type: ignore[operator]
        return None
    if len(read) == 3 and not log:
        return {"low": low, "high": high, "step": read[2]}
    if log or (far_apart and not whole):
        return {"low": low, "high": high, "log": True}
    return {"low": low, "high": high, **({"step": 1} if whole else {})}


def _whole(number: Plain) -> Plain:
    is_whole = isinstance(number, float) and Decimal(repr(number)) % 1 == 0
    return int(number) if is_whole and isinstance(number, float) else number


def read_scalar(text: str) -> Plain:
    """A plain scalar of YAML, or the text where it is no number that can be computed with."""
    try:
        return scalar(text)
    except NotANumber:
        return text


def as_a_section(text: str, section: type[BaseModel]) -> str:
    """How a call such as `SGD(lr=0.1)` is written, as a mapping with its name; empty of another text."""
    call = _CALL.fullmatch(text.strip())
    name = nearest_to(call[1], words(section.model_fields["name"].annotation)) if call else None
    if call is None or name is None:
        return ""
    read: dict[str, Plain] = {"name": name}
    for part in filter(None, (part.strip() for part in call[2].split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        known = nearest_to(key, section.model_fields) if equals else None
        if known is None or known in read:
            return ""
        read[known] = read_scalar(value)
    return flow(read) if not check(section, read)[1] else ""
