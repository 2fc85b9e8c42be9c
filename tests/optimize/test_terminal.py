"""Which folders the commands mean."""

from pathlib import Path

import pytest

from main.errors import UserError
from optimize.results import NoSweep, Results
from optimize.terminal import existing_sweeps, results_for


@pytest.mark.parametrize(
    ("config", "folder"),
    [
        ("configs/loss.yaml", "results"),
        ("configs/study/loss.yaml", "results/study"),
        ("/home/me/configs/mnist/small/loss.yaml", "results/mnist/small"),
        ("configs/old/configs/new/loss.yaml", "results/new"),
        ("configs/study/../loss.yaml", "results"),
        ("configs/../loss.yaml", "results"),
        ("loss.yaml", "results"),
        ("configs.yaml", "results"),
    ],
)
def test_results_mirror_the_folders_of_sweep_files(config: str, folder: str) -> None:
    assert results_for(Path(config), None) == Path(folder)
    assert results_for(Path(config), Path("elsewhere")) == Path("elsewhere")


def test_a_folder_of_sweeps_stands_for_those_in_it(tmp_path: Path) -> None:
    for name in ("study/b", "study/a", "loss", "study/comparison"):
        (tmp_path / name).mkdir(parents=True)
        if not name.endswith("comparison"):
            (tmp_path / name / "sweep.yaml").touch()
    found = existing_sweeps([tmp_path / "study", tmp_path / "loss"])
    assert [results.folder.name for results in found] == ["a", "b", "loss"]
    with pytest.raises(NoSweep, match="no sweep here"):
        existing_sweeps([tmp_path / "study" / "c"])


def test_a_sweep_that_lies_in_a_folder_of_sweeps_is_found_for_whoever_looks_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results/study/loss").mkdir(parents=True)
    (tmp_path / "results/study/loss/sweep.yaml").touch()
    with pytest.raises(
        NoSweep,
        match=r"no sweep here, nor in results/loss \(sweep.yaml is missing\); did you mean 'results/study/loss'\?",
    ):
        Results.existing("loss")
    for named in ("los", "configs/loss.yaml", "configs/study/loss.yaml", "results/study/loss/cnn.h5"):
        with pytest.raises(NoSweep, match=r"did you mean 'results/study/loss'\?"):
            Results.existing(named)
    for named in ("activation", "study", ".", "/"):
        with pytest.raises(NoSweep, match="run one first"):
            Results.existing(named)


def test_a_folder_of_sweeps_is_found_by_its_name_as_a_sweep_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "b.before-1"):
        (tmp_path / "results/study" / name).mkdir(parents=True)
        (tmp_path / "results/study" / name / "sweep.yaml").touch()
    assert [results.folder.name for results in existing_sweeps([Path("study")])] == ["a", "b"]


def test_a_folder_that_holds_range_tests_alone_holds_no_sweep(tmp_path: Path) -> None:
    results = Results(tmp_path / "study/rates")
    results.folder.mkdir(parents=True)
    results.sweep_file.touch()
    results.rates_file.touch()
    with pytest.raises(UserError, match="no sweep is left of"):
        existing_sweeps([tmp_path / "study"])
