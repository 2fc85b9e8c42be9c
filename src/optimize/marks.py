"""What the study keeps of a trial besides its values: seed, fold, purpose, which attempt, and where it was pruned."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.trial import FrozenTrial

from optimize.config import SweepConfig
from optimize.trial import Purpose

_SEED, _PURPOSE, _FOLD, _PRUNED, _ATTEMPT = "seed", "purpose", "fold", "pruned after", "attempt"


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


def keep_attempt(live: optuna.Trial, attempt: int) -> None:
    """Write down that a trial has come to its `attempt`th attempt: another run may be the one that makes it."""
    live.set_user_attr(_ATTEMPT, attempt)


def attempt_of(live: optuna.Trial) -> int:
    """Which attempt a running trial has come to, in this run or an earlier one."""
    return int(live.user_attrs.get(_ATTEMPT, 1))
