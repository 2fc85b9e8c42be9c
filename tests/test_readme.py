"""The README tells the truth: its commands run, its links lead somewhere, its sweep file loads."""

import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from optimize.config import load_config

REPOSITORY = Path(__file__).resolve().parent.parent
README = (REPOSITORY / "README.md").read_text()


def block_after(marker: str) -> str:
    found = re.search(rf"<!-- {marker} -->\n```\w*\n(.*?)```", README, re.DOTALL)
    assert found, f"README.md has no block marked {marker}"
    return found[1].strip()


@pytest.mark.parametrize("marker", ["run", "test"])
def test_the_two_commands_set_themselves_up_in_one_line(marker: str) -> None:
    command = block_after(marker)
    assert "\n" not in command
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -q -r requirements.txt")


@pytest.mark.training
def test_the_first_command_ends_with_charts_tables_and_a_model(tmp_path: Path) -> None:
    """On digits and for one epoch, in the environment of this test run."""
    command = block_after("run").split("&&")[-1].replace(".venv/bin/python", sys.executable).strip()
    small = "--set data.source=digits --set data.validation=null --set train.epochs=1 --set study.seeds=2"
    answer = subprocess.run(
        [*shlex.split(command), *shlex.split(small), "--results", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    folder = tmp_path / "pooling"
    for name in ("report.html", "trials.csv", "curves.csv", "verdict.json", "cnn.h5", "cnn.json", "study.db"):
        assert (folder / name).stat().st_size > 0, name
    assert len(list((folder / "charts").glob("*.png"))) >= 6
    assert answer.stderr == ""
    copy = tmp_path / "copied.db"
    copy.write_bytes((folder / "study.db").read_bytes())  # alone, as somebody would send it
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("SELECT state, count(*) FROM trials GROUP BY state").fetchall() == [("COMPLETE", 8)]


@pytest.mark.training
@pytest.mark.parametrize("forked", [True, False])
def test_the_lines_of_python_run_as_a_script_as_they_stand(tmp_path: Path, *, forked: bool) -> None:
    """Without `if __name__ == "__main__"`, whichever way workers start."""
    lines = re.search(r"The same from Python:\n\n```python\n(.*?)```", README, re.DOTALL)
    assert lines
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "pooling.yaml").write_text(
        "data: {source: digits, train: 300}\nmodel: {network: cnn, filters: [4], pooling: {choices: [max, average]}}\n"
        "train: {epochs: 1}\nstudy: {seeds: 2}\nrun: {workers: 1}\n"
    )
    (tmp_path / "script.py").write_text(lines[1])
    elsewhere = tmp_path / ("deep" * 25)  # a fork server's socket would have too long a path there
    elsewhere.mkdir()
    variables = {**os.environ, **({} if forked else {"TMPDIR": str(elsewhere)})}
    answer = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=300
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert answer.stdout.strip().endswith(json.loads(next(tmp_path.rglob("verdict.json")).read_text())["sentence"])
    assert (tmp_path / "results" / "pooling" / "cnn.h5").exists()


def test_the_sweep_file_on_its_screen_loads(tmp_path: Path) -> None:
    screen = re.search(r"## The sweep file.*?```yaml\n(.*?)```", README, re.DOTALL)
    assert screen
    path = tmp_path / "screen.yaml"
    path.write_text(screen[1])
    assert load_config(path).name == "my_pooling"  # else it would go on with the sweep that has just been run


def test_it_counts_the_conclusions_as_the_study_has_them() -> None:
    page = (REPOSITORY / "docs" / "study.md").read_text(encoding="utf-8")
    outcomes = ("stands", "does not stand", "cannot be told apart")
    stand, fall, open_ = (page.count(f" | **{outcome}** | ") for outcome in outcomes)
    assert stand + fall + open_ == 13
    assert f"{stand} stand, {fall} do not, and {open_} cannot be told apart" in README


def test_every_link_and_picture_leads_to_a_file() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (REPOSITORY / target).exists(), target


def test_every_command_in_the_table_exists() -> None:
    for package in ("optimize", "main"):
        answer = subprocess.run(
            [sys.executable, "-m", package, "--help"], capture_output=True, text=True, check=True, cwd=REPOSITORY
        )
        named = re.findall(rf"`python -m {package} ([a-z-]+)", README)
        assert named
        for command in named:
            assert command in answer.stdout, f"{package} {command}"
