"""A real sweep that is killed again and again ends with the same numbers and weights as one that never was."""

import os
import random
import sys
import time
from pathlib import Path

import pytest

from optimize.results import Results
from processes import Process, gone, rows, wait_for

SWEEP = """
name: killed
data: {source: digits}
model: {network: cnn, filters: [4], dropout: 0.3, pooling: {choices: [max, average]}}
train: {epochs: 40, batch_size: 16, augment: {shift: 0.1}}
study: {seeds: 1}
run: {workers: 1, precision: float32}
"""


def run_to_end(folder: Path, kills: int) -> Results:
    folder.mkdir()
    config = folder / "sweep.yaml"
    config.write_text(SWEEP)
    command = [sys.executable, "-m", "optimize", "run", str(config), "--results", str(folder / "results")]
    results = Results(folder / "results" / "killed")
    chance = random.Random(0)
    for kill in range(kills + 1):
        process = Process(command, dict(os.environ), folder / f"output-{kill}.txt")
        try:
            if kill < kills:
                _wait_for_a_new_epoch(results)
                time.sleep(chance.uniform(0, 0.3))
                workers = process.workers()
                process.kill_all() if kill % 2 else process.kill()
                assert gone(workers, seconds=5)
            else:
                assert process.wait(250) == 0, process.said()
        finally:
            if process.running():
                process.kill_all()
    return results


def _wait_for_a_new_epoch(results: Results) -> None:
    def written() -> set[Path]:
        return set(results.folder.glob("trials/*/checkpoints/epoch-*.npz"))

    before = written()
    wait_for(lambda: written() - before, "another epoch's checkpoint", seconds=200)


@pytest.mark.training
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_sweep_killed_at_random_moments_ends_as_one_never_killed(tmp_path: Path) -> None:
    whole, killed = run_to_end(tmp_path / "whole", kills=0), run_to_end(tmp_path / "killed", kills=2)
    assert rows(killed.trials_file) == rows(whole.trials_file)
    assert rows(killed.curves_file) == rows(whole.curves_file)
    assert [killed.weights(trial) for trial in range(2)] == [whole.weights(trial) for trial in range(2)]
    assert killed.model_file.exists()
