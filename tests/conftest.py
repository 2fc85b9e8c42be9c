"""What every test can rely on: quiet TensorFlow, and real MNIST where it is at hand."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A shell has what it starts in the background ignore Ctrl-C, and nohup has it ignore that its terminal is closed; so
# would every command that a test starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# Nothing fails for being slow: 200 ms an example, hypothesis's own limit, is less than a busy machine may take.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

REPOSITORY = Path(__file__).resolve().parent.parent
# Worker processes import tests/stubs.py by this.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH")]))


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """A folder that holds mnist/, or a skip with the reason."""
    candidates = [Path(os.environ["OPTIMIZE_DATA"])] if "OPTIMIZE_DATA" in os.environ else []
    candidates.append(REPOSITORY.parent / "shared" / "data")
    for folder in candidates:
        if (folder / "mnist").is_dir():
            return folder
    pytest.skip(f"real MNIST is in none of {', '.join(map(str, candidates))}")
