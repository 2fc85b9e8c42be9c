"""Files and folders that are either whole or absent, whatever happens while they are written."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = re.compile(r"\..+\.[a-z0-9_]{8}")
"""Names of files that `write_atomically` has not moved to their place, as a kill leaves them."""


def write_atomically(path: Path, content: bytes | str) -> None:
    """Replace `path` by `content` in one step that survives a kill or a power cut.

    The content is written beside the file, flushed to the disk, moved over it, and the folder's entry is flushed too
    (where the system can do that); until the move the old file stays whole.

    Raises:
        OSError: the folder cannot be written or the disk is full; no partial file is left behind.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        handle, beside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # a name that nobody gave helps nobody
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    except BaseException as error:
        Path(beside).unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error  # a full disk does not say for which file
        raise
    flush_folder(path.parent)


@contextmanager
def folder_at_once(path: Path) -> Iterator[Path]:
    """A new, empty folder to fill, which takes the place of `path` when it is left without an exception.

    Until then what is at `path` stays as it is, and the new folder lies beside it, by a hidden name. Everything is
    flushed to the disk together (where the system can do that): file by file it would take minutes of many files.

    Raises:
        OSError: the folder cannot be written; what was there is still there, and nothing is left beside it.
    """
    try:
        beside = tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error  # a name that nobody gave helps nobody
    with beside:
        new, old = Path(beside.name, "new"), Path(beside.name, "old")
        new.mkdir()
        yield new
        if hasattr(os, "sync"):
            os.sync()
        try:
            if path.exists():
                path.rename(old)
            new.rename(path)
        except BaseException:
            if old.exists() and not path.exists():
                old.rename(path)
            raise
        flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make renames and deletions in `folder` last; a no-op where folders cannot be opened (Windows)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
