from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from processes import StubSweep

Make = Callable[..., StubSweep]


@pytest.fixture
def stub_sweep(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Makes sweeps of stub trials, each in a folder of its own; nothing of them runs on after the test."""
    made: list[StubSweep] = []

    def make(
        text: str,
        stub: str = "keeps_checkpoints",
        seconds: float = 0.05,
        folder: Path | None = None,
        gate: tuple[int, int] | None = None,
    ) -> StubSweep:
        made.append(StubSweep(folder or tmp_path_factory.mktemp("sweep"), text, stub, seconds, gate))
        return made[-1]

    yield make
    for sweep in made:
        sweep.end()
