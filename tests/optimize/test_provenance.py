"""What a sweep's provenance.json says of the code and the machine."""

import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import stubs
from main.config import DataConfig
from main.data import load_training
from optimize import provenance
from optimize.config import load_config
from optimize.sweep import run_sweep
from optimize.trial import TrialOutcome, TrialTask
from sweeps import LEARNING_RATE, POOLING, Witness


def git(*arguments: str) -> str:
    who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    return subprocess.run(["git", *who, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def test_a_commit_is_told_from_one_whose_files_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_commit() is None
    git("init", "-q")
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text("name: one\n")
    git("add", "sweep.yaml")
    git("commit", "-q", "-m", "one")
    git("tag", "-a", "v1", "-m", "a tag is no commit")
    assert provenance.git_commit() == git("rev-parse", "HEAD")
    sweep.write_text("name: two\n")
    assert provenance.git_commit() == git("rev-parse", "HEAD") + "-dirty"


def test_cores_are_those_that_a_container_grants(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimize.cores._quota", lambda: 1.0)
    data = load_training(DataConfig(source="digits"))
    written = provenance.provenance(data, {}, study=None, workers=1, threads=1, precision="float32")
    assert written["cores"] == 1


def of(started: str, **versions: str) -> dict[str, Any]:
    return {"started": started, "versions": {"numpy": "2.4.0", "pandas": "3.0.0", **versions}}


def test_a_sweep_that_goes_on_keeps_the_versions_of_its_earlier_trials() -> None:
    first, second, third = of("1", keras="3.14.0"), of("2", keras="3.15.1", pandas="3.0.1"), of("3", keras="3.14.0")
    assert provenance.gone_on(of("2", keras="3.14.0", pandas="3.0.1"), first) == of("2", keras="3.14.0", pandas="3.0.1")
    twice = provenance.gone_on(second, first)
    assert twice == second | {"earlier_versions": {"1": {"keras": "3.14.0", "numpy": "2.4.0"}}}
    assert provenance.mixed_versions(twice) == "keras 3.14.0, then 3.15.1"
    back = provenance.gone_on(third, twice)
    assert back["earlier_versions"] == {"2": {"keras": "3.15.1", "numpy": "2.4.0"}}
    assert provenance.mixed_versions(back) == "keras 3.15.1, then 3.14.0"


@pytest.mark.parametrize(
    "spoilt", [{}, {"versions": ["keras"]}, {"earlier_versions": [1]}, {"earlier_versions": {"1": 2}}]
)
def test_what_is_no_version_is_none(spoilt: dict[str, Any]) -> None:
    assert provenance.mixed_versions(provenance.gone_on(of("2", keras="3.15.1"), spoilt)) == ""


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_sweep_that_goes_on_under_other_versions_says_so_and_so_does_its_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, confirmed: bool
) -> None:
    for what in ("conclusion.export_winner", "charts.draw", "report.write"):
        monkeypatch.setattr(f"optimize.{what}", lambda *_, **__: None)
    text = LEARNING_RATE.replace("confirm: null", "confirm: {top: 2, seeds: [7, 8]}") if confirmed else POOLING
    (tmp_path / "sweep.yaml").write_text(text)
    config = load_config(tmp_path / "sweep.yaml")

    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    def unconfirmed(task: TrialTask, report: stubs.Report, stop: stubs.StopRequested) -> TrialOutcome:
        return (stubs.fails if task.purpose == "confirm" else stubs.learn)(task, report, stop)

    first = Witness()
    if not confirmed:
        first.on_end = die
    with suppress(Killed):
        run_sweep(config, results_dir=tmp_path, observer=first, workers=0, run=unconfirmed)
    here = provenance.versions()
    monkeypatch.setattr("optimize.provenance.versions", lambda: here | {"keras": "99.0"})
    second = Witness()
    result = run_sweep(config, results_dir=tmp_path, observer=second, workers=0, run=stubs.learn, retry_failed=True)
    mixed = f"keras {here['keras']}, then 99.0"
    assert len([note for note in second.notes if note.startswith(f"going on under other versions ({mixed})")]) == 1
    assert result.verdict is not None
    assert f"Said of trials of several versions: {mixed}." in result.verdict.conditions
    (earlier,) = result.results.provenance()["earlier_versions"].values()
    assert earlier["keras"] == here["keras"]
    third = Witness()
    (tmp_path / "sweep.yaml").write_text("question: Which?\n" + text)
    monkeypatch.setattr("optimize.provenance.versions", lambda: here | {"keras": "100.0"})
    config = load_config(tmp_path / "sweep.yaml")
    run_sweep(config, results_dir=tmp_path, observer=third, workers=0, run=stubs.learn)
    assert not [note for note in third.notes if "versions" in note]  # nothing was trained
    assert result.results.provenance()["versions"]["keras"] == "99.0"
