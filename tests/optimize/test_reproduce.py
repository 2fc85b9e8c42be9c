"""Training an exported model again, from nothing but what its folder keeps."""

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from main.provenance import DECISIVE, processor
from optimize.cli import app
from optimize.config import load_config
from optimize.engine import EngineLost, first_slots
from optimize.reproduce import Reproduction, _differences, reproduce
from optimize.results import Results
from optimize.sweep import run_sweep
from sweeps import Witness

KEPT = ("sweep.yaml", "cnn.h5", "cnn.json")
SWEEP = """
name: small
data: {source: digits, train: 400}
model: {network: cnn, filters: [4], pooling: {choices: [max, average]}}
train: {epochs: 2}
study: {seeds: 1}
run: {workers: 1, precision: float32}
"""

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def exported(
    tmp_path_factory: pytest.TempPathFactory, drawing_nothing: Callable[[], AbstractContextManager[None]]
) -> Path:
    """A finished sweep's folder without its trials, as one commits it."""
    folder = tmp_path_factory.mktemp("reproduce")
    (folder / "small.yaml").write_text(SWEEP)
    with drawing_nothing():
        run_sweep(load_config(folder / "small.yaml"), results_dir=folder / "results", observer=Witness())
    (folder / "committed").mkdir()
    for name in KEPT:
        shutil.copy(folder / "results" / "small" / name, folder / "committed" / name)
    return folder / "committed"


@pytest.fixture
def committed(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "committed"))


def change(file: Path, section: str, **values: object) -> None:
    content = json.loads(file.read_text())
    content[section] |= values
    file.write_text(json.dumps(content))


def test_where_no_worker_comes_it_says_so(committed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimize.daskengine.DaskEngine.slots", lambda engine: ())
    monkeypatch.setattr("optimize.trainings.first_slots", partial(first_slots, seconds=0.1))
    with pytest.raises(EngineLost, match="no worker has come"):
        reproduce(Results(committed))


def test_a_model_of_one_thread_is_trained_again_to_the_bit(committed: Path) -> None:
    epochs: list[int] = []
    again = reproduce(Results(committed), on_epoch=lambda epoch: epochs.append(epoch.epoch))
    assert again.identical
    assert again.succeeded
    assert again.elsewhere == ()
    assert again.accuracy == again.claimed
    assert epochs == [1, 2]


def test_a_card_that_names_another_seed_is_not_reproduced(committed: Path) -> None:
    card = json.loads((committed / "cnn.json").read_text())
    (committed / "cnn.json").write_text(json.dumps(card | {"seed": card["seed"] + 1}))
    answer = CliRunner().invoke(app, ["reproduce", str(committed)])
    assert answer.exit_code == 1
    assert "not reproduced" in answer.output
    assert "weights differ that should be the same here" in answer.output


def test_on_another_processor_the_interval_decides(committed: Path) -> None:
    change(committed / "cnn.json", "trained_on", processor="another")
    card = json.loads((committed / "cnn.json").read_text())
    (committed / "cnn.json").write_text(json.dumps(card | {"seed": card["seed"] + 1}))
    change(committed / "cnn.json", "test", low=0.0, high=1.0)
    within = reproduce(Results(committed), workers=0)
    assert not within.identical
    assert within.succeeded
    assert "another then" in within.sentence
    change(committed / "cnn.json", "test", low=0.999, high=1.0)
    outside = CliRunner().invoke(app, ["reproduce", str(committed), "--workers", "0"])
    assert outside.exit_code == 1
    assert "outside its 95 % interval, 99.90 % to 100.00 %" in outside.output


def test_the_card_says_what_decides_the_last_bits_of_weights(committed: Path) -> None:
    card = json.loads((committed / "cnn.json").read_text())
    machine = card["trained_on"]
    assert (machine["processor"], machine["threads"], machine["precision"]) == (processor(), 1, "float32")
    assert machine["versions"] == {name: card["versions"][name] for name in DECISIVE}


MACHINE = {
    "processor": "EPYC", "instruction_sets": ["avx2"], "gpus": 0, "threads": 1, "precision": "float32",
    "versions": dict.fromkeys(DECISIVE, "1.0"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ({}, []),
        ({"processor": "Xeon"}, ["EPYC here, Xeon then"]),
        ({"instruction_sets": ["sse2"]}, ["a processor of other instruction sets"]),
        ({"gpus": 1}, ["a GPU adds up in no fixed order"]),
        ({"threads": 4}, ["1 thread added up here, 4 threads then"]),
        ({"resumed": True}, ["it went on from a checkpoint then, which another machine may have left"]),
        ({"versions": {**MACHINE["versions"], "keras": "2.0"}}, ["keras 1.0 here, 2.0 then"]),  # type: ignore[dict-item]
    ],
)
def test_what_was_trained_elsewhere_is_not_expected_to_the_bit(fact: dict[str, Any], said: list[str]) -> None:
    assert _differences(MACHINE | fact, MACHINE) == said


def test_what_is_trained_in_the_commands_own_process_is_not_expected_to_the_bit() -> None:
    """All cores add up there, though the file says one thread."""
    assert _differences(MACHINE, MACHINE | {"threads": 2}) == ["2 threads added up here, 1 thread then"]


def test_other_data_are_refused(committed: Path) -> None:
    change(committed / "cnn.json", "data", checksum="0" * 64)
    answer = CliRunner().invoke(app, ["reproduce", str(committed), "--workers", "0"])
    assert answer.exit_code == 2
    assert "training again failed: DataMismatch: digits here has checksum" in answer.output
    assert "Traceback" not in answer.output


def test_a_folder_without_a_model_says_so(committed: Path) -> None:
    (committed / "cnn.h5").unlink()
    answer = CliRunner().invoke(app, ["reproduce", str(committed)])
    assert answer.exit_code == 2
    assert "holds no exported model" in answer.output


def test_a_failure_where_bits_must_agree_is_one_even_within_the_interval() -> None:
    again = Reproduction(identical=False, elsewhere=(), accuracy=0.9, claimed=0.9, low=0.8, high=0.95)
    assert not again.succeeded


def nothing_is_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*_: object) -> None:
        raise AssertionError("trained before all was known to be whole")

    monkeypatch.setattr("optimize.reproduce._trained", train)


@pytest.mark.parametrize("damage", ["bit", "cut"])
def test_a_damaged_model_is_told_before_anything_is_trained(
    committed: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_is_trained(monkeypatch)
    content = bytearray((committed / "cnn.h5").read_bytes())
    content[-100] ^= 1
    (committed / "cnn.h5").write_bytes(content if damage == "bit" else content[:2000])
    answer = CliRunner().invoke(app, ["reproduce", str(committed)])
    assert answer.exit_code == 2
    assert "cnn.h5 is not the file that its card cnn.json describes" in answer.output.replace("\n", "")


@pytest.mark.parametrize(
    "key", ["config", "values", "fold", "configuration", "test.low", "data.checksum", "trained_on.precision"]
)
def test_what_is_not_known_is_named_before_anything_is_trained(
    committed: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_is_trained(monkeypatch)
    card = json.loads((committed / "cnn.json").read_text())
    section, _, name = key.rpartition(".")
    del (card[section] if section else card)[name]
    (committed / "cnn.json").write_text(json.dumps(card))
    answer = CliRunner().invoke(app, ["reproduce", str(committed)])
    assert answer.exit_code == 2
    assert f"cnn.json is damaged (without {key})" in answer.output.replace("\n", "")


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        (None, {"trial": "first"}, "without trial"),
        (None, {"values": None}, "without values"),
        (None, {"config": [1]}, "without config"),
        ("test", {"accuracy": "good"}, "without test.accuracy"),  # of which hours later a sentence would be made
        ("trained_on", {"versions": []}, "without trained_on.versions"),
        ("config", {"model": {"network": "unheard_of"}}, "its config: model.network: unknown value 'unheard_of'"),
    ],
)
def test_a_card_that_says_something_else_there_is_told_before_anything_is_trained(
    committed: Path, section: str | None, values: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_is_trained(monkeypatch)
    card = json.loads((committed / "cnn.json").read_text())
    (card[section] if section else card).update(values)
    (committed / "cnn.json").write_text(json.dumps(card))
    answer = CliRunner().invoke(app, ["reproduce", str(committed)])
    assert answer.exit_code == 2
    assert f"cnn.json is damaged ({said})" in answer.output.replace("\n", "")
