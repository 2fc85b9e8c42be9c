"""What every test can rely on: quiet TensorFlow, and real MNIST where it is at hand; and which files begin first."""

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

LONGEST = [
    REPOSITORY / "tests" / name
    for name in (
        "test_notebooks.py", "faults/test_cluster.py", "main/test_train.py", "faults/test_processes.py",
        "optimize/test_sweep.py", "faults/test_postgresql.py", "optimize/test_commands.py", "optimize/test_engine.py",
        "test_readme.py", "faults/test_soak.py", "test_final_model.py", "faults/test_disk.py",
        "optimize/test_reproduce.py", "faults/test_forking.py", "main/test_cli.py", "faults/test_storage_file.py",
        "optimize/test_rangetest.py", "optimize/test_ensemble.py", "main/test_evaluate.py", "main/test_serve.py",
        "optimize/test_charts.py", "optimize/test_report.py", "test_imports.py",
    )
]  # fmt: skip
"""Files that take longest, those that compute and those that wait by turns, so that there is always something to do.

Several processes share the files out in the order of collection, a whole one at a time: who is given one of these last
has the others wait.
"""
assert all(file.exists() for file in LONGEST), "tests/conftest.py names a file that is no longer there"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {file: number for number, file in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """A folder that holds mnist/, or a skip with the reason."""
    candidates = [Path(os.environ["OPTIMIZE_DATA"])] if "OPTIMIZE_DATA" in os.environ else []
    candidates.append(REPOSITORY.parent / "shared" / "data")
    for folder in candidates:
        if (folder / "mnist").is_dir():
            return folder
    pytest.skip(f"real MNIST is in none of {', '.join(map(str, candidates))}")
