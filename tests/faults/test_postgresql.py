"""A study in PostgreSQL: raced for, restarted, away for a while, and held by somebody else."""

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import optuna
import psutil
import pytest
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from optuna.storages._rdb import storage as optuna_storage

import stubs
from optimize import postgresql
from optimize.config import SweepConfig, load_config
from optimize.results import Results
from optimize.storage import hold_study
from optimize.study import forget_study
from postgres import PASSWORD, Postgres
from processes import StubSweep, rows, wait_for
from sweeps import LEARNING_RATE, POOLING, Bench

psycopg = pytest.importorskip("psycopg", reason="psycopg 3 is not installed (pip install 'optimize-sweeps[cluster]')")

Make = Callable[..., StubSweep]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """In a folder of its own: pytest shuts those of a user's earlier sessions to others whenever one begins."""
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        started = Postgres(Path(folder))
        yield started
        started.stop()


@pytest.fixture
def database(server: Postgres, request: pytest.FixtureRequest) -> str:
    """The address of an empty database."""
    name = f"d{abs(hash(request.node.name)):x}"
    with psycopg.connect(
        host="127.0.0.1", port=server.port, user="someone", password=PASSWORD, dbname="postgres", autocommit=True
    ) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.address(name)


def study(address: str, name: str = "pooling") -> optuna.Study:
    return optuna.load_study(study_name=name, storage=postgresql.normalised(address))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://u:p@h:5433/d?sslmode=require", "postgresql+psycopg://u:p@h:5433/d?sslmode=require"),
        ("postgresql+psycopg2://u@h/d", "postgresql+psycopg://u@h/d"),
        ("postgresql://u:a{b%c@d/e@h/d", "postgresql+psycopg://u:a%7Bb%25c%40d%2Fe@h/d"),
        ("postgresql://u:a%7Bb%25c%40d%2Fe@h/d", "postgresql+psycopg://u:a%7Bb%25c%40d%2Fe@h/d"),
    ],
)
def test_an_address_is_read_however_people_write_it(written: str, read: str) -> None:
    assert postgresql.normalised(written) == read


def test_four_sweeps_may_start_at_once_in_an_empty_database(stub_sweep: Make, database: str) -> None:
    sweeps = [stub_sweep(POOLING.replace("name: pooling", f"name: p{i}"), stub="learn") for i in range(4)]
    runs = [sweep.start(OPTIMIZE_STORAGE=database) for sweep in sweeps]
    for run in runs:
        assert run.wait() == 0, run.said()
    for i in range(4):
        assert [trial.state.name for trial in study(database, f"p{i}").trials] == ["COMPLETE"] * 6


def test_sweeps_of_one_name_in_two_folders_are_two_studies_of_a_database(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPTIMIZE_STORAGE", database)

    def sweep_in(folder: str) -> tuple[SweepConfig, Results]:
        file = tmp_path / "configs" / folder / "pooling.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(POOLING)
        return load_config(file), Results(tmp_path / "results" / folder / "pooling")

    def trained(config: SweepConfig, results: Results) -> int:
        with hold_study(results, config.study_name) as check:
            bench = Bench(config, results, check=check)
            bench.run(stubs.learn)
        return len(bench.witness.submitted)

    here, there = sweep_in("."), sweep_in("study")
    assert (trained(*here), trained(*there)) == (6, 6)
    assert set(optuna.get_all_study_names(postgresql.normalised(database))) == {"pooling", "study/pooling"}
    forget_study(there[1], there[0].study_name)
    assert set(optuna.get_all_study_names(postgresql.normalised(database))) == {"pooling"}
    assert trained(*here) == 0


@pytest.mark.parametrize("away", [0.0, 8.0, pytest.param(60.0, marks=pytest.mark.slow)])
def test_a_restart_or_an_outage_loses_no_trial(stub_sweep: Make, server: Postgres, database: str, away: float) -> None:
    text = LEARNING_RATE.replace("trials: 6", "trials: 30")
    sweep = stub_sweep(text, seconds=0.02)
    run = sweep.start(OPTIMIZE_STORAGE=database)
    wait_for(lambda: len(sweep.results.finished_trials()) >= 4, "four outcomes")
    for _ in range(1 if away else 3):
        server.stop()
        time.sleep(away)
        server.start()
        time.sleep(0.7)
    assert run.wait(200) == 0, run.said()
    table = rows(sweep.results.trials_file)
    assert [row["state"] for row in table] == ["complete"] * 30
    trials = study(database, "rates").trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 30
    assert sweep.epochs_again() == 0


def test_one_signal_ends_a_sweep_whose_database_is_away(stub_sweep: Make, server: Postgres, database: str) -> None:
    sweep = stub_sweep(POOLING)
    run = sweep.start(OPTIMIZE_STORAGE=database)
    wait_for(lambda: sweep.results.finished_trials(), "an outcome")
    server.stop()
    wait_for(lambda: "does not answer; waiting for it" in run.said(), "the word on it")
    run.signal(signal.SIGINT)
    try:
        assert run.wait(60) == 130, run.said()
    finally:
        server.start()
    finished = set(sweep.results.finished_trials())
    sweep.finish(OPTIMIZE_STORAGE=database)
    again = {trial for trial, epoch, _ in sweep.marked() if epoch == 1 and sweep.marked().count((trial, epoch, 1)) > 1}
    assert not finished & again


def test_a_trial_that_was_entered_before_the_answer_got_lost_is_entered_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or, of a study that is made anew from what a folder keeps, those after it would have other numbers."""
    storage = postgresql.PatientStorage(f"sqlite:///{tmp_path}/study.db")
    made, entered = optuna.create_study(storage=storage), 0
    create, enter = RDBStorage._get_prepared_new_trial, optuna_storage._create_scoped_session

    def count(*arguments: Any) -> Any:
        nonlocal entered
        entered += 1
        return create(*arguments)

    @contextmanager
    def lose_answer(*arguments: Any) -> Iterator[Any]:
        before = entered
        with enter(*arguments) as session:
            yield session
        if before == 0 < entered:
            raise StorageInternalError from sqlalchemy.exc.OperationalError("COMMIT", {}, Exception("connection lost"))

    monkeypatch.setattr(RDBStorage, "_get_prepared_new_trial", count)
    monkeypatch.setattr(optuna_storage, "_create_scoped_session", lose_answer)
    for number in range(3):
        made.add_trial(optuna.trial.create_trial(value=number))
    assert [(trial.number, trial.value) for trial in made.get_trials()] == [(0, 0.0), (1, 1.0), (2, 2.0)]


def test_a_second_run_elsewhere_is_refused_and_told_who_runs_it(stub_sweep: Make, database: str) -> None:
    here, there = stub_sweep(POOLING, gate=(0, 1)), stub_sweep(POOLING)
    first = here.start(OPTIMIZE_STORAGE=database)
    wait_for(lambda: here.began(1), "the first epoch")
    second = there.start(OPTIMIZE_STORAGE=database)
    assert second.wait() == 2
    assert f"is being run by process {first.pid} on {os.uname().nodename[:20]}" in second.said()
    first.kill_all()
    here.open_gate()
    here.finish(OPTIMIZE_STORAGE=database, STUB_SECONDS="0.01")  # what the dead one held is free


def test_a_lock_that_the_server_still_holds_for_a_connection_of_ours_that_broke_is_waited_for(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a network outage the server needs a minute to see that the connection is gone."""
    monkeypatch.setattr(postgresql, "LONGEST_PAUSE", 0.2)
    lock = postgresql.StudyLock(postgresql.normalised(database), "pooling")
    forgotten = lock._held.pop_all()
    alive = lock._connection
    broken = lock._held.enter_context(postgresql._connection(lock._address, "broken"))
    number = broken.execute(sqlalchemy.text("SELECT pg_backend_pid()")).scalar()
    alive.execute(sqlalchemy.text("SELECT pg_terminate_backend(:number)"), {"number": number})
    lock._connection = broken
    closing = threading.Timer(1.0, forgotten.close)
    closing.start()
    lock.check()
    closing.join()
    with pytest.raises(postgresql.SweepLocked, match="is being run by process"):
        postgresql.StudyLock(postgresql.normalised(database), "pooling")
    lock.release()


def test_a_study_taken_over_while_the_database_was_away_is_noticed(server: Postgres, database: str) -> None:
    first = postgresql.StudyLock(postgresql.normalised(database), "pooling")
    first.check()
    server.stop()
    server.start()
    second = postgresql.StudyLock(postgresql.normalised(database), "pooling")
    with pytest.raises(postgresql.SweepLocked, match="is being run by process"):
        first.check()
    second.release()


def test_a_wrong_password_is_said_at_once_and_not_repeated(stub_sweep: Make, server: Postgres) -> None:
    run = stub_sweep(POOLING).start(OPTIMIZE_STORAGE=server.address(password="not%the{one"))
    assert run.wait() == 2
    assert "OPTIMIZE_STORAGE" in run.said()
    assert "authentication failed" in run.said()
    assert "not%the{one" not in run.said()
    assert "Traceback" not in run.said()


@pytest.mark.parametrize("address", ["postgresql://u:hunter2@h:port/d", "postgres://u:hunter2@nowhere.invalid/d"])
def test_an_address_that_leads_nowhere_is_refused(stub_sweep: Make, address: str) -> None:
    run = stub_sweep(POOLING).start(OPTIMIZE_STORAGE=address)
    assert run.wait() == 2
    assert "OPTIMIZE_STORAGE" in run.said()
    assert "hunter2" not in run.said()
    assert "Traceback" not in run.said()


def test_a_password_is_found_nowhere(stub_sweep: Make, server: Postgres, database: str) -> None:
    sweep = stub_sweep(POOLING, seconds=0.1, gate=(0, 3))
    run = sweep.start(OPTIMIZE_STORAGE=database)
    wait_for(lambda: sweep.began(3), "the third epoch")
    lines = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    inherited = [str(worker.environ()) for worker in run.workers()]
    assert inherited
    sweep.open_gate()
    outage = threading.Thread(target=lambda: (server.stop(), server.start()))
    outage.start()
    outage.join()
    assert run.wait() == 0, run.said()
    spellings = [PASSWORD, postgresql.normalised(database).split(":")[2].rpartition("@")[0]]
    with psycopg.connect(postgresql.normalised(database).replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        stored = str([connection.execute(f"SELECT * FROM {table}").fetchall() for (table,) in tables])
    files = [path.read_bytes().decode(errors="replace") for path in sweep.folder.rglob("*") if path.is_file()]
    for spelling in spellings:
        assert not any(spelling in text for text in [*lines, *inherited, *files, stored, run.said()])


def test_the_dashboard_says_that_the_database_is_away_and_goes_on_once_it_is_back(
    server: Postgres,
    database: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from optimize.dashboard import dashboard_app

    monkeypatch.setenv("OPTIMIZE_STORAGE", database)
    (tmp_path / "sweep.yaml").write_text(POOLING)
    sweep = Bench(load_config(tmp_path / "sweep.yaml"), Results(tmp_path / "results"))
    sweep.results.write_sweep(sweep.config.resolved())
    app, _ = dashboard_app(sweep.results)

    def ask() -> tuple[str, str]:
        answered: list[str] = []
        environ = {"PATH_INFO": "/api/studies"}
        setup_testing_defaults(environ)
        body = b"".join(app(environ, lambda status, *_: answered.append(status)))
        return answered[0], body.decode()

    assert ask()[0] == "200 OK"
    server.stop()
    try:
        status, body = ask()
    finally:
        server.start()
    assert status == "503 Service Unavailable"
    assert "the storage that OPTIMIZE_STORAGE names cannot be used" in body
    assert PASSWORD not in body
    assert capfd.readouterr().err == ""
    assert ask()[0] == "200 OK"


def test_the_study_opens_for_other_tools(stub_sweep: Make, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from optimize.storage import storage_address

    sweep = stub_sweep(POOLING, stub="learn")
    sweep.finish(OPTIMIZE_STORAGE=database)
    monkeypatch.setenv("OPTIMIZE_STORAGE", database)
    opened = optuna.load_study(study_name="pooling", storage=storage_address(sweep.results))
    assert opened.best_value == max(float(row["val_accuracy"]) for row in rows(sweep.results.trials_file))
    assert not Path(sweep.results.study_file).exists()
