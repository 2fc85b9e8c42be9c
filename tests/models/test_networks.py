"""The Keras models: sizes as the sections say, one training step, and a file that Keras alone can read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import models
from models import CnnSpec, ImpossibleNetwork, LayerSize, MlpSpec, NetworkSpec, SoftmaxSpec
from models.spec import Activation, Initializer, Pooling

SHAPE = (9, 8, 1)
N_CLASSES = 3
SMALL = CnnSpec(filters=(3,), dropout=0.25)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).random((6, *SHAPE)).astype("float32")


@pytest.fixture
def labels() -> np.ndarray:
    return np.arange(6) % N_CLASSES


@pytest.fixture
def mixed_bfloat16() -> Iterator[None]:
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def predict(model: keras.Model, images: np.ndarray) -> np.ndarray:
    probabilities: np.ndarray = keras.ops.convert_to_numpy(model(images, training=False))
    return probabilities


def blurs(model: keras.Model) -> list[keras.Variable]:
    return [layer.kernel for layer in model.layers if layer.name.endswith("_blur")]


def assert_sized_as_said(model: keras.Model, spec: NetworkSpec, shape: tuple[int, int, int]) -> None:
    built = [(layer.name, tuple(layer.output.shape[1:]), layer.count_params()) for layer in model.layers]
    said = [layer[:3] for layer in spec.layers(shape, N_CLASSES)]
    assert built == said


class Unsized(CnnSpec):
    """Leaves it to Keras to refuse what is impossible."""

    def layers(self, input_shape: tuple[int, int, int], n_classes: int) -> tuple[LayerSize, ...]:
        return ()


def cnn_specs() -> st.SearchStrategy[CnnSpec]:
    def spec(values: dict[str, Any]) -> CnnSpec:
        one_each, n = values.pop("one_each"), len(values["filters"])
        each = {
            "kernel_size": values.pop("kernel_sizes")[:n],
            "pool_size": values.pop("pool_sizes")[:n],
            "conv_dropout": values.pop("conv_dropouts")[:n],
        }
        return CnnSpec(**{name: tuple(sizes) if one_each else sizes[0] for name, sizes in each.items()}, **values)

    return st.fixed_dictionaries(
        {
            "filters": st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
            "kernel_sizes": st.lists(st.integers(1, 6), min_size=3, max_size=3),
            "one_each": st.booleans(),
            "padding": st.sampled_from(["valid", "same"]),
            "pooling": st.sampled_from(get_args(Pooling)),
            "pool_sizes": st.lists(st.integers(1, 4), min_size=3, max_size=3),
            "batch_norm": st.booleans(),
            "dropout": st.sampled_from([0.0, 0.5]),
            "conv_dropouts": st.lists(st.sampled_from([0.0, 0.5]), min_size=3, max_size=3),
            "dense_units": st.lists(st.integers(1, 4), max_size=2).map(tuple),
        }
    ).map(spec)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=cnn_specs(), shape=st.tuples(st.integers(4, 30), st.integers(4, 30), st.sampled_from([1, 3])))
def test_a_cnn_has_the_sizes_its_section_says(spec: CnnSpec, shape: tuple[int, int, int]) -> None:
    try:
        spec.layers(shape, N_CLASSES)
    except ImpossibleNetwork:
        with pytest.raises(ValueError, match=r"(?i)negative|non-positive|dimension|zero"):
            models.build(Unsized(**dict(spec)), shape, N_CLASSES)
    else:
        assert_sized_as_said(models.build(spec, shape, N_CLASSES), spec, shape)


@settings(max_examples=8, deadline=None)
@given(
    units=st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple),
    batch_norm=st.booleans(),
    dropout=st.sampled_from([0.0, 0.5]),
)
def test_an_mlp_has_the_sizes_its_section_says(units: tuple[int, ...], batch_norm: bool, dropout: float) -> None:
    spec = MlpSpec(hidden_units=units, batch_norm=batch_norm, dropout=dropout)
    assert_sized_as_said(models.build(spec, SHAPE, N_CLASSES), spec, SHAPE)


def test_softmax_has_the_sizes_its_section_says() -> None:
    assert_sized_as_said(models.build(SoftmaxSpec(), SHAPE, N_CLASSES), SoftmaxSpec(), SHAPE)


def test_an_impossible_network_is_refused_before_keras_sees_it() -> None:
    with pytest.raises(ImpossibleNetwork, match="kernel_size 9 is larger"):
        models.build(CnnSpec(filters=(2,), kernel_size=9), SHAPE, N_CLASSES)


def every_network() -> Iterator[Any]:
    for pooling in get_args(Pooling):
        yield pytest.param(SMALL.model_copy(update={"pooling": pooling}), id=f"pooling-{pooling}")
    for activation in get_args(Activation):
        yield pytest.param(SMALL.model_copy(update={"activation": activation}), id=f"activation-{activation}")
    full = {"batch_norm": True, "l2": 1e-3, "dense_units": (4,), "padding": "same", "conv_dropout": 0.1}
    yield pytest.param(SMALL.model_copy(update=full), id="cnn-full")
    yield pytest.param(MlpSpec(hidden_units=(4,), batch_norm=True, l2=1e-3), id="mlp")
    yield pytest.param(SoftmaxSpec(l2=1e-3), id="softmax")


@pytest.mark.training
@pytest.mark.parametrize("spec", list(every_network()))
def test_trains_a_step_and_reloads_with_keras_alone(
    spec: NetworkSpec, images: np.ndarray, labels: np.ndarray, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(0)
    model = models.build(spec, SHAPE, N_CLASSES)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy", jit_compile=False)
    before = [weight.numpy() for weight in model.trainable_variables]
    fixed = [kernel.numpy() for kernel in blurs(model)]

    assert np.isfinite(model.train_on_batch(images, labels))
    model.save(tmp_path / "cnn.h5", include_optimizer=False)
    reloaded = keras.models.load_model(tmp_path / "cnn.h5")

    kernels = [(a, b) for a, b in zip(before, model.trainable_variables, strict=True) if a.ndim > 1]
    assert all(not np.array_equal(a, b.numpy()) for a, b in kernels)
    assert all(np.array_equal(kernel, blur.numpy()) for kernel, blur in zip(fixed, blurs(model), strict=True))
    np.testing.assert_array_equal(predict(model, images), predict(reloaded, images))
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)


@pytest.mark.usefixtures("mixed_bfloat16")
@pytest.mark.training
@pytest.mark.parametrize("pooling", ["max", "blur", "mixed", "stride"])
def test_trains_in_bfloat16_and_goes_on_in_float32(pooling: str, images: np.ndarray, labels: np.ndarray) -> None:
    spec = SMALL.model_copy(update={"pooling": pooling, "batch_norm": True})
    half = models.build(spec, SHAPE, N_CLASSES)
    half.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    half.train_on_batch(images, labels)
    keras.config.set_dtype_policy("float32")

    full = models.build(spec, SHAPE, N_CLASSES)
    full.set_weights(half.get_weights())

    assert half.get_layer("conv_1").compute_dtype == "bfloat16"
    assert {str(layer.compute_dtype) for layer in full.layers} == {"float32"}
    np.testing.assert_allclose(predict(full, images), predict(half, images), atol=0.02)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("spec", [SMALL, MlpSpec(), SoftmaxSpec()], ids=lambda spec: spec.network)
def test_every_network_keeps_the_contract(spec: NetworkSpec, policy: str, images: np.ndarray) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = models.build(spec, SHAPE, N_CLASSES)
    finally:
        keras.config.set_dtype_policy("float32")
    probabilities = predict(model, images)

    assert (model.inputs[0].name, model.inputs[0].dtype, model.inputs[0].shape) == (
        "image",
        "float32",
        (None, *SHAPE),
    )
    assert [layer.name for layer in model.layers[-2:]] == ["logits", "probabilities"]
    assert model.get_layer("logits").output.dtype == model.output.dtype == "float32"
    assert all(variable.dtype == "float32" for variable in model.weights)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("name", get_args(Initializer))
def test_the_same_seed_starts_with_the_same_weights(name: Any) -> None:
    def weights() -> list[np.ndarray]:
        keras.utils.set_random_seed(7)
        built: list[np.ndarray] = models.build(CnnSpec(filters=(2,), initializer=name), SHAPE, N_CLASSES).get_weights()
        return built

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Keras warns where two layers share an unseeded initializer
        first, second = weights(), weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_only_kernels_are_penalised() -> None:
    spec = CnnSpec(filters=(2,), l2=0.1, batch_norm=True, dense_units=(3,))
    model = models.build(spec, SHAPE, N_CLASSES)
    kernels = [weight.numpy() for weight in model.trainable_variables if weight.name == "kernel"]

    assert len(kernels) == len(model.losses) == 3
    assert float(sum(model.losses)) == pytest.approx(0.1 * sum((k**2).sum() for k in kernels), rel=1e-5)


def test_every_dropout_has_a_generator_of_its_own() -> None:
    model = models.build(CnnSpec(filters=(2,), dense_units=(3,), dropout=0.5), SHAPE, N_CLASSES)
    generators = [layer.seed_generator for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert len({id(generator) for generator in generators}) == 2


def test_dense_layers_may_start_otherwise_than_convolutions() -> None:
    spec = CnnSpec(dense_units=(20,), initializer="glorot_uniform", dense_initializer="uniform")
    model = models.build(spec, (28, 28, 1), 10)
    assert type(model.get_layer("conv_1").kernel_initializer).__name__ == "GlorotUniform"
    assert type(model.get_layer("dense_1").kernel_initializer).__name__ == "RandomUniform"
