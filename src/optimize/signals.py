"""Ctrl-C, termination and a closed terminal: the first asks running trials to end, any other ends the command."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Literal

Interruption = Literal["interrupted", "terminated"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_AGAIN_SECONDS = 0.05  # until what Python has swallowed is raised anew


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
    swallowed, sys.unraisablehook = sys.unraisablehook, _raised_again(sys.unraisablehook)
    try:
        yield
    finally:
        sys.unraisablehook = swallowed
        for number, previous in before.items():
            signal.signal(number, previous)


def _raised_again(otherwise: Callable[[Any], object]) -> Callable[[Any], None]:
    """What Python calls where it swallows an exception, as while it collects garbage: ours is raised a moment later."""

    def swallowed(unraisable: Any) -> None:
        stop = unraisable.exc_value
        if not isinstance(stop, StopNow):
            otherwise(unraisable)
            return
        number = signal.SIGINT if stop.ending == "interrupted" else signal.SIGTERM
        again = threading.Timer(_AGAIN_SECONDS, _deliver, [number])
        again.daemon = True
        again.start()

    return swallowed


def _deliver(number: signal.Signals) -> None:
    """Have the main thread hear of a signal, wherever it waits, unless nobody here listens any more."""
    if getattr(signal.getsignal(number), "__module__", None) != __name__:
        return
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        _thread.interrupt_main(number)


def _is_nohup(name: str) -> bool:
    """Whether a signal is that of a closed terminal, and ignored; shells have their jobs ignore Ctrl-C, who may not."""
    return name == "SIGHUP" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
