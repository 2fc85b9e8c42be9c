"""Which settings, words and objects a layer of a model file may carry.

Keras builds initializers, regularizers and activations from names in the file, and imports modules to find
them; only what is listed here gets that far.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

Config = Mapping[str, Any]


class RefusedError(ValueError):
    """A model file holds what it should not; the message says what, without naming the file."""


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


ACTIVATIONS = words(
    """
    linear relu relu6 leaky_relu elu selu celu gelu silu swish mish tanh sigmoid softplus softsign
    softmax log_softmax exponential hard_sigmoid hard_silu hard_swish hard_tanh log_sigmoid squareplus
    """
)
DTYPES = frozenset({"float16", "bfloat16", "float32", "float64", "mixed_float16", "mixed_bfloat16"})
OBJECTS: Mapping[str, frozenset[str]] = {
    "keras": frozenset({"DTypePolicy"}),
    "keras.initializers": words(
        """
    Zeros Ones Constant RandomNormal RandomUniform TruncatedNormal VarianceScaling GlorotNormal
    GlorotUniform HeNormal HeUniform LecunNormal LecunUniform Orthogonal OrthogonalInitializer
    """
    ),
    "keras.regularizers": frozenset({"L1", "L2", "L1L2", "OrthogonalRegularizer"}),
    "keras.constraints": frozenset({"MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm"}),
    "keras.layers": frozenset({"ReLU", "LeakyReLU", "ELU", "Softmax"}),  # as the `activation` of another layer
}
ANY_OBJECT = frozenset().union(*OBJECTS.values())

# Every setting of the layers below in Keras 3, then those that only Keras 2 wrote. What is not here
# (`lora_rank`, say, which adds weights of any size) is refused.
SETTINGS = words(
    """
    activation activity_regularizer alpha alpha_constraint alpha_initializer alpha_regularizer antialias
    axis batch_shape beta_constraint beta_initializer beta_regularizer bias_constraint bias_initializer
    bias_regularizer center crop_to_aspect_ratio cropping data_format depth_multiplier
    depthwise_constraint depthwise_initializer depthwise_regularizer dilation_rate dtype epsilon factor
    fill_mode fill_value filters gamma_constraint gamma_initializer gamma_regularizer groups height
    height_factor interpolation keepdims kernel_constraint kernel_initializer kernel_regularizer
    kernel_size l1 l2 max_value mode momentum moving_mean_initializer moving_variance_initializer name
    negative_slope noise_shape offset optional pad_to_aspect_ratio padding pointwise_constraint
    pointwise_initializer pointwise_regularizer pool_size quantization_config ragged rate renorm
    renorm_clipping renorm_momentum rms_scaling scale seed shared_axes size sparse stddev strides
    synchronized target_shape threshold trainable units use_bias value_range width width_factor
    batch_input_shape
    """
)
MUST_BE: Mapping[str, frozenset[Any]] = {
    "data_format": frozenset({None, "channels_last"}),
    "quantization_config": frozenset({None}),
    "renorm": frozenset({None, False}),
    "ragged": frozenset({None, False}),
    "sparse": frozenset({None, False}),
    "optional": frozenset({None, False}),
    "crop_to_aspect_ratio": frozenset({None, False}),
    "pad_to_aspect_ratio": frozenset({None, False}),  # pads the image to any size before it is resized
}
MAX_NAME = 256
WORD = re.compile(r"[A-Za-z0-9_]{0,64}")
NUMBER = (bool, int, float, type(None))


def check_config(config: Config) -> None:
    """Refuse settings that are unknown, or whose values are anything but numbers, words and known Keras
    objects.

    Raises:
        RefusedError: naming the setting.
    """
    for key, value in config.items():
        if key not in SETTINGS:
            raise RefusedError(f"a layer has the setting {key!r}, which is not among those that are allowed")
        if key == "name":
            if not isinstance(value, str) or not 1 <= len(value) <= MAX_NAME:
                raise RefusedError("a layer's name is no text of ordinary length")
        elif key in MUST_BE:
            if not isinstance(value, (str, *NUMBER)) or value not in MUST_BE[key]:
                raise RefusedError(f"{key} {value!r} is not supported")
        else:
            _check_value(key, value, depth=0)


def _check_value(key: str, value: Any, depth: int) -> None:
    if depth > 6:
        raise RefusedError(f"{key} is nested too deep")
    if isinstance(value, dict):
        _check_object(key, value, depth)
    elif isinstance(value, list):
        for item in value:
            _check_value(key, item, depth + 1)
    elif isinstance(value, str):
        allowed = {"activation": ACTIVATIONS, "dtype": DTYPES | {"uint8"}}.get(key)
        if not WORD.fullmatch(value) or (allowed is not None and value not in allowed):
            raise RefusedError(f"{key} {value[:80]!r} is not one of those that are allowed")
    elif not isinstance(value, NUMBER) or (isinstance(value, float) and not math.isfinite(value)):
        raise RefusedError(f"{key} {value!r} is no ordinary number")


def _check_object(key: str, value: dict[str, Any], depth: int) -> None:
    """An initializer, regularizer, constraint, data type or activation layer, as Keras writes them."""
    name, module, config = value.get("class_name"), value.get("module"), value.get("config")
    known = (
        OBJECTS.get(module, frozenset()) if isinstance(module, str) else ANY_OBJECT if module is None else frozenset()
    )
    if not isinstance(name, str) or name not in known or value.get("registered_name") not in (None, name):
        raise RefusedError(f"{key} is {name!r} of {module!r}, which is not among the Keras objects that are allowed")
    if set(value) - {
        "module",
        "class_name",
        "config",
        "registered_name",
        "shared_object_id",
    } or not isinstance(config, dict):
        raise RefusedError(f"{key} is not written as Keras does")
    inner = "dtype" if name == "DTypePolicy" else ""
    for setting, item in config.items():
        _check_value(inner or setting, item, depth + 1)
