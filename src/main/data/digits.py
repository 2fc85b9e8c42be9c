"""The 1,797 handwritten digits inside scikit-learn, brought to the form of MNIST.

E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998
(https://doi.org/10.24432/C50P49), its test part.
"""

from __future__ import annotations

import numpy as np

from main.data.records import Images, Split
from main.data.source import Header, Parts
from main.data.splits import draw_test

N_IMAGES = 1_797
N_TEST = 360
N_VALIDATION = 237
SCALE = 3
BORDER = 2
DARKEST = 16


class Digits:
    """1,200 images to train, 237 to validate and 360 to test, 28 × 28 × 1, all drawn by strata."""

    name = "digits"

    def header(self) -> Header:
        """The sizes, which are the same in every release of scikit-learn."""
        return Header(
            image_shape=(28, 28, 1),
            n_images=N_IMAGES - N_TEST,
            classes=tuple("0123456789"),
            validation=N_VALIDATION,
            split="stratified",
        )

    def training(self) -> Split:
        """The 1,437 images outside the test set."""
        return draw_test(_read(), N_TEST)[0]

    def test(self) -> Split:
        """The 360 images of the test set."""
        return draw_test(_read(), N_TEST)[1]

    def parts(self) -> Parts:
        """The training file and the test set."""
        training, test = draw_test(_read(), N_TEST)
        return {"train": training, "test": test}


def _read() -> Split:
    from sklearn.datasets import load_digits  # takes a second, which `plan` does not need

    digits = load_digits()
    return Split(enlarge(digits.images), digits.target.astype(np.int64))


def enlarge(images: np.ndarray) -> Images:
    """(n, 8, 8) of 0 to 16 as (n, 28, 28, 1) of 0 to 255: each pixel three times, 2 of border all round."""
    bytes_ = np.rint(images * (255 / DARKEST)).astype(np.uint8)
    enlarged = bytes_.repeat(SCALE, axis=1).repeat(SCALE, axis=2)
    framed = np.pad(enlarged, ((0, 0), (BORDER, BORDER), (BORDER, BORDER)))
    return np.asarray(framed[..., np.newaxis])


def are_enlarged(images: Images) -> bool:
    """Whether images, uint8 (n, 28, 28, 1), are such as `enlarge` makes."""
    cells = images[:, BORDER:-BORDER:SCALE, BORDER:-BORDER:SCALE, 0]
    return np.array_equal(enlarge(cells * (DARKEST / 255)), images)
