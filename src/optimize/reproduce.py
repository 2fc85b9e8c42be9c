"""Train an exported model again from what its folder says of it, and tell whether it came out the same."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any

import numpy as np

from main.card import NUMBER, Needed, lacking
from main.config import TrainingConfig
from main.errors import UserError
from main.history import Epoch
from main.modelfile import read_model_file
from main.provenance import DECISIVE
from main.wording import percent
from optimize.config import SweepConfig, stored_sweep
from optimize.engine import Engine
from optimize.export import Exported, NothingToExport, export_on_worker
from optimize.results import Results
from optimize.sections import RunConfig
from optimize.staff import Staff
from optimize.tables import DamagedFile
from optimize.trainings import Trainings
from optimize.trial import TrialOutcome, TrialTask, fold_of
from optimize.trial import run as run_trial

OF_THE_CARD: Needed = {
    "config": dict,
    "values": dict,
    "configuration": str,
    "trial": int,
    "seed": int,
    "fold": (int, NoneType),
    "data.checksum": str,
    "test.accuracy": NUMBER,
    "test.low": NUMBER,
    "test.high": NUMBER,
    "trained_on.processor": str,
    "trained_on.instruction_sets": list,
    "trained_on.gpus": int,
    "trained_on.threads": int,
    "trained_on.precision": str,
    "trained_on.versions": dict,
}
"""What training again needs of a card; anybody may have written it."""
UNKNOWN = "what was trained, or on what, is not known"


class NotReproduced(UserError):
    """The training could not be done again."""


@dataclass(frozen=True)
class Reproduction:
    """What came of training again."""

    identical: bool
    """Whether every weight is the same, to the bit."""
    elsewhere: tuple[str, ...]
    """What is not as it was, so that the last bits of weights may differ; empty where they may not."""
    accuracy: float
    """Of the test images, now."""
    claimed: float
    low: float
    high: float
    """The card's accuracy, and its 95 % interval."""

    @property
    def succeeded(self) -> bool:
        """Identical where it must be, within the interval elsewhere."""
        return self.identical or (bool(self.elsewhere) and self.low <= self.accuracy <= self.high)

    @property
    def sentence(self) -> str:
        """What came of it, in words."""
        if self.identical:
            return f"reproduced to the bit: test accuracy {percent(self.accuracy)}, every weight the same"
        figures = f"test accuracy {percent(self.accuracy)}, the card says {percent(self.claimed)}"
        interval = f"its 95 % interval, {percent(self.low)} to {percent(self.high)}"
        if not self.elsewhere:
            return f"not reproduced: {figures}, and weights differ that should be the same here"
        inside = "within" if self.succeeded else "outside"
        verdict = "reproduced" if self.succeeded else "not reproduced"
        return f"{verdict}: {figures}; {inside} {interval} (not to the bit: {'; '.join(self.elsewhere)})"


def reproduce(
    results: Results,
    *,
    workers: int | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
    announce: Callable[[str], None] = lambda _: None,
) -> Reproduction:
    """Train the exported model of a sweep's folder again, as its card says, and compare.

    Args:
        results: a folder that holds sweep.yaml, cnn.json and cnn.h5.
        workers: 0 trains in this process instead of one that is pinned as the sweep's were.
        on_epoch: told of each epoch.
        announce: told where the training's worker is lost, so that it runs again, or where none comes.

    Raises:
        NotReproduced: training failed, as it does on data of another checksum.
        optimize.engine.EngineLost: no worker comes.
        NothingToExport: the folder holds no model.
        ModelFileError: cnn.h5 is damaged, or not the file that its card describes.
        DamagedFile: its card does not say what was trained, or on what.
        OSError: a file is missing.
    """
    if not results.card_file.is_file() or not results.model_file.is_file():
        raise NothingToExport(f"{results.folder} holds no exported model to be trained again")
    kept = read_model_file(results.model_file)
    card = kept.card or {}
    if missing := lacking(card, OF_THE_CARD):
        raise DamagedFile(results.card_file, f"without {', '.join(missing)}", UNKNOWN)
    config = stored_sweep(results)
    try:
        concrete = TrainingConfig.from_dict(card["config"])
    except ValueError as error:
        raise DamagedFile(results.card_file, f"its config: {error}", UNKNOWN) from error
    task = _task(config, concrete, card)
    with Staff(config, run_trial, workers=workers if workers == 0 else 1, trials=1) as staff:
        outcome = _trained(staff.engine(), task, config.run, on_epoch, announce)
        if outcome.state != "complete" or outcome.weights is None or outcome.trained_on is None:
            raise NotReproduced(f"training again {outcome.state}: {outcome.reason}")
        fold = fold_of(task.fold, task.folds, task.seed)
        exported: Exported = staff.engine().call(export_on_worker, concrete, outcome.weights, task.data_checksum, fold)
    test = card["test"]
    return Reproduction(
        identical=_same_weights(kept.data, exported.h5),
        elsewhere=tuple(_differences(card["trained_on"], outcome.trained_on)),
        accuracy=exported.test["accuracy"],
        claimed=test["accuracy"],
        low=test["low"],
        high=test["high"],
    )


def _task(config: SweepConfig, concrete: TrainingConfig, card: Mapping[str, Any]) -> TrialTask:
    return TrialTask(
        trial=card["trial"],
        values=card["values"],
        configuration=card["configuration"],
        seed=card["seed"],
        config=concrete,
        metric=config.study.metric,
        precision="bfloat16" if card["trained_on"]["precision"] == "bfloat16" else "float32",
        data_checksum=card["data"]["checksum"],
        fold=card["fold"],
        folds=config.study.folds,
    )


def _trained(
    engine: Engine,
    task: TrialTask,
    run: RunConfig,
    on_epoch: Callable[[Epoch], None],
    announce: Callable[[str], None],
) -> TrialOutcome:
    """What comes of a task; the limits of its sweep were meant for the machine that this ran on."""
    unlimited = run.model_copy(update={"timeout": None, "memory": None})
    return Trainings([task], unlimited, engine, announce, on_epoch=on_epoch).run()[task.trial]


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What keeps sums from being added up in the same order as they were."""
    found = [
        f"{name} {now['versions'].get(name)} here, {then['versions'].get(name)} then"
        for name in DECISIVE
        if now["versions"].get(name) != then["versions"].get(name)
    ]
    if now["processor"] != then["processor"]:
        found.append(f"{now['processor']} here, {then['processor']} then")
    elif now["instruction_sets"] != then["instruction_sets"]:
        found.append("a processor of other instruction sets")
    if now["gpus"] or then["gpus"]:
        found.append("a GPU adds up in no fixed order")
    if (now["threads"], then["threads"]) != (1, 1):
        found.append(f"{_threads(now)} added up here, {_threads(then)} then")
    if then.get("resumed"):
        found.append("it went on from a checkpoint then, which another machine may have left")
    return found


def _threads(machine: Mapping[str, Any]) -> str:
    return "1 thread" if machine["threads"] == 1 else f"{machine['threads']} threads"


def _same_weights(kept: bytes, made: bytes) -> bool:
    """Whether two model files hold the same weights under the same names."""
    import h5py

    def arrays(file: h5py.File) -> dict[str, Any]:
        found: dict[str, Any] = {}
        file["model_weights"].visititems(
            lambda name, item: found.__setitem__(name, item[()]) if isinstance(item, h5py.Dataset) else None
        )
        return found

    with h5py.File(io.BytesIO(kept)) as then, h5py.File(io.BytesIO(made)) as now:
        theirs, ours = arrays(then), arrays(now)
    return theirs.keys() == ours.keys() and all(np.array_equal(theirs[name], ours[name]) for name in theirs)
