"""Replayed pruners: the same decisions as Optuna's own, and shares that mean what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import optuna
import pytest

from optimize.config import SweepConfig
from optimize.replay import RULES, STUDY, replay
from optimize.samplers import make_pruner
from sweeps import LEARNING_RATE


def curves(n: int, epochs: int, seed: int = 0) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    values: list[list[float]] = np.round(
        rng.uniform(0.3, 0.9, (n, 1)) + 0.05 * rng.normal(size=(n, epochs)).cumsum(axis=1), 6
    ).tolist()
    return values


def stopped_by_optuna(pruner: optuna.pruners.BasePruner, all_: Sequence[Sequence[float]]) -> list[int]:
    """After how many epochs Optuna stops each trial, one after the other; the last epoch is no pruning."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(study_name=STUDY, direction="maximize", pruner=pruner)
    ends = []
    for curve in all_:
        trial, end = study.ask(), len(curve)
        for epoch, value in enumerate(curve, start=1):
            trial.report(value, epoch)
            if trial.should_prune() and epoch < len(curve):
                end = epoch
                break
        whole = end == len(curve)
        state = optuna.trial.TrialState.COMPLETE if whole else optuna.trial.TrialState.PRUNED
        study.tell(trial, max(curve) if whole else None, state)
        ends.append(end)
    return ends


@pytest.mark.parametrize("epochs", [9, 27, 240])  # of 240 asha's first rung is 2, hyperband's 1
@pytest.mark.parametrize("rule", list(RULES))
def test_a_rule_stops_where_the_pruner_of_that_name_does(
    rule: str, epochs: int, sweep: Callable[[str], SweepConfig]
) -> None:
    text = LEARNING_RATE.replace("trials: 6", f"trials: 60, pruner: {rule}")
    pruner = make_pruner(sweep(text.replace("epochs: 3", f"epochs: {epochs}")))
    all_ = curves(60, epochs)
    judge = RULES[rule](epochs)
    ends = [judge(curve) for curve in all_]
    assert ends == stopped_by_optuna(pruner, all_)
    assert min(ends) < epochs


def test_parallel_curves_cost_no_rule_the_best_trial() -> None:
    falling = [[0.5 + 0.01 * i + 0.01 * e for e in range(9)] for i in range(20)]
    for found in replay(falling, maximize=True):
        assert found.dropped_best == 0
        assert 0 < found.saved < 1
        assert found.dropped_best <= found.dropped_finalist <= 1


def test_a_trial_that_starts_worst_and_ends_best_is_dropped() -> None:
    late = [[0.5 + 0.01 * i] * 9 for i in range(20)] + [[0.1] * 8 + [0.99]]
    shares = {found.rule: found.dropped_best for found in replay(late, maximize=True)}
    assert set(shares) == {"median", "asha", "hyperband"}
    assert shares["median"] > 0.6
    assert shares["asha"] > 0.9


def test_losses_are_replayed_as_accuracies_upside_down() -> None:
    all_ = curves(15, 6)
    assert replay([[-v for v in curve] for curve in all_], maximize=False) == replay(all_, maximize=True)


@pytest.mark.parametrize("too_little", [curves(9, 9), curves(30, 2), [], [[float("nan")] * 5] * 30])
def test_too_little_says_nothing(too_little: list[list[float]]) -> None:
    assert replay(too_little, maximize=True) == ()
