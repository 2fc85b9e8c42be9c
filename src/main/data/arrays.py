"""Files that hold data as named arrays, and what the names mean.

`x_train`, `train_images`, `train/x`, `X_train` or `train-images-idx3-ubyte` all mean the images of the
training part: a name is split into words, of which one may name the part and one must name the kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, Protocol

from numpy.typing import NDArray

from main.data.errors import DataError

Part = Literal["train", "validation", "test", "whole"]
PART_ORDER: tuple[Part, ...] = ("train", "validation", "test", "whole")
Kind = Literal["images", "labels"]

PART_WORDS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "t10k": "test",
}
KIND_WORDS: dict[str, Kind] = {
    "x": "images",
    "image": "images",
    "images": "images",
    "data": "images",
    "features": "images",
    "inputs": "images",
    "y": "labels",
    "label": "labels",
    "labels": "labels",
    "target": "labels",
    "targets": "labels",
}
OTHER: dict[Kind, Kind] = {"images": "labels", "labels": "images"}


class Role(NamedTuple):
    """What an array is for; part `whole` is a source that comes without a test set."""

    part: Part
    kind: Kind


class Arrays(Protocol):
    """The named arrays of one file or folder, each read only when asked for.

    Every method raises DataError where the file is not what it should be.
    """

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of each array by its name, from headers where the format has them."""

    def read(self, name: str) -> NDArray[Any]:
        """One array, of whatever number type it was stored in."""

    def where(self, name: str) -> str:
        """How messages call one array: its file, and its name within it."""


def role(name: str) -> Role | None:
    """What an array of this name is for; None where the name does not say."""
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    parts = {PART_WORDS[word] for word in words if word in PART_WORDS}
    kinds = {KIND_WORDS[word] for word in words if word in KIND_WORDS}
    if len(kinds) != 1 or len(parts) > 1:
        return None
    return Role(parts.pop() if parts else "whole", kinds.pop())


def names_by_role(names: Iterable[str], where: str) -> dict[Role, str]:
    """Which array is which.

    Raises DataError where two have one role, images lack their labels, or there is nothing to train on.
    """
    found: dict[Role, str] = {}
    names = tuple(names)
    for name in names:
        meant = role(name)
        if meant is None:
            continue
        if meant in found:
            raise DataError(f"{where}: both {found[meant]} and {name} could be the {_said(meant)}")
        found[meant] = name
    _check_complete(found, names, where)
    return found


def _check_complete(found: dict[Role, str], names: tuple[str, ...], where: str) -> None:
    parts = {meant.part for meant in found}
    if "whole" in parts and len(parts) > 1:
        whole = next(name for meant, name in found.items() if meant.part == "whole")
        raise DataError(f"{where}: {whole} does not say whether it trains or tests, as the others do")
    if not parts & {"train", "whole"}:
        raise DataError(
            f"{where}: expected x_train, y_train, x_test and y_test (or train_images, train_labels, …), "
            f"but found {', '.join(sorted(names)) or 'nothing'}"
        )
    for meant, name in found.items():
        other = Role(meant.part, OTHER[meant.kind])
        if other not in found:
            raise DataError(f"{where}: {name} is there, but not the {_said(other)}")


def _said(meant: Role) -> str:
    return meant.kind if meant.part == "whole" else f"{meant.part} {meant.kind}"
