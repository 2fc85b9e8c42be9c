"""One process at a time: a sweep's folder is held by a lock on a file in it, which ends with the process."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from main.errors import UserError
from main.files import faults_named

_HELD = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES}  # what locking a file says that another process has locked


class SweepLocked(UserError):
    """Another process is running this sweep."""


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the folder of a lock file for this process; freed when the process ends, however it ends.

    Raises:
        SweepLocked: another process holds it; the message names it.
        UserError: the file system has no locks.
        OSError: the file cannot be made or written.
    """
    with path.open("a+b", buffering=0) as file:
        try:
            ours = _try_lock(file.fileno())
        except OSError as error:
            said = f"{path} cannot be locked ({error.strerror}): use a disk of this machine"
            raise UserError(said) from error
        if not ours:
            file.seek(0)
            holder = file.read().decode(errors="replace").strip() or "another process"
            raise SweepLocked(f"{path.parent} is being run by {holder}")
        if not _is_at(path, file.fileno()):
            raise SweepLocked(f"{path.parent} has just been set aside, or removed, by another process")
        file.seek(0)
        file.truncate()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with faults_named(path):
            file.write(f"process {os.getpid()} on {socket.gethostname()}, since {now}\n".encode())
        yield
        file.truncate(0)


def _is_at(path: Path, handle: int) -> bool:
    """Whether a file that was opened at a path is still there, and not elsewhere with a folder that was renamed."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _try_lock(handle: int) -> bool:
    """Whether the file is this process's now; an OSError where it can be nobody's, as on some network file systems."""
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            os.lseek(handle, 2**20, os.SEEK_SET)  # one place for all, beyond what is written
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except OSError as error:
        if error.errno not in _HELD:
            raise
        return False
    return True
