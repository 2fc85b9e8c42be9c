from collections.abc import Callable
from pathlib import Path

import pytest

from optimize.config import SweepConfig, load_config
from optimize.results import Results
from sweeps import Bench


@pytest.fixture
def sweep(tmp_path: Path) -> Callable[[str], SweepConfig]:
    """Loads a sweep file from its text."""

    def load(text: str) -> SweepConfig:
        path = tmp_path / "sweep.yaml"
        path.write_text(text)
        return load_config(path)

    return load


@pytest.fixture
def bench(tmp_path: Path, sweep: Callable[[str], SweepConfig]) -> Callable[[str], Bench]:
    """Opens a sweep, from its text, as a new process would: the same results folder every time."""
    return lambda text: Bench(sweep(text), Results(tmp_path / "results"))


@pytest.fixture(autouse=True)
def faults_of_charts_are_raised(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep does without a chart that cannot be drawn; a test should not."""
    if "hidden_faults" in request.fixturenames:
        return

    def raised(name: str, fault: Exception) -> None:
        raise fault

    monkeypatch.setattr("optimize.charts.making._fault", raised)


@pytest.fixture
def hidden_faults() -> None:
    """Has a chart's fault told, as a sweep does."""
