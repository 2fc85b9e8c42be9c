"""A page on this machine where one draws a digit and watches a model read it, and the JSON API behind that page.

Only `main.cli`'s command imports this file: FastAPI and uvicorn are an extra, `[serve]`.
"""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from anyio import CapacityLimiter, current_time, fail_after, move_on_after, to_thread
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from main.connections import Connection, make_room
from main.data import DataError
from main.errors import UserError
from main.live import Answer, LiveModel
from main.modelfile import ModelFileError
from main.prepare import Preparation

ADDRESS = "127.0.0.1"
HOSTS = ["127.0.0.1", "localhost"]
LARGEST_BODY = 8 * 2**20  # bytes; a photograph of a telephone, not more
DRAINED = 4 * LARGEST_BODY  # bytes of a refused body that are read, so that the client hears why it was refused
AT_ONCE = 2  # pictures: one is prepared while another is computed
BODIES_AT_ONCE = 64  # pictures that are being sent, or wait for their turn: half a gigabyte at most
SILENCE_SECONDS = 30  # a client that is to send more is waited for so long
BODY_SECONDS = 60  # in which all of a picture is there: one that comes drop by drop holds a place from others
STOP_SECONDS = 5  # given to requests that run when the server is told to stop
PAGE = Path(__file__).parent / "page"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
CLOSING = {"Connection": "close"}  # to whom no more is listened
PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": f"The bytes of a picture, at most {LARGEST_BODY // 2**20} MiB: PNG, JPEG, TIFF and more.",
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class PortTaken(UserError):
    """The server cannot listen where it was told to."""


class Health(BaseModel):
    """That the model is loaded, which, and how pictures are prepared for it."""

    status: str
    model: str
    classes: list[str]
    input_shape: list[int]
    preparation: Preparation


class Problem(BaseModel):
    """Why a request was not answered."""

    detail: str


def application(model: LiveModel) -> FastAPI:
    """The page and its API, behind checks on every request.

    The Host header must name this machine: a page elsewhere whose own name was made to resolve to 127.0.0.1 (DNS
    rebinding) could otherwise talk to it. No page of another origin can send a picture, as no CORS header allows it.
    """
    app = FastAPI(title="Read a picture", version="1", docs_url=None, redoc_url=None)  # their pages need the internet
    app.add_middleware(_Limited)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS, www_redirect=False)
    app.add_exception_handler(DataError, lambda _, error: JSONResponse({"detail": str(error)}, status_code=422))
    app.add_exception_handler(RequestValidationError, lambda _, error: _refused_parameters(error))
    app.add_exception_handler(ModelFileError, lambda _, error: JSONResponse({"detail": str(error)}, status_code=500))
    app.add_exception_handler(ClientDisconnect, lambda *_: Response(status_code=400))  # nobody is there to read it
    waiting, working = CapacityLimiter(BODIES_AT_ONCE), CapacityLimiter(AT_ONCE)

    @app.get("/health")
    async def health() -> Health:
        """Whether pictures are read, and by which model."""
        return Health(
            status="ok",
            model=str(model.path),
            classes=list(model.classes),
            input_shape=list(model.input_shape),
            preparation=model.preparation,
        )

    refusals: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (408, 413, 415, 422, 500, 503)}

    @app.post("/api/predict", responses=refusals, openapi_extra=PICTURE_BODY)
    async def predict(
        request: Request, maps: Annotated[bool, Query(description="Give feature maps too.")] = False
    ) -> Answer:
        """What the model says of the picture that is the request's body."""
        kind = request.headers.get("content-type", "")
        if not kind.lower().startswith("image/"):
            raise HTTPException(415, "send the bytes of a picture, with a Content-Type such as image/png")
        async with waiting:
            picture = await request.body()
            return await to_thread.run_sync(lambda: model.answer(picture, maps=maps), limiter=working)

    for path, name in {"/": "draw.html", "/draw.css": "draw.css", "/draw.js": "draw.js"}.items():
        app.add_api_route(path, _file(PAGE / name), include_in_schema=False, response_class=Response)
    return app


def _file(path: Path) -> Callable[[], FileResponse]:
    return lambda: FileResponse(path)


class _Limited:
    """Refuses bodies that are too large, said or not, or do not come, and adds headers that keep a page to itself.

    Whoever is still sending when the server has stopped is told so.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        got, whole, answered, end = 0, False, False, math.inf

        async def counted() -> Message:
            nonlocal got, whole, end
            end = min(end, current_time() + BODY_SECONDS)  # from when it is first asked for
            left = min(SILENCE_SECONDS, end - current_time())
            try:
                with fail_after(None if whole else left):  # then it is waited for whether the client leaves
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, _too_slow(), headers=CLOSING) from None
            got += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if got > LARGEST_BODY:
                await _drain(receive)
                raise HTTPException(413, _too_large(), headers=CLOSING)
            return message

        async def with_headers(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                added = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        said = dict(scope["headers"]).get(b"content-length", b"0")
        try:
            if said.isdigit() and int(said) <= LARGEST_BODY:
                await self._app(scope, counted, with_headers)
                return
            await _drain(receive)
            answer = _closing(413, _too_large())
        except asyncio.CancelledError:  # the server stops, and this request has had its time
            if answered:
                return
            answer = _closing(503, "the server was stopped")
        await answer(scope, receive, with_headers)


def _refused_parameters(error: Any) -> JSONResponse:
    said = (f"{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors())
    return JSONResponse({"detail": "; ".join(said)}, status_code=422)


def _closing(status: int, detail: str) -> JSONResponse:
    return JSONResponse({"detail": detail}, status_code=status, headers=CLOSING)


async def _drain(receive: Receive) -> None:
    left = DRAINED
    with move_on_after(SILENCE_SECONDS):
        while left > 0:
            message = await receive()
            left -= len(message.get("body", b""))
            if not message.get("more_body"):
                return


def _too_slow() -> str:
    return f"nothing came for {SILENCE_SECONDS} seconds, or not all of the picture within {BODY_SECONDS}"


def _too_large() -> str:
    return f"a request may have at most {LARGEST_BODY // 2**20} MiB"


def listen(port: int) -> socket.socket:
    """A socket on 127.0.0.1 that listens already; port 0 takes a free one.

    Raises:
        PortTaken: The port is in use or not allowed.
    """
    listening = socket.socket(proto=socket.IPPROTO_TCP)  # said, or asyncio lets Nagle's algorithm hold answers 40 ms
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((ADDRESS, port))
        listening.listen(2048)  # a burst of a thousand waits its turn
    except OSError as error:
        listening.close()
        raise PortTaken(f"port {port} of {ADDRESS}: {error.strerror}; choose another with --port") from error
    return listening


def server(model: LiveModel) -> uvicorn.Server:
    """The server of a model, not started; `run(sockets=[...])` starts it."""
    return uvicorn.Server(
        uvicorn.Config(
            application(model),
            http=Connection,
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    )


def serve(path: Path, port: int, say: Callable[[str], None], preparation: Preparation | None = None) -> None:
    """Serve the model at `path` until Ctrl-C; requests that run then are answered first.

    Pictures are prepared as the model's card says, unless told otherwise.

    Raises:
        PortTaken: The port is in use or not allowed.
        main.modelfile.ModelFileError: The model cannot be loaded.
    """
    make_room()
    with listen(port) as listening:
        model = LiveModel(path, preparation)
        ready = server(model)
        say(f"http://{ADDRESS}:{listening.getsockname()[1]}/  (draw a digit; Ctrl-C ends it)")
        say(f"Pictures are prepared with --as {model.preparation}.")
        try:
            ready.run(sockets=[listening])
        except KeyboardInterrupt:  # told again by uvicorn once it has stopped
            return
