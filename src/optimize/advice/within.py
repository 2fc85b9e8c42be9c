"""Keys that belong in a section within the one where they stand, as `momentum` does in `optimizer`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel

from main.config import (
    OPTIMIZER_ARGUMENTS,
    SCHEDULE_ARGUMENTS,
    AugmentConfig,
    EarlyStoppingConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)
from main.yaml12 import Plain, flow
from optimize.forms import form_of
from optimize.sections import ConfirmConfig, StopConfig, StudyConfig

WITHIN: Mapping[str, Mapping[str, type[BaseModel]]] = {
    "train": {
        "optimizer": OptimizerConfig,
        "early_stopping": EarlyStoppingConfig,
        "schedule": ScheduleConfig,
        "augment": AugmentConfig,
    },
    "study": {"stop": StopConfig, "confirm": ConfirmConfig},
}
"""By section, those within it."""
_AROUND: Mapping[str, type[BaseModel]] = {"train": TrainConfig, "study": StudyConfig}
_ABBREVIATED = {"optimizer": "name", "schedule": "name", "early_stopping": "patience"}
"""By section, the key whose value may stand in its place."""
_ARGUMENTS = {"optimizer": OPTIMIZER_ARGUMENTS, "schedule": SCHEDULE_ARGUMENTS}
"""By section, what each of its names takes."""
_USUAL: Mapping[str, Plain] = {"patience": 3}
"""Of a key that must be written, a value that suits most."""


def with_in_it(section: str, inner: str, key: str, written: Plain) -> str:
    """How a section within another is written with what stands beside it and belongs in it.

    Args:
        section: `train` or `study`.
        inner: The section within it.
        key: One of the keys that belong in it.
        written: What stands in `section`.
    """
    kind = WITHIN.get(section, {}).get(inner)
    if kind is None or not isinstance(written, dict):
        return ""
    movable = kind.model_fields.keys() - _AROUND[section].model_fields.keys() - {"name"}
    strays = {name: value for name, value in written.items() if name in movable}
    if inner == "optimizer" and strays.get("nesterov") is True:
        strays = {"momentum": 0.9, **strays}
    own = written.get(inner)
    if form_of(own) is not None:
        whole = _named(inner, strays, "")
        return f"write it among the choices of `{inner}`: {flow(whole)}" if whole else ""
    base: dict[str, Any] = own if isinstance(own, dict) else {}
    if own is not None and own is not base:
        base = {_ABBREVIATED.get(inner, key): own}
    if inner in _ARGUMENTS:
        name = str(base.get("name", kind.model_fields["name"].default))
        whole = _named(inner, {**base, **strays}, name)
        untaken = own is not None and key not in _ARGUMENTS[inner].get(name, ())
        return f"{f'{name} does not take it; ' if untaken else ''}write `{inner}: {flow(whole)}`" if whole else ""
    needed = {name: _USUAL[name] for name, field in kind.model_fields.items() if field.is_required()}
    return f"write `{inner}: {flow({**needed, **base, **strays})}`"


def _named(inner: str, arguments: Mapping[str, Plain], name: str) -> dict[str, Plain]:
    """The arguments under the name that has them, or else the first that takes them all; empty where none does."""
    own = {key: value for key, value in arguments.items() if key != "name"}
    taker = next((other for other in (name, *_ARGUMENTS[inner]) if _takes(inner, other, own)), None)
    return {"name": taker, **own} if taker is not None else {}


def _takes(inner: str, name: str, arguments: Collection[str]) -> bool:
    return name in _ARGUMENTS[inner] and set(arguments) - {"learning_rate"} <= _ARGUMENTS[inner][name]
