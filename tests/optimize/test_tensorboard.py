"""What TensorBoard reads back from the event files of made-up sweeps."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from fake_results import FAKES, made
from typer.testing import CliRunner

from optimize import tensorboard
from optimize.cli import app
from optimize.config import stored_sweep
from optimize.results import Results
from optimize.space import Choices, Range
from optimize.tables import FIGURES
from optimize.tensorboard import TensorBoardMissing, hparam, run_name, write_event_files


@pytest.fixture(autouse=True)
def reading_without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorBoard reads with TensorFlow where it finds it, which takes seconds, and with its own code elsewhere."""
    monkeypatch.setitem(sys.modules, "tensorboard.compat.notf", ModuleType("notf"))


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """By tag, the value at each step of one run."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]}


def hparams_of(folder: Path) -> dict[str, Any]:
    """What the HParams plugin finds in a run: an experiment, or the start and the end of a session."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    found = EventAccumulator(str(folder)).Reload().PluginTagToContent("hparams")
    return {tag.rpartition("/")[2]: HParamsPluginData.FromString(content) for tag, content in found.items()}


def runs(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir())


def test_a_run_per_trial_with_the_curves_of_the_tables(tmp_path: Path) -> None:
    results = made(tmp_path, "pooling")
    folder = write_event_files(results)
    assert folder == results.folder / "tensorboard"
    trials, curves = results.trials(), results.curves()
    assert [path.name for path in runs(folder)] == [run_name(trial) for _, trial in trials.iterrows()]
    read = scalars(runs(folder)[3])
    own = curves[curves["trial"] == 3].set_index("epoch")
    for name in (*FIGURES, "learning_rate"):
        assert read[name] == pytest.approx(own[name].to_dict(), rel=1e-6), name


def test_the_figures_of_the_best_epoch_are_those_of_the_table(tmp_path: Path) -> None:
    results = made(tmp_path, "pooling")
    folder = write_event_files(results)
    for path, (_, trial) in zip(runs(folder), results.trials().iterrows(), strict=True):
        read = scalars(path)
        for name in FIGURES:
            assert read[f"best/{name}"] == pytest.approx({trial["epoch"]: trial[name]}, rel=1e-6)


def test_the_seeds_of_a_configuration_form_one_row_of_hparams(tmp_path: Path) -> None:
    folder = write_event_files(made(tmp_path, "pooling"))
    starts = [hparams_of(path)["session_start_info"].session_start_info for path in runs(folder)]
    assert {start.group_name for start in starts} == {"max", "average", "stride", "blur"}
    assert len(starts) == 20
    assert all(start.hparams["model.pooling"].string_value == start.group_name for start in starts)


def test_the_experiment_names_the_swept_parameters_and_the_metric_first(tmp_path: Path) -> None:
    results = made(tmp_path, "joint")
    folder = write_event_files(results)
    experiment = hparams_of(folder)["experiment"].experiment
    columns = {info.name: info for info in experiment.hparam_infos}
    assert set(columns) == set(stored_sweep(results).space.paths)
    assert [value.string_value for value in columns["model.pooling"].domain_discrete.values] == sorted(
        ["max", "average", "stride"]
    )
    assert [value.number_value for value in columns["model.kernel_size"].domain_discrete.values] == [3, 5, 7]
    rate = columns["train.learning_rate"].domain_interval
    assert (rate.min_value, rate.max_value) == (1e-4, 1e-1)
    assert experiment.metric_infos[0].name.tag == "best/val_accuracy"


def test_trials_that_failed_or_were_pruned_say_so(tmp_path: Path) -> None:
    from tensorboard.plugins.hparams import api_pb2

    results = made(tmp_path, "joint")
    folder = write_event_files(results)
    trials = results.trials()
    assert {"failed", "pruned", "complete"} == set(trials["state"])
    for path, state in zip(runs(folder), trials["state"], strict=True):
        status = hparams_of(path)["session_end_info"].session_end_info.status
        assert status == (api_pb2.STATUS_FAILURE if state == "failed" else api_pb2.STATUS_SUCCESS)


def test_writing_again_replaces_and_adds(tmp_path: Path) -> None:
    results = made(tmp_path, "learning_rate")
    complete = results.trials_file.read_text()
    lines = complete.splitlines(keepends=True)
    results.trials_file.write_text("".join(lines[:-3]))
    folder = write_event_files(results)
    assert len(runs(folder)) == 15
    results.trials_file.write_text(complete)
    write_event_files(results)
    assert len(runs(folder)) == 18
    assert all(len(list(path.iterdir())) == 1 for path in runs(folder))


def test_labels_that_are_no_file_names_become_some(tmp_path: Path) -> None:
    results = made(tmp_path, "hostile")
    folder = write_event_files(results, tmp_path / "elsewhere" / "logs")
    assert [path.name for path in runs(folder)][:2] == ["0000-32-seed-0", "0001-32-64-seed-0"]
    start = hparams_of(runs(folder)[1])["session_start_info"].session_start_info
    assert start.hparams["model.filters"].string_value == "[32, 64]"


@pytest.mark.parametrize(
    ("parameter", "cell", "value"),
    [
        (Range("train.learning_rate", 1e-4, 1e-1, log=True), 0.001, 0.001),
        (Range("train.batch_size", 16, 128, integer=True), np.int64(64), 64.0),
        (Choices("model.dropout", (0, 0.5)), np.float64(0.5), 0.5),
        (Choices("model.batch_norm", (True, False)), np.bool_(True), True),
        (Choices("model.batch_norm", (True, False)), "false", False),
        (Choices("train.early_stopping", (None, 3)), "null", "null"),
        (Choices("train.early_stopping", (False, 3)), "3", "3"),
        (Choices("model.filters", ((32,), (32, 64))), "[32, 64]", "[32, 64]"),
        (Choices("model.pooling", ("max", "average")), "max", "max"),
    ],
)
def test_a_column_holds_one_kind_of_value(parameter: Choices | Range, cell: Any, value: Any) -> None:
    got = hparam(parameter, cell)
    assert got == value
    assert type(got) is type(value)


def test_without_the_package_the_command_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = made(tmp_path, "pooling")
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    with pytest.raises(TensorBoardMissing, match=r"pip install 'optimize-sweeps\[tensorboard\]'"):
        write_event_files(results)
    answer = CliRunner().invoke(app, ["tensorboard", str(results.folder)])
    assert answer.exit_code == 2
    assert "pip install" in answer.output
    assert not results.tensorboard.exists()


def test_the_command_names_the_folder_and_the_next_command_and_needs_no_tensorflow(tmp_path: Path) -> None:
    results: Results = made(tmp_path, "learning_rate")
    program = (
        "import sys; from optimize.cli import app\n"
        f"try: app(['tensorboard', {str(results.folder)!r}])\n"
        "except SystemExit as end: print(end.code, 'tensorflow' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    where = results.folder / "tensorboard"
    assert answer.stdout.splitlines() == [str(where), f"next: tensorboard --logdir {where}", "0 False"]


def test_made_up_sweeps_of_every_kind_are_written(tmp_path: Path) -> None:
    for name in FAKES:
        results = made(tmp_path, name)
        assert len(runs(write_event_files(results))) == len(results.trials())
