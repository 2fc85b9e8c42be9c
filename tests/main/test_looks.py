from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from main.config import DataConfig
from main.data import load_test, load_training
from main.data.convert import convert
from main.looks import preparation_for, preparation_of
from main.provenance import describe_data

MNIST = (28, 28, 1)


@pytest.mark.parametrize(
    ("data", "shape", "how"),
    [
        ({"source": "mnist.h5", "preparation": "mnist"}, MNIST, "mnist"),
        ({"source": "mine.npz", "preparation": "plain"}, MNIST, "plain"),
        ({"source": "mnist", "preparation": "digits"}, MNIST, "digits"),
        ({"source": "mnist"}, MNIST, "mnist"),
        ({"source": "digits", "preparation": "upside down"}, MNIST, "digits"),
        ({"source": "fashion_mnist", "preparation": ["plain"]}, MNIST, "plain"),
        ({"source": "mnist.npz"}, MNIST, "mnist"),
        ({"source": "photos/"}, (64, 64, 3), "plain"),
        ({"source": ["mnist"]}, MNIST, "mnist"),
        ({}, MNIST, "mnist"),
        ({}, (64, 64, 3), "plain"),
    ],
)
def test_preparation_is_the_card_s_or_that_of_its_source_or_shape(data, shape, how):
    assert preparation_for(data, shape) == how


@pytest.fixture(scope="module")
def digits_of_mnist(mnist_folder):
    return load_test(DataConfig(source=str(mnist_folder / "mnist"))).images[:300]


def as_jpeg(image):
    content = io.BytesIO()
    Image.fromarray(image[..., 0]).save(content, "JPEG", quality=75)
    return np.asarray(Image.open(content))[..., np.newaxis]


@pytest.mark.parametrize(
    "stored",
    [
        lambda images: images,
        lambda images: images[:5],
        lambda images: np.where(images > 127, np.uint8(255), np.uint8(0)),
        lambda images: np.repeat(images, 3, axis=-1),
        lambda images: np.stack([as_jpeg(image) for image in images]),
    ],
    ids=["as they are", "a few", "black and white", "in colour", "as JPEG"],
)
def test_images_of_mnist_are_known_whatever_file_they_come_from(digits_of_mnist, stored):
    assert preparation_of(stored(digits_of_mnist), "some/file.npz") == "mnist"


@pytest.mark.parametrize(
    "changed",
    [
        lambda images: 255 - images,
        lambda images: np.roll(images, 5, axis=2),
        lambda images: images.repeat(2, axis=1).repeat(2, axis=2)[:, 14:42, 14:42],
        lambda images: images.repeat(2, axis=1).repeat(2, axis=2),
        lambda images: images // 5,
        lambda images: np.random.default_rng(0).integers(0, 256, images.shape, dtype=np.uint8),
    ],
    ids=["dark on light", "off the middle", "enlarged and cut off", "of another size", "blank", "noise"],
)
def test_images_that_look_otherwise_are_not_taken_for_mnist(digits_of_mnist, changed):
    assert preparation_of(changed(digits_of_mnist), "some/file.npz") == "plain"


def test_a_known_source_is_prepared_by_its_name(digits_of_mnist):
    assert preparation_of(digits_of_mnist, "fashion_mnist") == "plain"


def test_the_card_of_a_model_says_how_the_images_of_a_file_look(mnist_folder, tmp_path):
    convert("digits", tmp_path / "scans.npz")
    for source, how in ((mnist_folder / "mnist", "mnist"), (tmp_path / "scans.npz", "digits")):
        data = load_training(DataConfig(source=str(source), train=500, validation=100))
        assert describe_data(data)["preparation"] == how
