"""A folder of images per class, as photographs and scans are kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from main.data.bounded import MAX_BYTES
from main.data.errors import DataError
from main.data.picture import read_image
from main.data.records import Images, Labels, Split
from main.data.source import Header, Parts, n_drawn_for_test, n_drawn_for_validation
from main.data.splits import TEST_SEED, joined, stratified_order, test_places

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".pgm", ".ppm"})
IGNORED = frozenset({"thumbs.db", "desktop.ini"})
PART_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}

ANY_PART = tuple(name for names in PART_NAMES.values() for name in names)
MOST_NAMED = 5
"""Folders that are passed over, of which the remark has the names."""
NUMBER_DIGITS = 5
"""Digits of a number in an image's name, zeros in front; more where there are more images."""


def numbered_name(place: int, count: int) -> str:
    """What the image at a place, from 0, of a part of `count` images is called where names keep their order.

    The numbers run through all classes of the part: 00001.png may be a dog, and 00002.png a cat.
    """
    digits = max(NUMBER_DIGITS, len(str(count)))
    return f"{place + 1:0{digits}}.png"


def is_ignored(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or what file managers leave behind."""
    return name.startswith(".") or name.lower() in IGNORED


def is_class_name(name: str) -> bool:
    """Whether a folder can have this name and is then read as a class."""
    return name != "" and name.isprintable() and not is_ignored(name) and "/" not in name and "\\" not in name


class ImageFolder:
    """Images in one folder per class, beneath `train/` and `test/`, or without these.

    A folder of one of these names that holds images itself, beside others, is a class as they are, unless another of
    these names holds folders.
    Other folders beside `train/` are passed over, and the header's remark says so.
    Classes are the sorted names of the folders (by number where all are numbers). All images have one size.
    Where the first is greyscale all are (one channel); where it is in colour all are read as colour (three
    channels). Without `test/` one image in five is drawn for it. `validation/`, where there is one, becomes
    the end of the training file. Images come in a stratified order that is always the same, so that any
    stretch of them is a fair one; those of a part in which all are called as `numbered_name` has it, in that order.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        named = {part: _subfolders(folder, names) for part, names in PART_NAMES.items()}
        found = [path for paths in named.values() for path in paths]
        others = [path for path in _visible(folder) if path.is_dir() and not path.name.lower().startswith(ANY_PART)]
        if found and others and all(map(_is_class, found)):
            named = {part: [] for part in PART_NAMES}  # classes called so: trains, say, beside cars and planes
        parts = {part: _only(paths, part) for part, paths in named.items()}
        if parts["train"] is None and any(parts.values()):
            raise DataError(f"{folder}: has {', '.join(f'{part}/' for part in parts if parts[part])} but no train/")
        self._train = _Part(parts["train"] or folder)
        self._validation = parts["validation"] and _Part(parts["validation"])
        self._test = parts["test"] and _Part(parts["test"])
        beside = [path.name for path in _visible(folder) if path.is_dir() and path not in parts.values()]
        self._passed_over = beside if parts["train"] else []

    def header(self) -> Header:
        """Classes and counts from the names of files and folders, and the size of the first image."""
        n_train = len(self._train.paths)
        if not self._test:
            n_train -= n_drawn_for_test(n_train)
        n_validation = len(self._validation.paths) if self._validation else 0
        return Header(
            image_shape=self._image_shape,
            n_images=n_train + n_validation,
            classes=self._train.classes,
            validation=n_validation or n_drawn_for_validation(n_train),
            split="last" if n_validation else "stratified",
            remark=self._remark,
        )

    def training(self) -> Split:
        """The images of `train/`, less those drawn for a test set that is lacking, then `validation/`."""
        train = self._read(self._train, self._train.order if self._test else self._drawn[0])
        if not self._validation:
            return train
        return joined(train, self._read(self._validation, self._validation.order))

    def test(self) -> Split:
        """The images of `test/`, or those drawn for it."""
        if self._test:
            return self._read(self._test, np.arange(len(self._test.paths)))
        return self._read(self._train, self._drawn[1])

    def parts(self) -> Parts:
        """The images of each folder there is."""
        train = self._read(self._train, self._train.order)
        if self._test is None and self._validation is None:
            return {"whole": train}
        parts: Parts = {"train": train}
        if self._validation:
            parts["validation"] = self._read(self._validation, self._validation.order)
        if self._test:
            parts["test"] = self.test()
        return parts

    @property
    def _remark(self) -> str | None:
        """Folders beside `train/` that are not read: one may be a part by a name that is not known."""
        if not self._passed_over:
            return None
        named = [f"{name if name.isprintable() else ascii(name)}/" for name in self._passed_over[:MOST_NAMED]]
        others = len(self._passed_over) - len(named)
        more = f" and {others:,} more" if others else ""
        return f"{self.name}: passed over beside train/: {', '.join(named)}{more}"

    @cached_property
    def _image_shape(self) -> tuple[int, int, int]:
        height, width, channels = read_image(self._train.paths[0]).shape
        return height, width, channels

    @property
    def _drawn(self) -> tuple[Labels, Labels]:
        """Places of the images that (train, test): those that a file drawn from `parts` would be drawn for."""
        order = self._train.order
        training, test = test_places(self._train.labels[order], n_drawn_for_test(len(order)))
        return order[training], order[test]

    def _read(self, part: _Part, order: Labels) -> Split:
        if part.classes != self._train.classes:
            differing = ", ".join(sorted(set(part.classes) ^ set(self._train.classes)))
            raise DataError(f"{part.folder}: expected the classes of {self._train.folder}; differing: {differing}")
        return Split(self._read_images([part.paths[place] for place in order]), part.labels[order])

    def _read_images(self, paths: Sequence[Path]) -> Images:
        height, width, channels = self._image_shape
        size = len(paths) * height * width * channels
        if size > MAX_BYTES:
            raise DataError(
                f"{self.name}: {len(paths):,} images of {width} × {height} × {channels} take {size:,} bytes; "
                f"at most {MAX_BYTES:,} are read"
            )
        images = np.empty((len(paths), height, width, channels), dtype=np.uint8)
        for place, path in enumerate(paths):
            images[place] = self._fitting(read_image(path), path)
        return images

    def _fitting(self, image: Images, path: Path) -> Images:
        """The image, if it is of the first one's size and no colour is lost; refused by name otherwise."""
        height, width, channels = self._image_shape
        if image.shape[:2] != (height, width):
            raise DataError(
                f"{path}: expected {width} × {height} pixels, as {self._train.paths[0]} has, "
                f"but found {image.shape[1]} × {image.shape[0]}; bring all images to one size first"
            )
        if image.shape[2] > channels:
            raise DataError(f"{path}: is in colour, but {self._train.paths[0]} is greyscale; expected all alike")
        return image


class _Part:
    """One folder of class folders: its classes, files and labels, in the order of their numbers or else names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.classes = _in_order([path.name for path in _visible(folder) if path.is_dir()])
        for name in self.classes:
            if not name.isprintable():  # no table, card or chart could be written of it
                raise DataError(f"{folder}: the name of class {name!a} cannot be shown; rename the folder")
        if len(self.classes) < 2:
            raise DataError(
                f"{folder}: expected a folder of images for each of two classes or more, "
                f"but found {', '.join(self.classes) or 'none'}"
            )
        files = [_image_files(folder / name) for name in self.classes]
        self.paths = [path for of_class in files for path in of_class]
        self.labels = np.repeat(np.arange(len(files)), [len(of_class) for of_class in files])
        self._is_numbered = _are_numbered(self.paths)
        if self._is_numbered:
            places = sorted(range(len(self.paths)), key=lambda place: self.paths[place].name)
            self.paths, self.labels = [self.paths[place] for place in places], self.labels[places]

    @property
    def order(self) -> Labels:
        """Places of the images, (n,), in the order in which they train."""
        return np.arange(len(self.labels)) if self._is_numbered else stratified_order(self.labels, TEST_SEED)


def _are_numbered(paths: Sequence[Path]) -> bool:
    """Whether the files of a part are called as `numbered_name` has it, each number once."""
    return {path.name for path in paths} == {numbered_name(place, len(paths)) for place in range(len(paths))}


def _in_order(names: Sequence[str]) -> tuple[str, ...]:
    """Names sorted, as numbers where all of them are."""
    return tuple(sorted(names, key=int if all(map(str.isdecimal, names)) else None))


def _image_files(folder: Path) -> list[Path]:
    files = _visible(folder)
    for path in files:
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            raise DataError(f"{path}: expected images ({', '.join(sorted(SUFFIXES))}) in the folder of a class")
    if not files:
        raise DataError(f"{folder}: expected images of class {folder.name}, but it is empty")
    return files


def _visible(folder: Path) -> list[Path]:
    """What a folder holds, sorted, without what file managers leave there."""
    return sorted(path for path in folder.iterdir() if not is_ignored(path.name))


def _is_class(folder: Path) -> bool:
    """Whether a folder holds images itself, and no folders of them."""
    held = _visible(folder)
    return any(path.suffix.lower() in SUFFIXES for path in held) and not any(path.is_dir() for path in held)


def _subfolders(folder: Path, names: tuple[str, ...]) -> list[Path]:
    return [path for path in _visible(folder) if path.is_dir() and path.name.lower() in names]


def _only(paths: Sequence[Path], part: str) -> Path | None:
    """The folder of a part, where there is one. Raises DataError for two: the images of one would be passed over."""
    if len(paths) > 1:
        first, second, *_ = paths
        raise DataError(f"{first.parent}: both {first.name}/ and {second.name}/ could be the {part} part")
    return paths[0] if paths else None
