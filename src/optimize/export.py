"""The winner of a sweep as `cnn.h5` and its card `cnn.json`."""

from __future__ import annotations

from bisect import insort
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from main.card import OF_THIS_FILE, Score, SweepCard
from main.config import TrainingConfig
from main.errors import UserError
from main.history import DIRECTIONS
from main.provenance import describe_data, now, versions
from optimize.finished import Finished
from optimize.proposals import cell_key
from optimize.trial import load_data, refuse_other_data, unpack

if TYPE_CHECKING:
    import keras

    from main.data import Fold, TrainingData
    from optimize.config import SweepConfig
    from optimize.statistics import Verdict


@dataclass(frozen=True)
class Exported:
    """A finished model file, made where Keras is, and what it scored."""

    h5: bytes = field(repr=False)
    val_accuracy: float
    """Of the file's own float32 model: what a reader of the file will find."""
    test: Score
    """The card's section of that name."""


class NothingToExport(UserError):
    """A sweep has no model to export."""


class Candidates:
    """The trials whose weights may still be needed: to export the winner, or to join the best in an ensemble.

    The winner by its mean is exported by its best trial, so that every configuration's best trial is kept; but a
    sampler draws a new configuration almost every time, and a grid may have thousands, so only those of the best
    `CONFIGURATIONS`, by their best trials and by their means.
    """

    CONFIGURATIONS = 64
    TRIALS = 24
    """The best trials of all, which an ensemble is made of."""

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self._kept: list[_Candidate] = []
        """The worst first."""
        self._means: dict[str, _Mean] = {}
        """By configuration, over all its trials, kept or not."""

    def wants(self, finished: Finished) -> bool:
        """Whether `add` would keep the trial's weights."""
        if not _usable(finished):
            return False
        candidate = self._candidate(finished)
        means = ChainMap({candidate.configuration: self._mean_with(candidate)}, self._means)
        return candidate in self._needed(sorted([*self._kept, candidate]), means)

    def add(self, finished: Finished) -> list[int]:
        """Consider a finished trial; returns the trials whose weights are needed no more."""
        if not _usable(finished):
            return [finished.outcome.trial]
        candidate = self._candidate(finished)
        insort(self._kept, candidate)
        self._means[candidate.configuration] = self._mean_with(candidate)
        needed = self._needed(self._kept, self._means)
        dropped = [candidate.trial for candidate in self._kept if candidate not in needed]
        self._kept = [candidate for candidate in self._kept if candidate in needed]
        return dropped

    def _candidate(self, finished: Finished) -> _Candidate:
        return _Candidate(_order(finished, self._metric), finished.outcome.trial, cell_key(finished.values))

    def _mean_with(self, candidate: _Candidate) -> _Mean:
        return self._means.get(candidate.configuration, _Mean(0.0, 0)).with_(candidate.order[0])

    def _needed(self, rivals: Sequence[_Candidate], means: Mapping[str, _Mean]) -> set[_Candidate]:
        """Those of the rivals, the worst first, that are the best of a configuration or among the best of all."""
        best = {rival.configuration: rival for rival in rivals}
        steady = nlargest(self.CONFIGURATIONS, best, key=lambda configuration: means[configuration].value)
        return {
            *sorted(best.values())[-self.CONFIGURATIONS :],
            *(best[configuration] for configuration in steady),
            *rivals[-self.TRIALS :],
        }


class _Mean(NamedTuple):
    """Of a configuration's trials, larger being better."""

    value: float
    n: int

    def with_(self, value: float) -> _Mean:
        """The mean of one trial more."""
        return _Mean((self.n * self.value + value) / (self.n + 1), self.n + 1)


class _Candidate(NamedTuple):
    order: tuple[float, int]
    trial: int
    configuration: str


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
) -> SweepCard:
    """What cnn.json says of the model beside it; its checksum is added as the files are written."""
    best, parameters = winner.outcome.best(), winner.outcome.parameters
    assert best is not None
    assert parameters is not None  # complete trials have both
    chosen = next(choice for choice in verdict.choices if choice.choice == verdict.winner)
    card: SweepCard = {
        "name": config.name,
        "question": config.question,
        "configuration": winner.configuration,
        "values": winner.values,
        "config": concrete.to_dict(),
        "data": describe_data(data),
        "trial": winner.outcome.trial,
        "seed": winner.seed,
        "fold": winner.fold,
        "epoch": best.epoch,
        "parameters": parameters,
        "trained_on": winner.outcome.trained_on,
        "metrics": {
            config.study.metric: {
                "value": getattr(best, config.study.metric),
                "mean": chosen.mean,
                "low": chosen.low,
                "high": chosen.high,
                "n": chosen.n,
            },
            OF_THIS_FILE: {"value": exported.val_accuracy},
        },
        "test": exported.test,
        "verdict": verdict.sentence,
        "decided": verdict.decided,
        "versions": versions(),
        "created": now(),
    }
    if config.study.folds is not None:
        card["folds"] = config.study.folds
    return card


def _usable(finished: Finished) -> bool:
    return finished.outcome.state == "complete" and finished.outcome.best() is not None


def _order(finished: Finished, metric: str) -> tuple[float, int]:
    """Larger for better trials, and of equals for the one with the lower number, whichever ended first."""
    best = finished.outcome.best()
    assert best is not None
    value = float(getattr(best, metric))
    return (value if DIRECTIONS[metric] == "maximize" else -value), -finished.outcome.trial


def export_on_worker(
    config: TrainingConfig, weights: bytes, data_checksum: str, fold: Fold | None = None, called: str = "weights"
) -> Exported:
    """Build the network anew in float32, give it the weights, make its file, and score it on the test set, once.

    Raises:
        NothingToExport: the weights, which the message calls `called`, are damaged.
        DataMismatch: the data is not that on which the weights were trained.
        main.modelfile.ModelFileError: the file does not read back as the model it was made from.
    """
    from main.backend import quiet_import

    quiet_import()
    import keras

    data = load_data(config.data, fold)
    refuse_other_data(data, data_checksum)
    keras.utils.clear_session(free_memory=False)  # layer names that do not count this process's earlier networks
    return scored(built_anew(config, data, weights, called=called), config, data)


def built_anew(config: TrainingConfig, data: TrainingData, weights: bytes, *, called: str) -> keras.Model:
    """The plain network in float32, with a trial's packed weights; where Keras is.

    Raises:
        NothingToExport: the weights, which the message calls `called`, are damaged.
    """
    from main.network import plain_network

    try:
        return plain_network(config, data.input_shape, data.n_classes, unpack(weights))
    except ValueError as error:
        raise NothingToExport(f"{called} is damaged, and the model cannot be made: {error}") from error


def scored(model: keras.Model, config: TrainingConfig, data: TrainingData) -> Exported:
    """A finished model's file, and what it scores on validation and, once, on the test set."""
    from main.data import load_test
    from main.evaluate import assess_split, test_section
    from main.modelfile import MODEL_NAME, to_bytes

    path = Path(MODEL_NAME)
    validated = assess_split(model, path, data.validation, classes=data.classes, source=data.source)
    return Exported(
        h5=to_bytes(model),
        val_accuracy=validated.accuracy.value,
        test=test_section(model, path, data, load_test(config.data), when="at export"),
    )
