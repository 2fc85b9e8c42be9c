from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from main.cli import app
from main.config import AugmentConfig, DataConfig
from main.data import load_test
from main.terminal import BAD_INPUT, DONE, FAILED
from main.wording import accuracy_of

CONFIG = """
data: {source: digits}
model: {network: softmax}
train: {epochs: 2}
"""
SWEEP = """
name: pooling
data: {source: digits}
model: {network: cnn, pooling: {choices: [max, average]}}
study: {seeds: 2}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run():
    """Runs a command in this process; its result has exit_code, stdout and stderr."""
    return lambda *arguments, **how: CliRunner().invoke(app, [str(argument) for argument in arguments], **how)


def command(*arguments, **how):
    """Runs a command as a person would."""
    line = [sys.executable, "-m", "main", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, **how)


def test_help_names_every_command_and_imports_nothing_slow():
    code = """
        import sys
        from typer.testing import CliRunner
        from main.cli import app
        text = CliRunner().invoke(app, ["--help"]).stdout
        for name in ("train", "evaluate", "predict", "explain", "convert", "show-data"):
            assert f"  {name} " in text, name
            assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0
        slow = {"keras", "tensorflow", "numpy", "pandas", "matplotlib", "sklearn", "scipy", "optuna", "h5py", "PIL"}
        assert not slow & set(sys.modules), slow & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_a_reader_that_has_read_enough_is_no_mistake():
    """As in `python -m main show cnn.h5 --json | true`: nothing is said, and nothing was put right."""
    model = Path(__file__).resolve().parents[2] / "results/final/cnn.h5"
    reads, writes = os.pipe()
    os.close(reads)
    try:
        line = [sys.executable, "-m", "main", "show", str(model), "--json"]
        shown = subprocess.run(line, stdout=writes, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(writes)
    assert (shown.returncode, shown.stderr) == (FAILED, "")


@pytest.mark.training
def test_life_of_a_model(here):
    """Train, evaluate, predict and explain as a person would: quiet on standard error, results where they are said."""
    (here / "one.yaml").write_text(CONFIG)
    trained = command("train", "one.yaml", cwd=here)
    assert (trained.returncode, trained.stderr) == (DONE, "")
    assert "epoch 2/2  loss" in trained.stdout
    assert "next   python -m main evaluate results/one/cnn.h5" in trained.stdout
    card = json.loads((here / "results/one/cnn.json").read_text())
    evaluated = command("evaluate", "results/one/cnn.h5", cwd=here)
    assert (evaluated.returncode, evaluated.stderr) == (DONE, "")
    test = card["test"]
    last = evaluated.stdout.splitlines()[-1]
    assert last == f"accuracy {accuracy_of(test)} on digits"
    assert (here / "results/one/evaluation/confusion.png").exists()


@pytest.mark.training
def test_train_prints_its_card_as_json(run, here):
    (here / "one.yaml").write_text(CONFIG)
    result = run("train", "one.yaml", "--json", "--set", "train.epochs=1", "--out", "there", "--seed", 3)
    card = json.loads(result.stdout)
    assert (card["seed"], card["config"]["train"]["epochs"]) == (3, 1)
    assert "epoch 1/1" in result.stderr
    assert (here / "there/cnn.h5").exists()


@pytest.mark.training
def test_fallback_is_said_loudly(run, here, monkeypatch):
    (here / "one.yaml").write_text(CONFIG.replace("source: digits", "source: nowhere.npz, otherwise: digits"))
    result = run("train", "one.yaml", "--set", "train.epochs=1")
    assert result.exit_code == DONE
    assert "NOTE: nowhere.npz was not found: digits is used instead" in result.stdout


@pytest.mark.training
def test_folders_that_are_passed_over_are_said(run, here):
    run("convert", "digits", "pets", "--images")
    (here / "pets" / "Testing_2").mkdir()
    (here / "one.yaml").write_text(CONFIG.replace("source: digits", "source: pets"))
    for result in (run("train", "one.yaml", "--set", "train.epochs=1"), run("convert", "pets", "pets.npz")):
        assert result.exit_code == DONE
        assert "note: pets: passed over beside train/: Testing_2/" in result.output


@pytest.mark.training
def test_training_that_diverges_ends_with_status_1(run, here):
    (here / "one.yaml").write_text("""
data: {source: digits}
model: {network: cnn, filters: [4, 4], l2: 1.0}
train: {epochs: 2, optimizer: sgd, learning_rate: 1e3}
""")
    result = run("train", "one.yaml")
    assert result.exit_code == FAILED
    assert result.stderr.startswith("error: diverged at epoch 1")


@pytest.mark.training
def test_evaluation_as_json_and_with_other_data(run, model_file, here, monkeypatch):
    monkeypatch.setattr("main.evaluation_charts.draw", lambda evaluation, folder: ())  # test_evaluate.py looks at them
    result = run("evaluate", model_file, "--json", "--data", "digits", "--out", here / "there")
    summary = json.loads(result.stdout)
    assert summary["accuracy"]["n"] == 360
    assert (here / "there/classes.csv").exists()


@pytest.fixture
def digit(here):
    """A picture of a zero: large, dark on light."""
    split = load_test(DataConfig(source="digits"))
    image = split.images[list(split.labels).index(0), ..., 0]
    Image.fromarray(255 - image).resize((140, 140)).save(here / "digit.png")
    return here / "digit.png"


@pytest.mark.training
def test_prediction_as_text_csv_and_json(run, model_file, digit):
    text = run("predict", model_file, digit)
    assert (text.exit_code, text.stderr) == (DONE, "")
    assert text.stdout.startswith(f"{digit}: 0 ")
    (entry,) = json.loads(run("predict", model_file, digit, "--json").stdout)
    assert entry["class"] == "0"
    rows = run("predict", model_file, digit, "--csv").stdout.splitlines()
    assert rows[0] == "image,class,confidence,0,1,2,3,4,5,6,7,8,9"
    assert rows[1].startswith(f"{digit},0,{entry['confidence']:.6g},")


def test_two_forms_of_output_at_once_are_refused(run, here):
    result = run("predict", "absent.h5", "digit.png", "--json", "--csv")
    assert (result.exit_code, result.stdout) == (BAD_INPUT, "")
    assert result.stderr == "error: --json and --csv are two forms of output: give one of them\n"


@pytest.mark.training
def test_picture_from_a_pipe_and_one_that_is_none(run, model_file, digit, here):
    (here / "torn.png").write_text("no image")
    result = run("predict", model_file, "torn.png", "-", "--as", "digits", input=digit.read_bytes())
    assert result.exit_code == BAD_INPUT
    assert result.stdout.startswith("standard input: ")
    refused, summary = result.stderr.splitlines()
    assert refused.startswith("error: torn.png: is no image")
    assert summary == "2 pictures, 1 of which could not be read"


@pytest.mark.training
def test_names_of_files_are_no_markup_and_move_no_cursor(run, model_file, digit, here):
    (here / "[red]").mkdir()
    digit.rename(here / "[red]" / "\x1b[2J.png")
    (here / "[red]" / "torn\x1b[2J.png").write_text("no image")
    result = run("predict", model_file, "[red]", "--as", "digits")
    assert result.stdout.startswith("[red]/\ufffd[2J.png: ")
    assert result.stderr.startswith("error: [red]/torn\ufffd[2J.png: is no image")


@pytest.mark.training
def test_explanation_lists_its_pictures(run, model_file, digit, here):
    result = run("explain", model_file, digit, "--out", here / "there")
    assert result.stdout.splitlines() == [str(here / "there" / f"{name}.png")
                                          for name in ("filters", "feature_maps", "saliency")]  # fmt: skip
    paths = json.loads(run("explain", model_file, "--method", "pca", "--json").stdout)
    assert len(paths) == 6
    assert all(Path(path).exists() for path in paths)


@pytest.mark.training
def test_model_without_a_card_is_used_with_a_note(run, model_file, digit):
    model_file.with_suffix(".json").unlink()
    result = run("predict", model_file, digit, "--as", "digits")
    assert result.exit_code == DONE
    assert result.stderr.startswith("note: ")
    assert "has no card (cnn.json)" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_conversion_and_its_notes(run, here):
    result = run("convert", "digits", "digits.npz")
    assert (result.exit_code, result.stdout) == (DONE, "digits.npz  (train 1,437, test 360)\n")
    refused = run("convert", "digits", "digits.npz")
    assert (refused.exit_code, refused.stderr) == (
        BAD_INPUT,
        "error: digits.npz: already exists, and is not overwritten\n",
    )
    described = json.loads(run("convert", "digits.npz", "digits.h5", "--json", "--overwrite").stdout)
    assert described["images"] == {"train": 1437, "test": 360}
    result = run("convert", "digits", "pictures", "--images")
    assert (result.exit_code, result.stdout) == (DONE, "pictures  (train 1,437, test 360)\n")
    assert len(list(Path("pictures/test/7").glob("*.png"))) == 36


@pytest.mark.parametrize("source", ["digits", "one.yaml", "sweep.yaml"])
def test_data_are_shown_of_a_source_a_training_file_and_a_sweep_file(run, here, source):
    (here / "one.yaml").write_text(CONFIG)
    (here / "sweep.yaml").write_text(SWEEP)
    result = run("show-data", source, "--out", "sheet.png")
    assert (result.exit_code, result.stdout) == (DONE, "sheet.png\n")
    assert (here / "sheet.png").exists()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{shift: 0.1}", AugmentConfig(shift=0.1)),
        ("{shift: {choices: [0.0, 0.1]}}", None),
        ("{choices: [null, {shift: 0.1}]}", None),
        ("null", None),
    ],
)
def test_the_augmentation_of_a_file_is_shown_unless_it_is_swept(run, here, monkeypatch, written, expected):
    shown = []
    monkeypatch.setattr("main.data.show.show_data", lambda data, path, augment: shown.append((data.source, augment)))
    (here / "one.yaml").write_text(f"data: {{source: digits}}\ntrain: {{augment: {written}}}\n")
    run("show-data", "one.yaml")
    run("show-data", "digits")
    assert shown == [("digits", expected), ("digits", None)]


BAD_COMMANDS = {
    "missing file": (("train", "absent.yaml"), "absent.yaml"),
    "sweep file": (("train", "sweep.yaml"), "study: of a sweep, and this command trains once"),
    "unknown key": (("train", "one.yaml", "--set", "train.epoch=3"), "did you mean 'epochs'?"),
    "unknown data": (("train", "one.yaml", "--set", "data.source=mnits"), "did you mean 'mnist'?"),
    "missing data": (("train", "one.yaml", "--set", "data.source=a/b.npz"), "a/b.npz was not found"),
    "impossible network": (
        ("train", "one.yaml", "--set", "model={network: cnn, kernel_size: 30}"),
        "kernel_size 30 is larger than the 28 × 28 image",
    ),
    "data section": (("show-data", "bad.yaml"), "bad.yaml:1:8: data.sauce: unknown key"),
    "augmentation": (("show-data", "bent.yaml"), "bent.yaml:2:19: train.augment.shfit: unknown key; did you mean"),
    "unknown source": (("show-data", "mnits"), "did you mean 'mnist'?"),
    "empty source": (("show-data", ""), "unknown source ''"),
    "empty source of a conversion": (("convert", "", "x.npz"), "unknown source ''"),
    "missing model": (("evaluate", "absent.h5"), "absent.h5 does not exist"),
    "model that is none": (("predict", "one.yaml", "x.png"), "one.yaml is refused: it is damaged, or no HDF5 file"),
    "torn model": (("explain", "torn.h5"), "torn.h5 is refused: it is damaged"),
    "folder for a model": (("evaluate", "."), ". is not a file"),
    "unwritable conversion": (("convert", "digits", "x.zip"), "expected .npz"),
}


@pytest.mark.parametrize("name", BAD_COMMANDS)
def test_bad_input_is_one_clear_message_and_status_2(run, here, name):
    (here / "one.yaml").write_text(CONFIG)
    (here / "sweep.yaml").write_text(SWEEP.strip())
    (here / "bad.yaml").write_text("data: {sauce: digits}\n")
    (here / "bent.yaml").write_text("data: {source: digits}\ntrain: {augment: {shfit: 0.1}}\n")
    (here / "torn.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50))
    arguments, message = BAD_COMMANDS[name]
    result = run(*arguments)
    assert result.exit_code == BAD_INPUT
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_fault_of_the_program_is_no_bad_input(run, here, monkeypatch):
    def broken(*_, **__):
        raise KeyError("a fault")

    monkeypatch.setattr("main.data.show.show_data", broken)
    assert isinstance(run("show-data", "digits").exception, KeyError)


@pytest.mark.training
@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT to a process is POSIX's")
def test_interrupted_training_ends_with_status_130_and_no_traceback(here):
    (here / "one.yaml").write_text(CONFIG.replace("epochs: 2", "epochs: 10000"))
    line = [sys.executable, "-m", "main", "train", "one.yaml"]
    running = subprocess.Popen(
        line, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    for text in running.stdout:
        if text.startswith("epoch"):
            break
    time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert (running.returncode, errors) == (130, "interrupted; nothing was saved\n")
