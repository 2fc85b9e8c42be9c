"""Reading files that may claim, or unpack to, far more than memory holds."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from main.data.errors import DataError

MAX_BYTES = 2 * 1024**3
"""The most that one array, decompressed, may take: more is refused before it is read."""
GZIP_MAGIC = b"\x1f\x8b"


class BoundedReader:
    """A binary stream of which no more than `limit` bytes can be read.

    A request that passes the limit raises DataError before anything is read or allocated for it.
    """

    def __init__(self, stream: BinaryIO, limit: int, where: str) -> None:
        self._stream = stream
        self._left = limit
        self._complaint = f"{where}: unpacks to more than the {limit:,} bytes expected of it"

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; all that is left, where there is no more of it than allowed."""
        if size > self._left:
            raise DataError(self._complaint)
        data = self._stream.read(self._left + 1 if size < 0 else size)
        return self._taken(data)

    def readline(self, size: int = -1) -> bytes:
        """One line, as pickles of protocol 0 have them."""
        limit = self._left + 1
        data = self._stream.readline(limit if size < 0 else min(size, limit))
        return self._taken(data)

    def _taken(self, data: bytes) -> bytes:
        if len(data) > self._left:
            raise DataError(self._complaint)
        self._left -= len(data)
        return data


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes as a stream, decompressed where they are gzip, whatever the file is called.

    Raises DataError, also from within the block, where the gzip is truncated or damaged or the file
    cannot be read.
    """
    try:
        with path.open("rb") as plain:
            packed = plain.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            plain.seek(0)
            if not packed:
                yield plain
                return
            with gzip.GzipFile(fileobj=plain) as unpacked:
                yield cast(BinaryIO, unpacked)
    except EOFError:
        raise DataError(f"{path}: the gzip file is truncated: its end is missing") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: the gzip file is damaged: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
