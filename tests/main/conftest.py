"""One small trained model for all tests of what is done with a model."""

from pathlib import Path

import pytest

from main.config import DataConfig, TrainConfig, TrainingConfig
from main.single import Trained, train_once
from models import CnnSpec

SMALL = TrainingConfig(
    DataConfig(source="digits"),
    CnnSpec(filters=(8, 16), dense_units=(16,), dropout=0.1, pooling="blur"),
    TrainConfig(epochs=4, learning_rate=3e-3, batch_size=32),
)


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Trained:
    """A network trained on digits for a second; it is right on most of them."""
    return train_once(SMALL, tmp_path_factory.mktemp("trained"), name="small")


@pytest.fixture
def model_file(trained, tmp_path) -> Path:
    """A copy of the trained model and its card, in a folder of the test's own."""
    for name in ("cnn.h5", "cnn.json"):
        (tmp_path / name).write_bytes((trained.folder / name).read_bytes())
    return tmp_path / "cnn.h5"
