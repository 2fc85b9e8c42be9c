"""A sweep's folder of which something is missing, damaged, unfinished or of another kind: one clear line, exit 2."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from fake_results import made
from typer.testing import CliRunner

from optimize.cli import app
from optimize.results import Results

READERS = ("show", "plot", "report", "export")


@pytest.fixture
def sweep(tmp_path: Path) -> Results:
    return made(tmp_path, "pooling")


def ask(*words: object, columns: int = 120) -> tuple[int, str]:
    answer = CliRunner(env={"COLUMNS": str(columns)}).invoke(app, [str(word) for word in words])
    assert answer.exception is None or isinstance(answer.exception, SystemExit), answer.exception
    return answer.exit_code, answer.output


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def binary(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


def no_object(path: Path) -> None:
    path.write_text("[1]")


def other_columns(path: Path) -> None:
    path.write_text("a,b\n1,2\n")


def words_for_data(path: Path) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), "data": "digits"}))


def nothing_in_it(path: Path) -> None:
    path.write_text("{}")


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("trials.csv", emptied), ("trials.csv", binary), ("trials.csv", other_columns), ("curves.csv", emptied),
        ("curves.csv", other_columns), ("verdict.json", emptied),
        ("verdict.json", no_object), ("verdict.json", nothing_in_it), ("provenance.json", binary),
        ("provenance.json", nothing_in_it), ("cnn.json", no_object), ("cnn.json", nothing_in_it),
        ("provenance.json", words_for_data),
        ("sweep.yaml", emptied), ("sweep.yaml", binary), ("sweep.yaml", nothing_in_it),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named_with_what_to_do(
    sweep: Results, command: str, name: str, damage: Callable[[Path], None]
) -> None:
    damage(sweep.folder / name)
    status, said = ask(command, sweep.folder)
    reads = {"trials.csv": READERS, "curves.csv": ("plot", "report"), "cnn.json": ("show", "report")}
    if command not in reads.get(name, READERS):
        assert "is damaged (" not in said
        return
    assert status == 2
    assert f"error: {sweep.folder / name} is damaged (" in said
    assert ("python -m optimize export" if name == "cnn.json" else "run the sweep again") in said


@pytest.mark.parametrize("command", ["show", "plot"])
@pytest.mark.parametrize("name", ["trials.csv", "provenance.json"])
def test_a_missing_file_is_named_with_what_to_do(sweep: Results, command: str, name: str) -> None:
    (sweep.folder / name).unlink()
    status, said = ask(command, sweep.folder, columns=1000)
    assert status == 2
    assert f"error: {sweep.folder / name} is missing; run the sweep again, which writes it anew" in said


@pytest.mark.parametrize(("rows", "lacking"), [(0, 3), (1, 2), (2, 0)])
def test_a_table_that_was_cut_off_between_lines_is_damaged(sweep: Results, rows: int, lacking: int) -> None:
    lines = sweep.trials_file.read_text().splitlines(keepends=True)
    sweep.trials_file.write_text("".join(lines[: 1 + rows]))
    for trial in range(3):
        sweep.trial_folder(trial).mkdir(parents=True)
        (sweep.trial_folder(trial) / "outcome.json").write_text("{}")
    said = ask("show", sweep.folder, columns=1000)[1]
    told = f"error: {sweep.trials_file} is damaged (without {lacking} of the trials that have ended); move it away and"
    assert (told in said) is bool(lacking)  # a single one may be about to be added


def test_a_failure_of_many_lines_and_quotes_is_one_row_however_long(sweep: Results) -> None:
    cells = pd.read_csv(sweep.trials_file).assign(reason='one\n7,"two", ' + "x" * 200_000)
    cells.to_csv(sweep.trials_file, index=False)
    assert sweep.listed_trials() == set(cells["trial"])
    assert ask("show", sweep.folder)[0] == 0


def test_a_table_with_a_quote_that_nothing_closes_is_damaged(sweep: Results) -> None:
    with sweep.trials_file.open("a") as file:
        file.write(f'3,"{"x" * 200_000}\n')
    status, said = ask("show", sweep.folder, columns=1000)
    assert status == 2
    assert f"error: {sweep.trials_file} is damaged (" in said


@pytest.mark.parametrize("command", ["show", "report"])
@pytest.mark.parametrize(
    ("damage", "lacking"),
    [
        ({"test": {}}, "test.accuracy, test.low, test.high, test.n"),
        ({"test": {"accuracy": "high", "low": 0.97, "high": 0.99, "n": 10_000}}, "test.accuracy"),
        ({"test": None, "configuration": 3}, "configuration, test.accuracy, test.low, test.high, test.n"),
        ({"epoch": None}, "epoch"),
    ],
)
def test_a_card_that_lacks_what_is_shown_of_it_is_damaged(
    sweep: Results, command: str, damage: dict[str, object], lacking: str
) -> None:
    content = json.loads(exported(sweep).card_file.read_text())
    sweep.card_file.write_text(json.dumps(content | damage))
    status, said = ask(command, sweep.folder, columns=1000)
    assert status == 2
    assert f"error: {sweep.card_file} is damaged (without {lacking}); make it anew: python -m optimize export" in said


def test_a_verdict_of_another_version_is_none(sweep: Results) -> None:
    stored = sweep.verdict()
    assert stored is not None
    sweep.verdict_file.write_text(json.dumps(stored | {"choices": [{"colour": "red"}]}))
    status, said = ask("report", sweep.folder)
    assert status == 2
    assert "no verdict, or another version's" in said


def test_a_sweep_that_was_stopped_before_its_first_trial_ended_has_no_verdict_yet(sweep: Results) -> None:
    sweep.verdict_file.unlink()
    sweep.write_json(sweep.provenance_file, sweep.provenance() | {"ended": None})
    sweep.trials_file.write_text(sweep.trials_file.read_text().splitlines()[0] + "\n")
    status, said = ask("show", sweep.folder)
    assert status == 0
    assert said.rstrip().endswith("There is no verdict: no trial is complete.")


def test_a_sweep_that_has_not_ended_is_not_said_to_have_no_complete_trial(sweep: Results) -> None:
    sweep.verdict_file.unlink()
    facts = sweep.provenance()
    sweep.write_json(sweep.provenance_file, facts | {"ended": None})
    complete = int((sweep.trials()["state"] == "complete").sum())
    sentence = f"No verdict yet: {complete} trials are complete; run the sweep again, and it goes on to its end."
    status, said = ask("show", sweep.folder)
    assert status == 0
    assert sentence in said
    assert f"{len(sweep.trials())} of 20 trials have ended, but the sweep has not" in said
    assert ask("report", sweep.folder)[0] == 0
    assert sentence in sweep.report.read_text()
    status, said = ask("export", sweep.folder)
    assert status == 2
    assert sentence in said
    assert "choices is not drawn: there is no verdict yet" in ask("plot", sweep.folder, "--only", "choices")[1]


def exported(sweep: Results) -> Results:
    """With what stands for a model and its card."""
    test = {"accuracy": 0.98, "low": 0.97, "high": 0.99, "n": 10_000}
    sweep.write_json(sweep.card_file, {"configuration": "max", "trial": 0, "seed": 0, "epoch": 1, "test": test})
    sweep.model_file.write_bytes(b"")
    return sweep


def test_a_model_that_was_removed_is_not_shown(sweep: Results) -> None:
    exported(sweep)
    assert f"model {sweep.model_file}" in ask("show", sweep.folder, columns=400)[1]
    sweep.model_file.unlink()
    assert "test accuracy" not in ask("show", sweep.folder)[1]


def test_trials_that_are_gone_leave_nothing_to_export(sweep: Results) -> None:
    status, said = ask("export", sweep.folder)
    assert status == 2
    assert "Traceback" not in said


def test_brackets_and_colons_of_a_path_stay(tmp_path: Path) -> None:
    sweep = exported(made(tmp_path / "[red]d:x:", "pooling"))
    assert f"model {sweep.model_file}" in ask("show", sweep.folder, columns=400)[1]


@pytest.mark.parametrize("command", ["show", "plot", "report", "export", "tensorboard", "dashboard", "reproduce"])
def test_a_range_test_is_told_from_a_sweep(sweep: Results, command: str) -> None:
    sweep.rates_file.write_text("configuration\n")
    sweep.trials_file.unlink()
    status, said = ask(command, sweep.folder, columns=400)
    assert status == 2
    assert f"{sweep.folder} holds a range test: see {sweep.rates_chart}" in said


def test_a_range_test_in_a_sweeps_folder_does_not_hide_the_sweep(sweep: Results) -> None:
    sweep.rates_file.write_text("configuration\n")
    status, said = ask("show", sweep.folder, columns=400)
    assert (status, "range test" in said) == (0, False)


@pytest.mark.parametrize(
    "content", ["name: x\n", "axes.facecolor: notacolour\n", "lines.linewidth 3\n", b"\x89\xff".decode("latin-1")]
)
def test_a_file_that_is_no_style_is_refused(sweep: Results, tmp_path: Path, content: str) -> None:
    style = tmp_path / "some.mplstyle"
    style.write_text(content, encoding="latin-1")
    status, said = ask("plot", sweep.folder, "--only", "choices", "--style", style, columns=400)
    assert status == 2
    assert f"error: {style} is no matplotlib style: " in said
    assert not (sweep.charts / "choices.png").exists()


@pytest.mark.parametrize("style", [".", "this.x", "no_such_style"])
def test_a_style_is_a_name_or_a_file_and_no_package(sweep: Results, style: str) -> None:
    status, said = ask("plot", sweep.folder, "--style", style, columns=2000)
    assert status == 2
    assert f"matplotlib has no style '{style}'" in said


def test_a_style_cannot_ask_for_latex(sweep: Results, tmp_path: Path) -> None:
    (tmp_path / "tex.mplstyle").write_text("text.usetex: True\n")
    assert ask("plot", sweep.folder, "--only", "choices", "--style", tmp_path / "tex.mplstyle")[0] == 0


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_narrow_terminals_lose_no_figure(tmp_path: Path, columns: int) -> None:
    sweeps = [made(tmp_path, name) for name in ("pooling", "cube")]
    said = ask("compare", *(sweep.folder for sweep in sweeps), columns=columns)[1]
    assert "…" not in said
    assert "pooling: " in said
    assert "%" in said
    shown = ask("show", sweeps[0].folder, columns=columns)[1]
    assert "…" not in shown


def test_a_reader_that_has_read_enough_is_no_fault(sweep: Results) -> None:
    command = f"{sys.executable} -m optimize show {sweep.folder} | true"
    answer = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=dict(os.environ))
    assert answer.stderr == ""
