"""A worker that trains hundreds of networks one after the other does not grow."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from scale import worker_memory


@pytest.mark.training
@pytest.mark.slow
def test_a_workers_memory_stays_flat_over_two_hundred_trials() -> None:
    held = worker_memory(trials=200)
    assert held["trials"] == 200
    assert float(str(held["growth over the second half, %"])) < 5, held
