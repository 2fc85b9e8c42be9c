"""What both command lines say of themselves."""

import pytest
import typer
from typer.testing import CliRunner

from main.cli import app as of_models
from optimize.cli import app as of_sweeps


@pytest.mark.parametrize("app", [of_models, of_sweeps], ids=["main", "optimize"])
def test_each_command_is_summed_up_in_a_line_of_80_columns(app: typer.Typer) -> None:
    answer = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"})
    _, commands = answer.stdout.split("Commands:\n")
    assert len(commands.splitlines()) == len(app.registered_commands)
    assert max(map(len, commands.splitlines())) <= 78, commands  # of 80, a terminal's last two stay empty
    assert all(line.endswith(".") and not line.endswith("...") for line in commands.splitlines()), commands


@pytest.mark.parametrize("app", [of_models, of_sweeps], ids=["main", "optimize"])
def test_the_version_is_told(app: typer.Typer) -> None:
    answer = CliRunner().invoke(app, ["--version"])
    assert (answer.exit_code, answer.stdout.split()[0]) == (0, "optimize-sweeps")
