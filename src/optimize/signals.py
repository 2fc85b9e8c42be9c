"""Ctrl-C, termination and a closed terminal: the first asks running trials to end, any other ends the command."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Literal

Interruption = Literal["interrupted", "terminated"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class StopNow(KeyboardInterrupt):
    """A signal, while no trial runs that could be asked to end, or a second one: leave at once.

    What ran can go on from its last epoch.
    """

    def __init__(self, ending: Interruption) -> None:
        super().__init__(ending)
        self.ending = ending


@contextlib.contextmanager
def first_ends() -> Iterator[None]:
    """While the body runs, raise upon any signal, wherever the body is; `first_asks_second_ends` may stand within.

    Of its own, Python does so upon Ctrl-C alone. The others would end the process without a word, or, as a container's
    first process, not at all.

    Raises:
        StopNow: a signal came.
    """

    def on_signal(ending: Interruption) -> None:
        raise StopNow(ending)

    with _handling(on_signal):
        yield


@contextlib.contextmanager
def first_asks_second_ends(ask: Callable[[Interruption], None]) -> Iterator[None]:
    """While the body runs, call `ask` upon the first signal, and raise upon any other, wherever the body is.

    Raises:
        StopNow: a second signal came.
    """
    asked: list[Interruption] = []

    def on_signal(ending: Interruption) -> None:
        if asked:
            raise StopNow(asked[0])
        asked.append(ending)
        ask(ending)

    with _handling(on_signal):
        yield


@contextlib.contextmanager
def _handling(handle: Callable[[Interruption], None]) -> Iterator[None]:
    """While the body runs, call `handle` upon each signal.

    A closed terminal that is ignored stays so: `nohup` has a sweep outlive it. Outside the main thread, where Python
    delivers no signals, the body runs as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        handle("interrupted" if number == signal.SIGINT else "terminated")

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name) and not _is_nohup(name)]
    before: dict[int, Any] = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _is_nohup(name: str) -> bool:
    """Whether a signal is that of a closed terminal, and ignored; shells have their jobs ignore Ctrl-C, who may not."""
    return name == "SIGHUP" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
