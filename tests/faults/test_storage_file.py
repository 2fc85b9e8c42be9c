"""study.db truncated, overwritten, deleted, locked, or written by a version to come; tables and checkpoints torn."""

import errno
import os
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

import stubs
from main import checkpoint
from main.errors import UserError
from optimize import locks
from optimize.config import load_config
from optimize.results import Results
from optimize.storage import StudyUnreadable, close_study, hold_study
from optimize.study import StudyChanged
from processes import StubSweep, rows, wait_for
from sweeps import LEARNING_RATE, POOLING, Bench

Make = Callable[..., StubSweep]


@pytest.fixture
def reopen(tmp_path: Path) -> Callable[..., Bench]:
    """Opens a sweep as a new command would."""

    def open_again(text: str = POOLING) -> Bench:
        path = tmp_path / "sweep.yaml"
        path.write_text(text)
        return Bench(load_config(path), Results(tmp_path / "results"))

    return open_again


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path: Path) -> None:
    path.write_bytes(b"not a database at all\n" * 400)


def flip_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:20480] = os.urandom(16384)
    path.write_bytes(content)


def spoil(change: str) -> Callable[[Path], None]:
    """Damage inside a cell, which leaves a database that SQLite finds nothing wrong with."""

    def damage(path: Path) -> None:
        with closing(sqlite3.connect(path)) as database:
            database.execute(change)
            database.commit()

    return damage


SPOILED_CELLS = {
    "identity": "UPDATE study_user_attributes SET value_json = '{'",
    "identity of another kind": "UPDATE study_user_attributes SET value_json = '3'",
    "direction": "UPDATE study_directions SET direction = 'SIDEWAYS'",
    "state": "UPDATE trials SET state = 'SPOILED' WHERE number = 2",
    "time": "UPDATE trials SET datetime_start = 'now' WHERE number = 2",
    "choice": "UPDATE trial_params SET param_value = 7 WHERE trial_id = 2",
    "parameter": "UPDATE trial_params SET param_name = 'model.poolinh' WHERE trial_id = 2",
    "distribution": "UPDATE trial_params SET distribution_json = '{' WHERE trial_id = 2",
    "seed": "UPDATE trial_user_attributes SET value_json = '\"x\"' WHERE key = 'seed' AND trial_id = 2",
}


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        overwrite,
        flip_pages,
        *(pytest.param(spoil(change), id=f"spoiled {cell}") for cell, change in SPOILED_CELLS.items()),
    ],
)
def test_a_damaged_study_is_named_and_made_anew_from_what_the_folder_keeps(
    reopen: Callable[..., Bench], damage: Callable[[Path], None]
) -> None:
    done = reopen()
    done.run(stubs.max_fails)
    expected = [(t.state, t.value, t.params, t.intermediate_values) for t in done.study.get_trials()]
    close_study(done.results, done.study)
    damage(done.results.study_file)
    with pytest.raises(StudyUnreadable) as refused:
        reopen()
    aside = done.results.study_file.with_suffix(".damaged")
    assert f"{done.results.study_file} cannot be read as a study" in str(refused.value)
    assert f"mv {done.results.study_file} {aside}" in str(refused.value)
    done.results.study_file.rename(aside)  # as it says
    anew = reopen()
    assert [(t.state, t.value, t.params, t.intermediate_values) for t in anew.study.get_trials()] == expected
    anew.run(stubs.learn)
    assert anew.witness.submitted == []


@pytest.mark.parametrize("name", ["ä ö [x] {y} $z", "a?b=c#d", "100%25"])
def test_a_study_is_where_its_folder_is_whatever_that_is_called(tmp_path: Path, name: str) -> None:
    (tmp_path / "pooling.yaml").write_text(POOLING)
    bench = Bench(load_config(tmp_path / "pooling.yaml"), Results(tmp_path / name / "pooling"))
    bench.run(stubs.learn)
    close_study(bench.results, bench.study)
    assert bench.results.study_file.is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "pooling.yaml"])


def test_a_study_lost_half_way_goes_on_with_what_it_had(reopen: Callable[..., Bench]) -> None:
    half = reopen()

    class Killed(BaseException):
        pass

    def die() -> None:
        if len(half.witness.ends) == 3:
            raise Killed

    half.witness.on_end = die
    with pytest.raises(Killed):
        half.run(stubs.learn)
    close_study(half.results, half.study)
    half.results.study_file.unlink()
    resumed = reopen()
    assert resumed.witness.notes == ["3 trials that the study had lost: entered again from trials/"]
    resumed.run(stubs.learn)
    assert [task.trial for task in resumed.witness.submitted] == [3, 4, 5]
    assert len(rows(resumed.results.trials_file)) == 6


def test_what_an_older_copy_of_the_study_lacks_is_not_trained_again(reopen: Callable[..., Bench]) -> None:
    """As a backup, or a power cut that took what SQLite had not flushed: outcomes are flushed each by itself."""
    done = reopen()
    copy = done.results.folder / "copy"

    def back_up() -> None:
        if len(done.witness.ends) == 3:
            with closing(sqlite3.connect(done.results.study_file)) as study, closing(sqlite3.connect(copy)) as backup:
                study.backup(backup)

    done.witness.on_end = back_up
    done.run(stubs.max_fails)
    expected = [(t.state, t.value, t.params, t.intermediate_values) for t in done.study.get_trials()]
    close_study(done.results, done.study)
    copy.replace(done.results.study_file)
    for name in ("5 (copy)", "17"):
        shutil.copytree(done.results.trial_folder(5), done.results.folder / "trials" / name)
    resumed = reopen()
    resumed.run(stubs.learn)
    assert resumed.witness.submitted == []
    assert [(t.state, t.value, t.params, t.intermediate_values) for t in resumed.study.get_trials()] == expected


@pytest.mark.parametrize(
    ("algorithms", "without"),
    [
        ("sampler: tpe, pruner: median", ""),
        ("sampler: cmaes", "; what cmaes kept of them there is not"),
        ("sampler: nsga2, pruner: asha", "; what nsga2 and asha kept of them there is not"),
        (
            "sampler: tpe, pruner: {name: patient, patience: 1, wrapped: hyperband}",
            "; what hyperband kept of them there is not",
        ),
    ],
)
def test_what_a_study_that_is_made_anew_does_not_have_again_is_said(
    reopen: Callable[..., Bench], algorithms: str, without: str
) -> None:
    text = LEARNING_RATE.replace("sampler: random", algorithms)
    done = reopen(text)
    done.run(stubs.learn)
    close_study(done.results, done.study)
    done.results.study_file.unlink()
    assert reopen(text).witness.notes == [f"6 trials that the study had lost: entered again from trials/{without}"]
    assert reopen(text).witness.notes == []


def test_a_sequence_whose_study_was_lost_goes_on_where_it_was(reopen: Callable[..., Bench]) -> None:
    text = LEARNING_RATE.replace("network: cnn", "network: cnn, dropout: {low: 0.0, high: 0.5}")
    half = reopen(text.replace("sampler: random", "sampler: qmc"))
    half.run(stubs.learn)
    close_study(half.results, half.study)
    half.results.study_file.unlink()
    resumed = reopen(text.replace("sampler: random, trials: 6", "sampler: qmc, trials: 12"))
    resumed.run(stubs.learn)
    assert len({str(trial.params) for trial in resumed.study.get_trials()}) == 12


def test_a_trial_that_ran_when_the_study_was_lost_leaves_its_number_to_nobody(reopen: Callable[..., Bench]) -> None:
    done = reopen()
    done.run(stubs.learn)
    close_study(done.results, done.study)
    done.results.study_file.unlink()
    (done.results.trial_folder(2) / "outcome.json").unlink()
    resumed = reopen()
    resumed.run(stubs.learn)
    assert [(task.trial, task.configuration) for task in resumed.witness.submitted] == [(6, "blur")]
    assert resumed.study.get_trials()[2].state == TrialState.FAIL


def test_a_rebuild_that_was_killed_itself_is_gone_on_with(
    reopen: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    done = reopen()
    done.run(stubs.learn)
    close_study(done.results, done.study)
    done.results.study_file.unlink()
    add_trial, added = optuna.Study.add_trial, []

    class Killed(BaseException):
        pass

    def dies(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if len(added) == 2:
            raise Killed
        added.append(trial)
        add_trial(study, trial)

    monkeypatch.setattr(optuna.Study, "add_trial", dies)
    with pytest.raises(Killed):
        reopen()
    monkeypatch.undo()
    resumed = reopen()
    resumed.run(stubs.learn)
    assert resumed.witness.submitted == []
    assert len(rows(resumed.results.trials_file)) == 6


def test_a_lost_study_is_not_made_anew_for_other_trials(reopen: Callable[..., Bench]) -> None:
    done = reopen()
    done.run(stubs.learn)
    done.results.write_json(done.results.provenance_file, {"config_hash": "of another sweep"})
    close_study(done.results, done.study)
    done.results.study_file.unlink()
    with pytest.raises(StudyChanged, match="has lost its study, and this sweep file means other trials"):
        reopen()


@pytest.mark.parametrize("change", ["direction", "space", "sampler seed"])
def test_a_study_is_not_resumed_as_another(reopen: Callable[..., Bench], change: str) -> None:
    reopen(LEARNING_RATE).run(stubs.learn)
    text = {
        "direction": LEARNING_RATE.replace("sampler: random", "metric: val_loss, sampler: random"),
        "space": LEARNING_RATE.replace("high: 1e-1", "high: 1.0"),
        "sampler seed": LEARNING_RATE.replace("sampler: random", "sampler: {name: random, seed: 1}"),
    }[change]
    with pytest.raises(StudyChanged, match=r"was .*, now "):
        reopen(text)


def test_a_study_of_a_version_to_come_is_named(reopen: Callable[..., Bench]) -> None:
    done = reopen()
    done.run(stubs.learn)
    close_study(done.results, done.study)
    with closing(sqlite3.connect(done.results.study_file)) as database:
        database.execute("UPDATE alembic_version SET version_num = 'v9.0.0'")
        database.commit()
    with pytest.raises(StudyUnreadable, match="Update this program"):
        reopen()


def test_a_study_removed_during_the_run_ends_it_clearly_and_is_made_anew(stub_sweep: Make) -> None:
    sweep = stub_sweep(POOLING.replace("epochs: 3", "epochs: 20"), seconds=0.1)
    run = sweep.start()
    wait_for(lambda: len(sweep.results.finished_trials()) >= 1, "the first outcome")
    sweep.results.study_file.unlink()
    assert run.wait() == 2
    assert f"{sweep.results.study_file} was removed while the sweep ran" in run.said()
    assert "Traceback" not in run.said()
    kept = sweep.results.finished_trials()
    before = len(sweep.marked())
    sweep.finish(STUB_SECONDS="0.01")
    assert not {trial for trial, _, _ in sweep.marked()[before:]} & set(kept)
    study = optuna.load_study(study_name="pooling", storage=f"sqlite:///{sweep.results.study_file}")
    assert sum(trial.state == TrialState.COMPLETE for trial in study.trials) == 6


@pytest.mark.parametrize("damage", [truncate, overwrite])
def test_a_study_damaged_during_the_run_loses_no_trial(stub_sweep: Make, damage: Callable[[Path], None]) -> None:
    """SQLite holds what it has read: the run notices, or ends well and the next one does."""
    sweep = stub_sweep(POOLING.replace("epochs: 3", "epochs: 8"), seconds=0.05)
    run = sweep.start()
    wait_for(lambda: len(sweep.results.finished_trials()) >= 1, "the first outcome")
    damage(sweep.results.study_file)
    status = run.wait()
    assert status in (0, 2)
    assert "Traceback" not in run.said()
    kept, before = sweep.results.finished_trials(), len(sweep.marked())
    again = sweep.start(STUB_SECONDS="0.01")
    if again.wait() == 2:
        assert f"error: {sweep.results.study_file}" in again.said()
        assert "Traceback" not in again.said()
        sweep.results.study_file.rename(sweep.results.study_file.with_suffix(".damaged"))  # as it says
        sweep.finish(STUB_SECONDS="0.01")
    assert not {trial for trial, _, _ in sweep.marked()[before:]} & set(kept)
    assert [row["state"] for row in rows(sweep.results.trials_file)] == ["complete"] * 6


def test_the_log_of_a_study_that_was_moved_away_is_not_played_into_the_next(stub_sweep: Make) -> None:
    sweep = stub_sweep(POOLING.replace("epochs: 3", "epochs: 8"), gate=(2, 1))
    run = sweep.start()
    wait_for(lambda: (2, 1, 1) in sweep.marked(), "two outcomes")
    run.kill_all()
    sweep.open_gate()
    assert sweep.results.study_file.with_name("study.db-wal").exists()
    sweep.results.study_file.unlink()
    kept, before = sweep.results.finished_trials(), len(sweep.marked())
    sweep.finish(STUB_SECONDS="0.01")
    assert not {trial for trial, _, _ in sweep.marked()[before:]} & set(kept)
    with closing(sqlite3.connect(sweep.results.study_file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_a_study_changed_at_the_very_end_of_the_run_is_noticed(reopen: Callable[..., Bench], change: str) -> None:
    changed = reopen()
    study_file, copy = changed.results.study_file, changed.results.folder / "copy"

    def change_study() -> None:
        if len(changed.witness.ends) == 6:
            copy.write_bytes(study_file.read_bytes())
            (study_file.unlink if change == "removed" else lambda: copy.replace(study_file))()

    changed.witness.on_end = change_study
    with hold_study(changed.results, "pooling") as check:
        changed.coordinator._check = check
        with pytest.raises(StudyUnreadable, match=f"was {change} while the sweep ran"):
            changed.run(stubs.learn)
    assert len(rows(changed.results.trials_file)) == 6


def test_a_study_that_somebody_reads_or_has_removed_as_the_run_ends_is_left_as_it_is(
    reopen: Callable[..., Bench], tmp_path: Path
) -> None:
    read = reopen()
    read.run(stubs.learn)
    with closing(sqlite3.connect(read.results.study_file)) as reader:
        assert reader.execute("SELECT count(*) FROM trials").fetchone() == (6,)
        close_study(read.results, read.study)
        assert reader.execute("SELECT count(*) FROM trials").fetchone() == (6,)
        alone = tmp_path / "alone.db"
        alone.write_bytes(read.results.study_file.read_bytes())
        with closing(sqlite3.connect(alone)) as copy:
            assert copy.execute("SELECT count(*) FROM trials").fetchone() == (6,)
    removed = reopen()
    removed.results.study_file.unlink()
    close_study(removed.results, removed.study)
    assert not removed.results.study_file.exists()


def test_a_study_replaced_during_the_run_is_noticed(reopen: Callable[..., Bench]) -> None:
    opened = reopen()
    with hold_study(opened.results, "pooling") as check:
        check()
        copy = opened.results.study_file.with_suffix(".copy")
        copy.write_bytes(opened.results.study_file.read_bytes())
        copy.replace(opened.results.study_file)
        with pytest.raises(StudyUnreadable, match="was replaced while the sweep ran"):
            check()


@pytest.mark.parametrize("seconds", [3, pytest.param(30, marks=pytest.mark.slow)])
def test_a_lock_that_another_program_holds_is_waited_for(reopen: Callable[..., Bench], seconds: int) -> None:
    waiting = reopen()
    locked = threading.Event()

    def hold() -> None:
        with closing(sqlite3.connect(waiting.results.study_file, timeout=30, isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            locked.set()
            time.sleep(seconds)
            database.execute("ROLLBACK")

    other = threading.Thread(target=hold)
    began = time.monotonic()
    other.start()
    locked.wait()
    assert waiting.run(stubs.learn) == "done"
    assert time.monotonic() - began > seconds / 2
    other.join()
    assert len(rows(waiting.results.trials_file)) == 6


def test_a_torn_last_line_of_a_table_is_dropped_and_mended(reopen: Callable[..., Bench]) -> None:
    done = reopen()
    done.run(stubs.learn)
    whole = done.results.curves_file.read_bytes()
    os.truncate(done.results.curves_file, len(whole) - 7)
    assert len(done.results.curves()) == 17
    reopen()
    assert done.results.curves_file.read_bytes() == whole


@pytest.mark.skipif(os.name != "posix", reason="of POSIX's locks")
def test_a_file_system_without_locks_is_not_taken_for_a_sweep_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(UserError, match=r"lock cannot be locked \(No locks available\)"), Results(tmp_path).lock():
        raise AssertionError("it is not held")


def test_a_folder_that_is_set_aside_as_it_is_locked_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or whoever sets it aside, to start afresh, and who has locked what was set aside would run one sweep together."""
    results, try_lock = Results(tmp_path / "sweep"), locks._try_lock

    def set_aside_before(handle: int) -> bool:
        results.set_aside()
        return try_lock(handle)

    monkeypatch.setattr(locks, "_try_lock", set_aside_before)
    with pytest.raises(locks.SweepLocked, match="has just been set aside"), results.lock():
        pass


def test_a_table_cut_off_within_a_letter_loses_that_line_alone(tmp_path: Path) -> None:
    results = Results(tmp_path)
    for trial, what in enumerate(["died", "größer", "died again"]):
        if trial == 2:
            content = results.incidents_file.read_bytes()
            os.truncate(results.incidents_file, content.index("ß".encode()) + 1)
            torn = results.incidents()
            assert torn is not None
            assert list(torn["trial"]) == [0]
            results.mend_incidents()
        results.append_incident(0, trial, what)
    mended = results.incidents()
    assert mended is not None
    assert list(mended["trial"]) == [0, 2]


def test_a_torn_checkpoint_is_passed_over_for_the_one_before(stub_sweep: Make) -> None:
    sweep = stub_sweep(POOLING.replace("epochs: 3", "epochs: 9"), gate=(0, 5))
    run = sweep.start()
    folder = sweep.results.checkpoint_folder(0)
    wait_for(lambda: sweep.began(5), "the fourth checkpoint")
    run.kill_all()
    sweep.open_gate()
    newest = max(folder.glob("epoch-*.npz"))
    os.truncate(newest, newest.stat().st_size // 2)
    state = checkpoint.newest(folder)
    assert state is not None
    assert len(state.history) == int(newest.stem.removeprefix("epoch-")) - 1
    sweep.finish(STUB_SECONDS="0.01")
    assert [row["state"] for row in rows(sweep.results.trials_file)] == ["complete"] * 6
    untouched = stub_sweep(sweep.file.read_text(), seconds=0.01)
    untouched.finish()
    assert rows(sweep.results.curves_file) == rows(untouched.results.curves_file)
    assert sweep.results.weights(0) == untouched.results.weights(0)


def test_files_that_a_killed_run_was_writing_are_removed_by_the_next(stub_sweep: Make) -> None:
    sweep = stub_sweep(POOLING, seconds=0.01)
    sweep.finish()
    folder = sweep.results.folder
    (folder / "charts").mkdir(exist_ok=True)
    for name in ("trials.csv", "cnn.h5", "charts/edf.png", "trials/0/outcome.json"):  # as main.files begins them
        path = folder / name
        os.close(tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)[0])
    kept = [folder / name for name in (".gitkeep", ".nfs0000000012345678", "trials/0/notes.txt")]
    for path in kept:
        path.write_text("")
    sweep.finish()
    assert [path for path in folder.rglob(".*") if path not in kept] == []
    assert all(path.exists() for path in kept)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: '{"seed": 0', id="cut off"),
        pytest.param(lambda text: "null", id="nothing"),
        pytest.param(lambda text: text.replace('"values": {', '"values": null, "v": {'), id="no values"),
        pytest.param(lambda text: text.replace('"complete"', '"splendid"'), id="no such state"),
        pytest.param(lambda text: text.replace('"best_epoch": 3', '"best_epoch": 30'), id="no such epoch"),
        pytest.param(lambda text: text.replace('"seed": 0', '"seed": "0"'), id="a seed in words"),
        pytest.param(lambda text: text.replace('"val_loss": ', '"val_loss": null, "v": '), id="no figure"),
    ],
)
def test_a_damaged_outcome_is_trained_again_and_said(
    reopen: Callable[..., Bench], change: Callable[[str], str]
) -> None:
    done = reopen()
    done.run(stubs.learn)
    close_study(done.results, done.study)
    outcome = done.results.trial_folder(2) / "outcome.json"
    outcome.write_text(change(outcome.read_text()))
    resumed = reopen()
    assert resumed.witness.notes == ["the outcome of trial 2 is damaged: another trial takes its place"]
    resumed.run(stubs.learn)
    assert [(task.trial, task.configuration) for task in resumed.witness.submitted] == [(6, "blur")]
    close_study(resumed.results, resumed.study)
    assert reopen().witness.notes == []


@pytest.mark.parametrize("study", ["kept", "lost"])
def test_outcomes_that_somebody_removed_are_said_once(reopen: Callable[..., Bench], study: str) -> None:
    done = reopen()
    done.run(stubs.learn)
    close_study(done.results, done.study)
    for trial in (2, 5):
        shutil.rmtree(done.results.trial_folder(trial))
    if study == "lost":
        done.results.study_file.unlink()
    resumed = reopen()
    assert resumed.witness.notes[-1] == "2 outcomes gone from trials/: as many trials are trained anew"
    resumed.run(stubs.learn)
    assert [task.configuration for task in resumed.witness.submitted] == ["blur", "max"]
    assert len(resumed.results.trials()) == 6
    close_study(resumed.results, resumed.study)
    assert reopen().witness.notes == []


def test_an_outcome_that_cannot_be_read_is_not_trained_again(reopen: Callable[..., Bench]) -> None:
    done = reopen()
    done.run(stubs.learn)
    close_study(done.results, done.study)
    outcome = done.results.trial_folder(2) / "outcome.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_text", unreadable(outcome))
        with pytest.raises(PermissionError):
            reopen()


def unreadable(path: Path) -> Callable[..., str]:
    """`Path.read_text` where the disk, or whoever owns the file, refuses to give it out."""
    read = Path.read_text

    def refusing(self: Path, *arguments: Any, **options: Any) -> str:
        if self == path:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(self, *arguments, **options)

    return refusing
