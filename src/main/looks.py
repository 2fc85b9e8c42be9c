"""How the images look that a model is trained on, and so how pictures are prepared for it.

MNIST's are described in `main.prepare`. EMNIST's digits and letters are alike, but fill a box of up to 24 pixels,
in the middle of which they lie by their edges (Cohen et al. 2017, arXiv 1702.05373).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from main.data.digits import are_enlarged
from main.data.records import Images
from main.prepare import PREPARATIONS, ImageShape, Preparation

BY_SOURCE: Mapping[str, Preparation] = {"mnist": "mnist", "digits": "digits", "fashion_mnist": "plain"}
"""Sources whose names say how their images were made; of files only the pixels do."""
MNIST_SIDES = (28, 28)
"""(height, width) of MNIST's images, and of scikit-learn's digits where they are enlarged."""
LOOKED_AT = 1000
"""Images, at most, whose look is measured."""
INK = 64
"""Shade, of 255, above which a pixel is ink: the halo of JPEG compression stays below."""
BOXES = (18, 24)
"""Shortest and longest that the longer side of a digit may be, in pixels: 20 in MNIST, and less where it is faint."""
OFF_CENTRE = 3.0
"""Pixels by which its centre of mass may lie off the middle, downwards or sideways: about 1 at most in MNIST."""
MOST = 0.75
"""Share of the images that must look like MNIST's for all to be taken for such."""


def preparation_of(images: Images, source: str) -> Preparation:
    """How pictures are to be prepared for a model that `images`, uint8 (n, height, width, channels), train.

    A known source decides by its name. Of any other the images do, so that MNIST's, whole or in part, are known
    whatever file they come from: light digits on black, scaled into a box and laid in the middle.
    """
    if known := BY_SOURCE.get(source):
        return known
    if images.shape[1:3] != MNIST_SIDES:
        return "plain"
    few = images[:: -(-len(images) // LOOKED_AT)]
    drawn = np.rint(few.mean(axis=-1, keepdims=True)).astype(np.uint8)
    if are_enlarged(drawn):
        return "digits"
    return "mnist" if np.mean(_look_like_mnist(drawn[..., 0] > INK)) >= MOST else "plain"


def preparation_for(data: Mapping[str, Any], shape: ImageShape) -> Preparation:
    """How pictures are prepared for a model of this input shape whose card says `data` of what it was trained on.

    A card that does not say how pictures are prepared may name a known source; unknown data of MNIST's shape are
    taken for MNIST.
    """
    recorded, source = data.get("preparation"), data.get("source")
    for how in PREPARATIONS:
        if recorded == how:
            return how
    by_shape: Preparation = "mnist" if shape == (*MNIST_SIDES, 1) else "plain"
    return BY_SOURCE.get(source, by_shape) if isinstance(source, str) else by_shape


def _look_like_mnist(ink: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which images, (n, height, width), have their ink in a box as large as MNIST's, with its mass in the middle."""
    longest = np.zeros(len(ink), dtype=np.int64)
    off_centre = np.zeros(len(ink))
    for along in (ink.sum(axis=1), ink.sum(axis=2)):  # of each column, then of each row
        places = np.arange(along.shape[1]) + 0.5
        centre = along @ places / np.maximum(along.sum(axis=1), 1)  # of a blank image 0
        off_centre = np.maximum(off_centre, np.abs(centre - along.shape[1] / 2))
        longest = np.maximum(longest, _extents(along > 0))
    return (longest >= BOXES[0]) & (longest <= BOXES[1]) & (off_centre <= OFF_CENTRE)


def _extents(held: NDArray[np.bool_]) -> NDArray[np.int64]:
    """From the first to the last place that is held, of each row of (n, places); 0 where none is."""
    first, last = held.argmax(axis=1), held.shape[1] - held[:, ::-1].argmax(axis=1)
    return np.where(held.any(axis=1), last - first, 0)
