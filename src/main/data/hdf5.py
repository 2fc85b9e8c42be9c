"""Arrays of an HDF5 file that lie in the file itself."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from main.data.arrays import role
from main.data.bounded import MAX_BYTES
from main.data.errors import DataError

MAX_DEPTH = 8
MAX_ITEMS = 1_000
MAX_CHUNKS = 1_000_000
GZIP, SHUFFLE, FLETCHER32 = 1, 2, 3
"""HDF5's numbers of the filters that are read: one that compresses, and two that leave the size as it is."""
CHECKSUM_BYTES = 4


class Hdf5Arrays:
    """The datasets of an HDF5 file, named by their paths: `x_train`, `train/images`.

    External links, virtual datasets and datasets whose bytes lie in other files are refused: they reach
    into files that nobody named. So is what would take far more memory than its shape says.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of all datasets, without their bytes."""
        with _opened(self._path) as file:
            return {name: tuple(dataset.shape or ()) for name, dataset in _datasets(file, self._path)}

    def read(self, name: str) -> NDArray[Any]:
        """One dataset."""
        with _opened(self._path) as file:
            dataset = dict(_datasets(file, self._path))[name]
            _check_stored(dataset, self.where(name))
            return np.asarray(dataset[()])

    def where(self, name: str) -> str:
        """The file's path and the dataset's."""
        return f"{self._path}: {name}"


def _datasets(
    group: Any, path: Path, prefix: str = "", depth: int = 0, met: Iterator[int] | None = None
) -> Iterator[tuple[str, Any]]:
    """Every array by its name; `met` counts the items of all groups, as a group may be linked many times over."""
    import h5py

    met = met or count(1)
    for key in group:
        if depth > MAX_DEPTH or next(met) > MAX_ITEMS:
            raise DataError(f"{path}: expected a few arrays, but its groups hold too much or lie too deep")
        name = f"{prefix}{key}"
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            raise DataError(f"{path}: {name} is a link to elsewhere, which is not followed")
        item = group[key]
        if isinstance(item, h5py.Group):
            yield from _datasets(item, path, f"{name}/", depth + 1, met)
        elif isinstance(item, h5py.Dataset):
            _check_announced(item, name, f"{path}: {name}")
            yield name, item


def _check_announced(dataset: Any, name: str, where: str) -> None:
    """Refuse what a dataset says of itself, before any of its values is touched.

    What is neither images nor labels by its name, such as a list of the classes' names, is never read and may be
    other than numbers.
    """
    if dataset.is_virtual or dataset.external:
        raise DataError(f"{where}: its values lie in other files, which are not read")
    if role(name) and (dataset.shape is None or dataset.dtype.kind not in "iufb"):
        raise DataError(f"{where}: expected an array of numbers, but the type is {dataset.dtype}")
    size = max(math.prod(dataset.shape or ()) * dataset.dtype.itemsize, _chunk_bytes(dataset))
    if size > MAX_BYTES:
        raise DataError(f"{where}: takes {size:,} bytes in memory; at most {MAX_BYTES:,} are read")


def _check_stored(dataset: Any, where: str) -> None:
    """Refuse values that are not there, and compressed ones that unpack to more than their place takes."""
    if dataset.chunks is None:
        if dataset.size and not dataset.id.get_storage_size():
            raise DataError(f"{where}: announces {dataset.shape}, but holds no values")
        return
    filters = dataset.id.get_create_plist()
    codes = [filters.get_filter(place)[0] for place in range(filters.get_nfilters())]
    if not set(codes) <= {GZIP, SHUFFLE, FLETCHER32} or codes.count(GZIP) > 1:
        raise DataError(f"{where}: expected values plain or compressed by gzip, but the filters are {codes}")
    expected = math.prod(-(-size // chunk) for size, chunk in zip(dataset.shape, dataset.chunks, strict=True))
    found = dataset.id.get_num_chunks()
    if found != expected or found > MAX_CHUNKS:
        raise DataError(f"{where}: expected its values in {expected:,} chunks, but {found:,} are there")
    if GZIP in codes:
        _check_unpacked(dataset, 1 << codes.index(GZIP), where)


def _check_unpacked(dataset: Any, gzip_bit: int, where: str) -> None:
    """HDF5 itself would let a chunk unpack to any size at all."""
    limit = _chunk_bytes(dataset) + CHECKSUM_BYTES
    for number in range(dataset.id.get_num_chunks()):
        place = dataset.id.get_chunk_info(number).chunk_offset
        left_out, stored = dataset.id.read_direct_chunk(place)
        if left_out & gzip_bit:  # a chunk may leave a filter out
            continue
        if len(zlib.decompressobj().decompress(stored, limit + 1)) > limit:
            raise DataError(f"{where}: a chunk unpacks to more than its {limit:,} bytes")


def _chunk_bytes(dataset: Any) -> int:
    return math.prod(dataset.chunks or (0,)) * int(dataset.dtype.itemsize)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import h5py  # half a second, which other sources do not need

    try:
        with h5py.File(path, "r") as file:
            yield file
    except DataError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, zlib.error) as error:
        raise DataError(f"{path}: is no HDF5 file, or a damaged one: {error}") from None
