"""One training without a sweep: from a file to cnn.h5, its card, and its curve."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from main.card import PlainCard
from main.config import TrainingConfig
from main.data import Split, TrainingData, fallback, load_test, load_training
from main.errors import UserError
from main.evaluate import assess_split, test_section
from main.files import write_atomically
from main.history import Epoch
from main.modelfile import MODEL_NAME, save_model
from main.modelsize import refuse_too_large
from main.provenance import describe_data, now, trained_on, versions

if TYPE_CHECKING:
    import keras

    from main.backend import Precision
    from main.train import TrainResult

CURVE_TABLE = "curve.csv"
CURVE_CHART = "curve"
SWEEP_FILE = "sweep.yaml"
"""What tells a sweep's folder."""


class TrainingFailedError(RuntimeError):
    """A training ended without a usable model."""


@dataclass(frozen=True)
class Trained:
    """What one training leaves."""

    folder: Path
    """Holds cnn.h5, cnn.json, curve.csv and curve.png."""
    card: PlainCard
    """The content of cnn.json, but for the checksum."""
    history: tuple[Epoch, ...]

    @property
    def model(self) -> Path:
        """The model's file."""
        return self.folder / MODEL_NAME


def train_once(
    config: TrainingConfig,
    folder: Path,
    *,
    name: str,
    seed: int = 0,
    precision: Precision = "float32",
    on_data: Callable[[TrainingData], None] = lambda _: None,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Trained:
    """Train one configuration, keep its best epoch's model, and score that on the test set, once.

    Args:
        config: The sections of a file.
        folder: Where model, card, table and chart are written; what a former training left there is replaced.
        name: What the card calls the model.
        seed: Decides initial weights, data order, dropout and augmentation.
        precision: What training computes in; the model that is saved and scored is float32.
        on_data: Told of the data before training.
        on_epoch: Told of each epoch as it ends.

    Raises:
        UserError: The folder is a sweep's.
        DataError: The data cannot be had.
        ImpossibleNetwork: Images of this size leave a layer nothing to look at, or a model file has no room for it.
        TrainingFailedError: The training diverged; its curve is kept, and so is a former model.
        OSError: The folder cannot be written.
    """
    if (folder / SWEEP_FILE).exists():
        raise UserError(f"{folder} is a sweep's folder; name another one with --out")
    folder.mkdir(parents=True, exist_ok=True)  # before hours of training, not after
    data = load_training(config.data)
    if data.notice:  # the test set is to be of what was trained on, whatever can be had by then
        config = replace(config, data=fallback(config.data))
    refuse_too_large(config.model.layers(data.input_shape, data.n_classes))  # nor does TensorFlow say so clearly
    test = load_test(config.data)  # refused before hours of training, where it is damaged, and not looked at until then
    on_data(data)

    from main.backend import quiet_import

    quiet_import()
    import keras

    from main.network import plain_network
    from main.train import train

    def tell(epoch: Epoch) -> bool:
        on_epoch(epoch)
        return False

    result = train(config, data, seed=seed, precision=precision, on_epoch=tell)
    _write_curve(folder, result.history, name)
    if result.stopped == "diverged" or result.best_epoch is None:
        raise TrainingFailedError(
            f"diverged at epoch {result.history[-1].epoch}; its curve is in {folder / CURVE_TABLE}"
        )
    keras.utils.clear_session(free_memory=False)  # layer names that do not count earlier networks
    model = plain_network(config, data.input_shape, data.n_classes, result.weights)
    card = _card(config, data, test, result, model, name=name, seed=seed, precision=precision, path=folder / MODEL_NAME)
    save_model(model, folder / MODEL_NAME, card)
    return Trained(folder, card, result.history)


def _card(
    config: TrainingConfig,
    data: TrainingData,
    test: Split,
    result: TrainResult,
    model: keras.Model,
    *,
    name: str,
    seed: int,
    precision: Precision,
    path: Path,
) -> PlainCard:
    assert result.best_epoch is not None  # one without has left no model
    validation = assess_split(model, path, data.validation, classes=data.classes, source=data.source)
    return {
        "name": name,
        "configuration": "",
        "values": {},
        "config": config.to_dict(),
        "data": describe_data(data),
        "trial": None,
        "seed": seed,
        "epoch": result.best_epoch,
        "epochs": len(result.history),
        "parameters": result.parameters,
        "trained_on": trained_on(precision, resumed=False),
        "metrics": {
            "val_accuracy": {
                "value": validation.accuracy.value,
                "low": validation.accuracy.low,
                "high": validation.accuracy.high,
                "n": validation.accuracy.n,
            },
            "val_crossentropy": {"value": validation.crossentropy},
        },
        "test": test_section(model, path, data, test, when="after training"),
        "verdict": None,
        "decided": None,
        "versions": versions(),
        "created": now(),
    }


def _write_curve(folder: Path, history: tuple[Epoch, ...], name: str) -> None:
    from main.curve_chart import draw

    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [field.name for field in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(epoch) for epoch in history)
    write_atomically(folder / CURVE_TABLE, buffer.getvalue())
    draw(history, name, folder, CURVE_CHART)
