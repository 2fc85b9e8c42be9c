"""Whole sweeps with real networks on digits, in worker processes, through the function behind `optimize run`."""

import io
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

import stubs
from main.card_text import card_lines
from main.complaints import ConfigError
from main.data import DataError
from main.errors import UserError
from main.history import Epoch
from main.modelfile import ModelFileError, read_card
from optimize import SweepConfig, SweepResult, load_config, run_sweep
from optimize.cli import app
from optimize.conclusion import export_again
from optimize.config import stored_sweep
from optimize.engine import EngineLost, VersionMismatch
from optimize.ensemble import export_ensemble
from optimize.locks import SweepLocked
from optimize.results import Results
from optimize.show import print_sweep
from optimize.staff import Staff
from optimize.storage import network_warning
from optimize.study import StudyChanged
from optimize.tensorboard import run_name
from optimize.trial import DataMismatch, TrialOutcome, TrialTask
from optimize.workers import NoScheduler
from sweeps import LEARNING_RATE, Witness

pytestmark = pytest.mark.training

RATES = """
name: rates
question: Does a tiny learning rate learn?
data: {source: digits}
model: {network: cnn, filters: [8, 16], dropout: 0.2}
train:
  epochs: 4
  batch_size: 64
  learning_rate: {choices: [3e-3, 1e-6]}
study: {seeds: 3}
run: {workers: 2, precision: float32}
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[SweepConfig, SweepResult]:
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "rates.yaml").write_text(RATES)
    config = load_config(folder / "rates.yaml")
    return config, run_sweep(config, results_dir=folder, observer=Witness())


def test_a_sweep_names_the_winner_and_how_sure_it_is(done: tuple[SweepConfig, SweepResult]) -> None:
    _, result = done
    assert result.ending == "done"
    assert result.trained == 6
    assert result.verdict is not None
    assert result.verdict.decided
    assert result.verdict.winner == "0.003"
    assert result.verdict.sentence.startswith("0.003 beats")


def test_a_sweep_leaves_everything_it_promises(done: tuple[SweepConfig, SweepResult]) -> None:
    results = done[1].results
    for name in (
        "sweep.yaml", "provenance.json", "study.db", "trials.csv", "curves.csv", "verdict.json", "report.html",
        "cnn.h5", "cnn.json",
    ):  # fmt: skip
        assert (results.folder / name).stat().st_size > 0, name
    assert len(list(results.charts.glob("*.png"))) >= 6
    curves = pd.read_csv(results.curves_file)
    assert list(curves.columns) == [
        "trial", "seed", "fold", "train.learning_rate", "epoch", "loss", "accuracy", "val_loss", "val_accuracy",
        "val_crossentropy", "learning_rate", "seconds", "state",
    ]  # fmt: skip
    assert len(curves) == 6 * 4
    assert stored_sweep(results) == done[0]
    assert not list(results.folder.glob("trials/*/checkpoints"))


def test_the_model_scores_what_its_card_says_with_keras_alone(done: tuple[SweepConfig, SweepResult]) -> None:
    results = done[1].results
    card = results.card()
    assert card is not None
    program = (
        "import sys, numpy, keras\n"
        "assert not [m for m in sys.modules if m.split('.')[0] in ('optimize', 'main', 'models')]\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "data = numpy.load(sys.argv[2])\n"
        "print((model.predict(data['x'] / 255.0, verbose=0).argmax(1) == data['y']).mean())\n"
    )
    from main.config import DataConfig
    from main.data import load_test

    test = load_test(DataConfig(source="digits"))
    arrays = results.folder / "test.npz"
    np.savez(arrays, x=test.images.astype("float32"), y=test.labels)
    answer = subprocess.run(
        [sys.executable, "-c", program, str(results.model_file), str(arrays)],
        capture_output=True, text=True, check=True, env={"TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip
    assert float(answer.stdout.split()[-1]) == pytest.approx(card["test"]["accuracy"], abs=1e-9)
    assert card["test"]["low"] < card["test"]["accuracy"] < card["test"]["high"]
    assert card["configuration"] == "0.003"


def test_a_second_run_trains_nothing_and_touches_nothing(done: tuple[SweepConfig, SweepResult]) -> None:
    config, result = done
    before = result.results.report.stat().st_mtime_ns
    again = run_sweep(config, results_dir=result.results.folder.parent, observer=Witness())
    assert (again.ending, again.trained) == ("done", 0)
    assert again.verdict == result.verdict
    assert result.results.report.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["verdict.json", "sweep.yaml", "provenance.json"])
def test_what_is_damaged_of_a_finished_sweep_is_made_anew(
    done: tuple[SweepConfig, SweepResult], tmp_path: Path, name: str
) -> None:
    config, result = done
    folder = tmp_path / config.name
    shutil.copytree(result.results.folder, folder)
    (folder / name).write_bytes(b"\xff{")
    again = run_sweep(config, results_dir=tmp_path, observer=Witness())
    assert (again.ending, again.trained, again.verdict) == ("done", 0, result.verdict)
    assert (folder / name).read_bytes() != b"\xff{"


def test_a_changed_sweep_is_refused_with_what_changed(done: tuple[SweepConfig, SweepResult], tmp_path: Path) -> None:
    (tmp_path / "rates.yaml").write_text(RATES.replace("filters: [8, 16]", "filters: [8, 32]"))
    with pytest.raises(StudyChanged, match=r"model\.filters: was \[8, 16\], now \[8, 32\]"):
        run_sweep(load_config(tmp_path / "rates.yaml"), results_dir=done[1].results.folder.parent, observer=Witness())
    _assert_whole_in_one_file(done[1].results)


def test_a_study_is_whole_in_one_file(done: tuple[SweepConfig, SweepResult]) -> None:
    config, result = done
    _assert_whole_in_one_file(result.results)
    run_sweep(config, results_dir=result.results.folder.parent, observer=Witness())
    _assert_whole_in_one_file(result.results)


def _assert_whole_in_one_file(results: Results) -> None:
    assert list(results.folder.glob("study.db*")) == [results.study_file]
    with closing(sqlite3.connect(results.study_file)) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)  # which no reader needs to write for
        assert database.execute("SELECT count(*) FROM trials WHERE state = 'COMPLETE'").fetchone() == (6,)


@pytest.mark.usefixtures("undrawn")
def test_a_fresh_start_sets_earlier_results_aside(tmp_path: Path) -> None:
    (tmp_path / "rates.yaml").write_text(RATES.replace("seeds: 3", "seeds: 1").replace("epochs: 4", "epochs: 1"))
    config = load_config(tmp_path / "rates.yaml")
    for fresh in (False, True):
        result = run_sweep(config, results_dir=tmp_path, observer=Witness(), workers=0, fresh=fresh)
        assert result.trained == 2
    (aside,) = tmp_path.glob("rates.before-*")
    assert (aside / "cnn.h5").exists()


def test_every_choice_trains_on_the_same_folds_and_the_verdict_speaks_of_them(tmp_path: Path) -> None:
    text = RATES.replace("study: {seeds: 3}", "study: {folds: 3}").replace("epochs: 4", "epochs: 1")
    (tmp_path / "rates.yaml").write_text(text)
    result = run_sweep(load_config(tmp_path / "rates.yaml"), results_dir=tmp_path, observer=Witness(), workers=0)
    trials = result.results.trials()
    assert trials.groupby("configuration")["fold"].apply(list).tolist() == [[0, 1, 2]] * 2
    assert result.results.curves()["fold"].tolist() == trials["fold"].tolist()
    assert [result.results.finished(n).fold for n in trials["trial"]] == trials["fold"].tolist()
    images = trials["val_accuracy"] * 479  # 1,437 images in three folds
    assert images.to_numpy() == pytest.approx(images.round().to_numpy(), abs=1e-3)
    assert result.verdict is not None
    assert "3 folds" in result.verdict.sentence
    assert "479 images each" in result.verdict.conditions[0]
    card = result.results.card()
    assert card is not None
    assert card["metrics"]["val_accuracy of this file"]["value"] == pytest.approx(
        card["metrics"]["val_accuracy"]["value"], abs=0.01
    )
    said = Console(width=200, record=True, file=io.StringIO())
    print_sweep(result.results, said)
    assert re.search(r"configuration +seed +fold +val_accuracy", said.export_text())
    assert '<th scope="col">folds</th>' in result._repr_html_()
    fold = f"seed 0, fold {card['fold']}"
    assert f"trial {card['trial']}, {fold}, weights of epoch 1" in result.results.report.read_text()
    assert any(f"trial {card['trial']}, {fold}, epoch 1" in line for line in card_lines(card))
    names = [run_name(trial) for _, trial in trials.iterrows()]
    assert sorted(name[-13:] for name in names) == sorted(f"seed-0-fold-{fold}" for fold in (0, 1, 2) for _ in "ab")


@pytest.mark.usefixtures("undrawn")
def test_a_sweep_of_one_says_what_is_reached_and_exports_the_best(tmp_path: Path) -> None:
    text = RATES.replace("{choices: [3e-3, 1e-6]}", "3e-3").replace("{seeds: 3}", "{seeds: 2}")
    (tmp_path / "one.yaml").write_text(text.replace("name: rates", "name: one").replace("epochs: 4", "epochs: 1"))
    result = run_sweep(load_config(tmp_path / "one.yaml"), results_dir=tmp_path, observer=Witness(), workers=0)
    trials = result.results.trials()
    assert trials[["configuration", "seed"]].values.tolist() == [["as written", 0], ["as written", 1]]
    assert result.verdict is not None
    assert result.verdict.sentence.startswith("as written reaches ")
    assert result.verdict.sentence.endswith("there is nothing to compare it with.")
    card = result.results.card()
    assert card is not None
    assert card["metrics"]["val_accuracy of this file"]["value"] == pytest.approx(trials["val_accuracy"].max())
    assert (result.results.folder / "report.html").exists()


def test_a_network_that_cannot_be_built_is_refused_before_anything_trains(tmp_path: Path) -> None:
    text = RATES.replace("filters: [8, 16]", "filters: [8, 16, 32], kernel_size: {choices: [3, 9]}")
    (tmp_path / "rates.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"rates\.yaml:5:\d+: model\.kernel_size.*9 is larger than"):
        run_sweep(load_config(tmp_path / "rates.yaml"), results_dir=tmp_path, observer=Witness())
    assert not (tmp_path / "rates").exists()


def test_a_sweep_that_another_process_runs_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rates.yaml").write_text(RATES)
    with Results(tmp_path / "rates").lock(), pytest.raises(SweepLocked, match="is being run by process"):
        run_sweep(load_config(tmp_path / "rates.yaml"), results_dir=tmp_path, observer=Witness())


def test_data_that_is_missing_is_replaced_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPTIMIZE_DATA", raising=False)
    text = RATES.replace("data: {source: digits}", f"data: {{source: {tmp_path}/absent.npz, otherwise: digits}}")
    (tmp_path / "rates.yaml").write_text(text.replace("seeds: 3", "seeds: 1").replace("epochs: 4", "epochs: 1"))
    witness = Witness()
    result = run_sweep(load_config(tmp_path / "rates.yaml"), results_dir=tmp_path, observer=witness, workers=0)
    (notice,) = [note for note in witness.notes if "digits" in note]
    assert result.results.provenance()["data"]["notice"] == notice
    assert notice.split(":")[0] in result.results.report.read_text()
    card = result.results.card()
    assert card is not None
    assert card["data"]["source"] == "digits"


def test_results_on_a_network_file_system_are_warned_of_before_anything_trains(
    done: tuple[SweepConfig, SweepResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optimize.storage.network_file_system", lambda folder: "nfs4")
    witness = Witness()
    run_sweep(done[0], results_dir=done[1].results.folder.parent, observer=witness)
    assert f"{done[1].results.folder} is on a network file system (nfs4)" in witness.notes[0]
    monkeypatch.setenv("OPTIMIZE_STORAGE", "postgresql://elsewhere/study")
    assert network_warning(done[1].results) == ""


@pytest.mark.usefixtures("undrawn")
def test_naming_other_data_for_want_of_these_changes_no_sweep(
    done: tuple[SweepConfig, SweepResult], tmp_path: Path
) -> None:
    (tmp_path / "rates.yaml").write_text(RATES.replace("source: digits", "source: digits, otherwise: mnist"))
    parent = done[1].results.folder.parent
    again = run_sweep(load_config(tmp_path / "rates.yaml"), results_dir=parent, observer=Witness())
    assert (again.ending, again.trained) == ("done", 0)


def test_a_sweep_of_which_every_trial_diverges_ends_early_with_exit_1_and_a_report(tmp_path: Path) -> None:
    rates = ", ".join(f"{rate}00" for rate in range(1, 8))
    text = (
        RATES.replace("[3e-3, 1e-6]", f"[{rates}]").replace("dropout: 0.2", "l2: 1.0").replace("seeds: 3", "seeds: 1")
    )
    text = text.replace("batch_size: 64", "batch_size: 16, optimizer: sgd".replace(", ", "\n  "))
    (tmp_path / "rates.yaml").write_text(text.replace("epochs: 4", "epochs: 20"))
    command = ["run", str(tmp_path / "rates.yaml"), "--results", str(tmp_path), "--workers", "0"]
    answer, results = CliRunner().invoke(app, command), Results(tmp_path / "rates")
    assert answer.exit_code == 1, answer.output
    assert "the first 5 trials all failed: diverged at epoch" in answer.output
    assert "Traceback" not in answer.output
    table = results.trials()
    assert set(table["state"]) == {"failed"}
    assert set(table["attempts"]) == {1}
    assert len(table) == 5
    assert set(results.curves()["trial"]) == set(table["trial"])
    assert "diverged at epoch" in results.report.read_text()


@pytest.mark.usefixtures("undrawn")
def test_a_sweep_on_real_mnist(tmp_path: Path, mnist_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTIMIZE_DATA", str(mnist_folder))
    text = RATES.replace("{source: digits}", "{source: mnist, train: 3000, validation: 1000}")
    (tmp_path / "rates.yaml").write_text(text.replace("seeds: 3", "seeds: 2").replace("epochs: 4", "epochs: 2"))
    result = run_sweep(load_config(tmp_path / "rates.yaml"), results_dir=tmp_path, observer=Witness(), workers=0)
    card = result.results.card()
    assert card is not None
    assert card["configuration"] == "0.003"
    assert card["test"]["n"] == 10_000
    assert card["test"]["accuracy"] > 0.9


@pytest.mark.usefixtures("undrawn")
def test_an_interrupted_sweep_ends_with_the_same_bits(
    tmp_path: Path, done: tuple[SweepConfig, SweepResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the middle of a trial, by a stop rule, and taken up by another run."""
    config = done[0]
    first, second = Witness(), Witness()

    def stop_early(self: object, elapsed: float) -> object:
        from optimize.stopping import Stop

        return Stop("stopped", "enough for now") if len(first.epochs) >= 2 else None

    with monkeypatch.context() as patch:
        patch.setattr("optimize.stopping.StopRules.after_seconds", stop_early)
        stopped = run_sweep(config, results_dir=tmp_path, observer=first, workers=1)
    assert stopped.ending == "stopped"
    assert stopped.trained < 6
    finished = run_sweep(config, results_dir=tmp_path, observer=second, workers=1)
    assert finished.ending == "done"

    def values(result: SweepResult, table: Callable[[Results], pd.DataFrame]) -> list[tuple[object, ...]]:
        same = table(result.results).drop(
            columns=["trial", "fold", "seconds", "started", "ended", "worker", "attempts"], errors="ignore"
        )
        return sorted(map(tuple, same.itertuples(index=False)), key=str)

    assert values(finished, Results.curves) == values(done[1], Results.curves)
    assert values(finished, Results.trials) == values(done[1], Results.trials)


@pytest.mark.usefixtures("undrawn")
def test_a_sweep_over_the_learning_rate_traces_once_per_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = tmp_path / "marks"
    monkeypatch.setenv("STUB_MARKS", str(marks))
    text = RATES.replace("[3e-3, 1e-6]", "[3e-3, 1e-3, 3e-4, 1e-4]").replace("epochs: 4", "epochs: 1")
    (tmp_path / "rates.yaml").write_text(text.replace("seeds: 3", "seeds: 2"))
    result = run_sweep(
        load_config(tmp_path / "rates.yaml"), results_dir=tmp_path, observer=Witness(), run=stubs.counts_traces
    )
    assert result.trained == 8
    traced = [tuple(map(int, line.split())) for line in marks.read_text().splitlines()]
    assert len(traced) == 8
    assert len({process for process, _ in traced}) == 2
    assert {count for _, count in traced} == {1}


def test_epochs_are_told_in_order(done: tuple[SweepConfig, SweepResult]) -> None:
    curves = done[1].results.curves()
    for _, curve in curves.groupby("trial"):
        assert list(curve["epoch"]) == [1, 2, 3, 4]
    assert set(Epoch.__dataclass_fields__) < set(curves.columns)


def test_provenance_says_what_ran_where(done: tuple[SweepConfig, SweepResult]) -> None:
    facts = json.loads(done[1].results.provenance_file.read_text())
    assert facts["data"]["checksum"]
    assert facts["study"] == "rates"
    assert facts["precision"] == "float32"
    assert facts["workers"] == 2
    assert facts["versions"]["keras"]
    assert facts["started"] <= facts["ended"]


@pytest.mark.usefixtures("undrawn")
def test_confirmations_that_were_trained_again_are_judged_though_the_run_that_trained_them_was_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm = "confirm: {top: 2, seeds: [7, 8, 9]}"
    (tmp_path / "rates.yaml").write_text(LEARNING_RATE.replace("confirm: null", confirm))
    config = load_config(tmp_path / "rates.yaml")
    monkeypatch.setattr("optimize.conclusion.export_winner", lambda *_: True)

    def unlucky(task: TrialTask, report: stubs.Report, stop: stubs.StopRequested) -> TrialOutcome:
        return (stubs.fails if task.seed == 9 else stubs.learn)(task, report, stop)

    class Killed(BaseException):
        pass

    def die(*_: object, **__: object) -> None:
        raise Killed

    first = run_sweep(config, results_dir=tmp_path, observer=Witness(), workers=0, run=unlucky)
    with monkeypatch.context() as patch:
        patch.setattr("optimize.conclusion.Conclusion.reached", die)
        with pytest.raises(Killed):
            run_sweep(config, results_dir=tmp_path, observer=Witness(), workers=0, run=stubs.learn, retry_failed=True)
    last = run_sweep(config, results_dir=tmp_path, observer=Witness(), workers=0, run=stubs.learn)
    assert last.trained == 0
    assert first.verdict is not None
    assert last.verdict is not None
    assert [choice.n for choice in first.verdict.choices] == [2, 2]
    assert [choice.n for choice in last.verdict.choices] == [3, 3]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "error",
    [ModelFileError("cnn.h5 is refused: layer class 'Mine' is not allowed"), DataError("digits: the test set is gone")],
    ids=["the model", "the test set"],
)
def test_a_model_that_cannot_be_kept_costs_neither_verdict_nor_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr("optimize.conclusion.export_on_worker", refuse)
    (tmp_path / "rates.yaml").write_text(RATES.replace("seeds: 3", "seeds: 1").replace("epochs: 4", "epochs: 1"))
    witness = Witness()
    result = run_sweep(load_config(tmp_path / "rates.yaml"), results_dir=tmp_path, observer=witness, workers=0)
    assert result.verdict is not None
    assert not result.exported
    assert result.results.report.exists()
    assert f"nothing was exported: {error}" in witness.notes


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("lost", [EngineLost, NoScheduler, VersionMismatch])
def test_an_export_for_want_of_workers_is_made_up_for_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: type[UserError]
) -> None:
    def leave(*_: object) -> None:
        raise lost("there is nobody there")

    (tmp_path / "rates.yaml").write_text(RATES.replace("seeds: 3", "seeds: 1").replace("epochs: 4", "epochs: 1"))
    config, witness = load_config(tmp_path / "rates.yaml"), Witness()
    with monkeypatch.context() as patch:
        patch.setattr("optimize.conclusion.export_on_worker", leave)
        first = run_sweep(config, results_dir=tmp_path, observer=witness, workers=0)
    assert first.verdict is not None
    assert not first.exported
    assert first.results.report.exists()
    assert f"nothing was exported: there is nobody there; run again to export {first.verdict.winner}" in witness.notes
    said = Console(width=200, record=True, file=io.StringIO())
    print_sweep(first.results, said)
    assert "the sweep has been judged, but no model has been exported" in said.export_text()
    second = run_sweep(config, results_dir=tmp_path, observer=Witness(), workers=0)
    assert (second.trained, second.exported) == (0, True)
    written = second.results.model_file.stat().st_mtime_ns
    run_sweep(config, results_dir=tmp_path, observer=Witness(), workers=0)
    assert second.results.model_file.stat().st_mtime_ns == written


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("text", "asked", "less", "extra"),
    [
        (RATES, "seeds: 3", "seeds: 2", "2 trials"),
        (LEARNING_RATE, "trials: 6", "trials: 5", "1 trial"),
        (LEARNING_RATE.replace("null", "{top: 1, seeds: [7, 8]}"), "seeds: [7, 8]", "seeds: [8]", "1 trial"),
    ],
    ids=["a grid", "a sampler", "a confirmation"],
)
def test_trials_beyond_what_is_asked_for_are_said_to_be_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, asked: str, less: str, extra: str
) -> None:
    monkeypatch.setattr("optimize.conclusion.export_winner", lambda *_: True)
    for written, notes in ((text, 0), (text.replace(asked, less), 1)):
        (tmp_path / "rates.yaml").write_text(written)
        witness = Witness()
        run_sweep(
            load_config(tmp_path / "rates.yaml"), results_dir=tmp_path, observer=witness, workers=0, run=stubs.learn
        )
        said = [note for note in witness.notes if "more than the sweep file asks for" in note]
        assert said == [f"earlier runs trained {extra} more than the sweep file asks for: all are judged"] * notes


@pytest.mark.usefixtures("undrawn")
def test_a_failed_trial_that_was_trained_again_is_none_beyond_what_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optimize.conclusion.export_winner", lambda *_: True)

    def first_fails(task: TrialTask, *args: Any) -> TrialOutcome:
        return (stubs.fails if task.trial == 0 else stubs.learn)(task, *args)

    (tmp_path / "rates.yaml").write_text(LEARNING_RATE)
    witness = Witness()
    for retry_failed in (False, True, False):
        result = run_sweep(
            load_config(tmp_path / "rates.yaml"), results_dir=tmp_path, observer=witness, workers=0, run=first_fails,
            retry_failed=retry_failed,
        )  # fmt: skip
    assert len(result.results.trials()) == 7
    assert not any("more than the sweep file asks for" in note for note in witness.notes)


@pytest.mark.parametrize("kept", [None, 1000], ids=["removed", "truncated"])
def test_a_model_that_is_lost_is_exported_anew_by_the_next_run(
    done: tuple[SweepConfig, SweepResult], tmp_path: Path, kept: int | None
) -> None:
    config, first = done
    results, witness = Results(Path(shutil.copytree(first.results.folder, tmp_path / "rates"))), Witness()
    results.write_sweep(config.resolved())  # another test has gone on under another
    judged, before = results.verdict_file.read_bytes(), read_card(results.model_file)
    if kept is None:
        results.model_file.unlink()
    else:
        results.model_file.write_bytes(results.model_file.read_bytes()[:kept])
    again = run_sweep(config, results_dir=tmp_path, observer=witness, workers=0)
    assert (again.trained, again.exported) == (0, True)
    assert read_card(results.model_file)["metrics"] == before["metrics"]
    assert results.verdict_file.read_bytes() == judged
    assert any("is missing, damaged or another's: made anew" in note for note in witness.notes)


def test_what_was_not_exported_for_want_of_workers_export_makes_and_the_sweep_has_ended(
    done: tuple[SweepConfig, SweepResult], tmp_path: Path
) -> None:
    results = Results(Path(shutil.copytree(done[1].results.folder, tmp_path / "rates")))
    results.model_file.unlink()
    facts = results.provenance()
    results.write_json(results.provenance_file, {**facts, "ended": None})
    assert export_again(results) == results.model_file
    assert results.provenance()["ended"] is not None


def test_a_sweep_whose_data_have_changed_since_is_not_exported_again(
    done: tuple[SweepConfig, SweepResult], tmp_path: Path
) -> None:
    results = Results(Path(shutil.copytree(done[1].results.folder, tmp_path / "rates")))
    facts, before = results.provenance(), results.model_file.read_bytes()
    results.write_json(results.provenance_file, {**facts, "data": {**facts["data"], "checksum": "0" * 64}})
    with pytest.raises(DataMismatch, match="the study's data has 000000000000"):
        export_again(results)
    with pytest.raises(DataMismatch):
        export_ensemble(results)
    assert results.model_file.read_bytes() == before


def test_a_signal_does_not_wait_for_an_export_that_waits_for_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = Event()

    def wait_for_workers(*_: object) -> bool:
        assert left.wait(60)
        return False

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    close = Staff.close
    monkeypatch.setattr(Staff, "close", lambda staff: (left.set(), close(staff)))
    monkeypatch.setattr("optimize.conclusion.export_winner", wait_for_workers)
    monkeypatch.setattr("optimize.charts.draw", interrupt)
    (tmp_path / "rates.yaml").write_text(RATES.replace("seeds: 3", "seeds: 1").replace("epochs: 4", "epochs: 1"))
    with pytest.raises(KeyboardInterrupt):
        run_sweep(load_config(tmp_path / "rates.yaml"), results_dir=tmp_path, observer=Witness(), workers=0)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_damaged_test_set_is_refused_before_anything_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: bool
) -> None:
    def damaged(*_: object) -> None:
        raise DataError("t10k-images-idx3-ubyte.gz is cut short")

    monkeypatch.setattr("optimize.sweep.load_test", damaged)
    (tmp_path / "rates.yaml").write_text(RATES)
    results = Results(tmp_path / "rates")
    if fresh:  # of the earlier run nothing is known but that it began
        results.folder.mkdir()
        results.provenance_file.touch()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match="cut short"):
        run_sweep(
            load_config(tmp_path / "rates.yaml"), results_dir=tmp_path, observer=Witness(), workers=0, fresh=fresh
        )
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("data", "study", "said"),
    [
        ("{source: SOURCE, validation: 900}", "{}", ":1:{}: data.validation: .* has 40 images outside its test set"),
        ("{source: SOURCE}", "{folds: 50}", ":3:16: study.folds: .* has 40 images outside its test set"),
        ("{source: nothing}", "{}", ":1:16: data.source: unknown source 'nothing'"),
    ],
)
def test_images_that_there_are_not_are_told_by_line_when_they_are_looked_for(
    tmp_path: Path, data: str, study: str, said: str
) -> None:
    source = tmp_path / "few.npz"
    images = np.zeros((40, 28, 28), np.uint8)
    labels = np.arange(40) % 10
    np.savez(source, x_train=images, y_train=labels, x_test=images[:10], y_test=labels[:10])
    file = tmp_path / "few.yaml"
    text = f"data: {data}\nmodel: {{pooling: {{choices: [max, blur]}}}}\nstudy: {study}\n".replace(
        "SOURCE", str(source)
    )
    file.write_text(text)
    with pytest.raises(ConfigError, match=f"{file}{said.format(text.find('900') + 1)}"):
        run_sweep(load_config(file), results_dir=tmp_path / "results", observer=Witness(), workers=0)
    assert not (tmp_path / "results").exists()
