"""What may stand at a place of a section, asked of its type annotations."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from main.yaml12 import Plain

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the top of some data to a value."""


_LONGEST_INDEX = 5
"""Digits of an index: no file has room for a list of more elements than that can count."""


def dotted(path: KeyPath) -> str:
    """`model.pooling`; list indices as numbers."""
    return ".".join(map(str, path))


def is_index(key: str) -> bool:
    """Whether a part of a dotted path says which element of a list is meant."""
    return key.isascii() and key.isdigit() and len(key) <= _LONGEST_INDEX


def value_at(data: Plain, path: KeyPath) -> Plain:
    """The value at `path`, None where there is none."""
    for key in path:
        if isinstance(data, dict):
            data = data.get(str(key))
        elif isinstance(data, tuple) and isinstance(key, int) and key < len(data):
            data = data[key]
        else:
            return None
    return data


def annotation_at(model: type[BaseModel], path: KeyPath, data: Plain) -> Any:
    """The annotation of the value at `path` below a section, None where nothing may stand there.

    Args:
        model: The section.
        path: From the section to the value.
        data: The section's plain data, which tells apart the members of a union.
    """
    annotation: Any = model
    for depth, key in enumerate(path):
        if isinstance(key, int):
            members = tuple(elements(annotation))
            annotation = Union[members] if members else None  # noqa: UP007 - of as many as there are
            continue
        section = section_of(annotation, value_at(data, path[:depth]))
        field = section.model_fields.get(key) if section is not None else None
        annotation = _written_as(field) if field is not None else None
    return annotation


def _written_as(field: FieldInfo) -> Any:
    """What may be written for a field: more than it comes to hold, where a validator reads abbreviations."""
    for validator in field.metadata:
        if isinstance(validator, BeforeValidator) and validator.json_schema_input_type is not PydanticUndefined:
            return validator.json_schema_input_type
    return field.annotation


def section_of(annotation: Any, data: Plain) -> type[BaseModel] | None:
    """The section among what `annotation` allows; of several, the one whose `name` the data has."""
    found = sections(annotation)
    if len(found) <= 1 or not isinstance(data, dict):
        return next(iter(found), None)
    return next((section for section in found if data.get("name") in tags(section)), None)


def sections(annotation: Any) -> list[type[BaseModel]]:
    """The sections among what `annotation` allows."""
    return [kind for kind in leaves(annotation) if isinstance(kind, type) and issubclass(kind, BaseModel)]


def words(annotation: Any) -> tuple[Any, ...]:
    """The values that a literal among what `annotation` allows may have."""
    return tuple(word for kind in leaves(annotation) if get_origin(kind) is Literal for word in get_args(kind))


def tags(annotation: Any) -> tuple[Any, ...]:
    """The values of `name` that the sections among what `annotation` allows may have."""
    found = sections(annotation)
    fields = [section.model_fields["name"] for section in found if "name" in section.model_fields]
    return tuple(word for field in fields for word in words(field.annotation))


def leaves(annotation: Any) -> Iterator[Any]:
    """The members of unions within unions: plain types, literals, sections, tuples."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from leaves(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from leaves(member)
    elif annotation is not None:
        yield annotation


def kinds(annotation: Any) -> frozenset[type]:
    """The plain types among what `annotation` allows; `tuple` for a list, `dict` for a section."""
    found: set[type] = set()
    for leaf in leaves(annotation):
        if get_origin(leaf) is Literal:
            found |= {type(word) for word in get_args(leaf)}
        elif get_origin(leaf) in (tuple, dict):
            found.add(get_origin(leaf))
        elif isinstance(leaf, type):
            found.add(dict if issubclass(leaf, BaseModel) else leaf)
    return frozenset(found)


def elements(annotation: Any) -> Iterator[Any]:
    """What an element of a list may be, for each list among what `annotation` allows."""
    for leaf in leaves(annotation):
        if get_origin(leaf) is tuple:
            yield get_args(leaf)[0]
