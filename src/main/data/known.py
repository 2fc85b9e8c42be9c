"""Published data sets that are known by name: what their files must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from main.data.arrays import Role
from main.data.source import Header


@dataclass(frozen=True)
class KnownData:
    """What the files of a published data set must hold."""

    name: str
    """Its name in a sweep file, and of its folder."""
    classes: tuple[str, ...]
    """Names of the classes in the order of their labels."""
    validation: int
    """Images held out of training unless the file says how many."""
    keras_cache: tuple[str, ...]
    """Where Keras keeps its copy, beneath `datasets/`."""
    image_shape: tuple[int, int, int] = (28, 28, 1)
    """(height, width, channels)."""
    n_images: Mapping[str, int] = field(default_factory=lambda: {"train": 60_000, "test": 10_000})
    """Images of the training and the test file."""
    md5: Mapping[Role, str] = field(default_factory=dict)
    """Published checksum of each IDX file, decompressed; empty where none is known."""

    def header(self) -> Header:
        """What its files say of themselves, known before they are there."""
        return Header(
            image_shape=self.image_shape,
            n_images=self.n_images["train"],
            classes=self.classes,
            validation=self.validation,
            split="last",
        )


MNIST = KnownData(
    name="mnist",
    classes=tuple("0123456789"),
    validation=5_000,
    keras_cache=("mnist.npz",),
    md5={
        Role("train", "images"): "6bbc9ace898e44ae57da46a324031adb",
        Role("train", "labels"): "a25bea736e30d166cdddb491f175f624",
        Role("test", "images"): "2646ac647ad5339dbf082846283269ea",
        Role("test", "labels"): "27ae3e4e09519cfbb04c329615203637",
    },
)
"""Y. LeCun, C. Cortes, C. J. C. Burges: the MNIST database of handwritten digits."""

FASHION_MNIST = KnownData(
    name="fashion_mnist",
    classes=(
        "T-shirt/top", "trouser", "pullover", "dress", "coat",
        "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ),
    validation=5_000,
    keras_cache=("fashion-mnist",),
)  # fmt: skip
"""H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST, arXiv 1708.07747."""

KNOWN = {known.name: known for known in (MNIST, FASHION_MNIST)}
