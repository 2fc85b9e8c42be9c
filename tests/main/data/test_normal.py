import numpy as np
import pytest

from main.data import normal

GREYS = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((5, 784), (28, 28, 1)), ((5, 28, 20), (28, 20, 1)), ((5, 28, 20, 1), (28, 20, 1)), ((5, 32, 32, 3), (32, 32, 3)),
     ((5, 1, 28, 28), (28, 28, 1)), ((5, 3, 32, 30), (32, 30, 3))],
)  # fmt: skip
def test_shapes_people_store(shape, expected):
    assert normal.image_shape(shape, "a") == expected
    assert normal.images(np.zeros(shape, np.uint8), "a").shape == (5, *expected)


@pytest.mark.parametrize("shape", [(), (5,), (5, 783), (5, 0), (5, 0, 4), (5, 4, 4, 2), (5, 4, 4, 4), (1, 2, 3, 4, 5)])
def test_refuses_other_shapes(refuses, shape):
    refuses(lambda: normal.images(np.zeros(shape, np.uint8), "a.npz: x_train"), "a.npz: x_train", "expected images as")


def test_channels_are_moved_with_their_pixels():
    stored = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
    assert normal.images(stored, "a")[1, 2, 3, 1] == stored[1, 1, 2, 3]


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int64, np.uint64, np.float16, np.float32, np.float64, ">i4"])
def test_whole_numbers_up_to_255_stay_what_they_are(kind):
    np.testing.assert_array_equal(normal.images(GREYS.astype(kind), "a")[..., 0], GREYS)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("divisor", [255, 256])
def test_floats_up_to_1_become_the_bytes_they_were(kind, divisor):
    stored = (GREYS / divisor).astype(kind)
    np.testing.assert_array_equal(normal.images(stored, "a")[..., 0], GREYS)
    assert not normal.is_rounded(stored, "a")


def test_floats_between_grey_levels_are_rounded():
    stored = np.full((1, 2, 2), 0.3)
    assert normal.images(stored, "a").max() == 76  # 76.5 to even
    assert normal.is_rounded(stored, "a")
    assert not normal.is_rounded(GREYS, "a")


def test_black_and_white_become_0_and_255():
    assert set(np.unique(normal.images(np.eye(4, dtype=bool)[np.newaxis], "a"))) == {0, 255}
    assert set(np.unique(normal.images(np.eye(4)[np.newaxis], "a"))) == {0, 255}


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int64, ">i2"])
def test_whole_numbers_up_to_1_are_black_and_white(kind):
    assert set(np.unique(normal.images(np.eye(4, dtype=kind)[np.newaxis], "a"))) == {0, 255}


def test_floats_a_little_above_1_are_white():
    stored = (GREYS / 255).astype(np.float32)
    stored[0, 0, 0] = 1.0000001
    expected = GREYS.copy()
    expected[0, 0, 0] = 255
    np.testing.assert_array_equal(normal.images(stored, "a")[..., 0], expected)


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float64])
@pytest.mark.parametrize("largest", [2, 16])
def test_refuses_pixels_that_are_of_neither_range(refuses, kind, largest):
    stored = np.linspace(0, largest, 16).astype(kind).reshape(1, 4, 4)
    refuses(lambda: normal.images(stored, "a"), "0 to 1 or 0 to 255", f"the largest is {largest}")


@pytest.mark.parametrize("divisor", [1, 255, 256])
def test_a_part_is_brought_to_grey_levels_as_another_is(divisor):
    stored = GREYS / divisor
    scale = normal.scale_of(stored, "a")
    for part in (slice(1), slice(1, 3)):
        np.testing.assert_array_equal(normal.images(stored[part], "a", scale)[..., 0], GREYS[part])


def test_white_stays_white_where_another_part_has_256ths():
    assert set(np.unique(normal.images(np.eye(4)[np.newaxis], "a", 256))) == {0, 255}


@pytest.mark.parametrize(
    ("stored", "scale", "words"),
    [(np.full((1, 2, 2), 0.5), 1, "0 to 255, as those that train do, but found 0.5 to 0.5"),
     (np.full((1, 2, 2), 7), 255, "0 to 1, as those that train do, but found 7 to 7"),
     (np.full((1, 2, 2), -0.5), 256, "0 to 1, as those that train do, but found -0.5"),
     (np.full((1, 2, 2), np.nan), 255, "finite")],
)  # fmt: skip
def test_refuses_a_part_of_another_range(refuses, stored, scale, words):
    refuses(lambda: normal.images(stored, "a", scale), words)


def test_many_images_are_converted_alike():
    count = normal.ROWS_AT_ONCE + 5
    stored = np.repeat(np.arange(count) % 256, 4).reshape(count, 2, 2).astype(np.float32)
    np.testing.assert_array_equal(normal.images(stored, "a")[..., 0], stored)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_refuses_pixels_that_are_not_finite(refuses, bad):
    stored = np.zeros((3, 4, 4), np.float32)
    stored[1, 2, 3] = bad
    refuses(lambda: normal.images(stored, "a.npz: x_train"), "a.npz: x_train", "pixel (1, 2, 3)", bad)


@pytest.mark.parametrize(
    ("stored", "found"),
    [(np.array([-0.1, 1.0]), "-0.1 to 1"), (np.array([0, 255.5]), "0 to 255.5"), (np.array([0, 256]), "0 to 256"),
     (np.array([-1, 3], np.int8), "-1 to 3")],
)  # fmt: skip
def test_refuses_pixels_outside_the_range(refuses, stored, found):
    refuses(lambda: normal.images(stored.reshape(2, 1, 1), "a"), "0 to 255", f"found {found}")


@pytest.mark.parametrize("kind", ["S1", "U1", "M8[D]", complex])
def test_refuses_pixels_that_are_no_numbers(refuses, kind):
    refuses(lambda: normal.images(np.zeros((2, 4, 4), kind), "a"), "expected numbers")


def test_refuses_no_images(refuses):
    refuses(lambda: normal.images(np.zeros((0, 4, 4)), "a"), "no images")


@pytest.mark.parametrize(
    "stored",
    [np.array([0, 2, 1], np.uint8), np.array([0.0, 2.0, 1.0]), np.array([[0], [2], [1]]),
     np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]], np.float32)],
)  # fmt: skip
def test_labels_people_store(stored):
    found = normal.labels(stored, "a")
    assert found.dtype == np.int64
    assert found.tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    ("stored", "words"),
    [([0.5, 1], "0.5 at 0"), ([0, np.nan], "nan at 1"), ([0, np.inf], "inf"),
     ([-1, 2], "labels must lie in 0 to 65,536, but found -1 to 2"),
     ([0, 10**6], "1000000"),
     (["a", "b"], "whole numbers"), ([[0, 1], [1, 1]], "one-hot"), ([[[1]]], "1 × 1 × 1"), (3, "a single number")],
)  # fmt: skip
def test_refuses_other_labels(refuses, stored, words):
    refuses(lambda: normal.labels(np.array(stored), "a.npz: y_train"), "a.npz: y_train", words)


def test_refuses_no_labels(refuses):
    refuses(lambda: normal.labels(np.zeros(0, int), "a"), "no labels")


def test_classes_count_from_0_or_1():
    assert normal.class_values(np.array([2, 0, 1]), "a") == (0, 1, 2)
    assert normal.class_values(np.array([2, 1, 3]), "a") == (1, 2, 3)
    assert normal.numbered(np.array([3, 1]), (1, 2, 3), "a").tolist() == [2, 0]


@pytest.mark.parametrize(
    ("found", "words"),
    [([0, 1, 200], "class 2 has none"), ([2, 3, 4], "class 1 has none"), ([1, 3], "class 2 has none"),
     ([4, 4], "two classes")],
)  # fmt: skip
def test_refuses_labels_with_a_gap(refuses, found, words):
    refuses(lambda: normal.class_values(np.array(found), "a"), words)


def test_refuses_a_label_that_training_does_not_have(refuses):
    refuses(lambda: normal.numbered(np.array([0, 5, 11]), tuple(range(10)), "a"), "0 to 9", "found 11 at 2")
