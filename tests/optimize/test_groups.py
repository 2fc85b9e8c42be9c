"""Sweep files in folders: sweeps of one name are two, and none lies in another."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import optuna
import pytest

import stubs
from main.errors import UserError
from optimize import load_config
from optimize.config import SweepConfig
from optimize.sweep import run_sweep
from sweeps import Witness

SWEEP = """\
data: {source: digits}
model: {network: softmax}
train:
  epochs: 2
  learning_rate: {choices: [1e-3, 1e-2]}
study: {seeds: 1}
"""


run_here = partial(run_sweep, observer=Witness(), workers=0, run=stubs.learn)


def sweep_file(path: str) -> SweepConfig:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(SWEEP)
    return load_config(path)


@pytest.mark.usefixtures("undrawn")
def test_sweeps_of_one_name_in_two_folders_share_neither_results_nor_a_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("optimize.conclusion.export_winner", lambda *_: True)
    for path, folder, study in (
        ("configs/loss.yaml", "results/loss", "loss"),
        ("configs/study/loss.yaml", "results/study/loss", "study/loss"),
    ):
        done = run_here(sweep_file(path))
        assert (done.trained, done.results.folder) == (2, Path(folder))
        assert optuna.get_all_study_names(f"sqlite:///{done.results.study_file}") == [study]
    assert run_here(load_config("configs/study/loss.yaml"), fresh=True).trained == 2
    assert run_here(load_config("configs/loss.yaml")).trained == 0


@pytest.fixture(scope="module")
def two_sweeps(
    tmp_path_factory: pytest.TempPathFactory, drawing_nothing: Callable[[], AbstractContextManager[None]]
) -> Path:
    """A folder in which configs/loss.yaml and configs/study/loss.yaml have been run."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.MonkeyPatch.context() as patch, drawing_nothing():
        patch.chdir(folder)
        patch.setattr("optimize.conclusion.export_winner", lambda *_: True)
        for path in ("configs/loss.yaml", "configs/study/loss.yaml"):
            run_here(sweep_file(path))
    return folder


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("configs/loss/charts.yaml", r"results/loss/charts lies in the folder of the sweep results/loss:"),
        ("configs/study.yaml", r"results/study is around the folder of the sweep results/study/loss:"),
    ],
)
@pytest.mark.parametrize("fresh", [False, True])
def test_no_sweeps_folder_lies_in_anothers(
    path: str, said: str, fresh: bool, two_sweeps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(two_sweeps)
    with pytest.raises(UserError, match=said):
        run_here(sweep_file(path), fresh=fresh)
    assert Path("results/study/loss/sweep.yaml").exists()
