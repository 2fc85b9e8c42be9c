"""A source whose images and labels are named arrays of a file, of a folder or of another package."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from main.data import normal
from main.data.arrays import PART_ORDER, Arrays, Part, Role, names_by_role
from main.data.checksums import idx_md5
from main.data.errors import DataError
from main.data.known import KnownData
from main.data.records import Images, Labels, Split
from main.data.source import Header, Parts, n_drawn_for_test, n_drawn_for_validation
from main.data.splits import draw_test, joined


class ArraySource:
    """Images and labels of named arrays.

    A validation part becomes the end of the training file, where the default split finds it again. Where
    there is no test part, one image in five of the training part is drawn for it by `draw_test`.
    """

    def __init__(self, name: str, arrays: Arrays, known: KnownData | None = None) -> None:
        self.name = name
        self._arrays = arrays
        self._known = known

    def header(self) -> Header:
        """Sizes from the arrays' shapes, and classes from the labels where the source is not a known one."""
        for part in self._parts:
            self._check_shapes(part)
        if self._known:
            self._check_known(self._known)
            return self._known.header()
        n_train = self._count(self._main_part)
        if "test" not in self._parts:
            n_train -= n_drawn_for_test(n_train)
        n_validation = self._count("validation") if "validation" in self._parts else 0
        return Header(
            image_shape=self._image_shape(self._main_part),
            n_images=n_train + n_validation,
            classes=tuple(str(value) for value in self._values),
            validation=n_validation or n_drawn_for_validation(n_train),
            split="last" if n_validation or "test" in self._parts else "stratified",
        )

    def training(self) -> Split:
        """The training part, less what is drawn for a lacking test set, then the validation part."""
        self.header()
        train = self._read(self._main_part)
        if "test" not in self._parts:
            train, _ = draw_test(train, n_drawn_for_test(len(train)))
        return joined(train, self._read("validation")) if "validation" in self._parts else train

    def test(self) -> Split:
        """The test part, or the images drawn for it."""
        self.header()
        if "test" in self._parts:
            return self._read("test")
        train = self._read(self._main_part)
        return draw_test(train, n_drawn_for_test(len(train)))[1]

    def parts(self) -> Parts:
        """The parts that the file has."""
        self.header()
        return {part: self._read(part) for part in self._parts}

    def rounded(self) -> tuple[str, ...]:
        """Which images are stored finer than the 256 grey levels that are read."""
        names = {part: self._names[Role(part, "images")] for part in self._parts}
        return tuple(
            name
            for part, name in names.items()
            if normal.is_rounded(self._arrays.read(name), self._arrays.where(name), self._scale(part))
        )

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return self._arrays.shapes()

    @cached_property
    def _names(self) -> dict[Role, str]:
        return names_by_role(self._shapes, self.name)

    @cached_property
    def _parts(self) -> tuple[Part, ...]:
        return tuple(part for part in PART_ORDER if Role(part, "images") in self._names)

    @cached_property
    def _main_part(self) -> Part:
        return "train" if "train" in self._parts else "whole"

    @cached_property
    def _values(self) -> tuple[int, ...]:
        """The labels of the classes as the source numbers them."""
        if self._known:
            return tuple(range(len(self._known.classes)))
        labels = self._raw_labels(self._main_part)
        return normal.class_values(labels, self._where(Role(self._main_part, "labels")))

    def _where(self, role: Role) -> str:
        return self._arrays.where(self._names[role])

    def _count(self, part: Part) -> int:
        return self._shape(Role(part, "images"))[0]

    def _shape(self, role: Role) -> tuple[int, ...]:
        shape = self._shapes[self._names[role]]
        if not shape:
            raise DataError(f"{self._where(role)}: expected {role.kind}, but it is a single number")
        return shape

    def _image_shape(self, part: Part) -> tuple[int, int, int]:
        role = Role(part, "images")
        return normal.image_shape(self._shape(role), self._where(role))

    def _check_shapes(self, part: Part) -> None:
        images, labels = Role(part, "images"), Role(part, "labels")
        expected, found = self._image_shape(self._main_part), self._image_shape(part)
        if found != expected:
            raise DataError(
                f"{self._where(images)}: expected images of {normal.times(expected)} as in training, "
                f"but found {normal.times(found)}"
            )
        n_images, n_labels = self._count(part), self._shape(labels)[0]
        if n_images != n_labels:
            raise DataError(
                f"{self._where(labels)}: expected a label for each of the {n_images:,} images, but found {n_labels:,}"
            )

    def _check_known(self, known: KnownData) -> None:
        if set(self._parts) != set(known.n_images):
            raise DataError(f"{self.name}: expected train and test, but found {', '.join(self._parts)}")
        for part in self._parts:
            expected = (known.n_images[part], *known.image_shape)
            found = (self._count(part), *self._image_shape(part))
            if found != expected:
                where = self._where(Role(part, "images"))
                raise DataError(
                    f"{where}: expected {normal.times(expected)} of {known.name}, but found {normal.times(found)}"
                )

    def _read(self, part: Part) -> Split:
        images_role, labels_role = Role(part, "images"), Role(part, "labels")
        array = self._arrays.read(self._names[images_role])
        if part == self._main_part and not self._known:
            self._main_scale = normal.scale_of(array, self._where(images_role))  # for the others, read once
        images = normal.images(array, self._where(images_role), self._scale(part))
        labels = normal.numbered(self._raw_labels(part), self._values, self._where(labels_role))
        if self._known:
            self._check_md5(self._known, images_role, images[..., 0])
            self._check_md5(self._known, labels_role, labels.astype(np.uint8))
        return Split(images, labels)

    def _scale(self, part: Part) -> int | None:
        """By what the part's pixels are multiplied; None where they say so themselves, as the main part's do.

        Those of a known source do too: their checksums are compared.
        """
        return None if self._known or part == self._main_part else self._main_scale

    @cached_property
    def _main_scale(self) -> int:
        role = Role(self._main_part, "images")
        return normal.scale_of(self._arrays.read(self._names[role]), self._where(role))

    def _raw_labels(self, part: Part) -> Labels:
        role = Role(part, "labels")
        return normal.labels(self._arrays.read(self._names[role]), self._where(role))

    def _check_md5(self, known: KnownData, role: Role, array: Images) -> None:
        expected, found = known.md5.get(role), idx_md5(array)
        if expected not in (None, found):
            raise DataError(
                f"{self._where(role)}: wrong checksum: expected md5 {expected} of the decompressed IDX file, "
                f"but found {found}"
            )
