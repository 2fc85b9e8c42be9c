"""Sources that other installed packages register as entry points of the group `optimize.sources`.

An entry point names a function without arguments that returns a mapping: either of named arrays
(`x_train`, `y_train`, `x_test`, `y_test` and the like) or of pairs, `{"train": (images, labels), "test": …}`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import numpy as np
from numpy.typing import NDArray

from main.data.arraysource import ArraySource
from main.data.errors import DataError, MissingData

GROUP = "optimize.sources"


class RegisteredArrays:
    """The arrays that a function of another package returned."""

    def __init__(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._name = name
        self._arrays = dict(arrays)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each array."""
        return {name: array.shape for name, array in self._arrays.items()}

    def read(self, name: str) -> NDArray[Any]:
        """One array."""
        return self._arrays[name]

    def where(self, name: str) -> str:
        """The source's name and the array's."""
        return f"{self._name}: {name}"


def registered_names() -> tuple[str, ...]:
    """Names of all sources that installed packages register, sorted."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def open_registered(name: str) -> ArraySource:
    """The source that another package registers under this name.

    Raises DataError where two packages do, and where its function fails or returns something else; a
    MissingData of its own, or a FileNotFoundError, counts as the source being missing.
    """
    entries = tuple(entry_points(group=GROUP, name=name))
    where = f"source {name}, registered by {', '.join(_package(entry) for entry in entries)}"
    if len(entries) > 1:
        raise DataError(f"{where}: expected one package to register it")
    try:
        returned = entries[0].load()()
    except DataError:
        raise
    except FileNotFoundError as error:
        raise MissingData(f"{where}: was not found: {error}") from error
    except Exception as error:  # another package's function may raise anything
        raise DataError(f"{where}: failed with {type(error).__name__}: {error}") from error
    return ArraySource(name, RegisteredArrays(name, _named(returned, where)))


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} ({entry.value})" if entry.dist else entry.value


def _named(returned: object, where: str) -> dict[str, NDArray[Any]]:
    if not isinstance(returned, Mapping) or not all(isinstance(key, str) for key in returned):
        raise DataError(f"{where}: expected a mapping of names to arrays, but it returned {type(returned).__name__}")
    named: dict[str, NDArray[Any]] = {}
    for key, value in returned.items():
        if isinstance(value, tuple | list) and len(value) == 2:
            named[f"{key}_images"], named[f"{key}_labels"] = (np.asarray(array) for array in value)
        else:
            named[key] = np.asarray(value)
    return named
