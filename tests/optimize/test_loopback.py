"""What the server lets through, over real sockets."""

import http.client
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import pytest

from optimize.loopback import LARGEST_BODY, LoopbackServer
from processes import wait_for

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


class Page:
    """Counts the requests that reach it."""

    def __init__(self) -> None:
        self.reached = 0
        self.release = threading.Event()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        self.reached += 1
        if environ["PATH_INFO"] == "/slow":
            self.release.wait(30)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else environ["HTTP_ACCEPT_ENCODING"].encode()]


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def server(page: Page) -> Iterator[LoopbackServer]:
    with LoopbackServer(page, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: LoopbackServer, method: str = "GET", path: str = "/", **headers: str) -> tuple[int, bytes]:
    """Status and body of a request whose headers are these alone."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return send(server, "\r\n".join(lines).encode())


def send(server: LoopbackServer, content: bytes) -> tuple[int, bytes]:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        connection.sendall(content)
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost:9000", "LocalHost", "[::1]:8080"])
def test_this_machine_is_answered_under_its_own_names(server: LoopbackServer, host: str) -> None:
    assert ask(server, Host=host)[0] == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 403),
        ("evil.example:8080", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example:80", 403),
        ("192.168.0.7:8080", 403),
        ("127.0.0.1@evil.example", 403),
        ("127.0.0.1:80:80", 400),
        ("localhost/", 403),
        ("[::1", 400),
        ("", 400),
    ],
)
def test_a_page_elsewhere_whose_name_resolves_to_this_machine_is_refused(
    server: LoopbackServer, page: Page, host: str, status: int
) -> None:
    answered, body = ask(server, Host=host)
    assert answered == status
    assert json.loads(body)["reason"]
    assert page.reached == 0


def test_no_host_and_two_hosts_are_refused(server: LoopbackServer, page: Page) -> None:
    assert send(server, b"GET / HTTP/1.0\r\n\r\n")[0] == 400
    assert send(server, b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")[0] in (400, 403)
    assert page.reached == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_nothing_but_reading_is_allowed(server: LoopbackServer, page: Page, method: str) -> None:
    status, body = ask(server, method, "/api/studies/1", Host="localhost", Content_Length="0")
    assert (status, json.loads(body)["reason"]) == (405, "this page only shows")
    assert page.reached == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Length": str(LARGEST_BODY + 1)}, 413),
        ({"Content_Length": "9" * 5000}, 413),
        ({"Content_Length": "-1"}, 400),
        ({"Content_Length": "1e3"}, 400),
        ({"Transfer_Encoding": "chunked"}, 411),
    ],
)
def test_the_size_of_a_request_is_capped(
    server: LoopbackServer, page: Page, headers: dict[str, str], status: int
) -> None:
    assert ask(server, "POST", Host="localhost", **headers)[0] == status
    assert page.reached == 0


def test_who_sends_a_large_body_all_the_same_hears_why_it_is_refused(server: LoopbackServer) -> None:
    body = b"x" * (LARGEST_BODY + 1)
    head = f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    assert send(server, head.encode() + body)[0] == 413


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9.9\r\n\r\n", 400),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: a\r\n" * 200 + b"\r\n", 431),
    ],
)
def test_malformed_requests_are_answered_and_nothing_is_said_on_the_terminal(
    server: LoopbackServer, page: Page, request_: bytes, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    assert send(server, request_)[0] == status
    assert page.reached == 0
    assert ask(server, Host="localhost")[0] == 200
    assert capfd.readouterr().err == ""


def test_head_is_reading_too(server: LoopbackServer) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        connection.sendall(b"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        response = http.client.HTTPResponse(connection, method="HEAD")
        response.begin()
        assert response.status == 200


def test_a_client_without_accept_encoding_is_served_plainly(server: LoopbackServer) -> None:
    assert ask(server, Host="localhost") == (200, b"identity")


def test_a_slow_request_keeps_nobody_else_waiting(server: LoopbackServer, page: Page) -> None:
    waiting = threading.Thread(target=ask, args=(server, "GET", "/slow"), kwargs={"Host": "localhost"})
    waiting.start()
    try:
        wait_for(lambda: page.reached, "the slow request")
        assert ask(server, Host="localhost")[0] == 200
        assert waiting.is_alive()
    finally:
        page.release.set()
        waiting.join()


def test_a_client_that_goes_away_leaves_no_trace(server: LoopbackServer, capfd: pytest.CaptureFixture[str]) -> None:
    for content in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: loc"):
        with socket.create_connection(("127.0.0.1", server.server_port)) as connection:
            connection.sendall(content)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # closes with a reset
    assert ask(server, Host="localhost")[0] == 200
    assert capfd.readouterr().err == ""


def test_it_listens_on_this_machine_alone(server: LoopbackServer) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"
