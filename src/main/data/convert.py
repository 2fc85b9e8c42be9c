"""One data set brought from one form to another, its bytes and its parts unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from main.data.arrays import Part
from main.data.arraysource import ArraySource
from main.data.errors import DataError
from main.data.images import is_class_name, is_ignored
from main.data.paths import exists, expanded, open_path
from main.data.source import Parts, Source, n_drawn_for_test
from main.data.sources import open_source
from main.data.splits import draw_test, joined
from main.data.writers import IMAGE_FOLDERS, WRITERS, write_idx_folder, write_image_folder

MAX_IDX_CLASSES = 256


@dataclass(frozen=True)
class Conversion:
    """What was written, and what of the source the new form could not keep."""

    path: Path
    """The file or folder."""
    sizes: dict[Part, int]
    """Images of each part that was written."""
    notes: tuple[str, ...]
    """Sentences about what was passed over, merged, drawn, rounded or numbered anew; none where nothing was."""


def convert(
    source_path: str | Path, target_path: str | Path, *, images: bool = False, overwrite: bool = False
) -> Conversion:
    """Write the data of one file or folder in the form that the target's name asks for, or as images.

    Reads all that a sweep file can name as its source; a file or folder that is there comes before a name.
    Writes `.npz`, `.h5`, `.pkl` and `.pkl.gz` (which keep train, validation and test apart) and, for a name without
    an ending, a folder of the four IDX files (into which validation is merged, and for which a test set is drawn where
    there is none). With `images` it writes PNGs instead, in a folder per class, which keep the parts, their order and
    the names of the classes. What was written is read back and compared.

    Raises DataError where the source is refused, the target's form is unknown or cannot hold the data, or
    something is already there and `overwrite` is not set.
    """
    target = expanded(target_path)
    suffix = _suffix(target, images)
    _check_free(target, images, overwrite)
    source = (open_path if exists(str(source_path)) else open_source)(str(source_path))
    parts, classes = source.parts(), source.header().classes
    notes = _notes(source, names_are_kept=images)
    write = WRITERS[suffix] if suffix else write_idx_folder
    if images:
        parts = _for_images(parts, classes, target)
        write = partial(write_image_folder, classes=classes)
    elif suffix is None:
        parts, merged = _for_idx(parts, target)
        notes = (*notes, *merged)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write(target, parts)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror or error}") from None
    _compare(target, parts)
    return Conversion(target, {part: len(split) for part, split in parts.items()}, notes)


def _suffix(target: Path, images: bool) -> str | None:
    """The ending that says how to write; None for a folder, of IDX files unless it is to be one of images."""
    fitting = [suffix for suffix in WRITERS if target.name.lower().endswith(suffix)]
    if images and fitting:
        raise DataError(f"{target}: images are written to a folder, but {fitting[-1]} is the ending of a file")
    if not images and not fitting and target.suffix:
        raise DataError(
            f"{target}: expected {', '.join(WRITERS)}, or a name without an ending for a folder of IDX files"
        )
    return max(fitting, key=len, default=None)


def _check_free(target: Path, images: bool, overwrite: bool) -> None:
    """Raises DataError where something is in the way: images take the place of a whole folder and what is in it."""
    held = sorted(path.name for path in target.iterdir()) if target.is_dir() else []
    if not overwrite and (held or target.is_file()):
        raise DataError(f"{target}: already exists, and is not overwritten")
    others = [name for name in held if name not in IMAGE_FOLDERS.values() and not is_ignored(name)]
    if images and others:
        raise DataError(f"{target}: holds {others[0]}, which is no part of a folder of images, and is not overwritten")


def _notes(source: Source, *, names_are_kept: bool) -> tuple[str, ...]:
    header = source.header()
    notes, classes = [header.remark] if header.remark else [], header.classes
    if not names_are_kept and classes != tuple(str(label) for label in range(len(classes))):
        numbers = ", ".join(f"{name} is {label}" for label, name in enumerate(classes))
        notes.append(f"classes are numbered: {numbers}")
    if isinstance(source, ArraySource) and (rounded := source.rounded()):
        notes.append(f"pixels of {', '.join(rounded)} are rounded to 256 levels")
    return tuple(notes)


def _for_idx(parts: Parts, target: Path) -> tuple[Parts, tuple[str, ...]]:
    """The two parts that a folder of IDX files holds, and what was done to have them."""
    notes: list[str] = []
    train = parts.get("train") or parts["whole"]
    n_classes = max(int(split.labels.max()) for split in parts.values()) + 1
    if n_classes > MAX_IDX_CLASSES:
        raise DataError(f"{target}: IDX files hold at most {MAX_IDX_CLASSES} classes, but there are {n_classes:,}")
    test = parts.get("test")
    if test is None:
        train, test = draw_test(train, n_drawn_for_test(len(train)))
        notes.append(f"a test set of {len(test):,} images was drawn, which the source does not have")
    if validation := parts.get("validation"):
        notes.append(
            f"the {len(validation):,} validation images now end the training file, where "
            f"`validation: {len(validation)}` finds them"
        )
        train = joined(train, validation)
    return {"train": train, "test": test}, tuple(notes)


def _for_images(parts: Parts, classes: Sequence[str], target: Path) -> Parts:
    """The parts as a folder of images per class has them, where `train/` alone is a whole.

    Raises DataError where folders cannot be called as the classes are, or would be empty.
    """
    for name in classes:
        if not is_class_name(name):
            raise DataError(
                f"{target}: the images of class {name!r} need a folder of that name, which no folder can have"
            )
    for part, split in parts.items():
        absent = np.setdiff1d(np.arange(len(classes)), split.labels)
        if absent.size:
            raise DataError(
                f"{target}: a folder of images has some of each class, but the {part} part has none of class "
                f"{classes[absent[0]]}"
            )
    return {"whole": parts["train"]} if tuple(parts) == ("train",) else parts


def _compare(target: Path, parts: Parts) -> None:
    written = open_path(str(target)).parts()
    for part, split in parts.items():
        same = part in written and np.array_equal(written[part].images, split.images)
        if not same or not np.array_equal(written[part].labels, split.labels):
            raise DataError(f"{target}: was written, but reads back differently in its {part} part")
