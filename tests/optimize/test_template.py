import io
import shlex
import shutil
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from main.errors import UserError
from optimize.cli import app
from optimize.config import load_config
from optimize.plan import print_plan
from optimize.template import write_template

SCHEMA = Path(__file__).parents[2] / "docs" / "sweep.schema.json"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_plans_without_a_complaint() -> None:
    path = write_template("mine", "configs")
    assert path == Path("configs/mine.yaml")
    config = load_config(path)
    assert config.name == "mine"
    console = Console(file=io.StringIO(), width=100)
    print_plan(config, console)
    assert isinstance(console.file, io.StringIO)
    assert "6 configurations × 3 seeds = 18 trials" in console.file.getvalue()


def test_it_is_short_and_every_line_of_it_fits() -> None:
    lines = write_template("pooling_and_dropout", "configs").read_text().splitlines()
    assert len(lines) < 30
    assert max(map(len, lines)) <= 120


def test_it_names_the_schema_where_there_is_one() -> None:
    assert "yaml-language-server" not in write_template("one", "configs").read_text()
    Path("docs").mkdir()
    shutil.copy(SCHEMA, "docs")
    first_line = write_template("two", "configs/deep").read_text().splitlines()[0]
    assert first_line == "# yaml-language-server: $schema=../../docs/sweep.schema.json"


def test_a_name_may_be_that_of_the_file() -> None:
    path = write_template("mine.yml", "configs")
    assert path == Path("configs/mine.yaml")
    assert load_config(path).name == "mine"


def test_the_command_that_it_names_can_be_copied_whatever_the_folder_is_called() -> None:
    path = write_template("mine", "my sweeps")
    [command] = [line for line in path.read_text().splitlines() if "optimize plan" in line]
    assert shlex.split(command.split(": ", 1)[1]) == ["python", "-m", "optimize", "plan", "my sweeps/mine.yaml"]
    shown = CliRunner().invoke(app, ["new", "other", "--folder", "my sweeps"]).stdout
    assert shlex.split(shown.split("next: ")[1])[-1] == "my sweeps/other.yaml"


@pytest.mark.parametrize("name", ["2024", "true", "null", "1e3"])
def test_a_name_that_reads_like_something_else_is_quoted(name: str) -> None:
    assert load_config(write_template(name, "configs")).name == name


def test_a_file_that_exists_is_left_as_it_is() -> None:
    path = write_template("mine", "configs")
    path.write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        write_template("mine", "configs")
    assert path.read_text() == "mine"


@pytest.mark.parametrize("name", ["../x", "a/b", "", "con"])
def test_a_name_that_is_no_folder_everywhere_is_refused(name: str) -> None:
    with pytest.raises(UserError):
        write_template(name, "configs")
    assert not Path("configs").exists()
