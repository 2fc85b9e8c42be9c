"""Sweep files made up by hypothesis: such as the schema allows, and such as nobody should write."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from main.yaml12 import flow
from optimize.schema import json_schema

SCHEMA = json_schema()
WORDS = ["max", "relu", "cnn", "mlp", "adam", "sgd", "tpe", "grid", "model.pooling", "train.loss", "pooling", "x", ""]
PATHS = [
    "model.pooling",
    "model.activation",
    "model.dropout",
    "train.learning_rate",
    "train.optimizer",
    "model.filters",
]


def at(pointer: str) -> dict[str, Any]:
    """What a reference within the schema means."""
    node: Any = SCHEMA
    for key in pointer.removeprefix("#/").split("/"):
        node = node[key]
    assert isinstance(node, dict)
    return node


def from_schema(node: dict[str, Any]) -> SearchStrategy[Any]:
    """Values that a node of the schema allows; optional keys are mostly left out, as people leave them out."""
    if "$ref" in node:
        return st.deferred(lambda: referred(node["$ref"]))
    if "if" in node:
        return st.one_of(from_schema(node["then"]), from_schema(node["else"]))
    if "const" in node:
        return st.just(node["const"])
    if "enum" in node:
        return st.sampled_from(node["enum"])
    for several in ("anyOf", "oneOf"):
        if several in node:
            return st.one_of([from_schema(member) for member in node[several]])
    return _TYPES[node["type"]](node) if "type" in node else anything()


@cache
def referred(pointer: str) -> SearchStrategy[Any]:
    """Values that a definition of the schema allows."""
    return from_schema(at(pointer))


def _objects(node: dict[str, Any]) -> SearchStrategy[Any]:
    properties = node.get("properties")
    if properties is None:
        return st.dictionaries(st.sampled_from(PATHS), anything(), min_size=node.get("minProperties", 0), max_size=2)
    required = node.get("required", [])
    seldom = {"when", "confirm", "start", "baseline", "compare", "network"}  # most that chance makes of them is refused
    optional = sorted(set(properties) - set(required) - seldom)
    values = {key: from_schema(value) for key, value in properties.items()}

    @st.composite
    def some(draw: Any) -> dict[str, Any]:
        keys = [*required, *(draw(st.lists(st.sampled_from(optional), max_size=4, unique=True)) if optional else [])]
        if "winner" in keys:
            keys = ["winner", "otherwise"]  # no sweep of that name has a verdict
        if draw(st.integers(0, 9)) == 0:
            keys += sorted(seldom & set(properties) - set(keys))[:2]
        return {key: draw(values[key]) for key in keys}

    return some()


def _lists(node: dict[str, Any]) -> SearchStrategy[Any]:
    low, high = node.get("minItems", 0), min(node.get("maxItems", 4), 4)
    unique = str if node.get("uniqueItems") else None
    return st.lists(from_schema(node.get("items", {})), min_size=low, max_size=max(low, high), unique_by=unique)


def _strings(node: dict[str, Any]) -> SearchStrategy[Any]:
    if "pattern" in node:
        return st.from_regex(re.compile(node["pattern"].replace("$", r"\Z"), re.ASCII)).filter(str.isprintable)
    return st.sampled_from(WORDS).filter(lambda word: len(word) >= node.get("minLength", 0))


def _integers(node: dict[str, Any]) -> SearchStrategy[Any]:
    low, high = node.get("minimum", -(10**6)), node.get("maximum", 10**6)
    high = node.get("exclusiveMaximum", high + 1) - 1
    low = node.get("exclusiveMinimum", low - 1) + 1
    return st.one_of(st.integers(low, min(high, low + 5)), st.integers(low, high))


def _numbers(node: dict[str, Any]) -> SearchStrategy[Any]:
    low, high = node.get("minimum", node.get("exclusiveMinimum")), node.get("maximum", node.get("exclusiveMaximum"))
    floats = st.floats(
        -1e6 if low is None else low,
        1e6 if high is None else high,
        exclude_min="exclusiveMinimum" in node,
        exclude_max="exclusiveMaximum" in node,
        allow_nan=False,
        allow_infinity=False,
        allow_subnormal=False,
    )
    return floats if low is None or high is None else st.one_of(floats, st.sampled_from([low + (high - low) / 4]))


_TYPES: dict[str, Any] = {
    "object": _objects,
    "array": _lists,
    "string": _strings,
    "integer": _integers,
    "number": _numbers,
    "boolean": lambda _: st.booleans(),
    "null": lambda _: st.none(),
}


def anything() -> SearchStrategy[Any]:
    """Any plain value, most of them small."""
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-10, 10),
        st.sampled_from([0.5, 1e-3, 10**30, 1e-300, -0.0, *WORDS, *PATHS]),
    )
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS + PATHS), inner, max_size=3)
        ),
        max_leaves=6,
    )


WHOLE = from_schema(SCHEMA)


def documents() -> SearchStrategy[dict[str, Any]]:
    """Plain data of sweep files that the schema allows, most of which sweep something."""
    return st.tuples(WHOLE, st.integers(0, 9)).map(lambda drawn: _sweeping(*drawn))


def _sweeping(data: dict[str, Any], chance: int) -> dict[str, Any]:
    if chance and not any(key in flow(data) for key in ("choices", "low", "winner")):
        data = {**data, "model": {**data["model"], "l2": {"choices": [0, 0.001]}}}
    return data


def as_yaml(data: dict[str, Any]) -> str:
    """A file of these data: the sections as blocks, the rest in flow style."""
    return "".join(f"{flow(key)}: {flow(value)}\n" for key, value in data.items())


@st.composite
def spoiled(draw: Any) -> dict[str, Any]:
    """Data of a sweep file with something else in some of its places."""
    data = draw(documents())
    for _ in range(draw(st.integers(1, 3))):
        data = _replaced(data, draw(st.sampled_from(list(_places(data)))), draw(anything()))
    return data if isinstance(data, dict) else {}


def _places(node: Any) -> Iterator[tuple[str | int, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (key,)
        for below in _places(value):
            yield (key, *below)


def _replaced(node: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    changed = dict(node) if isinstance(node, dict) else list(node)
    changed[path[0]] = _replaced(node[path[0]], path[1:], value)
    return changed


TOKENS = [
    "{", "}", "[", "]", ":", ": ", "- ", ",", "#", "&a", "*a", "<<: *a", "!!python/object:os.system", "---", "...",
    "\t", "\0", "\ufeff", "\u2028", "\x85", "\r", "\n", "'", '"', "|", ">", "%", "@", "`", "?", "1e400", ".nan", ".inf",
    "9" * 120, "0o17", "0x1F", "010", "1:30", "no", "2020-01-01", "1_000", "10" * 15, "-", "~", "null", "true",
    "{choices: [1, 2]}", "{low: 0, high: 1}", "{low: 1, high: 0, log: true, step: 0.3}", "{winner: pooling}", "when",
    "[" * 40, "{a: " * 40, "é", "数", "🙂", "\ud83d", "\\ud800", '"\\ud800"', '"\\0"', "choices", "pooling", "a" * 300,
]  # fmt: skip


@st.composite
def mutated(draw: Any, texts: list[str]) -> bytes:
    """A sweep file that somebody, or something, has damaged."""
    text = draw(st.one_of(st.sampled_from(texts), documents().map(as_yaml)))
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 1, 5, 40])))
        put = draw(st.one_of(st.sampled_from(TOKENS), st.just(text[start:end] * 2), st.text(max_size=3)))
        text = text[:start] + put + text[end:]
    content = text.encode("utf-8", errors="surrogatepass")
    if draw(st.integers(0, 20)) == 0:
        content = content[: draw(st.integers(0, len(content)))] + draw(st.binary(max_size=4))
    return content


def json_of(data: Any) -> Any:
    """Plain data as JSON has them."""
    return json.loads(json.dumps(data))
