"""The Dask engine with real worker processes and stub trials."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dask.config
import numpy as np
import psutil
import pytest
from distributed import get_worker

import stubs
from optimize.cores import machine_cores
from optimize.crew import Crew
from optimize.daskengine import DaskEngine
from optimize.engine import (
    EngineLost,
    EpochEnded,
    ThreadEngine,
    TrialBegan,
    TrialEnded,
    TrialRunner,
    WorkerLost,
    first_slots,
)
from optimize.sweep import search_proposals
from optimize.trial import TrialOutcome, TrialTask
from optimize.workers import compare_versions, local_engine, package_versions
from processes import is_worker, wait_for
from sweeps import POOLING, Bench

Open = Callable[[str], Bench]


@pytest.fixture(scope="module")
def engines() -> Iterator[Callable[[TrialRunner], DaskEngine]]:
    """Two worker processes shared by the module's tests, under a runner of each test's own."""
    first = local_engine(stubs.learn, workers=2)

    def make(run: TrialRunner) -> DaskEngine:
        wait_for(lambda: len(worker_pids(first)) == 2, "both workers, of which a test before may have lost one")
        return DaskEngine(first._client, run)

    yield make
    first.close()


def run(bench: Bench, engine: DaskEngine) -> None:
    wanted = search_proposals(bench.config)
    bench.coordinator.expect(wanted)
    assert bench.coordinator.run(wanted, lambda: engine) == "done"


def worker_pids(engine: DaskEngine) -> list[int]:
    return list(engine._client.run(os.getpid).values())


def test_trials_run_in_other_processes_and_come_back_whole(
    bench: Open, engines: Callable[[TrialRunner], DaskEngine]
) -> None:
    parallel = bench(POOLING)
    run(parallel, engines(stubs.learn))
    table = parallel.results.trials()
    assert list(table["state"]) == ["complete"] * 6
    assert set(table["worker"]) == {0, 1}
    assert sorted(parallel.witness.epochs) == [(trial, epoch) for trial in range(6) for epoch in (1, 2, 3)]


def test_each_worker_is_pinned_to_a_core_of_its_own(engines: Callable[[TrialRunner], DaskEngine]) -> None:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system does not pin processes")
    affinities = engines(stubs.learn)._client.run(lambda: sorted(os.sched_getaffinity(0)))
    cores = machine_cores()
    assert sorted(affinities.values()) == sorted([[cores[0]], [cores[1 % len(cores)]]])


def test_a_workers_interrupt_is_the_coordinators_to_handle(engines: Callable[[TrialRunner], DaskEngine]) -> None:
    engine = engines(stubs.learn)
    before = worker_pids(engine)
    for pid in before:
        os.kill(pid, signal.SIGINT)
    time.sleep(0.3)
    assert worker_pids(engine) == before


def test_a_soft_stop_is_read_at_the_epochs_end(bench: Open, engines: Callable[[TrialRunner], DaskEngine]) -> None:
    engine = engines(stubs.slow)
    opened = bench(POOLING.replace("epochs: 3", "epochs: 5000"))
    task = opened.coordinator._next_task(search_proposals(opened.config), engine.slots()[0])
    assert task is not None
    engine.submit(engine.slots()[0], task)
    while not isinstance(engine.next_event(5), EpochEnded):
        pass
    engine.request_stop([task.trial])
    event = None
    while not isinstance(event, TrialEnded):
        event = engine.next_event(5)
    assert event.outcome.state == "interrupted"
    assert 1 <= len(event.outcome.history) < 100


@pytest.mark.parametrize("stub", [stubs.dies_once, stubs.segfaults_once])
def test_a_trial_whose_worker_died_runs_again(
    bench: Open, engines: Callable[[TrialRunner], DaskEngine], stub: TrialRunner
) -> None:
    struck = bench(POOLING)
    run(struck, engines(stub))
    table = struck.results.trials().set_index("trial")
    assert list(table["state"]) == ["complete"] * 6
    assert list(table["attempts"]) == [1, 2, 1, 1, 1, 1]
    assert any("trial 1: its worker process died; it runs again (attempt 2)" in note for note in struck.witness.notes)


def test_a_trial_that_kills_every_worker_fails_after_its_retries(
    bench: Open, engines: Callable[[TrialRunner], DaskEngine]
) -> None:
    struck = bench(POOLING + "run: {retries: 1}\n")
    run(struck, engines(stubs.dies_always))
    table = struck.results.trials().set_index("trial")
    assert table.loc[1, "state"] == "failed"
    assert table.loc[1, "reason"] == "its worker process died, 2 times"
    assert list(table.drop(index=1)["state"]) == ["complete"] * 5


def test_a_trial_that_hangs_is_ended_and_the_others_go_on(
    bench: Open, engines: Callable[[TrialRunner], DaskEngine]
) -> None:
    hanging = bench(POOLING + "run: {timeout: 4s}\n")
    run(hanging, engines(stubs.hangs))
    table = hanging.results.trials().set_index("trial")
    assert table.loc[0, "state"] == "failed"
    assert table.loc[0, "reason"] == "ran longer than 4 s"
    assert list(table.drop(index=0)["state"]) == ["complete"] * 5


def test_a_workers_preparation_is_charged_to_no_trial(
    bench: Open, engines: Callable[[TrialRunner], DaskEngine]
) -> None:
    engine = engines(stubs.learn)
    engine.warm_up(time.sleep, 6)
    prepared = bench(POOLING + "run: {timeout: 4s}\n")
    run(prepared, engine)
    assert list(prepared.results.trials()["state"]) == ["complete"] * 6


def test_a_worker_that_takes_anothers_place_is_prepared_too(
    bench: Open, engines: Callable[[TrialRunner], DaskEngine], tmp_path: Path
) -> None:
    engine, marks = engines(stubs.dies_once), tmp_path / "marks"
    before = set(worker_pids(engine))
    engine.warm_up(stubs.prepares, marks)
    run(bench(POOLING), engine)
    wait_for(lambda: len(engine.slots()) == 2, "the worker in its place")
    wait_for(lambda: len(marks.read_text().split()) == 3, "its preparation")
    prepared = {int(pid) for pid in marks.read_text().split()}
    assert prepared == before | set(worker_pids(engine))


def test_what_an_attempt_that_was_given_up_says_late_is_not_said_of_the_next(
    bench: Open, engines: Callable[[TrialRunner], DaskEngine]
) -> None:
    engine = engines(stubs.slow)
    opened = bench(POOLING.replace("epochs: 3", "epochs: 5000"))
    first = opened.coordinator._next_task(search_proposals(opened.config), engine.slots()[0])
    assert first is not None
    engine.submit(engine.slots()[0], replace(first, attempt=2))
    engine._events.put(WorkerLost(first.trial, 1, "of the former attempt"))
    while not isinstance(engine.next_event(5), EpochEnded):
        pass
    engine.request_stop([first.trial])  # it still knows where the second attempt runs
    event = None
    while not isinstance(event, TrialEnded):
        event = engine.next_event(5)
    assert (event.attempt, event.outcome.state) == (2, "interrupted")


def test_a_trial_that_outgrows_its_memory_is_ended(bench: Open, engines: Callable[[TrialRunner], DaskEngine]) -> None:
    growing = bench(POOLING + "run: {memory: 500MiB}\n")
    run(growing, engines(stubs.grows))
    table = growing.results.trials().set_index("trial")
    assert table.loc[0, "state"] == "failed"
    assert table.loc[0, "reason"] == "grew beyond 500 MiB"
    assert list(table.drop(index=0)["state"]) == ["complete"] * 5


def test_a_place_is_filled_again_however_its_worker_was_lost(bench: Open) -> None:
    """Dask itself gives up a place that is empty at one moment, and one whose worker died as it started."""
    engine = local_engine(stubs.learn, workers=1)
    try:
        with dask.config.set({"distributed.deploy.lost-worker-timeout": "10 ms"}):
            (first,) = worker_pids(engine)
            os.kill(first, signal.SIGKILL)
            wait_for(lambda: not psutil.pid_exists(first), "its end")
            time.sleep(0.5)
        wait_for(engine.slots, "a worker in its place")
        cluster = engine._client.cluster
        cluster.sync(cluster.workers[0].close)
        wait_for(lambda: not engine.slots(), "its nanny's end")
        wait_for(engine.slots, "another nanny's worker")
        run(bench(POOLING), engine)
    finally:
        engine.close()


def test_why_a_worker_cannot_be_started_is_in_the_log_and_its_place_is_tried_again(tmp_path: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no room for another process")

    log = tmp_path / "log.txt"
    engine = local_engine(stubs.learn, workers=1, log=log)
    try:
        wait_for(engine.slots, "a worker")
        cluster = engine._client.cluster
        sound, cluster.worker_spec[0]["cls"] = cluster.worker_spec[0]["cls"], refuse
        cluster.sync(cluster.workers[0].close)
        wait_for(lambda: not engine.slots() and "no room" in log.read_text(), "a line in the log")
        cluster.worker_spec[0]["cls"] = sound
        wait_for(engine.slots, "a worker in its place")
    finally:
        engine.close()
    assert log.read_text().count(": a worker could not be started: OSError: no room for another process\n") == 1


def spoil(monkeypatch: pytest.MonkeyPatch, spoilt: set[int]) -> None:
    """Have the workers in some places not find what they need to start."""

    def crew(*settings: Any, workers: dict[int, Any], **options: Any) -> Crew:
        for slot in spoilt:
            workers[slot]["options"]["preload"] = ["nowhere"]
        return Crew(*settings, workers=workers, **options)

    monkeypatch.setattr("optimize.workers.Crew", crew)


def test_a_worker_that_cannot_be_started_at_first_costs_its_own_place_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(monkeypatch, {1})
    engine = local_engine(stubs.learn, workers=2)
    try:
        assert [slot.number for slot in first_slots(engine)] == [0]
        engine._client.cluster.worker_spec[1]["options"]["preload"] = ["optimize.workers"]
        wait_for(lambda: len(engine.slots()) == 2, "the other worker")
    finally:
        engine.close()


def test_where_no_worker_can_be_started_it_is_said_why_and_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def workers() -> set[int]:
        return {child.pid for child in psutil.Process().children(recursive=True) if is_worker(child)}

    spoil(monkeypatch, {0, 1})
    before = workers()
    with pytest.raises(EngineLost, match="no worker could be started: ModuleNotFoundError: No module named 'nowhere'"):
        local_engine(stubs.learn, workers=2)
    wait_for(lambda: workers() <= before, "their end")


def test_what_is_submitted_just_as_the_scheduler_goes_is_lost_and_blames_nobody(bench: Open) -> None:
    waiting = bench(POOLING)
    engine = local_engine(stubs.learn, workers=1)
    try:
        (slot,) = first_slots(engine)
        task = waiting.coordinator._next_task(search_proposals(waiting.config), slot)
        assert task is not None
        engine._client.close()
        engine.submit(slot, task)
        assert engine.next_event(0.1) == WorkerLost(task.trial, 1, "the scheduler went away", blamed=False)
        with pytest.raises(EngineLost, match=r"CommClosedError: the connection is closed\); every"):
            wait_for(engine.slots, "the end")
    finally:
        engine.close()


def test_closing_leaves_no_process_behind() -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    engine = local_engine(stubs.learn, workers=2)
    pids = worker_pids(engine)
    assert len(pids) == 2
    engine.close()
    _, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=5)
    assert not alive
    assert not set(pids) & before


def test_workers_write_their_own_output_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    engine = local_engine(stubs.learn, workers=1, log=log)
    engine.call(print, "a word from a worker")
    engine.call(os.system, "echo and from its child")
    engine.close()
    assert "and from its child" in log.read_text()


def test_a_workers_other_versions_are_named() -> None:
    ours = package_versions()
    theirs = {**ours, "keras": "3.0.0"}
    (line,) = compare_versions({"tcp://10.0.0.2:4000": theirs, "tcp://10.0.0.3:4000": ours}, ours)
    assert line == f"tcp://10.0.0.2:4000: keras 3.0.0, here {ours['keras']}"


def test_what_a_closed_engine_still_trains_is_asked_to_stop_and_waited_for(bench: Open) -> None:
    """In one process all trials of one network train the same variables."""
    opened = bench(POOLING)
    inside, most, release = [0], [0], threading.Event()

    def train(task: TrialTask, report: stubs.Report, stop_requested: stubs.StopRequested) -> TrialOutcome:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        while not (release.wait(0.01) or stop_requested()):
            pass
        inside[0] -= 1
        return stubs.learn(task, report, stop_requested)

    first, second = ThreadEngine(train), ThreadEngine(train)
    task = opened.coordinator._next_task(search_proposals(opened.config), first.slots()[0])
    assert task is not None
    first.submit(first.slots()[0], task)
    assert isinstance(first.next_event(5), TrialBegan)
    second.submit(second.slots()[0], task)
    assert second.next_event(0.2) is None
    first.close()
    assert isinstance(second.next_event(5), TrialBegan)
    release.set()
    assert most == [1]


def test_in_this_process_a_trial_that_outgrows_the_memory_limit_ends_with_its_epoch(bench: Open) -> None:
    def train(task: TrialTask, report: stubs.Report, stop_requested: stubs.StopRequested) -> TrialOutcome:
        kept = np.ones(75_000_000 if task.trial == 0 else 1)  # of 600 MB
        for _ in range(3000):  # far longer than it takes to be noticed
            if task.trial > 0 or stop_requested():
                break
            time.sleep(0.01)
        del kept
        return stubs.learn(task, report, stop_requested)

    limit = psutil.Process().memory_info().rss + 300_000_000
    growing = bench(POOLING + f"run: {{memory: {limit}}}\n")
    growing.run(train)
    table = growing.results.trials().set_index("trial")
    assert table.loc[0, "state"] == "failed"
    assert table.loc[0, "reason"] == f"grew beyond {limit / 2**20:.0f} MiB"
    assert list(table.drop(index=0)["state"]) == ["complete"] * 5


def test_in_this_process_a_runner_that_raises_costs_its_trial_and_the_others_go_on(bench: Open) -> None:
    def raises(task: TrialTask, report: stubs.Report, stop_requested: stubs.StopRequested) -> TrialOutcome:
        if task.trial == 1:
            raise ValueError("no outcome")
        return stubs.learn(task, report, stop_requested)

    raising = bench(POOLING + "run: {retries: 1}\n")
    assert raising.run(raises) == "done"
    table = raising.results.trials().set_index("trial")
    assert (table.loc[1, "state"], table.loc[1, "reason"]) == ("failed", "ValueError: no outcome, 2 times")
    assert set(table.drop(index=1)["state"]) == {"complete"}


def test_the_first_slots_are_waited_for() -> None:
    engine = ThreadEngine(stubs.learn)
    assert first_slots(engine) == engine.slots()
    engine.slots = tuple  # type: ignore[method-assign]
    with pytest.raises(EngineLost, match="no worker has come in 0 s"):
        first_slots(engine, seconds=0)


def test_a_call_whose_worker_dies_is_made_once_more(
    engines: Callable[[TrialRunner], DaskEngine], tmp_path: Path
) -> None:
    engine, mark = engines(stubs.learn), tmp_path / "died"
    assert engine.call(_dies_once, mark) == "alive"
    with pytest.raises(EngineLost, match="two workers were lost"):
        engine.call(_dies)


def test_workers_do_not_look_at_themselves_while_they_train(engines: Callable[[TrialRunner], DaskEngine]) -> None:
    seconds = engines(stubs.learn).call(_seconds_between_callbacks)
    assert "heartbeat" in seconds  # or the next line would say nothing
    assert min(seconds.values()) >= 0.5


def test_what_a_call_takes_may_be_large(engines: Callable[[TrialRunner], DaskEngine]) -> None:
    """A model's weights: Dask would have the user told to load its data otherwise."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert engines(stubs.learn).call(len, b"0" * 20_000_000) == 20_000_000


def _seconds_between_callbacks() -> dict[str, float]:
    callbacks = get_worker().periodic_callbacks
    return {name: callback.callback_time / 1000 for name, callback in callbacks.items()}


def _dies_once(mark: Path) -> str:
    if mark.exists():
        return "alive"
    mark.touch()
    return _dies()


def _dies() -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""
