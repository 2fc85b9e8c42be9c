"""Sweep files from their text, without a file."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from main.complaints import Complaint, ConfigError
from main.document import parse
from optimize.config import SweepConfig, sweep_of

NOWHERE = Path("no-such-folder")


def loaded(text: str | bytes, *overrides: str) -> SweepConfig:
    """The sweep that a text describes."""
    content = text.encode() if isinstance(text, str) else text
    return sweep_of(parse(content, "x.yaml", overrides), "x", NOWHERE)


def refused(text: str | bytes, *overrides: str) -> tuple[Complaint, ...]:
    """What is wrong with a text that describes no sweep."""
    with pytest.raises(ConfigError) as raised:
        loaded(text, *overrides)
    return raised.value.complaints


CALLS_PER_SECOND = 2_000_000
"""Of Python functions, and of C's from Python, with their returns: a slow core makes as many, a fast one ten times."""


def calls(function: Callable[[], Any]) -> int:
    """How many calls and returns a function takes: its cost, and the same on every machine, whatever else it does."""
    count = 0

    def one_more(*_: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(one_more)
    try:
        function()
    finally:
        sys.setprofile(before)
    return count
