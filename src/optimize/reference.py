"""The tables of docs/sweep-file.md, from the sections that check a sweep file.

    python -m optimize.reference docs/sweep-file.md

writes them anew between their markers.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from main.config import (
    AugmentConfig,
    DataConfig,
    EarlyStoppingConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)
from main.yaml12 import flow, plain
from models import CnnSpec, MlpSpec, SoftmaxSpec
from optimize.algorithms import AnyPruner, AnySampler
from optimize.config import SweepFile
from optimize.forms import ChoicesForm, RangeForm, WinnerForm
from optimize.sections import ConfirmConfig, RangeTestConfig, RunConfig, StopConfig, StudyConfig

_SECTIONS: dict[str, type[BaseModel]] = {
    "file": SweepFile,
    "data": DataConfig,
    "cnn": CnnSpec,
    "mlp": MlpSpec,
    "softmax": SoftmaxSpec,
    "train": TrainConfig,
    "optimizer": OptimizerConfig,
    "schedule": ScheduleConfig,
    "early_stopping": EarlyStoppingConfig,
    "augment": AugmentConfig,
    "choices": ChoicesForm,
    "range": RangeForm,
    "winner": WinnerForm,
    "study": StudyConfig,
    "stop": StopConfig,
    "confirm": ConfirmConfig,
    "range_test": RangeTestConfig,
    "run": RunConfig,
}
_SEVERAL: dict[str, Any] = {"samplers": AnySampler, "pruners": AnyPruner}
_MARKED = re.compile(r"(<!-- fields: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_TYPES = {
    "integer": "whole number",
    "number": "number",
    "string": "word",
    "boolean": "`true` or `false`",
    "null": "`null`",
    "object": "mapping",
}


def tables() -> dict[str, str]:
    """By the name that stands in its marker, each table in Markdown."""
    found = {name: _table(_rows(section)) for name, section in _SECTIONS.items()}
    for name, union in _SEVERAL.items():
        found[name] = "\n".join(_described(section) for section in get_args(get_args(union)[0]))
    return found


def updated(text: str) -> str:
    """A document with its tables written anew between their markers.

    Raises:
        KeyError: If a marker names no table.
    """
    current = tables()
    return _MARKED.sub(lambda found: f"{found[1]}\n{current[found[2]]}\n{found[3]}", text)


def _described(section: type[BaseModel]) -> str:
    """A section that its name tells from others, as a heading, a sentence and a table."""
    name = section.model_fields["name"].default
    rows = [row for row in _rows(section) if row[0] != "`name`"]
    return f"#### `{name}`\n{section.__doc__}\n\n{_table(rows) if rows else 'No arguments.'}"


def _table(rows: list[tuple[str, ...]]) -> str:
    header = [("key", "value", "default", "meaning"), ("---",) * 4]
    return "".join(f"| {' | '.join(row)} |\n" for row in (*header, *rows))


def _rows(section: type[BaseModel]) -> list[tuple[str, ...]]:
    schema = section.model_json_schema()
    required = schema.get("required", [])
    return [
        (f"`{key}`", _value(value), _default(value, required=key in required), _meaning(section, key))
        for key, value in schema["properties"].items()
    ]


def _meaning(section: type[BaseModel], key: str) -> str:
    return " ".join((section.model_fields[key].description or "").split())


def _default(schema: dict[str, Any], *, required: bool) -> str:
    if required:
        return "required"
    default = schema.get("default")
    if isinstance(default, dict):  # of a section; what it is called is enough
        default = default.get("name")
    return "" if default is None else f"`{flow(plain(default))}`"


def _value(schema: dict[str, Any]) -> str:
    """What may be written, in words: `whole number, 1 to 64, or list of whole numbers, 1 to 64`."""
    members = schema.get("anyOf") or schema.get("oneOf")
    if members:
        words = [_value(member) for member in members if member.get("type") != "null"]
        numbers = "number" if "whole number" in words and "number" in words else None
        return " or ".join(dict.fromkeys(numbers or word for word in words))
    if "enum" in schema or "const" in schema:
        return " ".join(f"`{flow(word)}`" for word in schema.get("enum", [schema.get("const")]))
    if "items" in schema:
        return f"list of {_plural(_value(schema['items']))}" if schema["items"] else "list"
    if not schema.keys() - {"description", "default", "title"}:
        return "any value"
    return _TYPES[schema.get("type", "object")] + _bounds(schema)


def _bounds(schema: dict[str, Any]) -> str:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    above = "above " if "exclusiveMinimum" in schema else ""
    below = "below " if "exclusiveMaximum" in schema else ""
    if low is None:
        return "" if high is None else f", {below or 'at most '}{_number(high)}"
    if high is None:
        return f", {above or 'at least '}{_number(low)}"
    return f", {above}{_number(low)} to {below}{_number(high)}"


def _number(value: float) -> str:
    return f"{int(value):,}" if value == int(value) else flow(value)


def _plural(words: str) -> str:
    return words.replace("number", "numbers").replace("mapping", "mappings")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = Path(name)
        path.write_text(updated(path.read_text()))
