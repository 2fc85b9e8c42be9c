"""Every loss beside a NumPy oracle, and at the extremes where a careless formula overflows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax, softmax

import models
from main.config import SMOOTHED_LOSSES, Loss
from main.losses import LOSSES, TrainingLoss, training_loss
from models import CnnSpec

N_CLASSES = 4


def hinge(t: np.ndarray, z: np.ndarray) -> np.ndarray:
    rivals = np.where(t == 1, 0, z)
    return np.maximum(0, 1 + np.maximum(rivals.max(axis=1), 0) - z[t == 1])


def kl_divergence(t: np.ndarray, z: np.ndarray) -> np.ndarray:
    logs = np.log(t, out=np.zeros_like(t), where=t > 0)
    return (t * (logs - log_softmax(z, axis=1))).sum(axis=1)


def cosine(t: np.ndarray, z: np.ndarray) -> np.ndarray:
    p = softmax(z, axis=1)
    return 1 - (t * p).sum(axis=1) / (np.linalg.norm(t, axis=1) * np.linalg.norm(p, axis=1))


ORACLES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "crossentropy": lambda t, z: -(t * log_softmax(z, axis=1)).sum(axis=1),
    "focal": lambda t, z: -(t * (1 - softmax(z, axis=1)) ** 2 * log_softmax(z, axis=1)).sum(axis=1),
    "mse": lambda t, z: ((t - softmax(z, axis=1)) ** 2).mean(axis=1),
    "mae": lambda t, z: np.abs(t - softmax(z, axis=1)).mean(axis=1),
    "hinge": hinge,
    "kl_divergence": kl_divergence,
    "poisson": lambda t, z: (softmax(z, axis=1) - t * log_softmax(z, axis=1)).mean(axis=1),
    "cosine": cosine,
}


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(N_CLASSES, size=12)


@pytest.fixture
def logits() -> np.ndarray:
    return np.random.default_rng(1).normal(0, 3, size=(12, N_CLASSES)).astype("float32")


@pytest.fixture
def mixed_bfloat16() -> Iterator[None]:
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


def one_hot(labels: np.ndarray, smoothing: float = 0.0) -> np.ndarray:
    return np.eye(N_CLASSES)[labels] * (1 - smoothing) + smoothing / N_CLASSES


def test_every_loss_of_a_section_is_there() -> None:
    assert set(LOSSES) == set(get_args(Loss))


@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_the_mean_of_its_oracle(name: str, labels: np.ndarray, logits: np.ndarray) -> None:
    value = float(training_loss(name, 0.0, N_CLASSES)(labels, logits))

    expected = ORACLES[name](one_hot(labels), logits.astype(float)).mean()
    assert value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", sorted(SMOOTHED_LOSSES))
def test_smoothed_labels_are_spread_over_all_classes(name: str, labels: np.ndarray, logits: np.ndarray) -> None:
    value = float(training_loss(name, 0.2, N_CLASSES)(labels, logits))

    expected = ORACLES[name](one_hot(labels, 0.2), logits.astype(float)).mean()
    assert value == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - SMOOTHED_LOSSES))
def test_smoothing_is_refused_where_labels_are_no_distribution(name: str) -> None:
    with pytest.raises(ValueError, match=f"label_smoothing applies to crossentropy, .*, not to {name}"):
        training_loss(name, 0.1, N_CLASSES)


KERAS = {
    "crossentropy": keras.losses.CategoricalCrossentropy(),
    "focal": keras.losses.CategoricalFocalCrossentropy(alpha=1.0),
    "mse": keras.losses.MeanSquaredError(),
    "mae": keras.losses.MeanAbsoluteError(),
    "kl_divergence": keras.losses.KLDivergence(),
    "poisson": keras.losses.Poisson(),
}


@pytest.mark.parametrize("name", KERAS)
def test_loss_is_that_of_keras_on_probabilities(name: str, labels: np.ndarray, logits: np.ndarray) -> None:
    expected = float(KERAS[name](one_hot(labels).astype("float32"), softmax(logits, axis=1)))
    assert float(training_loss(name, 0.0, N_CLASSES)(labels, logits)) == pytest.approx(expected, rel=1e-4)


def test_hinge_is_that_of_keras_on_scores(labels: np.ndarray, logits: np.ndarray) -> None:
    expected = float(keras.losses.CategoricalHinge()(one_hot(labels).astype("float32"), logits))
    assert float(training_loss("hinge", 0.0, N_CLASSES)(labels, logits)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("extreme", [1e4, -1e4])
@pytest.mark.parametrize("name", LOSSES)
def test_loss_and_gradient_are_finite_at_extremes(name: str, extreme: float, smoothing: float) -> None:
    loss = training_loss(name, smoothing if name in SMOOTHED_LOSSES else 0.0, N_CLASSES)
    logits = tf.Variable(extreme * np.eye(N_CLASSES, dtype="float32")[[0, 1, 2, 3, 0]])
    with tf.GradientTape() as tape:
        value = loss(np.array([0, 0, 1, 3, 2]), logits)
    gradient = tape.gradient(value, logits)

    assert np.isfinite(float(value))
    assert np.isfinite(gradient.numpy()).all()


@pytest.mark.parametrize("name", LOSSES)
def test_a_better_answer_costs_less(name: str) -> None:
    loss = training_loss(name, 0.0, N_CLASSES)
    sure = 5 * np.eye(N_CLASSES, dtype="float32")[[2]]
    right, unsure, wrong = (float(loss(label, logits)) for label, logits in [
        (np.array([2]), sure), (np.array([2]), 0 * sure), (np.array([1]), sure)
    ])  # fmt: skip
    assert right < unsure < wrong


@pytest.mark.usefixtures("mixed_bfloat16")
@pytest.mark.parametrize("name", LOSSES)
def test_bfloat16_logits_are_computed_on_in_float32(name: str, labels: np.ndarray, logits: np.ndarray) -> None:
    half = keras.ops.cast(logits, "bfloat16")

    value = training_loss(name, 0.0, N_CLASSES)(labels, half)

    assert keras.backend.standardize_dtype(value.dtype) == "float32"
    expected = ORACLES[name](one_hot(labels), keras.ops.convert_to_numpy(keras.ops.cast(half, "float32"))).mean()
    assert float(value) == pytest.approx(expected, rel=1e-5)


def test_another_smoothing_needs_no_new_trace(labels: np.ndarray, logits: np.ndarray) -> None:
    loss = training_loss("crossentropy", 0.0, N_CLASSES)
    traced = tf.function(loss)
    sharp = float(traced(labels, logits))
    loss.label_smoothing.assign(0.3)
    smooth = float(traced(labels, logits))

    assert traced.experimental_get_tracing_count() == 1
    assert smooth == pytest.approx(float(training_loss("crossentropy", 0.3, N_CLASSES)(labels, logits)))
    assert smooth != pytest.approx(sharp)


def test_a_loss_is_restored_from_its_own_description(labels: np.ndarray, logits: np.ndarray) -> None:
    loss = training_loss("focal", 0.1, N_CLASSES)

    restored = keras.losses.deserialize(keras.losses.serialize(loss))

    assert isinstance(restored, TrainingLoss)
    assert restored.get_config() == loss.get_config()
    assert float(restored(labels, logits)) == float(loss(labels, logits))


@pytest.mark.training
@pytest.mark.parametrize("name", LOSSES)
def test_trains_a_step_and_reloads_with_keras_alone(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    images, labels = np.random.default_rng(0).random((8, 8, 8, 1)).astype("float32"), np.arange(8) % N_CLASSES
    model = models.build(CnnSpec(filters=(3,), dropout=0.0), (8, 8, 1), N_CLASSES)
    trainer = keras.Model(model.inputs, model.get_layer("logits").output)
    trainer.compile(keras.optimizers.SGD(0.01), training_loss(name, 0.0, N_CLASSES), jit_compile=False)

    before = trainer.train_on_batch(images, labels)
    after = trainer.test_on_batch(images, labels)
    model.save(tmp_path / "cnn.h5", include_optimizer=False)
    reloaded = keras.models.load_model(tmp_path / "cnn.h5")

    assert after < before
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(model(images)), keras.ops.convert_to_numpy(reloaded(images))
    )
