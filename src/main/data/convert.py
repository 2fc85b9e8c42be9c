"""One data set brought from one form to another, its bytes and its parts unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from main.data.arrays import Part
from main.data.arraysource import ArraySource
from main.data.errors import DataError
from main.data.paths import expanded, open_path
from main.data.source import Parts, Source, n_drawn_for_test
from main.data.sources import open_source
from main.data.splits import draw_test, joined
from main.data.writers import WRITERS, write_idx_folder

MAX_IDX_CLASSES = 256


@dataclass(frozen=True)
class Conversion:
    """What was written, and what of the source the new form could not keep."""

    path: Path
    """The file, or the folder of IDX files."""
    sizes: dict[Part, int]
    """Images of each part that was written."""
    notes: tuple[str, ...]
    """Sentences about what was merged, drawn, rounded or numbered anew; none where nothing was."""


def convert(source_path: str | Path, target_path: str | Path, *, overwrite: bool = False) -> Conversion:
    """Write the data of one file or folder in the form that the target's name asks for.

    Reads all that a sweep file can name as its source; a file or folder that is there comes before a name.
    Writes `.npz`, `.h5`, `.pkl` and `.pkl.gz` (which
    keep train, validation and test apart) and, for a name without an ending, a folder of the four IDX files
    (into which validation is merged, and for which a test set is drawn where there is none). What was
    written is read back and compared.

    Raises DataError where the source is refused, the target's form is unknown or cannot hold the data, or
    something is already there and `overwrite` is not set.
    """
    target = expanded(target_path)
    suffix = _suffix(target)
    if not overwrite and (target.is_file() or (target.is_dir() and any(target.iterdir()))):
        raise DataError(f"{target}: already exists, and is not overwritten")
    source = open_path(str(source_path)) if Path(source_path).exists() else open_source(str(source_path))
    parts = source.parts()
    notes = _notes(source)
    if suffix is None:
        parts, merged = _for_idx(parts, target)
        notes = (*notes, *merged)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        (WRITERS[suffix] if suffix else write_idx_folder)(target, parts)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror or error}") from None
    _compare(target, parts)
    return Conversion(target, {part: len(split) for part, split in parts.items()}, notes)


def _suffix(target: Path) -> str | None:
    """The ending that says how to write; None for a folder of IDX files."""
    fitting = [suffix for suffix in WRITERS if target.name.lower().endswith(suffix)]
    if not fitting and target.suffix:
        raise DataError(
            f"{target}: expected {', '.join(WRITERS)}, or a name without an ending for a folder of IDX files"
        )
    return max(fitting, key=len, default=None)


def _notes(source: Source) -> tuple[str, ...]:
    notes: list[str] = []
    classes = source.header().classes
    if classes != tuple(str(label) for label in range(len(classes))):
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


def _compare(target: Path, parts: Parts) -> None:
    written = open_path(str(target)).parts()
    for part, split in parts.items():
        same = part in written and np.array_equal(written[part].images, split.images)
        if not same or not np.array_equal(written[part].labels, split.labels):
            raise DataError(f"{target}: was written, but reads back differently in its {part} part")
