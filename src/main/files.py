"""Files and folders that are either whole or absent, whatever happens while they are written."""

from __future__ import annotations

import os
import re
import secrets
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
    with faults_named(path):
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        file = beside.open("xb")  # for whom the umask allows; one of `tempfile` would be its owner's alone
        try:
            with file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
    flush_folder(path.parent)


@contextmanager
def faults_named(path: Path) -> Iterator[None]:
    """Have it said of `path` what the system refuses in the body: a full disk names no file, others one of no meaning.

    Raises:
        OSError: as the body does, but for its file's name.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def folder_at_once(path: Path) -> Iterator[Path]:
    """A new, empty folder to fill, which takes the place of `path` when it is left without an exception.

    Until then what is at `path` stays as it is, and the new folder lies beside it, by a hidden name. Everything is
    flushed to the disk together (where the system can do that): file by file it would take minutes of many files.

    Raises:
        OSError: the folder cannot be written; what was there is still there, and nothing is left beside it.
    """
    with faults_named(path):
        beside = tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent)
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
