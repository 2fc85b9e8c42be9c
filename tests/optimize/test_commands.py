"""The command line as a person and as a script meet it."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import stubs
from main.cli import app as main_app
from optimize.cli import app
from optimize.config import SweepConfig
from optimize.forecast import Forecast
from optimize.sweep import run_sweep

TINY = """
name: tiny
question: Which pooling reads digits best?
data: {source: digits}
model:
  network: cnn
  filters: [4]
  pooling: {choices: [max, average]}
train: {epochs: 2, batch_size: 64}
study: {seeds: 2}
run: {workers: 1, precision: float32}
"""
PROGRAM = """
import sys
from optimize.cli import app
try:
    app()
finally:
    print([m for m in ("keras", "tensorflow") if m in sys.modules], file=sys.stderr)
"""


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sweep that has been run by the command."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "tiny.yaml").write_text(TINY)
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, "run", str(folder / "tiny.yaml"), "--results", str(folder)],
        capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (folder / "said.txt").write_text(answer.stdout)
    (folder / "complaints.txt").write_text(answer.stderr)
    return folder / "tiny"


@pytest.mark.training
def test_run_says_each_trial_the_files_the_next_command_and_the_verdict_last(finished: Path) -> None:
    lines = (finished.parent / "said.txt").read_text().splitlines()
    assert sum(line.startswith("trial ") for line in lines) == 4
    assert "2 seeds" in lines[-1]
    for word in ("report", "tables", "model", "next"):
        assert any(line.startswith(word) for line in lines), word
    assert any(f"python -m main evaluate {finished / 'cnn.h5'}" in line for line in lines)


@pytest.mark.training
def test_run_complains_of_nothing_and_never_imports_keras(finished: Path) -> None:
    """Its workers do: they train, and export the winner."""
    assert (finished.parent / "complaints.txt").read_text() == "[]\n"
    assert (finished / "cnn.h5").exists()


@pytest.mark.training
def test_a_second_run_says_that_nothing_was_trained(finished: Path) -> None:
    answer = call("run", finished.parent / "tiny.yaml", "--results", finished.parent)
    assert answer.exit_code == 0
    assert "every trial is finished already; nothing was trained" in answer.output
    first = (finished.parent / "said.txt").read_text().splitlines()[-1]
    assert answer.output.replace("\n", " ").rstrip().endswith(first[-40:])


@pytest.mark.training
def test_show_in_words_and_in_json(finished: Path) -> None:
    words = call("show", finished)
    assert "4 complete" in words.output
    assert "Which pooling reads digits best?" in words.output
    facts = json.loads(call("show", finished, "--json").stdout)
    assert facts["trials"] == {"complete": 4}
    assert facts["verdict"]["winner"] in ("max", "average")
    assert facts["test"]["n"] == 360


@pytest.mark.training
def test_plot_report_and_export_make_their_files_anew(finished: Path) -> None:
    (finished / "report.html").unlink()
    for chart in (finished / "charts").iterdir():
        chart.unlink()
    drawn = call("plot", finished, "--only", "choices", "--format", "svg")
    assert drawn.exit_code == 0, drawn.output
    assert [path.name for path in (finished / "charts").iterdir()] == ["choices.svg"]
    assert call("report", finished).exit_code == 0
    assert "Which pooling reads digits best?" in (finished / "report.html").read_text()
    before = (finished / "cnn.h5").read_bytes()
    (finished / "cnn.h5").unlink()
    exported = call("export", finished)
    assert exported.exit_code == 0, exported.output
    assert abs(len((finished / "cnn.h5").read_bytes()) - len(before)) < 4096


@pytest.mark.training
def test_main_evaluates_what_the_sweep_exported(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("main.evaluation_charts.draw", lambda evaluation, folder: ())
    answer = CliRunner().invoke(main_app, ["evaluate", str(finished / "cnn.h5"), "--json"])
    assert answer.exit_code == 0, answer.output
    card = json.loads((finished / "cnn.json").read_text())
    assert json.loads(answer.stdout)["accuracy"]["value"] == pytest.approx(card["test"]["accuracy"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "absent.yaml"), "absent.yaml"),
        (("plan", "absent.yaml"), "absent.yaml"),
        (("show", "absent"), "no sweep here"),
        (("plot", "absent"), "no sweep here"),
        (("report", "absent"), "no sweep here"),
        (("compare", "absent", "absent"), "no sweep here"),
        (("export", "absent"), "no sweep here"),
        (("dashboard", "absent"), "no sweep here"),
        (("new", "../escape"), "a name is 1 to 64 of A-Z a-z 0-9"),
        (("bogus",), "bogus"),
    ],
)
def test_bad_input_is_one_message_and_exit_status_2(
    arguments: tuple[str, ...], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = call(*arguments)
    assert answer.exit_code == 2
    assert words in answer.output
    assert "Traceback" not in answer.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.training
def test_reports_and_charts_are_made_of_every_sweep_in_a_folder(finished: Path) -> None:
    """As their help says."""
    (finished / "report.html").unlink()
    answer = call("report", finished.parent)
    assert (answer.exit_code, answer.output) == (0, f"{finished / 'report.html'}\n")
    answer = call("plot", finished.parent, "--only", "choices")
    assert (answer.exit_code, answer.output) == (0, f"{finished / 'charts' / 'choices.png'}\n")


def test_every_mistake_of_a_file_is_shown_by_line_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(TINY.replace("pooling: {", "poolng: {").replace("epochs: 2", "epochs: two"))
    answer = call("run", path, "--results", tmp_path / "results")
    assert answer.exit_code == 2
    assert ":8:3: model.poolng: unknown key; did you mean 'pooling'?" in answer.output
    assert ":9:17: train.epochs" in answer.output
    assert not (tmp_path / "results").exists()


def test_a_winner_of_a_sweep_that_runs_before_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run_one(config: SweepConfig, **_: object) -> int:
        ran.append(config.name)
        (tmp_path / config.name).mkdir()
        verdict = {"winner": "average", "values": {"model.pooling": "average"}}
        (tmp_path / config.name / "verdict.json").write_text(json.dumps(verdict))
        return 0

    monkeypatch.setattr("optimize.cli._run_one", run_one)
    first, second, third = (tmp_path / f"{stem}.yaml" for stem in ("tiny", "b", "c"))
    first.write_text(TINY)
    text = TINY.replace("name: tiny", "name: second").replace("filters: [4]", "filters: {choices: [[4], [8]]}")
    second.write_text(text.replace("{choices: [max, average]}", "{winner: tiny}"))
    refused = call("run", second, first, "--results", tmp_path)
    assert refused.exit_code == 2
    assert "the sweep 'tiny' has no verdict" in refused.output
    assert ran == []
    third.write_text(
        text.replace("name: second", "name: third").replace("{choices: [max, average]}", "{winner: second}")
    )
    assert call("run", first, second, third, "--results", tmp_path).exit_code == 0
    assert ran == ["tiny", "second", "third"]


def test_set_replaces_a_value_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    assert "3 epochs" in call("plan", tmp_path / "tiny.yaml", "--set", "train.epochs=3").output
    wrong = call("plan", tmp_path / "tiny.yaml", "--set", "train.epoch=3")
    assert wrong.exit_code == 2
    assert "did you mean 'epochs'?" in wrong.output


def test_new_writes_a_file_that_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    written = call("new", "mine")
    assert written.exit_code == 0
    assert call("plan", "configs/mine.yaml").exit_code == 0
    again = call("new", "mine")
    assert again.exit_code == 2
    assert "mine.yaml" in again.output


def test_the_schema_is_json(tmp_path: Path) -> None:
    assert json.loads(call("schema").stdout)["$schema"].startswith("https://json-schema.org/draft/2020-12")


@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize(
    ("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 143)], ids=["SIGINT", "SIGTERM", "SIGHUP"]
)
@pytest.mark.parametrize(
    ("command", "place", "words"),
    [
        ("run", "optimize.plan.described_data", "tiny can go on: run the same command again"),
        ("run", "optimize.statistics.judge_sweep", "tiny can go on: run the same command again"),
        ("lr-range", "optimize.plan.described_data", "tiny-lr-range was stopped"),
    ],
    ids=["as data load", "as a verdict is reached", "before a range test"],
)
def test_a_signal_while_nothing_trains_ends_the_command_with_a_word(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    heard_elsewhere: None,
    command: str,
    place: str,
    words: str,
    name: str,
    status: int,
) -> None:
    def signal_myself(*_: object, **__: object) -> None:
        signal.raise_signal(getattr(signal, name))

    monkeypatch.setattr("optimize.sweep.run_sweep", partial(run_sweep, run=stubs.learn))
    monkeypatch.setattr(place, signal_myself)
    (tmp_path / "tiny.yaml").write_text(TINY)
    answer = call(command, tmp_path / "tiny.yaml", "--results", tmp_path, "--workers", "0")
    assert answer.exit_code == status, answer.output
    assert words in answer.output


@pytest.mark.usefixtures("undrawn")
def test_run_starts_anew_and_tries_failures_again_where_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def run(*args: Any, **options: Any) -> Any:
        asked.append(options)
        return run_sweep(*args, **options, run=stubs.learn)

    monkeypatch.setattr("optimize.sweep.run_sweep", run)
    monkeypatch.setattr("optimize.conclusion.export_winner", lambda *_: True)
    (tmp_path / "tiny.yaml").write_text(TINY)
    for told in ((), ("--retry-failed",), ("--fresh",)):
        answer = call("run", tmp_path / "tiny.yaml", "--results", tmp_path, "--workers", "0", *told)
        assert answer.exit_code == 0, answer.output
    assert [(options["retry_failed"], options["fresh"]) for options in asked] == [
        (False, False), (True, False), (False, True),
    ]  # fmt: skip
    assert len(list(tmp_path.glob("tiny.before-*"))) == 1


def test_plan_forecasts_where_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = Forecast(starting=5.0, training=120.0, concluding=10.0, workers=2, timed=3, kinds=4)
    monkeypatch.setattr("optimize.forecast.forecast", lambda plan, start_engine: expected)
    (tmp_path / "tiny.yaml").write_text(TINY)
    said = " ".join(call("plan", tmp_path / "tiny.yaml", "--time").output.split())
    assert "about 2 min 15 s on 2 workers (3 of 4 kinds of training timed)" in said
    assert "timed" not in call("plan", tmp_path / "tiny.yaml").output


def test_plan_ends_with_the_command_that_runs_what_was_planned(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    said = call("plan", tmp_path / "tiny.yaml", "--set", "train.epochs=3", "--set", "study.seeds=[4, 5]")
    last = said.output.splitlines()[-1]
    assert last == f"next: python -m optimize run {tmp_path}/tiny.yaml --set train.epochs=3 --set 'study.seeds=[4, 5]'"


@pytest.mark.usefixtures("undrawn")
def test_a_sweep_leaves_the_environment_to_the_one_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second may train in the command's own process, with all its cores."""
    seen: list[str | None] = []

    def run(*args: Any, **options: Any) -> Any:
        seen.append(os.environ.get("TF_NUM_INTRAOP_THREADS"))
        return run_sweep(*args, **options, run=stubs.learn)

    def start(threads: int, *, training: bool) -> bool:
        os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
        return True

    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setattr("optimize.sweep.run_sweep", run)
    monkeypatch.setattr("optimize.conclusion.export_winner", lambda *_: True)
    monkeypatch.setattr("optimize.forking.start_fork_server", start)
    for name, workers in (("first", 1), ("second", 0)):
        text = TINY.replace("name: tiny", f"name: {name}").replace("workers: 1", f"workers: {workers}")
        (tmp_path / f"{name}.yaml").write_text(text)
    files = [tmp_path / f"{name}.yaml" for name in ("first", "second")]
    answer = call("run", *files, "--results", tmp_path)
    assert answer.exit_code == 0, answer.output
    assert seen == ["1", None]


@pytest.mark.training
@pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_stops_the_sweep_and_the_same_command_goes_on(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY.replace("epochs: 2", "epochs: 12"))
    command = [sys.executable, "-m", "optimize", "run", str(tmp_path / "tiny.yaml"), "--results", str(tmp_path)]
    sweep = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 300
    while not list(tmp_path.glob("tiny/trials/*/checkpoints/*.npz")):
        assert time.monotonic() < deadline
        assert sweep.poll() is None
        time.sleep(0.1)
    sweep.send_signal(number)
    said, complained = sweep.communicate(timeout=300)
    assert sweep.returncode == status, said + complained
    assert "run the same command again" in said
    finished = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert (tmp_path / "tiny" / "trials.csv").read_text().count("complete") == 4
