"""Any picture of a digit or thing, brought to the form of the images that a model was trained on.

LeCun et al. made MNIST so (http://yann.lecun.com/exdb/mnist): a digit is scaled, keeping its proportions,
into a box of 20 × 20 pixels, greys coming from the resampling, and the box is laid into 28 × 28 pixels so
that the digit's centre of mass is in the middle. Digits are light on black.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from main.data import DataError
from main.data.digits import DARKEST, enlarge
from main.data.picture import FORMATS, read_image
from main.data.records import Images

Preparation = Literal["mnist", "digits", "plain"]
ImageShape = tuple[int, int, int]
Ink = NDArray[np.float32]
"""(height, width), 0 where there is paper to 1 where there is ink."""

BOX = 20 / 28
"""Side of the box that a digit is scaled into, as a share of the image's."""
DIGITS_SIDE, DIGITS_CELLS = 32, 8
"""Pixels and cells on a side of scikit-learn's digits: bitmaps of 32 × 32 counted in blocks of 4 × 4."""
FAINTEST = 12
"""Contrast, of 255, below which a picture is blank: paper and JPEG alone make less."""
FULL = 230
"""Contrast from which it is left as it is."""
LARGE = 64
"""Side, in pixels, from which single pixels are no longer strokes."""
NOISY = 6
"""Spread of the paper's shade, of 255, from which paper is told from ink by Otsu's threshold."""
FAINT = 0.1
"""Share of the strongest contrast below which a large picture shows a halo, not ink."""
SPECK = 0.02
"""Share of all ink below which a separate stain is dust."""
LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601, as Pillow converts


class BlankImageError(ValueError):
    """There is nothing to see in a picture."""


def read_prepared(path: Path, shape: ImageShape, how: Preparation) -> Images:
    """The picture at `path` as uint8 of `shape`, as `prepare`.

    A picture that is blank on white but has a transparent ground is taken by its outline: white strokes, say.

    Raises:
        DataError: The file is no image, too large, or blank.
    """
    picture = read_image(path)
    if (picture == picture[0, 0]).all() and (outline := _outline(path)) is not None:
        picture = outline  # or `plain`, which takes pictures of one colour too, would see no strokes
    try:
        return prepare(picture, shape, how)
    except BlankImageError as blank:
        outline = _outline(path)
        try:
            return prepare(outline if outline is not None else picture, shape, how)
        except BlankImageError:
            raise DataError(f"{path}: is blank: {blank}") from None


def prepare(picture: Images, shape: ImageShape, how: Preparation) -> Images:
    """A picture, uint8 (height, width, 1 or 3) of any size, as uint8 (height, width, channels) of `shape`.

    `mnist` finds the digit, whichever of paper and ink is lighter, and centres it as MNIST was made. `digits`
    scales it to 8 × 8 cells as scikit-learn's digits have them. `plain` fits the whole picture in, keeping
    its proportions. For the last two a picture that has the size already is left as it is.

    Raises:
        BlankImageError: No digit stands out from its ground.
    """
    if how != "mnist" and picture.shape[:2] == shape[:2]:
        return _with_channels(picture, shape[2])
    return _with_channels(PREPARATIONS[how](picture, shape), shape[2])


def ink(grey: NDArray[np.float32]) -> Ink:
    """How much every pixel stands out from the paper, which is what the picture's edge shows.

    Args:
        grey: (height, width), 0 to 255.

    Raises:
        BlankImageError: Nothing does.
    """
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(edge))
    lighter = float(grey.max()) - paper > paper - float(grey.min())
    contrast = np.clip(grey - paper if lighter else paper - grey, 0, None)
    spread = float(np.percentile(np.abs(edge - paper), 90))
    if spread > NOISY:
        contrast = np.clip(contrast - _otsu(contrast) / 2, 0, None)
    if contrast.max() < FAINTEST:
        raise BlankImageError(f"nothing in it stands out from its ground by more than {FAINTEST} of 255")
    if max(grey.shape) > LARGE:
        contrast = _without_dust(contrast)
    return _stretched(contrast / 255.0)


def _stretched(values: NDArray[np.float32]) -> Ink:
    """Thin and faint strokes brought to full strength; strong ones as they are."""
    highest = float(values.max())
    return np.asarray(values if highest >= FULL / 255 else values / highest, dtype=np.float32)


def _otsu(values: NDArray[np.float32]) -> float:
    """The threshold that parts values of 0 to 255 best in two (Otsu 1979)."""
    counts, edges = np.histogram(values, bins=256, range=(0, 256))
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * edges[:-1])
    parted = (below > 0) & (above > 0)
    means = np.divide(sums, below, where=parted, out=np.zeros(256))
    others = np.divide(sums[-1] - sums, above, where=parted, out=np.zeros(256))
    return float(edges[np.argmax(np.where(parted, below * above * (means - others) ** 2.0, 0)) + 1])


def _without_dust(contrast: NDArray[np.float32]) -> NDArray[np.float32]:
    """Large pictures without the halo of JPEG compression around strokes, and without separate stains."""
    from scipy import ndimage

    contrast = np.where(contrast > FAINT * contrast.max(), contrast, np.float32(0))
    stains, n = ndimage.label(contrast, structure=np.ones((3, 3)))
    mass = ndimage.sum_labels(contrast, stains, range(n + 1))
    mass[0] = 0
    kept = (mass >= SPECK * mass.sum()) | (mass == mass.max())  # of many equal marks none may be a speck of all
    return np.where(kept[stains], contrast, np.float32(0))


def _centred(picture: Images, shape: ImageShape) -> Images:
    height, width, _ = shape
    digit = _cropped(ink(_grey(picture)))
    longest = round(BOX * min(height, width))
    digit = _resized(digit, tuple(max(1, round(side * longest / max(digit.shape))) for side in digit.shape))
    digit = _stretched(digit)
    laid = np.zeros((height, width), dtype=np.float32)
    top, left = (
        # Of a pixel row the middle is at half a pixel: the mass is to lie within half a pixel of the image's
        # middle.
        int(np.clip(round(whole / 2 - centre), 0, whole - side))
        for whole, side, centre in zip((height, width), digit.shape, _centre_of_mass(digit), strict=True)
    )
    laid[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return _bytes(laid)


def _as_digits(picture: Images, shape: ImageShape) -> Images:
    digit = _cropped(ink(_grey(picture)))
    width = min(DIGITS_SIDE, max(1, round(digit.shape[1] * DIGITS_SIDE / digit.shape[0])))
    laid = np.zeros((DIGITS_SIDE, DIGITS_SIDE), dtype=np.float32)
    left = (DIGITS_SIDE - width) // 2
    laid[:, left : left + width] = _stretched(_resized(digit, (DIGITS_SIDE, width)))
    blocks = DIGITS_SIDE // DIGITS_CELLS
    cells = laid.reshape(DIGITS_CELLS, blocks, DIGITS_CELLS, blocks).mean(axis=(1, 3))
    enlarged = enlarge(np.rint(cells[np.newaxis] * DARKEST))[0]
    return enlarged if enlarged.shape[:2] == shape[:2] else _fitted(enlarged, shape)


def _fitted(picture: Images, shape: ImageShape) -> Images:
    height, width, _ = shape
    scale = min(height / picture.shape[0], width / picture.shape[1])
    size = tuple(max(1, round(side * scale)) for side in picture.shape[:2])
    scaled = np.stack([_resized(picture[..., c].astype(np.float32), size) for c in range(picture.shape[2])], axis=-1)
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    laid = np.broadcast_to(np.median(edge, axis=0), (height, width, picture.shape[2])).astype(np.float32)
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    laid[top : top + size[0], left : left + size[1]] = scaled
    return _bytes(laid / 255)


PREPARATIONS: Mapping[Preparation, Callable[[Images, ImageShape], Images]] = {
    "mnist": _centred,
    "digits": _as_digits,
    "plain": _fitted,
}


def _cropped(values: Ink) -> Ink:
    rows, columns = np.flatnonzero(values.any(axis=1)), np.flatnonzero(values.any(axis=0))
    return values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _resized(values: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    """(height, width) values at another size, each new pixel an average over those it covers."""
    if values.shape == size:
        return values
    image = Image.fromarray(np.ascontiguousarray(values)).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.float32)


def _centre_of_mass(values: Ink) -> tuple[float, float]:
    total = float(values.sum())
    rows, columns = values.sum(axis=1), values.sum(axis=0)
    return float(rows @ np.arange(len(rows))) / total, float(columns @ np.arange(len(columns))) / total


def _grey(picture: Images) -> NDArray[np.float32]:
    values = picture.astype(np.float32)
    return values[..., 0] if picture.shape[2] == 1 else np.asarray(values @ LUMINANCE, dtype=np.float32)


def _with_channels(picture: Images, channels: int) -> Images:
    if picture.shape[2] == channels:
        return picture
    if channels == 1:
        return _bytes(_grey(picture) / 255)
    return np.repeat(_bytes(_grey(picture) / 255), channels, axis=2)


def _bytes(values: NDArray[np.floating]) -> Images:
    """0 … 1 as 0 … 255, with a channel axis."""
    pixels: Images = np.clip(np.rint(values * 255), 0, 255).astype(np.uint8)
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]


def _outline(path: Path) -> Images | None:
    """How opaque each pixel of a picture is; None where all of them are equally so."""
    with Image.open(path, formats=FORMATS) as image:
        if not image.has_transparency_data:
            return None
        alpha = np.asarray(ImageOps.exif_transpose(image).convert("RGBA"))[..., 3:]
    return alpha if alpha.min() < alpha.max() else None
