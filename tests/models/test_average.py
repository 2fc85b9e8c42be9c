"""Several networks as one: what it answers, what it is called, and that a file of it comes back."""

from pathlib import Path

import keras
import numpy as np
import pytest

import models
from main.modelfile import load_model, save_model
from models import CnnSpec, MlpSpec, SoftmaxSpec
from models.ensemble import average

SHAPE = (9, 8, 1)
SPECS = (CnnSpec(filters=(3,), batch_norm=True), CnnSpec(filters=(2,), pooling="blur"), MlpSpec(hidden_units=(5,)))


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).random((6, *SHAPE)).astype("float32")


def logits(model: keras.Model, images: np.ndarray) -> np.ndarray:
    upto = keras.Model(model.inputs[0], model.get_layer("logits").output)
    found: np.ndarray = keras.ops.convert_to_numpy(upto(images, training=False))
    return found


SCALES = (1.0, 0.25, 3.0)


def test_its_logits_are_the_mean_of_its_members_scaled_logits(images: np.ndarray) -> None:
    members = [models.build(spec, SHAPE, 3) for spec in SPECS]
    ensemble = average(members, SCALES)
    mean = np.mean([scale * logits(member, images) for member, scale in zip(members, SCALES, strict=True)], axis=0)
    np.testing.assert_allclose(logits(ensemble, images), mean, rtol=1e-5, atol=1e-6)
    assert [layer.name for layer in ensemble.layers[-2:]] == ["logits", "probabilities"]
    np.testing.assert_allclose(ensemble(images).numpy().sum(axis=1), 1, rtol=1e-6)


def test_members_are_left_as_they_are(images: np.ndarray) -> None:
    member = models.build(SPECS[0], SHAPE, 3)
    before = member.get_weights()
    ensemble = average([member, member], (1.0, 1.0))
    ensemble.set_weights([weight + 1 for weight in ensemble.get_weights()])
    assert all(map(np.array_equal, before, member.get_weights()))
    assert member.get_layer("logits").name == "logits"


def test_a_file_of_it_is_accepted_and_answers_the_same(tmp_path: Path, images: np.ndarray) -> None:
    ensemble = average([models.build(spec, SHAPE, 3) for spec in SPECS], SCALES)
    save_model(ensemble, tmp_path / "cnn.h5", {"name": "ensemble"})
    np.testing.assert_array_equal(load_model(tmp_path / "cnn.h5")(images), ensemble(images))
    np.testing.assert_array_equal(keras.models.load_model(tmp_path / "cnn.h5", compile=False)(images), ensemble(images))


def test_members_for_different_images_and_fewer_than_two_are_refused() -> None:
    others = [models.build(SoftmaxSpec(), shape, 3) for shape in (SHAPE, (5, 5, 1))]
    for members in (others, others[:1], []):
        with pytest.raises(ValueError, match="members"):
            average(members, [1.0] * len(members))
