"""The form networks are trained in: the weights of the plain one, from less work."""

from typing import Any

import numpy as np
import pytest

import models
from models.spec import CnnSpec

pytestmark = pytest.mark.training

SHAPE = (10, 10, 1)


def plain(**fields: Any) -> Any:
    """A network up to its logits, as it is exported."""
    import keras

    keras.utils.set_random_seed(1)
    model = models.build(CnnSpec.model_validate({"filters": (4, 3), "dropout": 0.0, **fields}), SHAPE, 3)
    return keras.Model(model.inputs, model.get_layer("logits").output)


def formed(model: Any) -> Any:
    from main.training_form import training_form

    return training_form(model)


def gradients(model: Any, images: np.ndarray) -> list[np.ndarray]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(images, training=True) ** 2)
    return [np.asarray(gradient) for gradient in tape.gradient(loss, model.trainable_variables)]


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("activation", ["relu", "elu", "selu", "tanh", "sigmoid", "softplus", "softsign", "leaky_relu"])
def test_it_has_the_outputs_and_gradients_of_the_plain_form(activation: str, batch_norm: bool) -> None:
    model = plain(activation=activation, batch_norm=batch_norm)
    quick = formed(model)
    images = np.random.default_rng(0).random((6, *SHAPE), dtype=np.float32)
    names = [layer.name for layer in quick.layers]
    assert names.index("conv_1_pool") < names.index("conv_1_activation")
    assert all(ours is theirs for ours, theirs in zip(quick.weights, model.weights, strict=True))
    np.testing.assert_allclose(np.asarray(quick(images)), np.asarray(model(images)), rtol=1e-6, atol=1e-6)
    for ours, theirs in zip(gradients(quick, images), gradients(model, images), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize(
    "fields",
    [
        {"activation": "silu"},
        {"activation": "gelu"},
        {"activation": "mish"},
        {"pooling": "average"},
        {"pooling": "mixed"},
        {"pooling": "blur"},
        {"pool_size": 1},
    ],
)
def test_layers_keep_their_order_where_it_matters_or_saves_nothing(fields: dict[str, Any]) -> None:
    model = plain(**fields)
    assert [layer.name for layer in formed(model).layers] == [layer.name for layer in model.layers]


def test_every_activation_is_sorted_by_what_it_is() -> None:
    """Whoever adds an activation says here whether it is monotone."""
    import keras

    from main.training_form import MONOTONE
    from models.layers import ACTIVATIONS

    x = np.linspace(-6, 6, 2001, dtype=np.float32)
    for name in ACTIVATIONS:
        rising = bool(
            (np.diff(np.asarray(ACTIVATIONS[name]("a", None)(keras.ops.array(x)))) >= -1e-6).all()
        )  # but for rounding
        assert rising == (name in MONOTONE or name == "leaky_relu"), name


def test_a_layer_that_somebody_uses_twice_is_left_alone() -> None:
    import keras

    image = keras.Input(SHAPE)
    shared = keras.layers.Conv2D(2, 3, padding="same", name="shared")
    activated = keras.layers.Activation("relu")(shared(image))
    pooled = keras.layers.MaxPooling2D(2)(activated)
    again = keras.layers.MaxPooling2D(2)(shared(image))
    logits = keras.layers.Dense(3)(keras.layers.Flatten()(keras.layers.Add()([pooled, again])))
    model = keras.Model(image, logits)
    images = np.random.default_rng(0).random((2, *SHAPE), dtype=np.float32)
    np.testing.assert_array_equal(np.asarray(formed(model)(images)), np.asarray(model(images)))


def test_an_activation_that_something_else_reads_too_stays_before_the_pooling() -> None:
    import keras

    image = keras.Input(SHAPE)
    activated = keras.layers.Activation("tanh", name="activated")(image)
    pooled = keras.layers.Flatten()(keras.layers.MaxPooling2D(2)(activated))
    logits = keras.layers.Dense(3)(keras.layers.Concatenate()([pooled, keras.layers.Flatten()(activated)]))
    model = keras.Model(image, logits)
    images = np.random.default_rng(0).normal(size=(2, *SHAPE)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(formed(model)(images)), np.asarray(model(images)))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_dropout_drops_its_rate_and_keeps_the_mean(rate: float, dtype: str) -> None:
    import keras

    from main.training_form import VariableDropout

    layer = VariableDropout(0.5, dtype=dtype)
    layer.rate.assign(rate)
    ones = keras.ops.ones((201, 997))  # odd: there are two units to a random word
    dropped = np.asarray(keras.ops.cast(layer(ones, training=True), "float32"))
    expected_error = 4 * np.sqrt(rate * (1 - rate) / dropped.size)  # four standard errors
    assert (dropped == 0).mean() == pytest.approx(rate, abs=expected_error)
    assert np.unique(dropped[dropped != 0]) == pytest.approx(1 / (1 - rate), rel=1e-2 if dtype == "bfloat16" else 1e-6)
    assert np.array_equal(np.asarray(layer(ones)), np.asarray(ones))


def test_dropout_masks_follow_from_the_seed_alone_and_differ_from_step_to_step() -> None:
    import keras

    from main.training_form import VariableDropout

    layer, ones = VariableDropout(0.5), keras.ops.ones((50, 41))

    def masks(seed: int) -> list[np.ndarray]:
        layer.seed_generator.state.assign(np.array([seed, 7], np.uint32))
        return [np.asarray(layer(ones, training=True)) != 0 for _ in range(3)]

    first, again, other = masks(3), masks(3), masks(2**32 - 1)
    assert np.array_equal(first, again)
    for one, another in [(first[0], first[1]), (first[1], first[2]), (first[0], other[0])]:
        assert 0.4 < (one == another).mean() < 0.6
    rows = first[0].astype(float)
    assert abs(np.corrcoef(rows[:, :-1].ravel(), rows[:, 1:].ravel())[0, 1]) < 0.1  # neighbours share a random word


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_normalisation_keeps_the_statistics_that_keras_keeps(dtype: str) -> None:
    import keras

    from main.training_form import FusedNormalization

    layers = [keras.layers.BatchNormalization(momentum=0.9, dtype=dtype) for _ in range(2)]
    images = keras.Input((5, 5, 3))
    plain, quick = (keras.Model(images, layer(images)) for layer in layers)
    quick = formed(quick)
    assert isinstance(quick.layers[-1], FusedNormalization)
    batch = np.random.default_rng(0).normal(3, 2, (4, 5, 5, 3)).astype(np.float32)
    for _ in range(3):
        np.testing.assert_allclose(
            *(np.asarray(m(batch, training=True), np.float32) for m in (plain, quick)), atol=0.02
        )
    for ours, theirs in zip(quick.weights, plain.weights, strict=True):
        np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-3 if "bf" in dtype else 1e-5)
    theirs, ours = (np.asarray(model(batch), np.float32) for model in (plain, quick))
    np.testing.assert_allclose(ours, theirs, atol=0.02)


@pytest.mark.parametrize("settings", [{"axis": 1}, {"scale": False}, {"center": False}, {"trainable": False}])
def test_normalisation_of_another_kind_is_keras_s_own(settings: dict[str, Any]) -> None:
    import keras

    images = keras.Input((5, 5, 3))
    layer = keras.layers.BatchNormalization(**settings)
    assert formed(keras.Model(images, layer(images))).layers[-1] is layer
