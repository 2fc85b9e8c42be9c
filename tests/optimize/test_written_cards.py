"""What is written of a model, key by key: what its type says, in the order in which the committed card has it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from main.card import DataFacts, EnsembleCard, Measured, Score, SweepCard, TrainedOn
from main.data import Split, TrainingData
from main.history import Epoch
from main.modelfile import read_card, write_model_file
from main.provenance import trained_on
from optimize import ensemble
from optimize.config import SweepConfig, load_config
from optimize.export import Exported, model_card
from optimize.finished import Finished
from optimize.trial import TrialOutcome
from optimize.verdict import ChoiceSummary, Verdict

FINAL = Path(__file__).resolve().parents[2] / "results" / "final"
COMMITTED: dict[str, Any] = json.loads((FINAL / "cnn.json").read_text(encoding="utf-8"))
SCORE: Score = {
    "accuracy": 0.98, "low": 0.97, "high": 0.99, "n": 360, "crossentropy": 0.05, "checksum": "ab" * 32,
    "note": "scored once, at export; no choice was made on it",
}  # fmt: skip
SWEEP = """
name: small
data: {source: digits}
model: {network: softmax}
train: {learning_rate: {choices: [0.1, 0.01]}, epochs: 2}
study: {seeds: 1}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> SweepConfig:
    file = tmp_path_factory.mktemp("cards") / "small.yaml"
    file.write_text(SWEEP)
    return load_config(file)


@pytest.fixture(scope="module")
def data() -> TrainingData:
    split = Split(np.zeros((2, 28, 28, 1), np.uint8), np.arange(2))
    return TrainingData(split, split, 2, "digits", "cd" * 32, classes=("0", "1"))


@pytest.fixture(scope="module")
def winner() -> Finished:
    history = (Epoch(1, 0.2, 0.8, 0.2, 0.8, 0.2, 1e-3, 1.0), Epoch(2, 0.1, 0.9, 0.1, 0.9, 0.1, 1e-3, 1.0))
    outcome = TrialOutcome(
        3, "complete", history=history, best_epoch=2, parameters=7850, trained_on=trained_on("float32", resumed=False)
    )
    return Finished({"train.learning_rate": 0.1}, "0.1", 0, "search", outcome)


def verdict() -> Verdict:
    choice = ChoiceSummary("0.1", 1, 0.9, None, None, None, {0: 0.9})
    return Verdict(
        metric="val_accuracy", direction="maximize", by="configuration", purpose="search", choices=(choice,), pairs=(),
        groups=(("0.1",),), noise_floor=None, detectable=None, pooled=False, agreement_p=None, winner="0.1",
        values={"train.learning_rate": 0.1}, decided=False, sentence="0.1 it is.", conditions=(),
    )  # fmt: skip


def keys(kind: Any) -> set[str]:
    return set(kind.__annotations__)


def test_a_sweeps_card_has_the_keys_of_the_committed_one_in_their_order(
    config: SweepConfig, data: TrainingData, winner: Finished
) -> None:
    exported = Exported(b"", 0.89, SCORE)
    card: dict[str, Any] = {**model_card(config, config.concrete(winner.values), winner, exported, data, verdict())}
    assert ["sha256", *card] == list(COMMITTED)
    for section in ("config", "data", "test", "metrics"):
        assert list(card[section]) == list(COMMITTED[section])
    assert set(card["trained_on"]) == set(COMMITTED["trained_on"])
    assert (card["trial"], card["epoch"], card["parameters"], card["fold"]) == (3, 2, 7850, None)
    assert card["metrics"] == {
        "val_accuracy": {"value": 0.9, "mean": 0.9, "low": None, "high": None, "n": 1},
        "val_accuracy of this file": {"value": 0.89},
    }


def test_a_card_of_a_sweep_with_folds_says_into_how_many(
    config: SweepConfig, data: TrainingData, winner: Finished
) -> None:
    folded = replace(config, study=config.study.model_copy(update={"folds": 3}))
    of_fold = replace(winner, fold=1)
    card = model_card(folded, config.concrete(winner.values), of_fold, Exported(b"", 0.89, SCORE), data, verdict())
    assert (card["fold"], card["folds"]) == (1, 3)


def test_what_the_types_say_is_what_the_committed_card_holds() -> None:
    assert keys(SweepCard) - {"folds"} == set(COMMITTED)
    assert keys(DataFacts) == set(COMMITTED["data"])
    assert keys(Score) == set(COMMITTED["test"])
    assert keys(Measured) == set(COMMITTED["metrics"]["val_accuracy"])
    assert keys(TrainedOn) - {"resumed"} == set(COMMITTED["trained_on"])


def test_the_committed_card_is_written_as_it_was_read(tmp_path: Path) -> None:
    write_model_file(tmp_path, (FINAL / "cnn.h5").read_bytes(), read_card(FINAL / "cnn.h5"))
    assert (tmp_path / "cnn.json").read_bytes() == (FINAL / "cnn.json").read_bytes()


def test_an_ensembles_card_has_the_same_keys_but_for_what_one_training_has(
    config: SweepConfig, data: TrainingData, winner: Finished
) -> None:
    joined = ensemble.Joined(Exported(b"", 0.89, SCORE), 15_700, (0, 1), (0.3, 0.2))
    card = ensemble._card(config, data, [winner, winner], joined)
    assert {"sha256", *card} == keys(EnsembleCard)
    assert [key for key in card if key != "members"] == [key for key in COMMITTED if key in keys(EnsembleCard)][1:]
    assert list(card["members"][0]) == ["trial", "seed", "epoch", "configuration", "values", "val_accuracy"]
