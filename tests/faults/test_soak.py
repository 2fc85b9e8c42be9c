"""The short form of bench/soak.py."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from soak import Soak


@pytest.mark.parametrize(("kills", "seeds"), [(6, 2), pytest.param(20, 6, marks=pytest.mark.slow)])
def test_random_kills_lose_duplicate_and_corrupt_nothing(tmp_path: Path, kills: int, seeds: int) -> None:
    report = Soak(tmp_path, kills=kills, seeds=seeds).run()
    assert report.kills.total() == kills
    assert (report.lost, report.duplicated, report.corrupt, report.orphans) == (0, 0, 0, 0), report
    assert report.epochs_again_per_kill <= 2  # one for each of the two workers
