"""Where a known data set may lie on this machine, in the order in which it is looked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from main.data.arrays import Arrays
from main.data.idxfolder import IdxArrays, is_idx_folder, is_whole_idx_folder
from main.data.known import KnownData
from main.data.paths import expanded

ENVIRONMENT = "OPTIMIZE_DATA"
"""The environment variable that names a folder of data sets."""


def find(known: KnownData) -> Arrays | None:
    """The first place that has the data set; None where none has.

    A folder of the user's that lacks some of the files is found, and refused when it is read; Keras's own is
    passed over, since Keras leaves one so when a download is interrupted.
    """
    for place in _own_places(known):
        if is_idx_folder(place):
            return IdxArrays(place)
        if place.is_file():
            return _npz(place)
    for place in _keras_places(known):
        if is_whole_idx_folder(place):
            return IdxArrays(place)
        if place.is_file():
            return _npz(place)
    return None


def places(known: KnownData) -> Iterator[Path]:
    """Every folder of IDX files and every `.npz` file that would be taken, first to last."""
    yield from _own_places(known)
    yield from _keras_places(known)


def keras_home() -> Path:
    """Keras's own folder, as Keras finds it."""
    return expanded(os.environ.get("KERAS_HOME") or "~/.keras")


def _own_places(known: KnownData) -> Iterator[Path]:
    for root in _roots():
        yield root / known.name
        yield root / known.name / f"{known.name}.npz"
        yield root / f"{known.name}.npz"


def _keras_places(known: KnownData) -> Iterator[Path]:
    for copy in known.keras_cache:
        yield keras_home() / "datasets" / copy


def _roots() -> Iterator[Path]:
    if os.environ.get(ENVIRONMENT):
        yield expanded(os.environ[ENVIRONMENT])
    yield Path("data")


def _npz(path: Path) -> Arrays:
    from main.data.npz import NpzArrays

    return NpzArrays(path)
