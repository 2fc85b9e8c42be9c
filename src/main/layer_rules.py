"""The Keras layers that a model file may hold, each with the arithmetic of its output's and its weights'
shapes.

Shapes leave out the batch axis. All rules assume `channels_last`, which `main.layer_settings` makes sure of.
The formulas are those of the Keras documentation of each layer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from main.layer_settings import Config, words

Shape = tuple[int, ...]
Shapes = tuple[Shape, ...]


def _same(config: Config, shapes: list[Shape]) -> Shape:
    (shape,) = shapes
    return shape


def _none(config: Config, shapes: list[Shape]) -> Shapes:
    return ()


class Rule(NamedTuple):
    """What is known of a layer: functions of its configuration and of the shapes that reach it."""

    output: Callable[[Config, list[Shape]], Shape]
    weights: Callable[[Config, list[Shape]], Shapes]
    between: Callable[[Config, list[Shape]], Shapes] = _none
    """Of what is made on the way from input to output and may be larger than both."""


def _positive(value: Any, what: str, least: int = 1) -> int:
    if type(value) is not int or not least <= value < 2**31:
        raise ValueError(f"{what} must be a whole number of at least {least}, but is {value!r}")
    return value


def _pair(config: Config, key: str, default: Any = None) -> tuple[int, int]:
    value = config.get(key, default)
    if value is None:
        value = default
    first, second = value if isinstance(value, list | tuple) else (value, value)
    return _positive(first, key), _positive(second, key)


def _window(config: Config, shape: Shape, kernel: tuple[int, int], strides: tuple[int, int]) -> tuple[int, int]:
    """Height and width after a window of extent `kernel` has moved over them."""
    height, width, _ = shape
    if config["padding"] == "same":
        return -(-height // strides[0]), -(-width // strides[1])
    if config["padding"] != "valid":
        raise ValueError(f"padding must be 'same' or 'valid', but is {config['padding']!r}")
    dilation = _pair(config, "dilation_rate", (1, 1))
    rows, columns = ((k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True))
    return (height - rows) // strides[0] + 1, (width - columns) // strides[1] + 1


def _convolved(channels: Callable[[Config, int], int]) -> Callable[[Config, list[Shape]], Shape]:
    def output(config: Config, shapes: list[Shape]) -> Shape:
        (shape,) = shapes
        sizes = _window(config, shape, _pair(config, "kernel_size"), _pair(config, "strides", (1, 1)))
        return *sizes, channels(config, shape[-1])

    return output


def _bias(config: Config, units: int) -> Shapes:
    return ((units,),) if config.get("use_bias", True) else ()


def _filters(config: Config, channels: int) -> int:
    return _positive(config["filters"], "filters")


def _multiplied(config: Config, channels: int) -> int:
    return channels * _positive(config["depth_multiplier"], "depth_multiplier")


def _conv_weights(config: Config, shapes: list[Shape]) -> Shapes:
    channels, filters = shapes[0][-1], _filters(config, 0)
    groups = _positive(config.get("groups", 1), "groups")
    if channels % groups or filters % groups:
        raise ValueError(f"{groups} groups do not divide {channels} channels and {filters} filters")
    return (*_pair(config, "kernel_size"), channels // groups, filters), *_bias(config, filters)


def _depthwise_kernel(config: Config, channels: int) -> Shape:
    return *_pair(config, "kernel_size"), channels, _positive(config["depth_multiplier"], "depth_multiplier")


def _depthwise_weights(config: Config, shapes: list[Shape]) -> Shapes:
    channels = shapes[0][-1]
    return _depthwise_kernel(config, channels), *_bias(config, _multiplied(config, channels))


def _dilated(config: Config, shapes: list[Shape]) -> Shapes:
    """At least as large an image as the one that TensorFlow pads, and cuts up, for a kernel that is dilated."""
    height, width, channels = shapes[0]
    kernel, dilation = _pair(config, "kernel_size"), _pair(config, "dilation_rate", (1, 1))
    rows, columns = (k * d if d > 1 else 0 for k, d in zip(kernel, dilation, strict=True))
    return ((height + rows, width + columns, channels),)


def _depthwise(config: Config, shapes: list[Shape]) -> Shapes:
    """As `_dilated`, and what the channels become one by one, before any pixel is skipped."""
    return *_dilated(config, shapes), _convolved(_multiplied)({**config, "strides": 1}, shapes)


def _separable_weights(config: Config, shapes: list[Shape]) -> Shapes:
    channels, filters = shapes[0][-1], _filters(config, 0)
    pointwise = (1, 1, _multiplied(config, channels), filters)
    return _depthwise_kernel(config, channels), pointwise, *_bias(config, filters)


def _pooled(config: Config, shapes: list[Shape]) -> Shape:
    (shape,) = shapes
    pool = _pair(config, "pool_size")
    return *_window(config, shape, pool, _pair(config, "strides", pool)), shape[-1]


def _globally_pooled(config: Config, shapes: list[Shape]) -> Shape:
    ((_, _, channels),) = shapes
    return (1, 1, channels) if config.get("keepdims") else (channels,)


def _dense(config: Config, shapes: list[Shape]) -> Shape:
    (shape,) = shapes
    return *shape[:-1], _positive(config["units"], "units")


def _dense_weights(config: Config, shapes: list[Shape]) -> Shapes:
    units = _positive(config["units"], "units")
    return (shapes[0][-1], units), *_bias(config, units)


def _flat(config: Config, shapes: list[Shape]) -> Shape:
    (shape,) = shapes
    return (math.prod(shape),)


def _reshaped(config: Config, shapes: list[Shape]) -> Shape:
    (shape,) = shapes
    target = [int(_positive(size, "target_shape", least=-1)) for size in config["target_shape"]]
    if target.count(-1) == 1:
        target[target.index(-1)] = math.prod(shape) // -math.prod(target)
    if math.prod(target) != math.prod(shape):
        raise ValueError(f"{shape} cannot be reshaped to {tuple(target)}")
    return tuple(target)


def _borders(config: Config, key: str) -> tuple[int, int]:
    """Rows and columns that a border on all four sides comes to."""
    value = config[key]
    sides = [[_positive(n, key, least=0) for n in (side if isinstance(side, list) else (side, side))]
             for side in (value if isinstance(value, list) else (value, value))]  # fmt: skip
    (top, bottom), (left, right) = sides
    return top + bottom, left + right


def _padded(config: Config, shapes: list[Shape]) -> Shape:
    ((height, width, channels),) = shapes
    rows, columns = _borders(config, "padding")
    return height + rows, width + columns, channels


def _cropped(config: Config, shapes: list[Shape]) -> Shape:
    ((height, width, channels),) = shapes
    rows, columns = _borders(config, "cropping")
    return height - rows, width - columns, channels


def _upsampled(config: Config, shapes: list[Shape]) -> Shape:
    ((height, width, channels),) = shapes
    rows, columns = _pair(config, "size")
    return height * rows, width * columns, channels


def _resized(config: Config, shapes: list[Shape]) -> Shape:
    ((_, _, channels),) = shapes
    return _positive(config["height"], "height"), _positive(config["width"], "width"), channels


def _rescaled(config: Config, shapes: list[Shape]) -> Shape:
    for key in ("scale", "offset"):
        if not isinstance(config.get(key, 0.0), int | float):
            raise ValueError(f"{key} must be one number")  # a list would broadcast, and could enlarge the output
    return _same(config, shapes)


def _merged(config: Config, shapes: list[Shape]) -> Shape:
    if len({len(shape) for shape in shapes}) != 1:
        raise ValueError(f"shapes {shapes} cannot be merged")
    return np.broadcast_shapes(*shapes)


def _concatenated(config: Config, shapes: list[Shape]) -> Shape:
    axis = config["axis"]
    axis = axis % len(shapes[0]) if axis < 0 else axis - 1  # the batch axis is 0
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(others) != 1 or not 0 <= axis < len(shapes[0]):
        raise ValueError(f"shapes {shapes} cannot be concatenated along axis {config['axis']}")
    return *shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :]


def _normalized_axes(config: Config, shape: Shape) -> Shape:
    axes = config["axis"] if isinstance(config["axis"], list) else [config["axis"]]
    if 0 in axes:
        raise ValueError("it normalises along the batch, of any size")
    return tuple(shape[axis if axis < 0 else axis - 1] for axis in axes)


def _scale_and_offset(config: Config, size: Shape) -> Shapes:
    return (size,) * (bool(config.get("scale", True)) + bool(config.get("center", True)))


def _batch_norm_weights(config: Config, shapes: list[Shape]) -> Shapes:
    size = _normalized_axes(config, shapes[0])
    if len(size) != 1:
        raise ValueError("it normalises more than one axis")
    return *_scale_and_offset(config, size), size, size


def _layer_norm_weights(config: Config, shapes: list[Shape]) -> Shapes:
    return _scale_and_offset(config, _normalized_axes(config, shapes[0]))


def _prelu_weights(config: Config, shapes: list[Shape]) -> Shapes:
    shared = config.get("shared_axes") or ()
    return (tuple(1 if axis in shared else size for axis, size in enumerate(shapes[0], start=1)),)


SHAPE_KEEPING = """
    Activation ActivityRegularization AlphaDropout Dropout ELU GaussianDropout GaussianNoise Identity
    LeakyReLU RandomContrast RandomFlip RandomRotation RandomTranslation RandomZoom ReLU
    Softmax SpatialDropout2D
"""
MERGING = "Add Average Maximum Minimum Multiply Subtract"

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(words(SHAPE_KEEPING), Rule(_same, _none)),
    **dict.fromkeys(words(MERGING), Rule(_merged, _none)),
    "AveragePooling2D": Rule(_pooled, _none),
    "BatchNormalization": Rule(_same, _batch_norm_weights),
    "Concatenate": Rule(_concatenated, _none),
    "Conv2D": Rule(_convolved(_filters), _conv_weights, _dilated),
    "Cropping2D": Rule(_cropped, _none),
    "Dense": Rule(_dense, _dense_weights),
    "DepthwiseConv2D": Rule(_convolved(_multiplied), _depthwise_weights, _depthwise),
    "Flatten": Rule(_flat, _none),
    "GlobalAveragePooling2D": Rule(_globally_pooled, _none),
    "GlobalMaxPooling2D": Rule(_globally_pooled, _none),
    "LayerNormalization": Rule(_same, _layer_norm_weights),
    "MaxPooling2D": Rule(_pooled, _none),
    "PReLU": Rule(_same, _prelu_weights),
    "Rescaling": Rule(_rescaled, _none),
    "Reshape": Rule(_reshaped, _none),
    "Resizing": Rule(_resized, _none),
    "SeparableConv2D": Rule(_convolved(_filters), _separable_weights, _depthwise),
    "UpSampling2D": Rule(_upsampled, _none),
    "ZeroPadding2D": Rule(_padded, _none),
}
"""By class name: every layer a model file may hold, besides the input and networks of these."""
