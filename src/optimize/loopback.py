"""Serves a WSGI application that only shows things, to this machine alone, with the standard library's server."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

ADDRESS = "127.0.0.1"
NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
METHODS = ("GET", "HEAD")
LARGEST_BODY = 64 * 1024  # bytes; nothing that is only shown needs one
SILENCE_SECONDS = 30  # after which a client that says nothing is let go
_DRAINED = 1024 * 1024  # bytes of a refused body that are read, so that the client hears why it was refused
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]*\]|[^:]*)(:\d{1,5})?")


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered."""

    status: str
    reason: str
    headers: tuple[tuple[str, str], ...] = ()


def guarded(app: WSGIApplication) -> WSGIApplication:
    """The application behind checks on every request; what they refuse never reaches it.

    The Host header must name this machine: a page elsewhere whose own name was made to resolve to 127.0.0.1 (DNS
    rebinding) could otherwise read everything. Nothing but reading is allowed, and no body larger than 64 KiB.
    """

    def guard(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        refusal = refusal_of(environ)
        if refusal is None:
            environ.setdefault("HTTP_ACCEPT_ENCODING", "identity")  # may be left out, and applications forget that
            return app(environ, start_response)
        return refuse(refusal, start_response)

    return guard


def refuse(refusal: Refusal, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with a refusal, in the JSON that pages and people can read."""
    body = json.dumps({"reason": refusal.reason}).encode() + b"\n"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), *refusal.headers]
    start_response(refusal.status, headers)
    return [body]


def refusal_of(environ: WSGIEnvironment) -> Refusal | None:
    """What is wrong with a request; None where nothing is."""
    host = environ.get("HTTP_HOST", "")
    match = _HOST.fullmatch(host.lower())
    if match is None or not host:
        return Refusal("400 Bad Request", "the Host header is missing or malformed")
    if match["name"] not in NAMES:
        return Refusal("403 Forbidden", f"served as {ADDRESS} and localhost only, not as {host[:100]}")
    if environ.get("HTTP_TRANSFER_ENCODING"):
        return Refusal("411 Length Required", "a request's size must be said in Content-Length")
    length = environ.get("CONTENT_LENGTH") or "0"
    if re.fullmatch("[0-9]+", length) is None:
        return Refusal("400 Bad Request", "Content-Length is not a number of bytes")
    if len(length) > 9 or int(length) > LARGEST_BODY:
        return Refusal("413 Content Too Large", f"a request may have at most {LARGEST_BODY:,} bytes")
    if environ["REQUEST_METHOD"] not in METHODS:
        return Refusal("405 Method Not Allowed", "this page only shows", (("Allow", ", ".join(METHODS)),))
    return None


class LoopbackServer(ThreadingMixIn, WSGIServer):
    """Listens on 127.0.0.1, a thread per request; one slow client keeps nobody else waiting.

    Args:
        app: the application; it is put behind `guarded`.
        port: the port; 0 takes a free one, which `server_port` then tells.

    Raises:
        OSError: the port is in use or not allowed.
    """

    daemon_threads = True
    request_queue_size = 64  # a browser opens several at once

    def __init__(self, app: WSGIApplication, port: int) -> None:
        super().__init__((ADDRESS, port), _QuietHandler)
        self.set_app(guarded(app))

    def server_bind(self) -> None:
        """Bind without asking a name server what this machine is called, as `HTTPServer` does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = ADDRESS, self.socket.getsockname()[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over clients that go away or say nothing; anything else is a fault, and shown."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close so that the answer arrives even where a refused body was never read."""
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            request.settimeout(1.0)
            left = _DRAINED
            while left > 0 and (chunk := request.recv(65_536)):
                left -= len(chunk)
        self.close_request(request)


class _QuietHandler(WSGIRequestHandler):
    timeout = SILENCE_SECONDS
    default_request_version = "HTTP/1.0"  # HTTP/0.9, the standard library's, has no way to say that a request is bad

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing of requests."""

    def log_error(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Say nothing of malformed ones either: they have been answered."""
