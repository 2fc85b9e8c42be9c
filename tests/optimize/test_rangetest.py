"""A learning-rate range test, as a command and by its rules."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from main.complaints import ConfigError
from optimize.config import load_config

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
