import gc
import signal
import time

import pytest

from optimize.signals import StopNow, first_asks_second_ends, first_ends

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals are POSIX's")


def test_the_first_signal_asks_and_is_handed_back_afterwards() -> None:
    asked: list[str] = []
    before = signal.getsignal(signal.SIGHUP)
    with first_asks_second_ends(asked.append):
        signal.raise_signal(signal.SIGHUP)
    assert asked == ["terminated"]
    assert signal.getsignal(signal.SIGHUP) is before


@pytest.mark.parametrize(("name", "heard"), [("SIGINT", ["interrupted"]), ("SIGHUP", [])])
def test_of_signals_that_are_ignored_ctrl_c_is_heard_and_a_closed_terminal_is_not(name: str, heard: list[str]) -> None:
    """A shell has its jobs ignore the one, who may not want that, and `nohup` the other, who does."""
    number = getattr(signal, name)
    before = signal.signal(number, signal.SIG_IGN)
    try:
        asked: list[str] = []
        with first_asks_second_ends(asked.append):
            signal.raise_signal(number)
        assert asked == heard
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize(
    ("name", "ending"), [("SIGINT", "interrupted"), ("SIGTERM", "terminated"), ("SIGHUP", "terminated")]
)
def test_where_nothing_can_be_asked_the_first_ends_and_whoever_asks_within_hands_that_back(
    heard_elsewhere: None, name: str, ending: str
) -> None:
    number = getattr(signal, name)
    asked: list[str] = []
    before = signal.getsignal(number)

    def within_and_after() -> None:
        with first_ends():
            with first_asks_second_ends(asked.append):
                signal.raise_signal(number)
            assert asked == [ending]
            signal.raise_signal(number)

    with pytest.raises(StopNow) as raised:
        within_and_after()
    assert raised.value.ending == ending
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("asked_before", [False, True], ids=["the first", "the second"])
def test_a_signal_that_comes_while_garbage_is_collected_is_not_lost(heard_elsewhere: None, asked_before: bool) -> None:
    """Python prints what is raised in what a collection calls, such as Dask's look at its time, and goes on."""
    heard: list[str] = []

    def collecting(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and not heard:
            heard.append("signal")
            signal.raise_signal(signal.SIGTERM)

    def collect() -> None:
        with first_asks_second_ends(lambda _: None) if asked_before else first_ends():
            if asked_before:
                signal.raise_signal(signal.SIGTERM)
            gc.callbacks.append(collecting)
            gc.collect()
            time.sleep(60)

    try:
        with pytest.raises(StopNow, match="terminated"):
            collect()
    finally:
        gc.callbacks.remove(collecting)
