"""One image file as pixels, read the way a person would see it."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from main.data.errors import DataError
from main.data.records import Images

MAX_PIXELS = 4096 * 4096
"""The most pixels one image may have, looked at before it is decompressed."""
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM")
"""Formats that are tried, whatever a file is called; Pillow knows dozens that nobody keeps data in."""
DEEP_MODES = frozenset({"I", "I;16", "I;16L", "I;16B", "I;16N"})
"""Pillow's modes of greyscale that may have 16 bits."""
GREY_MODES = frozenset({"1", "L", "LA", "La"})
PALETTE_MODES = frozenset({"P", "PA"})
DEEPEST = 65_535
BITS_PER_SAMPLE = 258
"""The tag by which a TIFF says so."""


def read_image(path: Path) -> Images:
    """Pixels of an image, uint8 (height, width, 1) of greyscale and (height, width, 3) of colour.

    A transparent image is laid on white, 16-bit greyscale is brought to 8 bits, and a photograph is turned
    the way the camera was held. A TIFF of 32 bits has the 8 or 16 that its largest pixel needs. Raises DataError,
    naming the file, for what is no image, is damaged, moves, or has more than 4096 × 4096 pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images, whose limit here is lower, and of odd metadata
            with Image.open(path, formats=FORMATS) as image:
                _check(image, path)
                turned = ImageOps.exif_transpose(image)
                return _from_16_bits(turned, image) if turned.mode in DEEP_MODES else _pixels(turned)
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError(f"{path}: has more than the {MAX_PIXELS:,} pixels that are read") from None
    except OSError as error:
        if error.errno is None:  # Pillow's own, of what it reads
            raise _unreadable(path, error) from None
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except Exception as error:  # Pillow's readers raise many things for a damaged file
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> DataError:
    why = "" if isinstance(error, UnidentifiedImageError) else f": {error}"  # which says no more, and the path again
    return DataError(f"{path}: is no image of a known format, or a damaged one{why}")


def _check(image: Image.Image, path: Path) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise DataError(f"{path}: {width:,} × {height:,} is more than the {MAX_PIXELS:,} pixels that are read")
    # A telephone's JPEG may hold a preview or a map of brightness beside the photograph, which comes first.
    if image.format != "MPO" and getattr(image, "n_frames", 1) > 1:
        raise DataError(f"{path}: expected one image, but it holds {image.n_frames}")  # type: ignore[attr-defined]
    if image.mode == "F":
        raise DataError(f"{path}: expected pixels of 8 or 16 bits, but they are floating-point numbers")


def _pixels(image: Image.Image) -> Images:
    grey, palette = image.mode in GREY_MODES, image.mode in PALETTE_MODES
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    colour = np.asarray(image.convert("RGB"))
    if grey or (palette and _is_grey(colour)):
        return np.ascontiguousarray(colour[:, :, :1])
    return colour


def _is_grey(colour: Images) -> bool:
    return bool((colour == colour[:, :, :1]).all())


def _from_16_bits(image: Image.Image, stored: Image.Image) -> Images:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > DEEPEST:
        raise ValueError(f"expected pixels of 16 bits, but found {values.min()} to {values.max()}")
    white = 255 if _has_32_bits(stored) and values.max() <= 255 else DEEPEST
    return np.asarray(np.rint(values * (255 / white)).astype(np.uint8)[:, :, np.newaxis])


def _has_32_bits(image: Image.Image) -> bool:
    """Whether it is a TIFF of 32 bits, which does not say how many of them its pixels use."""
    tags = getattr(image, "tag_v2", {})
    return image.format == "TIFF" and tags.get(BITS_PER_SAMPLE) == (32,)
