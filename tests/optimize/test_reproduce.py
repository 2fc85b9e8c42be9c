"""Training an exported model again, from nothing but what its folder keeps."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from optimize.cli import app
from optimize.config import load_config
from optimize.reproduce import Reproduction, _differences, reproduce
from optimize.results import Results
from optimize.sweep import run_sweep
from sweeps import Witness

KEPT = ("sweep.yaml", "provenance.json", "cnn.h5", "cnn.json")
SWEEP = """
name: small
data: {source: digits, train: 400}
model: {network: cnn, filters: [4], pooling: {choices: [max, average]}}
train: {epochs: 2}
study: {seeds: 1}
run: {workers: 1, precision: float32}
"""

pytestmark = pytest.mark.training


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimize.reproduce.gpus", tuple)


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished sweep's folder without its trials, as one commits it."""
    folder = tmp_path_factory.mktemp("reproduce")
    (folder / "small.yaml").write_text(SWEEP)
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
    facts = json.loads((committed / "provenance.json").read_text())
    (committed / "provenance.json").write_text(json.dumps(facts | {"processor": "another"}))
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
    assert "outside its 95 % interval, 99.90% to 100.00%" in outside.output


@pytest.mark.parametrize(
    ("fact", "said"),
    [
        ({"instruction_sets": ["sse2"]}, "a processor of other instruction sets"),
        ({"gpus": 1}, "a GPU adds up in no fixed order"),
    ],
)
def test_what_was_trained_elsewhere_is_not_expected_to_the_bit(
    committed: Path, fact: dict[str, Any], said: str
) -> None:
    facts = json.loads((committed / "provenance.json").read_text())
    (committed / "provenance.json").write_text(json.dumps(facts | fact))
    assert said in reproduce(Results(committed)).elsewhere


def test_what_was_trained_in_the_commands_own_process_is_not_expected_to_the_bit(committed: Path) -> None:
    """All cores added up there, though the file says one thread."""
    facts = json.loads((committed / "provenance.json").read_text())
    config = load_config(committed / "sweep.yaml")
    assert _differences(config, facts, own_worker=True) == []
    found = _differences(config, {**facts, "workers": 0}, own_worker=True)
    assert found == ["threads of this process added up, not one worker's"]


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
    ("file", "key"),
    [
        ("cnn.json", "config"), ("cnn.json", "values"), ("cnn.json", "fold"), ("cnn.json", "configuration"),
        ("cnn.json", "test.low"), ("cnn.json", "data.checksum"),
        ("provenance.json", "precision"), ("provenance.json", "versions"), ("provenance.json", "threads"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_named_before_anything_is_trained(
    committed: Path, file: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing_is_trained(monkeypatch)
    content = json.loads((committed / file).read_text())
    section, _, name = key.rpartition(".")
    del (content[section] if section else content)[name]
    (committed / file).write_text(json.dumps(content))
    answer = CliRunner().invoke(app, ["reproduce", str(committed)])
    assert answer.exit_code == 2
    assert f"{file} is damaged (without {key})" in answer.output.replace("\n", "")
