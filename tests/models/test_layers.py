"""Every pooling and activation beside a NumPy oracle; initial weights beside their authors' formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import get_args

import keras
import numpy as np
import pytest

from models.layers import ACTIVATIONS, POOLINGS, binomial_kernel, initializer, penalty
from models.spec import Activation, Initializer, Pooling, blur_extent

Oracle = Callable[[np.ndarray, int], np.ndarray]


def windows(images: np.ndarray, size: int, step: int) -> np.ndarray:
    """(n, h, w, c) to (n, rows, columns, c, size, size)."""
    return np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))[:, ::step, ::step]


def blurred(images: np.ndarray, size: int) -> np.ndarray:
    largest = windows(images, size, 1).max(axis=(-1, -2))
    extent, (height, width) = blur_extent(size), largest.shape[1:3]
    row = np.array([math.comb(extent - 1, k) for k in range(extent)]) / 2 ** (extent - 1)
    sides = [_same_padding(length, extent, size) for length in (height, width)]
    padded = np.pad(largest, ((0, 0), *sides, (0, 0)))
    return np.einsum("nhwcij,i,j->nhwc", windows(padded, extent, size), row, row)


def _same_padding(length: int, extent: int, step: int) -> tuple[int, int]:
    missing = max(0, (math.ceil(length / step) - 1) * step + extent - length)
    return missing // 2, missing - missing // 2


POOLING_ORACLES: dict[str, Oracle] = {
    "max": lambda x, size: windows(x, size, size).max(axis=(-1, -2)),
    "average": lambda x, size: windows(x, size, size).mean(axis=(-1, -2)),
    "stride": lambda x, size: x,
    "blur": blurred,
    "mixed": lambda x, size: sum(POOLING_ORACLES[name](x, size) for name in ("max", "average")) / 2,
}


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("name", get_args(Pooling))
def test_pooling_matches_its_oracle(name: str, size: int) -> None:
    images = np.random.default_rng(0).normal(size=(2, 7, 10, 3)).astype("float32")
    pooled = keras.ops.convert_to_numpy(POOLINGS[name](keras.ops.convert_to_tensor(images), size, "conv_1"))

    expected = POOLING_ORACLES[name](images, size)

    assert pooled.shape == expected.shape
    np.testing.assert_allclose(pooled, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("extent", [1, 3, 5, 31])
def test_a_blur_keeps_brightness(extent: int) -> None:
    kernel = np.array(binomial_kernel(extent))

    assert kernel.shape == (extent, extent, 1, 1)
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_array_equal(kernel, kernel[::-1, ::-1])


def test_the_smallest_blur_is_that_of_the_paper() -> None:
    expected = np.outer([1, 2, 1], [1, 2, 1]) / 16
    np.testing.assert_array_equal(np.array(binomial_kernel(3))[:, :, 0, 0], expected)


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

ACTIVATION_ORACLES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.1 * x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "selu": lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(x)),
    "gelu": lambda x: x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2,
    "silu": lambda x: x / (1 + np.exp(-x)),
    "mish": lambda x: x * np.tanh(softplus(x)),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
}


@pytest.mark.parametrize("name", get_args(Activation))
def test_activation_matches_its_oracle(name: str) -> None:
    x = np.linspace(-6, 6, 49)
    layer = ACTIVATIONS[name]("conv_1_activation", None)

    y = keras.ops.convert_to_numpy(layer(keras.ops.convert_to_tensor(x.astype("float32"))))

    np.testing.assert_allclose(y, ACTIVATION_ORACLES[name](x), rtol=1e-4, atol=1e-5)
    assert layer.name == "conv_1_activation"


def test_leaky_relu_takes_the_slope_it_is_given_even_zero() -> None:
    negative = np.array([-1.0], "float32")
    slopes = [float(-ACTIVATIONS["leaky_relu"]("a", slope)(negative)[0]) for slope in (0.3, 0.0, None)]
    assert slopes == pytest.approx([0.3, 0.0, 0.1])


HE_ACTIVATIONS = ("relu", "leaky_relu", "elu", "gelu", "silu", "mish", "softplus")


@pytest.mark.parametrize("activation", get_args(Activation))
def test_auto_fits_the_activation(activation: str) -> None:
    weights = keras.ops.convert_to_numpy(initializer("auto", activation)((300, 200)))

    variance = {"selu": 1 / 300, **dict.fromkeys(HE_ACTIVATIONS, 2 / 300)}.get(activation, 2 / 500)
    assert weights.var() == pytest.approx(variance, rel=0.05)
    uniform = activation != "selu"
    assert (np.abs(weights).max() <= math.sqrt(3 * variance)) == uniform


@pytest.mark.parametrize("name", [name for name in get_args(Initializer) if name != "auto"])
def test_an_initializer_is_the_one_of_its_name(name: str) -> None:
    chosen = type(initializer(name, "relu")).__name__.lower()
    assert chosen.removeprefix("random").removesuffix("initializer") == name.replace("_", "")


def test_layers_do_not_start_with_the_same_numbers() -> None:
    keras.utils.set_random_seed(0)
    first, second = (keras.ops.convert_to_numpy(initializer("auto", "relu")((4, 4))) for _ in range(2))
    assert not np.array_equal(first, second)


def test_the_penalty_is_l2_times_the_sum_of_squares() -> None:
    regularizer = penalty(0.01)
    assert regularizer is not None
    assert float(regularizer(np.array([[3.0, 4.0]], "float32"))) == pytest.approx(0.25)
    assert penalty(0.0) is None
