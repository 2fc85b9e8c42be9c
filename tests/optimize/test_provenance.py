"""What a sweep's provenance.json says of the code and the machine."""

import subprocess
from pathlib import Path

import pytest

from main.config import DataConfig
from main.data import load_training
from optimize import provenance


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
