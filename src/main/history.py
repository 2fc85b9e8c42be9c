"""The record of one training, epoch by epoch, and the rules that read it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from main.config import EarlyStoppingConfig, ScheduleConfig

Metric = Literal["val_accuracy", "val_loss", "val_crossentropy"]
Direction = Literal["maximize", "minimize"]

DIRECTIONS: dict[str, Direction] = {
    "val_accuracy": "maximize",
    "val_loss": "minimize",
    "val_crossentropy": "minimize",
}


@dataclass(frozen=True)
class Epoch:
    """One point of a learning curve: means over the epoch while training, over the validation images after it."""

    epoch: int
    """Counted from 1."""
    loss: float
    accuracy: float
    """Fraction of training images classified correctly while they were trained on (dropout and all)."""
    val_loss: float
    val_accuracy: float
    val_crossentropy: float
    """In nats per image, the same for every training loss."""
    learning_rate: float
    """The rate of the epoch's last step."""
    seconds: float
    """Wall time of the epoch with its validation."""

    @property
    def diverged(self) -> bool:
        """Whether any of the epoch's figures is NaN or infinite."""
        figures = (self.loss, self.accuracy, self.val_loss, self.val_accuracy, self.val_crossentropy)
        return not all(math.isfinite(figure) for figure in figures)


def better(value: float, than: float, metric: str, by: float = 0.0) -> bool:
    """Whether `value` improves on `than` by more than `by`, in the metric's direction; NaN never does."""
    gain = value - than if DIRECTIONS[metric] == "maximize" else than - value
    return gain > by


def best_epoch(history: Sequence[Epoch], metric: str) -> int | None:
    """The number of the best epoch; None where no epoch has a finite value.

    Among equals it is the latest: of two sets of weights that read the validation images equally well, those that saw
    more training images, at what a schedule has made the lower rate, have less of their figure by luck.
    """
    best: Epoch | None = None
    for epoch in history:
        value = getattr(epoch, metric)
        if math.isfinite(value) and (best is None or not better(getattr(best, metric), value, metric)):
            best = epoch
    return best.epoch if best else None


def exhausted(history: Sequence[Epoch], metric: str, rule: EarlyStoppingConfig | None) -> bool:
    """Whether early stopping ends a training with this history."""
    return rule is not None and _epochs_without_gain(history, metric, rule.min_delta) >= rule.patience


def plateau_factor(history: Sequence[Epoch], schedule: ScheduleConfig) -> float:
    """What a plateau schedule has multiplied the learning rate by after this history, 1.0 at the start.

    A plateau is `patience` epochs in a row whose validation loss did not improve on the best before them; each one
    multiplies the rate by `decay` and starts the count again.
    """
    decay, patience = schedule.decay or 0.5, schedule.patience or 2
    factor, best, waited = 1.0, math.inf, 0
    for epoch in history:
        if epoch.val_loss < best:
            best, waited = epoch.val_loss, 0
            continue
        waited += 1
        if waited == patience:
            factor, waited = factor * decay, 0
    return factor


def _epochs_without_gain(history: Sequence[Epoch], metric: str, min_delta: float) -> int:
    waited, best = 0, math.nan
    for epoch in history:
        value = getattr(epoch, metric)
        if math.isnan(best) or better(value, best, metric, by=min_delta):
            waited, best = 0, value
        else:
            waited += 1
    return waited
