"""Arrays of a pickle such as `mnist.pkl.gz`, read without running anything that it asks for.

A pickle is a program. This reader lets it do one thing, build plain NumPy arrays, and stands in for NumPy
even there: the names by which a pickle calls on NumPy lead to the few lines below, which look at every
argument, and never to NumPy's own unpickling, which believes what a pickle says of memory.
"""

from __future__ import annotations

import math
import pickle
import pickletools
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from main.data.bounded import MAX_BYTES, BoundedReader, opened
from main.data.errors import DataError

MAX_OPERATIONS = 10_000
"""Operations of a whole pickle: arrays take about 40 each."""
MAX_DIMENSIONS = 4
"""Of an array: images, height, width and channels."""
MAX_BITS = 64
"""Of a whole number: nothing said of an array takes more, and the product of a few that do takes minutes."""
PLAIN_TYPE = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248])")
PARTS = {2: ("train", "test"), 3: ("train", "validation", "test")}
"""What the pairs of (images, labels) in a pickled tuple are, by how many there are."""


class PickledArrays:
    """The arrays of a pickle, gzipped or not.

    It holds two or three pairs of images and labels, (train, validation, test) as `mnist.pkl.gz` does or
    (train, test), or a dictionary of named arrays.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes, for which the whole pickle is read: the format has no header."""
        return {name: array.shape for name, array in self._arrays.items()}

    def read(self, name: str) -> NDArray[Any]:
        """One array, read-only."""
        return self._arrays[name]

    def where(self, name: str) -> str:
        """The file's path and the array's name."""
        return f"{self._path}: {name}"

    @cached_property
    def _arrays(self) -> dict[str, NDArray[Any]]:
        return _named(read_pickle(self._path), str(self._path))


def read_pickle(path: Path) -> Any:
    """The arrays of a pickle in the tuples, lists and dictionaries that hold them.

    Raises DataError, without having run anything, where the pickle asks for more than arrays, and where it
    is damaged or unpacks to more than is read.
    """
    _inspect(path)
    with opened(path) as stream:
        try:
            value = _ArrayUnpickler(_bounded(stream, path), path).load()
            if stream.read(1):  # the end is also where gzip compares checksums
                raise DataError(f"{path}: expected the file to end with its pickle, but more follows")
            return value
        except DataError:
            raise
        except (EOFError, OSError):
            raise  # `opened` knows what these mean
        except Exception as error:  # a damaged pickle may raise anything at all
            raise DataError(f"{path}: is no pickle of plain arrays, or a damaged one: {error}") from None


def _inspect(path: Path) -> None:
    """Walk through the pickle's operations without doing any, so that a bomb is seen before it goes off."""
    with opened(path) as stream:
        try:
            for count, (operation, argument, _) in enumerate(pickletools.genops(_bounded(stream, path))):
                slot = argument if "PUT" in operation.name and argument is not None else 0
                if count > MAX_OPERATIONS or slot > MAX_OPERATIONS:
                    raise DataError(f"{path}: expected a pickle of a few arrays, but it holds much more")
                if isinstance(argument, int) and argument.bit_length() > MAX_BITS:
                    raise DataError(f"{path}: expected a pickle of arrays, but it holds a number above {MAX_BITS} bits")
        except DataError:
            raise
        except (ValueError, UnicodeError) as error:
            raise DataError(f"{path}: is no pickle, or a damaged one: {error}") from None


def _bounded(stream: BinaryIO, path: Path) -> BinaryIO:
    return cast(BinaryIO, BoundedReader(stream, MAX_BYTES, str(path)))


class _ArrayUnpickler(pickle.Unpickler):
    """Knows how arrays are built, and nothing else."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        super().__init__(stream, encoding="latin1")  # arrays of Python 2 carry their bytes as text
        self._path = path
        self._made = 0
        self._stand_ins: Mapping[tuple[str, str], Callable[..., Any]] = {
            ("numpy", "dtype"): _Type,
            ("numpy", "ndarray"): _Array,
            ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(self._bytes),
            ("numpy.core.numeric", "_frombuffer"): _build,
            ("_codecs", "encode"): self._encode,
        }

    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        """What stands in for a name of NumPy's; raises DataError for every other name."""
        known = self._stand_ins.get((module.replace("numpy._core", "numpy.core"), name))
        if known is None:
            raise DataError(f"{self._path}: a pickle of arrays has no use for {module}.{name}: nothing was run")
        return known

    def persistent_load(self, pid: Any) -> Any:
        """Refused: arrays have no persistent references."""
        raise DataError(f"{self._path}: a pickle of arrays has no persistent references: nothing was run")

    def _encode(self, text: str, encoding: str) -> bytes:
        """Stands in for _codecs.encode, by which Python 3 writes bytes in Python 2's format."""
        if encoding != "latin1":
            raise ValueError(f"expected bytes in latin1, but found {encoding!r:.80}")
        return self._bytes(text)

    def _bytes(self, text: str) -> bytes:
        """The bytes that a text stands for; one that is written once may be asked for many times over."""
        self._made += len(text)
        if self._made > MAX_BYTES:
            raise DataError(f"{self._path}: its arrays take more than {MAX_BYTES:,} bytes")
        return text.encode("latin1")


class _Type:
    """Stands in for numpy.dtype."""

    def __init__(self, code: str, *_: Any) -> None:
        if not isinstance(code, str) or not PLAIN_TYPE.fullmatch(code):
            raise ValueError(f"expected numbers, but the array is of type {code!r}")
        self.plain = np.dtype(code)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order, *structure = state[1:5]
        if order not in ("<", ">", "|", "=") or structure != [None, None, None]:
            raise ValueError("expected plain numbers, but the array has fields of its own")
        self.plain = self.plain.newbyteorder(order)


class _Array:
    """Stands in for numpy.ndarray until its bytes are there."""

    built: NDArray[Any] | None = None

    def __init__(self, to_bytes: Callable[[str], bytes]) -> None:
        self._to_bytes = to_bytes

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_columns, data = state
        if isinstance(data, str):
            data = self._to_bytes(data)
        self.built = _build(data, kind, shape, "F" if by_columns else "C")


def _build(data: Any, kind: Any, shape: Any, order: Any) -> NDArray[Any]:
    """An array from its bytes, once they are what its type and shape need."""
    if not isinstance(kind, _Type) or not isinstance(data, bytes | bytearray) or order not in ("C", "F"):
        raise ValueError("expected an array of numbers")
    if not isinstance(shape, tuple) or len(shape) > MAX_DIMENSIONS or not all(map(_is_size, shape)):
        raise ValueError(f"expected the shape of an array, but found {shape!r:.80}")
    if math.prod(shape) * kind.plain.itemsize != len(data):
        raise ValueError(f"an array of shape {shape} and type {kind.plain} does not take {len(data):,} bytes")
    array = np.frombuffer(data, dtype=kind.plain).reshape(shape, order=order)
    array.flags.writeable = False
    return array


def _is_size(size: Any) -> bool:
    return isinstance(size, int) and 0 <= size <= MAX_BYTES


def _named(value: Any, where: str) -> dict[str, NDArray[Any]]:
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {name: _finished(array, where) for name, array in value.items()}
    if isinstance(value, tuple | list) and len(value) in PARTS:
        pairs = zip(PARTS[len(value)], value, strict=True)
        if all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in value):
            return {
                f"{kind}_{part}": _finished(array, where)
                for part, pair in pairs
                for kind, array in zip("xy", pair, strict=True)
            }
    raise DataError(
        f"{where}: expected (images, labels) pairs for train, validation and test (or train and test), "
        f"or a dictionary of named arrays"
    )


def _finished(value: Any, where: str) -> NDArray[Any]:
    array = value.built if isinstance(value, _Array) else value
    if not isinstance(array, np.ndarray):
        raise DataError(f"{where}: expected NumPy arrays, but found {type(value).__name__.strip('_').lower()}")
    return array
