"""Checks plain data against a section, and says in words what is wrong with it, value by value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeVar, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from main.annotations import KeyPath, annotation_at, leaves, section_of, sections, tags, value_at, words
from main.complaints import Complaint
from main.document import Document, described
from main.meant import how_to_write, is_number_in_quotes, share_of
from main.nearest import VERY_LIKE, did_you_mean, nearest_to
from main.yaml12 import Plain, flow

SectionT = TypeVar("SectionT", bound=BaseModel)


_JOINED = re.compile(r"(\w+)\s*[:=\s]\s*(.*)", re.DOTALL)
"""A key with what was to be its value, for want of a ':' or of a space."""
_LONGEST_HINT = 80
_LONGEST_SHOWN = 400
_DEEPEST_PATH = 4
_MOST_PER_CENT, _LEAST_PER_CENT = 100, 5  # less may be what a decimal comma left: 0,2
_WRITE_A_NAME = "write `name: "
REQUIRED = "required, but not written"
"""The message about a key that is missing."""
UNTAKEN = " does not take it"
"""Within the message about an argument that what is named beside it does not take."""


class Mistake(ValueError):
    """What a validator refuses, and what to write instead."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Problem(NamedTuple):
    """One thing that is wrong with plain data."""

    path: KeyPath
    """Of the value, from the top of the data."""
    message: str
    """The rule, then what was read."""
    hint: str = ""
    """What is allowed, or what to write instead."""
    at_key: bool = False
    """Whether it is the key that is wrong, rather than its value."""


def check(model: type[SectionT], data: Plain, path: KeyPath = ()) -> tuple[SectionT | None, list[Problem]]:
    """`data` as a `model`, or everything that is wrong with it.

    Args:
        model: The section that `data` should be.
        data: What was read; lists as tuples.
        path: Where `data` stands, which the problems' paths begin with.
    """
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, list(_problems(error, model, data, path))


def complaints(document: Document, problems: Iterable[Problem]) -> list[Complaint]:
    """What is wrong with a document's data, each problem at its line."""
    return [document.complaint(p.path, p.message, _short(p.hint), at_key=p.at_key) for p in problems]


def _short(hint: str) -> str:
    return hint if len(hint) <= _LONGEST_SHOWN else f"{hint[: _LONGEST_SHOWN - 1]}…"


def unknown_key(key: str, allowed: Iterable[str]) -> tuple[str, str]:
    """Message and hint about a key that is none of `allowed`."""
    return f"unknown key{did_you_mean(key, allowed)}", f"allowed here: {', '.join(sorted(allowed))}"


def unknown_value(value: object, allowed: Iterable[object]) -> tuple[str, str]:
    """Message and hint about a value that is none of `allowed`."""
    choices = [flow(choice) for choice in allowed]
    if not isinstance(value, str):
        return f"expected {_or(choices)}, but read {described(value)}", _only_one_of(value, choices)
    if value in choices:  # 3 or true, in quotes
        return f"expected {_or(choices)}, but read {described(value)}", f"write {value} without quotes"
    return f"unknown value '{value[:60]}'{did_you_mean(value, choices)}", f"allowed: {', '.join(choices)}"


def _only_one_of(value: object, choices: Iterable[str]) -> str:
    """What to write in place of a list of one word, or of a mapping that names one."""
    if isinstance(value, dict):
        value = tuple(item for key, item in value.items() if key == "name")
    one = value[0] if isinstance(value, tuple) and len(value) == 1 else None
    meant = nearest_to(one, choices) if isinstance(one, str) else None
    return f"write {meant}" if meant is not None else ""


def _problems(error: ValidationError, model: type[BaseModel], data: Plain, path: KeyPath) -> Iterator[Problem]:
    """One problem a value; of the members of a union, those that got furthest."""
    found: dict[KeyPath, list[ErrorDetails]] = {}
    through_union: set[KeyPath] = set()
    for details in error.errors(include_url=False):
        where = _real(details, data)
        if _counts_only_what_is_right(details, value_at(data, where)):
            continue
        found.setdefault(where, []).append(details)
        if len(where) < len(details["loc"]):
            through_union.add(where)
    around = {where[:length] for where in found for length in range(len(where))}
    problems = [
        _problem(_Finding(group, where, model, data))
        for where, group in found.items()
        if where not in around or where not in through_union
    ]
    nameless = {problem.path[:-1] for problem in problems if problem.hint.startswith(_WRITE_A_NAME)}
    for problem in problems:
        if problem.path[:-1] not in nameless or UNTAKEN not in problem.message:  # by the name that it has by default
            yield problem._replace(path=path + problem.path)


def _counts_only_what_is_right(details: ErrorDetails, value: Plain) -> bool:
    """Whether pydantic finds a list too short for the elements in it that are wrong, of which it says so too."""
    return details["type"] == "too_short" and len(value or ()) >= details["ctx"]["min_length"]  # type: ignore[arg-type]


class _Finding(NamedTuple):
    """What pydantic said of one value."""

    group: list[ErrorDetails]
    where: KeyPath
    model: type[BaseModel]
    data: Plain

    @property
    def value(self) -> Plain:
        return value_at(self.data, self.where)

    @property
    def annotation(self) -> Any:
        return annotation_at(self.model, self.where, self.data)

    def allows(self, value: Plain) -> bool:
        """Whether another value would be taken in place of this one, beside what else is written in its section."""
        around = self.where[:-1]
        section = section_of(annotation_at(self.model, around, self.data), value_at(self.data, around))
        written = value_at(self.data, around)
        if section is None or not isinstance(written, dict):
            return False
        key = self.where[-1]
        return all(problem.path[:1] != (key,) for problem in check(section, {**written, str(key): value})[1])


def _problem(found: _Finding) -> Problem:
    """What to say about a value: a wrong type only where no member of a union has come further than that."""
    further = [details for details in found.group if details["type"] not in _EXPECTED]
    if not further:
        return _wrong_type(found)
    details = further[0]
    say = _SAYINGS.get(details["type"])
    return say(found) if say else _own_words(found, details)


def _wrong_type(found: _Finding) -> Problem:
    """Says all that may be written; of what may be abbreviated, pydantic knows the whole alone."""
    refused = [_EXPECTED[details["type"]] for details in found.group]
    expected = _or(_written_kinds(found.annotation) or list(dict.fromkeys(refused)))
    hint = how_to_write(expected, found.value, found.annotation, found.allows)
    if not hint and "mapping" in expected:
        names, whole = words(found.annotation), sections(found.annotation)
        keys = as_a_key(found.value, whole[0]) or _listed(whole[0]) if len(whole) == 1 else ""
        hint = "; ".join(part for part in (f"names: {', '.join(names)}" if names else "", keys) if part)
    return Problem(found.where, f"expected {expected}, but read {described(found.value)}", hint)


def as_a_key(value: Plain, section: type[BaseModel]) -> str:
    """How to write what stands in place of a section's mapping, as one of its keys; empty where that is a guess."""
    fields = section.model_fields
    if isinstance(value, tuple) and value and all(isinstance(item, dict) for item in value):
        whole = flow(value[0]) if len(value) == 1 else ""
        return (
            f"write {whole}" if 0 < len(whole) <= _LONGEST_HINT else "write its keys without '-' and without brackets"
        )
    if isinstance(value, str) and (joined := _JOINED.fullmatch(value)) and joined[1] in fields:
        if more := [word for word in joined[2].split() if word in fields]:  # lines that YAML reads as one
            return f"write a ':' and a space after {' and '.join([joined[1], *more])}"
        return f"write {{{joined[1]}: {joined[2] or '...'}}}, with a ':' and a space"
    if isinstance(value, str) and value in fields:
        return f"write {{{value}: ...}}"
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return ""
    named = [key for place, key in enumerate(fields) if place == 0 or str not in leaves(fields[key].annotation)]
    fitting = [key for key in named if all(p.path[0] != key for p in check(section, {key: value})[1])]
    is_clear = fitting and (isinstance(value, str) or len(fitting) == 1)
    return f"write {{{fitting[0]}: {flow(value)}}}" if is_clear else ""


def _written_kinds(annotation: Any) -> list[str]:
    """`a whole number`, `a list`: what may be written, by its kind."""
    kinds = [_KINDS.get(get_origin(leaf) or leaf, "a mapping" if sections(leaf) else "") for leaf in leaves(annotation)]
    if "a number" in kinds:
        kinds = [kind for kind in kinds if kind != "a whole number"]
    return list(dict.fromkeys(filter(None, kinds)))


def _unknown_key(found: _Finding) -> Problem:
    around = found._replace(where=found.where[:-1])
    section = section_of(around.annotation, around.value)
    allowed = section.model_fields if section is not None else {}
    written = around.value if isinstance(around.value, dict) else {}
    key = str(found.where[-1])
    if section is not None and written == {key: None} and nearest_to(key, allowed, VERY_LIKE) is None:  # {mnist}
        hint = as_a_key(key, section)
        if hint:
            return Problem(found.where, "unknown key", hint, at_key=True)
    return Problem(found.where, *_in_place_of_key(str(found.where[-1]), allowed, written), at_key=True)


def _in_place_of_key(key: str, allowed: Mapping[str, FieldInfo], written: Mapping[str, Plain]) -> tuple[str, str]:
    """A message about a key that nobody knows among those `written`, and what to write."""
    first, *below = key.split(".")
    if below and all(below) and first in allowed and len(below) <= _DEEPEST_PATH:
        within = ": ".join(f"{{{part}" for part in below)
        return "unknown key, a path", f"write {first}: {within}: ...{'}' * len(below)}"
    joined = _JOINED.fullmatch(key)
    if joined and joined[1] in allowed and written.get(key) is None:
        return "unknown key", f"write `{joined[1]}: {joined[2] or '...'}`, with a ':' and a space"
    names = words(allowed["name"].annotation) if "name" in allowed and "name" not in written else ()
    if meant := _name_meant(key, written[key], names):
        return "unknown key", meant
    message, hint = unknown_key(key, allowed)
    near = nearest_to(key, allowed)
    if near and near in written and nearest_to(key, [near], VERY_LIKE) is None:  # a second one would be refused
        message = f"unknown key{did_you_mean(key, [other for other in allowed if other not in written])}"
    return message, hint


def _name_meant(key: str, value: Plain, names: Iterable[Any]) -> str:
    """How the name of a section is written that stands as a key, or under another one; empty where none does."""
    if key in names:
        own = value if isinstance(value, dict) else {}
        return f"write {flow({'name': key, **own})}" if own else f"write {{name: {key}, ...}}"
    name = next((name for name in names if isinstance(value, str) and value.lower() == name), None)
    return f"{_WRITE_A_NAME}{name}`" if name is not None else ""


def _missing(found: _Finding) -> Problem:
    around = found._replace(where=found.where[:-1])
    section = section_of(around.annotation, around.value)
    field = section.model_fields.get(str(found.where[-1])) if section is not None else None
    hint = (field.description or "") if field is not None else ""
    if isinstance(around.value, str):
        return Problem(found.where, REQUIRED, f"write {{name: {around.value}, {found.where[-1]}: ...}}")
    return Problem(found.where, REQUIRED, hint, at_key=True)


def _unknown_word(found: _Finding) -> Problem:
    allowed = words(found.annotation)
    kinds = [_EXPECTED[details["type"]] for details in found.group if details["type"] in _EXPECTED]
    if not kinds:
        return Problem(found.where, *unknown_value(found.value, allowed))
    if isinstance(found.value, str) and any(is_number_in_quotes(found.value, kind) for kind in kinds):
        return Problem(
            found.where,
            f"expected {_or([*kinds, *map(flow, allowed)])}, but read {described(found.value)}",
            f"write {found.value} without quotes",
        )
    message, hint = unknown_value(found.value, allowed)
    either = _or([*kinds, *map(flow, allowed)])
    if not hint:
        return Problem(found.where, f"expected {either}, but read {described(found.value)}")
    return Problem(found.where, message, f"allowed: {either}")


def _unknown_name(found: _Finding) -> Problem:
    """Of a section that is told from others by its name, which may stand alone."""
    if not isinstance(found.value, dict):
        return Problem(found.where, *unknown_value(found.value, words(found.annotation) or tags(found.annotation)))
    return Problem((*found.where, "name"), *unknown_value(found.value.get("name"), tags(found.annotation)))


def _nameless(found: _Finding) -> Problem:
    names = tags(found.annotation)
    written = found.value if isinstance(found.value, dict) else {}
    for key, value in written.items():
        if meant := _name_meant(key, value, names):
            return Problem((*found.where, key), "unknown key", meant, at_key=True)
    return Problem(found.where, "`name` is required, but not written", f"one of {', '.join(names)}")


def _own_words(found: _Finding, details: ErrorDetails) -> Problem:
    """A rule of bounds, or what a validator of ours raised."""
    context = details.get("ctx", {})
    if "error" in context:
        return Problem(found.where, str(context["error"]), getattr(context["error"], "hint", ""))
    bounds = {key: _whole(value) for key, value in context.items()}
    rule = _RULES[details["type"]].format(**bounds) if details["type"] in _RULES else details["msg"]
    if details["type"] in ("too_short", "string_too_short") and bounds["min_length"] == 1:
        rule = "must not be empty"
    read = flow(found.value)[:40] if isinstance(found.value, int | float) else described(found.value)
    return Problem(found.where, f"{rule}, but read {read}", _as_a_share(found.value, context))


def _as_a_share(value: Plain, bounds: Mapping[str, Any]) -> str:
    """What to write instead of a number that was meant in per cent, where a share of 1 is wanted."""
    is_share = bounds.get("lt") == 1 and isinstance(value, int | float)
    if not is_share or not _LEAST_PER_CENT <= value <= _MOST_PER_CENT:  # type: ignore[operator]
        return ""
    return f"write {share_of(Decimal(repr(value)))} for {flow(value)} %"


def _whole(bound: object) -> object:
    """0.0 as 0: pydantic turns the bounds of floats into floats."""
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


_SAYINGS: Mapping[str, Callable[[_Finding], Problem]] = {
    "extra_forbidden": _unknown_key,
    "missing": _missing,
    "literal_error": _unknown_word,
    "union_tag_invalid": _unknown_name,
    "union_tag_not_found": _nameless,
}
_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a word",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "null",
}
_KINDS: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a word",
    tuple: "a list",
    dict: "a mapping",
    Literal: "a name",
}
_RULES = {
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "must have at least {min_length} elements",
    "too_long": "must have at most {max_length} elements",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
}


def _real(details: ErrorDetails, data: Plain) -> KeyPath:
    """The path of pydantic's `loc` without the names of union members and validators in it."""
    path: list[str | int] = []
    loc = details["loc"]
    for position, key in enumerate(loc):
        last_missing = details["type"] == "missing" and position == len(loc) - 1
        if isinstance(data, dict) and isinstance(key, str) and (key in data or last_missing):
            path.append(key)
            data = data.get(key)
        elif isinstance(data, str) and last_missing:  # a word that stands for a mapping with that name
            path.append(str(key))
        elif isinstance(data, tuple) and isinstance(key, int) and key < len(data):
            path.append(key)
            data = data[key]
    return tuple(path)


def _listed(section: type[BaseModel] | None) -> str:
    return f"its keys are {', '.join(section.model_fields)}" if section is not None else ""


def _or(words: list[str]) -> str:
    """`a, b or c`."""
    return " or ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)
