"""A learning-rate range test, as a command and by its rules."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import stubs
from main.complaints import ConfigError
from main.errors import UserError
from optimize.cli import app
from optimize.config import SweepConfig, load_config
from optimize.engine import TrialRunner
from optimize.rangetest import as_range_test, run_range_test
from optimize.ratetrial import RateTask
from optimize.ratetrial import run as run_rising
from optimize.results import NoSweep, Results
from optimize.signals import StopNow
from optimize.sweep import run_sweep
from optimize.trial import TrialOutcome, TrialTask, load_data
from sweeps import Witness

TEXT = """
name: rates
data: {source: digits}
model: {network: cnn, filters: [4], dropout: 0.0}
train: {epochs: 1, batch_size: 32, optimizer: {choices: [sgd, adam]}}
study: {seeds: 2, range_test: {start: 1e-5, end: 1000.0}}
run: {workers: 2, precision: float32}
"""
PROGRAM = """
import sys
from optimize.cli import app
try:
    app(sys.argv[1:])
except SystemExit as end:
    print([m for m in ("keras", "tensorflow") if m in sys.modules], end.code)
"""


@pytest.mark.training
@pytest.mark.parametrize("command", ["lr-range", pytest.param("run", marks=pytest.mark.slow)])
def test_it_leaves_curves_readings_and_a_chart_and_never_imports_keras(command: str, tmp_path: Path) -> None:
    (tmp_path / "rates.yaml").write_text(TEXT)
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, command, str(tmp_path / "rates.yaml"), "--results", str(tmp_path)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stdout.splitlines()[-1] == "[] 0"
    readings = pd.read_csv(tmp_path / "rates" / "rates.csv")
    assert readings["configuration"].tolist() == ["sgd", "adam"]
    assert readings["seeds"].tolist() == [2, 2]
    assert ((readings["suggested"] > 1e-6) & (readings["suggested"] < 100)).all()
    curves = pd.read_csv(tmp_path / "rates" / "rate-curves.csv")
    assert len(curves) < 2 * 2 * 38  # 1,200 images in batches of 32; a rate of 1,000 ends it before
    assert curves["learning_rate"].min() == pytest.approx(1e-5)
    assert curves.groupby(["configuration", "seed"])["loss"].first().between(1.5, 4).all()
    assert (tmp_path / "rates" / "rates.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("study.folds=3", "study.folds: a range test has no trials"),
        ("study.stop.time=1h", "study.stop: a range test has no search that could be stopped"),
        ("study.metric=val_loss", "study.metric: a range test reads training losses, and no metric"),
        ("study.range_test={start: 1.0, end: 0.1}", "`end` must be above `start`, but they are 0.1 and 1"),
        ("study.range_test={start: 100}", "`end` must be above `start`, but they are 10 and 100"),
        ("train.schedule=cosine", "train.schedule: a range test has a schedule of its own"),
        ("train.learning_rate={choices: [0.1, 0.2]}", "train.learning_rate: has no effect in a range test"),
    ],
)
def test_what_a_range_test_cannot_do_is_refused(change: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "rates.yaml").write_text(TEXT)
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "rates.yaml", [change])
    assert complaint in str(raised.value)
    assert ("write one rate" in str(raised.value)) is change.startswith("train.learning_rate")


def test_a_range_test_writes_over_no_sweep_and_a_sweep_over_no_range_test(tmp_path: Path) -> None:
    (tmp_path / "rates.yaml").write_text(TEXT)
    results = Results(tmp_path / "rates")
    results.folder.mkdir()
    results.trials_file.touch()
    with pytest.raises(UserError, match="holds a sweep: give the range test another name"):
        run_range_test(load_config(tmp_path / "rates.yaml"), tmp_path)
    results.trials_file.rename(results.rates_file)
    with pytest.raises(UserError, match="holds a range test: give the sweep another name"):
        run_sweep(
            load_config(tmp_path / "rates.yaml", ["study.range_test=null"]), results_dir=tmp_path, observer=Witness()
        )


def test_a_range_test_that_was_killed_as_it_took_anothers_place_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    (tmp_path / "rates.yaml").write_text(TEXT)
    config = load_config(tmp_path / "rates.yaml")
    earlier = run_range_test(config, tmp_path, workers=0, run=stubs.rises)
    assert Results.existing(earlier.results.folder).is_range_test
    monkeypatch.setattr(Results, "write_rate_chart", die)
    with pytest.raises(Killed):
        run_range_test(config, tmp_path, workers=0, run=stubs.rises)
    with pytest.raises(NoSweep):  # its rates are those of one, its chart that of the other
        Results.existing(earlier.results.folder)


def test_a_training_that_fails_costs_the_others_no_curve(tmp_path: Path) -> None:
    failing = {"sgd"}

    def train(task: TrialTask, report: stubs.Report, stop_requested: stubs.StopRequested) -> TrialOutcome:
        if task.configuration in failing:
            return TrialOutcome(task.trial, "failed", "MemoryError: no room")
        return stubs.rises(task, report, stop_requested)

    (tmp_path / "rates.yaml").write_text(TEXT)
    said: list[str] = []
    found = run_range_test(load_config(tmp_path / "rates.yaml"), tmp_path, workers=0, announce=said.append, run=train)
    assert [reading.configuration for reading in found.readings] == ["adam"]
    assert set(pd.read_csv(found.results.folder / "rate-curves.csv")["configuration"]) == {"adam"}
    assert "sgd, seed 0: failed (MemoryError: no room)" in said
    failing.add("adam")
    with pytest.raises(UserError, match="every training failed, the first of them: MemoryError: no room"):
        run_range_test(load_config(tmp_path / "rates.yaml"), tmp_path, workers=0, run=train)


@pytest.mark.parametrize(
    ("run", "limit", "said_of_it"),
    [
        (stubs.rises_or_hangs, "run.timeout=4s", ["failed (ran longer than 4 s)"]),
        (stubs.rises_or_grows, "run.memory=500MiB", ["failed (grew beyond 500 MiB)"]),
        (stubs.rises_or_dies, "run.retries=1", ["its worker process died; it runs again", "done"]),
    ],
    ids=["hangs", "grows", "dies"],
)
def test_a_training_is_watched_as_a_trial_is_and_the_others_go_on(
    tmp_path: Path, run: TrialRunner, limit: str, said_of_it: list[str]
) -> None:
    (tmp_path / "rates.yaml").write_text(TEXT)
    said: list[str] = []
    found = run_range_test(load_config(tmp_path / "rates.yaml", [limit]), tmp_path, announce=said.append, run=run)
    assert [line for line in said if line.startswith("sgd, seed 0")] == [f"sgd, seed 0: {word}" for word in said_of_it]
    assert {"adam, seed 0: done", "adam, seed 1: done"} <= set(said)
    kept = pd.read_csv(found.results.folder / "rate-curves.csv").groupby(["configuration", "seed"]).ngroups
    assert kept == 3
    if run is stubs.rises_or_dies:
        assert "sgd, seed 1: failed (its worker process died, 2 times)" in said


def test_in_this_process_a_training_that_takes_too_long_ends_with_its_batch(tmp_path: Path) -> None:
    def train(task: TrialTask, report: stubs.Report, stop_requested: stubs.StopRequested) -> TrialOutcome:
        while task.trial == 0 and not stop_requested():
            time.sleep(0.01)
        return TrialOutcome(0, "interrupted") if task.trial == 0 else stubs.rises(task, report, stop_requested)

    (tmp_path / "rates.yaml").write_text(TEXT)
    said: list[str] = []
    limited = load_config(tmp_path / "rates.yaml", ["run.timeout=1s"])
    run_range_test(limited, tmp_path, workers=0, announce=said.append, run=train)
    assert said[0] == "sgd, seed 0: failed (ran longer than 1 s)"


@pytest.mark.training
def test_a_training_that_is_asked_to_stop_does_so_before_its_next_batch(tmp_path: Path) -> None:
    (tmp_path / "rates.yaml").write_text(TEXT)
    config = load_config(tmp_path / "rates.yaml")
    asked = iter([False, False, True, True])
    task = RateTask(
        trial=0,
        values={},
        configuration="sgd",
        seed=0,
        config=config.base,
        metric="val_accuracy",
        precision="float32",
        data_checksum=load_data(config.base.data).checksum,
        rates=(1e-3,) * 38,
    )
    outcome = run_rising(task, lambda epoch: None, lambda: next(asked))
    assert (outcome.state, outcome.reason) == ("interrupted", "stopped after batch 2")


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize(
    ("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)], ids=["SIGINT", "SIGTERM", "SIGHUP"]
)
def test_a_range_test_that_a_signal_stops_says_so_and_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard_elsewhere: None, name: str, status: int
) -> None:
    def signal_and_wait(task: TrialTask, report: stubs.Report, stop_requested: stubs.StopRequested) -> TrialOutcome:
        os.kill(os.getpid(), getattr(signal, name))
        while not stop_requested():
            time.sleep(0.01)
        return TrialOutcome(task.trial, "interrupted")

    monkeypatch.setattr("optimize.rangetest.run_range_test", partial(run_range_test, run=signal_and_wait))
    (tmp_path / "rates.yaml").write_text(TEXT)
    folder = str(tmp_path)
    answer = CliRunner().invoke(app, ["lr-range", f"{folder}/rates.yaml", "--results", folder, "--workers", "0"])
    assert answer.exit_code == status
    assert answer.output.startswith("rates was stopped; a range test is short")
    assert len(answer.output.splitlines()) == 1
    with pytest.raises(NoSweep, match="no sweep here"):
        Results.existing(tmp_path / "rates")


def test_the_range_test_of_a_sweep_file_stands_beside_the_sweep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Named(Exception):
        pass

    def name_it(config: SweepConfig, *_: object, **__: object) -> None:
        raise Named(config.name)

    monkeypatch.setattr("optimize.rangetest.run_range_test", name_it)
    bare = TEXT.replace(
        "range_test: {start: 1e-5, end: 1000.0}",
        "baseline: {train.optimizer: adam}, metric: val_loss, stop: {time: 1h}",
    )
    scheduled = bare.replace("train: {", "train: {schedule: cosine, ")
    for text, name in ((TEXT, "rates"), (bare, "rates-lr-range"), (scheduled, "rates-lr-range")):
        (tmp_path / "rates.yaml").write_text(text)
        answer = CliRunner().invoke(app, ["lr-range", str(tmp_path / "rates.yaml")])
        assert str(answer.exception) == name, answer.output


@pytest.mark.parametrize("config", ["pooling", "kernel_size", "learning_rate", "loss", "activation", "final"])
def test_a_sweep_file_that_comes_with_the_project_has_a_range_test(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def take(config: SweepConfig, *_: object, **__: object) -> None:
        taken.append(config)
        raise StopNow("interrupted")

    monkeypatch.setattr("optimize.rangetest.run_range_test", take)
    file = Path(__file__).parents[2] / "configs" / f"{config}.yaml"
    answer = CliRunner().invoke(app, ["lr-range", str(file), "--results", str(tmp_path)])
    assert "was stopped" in answer.output
    assert taken[0].name == f"{config}-lr-range"
    assert ("not swept: train.learning_rate; a range test sets" in answer.output) is (config == "learning_rate")


@pytest.mark.parametrize(
    ("train", "left"),
    [
        ("learning_rate: {choices: [0.1, 0.2]}", []),
        ("schedule: {choices: [cosine, constant]}, loss: {choices: [mse, mae]}", ["train.loss"]),
        ("schedule: {name: exponential, decay: {choices: [0.8, 0.9]}}", []),
        ("optimizer: {name: sgd, learning_rate: {low: 0.1, high: 0.2, step: 0.1}, momentum: 0.9}", []),
        (
            "optimizer: {choices: [sgd, adam]}, learning_rate: {choices: [0.1, 0.2], when: {train.optimizer: sgd}}",
            ["train.optimizer"],
        ),
    ],
)
def test_rates_that_a_file_sweeps_are_left_out_of_its_range_test(train: str, left: list[str], tmp_path: Path) -> None:
    path = tmp_path / "rates.yaml"
    path.write_text(f"data: {{source: digits}}\nmodel: {{}}\ntrain: {{{train}}}\n")
    test = load_config(path, as_range_test(load_config(path)))
    assert list(test.space.paths) == left
    assert (test.base.train.schedule.name, test.study.seeds) == ("constant", (0, 1, 2, 3, 4))
    if "momentum" in train:
        assert test.base.train.optimizer.momentum == 0.9


def test_a_rate_that_another_value_waits_for_stays_and_is_complained_of(tmp_path: Path) -> None:
    path = tmp_path / "rates.yaml"
    waiting = "epochs: {choices: [1, 2], when: {train.learning_rate: 0.1}}"
    path.write_text(f"data: {{}}\nmodel: {{}}\ntrain: {{learning_rate: {{choices: [0.1, 0.2]}}, {waiting}}}\n")
    with pytest.raises(ConfigError, match=r"train\.learning_rate: has no effect in a range test"):
        load_config(path, as_range_test(load_config(path)))


def test_a_search_is_refused_in_words_of_what_was_typed(tmp_path: Path) -> None:
    path = tmp_path / "search.yaml"
    path.write_text(
        "data: {source: digits}\nmodel: {dropout: {low: 0, high: 1e-1}}\nstudy: {sampler: tpe, trials: 9}\n"
    )
    answer = CliRunner().invoke(app, ["lr-range", str(path), "--results", str(tmp_path)])
    assert answer.exit_code == 2
    assert "a range test compares the configurations of a grid, and the sampler of search is tpe" in answer.output
    assert "--set" not in answer.output
