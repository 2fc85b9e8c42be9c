"""Chromium without a window, driven over its DevTools protocol: enough to draw on a page and read it."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from tornado.websocket import websocket_connect

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--window-size=1200,1000",
    "--remote-debugging-port=0",
)  # fmt: skip
PATIENCE = 60.0  # seconds


class Page:
    """One page of a browser; each call waits for Chromium's answer."""

    def __init__(self, socket, loop: asyncio.AbstractEventLoop) -> None:
        self._socket, self._loop, self._numbers = socket, loop, count(1)

    def call(self, method: str, **parameters) -> dict:
        return self._loop.run_until_complete(asyncio.wait_for(self._call(method, parameters), PATIENCE))

    async def _call(self, method: str, parameters: dict) -> dict:
        number = next(self._numbers)
        await self._socket.write_message(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(await self._socket.read_message())
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def value(self, expression: str):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.value(expression):
            assert time.monotonic() < deadline, f"never true: {expression}"
            time.sleep(0.05)

    def draw(self, points: Sequence[tuple[float, float]]) -> None:
        """One stroke of the mouse through `points`, in pixels of the window."""
        (x, y), *rest = points
        self.call("Input.dispatchMouseEvent", type="mousePressed", x=x, y=y, button="left", buttons=1, clickCount=1)
        for x, y in rest:
            self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y, button="left", buttons=1)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", x=x, y=y, button="left", clickCount=1)

    def photograph(self, path: Path) -> None:
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))


@contextmanager
def opened(address: str, profile: Path):
    """A browser on a page; it ends with the block."""
    process = subprocess.Popen(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "about:blank"], stderr=subprocess.DEVNULL
    )
    loop = asyncio.new_event_loop()
    try:
        socket = loop.run_until_complete(_connected(profile / "DevToolsActivePort"))
        page = Page(socket, loop)
        page.call("Page.navigate", url=address)
        page.wait_for(f"location.href.startsWith({json.dumps(address)}) && document.readyState === 'complete'")
        yield page
        socket.close()
    finally:
        process.terminate()
        process.wait(PATIENCE)
        loop.close()


async def _connected(port_file: Path):
    from tornado.httpclient import AsyncHTTPClient

    deadline = time.monotonic() + PATIENCE
    while not port_file.exists() or "\n" not in port_file.read_text():
        assert time.monotonic() < deadline, "Chromium did not start"
        await asyncio.sleep(0.05)
    address = f"http://127.0.0.1:{port_file.read_text().splitlines()[0]}/json/list"
    pages: list[str] = []
    while not pages:  # it listens before it has a page
        assert time.monotonic() < deadline, "Chromium opened no page"
        listed = await AsyncHTTPClient().fetch(address, request_timeout=PATIENCE, connect_timeout=PATIENCE)
        pages = [found["webSocketDebuggerUrl"] for found in json.loads(listed.body) if found["type"] == "page"]
        await asyncio.sleep(0.05)
    return await websocket_connect(pages[0], max_message_size=2**26)
