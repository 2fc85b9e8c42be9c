"""The short form of bench/soak.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

from soak import Soak


def test_twenty_random_kills_lose_duplicate_and_corrupt_nothing(tmp_path: Path) -> None:
    report = Soak(tmp_path, kills=20, seeds=6).run()
    assert report.kills.total() == 20
    assert (report.lost, report.duplicated, report.corrupt, report.orphans) == (0, 0, 0, 0), report
    assert report.epochs_again_per_kill <= 2  # one for each of the two workers
