"""What every source of images can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from main.data.arrays import Part
from main.data.records import Split

Parts = dict[Part, Split]
"""Parts of a source, in the order train, validation, test; or `whole` alone."""

TEST_SHARE = 5
VALIDATION_SHARE = 10


@dataclass(frozen=True)
class Header:
    """What a source knows of itself without reading its images."""

    image_shape: tuple[int, int, int]
    """(height, width, channels)."""
    n_images: int
    """Images outside the test set: those that train and those that validate."""
    classes: tuple[str, ...]
    """Names of the classes in the order of their labels."""
    validation: int
    """Images held out of training unless the file says how many."""
    split: Literal["last", "stratified"]
    """How they are chosen unless the file says."""
    remark: str | None = None
    """What else a person should know of the source, such as what of it is passed over."""


class Source(Protocol):
    """Images with labels, of which the test set is a part of its own.

    Every method raises DataError where a file is not what it should be.
    """

    @property
    def name(self) -> str:
        """What messages and tables call the source."""

    def header(self) -> Header:
        """Sizes and classes, cheaply."""

    def training(self) -> Split:
        """Every image outside the test set, in the order of the source."""

    def test(self) -> Split:
        """The test set."""

    def parts(self) -> Parts:
        """Every part as the source has it, the test set too: to convert it, never to train on it."""


def n_drawn_for_test(n_images: int) -> int:
    """Images drawn for a test set where a source has none: one in five."""
    return max(1, n_images // TEST_SHARE)


def n_drawn_for_validation(n_images: int) -> int:
    """Images held out where neither the source nor the file says how many: one in ten."""
    return max(1, n_images // VALIDATION_SHARE)
