from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from main.card import PlainCard
from main.config import DataConfig, TrainConfig, TrainingConfig
from main.data import DataError, load_test
from main.data.convert import convert
from main.errors import UserError
from main.modelfile import load_model, read_card
from main.single import TrainingFailedError, train_once
from models import CnnSpec, ImpossibleNetwork, SoftmaxSpec

pytestmark = pytest.mark.training
DIGITS = DataConfig(source="digits")


def softmax(**train):
    return TrainingConfig(DIGITS, SoftmaxSpec(), TrainConfig(**{"epochs": 2} | train))


def test_training_leaves_model_card_table_and_chart(trained):
    names = {path.name for path in trained.folder.iterdir()} - {"evaluation", "explanation"}
    assert names == {"cnn.h5", "cnn.json", "curve.csv", "curve.png"}
    curve = pd.read_csv(trained.folder / "curve.csv")
    assert curve["epoch"].tolist() == [1, 2, 3, 4]
    assert curve["val_accuracy"].max() == pytest.approx(trained.card["metrics"]["val_accuracy"]["value"])
    assert int(curve["val_accuracy"].idxmax()) + 1 == trained.card["epoch"]


def test_card_says_what_was_trained_on_what_and_what_came_of_it(trained):
    card = read_card(trained.model)
    assert {key: value for key, value in card.items() if key != "sha256"} == trained.card
    assert set(card) == set(PlainCard.__annotations__)
    assert TrainingConfig.from_dict(card["config"]).model == CnnSpec(
        filters=(8, 16), dense_units=(16,), dropout=0.1, pooling="blur"
    )
    assert card["data"]["classes"] == list("0123456789")
    assert (card["data"]["source"], card["data"]["train"], card["data"]["validation"]) == ("digits", 1200, 237)
    test = load_test(DIGITS)
    found = load_model(trained.model).predict(test.images / np.float32(255), verbose=0).argmax(axis=1)
    assert card["test"]["accuracy"] == pytest.approx(np.mean(found == test.labels))
    assert card["test"]["low"] < card["test"]["accuracy"] < card["test"]["high"]


def test_epochs_and_data_are_told_as_they_come(tmp_path):
    told = []
    train_once(softmax(), tmp_path, name="x", on_data=lambda data: told.append(data.source),
               on_epoch=lambda epoch: told.append(epoch.epoch))  # fmt: skip
    assert told == ["digits", 1, 2]


def test_same_seed_gives_the_same_file_and_another_seed_another(tmp_path):
    files = [
        train_once(softmax(), tmp_path / str(number), name="x", seed=seed).model.read_bytes()
        for number, seed in enumerate((1, 1, 2))
    ]
    assert files[0] == files[1] != files[2]


def test_folder_of_a_sweep_is_left_alone(tmp_path):
    (tmp_path / "sweep.yaml").write_text("name: x")
    with pytest.raises(UserError, match="is a sweep's folder; name another one with --out"):
        train_once(softmax(), tmp_path, name="x")
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.yaml"]


def test_network_that_cannot_be_built_is_refused_before_training(tmp_path):
    config = TrainingConfig(DIGITS, CnnSpec(filters=(2, 2, 2, 2), kernel_size=9), TrainConfig())
    with pytest.raises(ImpossibleNetwork, match="kernel_size 9 is larger"):
        train_once(config, tmp_path, name="x")


def test_a_test_set_that_cannot_be_read_is_refused_before_training(tmp_path):
    source = tmp_path / "digits"
    convert("digits", source, images=True)
    next((source / "test" / "0").iterdir()).write_text("no image")
    config = TrainingConfig(DataConfig(source=str(source)), SoftmaxSpec(), TrainConfig(epochs=1))
    told = []
    with pytest.raises(DataError, match="is no image"):
        train_once(config, tmp_path / "out", name="x", on_epoch=told.append)
    assert told == []


def test_training_that_diverges_keeps_the_former_model_and_its_own_curve(tmp_path):
    before = train_once(softmax(), tmp_path, name="x").model.read_bytes()
    diverging = softmax(optimizer={"name": "sgd"}, learning_rate=1e3, epochs=3)
    config = TrainingConfig(DIGITS, CnnSpec(filters=(4, 4), l2=1.0), diverging.train)
    with pytest.raises(TrainingFailedError, match=r"diverged at epoch 1; its curve is in .*curve\.csv"):
        train_once(config, tmp_path, name="x")
    assert (tmp_path / "cnn.h5").read_bytes() == before
    assert len(pd.read_csv(tmp_path / "curve.csv")) == 1
