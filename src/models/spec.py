"""The `model` section of a sweep file: what a network is, and the size of each layer, by arithmetic alone."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from math import prod
from typing import Annotated, ClassVar, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Shape = tuple[int, ...]
ImageShape = tuple[int, int, int]

Pooling = Literal["max", "average", "stride", "blur", "mixed"]
Activation = Literal[
    "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "tanh", "sigmoid", "softplus", "softsign"
]
Initializer = Literal[
    "auto", "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal",
    "uniform", "normal", "orthogonal",
]  # fmt: skip
Extent = Annotated[int, Field(ge=1, le=64)]
Factor = Annotated[int, Field(ge=1, le=16)]
Units = Annotated[int, Field(ge=1, le=65_536)]
Rate = Annotated[float, Field(ge=0, lt=1)]
T = TypeVar("T")


class LayerSize(NamedTuple):
    """The size of one layer of a network."""

    name: str
    """The layer's name in the Keras model."""
    output_shape: Shape
    """Shape of what it gives for one image, without the batch axis."""
    parameters: int = 0
    """Its numbers, trained or not, as Keras's `count_params` has them."""
    multiply_adds: int = 0
    """Multiply-adds of one image's forward pass; those of convolutions and dense layers alone are counted."""


class ImpossibleNetwork(ValueError):
    """A network that cannot be built for images of this size.

    Args:
        field: The field of the section that makes it impossible: `kernel_size`, `pool_size`, or `network` as a whole.
        message: What does not fit where.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(field, message)  # both, or it could not be pickled on its way from a worker
        self.field = field
        self.message = message

    def __str__(self) -> str:
        return self.message


class NetworkSpec(BaseModel):
    """What every network's section has in common; a network from another package subclasses this."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, strict=True)

    builder: ClassVar[str]
    """`package.module:function` of `build(spec, input_shape, n_classes) -> keras.Model`, imported late."""
    sizeless: ClassVar[frozenset[str]] = frozenset()
    """Fields on which nothing depends that `layers` returns or raises: a sweep sizes its networks once for all their
    values."""

    network: str
    """Which network this section describes."""

    @abstractmethod
    def layers(self, input_shape: ImageShape, n_classes: int) -> tuple[LayerSize, ...]:
        """Size of every layer, under the names and in the order of the Keras model, by arithmetic alone.

        Args:
            input_shape: Height, width and channels of an image.
            n_classes: Number of classes.

        Raises:
            ImpossibleNetwork: If images of this size leave a layer nothing to look at.
        """


class CnnSpec(NetworkSpec):
    """Convolutions, each followed by pooling; then flatten, dropout, dense layers and softmax."""

    builder: ClassVar[str] = "models.cnn:build"
    sizeless: ClassVar[frozenset[str]] = frozenset(
        {"activation", "leaky_relu_slope", "initializer", "dense_initializer", "l2"}
    )

    network: Literal["cnn"] = "cnn"
    """Which network this section describes."""
    filters: Annotated[tuple[Units, ...], Field(min_length=1, max_length=32)] = (32, 64)
    """Output channels of each convolution; their number is the number of convolutions."""
    kernel_size: Extent | tuple[Extent, ...] = 3
    """Kernel extent of the convolutions, in pixels: one number, or one per convolution."""
    padding: Literal["valid", "same"] = "valid"
    """`valid` uses only pixels inside the image; `same` pads with zeros and keeps its size."""
    pooling: Pooling = "max"
    """How each convolution's output is made smaller; `stride` lets the convolution itself skip pixels."""
    pool_size: Factor | tuple[Factor, ...] = 2
    """Factor by which pooling shrinks height and width: one number, or one per convolution; 1 leaves them."""
    activation: Activation = "relu"
    """Nonlinearity after each convolution and dense layer."""
    leaky_relu_slope: Annotated[float, Field(ge=0, le=1)] | None = None
    """Slope of leaky_relu below zero; only with `activation: leaky_relu`, where it defaults to 0.1."""
    initializer: Initializer = "auto"
    """How weights start; `auto` fits the activation (He for relu-like, LeCun for selu, Glorot otherwise)."""
    dense_initializer: Initializer | None = None
    """How the weights of `dense_units` start, where it is not as `initializer` says."""
    batch_norm: bool = False
    """Batch normalisation between each convolution and its activation."""
    l2: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Weight of the L2 penalty on kernels, added to the training loss."""
    dropout: Rate = 0.5
    """Fraction of units dropped after flatten and after each dense layer, while training."""
    conv_dropout: Rate | tuple[Rate, ...] = 0.0
    """Fraction of units dropped after the convolutions and their pooling, while training: one number, or one per
    convolution."""
    dense_units: Annotated[tuple[Units, ...], Field(max_length=32)] = ()
    """Units of each dense layer between flatten and the output."""

    @field_validator("kernel_size", "pool_size", "conv_dropout")
    @classmethod
    def _one_or_one_per_convolution(cls, value: T | tuple[T, ...], info: ValidationInfo) -> T | tuple[T, ...]:
        filters = info.data.get("filters")  # absent where it was refused itself
        if isinstance(value, tuple) and filters is not None and len(value) != len(filters):
            raise ValueError(
                f"{info.field_name} must be one number or one per convolution: filters describes {len(filters)}, "
                f"{info.field_name} {len(value)}"
            )
        return value

    @field_validator("leaky_relu_slope")
    @classmethod
    def _slope_only_of_leaky_relu(cls, value: float | None, info: ValidationInfo) -> float | None:
        return _refuse_other_slope(value, info)

    @property
    def kernel_sizes(self) -> tuple[int, ...]:
        """Kernel extent of each convolution, in pixels."""
        return self._each(self.kernel_size)

    @property
    def pool_sizes(self) -> tuple[int, ...]:
        """Factor by which the pooling after each convolution shrinks height and width."""
        return self._each(self.pool_size)

    @property
    def conv_dropouts(self) -> tuple[float, ...]:
        """Fraction of units dropped after each convolution and its pooling."""
        return self._each(self.conv_dropout)

    def _each(self, value: T | tuple[T, ...]) -> tuple[T, ...]:
        return value if isinstance(value, tuple) else (value,) * len(self.filters)

    def layers(self, input_shape: ImageShape, n_classes: int) -> tuple[LayerSize, ...]:
        """Size of every layer; see `NetworkSpec.layers`."""
        sizes = [LayerSize("image", input_shape)]
        shape = input_shape
        convolutions = zip(self.filters, self.kernel_sizes, self.pool_sizes, self.conv_dropouts, strict=True)
        for number, (filters, extent, factor, rate) in enumerate(convolutions, start=1):
            sizes += self._convolution(number, shape, filters, extent, factor)
            height, width, channels = sizes[-1].output_shape
            shape = (height, width, channels)
            if rate:
                sizes.append(LayerSize(f"conv_{number}_dropout", shape))
        features = prod(shape)
        sizes.append(LayerSize("flatten", (features,)))
        if self.dropout:
            sizes.append(LayerSize("flatten_dropout", (features,)))
        sizes += _dense_layers("dense", features, self.dense_units, batch_norm=False, dropout=self.dropout)
        sizes += _head((features, *self.dense_units)[-1], n_classes)
        return tuple(sizes)

    def _convolution(self, number: int, shape: ImageShape, filters: int, extent: int, factor: int) -> list[LayerSize]:
        """A convolution, its normalisation, its activation and its pooling."""
        name = f"conv_{number}"
        height, width, channels = shape
        if self.padding == "valid":
            if extent > min(height, width):
                raise ImpossibleNetwork(
                    "kernel_size",
                    f"kernel_size {extent} is larger than the {_left(shape)} before convolution {number}",
                )
            height, width = height - extent + 1, width - extent + 1
        if self.pooling == "stride":
            height, width = _ceiling(height, factor), _ceiling(width, factor)
        output = (height, width, filters)
        kernel = extent * extent * channels * filters
        bias = 0 if self.batch_norm else filters
        sizes = [LayerSize(name, output, kernel + bias, kernel * height * width)]
        if self.batch_norm:
            sizes.append(LayerSize(f"{name}_norm", output, 4 * filters))
        sizes.append(LayerSize(f"{name}_activation", output))
        return [*sizes, *self._pooling(number, output, factor)]

    def _pooling(self, number: int, shape: ImageShape, size: int) -> Iterator[LayerSize]:
        """The layers that shrink the output of convolution `number`; none for `stride`, nor for a factor of 1."""
        if self.pooling == "stride" or size == 1:
            return
        height, width, channels = shape
        if size > min(height, width):
            raise ImpossibleNetwork(
                "pool_size", f"pool_size {size} is larger than the {_left(shape)} after convolution {number}"
            )
        name = f"conv_{number}"
        pooled = (height // size, width // size, channels)
        if self.pooling == "blur":
            weights = blur_extent(size) ** 2 * channels
            yield LayerSize(f"{name}_max", (height - size + 1, width - size + 1, channels))
            yield LayerSize(f"{name}_blur", pooled, weights, weights * pooled[0] * pooled[1])
            return
        if self.pooling == "mixed":
            yield LayerSize(f"{name}_max", pooled)
            yield LayerSize(f"{name}_average", pooled)
        yield LayerSize(f"{name}_pool", pooled)


class MlpSpec(NetworkSpec):
    """Flatten, dense layers, each followed by dropout, and softmax: no notion of neighbouring pixels."""

    builder: ClassVar[str] = "models.mlp:build"
    sizeless: ClassVar[frozenset[str]] = frozenset({"activation", "leaky_relu_slope", "initializer", "l2"})

    network: Literal["mlp"] = "mlp"
    """Which network this section describes."""
    hidden_units: Annotated[tuple[Units, ...], Field(min_length=1, max_length=32)] = (128, 128)
    """Units of each hidden layer; their number is the number of hidden layers."""
    activation: Activation = "relu"
    """Nonlinearity after each hidden layer."""
    leaky_relu_slope: Annotated[float, Field(ge=0, le=1)] | None = None
    """Slope of leaky_relu below zero; only with `activation: leaky_relu`, where it defaults to 0.1."""
    initializer: Initializer = "auto"
    """How weights start; `auto` fits the activation (He for relu-like, LeCun for selu, Glorot otherwise)."""
    batch_norm: bool = False
    """Batch normalisation between each hidden layer and its activation."""
    l2: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Weight of the L2 penalty on kernels, added to the training loss."""
    dropout: Rate = 0.2
    """Fraction of units dropped after each hidden layer, while training."""

    @field_validator("leaky_relu_slope")
    @classmethod
    def _slope_only_of_leaky_relu(cls, value: float | None, info: ValidationInfo) -> float | None:
        return _refuse_other_slope(value, info)

    def layers(self, input_shape: ImageShape, n_classes: int) -> tuple[LayerSize, ...]:
        """Size of every layer; see `NetworkSpec.layers`. No image is too small."""
        features = prod(input_shape)
        hidden = _dense_layers("hidden", features, self.hidden_units, batch_norm=self.batch_norm, dropout=self.dropout)
        head = _head(self.hidden_units[-1], n_classes)
        return (LayerSize("image", input_shape), LayerSize("flatten", (features,)), *hidden, *head)


class SoftmaxSpec(NetworkSpec):
    """Multinomial logistic regression: flatten and softmax, the least a network must beat."""

    builder: ClassVar[str] = "models.softmax:build"
    sizeless: ClassVar[frozenset[str]] = frozenset({"l2"})

    network: Literal["softmax"] = "softmax"
    """Which network this section describes."""
    l2: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Weight of the L2 penalty on the kernel, added to the training loss."""

    def layers(self, input_shape: ImageShape, n_classes: int) -> tuple[LayerSize, ...]:
        """Size of every layer; see `NetworkSpec.layers`. No image is too small."""
        features = prod(input_shape)
        head = _head(features, n_classes)
        return (LayerSize("image", input_shape), LayerSize("flatten", (features,)), *head)


def blur_extent(pool_size: int) -> int:
    """Extent of the binomial kernel that blurs before every `pool_size`-th pixel is kept: 3 for 2, 1 for 1.

    Zhang (2019) blurs with 3 × 3 where he keeps every second pixel; a larger step needs a wider one.
    """
    return 2 * pool_size - 1


def _dense_layers(
    prefix: str, features: int, units: tuple[int, ...], *, batch_norm: bool, dropout: float
) -> Iterator[LayerSize]:
    """Dense layers, each with normalisation, activation and dropout."""
    for number, (inputs, outputs) in enumerate(pairwise((features, *units)), start=1):
        name = f"{prefix}_{number}"
        kernel = inputs * outputs
        yield LayerSize(name, (outputs,), kernel + (0 if batch_norm else outputs), kernel)
        if batch_norm:
            yield LayerSize(f"{name}_norm", (outputs,), 4 * outputs)
        yield LayerSize(f"{name}_activation", (outputs,))
        if dropout:
            yield LayerSize(f"{name}_dropout", (outputs,))


def _head(features: int, n_classes: int) -> tuple[LayerSize, LayerSize]:
    """The output: a dense layer and its softmax."""
    kernel = features * n_classes
    logits = LayerSize("logits", (n_classes,), kernel + n_classes, kernel)
    return logits, LayerSize("probabilities", (n_classes,))


def _refuse_other_slope(slope: float | None, info: ValidationInfo) -> float | None:
    """`slope` as it is, unless the activation is one that has no slope."""
    activation = info.data.get("activation", "leaky_relu")  # absent where it was refused itself
    if slope is not None and activation != "leaky_relu":
        raise ValueError(f"leaky_relu_slope is of activation: leaky_relu, but activation is {activation}")
    return slope


def _left(shape: ImageShape) -> str:
    """`5 × 5 image that is left`."""
    return f"{shape[0]} × {shape[1]} image that is left"


def _ceiling(length: int, step: int) -> int:
    """How many of `length` pixels are kept when every `step`-th one is, from the first."""
    return -(-length // step)
