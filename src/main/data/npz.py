"""Arrays of a NumPy `.npz` file, of which none may hold Python objects."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from main.data.bounded import MAX_BYTES, BoundedReader
from main.data.errors import DataError

MAX_HEADER_BYTES = 16_384
"""A header says type and shape, in a hundred bytes; the format would allow gigabytes."""
SUFFIX = ".npy"
HEADER_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class _NpyHeader(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class NpzArrays:
    """The named arrays of a `.npz` file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes from the arrays' headers."""
        with _opened(self._path) as archive:
            names = [name.removesuffix(SUFFIX) for name in archive.namelist() if name.endswith(SUFFIX)]
            return {name: self._header(archive, name).shape for name in names}

    def read(self, name: str) -> NDArray[Any]:
        """One array, of numbers."""
        with _opened(self._path) as archive:
            header = self._header(archive, name)
            size = math.prod(header.shape) * header.dtype.itemsize
            with archive.open(name + SUFFIX) as member:
                bounded = BoundedReader(cast(BinaryIO, member), size + MAX_HEADER_BYTES, self.where(name))
                array = npy.read_array(cast(BinaryIO, bounded), allow_pickle=False)
                if bounded.read(1):  # the end is also where zipfile compares checksums
                    raise DataError(f"{self.where(name)}: expected {size:,} bytes of values, but more follow")
                return np.asarray(array)

    def where(self, name: str) -> str:
        """The file's path and the array's name."""
        return f"{self._path}: {name}"

    def _header(self, archive: zipfile.ZipFile, name: str) -> _NpyHeader:
        where = self.where(name)
        if archive.getinfo(name + SUFFIX).compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{where}: expected to find it plain or deflated, as NumPy writes it")
        with archive.open(name + SUFFIX) as member:
            bounded = cast(BinaryIO, BoundedReader(cast(BinaryIO, member), MAX_HEADER_BYTES, where))
            shape, _, dtype = HEADER_READERS[npy.read_magic(bounded)](bounded)
        if dtype.hasobject:
            raise DataError(f"{where}: expected numbers, but it holds pickled objects, which could run code")
        size = math.prod(shape) * dtype.itemsize
        if size > MAX_BYTES or min(shape, default=0) < 0:
            raise DataError(f"{where}: {shape} of {dtype} takes {size:,} bytes; at most {MAX_BYTES:,} are read")
        return _NpyHeader(shape, dtype)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:  # zipfile, zlib and NumPy's header parser raise a dozen types
        reason = str(error) or "its end is missing"
        raise DataError(f"{path}: is no .npz file, or a damaged one: {reason:.200}") from None
