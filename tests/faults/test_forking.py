"""The process that workers are forked from."""

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path

import psutil
import pytest

import stubs
from optimize import forking
from optimize.config import load_config
from optimize.staff import Staff
from optimize.workers import local_engine
from processes import StubSweep, gone, rows, wait_for
from sweeps import POOLING

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="workers are forked on Linux alone")

Make = Callable[..., StubSweep]


@pytest.fixture
def unstarted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """As if none had been started in this process; what would be imported, once one is."""
    preloaded: list[str] = []
    monkeypatch.setattr(forking, "_threads", None)
    monkeypatch.setattr(forking, "gpus", lambda: ())
    monkeypatch.setattr(multiprocessing, "set_forkserver_preload", preloaded.extend)
    monkeypatch.setattr(forkserver, "ensure_running", lambda: None)
    for name, value in forking.worker_variables(1).items():
        monkeypatch.setenv(name, value)  # put back after the test
    return preloaded


def test_workers_are_forked_from_one_process_and_from_no_other() -> None:
    engine = local_engine(stubs.learn, workers=2)
    try:
        wait_for(lambda: len(engine.slots()) == 2, "both workers")
        (parent,) = set(engine._client.run(os.getppid).values())
        assert parent != os.getpid()
        assert psutil.Process(parent).ppid() == os.getpid()
    finally:
        engine.close()


def test_workers_have_the_environment_of_their_start_and_not_of_their_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook sets OPTIMIZE_DATA between two sweeps, and takes it back."""

    def seen() -> tuple[str | None, str | None, str | None]:
        names = ("OPTIMIZE_DATA", "OPTIMIZE_STORAGE", "OPTIMIZE_GONE")
        engine = local_engine(stubs.learn, workers=1)
        try:
            wait_for(engine.slots, "the worker")
            return engine.call(lambda: tuple(os.environ.get(name) for name in names))  # type: ignore[return-value]
        finally:
            engine.close()

    monkeypatch.setattr(forking, "_variables", forking._variables | {"OPTIMIZE_DATA"})
    monkeypatch.setenv("OPTIMIZE_STORAGE", "postgresql://me:secret@there/studies")
    monkeypatch.setenv("OPTIMIZE_DATA", "/first")
    assert seen() == ("/first", None, None)
    monkeypatch.setenv("OPTIMIZE_DATA", "/second")
    assert seen() == ("/second", None, None)
    monkeypatch.delenv("OPTIMIZE_DATA")
    assert seen() == (None, None, None)


def test_whoever_runs_a_sweep_has_its_own_environment_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A script that trains with all cores once its sweep has ended."""
    file = tmp_path / "pooling.yaml"
    file.write_text(POOLING)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    before = dict(os.environ)
    with Staff(load_config(file), stubs.learn, workers=1, trials=1) as staff:
        engine = staff.engine()
        wait_for(engine.slots, "the worker")
        names = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS")
        assert engine.call(lambda: [os.environ[name] for name in names]) == ["1", "1"]
    assert {**os.environ, "PYTEST_CURRENT_TEST": ""} == {**before, "PYTEST_CURRENT_TEST": ""}


def test_a_fork_server_that_is_killed_takes_its_workers_along_and_loses_no_trial(stub_sweep: Make) -> None:
    sweep = stub_sweep(POOLING.replace("epochs: 3", "epochs: 8"), gate=(0, 2))
    run = sweep.start(workers=2)
    wait_for(lambda: (0, 2, 1) in sweep.marked(), "the second epoch")
    wait_for(lambda: len(run.workers()) == 2, "both workers")
    workers = run.workers()
    assert len(workers) == 2
    server = workers[0].parent()
    assert server is not None
    assert server.pid != run.pid
    server.kill()
    assert gone(workers)
    sweep.open_gate()
    assert run.wait() == 0, run.said()
    assert [row["state"] for row in rows(sweep.results.trials_file)] == ["complete"] * 6


def test_it_imports_what_trains_where_something_trains(unstarted: list[str]) -> None:
    assert forking.start_fork_server(1, training=True)
    assert unstarted == ["optimize.forked", "optimize.forked_training"]
    assert forking.start_fork_server(1)
    assert len(unstarted) == 2  # it runs already


def test_workers_of_other_threads_start_anew(unstarted: list[str]) -> None:
    assert forking.start_fork_server(1)
    assert not forking.start_fork_server(2)


@pytest.mark.parametrize("why", ["gpus", "system", "socket"])
def test_where_nothing_can_be_forked_workers_start_anew(
    unstarted: list[str], monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    def refuse() -> None:
        raise OSError("AF_UNIX path too long")

    if why == "gpus":
        monkeypatch.setattr(forking, "gpus", lambda: ("0",))
    elif why == "system":
        monkeypatch.setattr(sys, "platform", "darwin")
    else:
        monkeypatch.setattr(forkserver, "ensure_running", refuse)
    assert not forking.start_fork_server(1)


def test_workers_that_start_anew_train_too(stub_sweep: Make, tmp_path: Path) -> None:
    """Where the socket's path would be too long."""
    folder = tmp_path / ("deep" * 25)
    folder.mkdir()
    sweep = stub_sweep(POOLING, seconds=0.01)
    run = sweep.start(workers=2, TMPDIR=str(folder))
    assert run.wait() == 0, run.said()
    assert [row["state"] for row in rows(sweep.results.trials_file)] == ["complete"] * 6
