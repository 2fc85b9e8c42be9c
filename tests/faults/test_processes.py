"""Workers and coordinators that are killed, stopped, interrupted, doubled, and lied to about the time."""

import csv
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest

from main.files import write_atomically
from optimize.results import Results
from processes import Process, StubSweep, gone, rows, wait_for
from sweeps import POOLING

Make = Callable[..., StubSweep]

SIX_TRIALS = POOLING.replace("epochs: 3", "epochs: 6")
AGAIN_SECONDS = 5.0  # at most, until the trial of a worker that died is put in line again


def states(sweep: StubSweep) -> set[str]:
    return {row["state"] for row in rows(sweep.results.trials_file)}


def test_when_the_coordinator_is_killed_its_workers_leave_and_running_again_trains_only_what_was_in_flight(
    stub_sweep: Make,
) -> None:
    sweep = stub_sweep(SIX_TRIALS, seconds=0.2, gate=(3, 2))
    killed = sweep.start(workers=2)
    wait_for(lambda: (3, 2, 1) in sweep.marked(), "two trials finished")
    workers = killed.workers()
    assert len(workers) == 2
    killed.kill()
    assert gone(workers)
    sweep.open_gate()
    sweep.finish(workers=2)
    assert states(sweep) == {"complete"}
    assert len(rows(sweep.results.trials_file)) == 6
    assert sweep.epochs_again() <= 2  # of each running trial the epoch it was in


def test_what_was_finished_is_not_trained_again(stub_sweep: Make) -> None:
    sweep = stub_sweep(SIX_TRIALS, seconds=0.02)
    killed = sweep.start()
    wait_for(lambda: len(sweep.results.finished_trials()) >= 3, "three outcomes")
    killed.kill_all()
    finished = sweep.results.finished_trials()
    before = len(sweep.marked())
    sweep.finish()
    assert not {trial for trial, _, _ in sweep.marked()[before:]} & set(finished)


def test_a_killed_worker_s_trial_goes_on_from_its_last_epoch(stub_sweep: Make) -> None:
    sweep = stub_sweep(SIX_TRIALS, seconds=0.05, gate=(0, 3))
    run = sweep.start()
    wait_for(lambda: sweep.began(3), "the third epoch")
    run.workers()[0].kill()
    wait_for(lambda: "it runs again (attempt 2)" in run.said(), "the trial put in line again", AGAIN_SECONDS)
    assert run.wait() == 0
    first = [(epoch, attempt) for trial, epoch, attempt in sweep.marked() if trial == 0]
    assert [epoch for epoch, _ in first] == sorted(epoch for epoch, _ in first)
    assert len(first) <= 7
    assert first[-1] == (6, 2)
    assert "its worker process died; it runs again (attempt 2)" in run.said()
    incidents = sweep.results.incidents()
    assert incidents is not None
    assert list(incidents["trial"]) == [0]


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow), (signal.SIGHUP, 143)],
    ids=["SIGINT", "SIGTERM", "SIGHUP"],
)
def test_one_signal_ends_a_sweep_at_the_epochs_end(stub_sweep: Make, number: int, status: int) -> None:
    sweep = stub_sweep(SIX_TRIALS, seconds=0.3)
    run = sweep.start()
    wait_for(lambda: sweep.began(2), "the second epoch")
    workers = run.workers()
    os.killpg(run.pid, number)  # as a terminal does: to the whole group, workers too
    assert run.wait() == status
    assert gone(workers)
    assert "stopping: what runs ends with its epoch" in run.said()
    sweep.finish()
    assert sweep.epochs_again() == 0
    assert states(sweep) == {"complete"}


def test_a_second_signal_ends_a_sweep_at_once(stub_sweep: Make) -> None:
    sweep = stub_sweep(SIX_TRIALS, seconds=800)
    run = sweep.start()
    wait_for(lambda: sweep.began(1), "the first epoch")
    workers = run.workers()
    run.signal(signal.SIGINT)
    wait_for(lambda: "stopping" in run.said(), "the first signal heard")
    run.signal(signal.SIGINT)
    assert run.wait(20) == 130  # far less than the epoch
    assert gone(workers)


def test_two_runs_of_one_sweep_are_one_too_many(stub_sweep: Make) -> None:
    sweep = stub_sweep(SIX_TRIALS, gate=(0, 1))
    first = sweep.start()
    wait_for(lambda: sweep.began(1), "the first epoch")
    second = sweep.start()
    assert second.wait() == 2
    assert f"is being run by process {first.pid} on {os.uname().nodename}" in second.said()
    assert "Traceback" not in second.said()
    first.kill_all()
    sweep.open_gate()
    sweep.finish()


def test_an_outcome_that_was_stored_before_the_kill_is_adopted(stub_sweep: Make) -> None:
    """The moment between the outcome's file and `tell`, made wide: the study is put back to before it."""
    sweep = stub_sweep(SIX_TRIALS, seconds=0.05)
    run = sweep.start()
    wait_for(lambda: sweep.began(8), "the second trial")
    run.kill_all()
    storage = f"sqlite:///{sweep.results.study_file}"
    _untell(sweep.results, trial=0)
    before = len(sweep.marked())
    sweep.finish()
    assert 0 not in {trial for trial, _, _ in sweep.marked()[before:]}
    study = optuna.load_study(study_name="pooling", storage=storage)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 6


def _untell(results: Results, trial: int) -> None:
    import sqlite3

    with sqlite3.connect(results.study_file) as database:
        database.execute("UPDATE trials SET state = 'RUNNING', datetime_complete = NULL WHERE number = ?", (trial,))
        database.execute(
            "DELETE FROM trial_values WHERE trial_id = (SELECT trial_id FROM trials WHERE number = ?)", (trial,)
        )
    database.close()


def test_processes_that_were_stopped_for_seconds_lose_nothing(stub_sweep: Make) -> None:
    sweep = stub_sweep(POOLING + "run: {timeout: 15s}\n", gate=(0, 2))  # many times what a trial takes
    run = sweep.start(workers=2)
    wait_for(lambda: (0, 2, 1) in sweep.marked(), "the second epoch of trial 0")
    os.killpg(run.pid, signal.SIGSTOP)
    time.sleep(17)  # longer than a trial may take
    os.killpg(run.pid, signal.SIGCONT)
    sweep.open_gate()
    assert run.wait() == 0
    assert states(sweep) == {"complete"}
    assert {row["attempts"] for row in _with_attempts(sweep)} == {"1"}


def _with_attempts(sweep: StubSweep) -> list[dict[str, str]]:
    with sweep.results.trials_file.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_worker_that_alone_is_stopped_for_seconds_loses_nothing(stub_sweep: Make) -> None:
    sweep = stub_sweep(POOLING + "run: {timeout: 6s}\n", gate=(0, 2))
    run = sweep.start()
    wait_for(lambda: (0, 2, 1) in sweep.marked(), "the second epoch of trial 0")
    (worker,) = run.workers()
    worker.suspend()
    sweep.open_gate()
    time.sleep(8)  # longer than a trial may take
    worker.resume()
    assert run.wait() == 0
    assert states(sweep) == {"complete"}
    assert {row["attempts"] for row in _with_attempts(sweep)} == {"1"}


HOUR = timedelta(hours=1)
MOVED_CLOCK = Path(__file__).parents[1] / "moved_clock"


@pytest.mark.parametrize("shift", [HOUR, -HOUR], ids=["an hour on", "an hour back"])
def test_a_clock_that_moves_fails_no_trial(stub_sweep: Make, tmp_path: Path, shift: timedelta) -> None:
    """Of the wall clock alone: that is what somebody who sets a clock moves."""
    clock = tmp_path / "clock"
    write_atomically(clock, "0")
    sweep = stub_sweep(SIX_TRIALS + "run: {timeout: 1m}\n", seconds=0.2)
    path = os.pathsep.join([str(MOVED_CLOCK), *filter(None, [os.environ.get("PYTHONPATH")])])
    run = sweep.start(PYTHONPATH=path, CLOCK_MOVED_BY=str(clock))
    wait_for(lambda: sweep.began(9), "the third epoch of the second trial")
    write_atomically(clock, str(shift.total_seconds()))
    assert run.wait() == 0, run.said()
    assert states(sweep) == {"complete"}
    assert {row["attempts"] for row in _with_attempts(sweep)} == {"1"}
    ended = [datetime.fromisoformat(row["ended"]) for row in _with_attempts(sweep)]
    assert abs(ended[-1] - ended[0] - shift) < HOUR / 2  # the trials did see it move


@pytest.mark.slow
@pytest.mark.training
def test_the_command_itself_ends_with_130_and_goes_on(tmp_path: Path) -> None:
    """`python -m optimize run` with real trainings on digits."""
    config = tmp_path / "sweep.yaml"
    config.write_text(POOLING.replace("epochs: 3", "epochs: 200"))
    command = [sys.executable, "-m", "optimize", "run", str(config), "--workers", "1", "--results", str(tmp_path / "r")]
    run = Process(command, dict(os.environ), tmp_path / "output.txt")
    checkpoints = tmp_path / "r" / "pooling" / "trials" / "0" / "checkpoints"
    try:
        wait_for(lambda: list(checkpoints.glob("epoch-*.npz")), "an epoch's checkpoint", seconds=200)
        workers = run.workers()
        run.signal(signal.SIGINT)
        assert run.wait() == 130, run.said()
        assert gone(workers)
        assert "run the same command again" in run.said()
        assert "Traceback" not in run.said()
        assert list(checkpoints.glob("epoch-*.npz"))
    finally:
        if run.running():
            run.kill_all()
