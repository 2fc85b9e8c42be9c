"""Sweep files from their text, without a file."""

from pathlib import Path

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
