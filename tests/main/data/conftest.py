"""What the tests of data rely on: a machine that has none, and refusals that say enough."""

from collections.abc import Callable
from pathlib import Path

import pytest

from main.data import DataError

PROXIES = ("https_proxy", "http_proxy", "all_proxy")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has no data set and reaches no network; gives its current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPTIMIZE_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for name in PROXIES:
        for spelled in (name, name.upper()):
            monkeypatch.setenv(spelled, "http://127.0.0.1:9")  # the discard port, on which nobody listens
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def refuses() -> Callable[..., str]:
    """Run something that must be refused; gives the message, which must hold each of the words."""

    def check(action: Callable[[], object], *words: object) -> str:
        with pytest.raises(DataError) as caught:
            action()
        message = str(caught.value)
        for word in words:
            assert str(word) in message
        return message

    return check
