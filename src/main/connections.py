"""Connections to the server of `main.serve`: however many nobody speaks on, whoever speaks is answered."""

from __future__ import annotations

import asyncio
import os
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_SECONDS = 10
"""In which the headers of a request are there."""
MOST_CONNECTIONS = 512
"""Of more, the one that has waited longest for a request is closed."""
OPEN_FILES = 8192
"""What the system is asked for: room for all connections, and for a burst of 2,048 that is accepted in one go.

Where it has no room for one more, asyncio logs that without end.
"""


class Connection(H11Protocol):
    """A connection that is closed where the headers of a request do not all come in time, or others need its place.

    Between two requests uvicorn itself closes it; before the first, and while headers come drop by drop, it would not.
    """

    _waiting: asyncio.TimerHandle | None = None
    """For headers; None while a request is read or answered, and after it until another begins."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for the first request."""
        super().connection_made(transport)
        self._wait()
        if len(self.connections) > MOST_CONNECTIONS:
            silent = [(other._waiting.when(), id(other), other) for other in self._others() if other._waiting]
            min(silent)[-1].give_up()

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

    def give_up(self) -> None:
        """Close it, without an answer: there is no request."""
        self._stop_waiting()
        self.transport.close()

    def _others(self) -> set[Connection]:
        return cast("set[Connection]", self.connections)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(HEADERS_SECONDS, self.give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


def make_room() -> None:
    """Ask the system for as many open files as all connections need, where it counts them and allows more."""
    if os.name != "posix":
        return
    import resource

    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
