"""JSON Schema of the sweep file, from the same sections that check it: editors complete and check as people type."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from main.config import TrainConfig
from models import networks
from optimize.config import SweepFile
from optimize.forms import ChoicesForm, RangeForm, WinnerForm

Schema = dict[str, Any]
_SWEPT = "Swept"
"""What the name of a definition ends in whose values may be swept."""
_DEFAULT_NETWORK = "cnn"


def json_schema() -> Schema:
    """The schema, draft 2020-12, with the networks that are installed.

    A value under `model` or `train`, or either as a whole, may be choices, a range or a winner; a choice may not.
    """
    schema = SweepFile.model_json_schema()
    builder = _Builder(schema.setdefault("$defs", {}))
    properties = schema["properties"]
    properties["model"] = {"description": properties["model"]["description"], **builder.model()}
    train = _or_whole(builder.section(TrainConfig), {"$ref": f"#/$defs/{TrainConfig.__name__}"})
    properties["train"] = {"description": properties["train"]["description"], **train}
    for definition in schema["$defs"].values():
        if "const" in definition.get("properties", {}).get("name", {}):  # one of several that `name` tells apart
            definition["required"] = sorted({*definition.get("required", []), "name"})
    _tidy(schema)
    about = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Sweep file of optimize-sweeps",
        "description": SweepFile.__doc__,
    }
    return {**about, **{key: value for key, value in schema.items() if key not in about}}


class _Builder:
    """Adds to a schema's definitions the sections in which values may be swept."""

    def __init__(self, definitions: Schema) -> None:
        self._definitions = definitions
        definitions["When"] = ChoicesForm.model_json_schema()["properties"]["when"]

    def model(self) -> Schema:
        """The section of any network; of all of them where the network itself is swept."""
        known = networks()
        sections = {name: self.section(spec) for name, spec in known.items()}
        for name, spec in known.items():
            for section in (self._definitions[spec.__name__], self._definitions[spec.__name__ + _SWEPT]):
                section["properties"]["network"] = {"const": name}
                if name != _DEFAULT_NETWORK:
                    section["required"] = sorted({*section.get("required", []), "network"})
        self._definitions["SweptNetwork"] = self._swept_network(known)
        concrete = {name: {"$ref": f"#/$defs/{spec.__name__}"} for name, spec in known.items()}
        default, concrete_default = sections.pop(_DEFAULT_NETWORK), concrete.pop(_DEFAULT_NETWORK)
        schema = _by_network(sections, _either({"type": "object"}, {"$ref": "#/$defs/SweptNetwork"}, default))
        schema = {"properties": {"network": _network(known)}, **schema}
        return {"type": "object", **_or_whole(schema, _by_network(concrete, concrete_default))}

    def section(self, section: type[BaseModel]) -> Schema:
        """A reference to a section whose values may be swept, which is defined where it is not yet."""
        schema = section.model_json_schema()
        self._definitions.update(schema.pop("$defs", {}))
        self._definitions[section.__name__] = schema
        return {"$ref": self._swept_reference(f"#/$defs/{section.__name__}")}

    def _swept_network(self, known: Mapping[str, type[BaseModel]]) -> Schema:
        """Keys of all networks, for a file whose network has choices; the loader knows which belong together."""
        properties: dict[str, list[Schema]] = {}
        name = {"enum": list(known)}
        swept = {"anyOf": [_choices(name), _winner(name)]}
        for section in (spec.__name__ + _SWEPT for spec in known.values()):
            for key in self._definitions[section]["properties"]:
                properties.setdefault(key, []).append({"$ref": f"#/$defs/{section}/properties/{key}"})
        return {
            "type": "object",
            "description": "A section in which the network itself is swept.",
            "properties": {**{key: {"anyOf": found} for key, found in properties.items()}, "network": swept},
            "required": ["network"],
            "additionalProperties": False,
        }

    def _swept_reference(self, reference: str) -> str:
        name = reference.rsplit("/", 1)[1]
        definition = self._definitions[name]
        if definition.get("type") != "object":
            return reference
        if name + _SWEPT not in self._definitions:
            swept = self._definitions[name + _SWEPT] = copy.deepcopy(definition)
            swept["properties"] = {
                key: self._or_swept(value, {"$ref": f"{reference}/properties/{key}"})
                for key, value in swept["properties"].items()
            }
        return f"{reference}{_SWEPT}"

    def _or_swept(self, value: Schema, concrete: Schema) -> Schema:
        """A value, or what may stand in its place; `concrete` is the value in which nothing is swept."""
        about: Schema = {key: value[key] for key in ("description", "default") if key in value}
        bare = {key: item for key, item in value.items() if key not in (*about, "title")}
        forms = [_choices(concrete), _winner(concrete)]
        numbers = [member for member in bare.get("anyOf", [bare]) if member.get("type") in ("integer", "number")]
        forms[1:1] = [_range(number) for number in numbers]
        return {**about, "anyOf": [*_members(self._sweepable(bare)), *forms]}

    def _sweepable(self, schema: Schema) -> Schema:
        """`schema`, in whose mappings and lists values may be swept."""
        if "$ref" in schema:
            return {**schema, "$ref": self._swept_reference(schema["$ref"])}
        if "items" in schema:
            return {**schema, "items": self._or_swept(schema["items"], schema["items"])}
        if "anyOf" in schema:
            return {**schema, "anyOf": [self._sweepable(member) for member in schema["anyOf"]]}
        return schema


def _network(known: Mapping[str, type[BaseModel]]) -> Schema:
    name = {"enum": list(known)}
    description = known[_DEFAULT_NETWORK].model_fields["network"].description
    return {
        "description": description,
        "default": _DEFAULT_NETWORK,
        "anyOf": [name, _choices(name), _winner(name)],
    }


def _either(network: Schema, then: Schema, otherwise: Schema) -> Schema:
    """`then` where the section's network is such, `otherwise` where it is not."""
    return {"if": {"properties": {"network": network}, "required": ["network"]}, "then": then, "else": otherwise}


def _by_network(sections: Mapping[str, Schema], otherwise: Schema) -> Schema:
    """The section of the network that is named, `otherwise` where none of these is."""
    for name, section in sections.items():
        otherwise = _either({"const": name}, section, otherwise)
    return otherwise


def _or_whole(section: Schema, concrete: Schema) -> Schema:
    """A section, or what may stand in its place; `concrete` is the section in which nothing is swept."""
    for form, key in ((_winner(concrete), "winner"), (_choices(concrete), "choices")):
        section = {"if": {"required": [key]}, "then": form, "else": section}
    return section


def _choices(value: Schema) -> Schema:
    form = ChoicesForm.model_json_schema()
    form["properties"]["choices"]["items"] = value
    form["properties"]["when"] = {"$ref": "#/$defs/When"}
    return form


def _range(number: Schema) -> Schema:
    form = RangeForm.model_json_schema()
    for end in ("low", "high"):
        form["properties"][end] = {"description": form["properties"][end]["description"], **number}
    if number["type"] == "integer":
        step = form["properties"]["step"]
        step["anyOf"] = [{"type": "integer", "exclusiveMinimum": 0}, {"type": "null"}]
    form["properties"]["when"] = {"$ref": "#/$defs/When"}
    return form


def _winner(value: Schema) -> Schema:
    form = WinnerForm.model_json_schema()
    form["properties"] |= {"over": value, "otherwise": value}
    return form


def _members(schema: Schema) -> list[Schema]:
    return list(schema["anyOf"]) if set(schema) == {"anyOf"} else [schema]


def _tidy(schema: Schema) -> None:
    """Leave out titles made of names, what is null in defaults, and what JSON Schema does not have."""
    for mapping in _mappings(schema):
        if isinstance(mapping.get("title"), str):
            del mapping["title"]
        if isinstance(mapping.get("default"), dict):
            mapping["default"] = {key: value for key, value in mapping["default"].items() if value is not None}
        if mapping.get("default", True) == {}:
            del mapping["default"]
        if isinstance(mapping.get("discriminator"), dict):  # OpenAPI's, not JSON Schema's
            del mapping["discriminator"]
    for section in ("study", "run", "train"):
        schema["properties"][section].pop("default", None)  # each of its values has its own


def _mappings(node: Any) -> Iterator[Schema]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _mappings(value)
    elif isinstance(node, list):
        for value in node:
            yield from _mappings(value)
