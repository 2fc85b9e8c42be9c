"""What a stored network is, worked out from its configuration without Keras: allowed layers, shapes, weights.

A model file is somebody else's input. Keras builds whatever its configuration names, with whatever sizes it
names, before it compares a single weight; so both are settled here first, by arithmetic on plain JSON. A
layer is known by a `Rule` (its output's shape, its weights' shapes) or it is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from main.layer_rules import RULES, Shape
from main.layer_settings import Config, RefusedError, check_config, words

MAX_LAYERS = 2_000
MAX_DEPTH = 8  # networks within networks: an ensemble needs two
MAX_VALUES_PER_IMAGE = 2**26  # 256 MiB of float32 at once in one layer: beyond it, one image exhausts a small machine

NETWORKS = frozenset({"Functional", "Model", "Sequential"})
LAYER_MODULES = frozenset({None, "keras", "keras.layers", "keras.models", "keras.src.models.functional",
                           "keras.src.models.sequential"})  # fmt: skip
LAYER_KEYS = words("class_name config module registered_name name inbound_nodes build_config compile_config")
Key = tuple[str, int]
"""A layer's name and which of its calls is meant."""


@dataclass(frozen=True)
class Architecture:
    """A network as its configuration describes it."""

    input_shape: Shape
    """Of one image: (height, width, channels)."""
    output_shape: Shape
    """Of one prediction: (classes,) for a classifier."""
    weights: Mapping[str, tuple[Shape, ...]]
    """Shapes of every layer's weights, by the layer's name, in no particular order; layers without any are
    left out.
    """

    @property
    def parameters(self) -> int:
        """Numbers in all weights together."""
        return sum(math.prod(shape) for shapes in self.weights.values() for shape in shapes)


class Call(NamedTuple):
    """One use of a layer in a functional network."""

    key: Key
    layer: Mapping[str, Any]
    sources: tuple[Key, ...]


def architecture(config: Any) -> Architecture:
    """The network that a file's `model_config` (parsed JSON) describes.

    Raises:
        RefusedError: it holds a layer or value that is not on the list, contradicts itself, or is out of
            proportion.
    """
    item = _layer(config)
    described = _network(item, None, depth=0)
    _check_build(item, [described.input_shape])
    if len(described.output_shape) != 1:
        raise RefusedError(f"its output has shape {described.output_shape}, but a classifier's is (classes,)")
    return described


def _network(layer: Mapping[str, Any], input_shape: Shape | None, depth: int) -> Architecture:
    if depth > MAX_DEPTH:
        raise RefusedError(f"networks are nested more than {MAX_DEPTH} deep")
    config = layer["config"]
    if unknown := set(config) - NETWORK_KEYS:
        raise RefusedError(f"the network has an unknown setting {min(unknown)!r}")
    check_config({"dtype": config.get("dtype")})
    layers = [_layer(item) for item in _sequence(config.get("layers"), "layers", MAX_LAYERS)]
    names = [item["config"]["name"] for item in layers]
    if len(set(names)) != len(names):
        raise RefusedError("two of its layers have the same name")
    walk = _sequential if layer["class_name"] == "Sequential" else _functional
    return walk(config, layers, input_shape, depth)


NETWORK_KEYS = frozenset({"name", "trainable", "dtype", "layers", "input_layers", "output_layers", "build_input_shape"})


def _layer(item: Any) -> Mapping[str, Any]:
    """The layer's own description, once its class is known and its settings are harmless."""
    if not isinstance(item, dict) or not isinstance(item.get("config"), dict):
        raise RefusedError("its configuration is not what Keras writes")
    name = item.get("class_name")
    if not isinstance(name, str) or name not in RULES.keys() | NETWORKS | {"InputLayer"}:
        raise RefusedError(f"layer class {name!r} is not one of the built-in Keras layers that are allowed")
    if item.get("module") not in LAYER_MODULES or item.get("registered_name") not in (None, name):
        raise RefusedError(f"layer class {name!r} comes from {item.get('module')!r}, not from Keras")
    if name not in NETWORKS:
        check_config(item["config"])
    if not isinstance(item["config"].get("name"), str):
        raise RefusedError(f"a {name} layer has no name")
    _check_item(item, name, item["config"]["name"])
    return item


def _check_item(item: Mapping[str, Any], class_name: str, name: str) -> None:
    """Refuse what stands beside a layer's settings and would have Keras do what is not looked at here."""
    if unknown := set(item) - LAYER_KEYS:
        raise RefusedError(f"layer {name!r} has {min(unknown)!r} beside its settings, which Keras does not write")
    if item.get("name", name) != name:  # Keras connects layers by this one
        raise RefusedError(f"layer {name!r} has another name, {item['name']!r:.80}, beside its settings")
    if item.get("compile_config"):
        raise RefusedError(f"layer {name!r} is to be compiled, with whatever it names for that")
    if class_name == "InputLayer" and (item.get("inbound_nodes") or item.get("build_config")):
        raise RefusedError(f"input layer {name!r} has an input of its own")


def _check_build(item: Mapping[str, Any], shapes: Sequence[Shape]) -> None:
    """Refuse a shape other than that of the layer's inputs, for which Keras would make its weights all the same."""
    build = item.get("build_config")
    if not build or build == {"input_shape": None}:  # as of networks, which are built
        return
    built = build["input_shape"] if isinstance(build, Mapping) and set(build) == {"input_shape"} else None
    several = isinstance(built, list) and len(built) == len(shapes) and all(map(_is_of_shape, built, shapes))
    if not (several or _is_of_shape(built, shapes[0])):
        raise RefusedError(f"layer {item['config']['name']!r} is to be built for another shape than its input's")


def _is_of_shape(built: Any, shape: Shape) -> bool:
    """Whether a shape that Keras wrote is that of images of `shape`, so many at a time or any number."""
    if not isinstance(built, list) or built[1:] != list(shape):
        return False
    return built[0] is None or (type(built[0]) is int and built[0] > 0)


def _sequential(
    config: Config, layers: Sequence[Mapping[str, Any]], input_shape: Shape | None, depth: int
) -> Architecture:
    # Keras builds the layers for whichever of these it meets first.
    declarations = [*_declarations(layers[0]["config"]), *_declarations(config)]
    declared = {_image_shape(shape) for shape in declarations} | ({input_shape} if input_shape else set())
    if len(declared) != 1:
        raise RefusedError(f"a sequence of its layers declares {len(declared) or 'no'} input shapes, not one")
    (first,) = declared
    shape, weights = first, {}
    for layer in layers[layers[0]["class_name"] == "InputLayer" :]:
        shape, shapes = _apply(layer, [shape], depth)
        weights[layer["config"]["name"]] = shapes
    return Architecture(first, shape, {name: shapes for name, shapes in weights.items() if shapes})


def _functional(
    config: Config, layers: Sequence[Mapping[str, Any]], input_shape: Shape | None, depth: int
) -> Architecture:
    source, target = _end(config, "input_layers"), _end(config, "output_layers")
    inputs = [layer for layer in layers if layer["class_name"] == "InputLayer"]
    if [(layer["config"]["name"], 0) for layer in inputs] != [source]:
        raise RefusedError("it must have exactly one input")
    first = _image_shape(*_declarations(inputs[0]["config"]))
    if input_shape not in (None, first):
        raise RefusedError("a network within it expects an input of another shape")
    shapes: dict[Key, Shape] = {source: first}
    weights: dict[str, tuple[Shape, ...]] = {}
    for call in _in_order(_calls(layers), source):
        name = call.key[0]
        shapes[call.key], needed = _apply(call.layer, [shapes[key] for key in call.sources], depth)
        if weights.setdefault(name, needed) != needed:
            raise RefusedError(f"layer {name!r} is used twice on inputs of different shapes")
    if target not in shapes:
        raise RefusedError("its output is not computed from its input")
    return Architecture(first, shapes[target], {name: needed for name, needed in weights.items() if needed})


def _apply(layer: Mapping[str, Any], shapes: list[Shape], depth: int) -> tuple[Shape, tuple[Shape, ...]]:
    """Output shape and weight shapes of one layer, or of one network within the network."""
    config, name = layer["config"], layer["config"]["name"]
    _check_build(layer, shapes)
    if layer["class_name"] in NETWORKS:
        inner = _network(layer, shapes[0], depth + 1)
        return inner.output_shape, tuple(shape for inside in inner.weights.values() for shape in inside)
    if layer["class_name"] not in RULES:
        raise RefusedError(f"input layer {name!r} stands behind other layers")
    rule = RULES[layer["class_name"]]
    try:
        output, weights = rule.output(config, shapes), rule.weights(config, shapes)
        between = rule.between(config, shapes)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, ArithmeticError) as error:
        raise RefusedError(f"layer {name!r} ({layer['class_name']}) cannot be built: {error}") from error
    for made in (*between, output):
        if min(made, default=1) < 1 or math.prod(made) > MAX_VALUES_PER_IMAGE:
            raise RefusedError(f"layer {name!r} would make {made} values per image")
    return output, weights


def _calls(layers: Sequence[Mapping[str, Any]]) -> list[Call]:
    return [
        Call((layer["config"]["name"], position), layer, tuple(_sources(node)))
        for layer in layers
        if layer["class_name"] != "InputLayer"
        for position, node in enumerate(_sequence(layer.get("inbound_nodes"), "inbound_nodes", MAX_LAYERS))
    ]


def _in_order(calls: list[Call], source: Key) -> list[Call]:
    """The calls, each after those it takes its input from."""
    waiting: dict[Key, set[Key]] = {call.key: set(call.sources) - {source} for call in calls}
    readers: dict[Key, list[Call]] = {}
    for call in calls:
        for key in waiting[call.key]:
            readers.setdefault(key, []).append(call)
    ready = [call for call in calls if not waiting[call.key]]
    for call in ready:  # grows while it is walked
        for reader in readers.get(call.key, []):
            waiting[reader.key].discard(call.key)
            if not waiting[reader.key]:
                ready.append(reader)
    if len(ready) != len(calls):
        raise RefusedError("its layers are not connected to its input")
    return ready


def _sources(node: Any) -> list[Key]:
    """Where one call takes its input from; Keras 3 writes a mapping, Keras 2 a list of references."""
    if isinstance(node, dict):
        if set(node) - {"args", "kwargs"} or not _harmless(node.get("kwargs", {})):
            raise RefusedError("a layer is called with more than its input")
        tensors = _sequence(node.get("args"), "args", 1)
        tensors = tensors[0] if isinstance(tensors[0], list) else tensors
        return [_keras_tensor(tensor) for tensor in _sequence(tensors, "args", MAX_LAYERS)]
    return [_reference(item) for item in _sequence(node, "inbound_nodes", MAX_LAYERS)]


def _keras_tensor(tensor: Any) -> Key:
    if not isinstance(tensor, dict) or tensor.get("class_name") != "__keras_tensor__":
        raise RefusedError("a layer is called with something that is no layer's output")
    config = tensor.get("config")
    return _reference(config.get("keras_history") if isinstance(config, dict) else None)


def _reference(item: Any) -> Key:
    """`[layer name, which call, which output]`, and in Keras 2 the call's other arguments."""
    match item:
        case [str(name), int(call), 0]:
            return name, call
        case [str(name), int(call), 0, dict(arguments)] if _harmless(arguments):
            return name, call
        case _:
            raise RefusedError("a connection between its layers is not what Keras writes")


def _harmless(arguments: Any) -> bool:
    return isinstance(arguments, dict) and all(
        key in {"mask", "training"} and (value is None or isinstance(value, bool)) for key, value in arguments.items()
    )


def _end(config: Config, key: str) -> Key:
    """The one input or output, written as `[name, 0, 0]` or as a list of one such."""
    item = config.get(key)
    if isinstance(item, list) and len(item) == 1 and isinstance(item[0], list):
        item = item[0]
    return _reference(item)


def _declarations(config: Config) -> list[Any]:
    """Input shapes, with the batch axis, that a layer or network declares."""
    return [config[key] for key in ("batch_shape", "batch_input_shape", "build_input_shape") if config.get(key)]


def _image_shape(declared: Any = None) -> Shape:
    match declared:
        case [_, *sizes] if sizes and all(type(size) is int and size > 0 for size in sizes):
            if math.prod(sizes) <= MAX_VALUES_PER_IMAGE:
                return tuple(sizes)
    raise RefusedError(f"its input shape {declared!r} is not a fixed size within bounds")


def _sequence(value: Any, what: str, most: int) -> list[Any]:
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise RefusedError(f"{what!r} is not a list of 1 to {most} items")
    return value
