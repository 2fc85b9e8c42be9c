"""What a worker does with one trial: a plain task comes in, a plain outcome goes out.

The coordinator imports this file too, so Keras is imported only where something trains.
"""

from __future__ import annotations

import errno
import io
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from main.config import DataConfig, TrainingConfig
from main.errors import UserError
from main.history import Epoch, best_epoch

if TYPE_CHECKING:
    import numpy as np

    from main.backend import Precision
    from main.card import TrainedOn
    from main.data import Fold, TrainingData
    from main.train import TrainResult
    from optimize.space import Value

State = Literal["complete", "pruned", "failed", "interrupted"]
Purpose = Literal["search", "confirm"]

DISK_FAULTS = {errno.ENOSPC, errno.EROFS, errno.EIO, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


@dataclass(frozen=True)
class TrialTask:
    """One training to be done: a configuration and a seed."""

    trial: int
    """Its number in the study, from 0."""
    values: dict[str, Value]
    """The swept values by full path; a parameter that `when` switched off is absent."""
    configuration: str
    """The values as they are shown everywhere."""
    seed: int
    config: TrainingConfig
    metric: str
    precision: Precision
    data_checksum: str
    """What the worker's own copy of the data must have."""
    purpose: Purpose = "search"
    attempt: int = 1
    fold: int | None = None
    """Which fold validates, from 0; None where the data's own validation images do."""
    folds: int | None = None
    """How many folds there are."""
    checkpoint_folder: Path | None = None
    """Where the worker leaves each epoch's state, and looks for one to go on from."""


@dataclass(frozen=True)
class TrialOutcome:
    """What came of a task."""

    trial: int
    state: State
    reason: str = ""
    """Why it failed, was pruned or stopped early; empty for a training that ran its epochs."""
    history: tuple[Epoch, ...] = ()
    best_epoch: int | None = None
    parameters: int | None = None
    weights: bytes | None = field(default=None, repr=False)
    """The best epoch's float32 weights, packed by `pack`."""
    started: str = ""
    ended: str = ""
    """ISO 8601, UTC."""
    seconds: float = 0.0
    """Wall time of this attempt on its worker."""
    details: str = ""
    """The traceback, where something was raised."""
    trained_on: TrainedOn | None = None
    """What decides the weights' last bits, of the process that trained it (`main.provenance.trained_on`)."""
    worker: int = 0
    """The slot that trained it, from 0."""
    attempt: int = 1

    def best(self) -> Epoch | None:
        """The record of the best epoch."""
        return next((epoch for epoch in self.history if epoch.epoch == self.best_epoch), None)

    def cut_to(self, epoch: int, metric: str) -> TrialOutcome:
        """This outcome as pruned after `epoch`: what a worker trained before the word reached it is dropped."""
        kept = tuple(point for point in self.history if point.epoch <= epoch)
        best, reason = best_epoch(kept, metric), f"pruned after epoch {epoch}"
        return replace(self, state="pruned", reason=reason, history=kept, best_epoch=best, weights=None)


class DataMismatch(UserError):
    """The data here is not the data that the study is about."""


def run(task: TrialTask, report: Callable[[Epoch], None], stop_requested: Callable[[], bool]) -> TrialOutcome:
    """Train one trial; whatever goes wrong in it becomes a failed outcome, never an exception.

    Args:
        task: what to train.
        report: told of each epoch as it ends, and first of those that a checkpoint has kept.
        stop_requested: asked after each epoch whether to stop there.
    """

    def on_epoch(epoch: Epoch) -> bool:
        report(epoch)
        return stop_requested()

    return outcome_of(task, lambda: _from_result(task, _train(task, on_epoch)))


def outcome_of(task: TrialTask, train: Callable[[], TrialOutcome]) -> TrialOutcome:
    """What came of a training, with its times; what it raised is an outcome too.

    A disk that is full or read-only says nothing of the trial: it counts as interrupted, and can go on.
    """
    started, clock = datetime.now(UTC), time.perf_counter()
    try:
        outcome = train()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        outcome = TrialOutcome(task.trial, "failed", reason, details=traceback.format_exc())
        if isinstance(error, OSError) and error.errno in DISK_FAULTS:
            outcome = replace(outcome, state="interrupted")
    return replace(
        outcome,
        started=started.isoformat(timespec="milliseconds"),
        ended=datetime.now(UTC).isoformat(timespec="milliseconds"),
        seconds=time.perf_counter() - clock,
        attempt=task.attempt,
    )


def _train(task: TrialTask, on_epoch: Callable[[Epoch], bool]) -> TrainResult:
    data = load_data(task.config.data, fold_of(task.fold, task.folds, task.seed))
    refuse_other_data(data, task.data_checksum)
    from main.backend import quiet_import

    quiet_import()
    from main.train import train

    return train(
        task.config,
        data,
        seed=task.seed,
        precision=task.precision,
        metric=task.metric,
        on_epoch=on_epoch,
        checkpoint_folder=task.checkpoint_folder,
    )


def refuse_other_data(data: TrainingData, checksum: str) -> None:
    """Keep trials on different data from mixing.

    Raises:
        DataMismatch: the data's checksum is another.
    """
    if data.checksum != checksum:
        raise DataMismatch(
            f"{data.source} here has checksum {data.checksum[:12]}, the study's data has {checksum[:12]}"
        )


def _from_result(task: TrialTask, result: TrainResult) -> TrialOutcome:
    from main.provenance import trained_on

    state: State = "complete"
    reason = ""
    if result.stopped == "diverged":
        state, reason = "failed", f"diverged at epoch {result.history[-1].epoch}"
    elif result.stopped == "requested":
        state, reason = "interrupted", f"stopped after epoch {result.history[-1].epoch}"
    elif result.stopped == "early":
        reason = f"stopped early after epoch {result.history[-1].epoch}"
    keep = state == "complete" and bool(result.weights)
    return TrialOutcome(
        trial=task.trial,
        state=state,
        reason=reason,
        history=result.history,
        best_epoch=result.best_epoch,
        parameters=result.parameters,
        weights=pack(result.weights) if keep else None,
        trained_on=trained_on(task.precision, resumed=result.resumed),
    )


def fold_of(fold: int | None, folds: int | None, seed: int) -> Fold | None:
    """The fold that validates in a training; None where the data's own validation images do."""
    from main.data import Fold

    return None if fold is None or folds is None else Fold(fold, folds, seed)


@lru_cache(maxsize=2)
def load_data(config: DataConfig, fold: Fold | None = None) -> TrainingData:
    """The training and validation images of a process, read once."""
    from main.data import load_training, resample

    return load_training(config) if fold is None else resample(load_data(config), fold, config.seed)


def pack(weights: Sequence[np.ndarray]) -> bytes:
    """Arrays as the bytes of an .npz file, in order."""
    import numpy as np

    content = io.BytesIO()
    np.savez(content, *weights)
    return content.getvalue()


def unpack(content: bytes) -> list[np.ndarray]:
    """The arrays that `pack` packed.

    Raises:
        ValueError: the bytes are not whole.
    """
    import numpy as np

    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            return [stored[f"arr_{i}"] for i in range(len(stored.files))]
    except Exception as error:  # zipfile's, zlib's, tokenize's, and whatever else a damaged byte makes NumPy raise
        raise ValueError(str(error) or type(error).__name__) from error
