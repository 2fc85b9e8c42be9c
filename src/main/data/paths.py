"""From a path to its arrays: which format a file or folder has."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import cast

from main.data.arrays import Arrays
from main.data.arraysource import ArraySource
from main.data.errors import DataError, MissingData
from main.data.idxfolder import IdxArrays, is_idx_folder
from main.data.source import Source

FILE_READERS = {
    ".npz": "main.data.npz:NpzArrays",
    ".h5": "main.data.hdf5:Hdf5Arrays",
    ".hdf5": "main.data.hdf5:Hdf5Arrays",
    ".pkl": "main.data.pickled:PickledArrays",
    ".pkl.gz": "main.data.pickled:PickledArrays",
    ".pickle": "main.data.pickled:PickledArrays",
    ".pickle.gz": "main.data.pickled:PickledArrays",
}
"""What reads a file, by how its name ends; imported only when a file is there to be read."""


def is_path(name: str) -> bool:
    """Whether a source is meant as a path: it has a separator or a known ending, or lies there."""
    return "/" in name or "\\" in name or suffix_of(Path(name)) is not None or exists(name)


def expanded(path: str | Path) -> Path:
    """A path whose `~` is somebody's home. Raises MissingData where there is nobody of that name."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise MissingData(f"{path} was not found: no user of this machine has that name") from None


def open_path(name: str) -> Source:
    """The source at a path.

    Raises MissingData where nothing is there, DataError where it is not of a known format.
    """
    path = expanded(name)
    if not path.exists():
        where = "" if Path(name).is_absolute() else f": looked for {path.absolute()}"
        raise MissingData(f"{name} was not found{where}")
    if path.is_dir() and not is_idx_folder(path):
        from main.data.images import ImageFolder  # Pillow

        return ImageFolder(name, path)
    return ArraySource(name, open_arrays(path))


def open_arrays(path: Path) -> Arrays:
    """The named arrays of a file, or of a folder of IDX files. Raises DataError for other formats."""
    if is_idx_folder(path):
        return IdxArrays(path)
    suffix = suffix_of(path)
    if suffix is None or path.is_dir():
        raise DataError(f"{path}: expected {', '.join(FILE_READERS)}, or a folder of four IDX files")
    module, _, reader = FILE_READERS[suffix].partition(":")
    return cast(Callable[[Path], Arrays], getattr(import_module(module), reader))(path)


def exists(name: str) -> bool:
    """Whether something lies at a path; nothing does at an empty one, which is not the folder one is in."""
    try:
        return name != "" and Path(name).exists()
    except OSError:  # a name too long for any file
        return False


def suffix_of(path: Path) -> str | None:
    """The known ending of a file's name, the longest that fits; None where none does."""
    fitting = [suffix for suffix in FILE_READERS if path.name.lower().endswith(suffix)]
    return max(fitting, key=len, default=None)
