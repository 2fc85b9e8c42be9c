import signal

import pytest

from optimize.signals import first_asks_second_ends

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals are POSIX's")


def test_the_first_signal_asks_and_is_handed_back_afterwards() -> None:
    asked: list[str] = []
    before = signal.getsignal(signal.SIGHUP)
    with first_asks_second_ends(asked.append):
        signal.raise_signal(signal.SIGHUP)
    assert asked == ["terminated"]
    assert signal.getsignal(signal.SIGHUP) is before


def test_ctrl_c_is_heard_where_a_shell_has_its_jobs_ignore_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        asked: list[str] = []
        with first_asks_second_ends(asked.append):
            signal.raise_signal(signal.SIGINT)
        assert asked == ["interrupted"]
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_closed_terminal_that_is_ignored_stays_so() -> None:
    """As `nohup` has it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        asked: list[str] = []
        with first_asks_second_ends(asked.append):
            signal.raise_signal(signal.SIGHUP)
        assert asked == []
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
