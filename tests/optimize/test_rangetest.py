"""A learning-rate range test, as a command and by its rules."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from main.complaints import ConfigError
from main.errors import UserError
from optimize.cli import app
from optimize.config import SweepConfig, load_config
from optimize.rangetest import RateTask, run_range_test
from optimize.ratereading import RateCurve
from optimize.results import NoSweep, Results
from optimize.sweep import run_sweep
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
        ("study.range_test={start: 1.0, end: 0.1}", "must be above start, 1, but read 0.1"),
        ("train.schedule=cosine", "train.schedule: a range test has a schedule of its own"),
        ("train.learning_rate={choices: [0.1, 0.2]}", "train.learning_rate: has no effect in a range test"),
    ],
)
def test_what_a_range_test_cannot_do_is_refused(change: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "rates.yaml").write_text(TEXT)
    with pytest.raises(ConfigError) as raised:
        load_config(tmp_path / "rates.yaml", [change])
    assert complaint in str(raised.value)


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


def test_a_training_that_fails_costs_the_others_no_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = {"sgd"}

    def train(task: RateTask) -> RateCurve:
        if task.configuration in failing:
            raise MemoryError("no room")
        return RateCurve(task.configuration, task.seed, tuple(2.0 - 0.01 * n for n in range(len(task.rates))))

    monkeypatch.setattr("optimize.rangetest.train_on_worker", train)
    (tmp_path / "rates.yaml").write_text(TEXT)
    said: list[str] = []
    found = run_range_test(load_config(tmp_path / "rates.yaml"), tmp_path, workers=0, announce=said.append)
    assert [reading.configuration for reading in found.readings] == ["adam"]
    assert set(pd.read_csv(found.results.folder / "rate-curves.csv")["configuration"]) == {"adam"}
    assert "sgd, seed 0: failed (no room)" in said
    failing.add("adam")
    with pytest.raises(MemoryError, match="no room"):
        run_range_test(load_config(tmp_path / "rates.yaml"), tmp_path, workers=0)


def test_a_range_test_that_was_stopped_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / "rates.yaml").write_text(TEXT)
    monkeypatch.setattr("optimize.rangetest._curves", stop)
    with pytest.raises(KeyboardInterrupt):
        run_range_test(load_config(tmp_path / "rates.yaml"), tmp_path, workers=0)
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
    bare = TEXT.replace("range_test: {start: 1e-5, end: 1000.0}", "baseline: {train.optimizer: adam}")
    scheduled = bare.replace("train: {", "train: {schedule: cosine, ")
    for text, name in ((TEXT, "rates"), (bare, "rates-lr-range"), (scheduled, "rates-lr-range")):
        (tmp_path / "rates.yaml").write_text(text)
        answer = CliRunner().invoke(app, ["lr-range", str(tmp_path / "rates.yaml")])
        assert str(answer.exception) == name, answer.output


@pytest.mark.parametrize("config", ["pooling", "kernel_size", "loss", "activation", "final"])
def test_a_sweep_file_that_comes_with_the_project_has_a_range_test(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    def take(config: SweepConfig, *_: object, **__: object) -> None:
        taken.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr("optimize.rangetest.run_range_test", take)
    file = Path(__file__).parents[2] / "configs" / f"{config}.yaml"
    answer = CliRunner().invoke(app, ["lr-range", str(file), "--results", str(tmp_path)])
    assert "was stopped" in answer.output
    assert taken[0].name == f"{config}-lr-range"
