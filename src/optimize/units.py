"""Durations and sizes as people write them: `30m`, `4GB`."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from main.checking import Mistake
from main.meant import is_nothing

_DURATION = r"^([0-9]+(\.[0-9]+)?)(s|m|h|d)$"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SIZE = r"^([0-9]+(\.[0-9]+)?) ?([kMGT]i?B)$"
_BYTES = {
    **{f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", start=1)},
    **{f"{prefix}iB": 1024**power for power, prefix in enumerate("kMGT", start=1)},
}

_SPOKEN_TIME = re.compile(
    r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([smhd])(?:ecs?|econds?|ins?|inutes?|rs?|ours?|ays?)?(?![a-z])"
)
_CLOCK = re.compile(r"([0-9]{1,4}):([0-5][0-9]):([0-5][0-9])")
_SPOKEN_SIZE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?([kmgt])(?:(i)?b?|(?:ilo|ega|iga|era)?bytes?)")


def seconds(value: object) -> object:
    """`30m` as 1800.0; anything but such a word as it is."""
    if not isinstance(value, str):
        return value
    found = re.match(_DURATION, value)
    if not found:
        message = f"expected seconds, or a duration such as 90s, 30m or 2h, but read '{value[:60]}'"
        raise Mistake(message, _written(_nothing(value) or duration(_meant_seconds(value))))
    return float(found[1]) * _SECONDS[found[3]]


def duration(value: float | None) -> str | None:
    """1800.0 as `30m`: in the largest unit of which it is a whole number."""
    if value is None:
        return None
    fitting = [unit for unit in "dhm" if value >= _SECONDS[unit] and value % _SECONDS[unit] == 0]
    unit = fitting[0] if fitting else "s"
    amount = value / _SECONDS[unit]
    return f"{int(amount)}{unit}" if amount.is_integer() else f"{Decimal(repr(amount)):f}{unit}"


def n_bytes(value: object) -> object:
    """`4GB` as 4,000,000,000; anything but such a word as it is."""
    if not isinstance(value, str):
        return value
    found = re.match(_SIZE, value)
    if not found:
        message = f"expected bytes, or a size such as 512MB, 4GB or 2GiB, but read '{value[:60]}'"
        raise Mistake(message, _written(_nothing(value) or _meant_size(value)))
    amount = float(found[1]) * _BYTES[found[3]]
    if not math.isfinite(amount):
        raise ValueError(f"no memory is so large, but read '{value[:60]}'")
    return round(amount)


def size(value: int | None) -> str | int | None:
    """4,000,000,000 as `4GB`: in the largest unit of which it is a whole number."""
    if value is None:
        return None
    units = sorted(_BYTES.items(), key=lambda item: -item[1])
    return next((f"{value // unit}{name}" for name, unit in units if value % unit == 0), value)


def _meant_seconds(text: str) -> float | None:
    """What somebody meant by `1h30m`, `10 minutes`, `1:30:00` or a number in quotes; None where that is a guess."""
    text = text.strip().lower()
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, rest = map(int, clock.groups())
        return float(hours * 3600 + minutes * 60 + rest) or None
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text) or None
    is_whole = not _SPOKEN_TIME.sub("", text).strip(" ,")
    parts = _SPOKEN_TIME.findall(text) if is_whole else []
    return sum(float(amount) * _SECONDS[unit] for amount, unit in parts) or None


def _meant_size(text: str) -> str | None:
    """What somebody meant by `4G`, `4gb` or `4 gigabytes`; None where that is a guess."""
    found = _SPOKEN_SIZE.fullmatch(text.strip().lower())
    if not found:
        return None
    amount, prefix, binary = found.groups()
    return f"{amount}{prefix if prefix == 'k' else prefix.upper()}{'i' if binary else ''}B"


def _nothing(text: str) -> str | None:
    return "null" if is_nothing(text) or text.lower() in ("never", "unlimited") else None


def _written(meant: str | None) -> str:
    return f"write {meant}" if meant else ""


_DurationText = Annotated[str, Field(pattern=_DURATION)]
_SizeText = Annotated[str, Field(pattern=_SIZE)]
_Seconds = Annotated[float, Field(gt=0, le=1e9)]
_Bytes = Annotated[int, Field(ge=1, le=2**60)]
Duration = Annotated[
    _Seconds | None,
    BeforeValidator(seconds, json_schema_input_type=_Seconds | _DurationText | None),
    PlainSerializer(duration),
]
"""Seconds; a word such as `30m` in a file."""
Size = Annotated[
    _Bytes | None,
    BeforeValidator(n_bytes, json_schema_input_type=_Bytes | _SizeText | None),
    PlainSerializer(size),
]
"""Bytes; a word such as `4GB` in a file."""
