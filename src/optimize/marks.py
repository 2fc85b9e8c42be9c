"""What the study keeps of a trial besides its values: its seed, fold and purpose, and where a pruner ended it."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.trial import FrozenTrial

from optimize.config import SweepConfig
from optimize.trial import Purpose

_SEED, _PURPOSE, _FOLD, _PRUNED = "seed", "purpose", "fold", "pruned after"


def seed_of(trial: FrozenTrial, config: SweepConfig) -> int:
    """The training seed of a stored trial; that of the search where an earlier version has not marked it."""
    return int(trial.user_attrs.get(_SEED, config.study.seeds[0]))


def fold_of(trial: FrozenTrial) -> int | None:
    """The fold on which a stored trial validates; None where the study has none."""
    fold = trial.user_attrs.get(_FOLD)
    return None if fold is None else int(fold)


def marked(seed: int, purpose: str, fold: int | None) -> dict[str, Any]:
    """What the study keeps of a trial besides its values, when it is entered."""
    return {_SEED: seed, _PURPOSE: purpose} | ({} if fold is None else {_FOLD: fold})


def purpose_of(trial: FrozenTrial) -> Purpose:
    """Whether a stored trial searches or confirms."""
    return "confirm" if trial.user_attrs.get(_PURPOSE) == "confirm" else "search"


def keep_pruned(live: optuna.Trial, epoch: int) -> None:
    """Write down that a trial is pruned after `epoch`: a pruner that keeps books would not say so a second time."""
    live.set_user_attr(_PRUNED, epoch)


def pruned_after(live: optuna.Trial) -> int | None:
    """The epoch after which a running trial was pruned, by an earlier attempt or run; None where it was not."""
    epoch = live.user_attrs.get(_PRUNED)
    return None if epoch is None else int(epoch)
