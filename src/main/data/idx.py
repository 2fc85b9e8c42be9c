"""The IDX format of MNIST's own files: a magic number, big-endian sizes, then the bytes.

Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits", "File formats".
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from main.data.bounded import MAX_BYTES, opened
from main.data.errors import DataError
from main.data.normal import times
from main.data.records import Images

UNSIGNED_BYTE = 0x08
MAX_DIMENSIONS = 4


def idx_header(shape: tuple[int, ...]) -> bytes:
    """The bytes before the values of an IDX file of unsigned bytes: magic number and sizes."""
    return struct.pack(f">HBB{len(shape)}I", 0, UNSIGNED_BYTE, len(shape), *shape)


def read_idx_shape(path: Path) -> tuple[int, ...]:
    """The shape that the header of an IDX file, plain or gzipped, announces."""
    with opened(path) as stream:
        return _read_header(stream, path)


def read_idx(path: Path) -> Images:
    """The unsigned bytes of an IDX file, plain or gzipped, in the shape of its header.

    Reads one byte more than the header announces and no further, so that a file that unpacks to
    gigabytes is refused in bounded memory. Raises DataError for anything but a whole IDX file.
    """
    with opened(path) as stream:
        shape = _read_header(stream, path)
        expected = math.prod(shape)
        data = stream.read(expected + 1)
    if len(data) != expected:
        found = f"only {len(data):,} are there" if len(data) < expected else "more follow"
        raise DataError(f"{path}: the header announces {times(shape)} = {expected:,} bytes, but {found}")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)


def idx_bytes(array: Images) -> bytes:
    """Unsigned bytes as the content of an IDX file."""
    return idx_header(array.shape) + np.ascontiguousarray(array).tobytes()


def _read_header(stream: BinaryIO, path: Path) -> tuple[int, ...]:
    magic = stream.read(4)
    if len(magic) < 4:
        raise DataError(f"{path}: expected an IDX file, but it ends after {len(magic)} bytes")
    zeros, kind, dimensions = struct.unpack(">HBB", magic)
    if zeros != 0 or kind != UNSIGNED_BYTE or not 1 <= dimensions <= MAX_DIMENSIONS:
        raise DataError(
            f"{path}: wrong magic number: expected 00 00 08 01 to 00 00 08 04 (IDX of unsigned bytes), "
            f"but found {magic.hex(' ')}"
        )
    sizes = stream.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise DataError(f"{path}: the header of the IDX file is truncated")
    shape = struct.unpack(f">{dimensions}I", sizes)
    if math.prod(shape) > MAX_BYTES:
        raise DataError(
            f"{path}: the header announces {times(shape)} = {math.prod(shape):,} bytes, "
            f"more than the {MAX_BYTES:,} that are read"
        )
    return shape
