"""What loading hands out: images with their labels, and what is known of them without loading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


MOST_AT_ONCE = 1000
"""So many that a network is bound by arithmetic and not by steps."""
PIXELS_AT_ONCE = MOST_AT_ONCE * 32 * 32
"""Of larger images fewer are taken, whose layers' outputs would fill the memory."""


def images_at_once(shape: Sequence[int]) -> int:
    """How many images of (height, width, ...) go through a network at once where it is not trained."""
    height, width = shape[:2]
    return max(1, min(MOST_AT_ONCE, PIXELS_AT_ONCE // (height * width)))


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their labels, in one order.

    Raises ValueError where the two are not of one length or not of the promised form.
    """

    images: Images
    """uint8, (n, height, width, channels), 0 to 255."""
    labels: Labels
    """int64, (n,), 0 to n_classes - 1."""

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise ValueError(
                f"images must be uint8 (n, height, width, channels), but are {self.images.dtype} {self.images.shape}"
            )
        if self.labels.dtype != np.int64 or self.labels.shape != self.images.shape[:1]:
            raise ValueError(
                f"labels must be int64 {self.images.shape[:1]}, but are {self.labels.dtype} {self.labels.shape}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: NDArray[np.int64] | slice) -> Split:
        """The images at these places, in this order; a slice shares memory with the whole."""
        return Split(self.images[which], self.labels[which])


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a training sees of a source: never its test set."""

    train: Split
    """Images to fit."""
    validation: Split
    """Images held out of fitting, by which trials are compared."""
    n_classes: int
    """Labels are 0 to n_classes - 1."""
    source: str
    """The source really used: `data.source`, or `data.otherwise` after a fallback."""
    checksum: str
    """sha256 over shapes and bytes of the images and labels, train then validation."""
    notice: str | None = None
    """The sentence to show loudly where `otherwise` was used."""
    classes: tuple[str, ...] = ()
    """Names of the classes in the order of their labels."""
    remark: str | None = None
    """What else to say of the source, such as what of it is passed over."""

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image."""
        height, width, channels = self.train.images.shape[1:]
        return height, width, channels


@dataclass(frozen=True)
class Fold:
    """One of several equal, stratified shares of the images: it validates, and all others train."""

    number: int
    """From 0."""
    of: int
    """How many folds there are."""
    seed: int = 0
    """Seed of the training: each seed draws folds of its own."""


@dataclass(frozen=True)
class DataInfo:
    """What is known of a source from its headers, without reading its images."""

    source: str
    """The source that will be used."""
    input_shape: tuple[int, int, int]
    """(height, width, channels) of every image."""
    n_classes: int
    """Labels are 0 to n_classes - 1."""
    n_train: int
    """Images that will train."""
    n_validation: int
    """Images that will validate."""
    notice: str | None = None
    """The sentence to show loudly where `otherwise` will be used, or a download is needed."""
    classes: tuple[str, ...] = ()
    """Names of the classes in the order of their labels."""
    remark: str | None = None
    """What else to say of the source, such as what of it is passed over."""
