"""Arrays as people store them, brought to uint8 (n, height, width, channels) and int64 (n,)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from main.data.errors import DataError
from main.data.records import Images, Labels

MAX_CLASSES = 65_536
ROWS_AT_ONCE = 4_096
"""Images of other types are converted in chunks of this many, to need little memory beside them."""

ROUNDING = 1e-2
"""How far from a grey level a pixel must lie to count as rounded; bytes stored as floats lie nearer."""

NEARLY_ONE = 1 + 1e-3
"""The largest pixel of floats in 0 to 1: arithmetic may have put one a little above."""

NEITHER_RANGE = 16
"""A largest pixel above 1 and up to this is that of neither range: scikit-learn's digits, say, end at 16."""


def times(shape: tuple[int, ...]) -> str:
    """A shape as people write it: 60,000 × 28 × 28."""
    return " × ".join(f"{size:,}" for size in shape) or "a single number"


def image_shape(shape: tuple[int, ...], where: str) -> tuple[int, int, int]:
    """(height, width, channels) of images stored in this shape.

    Flat images are square; channels may stand first, as PyTorch has them. Raises DataError otherwise.
    """
    match shape:
        case (_, pixels) if pixels == math.isqrt(pixels) ** 2 and pixels > 0:
            return math.isqrt(pixels), math.isqrt(pixels), 1
        case (_, height, width) if height and width:
            return height, width, 1
        case (_, height, width, 1 | 3 as channels) if height and width:
            return height, width, channels
        case (_, 1 | 3 as channels, height, width) if height and width:
            return height, width, channels
    raise DataError(
        f"{where}: expected images as (n, height, width), (n, height, width, 1 or 3) or (n, side²), "
        f"but the shape is {times(shape)}"
    )


def images(array: NDArray[Any], where: str, scale: int | None = None) -> Images:
    """Images of any number type as uint8 (n, height, width, channels), by `scale_of` unless a scale is given.

    That of one part of a source is given for its other parts, which are then what they would be beside it. Raises
    DataError as `scale_of` does, and for pixels of another range than the given scale is for.
    """
    height, width, channels = image_shape(array.shape, where)
    if len(array) == 0:
        raise DataError(f"{where}: holds no images")
    if array.ndim == 4 and array.shape[3] != channels:
        array = np.moveaxis(array, 1, 3)
    if scale is None:
        scale = scale_of(array, where)
    else:
        _check_scale(array, scale, where)
    if array.dtype != np.uint8 or scale != 1:
        converted = np.empty(array.shape, dtype=np.uint8)
        for rows in _chunks(len(array)):
            converted[rows] = np.rint(np.minimum(array[rows] * np.float32(scale), 255))
        array = converted
    return np.ascontiguousarray(array).reshape(len(array), height, width, channels)


def is_rounded(array: NDArray[Any], where: str, scale: int | None = None) -> bool:
    """Whether `images` rounds pixels that lie between two of the 256 grey levels."""
    scale = scale_of(array, where) if scale is None else scale
    if array.dtype.kind != "f":
        return False
    chunks = (array[rows] * scale for rows in _chunks(len(array)))
    return any(np.abs(chunk - np.rint(chunk)).max() > ROUNDING for chunk in chunks)


def labels(array: NDArray[Any], where: str) -> Labels:
    """Labels as int64 (n,), still as the file numbers them: whole numbers, or one-hot rows.

    Raises DataError for anything else.
    """
    if array.dtype.kind not in "iufb":
        raise DataError(f"{where}: expected whole numbers as labels, but the type is {array.dtype}")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        array = _from_one_hot(array, where)
    if array.ndim != 1:
        raise DataError(f"{where}: expected one label per image, but the shape is {times(array.shape)}")
    if array.size == 0:
        raise DataError(f"{where}: holds no labels")
    if array.dtype.kind == "f" and not np.array_equal(array, np.trunc(array)):
        raise DataError(f"{where}: expected whole numbers as labels, but found {_first_not_whole(array)}")
    low, high = array.min(), array.max()
    if low < 0 or high > MAX_CLASSES:
        raise DataError(f"{where}: labels must lie in 0 to {MAX_CLASSES:,}, but found {low} to {high}")
    return array.astype(np.int64)


def class_values(training_labels: Labels, where: str) -> tuple[int, ...]:
    """The labels that the training file uses: 0 to n - 1, or 1 to n.

    Raises DataError where one between them has no image, which a damaged label looks like.
    """
    values = np.unique(training_labels)
    low, high = int(values[0]), int(values[-1])
    if len(values) < 2:
        raise DataError(f"{where}: every image has the label {low}; a classifier needs two classes")
    absent = np.setdiff1d(np.arange(min(low, 1), high + 1), values)
    if absent.size:
        raise DataError(
            f"{where}: labels must be 0 to n - 1 (or 1 to n) with images of every class, but they run from "
            f"{low} to {high} and class {absent[0]} has none"
        )
    return tuple(range(low, high + 1))


def numbered(found: Labels, classes: tuple[int, ...], where: str) -> Labels:
    """Labels from 0 to n_classes - 1. Raises DataError where one is not among the training file's."""
    outside = (found < classes[0]) | (found > classes[-1])
    if outside.any():
        raise DataError(
            f"{where}: labels must lie in {classes[0]} to {classes[-1]}, as in training, "
            f"but found {found[outside][0]} at {int(np.argmax(outside))}"
        )
    return found - classes[0] if classes[0] else found


def scale_of(array: NDArray[Any], where: str) -> int:
    """By what pixels are multiplied to be grey levels from 0 to 255, before they are rounded.

    1 for numbers in 0 to 255; 255 for black and white as booleans or as whole numbers up to 1, and for floats in 0 to
    1, but 256 where every one of them is a 256th, as in `mnist.pkl.gz`. Raises DataError for NaN, infinity, anything
    outside, and where the largest pixel lies between 1 and 16, which belongs to neither range.
    """
    low, high = _ends(array, where)
    is_float = array.dtype.kind == "f"
    if low < 0 or high > 255:
        allowed = "0 to 1 or 0 to 255" if is_float else "0 to 255"
        raise DataError(f"{where}: pixels must lie in {allowed}, but found {low:g} to {high:g}")
    if high > NEITHER_RANGE:
        return 1
    if high > NEARLY_ONE:
        raise DataError(
            f"{where}: pixels must lie in 0 to 1 or 0 to 255, but the largest is {high:g}, which belongs to neither; "
            f"bring them to 0 to 255 first"
        )
    return 256 if is_float and high < 1 and _all_256ths(array) else 255


def _check_scale(array: NDArray[Any], scale: int, where: str) -> None:
    """Raises DataError where pixels are of another range than those which `scale` was found for."""
    low, high = _ends(array, where)
    white = 255 if scale == 1 else 1
    if low < 0 or high > max(white, NEARLY_ONE) or (white == 255 and 0 < high <= NEARLY_ONE):
        raise DataError(
            f"{where}: pixels must lie in 0 to {white}, as those that train do, but found {low:g} to {high:g}"
        )


def _ends(array: NDArray[Any], where: str) -> tuple[float, float]:
    """The smallest and the largest pixel. Raises DataError where they are no finite numbers."""
    if array.dtype.kind not in "iufb":
        raise DataError(f"{where}: expected numbers as pixels, but the type is {array.dtype}")
    low, high = float(array.min()), float(array.max())
    if not math.isfinite(low) or not math.isfinite(high):
        raise DataError(f"{where}: {_first_not_finite(array)}")
    return low, high


def _all_256ths(array: NDArray[Any]) -> bool:
    chunks = (array[rows] * 256 for rows in _chunks(len(array)))
    return all(np.array_equal(chunk, np.trunc(chunk)) for chunk in chunks)


def _chunks(count: int) -> list[slice]:
    return [slice(start, start + ROWS_AT_ONCE) for start in range(0, count, ROWS_AT_ONCE)]


def _first_not_finite(array: NDArray[Any]) -> str:
    place = np.unravel_index(int(np.argmin(np.isfinite(array))), array.shape)
    at = ", ".join(str(int(index)) for index in place)
    return f"pixels must be finite, but pixel ({at}) is {array[place]}"


def _first_not_whole(array: NDArray[Any]) -> str:
    place = int(np.argmax(array != np.trunc(array)))
    return f"{array[place]} at {place}"


def _from_one_hot(array: NDArray[Any], where: str) -> NDArray[Any]:
    if not (np.isin(array, (0, 1)).all() and (array.sum(axis=1) == 1).all()):
        raise DataError(f"{where}: expected one label per image, or one-hot rows of one 1 and else 0")
    return np.asarray(array.argmax(axis=1))
