"""Connections to the server of `main.serve`: however many nobody speaks on, whoever speaks is answered."""

from __future__ import annotations

import asyncio
import os

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_SECONDS = 10
"""In which the headers of a request are there: connections that nobody speaks on would take all there are."""
OPEN_FILES = 8192
"""What the system is asked for: room for thousands of connections that wait.

Where it has no room for one more, asyncio logs that without end.
"""


class Connection(H11Protocol):
    """A connection that is closed where the headers of a request do not all come in time.

    Between two requests uvicorn itself closes it; before the first, and while headers come drop by drop, it would not.
    """

    _waiting: asyncio.TimerHandle | None = None
    """For headers; None while a request is read or answered, and after it until another begins."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait no longer once the headers are there."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._stop_waiting()
        elif self._waiting is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(HEADERS_SECONDS, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def make_room() -> None:
    """Ask the system for as many open files as many connections need, where it counts them and allows more."""
    if os.name != "posix":
        return
    import resource

    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
