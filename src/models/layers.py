"""What networks are made of: pooling, activations, initial weights and dense layers, all Keras's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import keras
import numpy as np

from models.spec import blur_extent

if TYPE_CHECKING:
    from models.spec import CnnSpec, ImageShape, MlpSpec

LEAKY_RELU_SLOPE = 0.1
"""Slope of leaky_relu below zero where the section names none."""


def max_pooling(images: keras.KerasTensor, size: int, name: str) -> keras.KerasTensor:
    """The largest value of each window: (n, h, w, c) to (n, ⌊h/size⌋, ⌊w/size⌋, c)."""
    return keras.layers.MaxPooling2D(size, name=f"{name}_pool")(images)


def average_pooling(images: keras.KerasTensor, size: int, name: str) -> keras.KerasTensor:
    """The mean of each window: (n, h, w, c) to (n, ⌊h/size⌋, ⌊w/size⌋, c)."""
    return keras.layers.AveragePooling2D(size, name=f"{name}_pool")(images)


def no_pooling(images: keras.KerasTensor, size: int, name: str) -> keras.KerasTensor:
    """The images as they are: the convolution kept only every `size`-th pixel (Springenberg et al. 2015)."""
    return images


def blur_pooling(images: keras.KerasTensor, size: int, name: str) -> keras.KerasTensor:
    """Each window's largest value, blurred before every `size`-th is kept (Zhang 2019, arXiv 1904.11486).

    Shape (n, h, w, c) to (n, ⌊h/size⌋, ⌊w/size⌋, c). The blur's weights are binomial, sum to 1 and are not
    trained; outside the image it sees zeros.
    """
    largest = keras.layers.MaxPooling2D(size, strides=1, name=f"{name}_max")(images)
    blur = keras.layers.DepthwiseConv2D(
        blur_extent(size),
        strides=size,
        padding="same",
        use_bias=False,
        depthwise_initializer=keras.initializers.Constant(binomial_kernel(blur_extent(size))),
        trainable=False,
        dtype="float32",  # a processor's depthwise convolutions are several times slower in bfloat16
        name=f"{name}_blur",
    )
    return blur(largest)


def mixed_pooling(images: keras.KerasTensor, size: int, name: str) -> keras.KerasTensor:
    """The mean of max and average pooling (Lee et al. 2016, arXiv 1509.08985, with equal parts).

    Shape (n, h, w, c) to (n, ⌊h/size⌋, ⌊w/size⌋, c).
    """
    largest = keras.layers.MaxPooling2D(size, name=f"{name}_max")(images)
    mean = keras.layers.AveragePooling2D(size, name=f"{name}_average")(images)
    return keras.layers.Average(name=f"{name}_pool")([largest, mean])


POOLINGS: dict[str, Callable[[keras.KerasTensor, int, str], keras.KerasTensor]] = {
    "max": max_pooling,
    "average": average_pooling,
    "stride": no_pooling,
    "blur": blur_pooling,
    "mixed": mixed_pooling,
}
"""Adds the pooling's layers after (n, h, w, c) images, for a factor and a prefix of the layers' names."""


def binomial_kernel(extent: int) -> list[list[list[list[float]]]]:
    """A binomial kernel of `extent` × `extent` weights that sum to 1, as lists (extent, extent, 1, 1).

    Lists, since that is what a model file holds an initializer's arguments as.
    """
    row = np.ones(1)
    for _ in range(extent - 1):
        row = np.convolve(row, [0.5, 0.5])
    kernel: list[list[list[list[float]]]] = np.outer(row, row)[:, :, None, None].tolist()
    return kernel


def _leaky_relu(name: str, slope: float | None) -> keras.layers.Layer:
    return keras.layers.LeakyReLU(LEAKY_RELU_SLOPE if slope is None else slope, name=name)


def _built_in(function: str) -> Callable[[str, float | None], keras.layers.Layer]:
    return lambda name, slope: keras.layers.Activation(function, name=name)


ACTIVATIONS: dict[str, Callable[[str, float | None], keras.layers.Layer]] = {
    "relu": _built_in("relu"),
    "leaky_relu": _leaky_relu,
    "elu": _built_in("elu"),
    "selu": _built_in("selu"),
    "gelu": _built_in("gelu"),
    "silu": _built_in("silu"),
    "mish": _built_in("mish"),
    "tanh": _built_in("tanh"),
    "sigmoid": _built_in("sigmoid"),
    "softplus": _built_in("softplus"),
    "softsign": _built_in("softsign"),
}
"""Makes an activation's layer, for its name and the slope that leaky_relu alone takes."""

_HE = dict.fromkeys(("relu", "leaky_relu", "elu", "gelu", "silu", "mish", "softplus"), "he_uniform")
_FITTING = {**_HE, "selu": "lecun_normal"}
_KERAS_NAMES = {"uniform": "random_uniform", "normal": "random_normal"}


def initializer(name: str, activation: str) -> keras.initializers.Initializer:
    """A new initializer of kernels that are followed by `activation`.

    `auto` is He et al. (2015) for what is like relu, LeCun et al. (1998) for selu, as its authors ask
    (Klambauer et al. 2017), and Glorot & Bengio (2010) for everything else. New for each layer: two layers
    that share one would start with the same numbers.
    """
    if name == "auto":
        name = _FITTING.get(activation, "glorot_uniform")
    return keras.initializers.get(_KERAS_NAMES.get(name, name))


def penalty(l2: float) -> keras.regularizers.Regularizer | None:
    """The L2 penalty of a kernel, `l2` times the sum of its squares; none for 0."""
    return keras.regularizers.L2(l2) if l2 else None


def image_input(shape: ImageShape) -> keras.KerasTensor:
    """The input of every network: `image`, float32 (n, height, width, channels) in [0, 1]."""
    return keras.Input(shape, dtype="float32", name="image")


def activated(x: keras.KerasTensor, spec: CnnSpec | MlpSpec, name: str, *, batch_norm: bool) -> keras.KerasTensor:
    """`x` after the section's activation, normalised before it where asked (Ioffe & Szegedy 2015)."""
    if batch_norm:
        x = keras.layers.BatchNormalization(name=f"{name}_norm")(x)
    return ACTIVATIONS[spec.activation](f"{name}_activation", spec.leaky_relu_slope)(x)


def dense(
    features: keras.KerasTensor,
    spec: CnnSpec | MlpSpec,
    units: int,
    name: str,
    *,
    batch_norm: bool = False,
    start: str | None = None,
) -> keras.KerasTensor:
    """A dense layer with its activation and dropout: (n, features) to (n, units).

    `start` is the initializer, the section's own unless given.
    """
    layer = keras.layers.Dense(
        units,
        use_bias=not batch_norm,  # normalisation takes the mean away and has an offset of its own
        kernel_initializer=initializer(start or spec.initializer, spec.activation),
        kernel_regularizer=penalty(spec.l2),
        name=name,
    )
    return dropped(activated(layer(features), spec, name, batch_norm=batch_norm), spec.dropout, name)


def dropped(x: keras.KerasTensor, rate: float, name: str) -> keras.KerasTensor:
    """`x` with a fraction of its units dropped in training (Srivastava et al. 2014); unchanged at rate 0."""
    return keras.layers.Dropout(rate, name=f"{name}_dropout")(x) if rate else x


def classifier(features: keras.KerasTensor, n_classes: int, l2: float) -> keras.KerasTensor:
    """Softmax probabilities of the classes, by way of the layer `logits`; both float32 under every policy."""
    logits = keras.layers.Dense(
        n_classes,
        kernel_initializer=initializer("glorot_uniform", "softmax"),
        kernel_regularizer=penalty(l2),
        dtype="float32",
        name="logits",
    )
    return keras.layers.Softmax(dtype="float32", name="probabilities")(logits(features))
