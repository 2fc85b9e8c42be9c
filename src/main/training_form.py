"""The form in which a network is trained: the same layers and weights, put so that a step computes less."""

from __future__ import annotations

from typing import Any

import keras

from main.backend import drop_units, normalise

MONOTONE = frozenset({"relu", "elu", "selu", "tanh", "sigmoid", "softplus", "softsign", "linear"})
"""Built-in activations that never turn a larger number into a smaller one; leaky_relu is a layer of its own."""


class VariableDropout(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
    """Dropout (Srivastava et al. 2014) whose rate is a variable: assigning another needs no new trace.

    A unit is dropped where its own 16 random bits, read as a number, are below 2¹⁶ times the rate. Keras's layer draws
    a number in the layer's precision instead: in bfloat16 that has 128 values, at 2.5 times the cost.

    Attributes:
        rate: the fraction of units dropped, a variable.
        seed_generator: Keras's own, whose state decides the next mask.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = keras.Variable(rate, dtype="float32", trainable=False)
        self.seed_generator = keras.random.SeedGenerator(0)

    def call(self, inputs: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """`inputs` of any shape, some units 0 and the others larger by 1 / (1 - rate), while training."""
        return drop_units(inputs, self.rate, self.seed_generator.next()) if training else inputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """That of the input."""
        return input_shape


class FusedNormalization(keras.layers.Layer):  # type: ignore[misc]
    """Batch normalisation of images in one operation each way: a quarter of the time of Keras's layer, which takes ten.

    Attributes:
        plain: the layer of Keras whose weights it shares, and which it is but in training.
    """

    def __init__(self, plain: keras.layers.BatchNormalization) -> None:
        super().__init__(name=plain.name, dtype=plain.dtype_policy)
        self.plain = plain

    @staticmethod
    def is_possible(layer: keras.layers.Layer) -> bool:
        """Whether a layer normalises the channels of images as Ioffe & Szegedy (2015) do, and is trained."""
        return (
            type(layer) is keras.layers.BatchNormalization
            and layer.trainable
            and len(layer.input.shape) == 4
            and layer.axis in (-1, 3)
            and layer.scale
            and layer.center
            and layer.epsilon > 2e-5
            and not (layer.renorm or layer.synchronized)
        )

    def call(self, inputs: keras.KerasTensor, training: bool = False, mask: Any = None) -> keras.KerasTensor:
        """Images (b, h, w, c), normalised by the batch's own statistics while training."""
        if not training or mask is not None:
            return self.plain(inputs, training=training, mask=mask)
        outputs, mean, variance = normalise(inputs, self.plain.gamma, self.plain.beta, self.plain.epsilon)
        kept = self.plain.momentum
        for moving, batch in ((self.plain.moving_mean, mean), (self.plain.moving_variance, variance)):
            moving.assign(moving * kept + batch * (1 - kept))
        return outputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """That of the input."""
        return input_shape


def training_form(model: keras.Model) -> keras.Model:
    """A functional network that shares the weights of `model` and trains to the same ones in less time.

    The largest value of a window is still the largest after an activation that is monotone: max pooling is done first,
    which leaves the activation and its gradient a fraction of the work. Dropout layers become `VariableDropout`, those
    that normalise images `FusedNormalization`.
    """
    pooled = _pooled_activations(model)
    first = {pooling: activation for activation, pooling in pooled.items()}

    def shared(layer: keras.layers.Layer) -> keras.layers.Layer:
        if type(layer) is keras.layers.Dropout and layer.noise_shape is None and 0 < layer.rate < 1:
            return VariableDropout(layer.rate, name=layer.name, dtype=layer.dtype_policy)
        if FusedNormalization.is_possible(layer):
            return FusedNormalization(layer)
        return layer

    def call(layer: keras.layers.Layer, *args: Any, **kwargs: Any) -> Any:
        if layer in pooled:
            return args[0]
        outputs = layer(*args, **kwargs)
        return first[layer](outputs) if layer in first else outputs

    return keras.models.clone_model(model, clone_function=shared, call_function=call)


def _pooled_activations(model: keras.Model) -> dict[keras.layers.Layer, keras.layers.Layer]:
    """The monotone activations that a max pooling alone reads and shrinks, each with that pooling."""
    readers: dict[int, list[keras.layers.Layer]] = {}
    try:
        written = {layer: layer.output for layer in model.layers}
        for layer in model.layers:
            for tensor in keras.tree.flatten(layer.input):
                readers.setdefault(id(tensor), []).append(layer)
    except (AttributeError, ValueError):  # a network of somebody else's uses a layer twice: it is trained as it is
        return {}
    found = {}
    for layer, output in written.items():
        read_by = readers.get(id(output), [])
        if _is_monotone(layer) and len(read_by) == 1 and _shrinks(read_by[0]):
            found[layer] = read_by[0]
    return found


def _is_monotone(layer: keras.layers.Layer) -> bool:
    if type(layer) is keras.layers.LeakyReLU:
        return bool(layer.negative_slope >= 0)
    return type(layer) is keras.layers.Activation and layer.activation.__name__ in MONOTONE


def _shrinks(layer: keras.layers.Layer) -> bool:
    return type(layer) is keras.layers.MaxPooling2D and max(layer.strides) > 1
