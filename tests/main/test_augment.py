"""Augmentation: what is drawn, how far it goes, and each image beside a NumPy or SciPy oracle."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import map_coordinates

from main.augment import augment_batch, elastic_displacement, inverse_affine
from main.backend import TrainingBatches
from main.config import AugmentConfig
from main.data import Split

EVERYTHING = AugmentConfig(shift=0.1, rotation=20, zoom=0.2, shear=0.3, elastic=2.0)
AFFINE = EVERYTHING.model_copy(update={"elastic": 0.0})
KINDS = {
    "shift": AugmentConfig(shift=0.2),
    "rotation": AugmentConfig(rotation=30),
    "zoom": AugmentConfig(zoom=0.3),
    "shear": AugmentConfig(shear=0.4),
    "elastic": AugmentConfig(elastic=3.0),
    "affine": AFFINE,
    "everything": EVERYTHING,
}
every_kind = pytest.mark.parametrize("augment", KINDS.values(), ids=KINDS)


def augmented(
    images: np.ndarray, augment: AugmentConfig, *, seed: int = 1, epoch: int = 0, step: int = 0
) -> np.ndarray:
    return np.asarray(augment_batch(tf.constant(images), augment, tf.constant([seed, epoch, step], tf.int64)))


def noise(count: int = 6, height: int = 12, width: int = 17, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).random((count, height, width, channels), dtype=np.float32)


def spots(count: int, side: int, centres: list[tuple[float, float]]) -> np.ndarray:
    """A blurred spot in each channel, about its centre (x, y), wide enough to be placed by its centroid."""
    y, x = np.mgrid[:side, :side]
    planes = [np.exp(-((x - right) ** 2 + (y - down) ** 2) / 8) for right, down in centres]
    return np.repeat(np.stack(planes, axis=-1)[np.newaxis], count, axis=0).astype(np.float32)


def centroids(images: np.ndarray) -> np.ndarray:
    """Centre of mass (n, channels, 2) of each channel, as x and y."""
    y, x = np.mgrid[: images.shape[1], : images.shape[2]]
    mass = images.sum(axis=(1, 2))
    return np.stack([(images * axis[..., np.newaxis]).sum(axis=(1, 2)) / mass for axis in (x, y)], axis=-1)


def linear_maps(augment: AugmentConfig, count: int = 300) -> np.ndarray:
    """The matrices (count, 2, 2) that images were changed by, measured from where three spots went."""
    side, arm = 81, 15
    middle = (side - 1) / 2
    centres = [(middle, middle), (middle + arm, middle), (middle, middle + arm)]
    found = centroids(augmented(spots(count, side, centres), augment))
    return np.stack([found[:, 1] - found[:, 0], found[:, 2] - found[:, 0]], axis=-1) / arm


def angles(maps: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(maps[:, 1, 0], maps[:, 0, 0]))


def scales(maps: np.ndarray) -> np.ndarray:
    return np.hypot(maps[:, 0, 0], maps[:, 1, 0])


def shears(maps: np.ndarray) -> np.ndarray:
    """Tangent by which the second axis leans towards the first, once turned and scaled back."""
    lean = maps[:, 0, 0] * maps[:, 0, 1] + maps[:, 1, 0] * maps[:, 1, 1]
    return lean / scales(maps) ** 2


def fills(values: np.ndarray, largest: float, tolerance: float) -> bool:
    """Whether the values spread evenly over ±largest, and never beyond."""
    inside = np.abs(values).max() <= largest + tolerance
    quarters = np.histogram(values, bins=4, range=(-largest, largest))[0] / len(values)
    return bool(inside and np.all(np.abs(quarters - 0.25) < 0.1))


def test_nothing_to_change_changes_nothing() -> None:
    images = tf.constant(noise())
    assert augment_batch(images, AugmentConfig(), tf.constant([1, 2, 3], tf.int64)) is images


@every_kind
def test_the_same_seed_epoch_and_step_draw_the_same(augment: AugmentConfig) -> None:
    first, again = (augmented(noise(), augment, seed=3, epoch=4, step=5) for _ in range(2))
    np.testing.assert_array_equal(first, again)


@every_kind
def test_seeds_epochs_and_steps_draw_each_their_own(augment: AugmentConfig) -> None:
    drawn = [
        augmented(noise(), augment, seed=seed, epoch=epoch, step=step)
        for seed, epoch, step in itertools.product((0, 1, 2), repeat=3)
    ]
    assert all(np.abs(a - b).max() > 1e-3 for a, b in itertools.combinations(drawn, 2))


@every_kind
def test_images_of_a_batch_draw_each_their_own(augment: AugmentConfig) -> None:
    drawn = augmented(np.repeat(noise(count=1), 8, axis=0), augment)
    assert all(np.abs(a - b).max() > 1e-3 for a, b in itertools.combinations(drawn, 2))


def test_consecutive_steps_and_epochs_are_uncorrelated() -> None:
    centre = spots(400, 41, [(20.0, 20.0)])
    shift = AugmentConfig(shift=0.2)
    moves = [
        centroids(augmented(centre, shift, epoch=epoch, step=step))[:, 0] - 20
        for epoch, step in ((0, 0), (0, 1), (1, 0), (1, 1))
    ]
    correlations = np.corrcoef(np.concatenate(moves, axis=1).T)
    assert np.abs(correlations - np.eye(8)).max() < 0.2  # 4 standard errors


def test_a_kind_is_drawn_alike_whatever_else_is_on() -> None:
    turned, all_of_it = (angles(linear_maps(KINDS[name], count=50)) for name in ("rotation", "affine"))
    np.testing.assert_allclose(all_of_it / 20, turned / 30, atol=0.02)


@every_kind
@pytest.mark.parametrize("channels", [1, 3])
def test_shape_type_and_range_stay(augment: AugmentConfig, channels: int) -> None:
    for images in (noise(channels=channels), np.ones((200, 28, 20, channels), np.float32)):
        changed = augmented(images, augment)
        assert (changed.shape, changed.dtype) == (images.shape, np.float32)
        assert changed.min() >= 0
        assert changed.max() <= 1


@every_kind
def test_what_comes_from_outside_is_black(augment: AugmentConfig) -> None:
    changed = augmented(np.ones((50, 28, 20, 1), np.float32), augment)
    border = np.concatenate([changed[:, [0, -1]].reshape(50, -1), changed[:, :, [0, -1]].reshape(50, -1)], axis=1)
    assert border.min() == 0
    np.testing.assert_array_equal(changed[:, 14, 10], 1)


@every_kind
def test_colours_of_a_pixel_stay_together(augment: AugmentConfig) -> None:
    grey = noise()
    colour = augmented(grey * np.array([1, 0.5, 0.25], np.float32), augment)
    for channel, share in enumerate((1, 0.5, 0.25)):
        np.testing.assert_allclose(colour[..., channel], share * augmented(grey, augment)[..., 0], rtol=1e-5)


def test_a_pixel_shifts_by_no_more_than_its_share_of_each_side() -> None:
    images = np.zeros((400, 21, 41, 1), np.float32)
    images[:, 10, 20] = 1
    moves = centroids(augmented(images, AugmentConfig(shift=0.2)))[:, 0] - (20, 10)
    assert fills(moves[:, 0], 0.2 * 41, tolerance=1e-4)
    assert fills(moves[:, 1], 0.2 * 21, tolerance=1e-4)


def test_rotation_stays_within_its_angle_and_changes_nothing_else() -> None:
    maps = linear_maps(AugmentConfig(rotation=30))
    assert fills(angles(maps), 30, tolerance=0.3)
    np.testing.assert_allclose(scales(maps), 1, atol=0.01)
    np.testing.assert_allclose(shears(maps), 0, atol=0.01)


def test_zoom_stays_within_its_share_and_changes_nothing_else() -> None:
    maps = linear_maps(AugmentConfig(zoom=0.3))
    assert fills(scales(maps) - 1, 0.3, tolerance=0.01)
    np.testing.assert_allclose(angles(maps), 0, atol=0.3)
    np.testing.assert_allclose(shears(maps), 0, atol=0.01)


def test_shear_stays_within_its_tangent_and_changes_nothing_else() -> None:
    maps = linear_maps(AugmentConfig(shear=0.4))
    assert fills(shears(maps), 0.4, tolerance=0.01)
    np.testing.assert_allclose(angles(maps), 0, atol=0.3)
    np.testing.assert_allclose(scales(maps), 1, atol=0.01)


def test_all_of_them_together_stay_within_their_bounds() -> None:
    maps = linear_maps(AFFINE)
    assert fills(angles(maps), AFFINE.rotation, tolerance=0.4)
    assert fills(scales(maps) - 1, AFFINE.zoom, tolerance=0.01)
    assert fills(shears(maps), AFFINE.shear, tolerance=0.015)


def test_a_pixel_is_distorted_by_no_more_than_told() -> None:
    images = np.zeros((200, 29, 41, 1), np.float32)
    images[:, 14, 20] = 1
    changed = augmented(images, AugmentConfig(elastic=3.0))
    y, x = np.mgrid[:29, :41]
    beyond = np.hypot(np.maximum(np.abs(x - 20) - 1, 0), np.maximum(np.abs(y - 14) - 1, 0)) > 3.0001
    assert changed[:, beyond].max() == 0  # a pixel has a share in places less than 1 from its own, each way
    assert (changed[..., 0] > 0).any(axis=0).sum() > 25


@pytest.mark.parametrize("size", [(28, 28), (8, 8), (40, 24)])
def test_the_longest_displacement_is_as_told_and_its_neighbours_are_like_it(size: tuple[int, int]) -> None:
    field = np.asarray(elastic_displacement(300, size, 2.5, tf.constant([1, 2], tf.int64)))

    assert field.shape == (2, 300, *size)
    np.testing.assert_allclose(np.hypot(*field).max(axis=(1, 2)), 2.5, rtol=1e-5)
    deviation = min(size) / 7
    expected = math.exp(-1 / (4 * deviation**2))  # of noise smoothed by a Gaussian, at a distance of 1 pixel
    for axis in (2, 3):
        near, far = np.delete(field, -1, axis), np.delete(field, 0, axis)
        assert np.corrcoef(near.ravel(), far.ravel())[0, 1] == pytest.approx(expected, abs=0.02)
    assert abs(np.corrcoef(field[0].ravel(), field[1].ravel())[0, 1]) < 0.05


def test_distortion_is_as_strong_at_the_edge_as_in_the_middle() -> None:
    field = np.asarray(elastic_displacement(2000, (28, 28), 1.0, tf.constant([1, 2], tf.int64)))
    strength = (field**2).mean(axis=(0, 1))
    assert strength[0].mean() / strength[14].mean() == pytest.approx(1, abs=0.05)
    assert strength[:, 0].mean() / strength[:, 14].mean() == pytest.approx(1, abs=0.05)


def sampled_at(image: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear interpolation, zeros outside, pixel by pixel."""
    height, width = image.shape
    padded = np.zeros((height + 200, width + 200))
    padded[100:-100, 100:-100] = image
    out = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        left, above = math.floor(x[place]), math.floor(y[place])
        across, down = x[place] - left, y[place] - above
        corners = padded[above + 100 : above + 102, left + 100 : left + 102]
        out[place] = np.array([1 - down, down]) @ corners @ np.array([1 - across, across])
    return out


def test_an_affine_map_is_that_of_a_numpy_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = np.array([[0.5], [-1.0], [0.8], [-0.6], [0.7]], np.float32)  # right, down, turn, zoom, slant
    monkeypatch.setattr(tf.random, "stateless_uniform", lambda *_, **__: tf.constant(drawn))
    image = noise(count=1)

    changed = augmented(image, AFFINE)[0, ..., 0]

    angle, scale, shear = math.radians(0.8 * 20), 1 - 0.6 * 0.2, 0.7 * 0.3
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    forward = scale * turn @ np.array([[1, shear], [0, 1]])
    centre, shift = np.array([8.0, 5.5]), np.array([0.5 * 0.1 * 17, -1.0 * 0.1 * 12])
    y, x = np.mgrid[:12, :17]
    places = np.linalg.inv(forward) @ (np.stack([x.ravel(), y.ravel()], axis=0) - (centre + shift)[:, None])
    came_x, came_y = (places + centre[:, None]).reshape(2, 12, 17)
    np.testing.assert_allclose(changed, sampled_at(image[0, ..., 0], came_x, came_y), atol=1e-5)


def test_distortion_and_affine_map_make_one_resampling(monkeypatch: pytest.MonkeyPatch) -> None:
    field = np.random.default_rng(1).normal(0, 1.5, (2, 6, 12, 17)).astype(np.float32)
    used: list[np.ndarray] = []

    def recorded(*arguments: Any) -> Any:
        inverse = inverse_affine(*arguments)
        used.append(np.asarray(inverse))
        return inverse

    monkeypatch.setattr("main.augment.inverse_affine", recorded)
    monkeypatch.setattr("main.augment.elastic_displacement", lambda *_: tf.constant(field))
    images = noise(channels=3)

    changed = augmented(images, EVERYTHING)

    y, x = np.mgrid[:12, :17]
    for image, found, (a, b, c, d, e, f), (right, down) in zip(
        images, changed, used[0], field.transpose(1, 0, 2, 3), strict=True
    ):
        places = (d * x + e * y + f + down, a * x + b * y + c + right)
        for channel in range(3):
            wanted = map_coordinates(image[..., channel], places, order=1, mode="grid-constant")
            np.testing.assert_allclose(found[..., channel], wanted, atol=1e-5)


def test_the_least_distortion_leaves_the_affine_map() -> None:
    hardly = AFFINE.model_copy(update={"elastic": 1e-6})
    np.testing.assert_allclose(augmented(noise(), hardly), augmented(noise(), AFFINE), atol=1e-4)


@every_kind
def test_batches_are_augmented_alike_from_any_epoch_on(augment: AugmentConfig) -> None:
    pixels = (255 * noise(count=10, channels=3)).astype(np.uint8)
    batches = TrainingBatches(Split(pixels, np.arange(10)), batch_size=4, augment=augment)

    whole = [(images.numpy(), labels.numpy()) for images, labels in batches.starting(seed=7, epoch=0).take(9)]
    resumed = [(images.numpy(), labels.numpy()) for images, labels in batches.starting(seed=7, epoch=2).take(3)]

    assert [len(labels) for _, labels in whole] == [4, 4, 2] * 3
    for (images, labels), (images_again, labels_again) in zip(whole[6:], resumed, strict=True):
        np.testing.assert_array_equal(images, images_again)
        np.testing.assert_array_equal(labels, labels_again)
    seen = [images[labels == 0] for images, labels in whole if 0 in labels]
    assert all(not np.array_equal(a, b) for a, b in itertools.combinations(seen, 2))


def test_batches_keep_the_shape_that_a_network_was_traced_for() -> None:
    split = Split(np.zeros((10, 12, 17, 3), np.uint8), np.arange(10))
    plain = TrainingBatches(split, batch_size=4, augment=None).starting(seed=0, epoch=0)
    for augment in KINDS.values():
        changed = TrainingBatches(split, batch_size=4, augment=augment).starting(seed=0, epoch=0)
        assert changed.element_spec == plain.element_spec
