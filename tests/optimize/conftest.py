import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
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


@contextmanager
def _drawing_nothing() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("optimize.charts.draw", lambda *_, **__: None)
        patch.setattr("optimize.report.write", lambda results, *_: results.report.touch())
        yield


@pytest.fixture
def undrawn() -> Iterator[None]:
    """Sweeps of this process have no charts and an empty report: to draw takes longer than small trainings do."""
    with _drawing_nothing():
        yield


@pytest.fixture(scope="session")
def drawing_nothing() -> Callable[[], AbstractContextManager[None]]:
    """What `undrawn` is to a test, for sweeps that fixtures of a wider scope run."""
    return _drawing_nothing


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


@pytest.fixture
def heard_elsewhere() -> Iterator[None]:
    """A signal that nobody else handles fails the test, rather than end the tests' own process."""

    def fail(number: int, frame: object) -> None:
        pytest.fail(f"nobody handles {signal.Signals(number).name}")

    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {name: signal.signal(getattr(signal, name), fail) for name in names}
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)
