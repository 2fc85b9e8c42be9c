"""A disk that fills up, or that nothing can be written to."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from main.files import write_atomically
from optimize.results import Results
from processes import StubSweep, rows, wait_for
from sweeps import POOLING

Make = Callable[..., StubSweep]
MANY = POOLING.replace("epochs: 3", "epochs: 4").replace("seeds: 2", "seeds: 8")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m,mode=777", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path, leave: int = 0) -> Path:
    """Take what is left of a disk, but for some bytes."""
    ballast = folder / "ballast"
    free = shutil.disk_usage(folder).free
    with ballast.open("ab", buffering=0) as file:
        while free and file.write(b"\0" * min(free, 4096)):
            free = shutil.disk_usage(folder).free
    os.truncate(ballast, max(ballast.stat().st_size - leave, 0))
    return ballast


def on(disk: Path, sweep: StubSweep) -> StubSweep:
    sweep.results = Results(disk / "results")
    return sweep


@pytest.mark.parametrize("leave", [0, 8192, pytest.param(40960, marks=pytest.mark.slow)])
def test_a_full_disk_ends_a_sweep_clearly_and_room_lets_it_go_on(
    stub_sweep: Make, small_disk: Path, leave: int
) -> None:
    """What is left decides whether a checkpoint, an outcome, a table or the database meets the end first."""
    sweep = on(small_disk, stub_sweep(MANY, seconds=0.05))
    run = sweep.start()
    wait_for(lambda: len(sweep.results.finished_trials()) >= 2, "two outcomes")
    ballast = fill(small_disk, leave)
    assert run.wait() == 2, run.said()
    assert "space left" in run.said() or "disk is full" in run.said()
    assert "Traceback" not in run.said()
    kept, before = sweep.results.finished_trials(), len(sweep.marked())
    ballast.unlink()
    sweep.finish(STUB_SECONDS="0.01")
    assert [row["state"] for row in rows(sweep.results.trials_file)] == ["complete"] * 24
    assert not {trial for trial, _, _ in sweep.marked()[before:]} & set(kept)
    assert len(rows(sweep.results.curves_file)) == 24 * 4


def test_a_checkpoint_that_cannot_be_written_fails_no_trial(stub_sweep: Make, small_disk: Path) -> None:
    """Only the checkpoints are on the full disk: results that are on another still go on to be written."""
    sweep = stub_sweep(POOLING, seconds=2, gate=(0, 1))
    interrupted = sweep.start()
    wait_for(lambda: sweep.began(1), "the first epoch")
    interrupted.signal(signal.SIGINT)
    wait_for(lambda: "stopping" in interrupted.said(), "the signal heard")
    sweep.open_gate()
    assert interrupted.wait() == 130
    checkpoints = sweep.results.checkpoint_folder(0)
    shutil.move(checkpoints, small_disk / "checkpoints")
    checkpoints.symlink_to(small_disk / "checkpoints")
    ballast = fill(small_disk)
    run = sweep.start(STUB_SECONDS="0.01")
    assert run.wait() == 2
    assert "trial 0: OSError: [Errno 28] No space left on device" in run.said()
    assert "run again to go on" in run.said()
    ballast.unlink()
    sweep.finish(STUB_SECONDS="0.01")
    assert [row["state"] for row in rows(sweep.results.trials_file)] == ["complete"] * 6


def test_a_disk_that_is_full_from_the_start_is_refused(stub_sweep: Make, small_disk: Path) -> None:
    sweep = on(small_disk, stub_sweep(POOLING))
    fill(small_disk)
    run = sweep.start()
    assert run.wait() == 2
    assert f"error: [Errno 28] No space left on device: '{sweep.results.lock_file}'" in run.said()
    assert "Traceback" not in run.said()
    assert sweep.marked() == []


def test_a_table_for_which_there_is_no_room_is_not_begun_and_named(small_disk: Path) -> None:
    results = Results(small_disk)
    ballast = fill(small_disk)
    for _ in range(2):
        with pytest.raises(OSError, match=r"No space left on device: .*incidents\.csv"):
            results.append_incident(0, 1, "its worker process died")
    assert results.incidents() is None
    ballast.unlink()
    results.append_incident(0, 1, "its worker process died")
    fill(small_disk)
    with pytest.raises(OSError, match=r"No space left on device: .*incidents\.csv"):
        results.append_incident(0, 2, "more than a page of it: " + 10_000 * "x")
    incidents = results.incidents()
    assert incidents is not None
    assert list(incidents["trial"]) == [1]


def test_a_file_that_does_not_fit_leaves_the_old_one_whole_and_says_its_name(small_disk: Path) -> None:
    path = small_disk / "cnn.h5"
    write_atomically(path, b"old" * 1000)
    fill(small_disk, leave=8192)
    with pytest.raises(OSError, match=r"No space left on device: .*cnn\.h5"):
        write_atomically(path, b"new" * 100_000)
    assert path.read_bytes() == b"old" * 1000
    assert sorted(child.name for child in small_disk.iterdir()) == ["ballast", "cnn.h5"]


def test_read_only_results_are_refused_before_anything_trains(stub_sweep: Make, small_disk: Path) -> None:
    sweep = on(small_disk, stub_sweep(POOLING))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    run = sweep.start()
    assert run.wait() == 2
    assert "Read-only file system" in run.said()
    assert str(sweep.results.folder) in run.said()
    assert "Traceback" not in run.said()
    assert sweep.marked() == []
