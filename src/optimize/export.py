"""The winner of a sweep as `cnn.h5` and its card `cnn.json`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from main.config import TrainingConfig
from main.errors import UserError
from main.history import DIRECTIONS
from main.provenance import describe_data, now, versions
from optimize.finished import Finished
from optimize.proposals import cell_key
from optimize.trial import load_data, refuse_other_data, unpack

if TYPE_CHECKING:
    from main.data import Fold, Split, TrainingData
    from optimize.config import SweepConfig
    from optimize.statistics import Verdict


@dataclass(frozen=True)
class Exported:
    """A finished model file, made where Keras is, and what it scored."""

    h5: bytes = field(repr=False)
    val_accuracy: float
    """Of the file's own float32 model: what a reader of the file will find."""
    test_accuracy: float
    test_crossentropy: float
    """In nats per image."""
    n_test: int


class NothingToExport(UserError):
    """A sweep has no model to export."""


class Candidates:
    """The trials whose weights may still be exported: of each configuration the best one.

    A sampler draws a new configuration almost every time, so only the best `LIMIT` configurations are kept.
    """

    LIMIT = 64

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self._best: dict[str, Finished] = {}

    def wants(self, finished: Finished) -> bool:
        """Whether `add` would keep the trial's weights."""
        rival = self._best.get(cell_key(finished.values))
        if not _usable(finished) or (rival is not None and not self._beats(finished, rival)):
            return False
        full = rival is None and len(self._best) >= self.LIMIT
        return not full or any(self._beats(finished, kept) for kept in self._best.values())

    def add(self, finished: Finished) -> list[int]:
        """Consider a finished trial; returns the trials whose weights are needed no more."""
        if not _usable(finished):
            return [finished.outcome.trial]
        key = cell_key(finished.values)
        rival = self._best.get(key)
        if rival is not None and not self._beats(finished, rival):
            return [finished.outcome.trial]
        self._best[key] = finished
        dropped = [rival.outcome.trial] if rival is not None else []
        if len(self._best) > self.LIMIT:
            worst = min(self._best, key=lambda k: _order(self._best[k], self._metric))
            dropped.append(self._best.pop(worst).outcome.trial)
        return dropped

    def _beats(self, finished: Finished, rival: Finished) -> bool:
        return _order(finished, self._metric) > _order(rival, self._metric)


def winning_trial(finished: Iterable[Finished], metric: str) -> Finished | None:
    """Of the winning configuration's trials the complete one with the best validation metric, the first of equals.

    None where none of them is complete, or kept.
    """
    return max((trial for trial in finished if _usable(trial)), key=lambda trial: _order(trial, metric), default=None)


def model_card(
    config: SweepConfig,
    concrete: TrainingConfig,
    winner: Finished,
    exported: Exported,
    data: TrainingData,
    verdict: Verdict,
) -> dict[str, Any]:
    """What cnn.json says of the model beside it; its checksum is added as the files are written."""
    from statsmodels.stats.proportion import proportion_confint

    best = winner.outcome.best()
    assert best is not None
    chosen = next(choice for choice in verdict.choices if choice.choice == verdict.winner)
    low, high = proportion_confint(
        round(exported.test_accuracy * exported.n_test), exported.n_test, alpha=0.05, method="wilson"
    )
    return {
        "name": config.name,
        "question": config.question,
        "configuration": winner.configuration,
        "values": winner.values,
        "config": concrete.to_dict(),
        "data": describe_data(data),
        "trial": winner.outcome.trial,
        "seed": winner.seed,
        "fold": winner.fold,
        "epoch": winner.outcome.best_epoch,
        "parameters": winner.outcome.parameters,
        "metrics": {
            config.study.metric: {
                "value": getattr(best, config.study.metric),
                "mean": chosen.mean,
                "low": chosen.low,
                "high": chosen.high,
                "n": chosen.n,
            },
            "val_accuracy of this file": {"value": exported.val_accuracy},
        },
        "test": {
            "accuracy": exported.test_accuracy,
            "low": float(low),
            "high": float(high),
            "n": exported.n_test,
            "crossentropy": exported.test_crossentropy,
            "note": "scored once, at export; no choice was made on it",
        },
        "verdict": verdict.sentence,
        "decided": verdict.decided,
        "versions": versions(),
        "created": now(),
    }


def _usable(finished: Finished) -> bool:
    return finished.outcome.state == "complete" and finished.outcome.best() is not None


def _order(finished: Finished, metric: str) -> tuple[float, int]:
    """Larger for better trials, and of equals for the one with the lower number, whichever ended first."""
    best = finished.outcome.best()
    assert best is not None
    value = float(getattr(best, metric))
    return (value if DIRECTIONS[metric] == "maximize" else -value), -finished.outcome.trial


def export_on_worker(config: TrainingConfig, weights: bytes, data_checksum: str, fold: Fold | None = None) -> Exported:
    """Build the network anew in float32, give it the weights, make its file, and score it on the test set, once.

    Raises:
        DataMismatch: the data is not that on which the weights were trained.
        main.modelfile.ModelFileError: the file does not read back as the model it was made from.
    """
    from main.backend import dtype_policy, quiet_import

    quiet_import()
    import keras

    import models
    from main.data import load_test
    from main.modelfile import to_bytes

    data = load_data(config.data, fold)
    refuse_other_data(data, data_checksum)
    keras.utils.clear_session(free_memory=False)  # layer names that do not count this process's earlier networks
    with dtype_policy("float32"):
        model = models.build(config.model, data.input_shape, data.n_classes)
    model.set_weights(unpack(weights))
    test = load_test(config.data)
    test_accuracy, test_crossentropy = _score(model, test)
    return Exported(
        h5=to_bytes(model),
        val_accuracy=_score(model, data.validation)[0],
        test_accuracy=test_accuracy,
        test_crossentropy=test_crossentropy,
        n_test=len(test.labels),
    )


def _score(model: Any, split: Split) -> tuple[float, float]:
    """Accuracy, and crossentropy in nats per image, of a model on a split."""
    import keras
    import numpy as np

    probabilities = model.predict(split.images.astype("float32") / 255.0, batch_size=1000, verbose=0)
    accuracy = float(np.mean(probabilities.argmax(axis=1) == split.labels))
    crossentropy = keras.losses.sparse_categorical_crossentropy(split.labels, probabilities)
    return accuracy, float(np.mean(crossentropy))
