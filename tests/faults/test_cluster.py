"""A Dask scheduler and workers as processes of their own, some of which go away and come back."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from distributed import Client

import stubs
from optimize import daskengine, workers
from optimize.daskengine import DaskEngine
from optimize.engine import EngineLost, VersionMismatch
from optimize.workers import NoScheduler, cluster_engine
from processes import StubSweep, free_port, rows, wait_for
from sweeps import POOLING

Make = Callable[..., StubSweep]


class Cluster:
    """`dask scheduler` and `dask worker`, as an operator or a batch system starts them."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.address = f"tcp://127.0.0.1:{self.port}"
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self.environment = {
            **os.environ,
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "3 s",
            "STUB_MARKS": str(folder / "marks.txt"),
        }
        self.start_scheduler()

    def start_scheduler(self) -> None:
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-dashboard")

    def start_worker(self) -> subprocess.Popen[bytes]:
        return self._start(
            "worker", self.address, "--nthreads", "1", "--host", "127.0.0.1", "--no-dashboard",
            "--local-directory", str(self._folder), "--death-timeout", "60",
        )  # fmt: skip

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / "dask.log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *arguments],
                env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        return process

    def kill(self, process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
        os.killpg(process.pid, number)
        process.wait()

    def end(self) -> None:
        for process in self._processes:
            if process.poll() is None:
                self.kill(process)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    started = Cluster(tmp_path)
    yield started
    started.end()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and one worker, for tests that leave both as they are."""
    started = Cluster(tmp_path_factory.mktemp("cluster"))
    started.start_worker()
    yield started
    started.end()


def on_cluster(cluster: Cluster, epochs: int = 10) -> str:
    return POOLING.replace("epochs: 3", f"epochs: {epochs}") + f"run: {{engine: '{cluster.address}'}}\n"


def test_a_worker_that_goes_away_and_one_that_comes_lose_nothing(stub_sweep: Make, cluster: Cluster) -> None:
    first = cluster.start_worker()
    sweep = stub_sweep(on_cluster(cluster), stub="slow")
    run = sweep.start()
    wait_for(lambda: "started 1" in run.said(), "a trial that runs after the first outcome")
    cluster.kill(first)
    cluster.start_worker()
    assert run.wait() == 0, run.said()
    table = rows(sweep.results.trials_file)
    assert [row["state"] for row in table] == ["complete"] * 6
    assert "it runs again" in run.said()
    assert all(sweep.results.weights(trial) is not None for trial in range(6))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_a_scheduler_that_goes_away_and_comes_back_loses_nothing(
    stub_sweep: Make, cluster: Cluster, number: int
) -> None:
    worker = cluster.start_worker()
    sweep = stub_sweep(on_cluster(cluster, epochs=15).replace("run: {", "run: {retries: 0, "), stub="slow")
    run = sweep.start()
    wait_for(lambda: "started 1" in run.said(), "a trial that runs after the first outcome")
    cluster.kill(cluster.scheduler, number)
    if worker.poll() is None:
        cluster.kill(worker)
    cluster.start_scheduler()
    cluster.start_worker()
    assert run.wait() == 0, run.said()
    assert [row["state"] for row in rows(sweep.results.trials_file)] == ["complete"] * 6
    assert "the scheduler went away" in run.said()
    assert "Traceback" not in run.said()


def test_what_a_killed_coordinator_has_left_running_ends_with_its_epoch(stub_sweep: Make, standing: Cluster) -> None:
    """Or the worker would train for nobody, and the next coordinator's trials would wait for it."""
    run = stub_sweep(on_cluster(standing, epochs=10_000), stub="slow").start()
    with Client(standing.address, set_as_default=False) as client:

        def busy() -> bool:
            return any(client.run(lambda dask_worker: bool(dask_worker.active_threads)).values())

        wait_for(busy, "the trial")
        run.kill_all()
        wait_for(lambda: not busy(), "the end of its epoch")  # of which it has a thousand seconds


def test_a_scheduler_that_stays_away_ends_a_sweep_clearly(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daskengine, "SCHEDULER_AWAY_SECONDS", 1.0)
    cluster.start_worker()
    engine = cluster_engine(stubs.learn, cluster.address)
    wait_for(engine.slots, "a worker")
    cluster.kill(cluster.scheduler)

    def poll() -> bool:
        engine.next_event(0.1)
        return False

    with pytest.raises(EngineLost, match="every finished trial is kept: run again"):
        wait_for(poll, "the end")
    engine.close()


def test_a_call_that_no_worker_takes_ends_clearly_and_one_that_some_take_is_answered(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the export of a winner is, once every worker has left and the scheduler stays."""
    worker = cluster.start_worker()
    engine = cluster_engine(stubs.learn, cluster.address)
    wait_for(engine.slots, "a worker")
    cluster.kill(worker)
    with monkeypatch.context() as patch:
        patch.setattr(daskengine, "WORKERS_AWAY_SECONDS", 1.0)
        with pytest.raises(EngineLost, match="no worker has been there for 1 s"):
            engine.call(len, "four")
    cluster.start_worker()
    assert engine.call(len, "four") == 4
    engine.close()


def test_a_scheduler_lost_while_its_workers_are_looked_at_is_waited_for(cluster: Cluster) -> None:
    cluster.start_worker()
    inspected: list[Sequence[str]] = []

    def inspect(client: Client, addresses: Sequence[str]) -> list[str]:
        inspected.append(addresses)
        if len(inspected) == 1:
            cluster.kill(cluster.scheduler)
            cluster.start_scheduler()
            cluster.start_worker()
        return workers.refuse_other_versions(client, addresses, workers.package_versions())

    def connect() -> Client:
        return Client(cluster.address, set_as_default=False, timeout="20 s")

    engine = DaskEngine(connect(), stubs.learn, reconnect=connect, inspect=inspect)
    wait_for(lambda: engine.slots() and len(inspected) > 1, "a worker of the scheduler that came back")
    engine.close()


def test_a_worker_of_other_versions_ends_the_sweep_whatever_else_runs(
    standing: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "compare_versions", lambda theirs, ours: [f"{a}: keras 3.0.0" for a in theirs])
    engine = cluster_engine(stubs.learn, standing.address)
    with pytest.raises(VersionMismatch, match=r"tcp://.*: keras 3\.0\.0"):
        wait_for(engine.slots, "the worker")
    engine.close()


def test_a_worker_that_left_before_it_could_be_asked_is_not_used_and_blames_nobody(standing: Cluster) -> None:
    with Client(standing.address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
        (here,) = client.scheduler_info()["workers"]
        asked = [here, "tcp://127.0.0.1:9"]
        assert workers.refuse_other_versions(client, asked, workers.package_versions()) == [here]


def test_a_worker_without_this_package_is_refused_by_name() -> None:
    class Answers:
        def run(self, *_: object, **__: object) -> dict[str, object]:
            return {"tcp://10.0.0.2:4000": ModuleNotFoundError("No module named 'optimize'")}

    with pytest.raises(VersionMismatch, match=r"tcp://10\.0\.0\.2:4000: ModuleNotFoundError: No module named"):
        workers.refuse_other_versions(Answers(), ["tcp://10.0.0.2:4000"], {})  # type: ignore[arg-type,unused-ignore]


def test_a_scheduler_that_is_not_there_is_named(stub_sweep: Make, cluster: Cluster) -> None:
    cluster.kill(cluster.scheduler)
    with pytest.raises(NoScheduler, match=f"no Dask scheduler answers at {cluster.address}"):
        cluster_engine(stubs.learn, cluster.address, patience="1 s")


def test_a_worker_of_other_versions_is_refused_by_name(standing: Cluster) -> None:
    with Client(standing.address, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
    ours = {**workers.package_versions(), "keras": "3.0.0"}
    with (
        pytest.raises(VersionMismatch, match=r"tcp://.*: keras .*, here 3\.0\.0"),
        Client(standing.address, set_as_default=False) as client,
    ):
        workers.refuse_other_versions(client, list(client.scheduler_info()["workers"]), ours)
