"""A folder of four IDX files, plain or gzipped, named as MNIST's own."""

from __future__ import annotations

import re
from pathlib import Path

from main.data.errors import DataError
from main.data.idx import read_idx, read_idx_shape
from main.data.records import Images

IDX_NAME = re.compile(r"(?:.*[-_])?(train|t10k|test)-(images|labels)[-.]idx[1-4]-ubyte(\.gz)?", re.IGNORECASE)
"""`train-images-idx3-ubyte.gz`; `t10k-labels.idx1-ubyte`; `emnist-letters-test-images-idx3-ubyte.gz`."""
USUAL_NAMES = {
    "train-images": "train-images-idx3-ubyte",
    "train-labels": "train-labels-idx1-ubyte",
    "test-images": "t10k-images-idx3-ubyte",
    "test-labels": "t10k-labels-idx1-ubyte",
}


def is_idx_folder(folder: Path) -> bool:
    """Whether any file of the folder is named as one of MNIST's IDX files."""
    return folder.is_dir() and any(IDX_NAME.fullmatch(path.name) for path in folder.iterdir())


def is_whole_idx_folder(folder: Path) -> bool:
    """Whether all four files are there."""
    return is_idx_folder(folder) and not _lacking(_idx_files(folder))


class IdxArrays:
    """The four arrays of a folder of IDX files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = _idx_files(folder)
        if lacking := _lacking(self._files):
            raise DataError(f"{folder}: expected four IDX files, but {', '.join(lacking)} (or .gz) is not there")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes from the headers of the files."""
        return {name: read_idx_shape(path) for name, path in self._files.items()}

    def read(self, name: str) -> Images:
        """All of one file, uint8."""
        return read_idx(self._files[name])

    def where(self, name: str) -> str:
        """The file's path."""
        return str(self._files.get(name, self._folder))


def _idx_files(folder: Path) -> dict[str, Path]:
    """Each of the four files by what it holds; of a plain and a gzipped copy the plain one."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), key=lambda path: (path.suffix.lower() == ".gz", path.name)):
        match = IDX_NAME.fullmatch(path.name)
        if match is None:
            continue
        part, kind, packed = match.groups()
        name = f"{'train' if part.lower() == 'train' else 'test'}-{kind.lower()}"
        if name not in found:
            found[name] = path
        elif found[name].name != path.name.removesuffix(packed or ""):
            raise DataError(f"{folder}: both {found[name].name} and {path.name} could be the {name}")
    return found


def _lacking(found: dict[str, Path]) -> list[str]:
    return [usual for name, usual in USUAL_NAMES.items() if name not in found]
