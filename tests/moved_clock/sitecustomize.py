"""Moves the wall clock of every Python process that has this folder on its path, by the seconds in $CLOCK_MOVED_BY.

Only the wall clock: `time.monotonic` is what nobody can set. libfaketime moves it for the whole of a process, C and
all, but makes `time.sleep` fail and at times hangs a process of several threads.
"""

import datetime
import os
import time
from pathlib import Path
from typing import Self

_FILE = Path(os.environ["CLOCK_MOVED_BY"])
_time, _time_ns, _datetime = time.time, time.time_ns, datetime.datetime


def _moved_by() -> float:
    return float(_FILE.read_text())


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _datetime)


class _Moved(_datetime, metaclass=_AnyDatetime):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Self:
        return cls.fromtimestamp(time.time(), tz)


_Moved.__module__, _Moved.__qualname__ = "datetime", "datetime"  # what a pickle of one names
time.time = lambda: _time() + _moved_by()
time.time_ns = lambda: _time_ns() + int(_moved_by() * 1e9)
datetime.datetime = _Moved  # type: ignore[misc]
