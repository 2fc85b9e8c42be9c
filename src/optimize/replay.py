"""What pruners would have done: complete trials replayed from their kept curves, in many orders.

The rules are written again here: on an in-memory study Optuna's own take more than a hundred times as long, which for
thousands of replayed trials is the time of a report. A test holds them to Optuna's decisions.
"""

from __future__ import annotations

import bisect
import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from optimize.algorithms import AshaPruner, HyperbandPruner, MedianPruner

FEWEST_TRIALS = 10
"""Of fewer complete trials no share is given."""
FEWEST_EPOCHS = 3
"""Trials shorter than this leave a pruner next to nothing to stop."""
FINALISTS = 3
REPLAYED = 10_000
"""Trials that are replayed in all, for each rule: of a larger sweep fewer orders are."""
MOST_ORDERS, FEWEST_ORDERS = 200, 5
STUDY = "replay"
"""Optuna deals the brackets of hyperband by a study's name and a trial's number."""

Floats = npt.NDArray[np.float64]
Judge = Callable[[Sequence[float]], int]
"""Takes a trial's values, epoch by epoch, larger the better; returns after how many epochs it stops it."""


@dataclass(frozen=True)
class RuleReplay:
    """What one pruner, at its defaults, would have done to the complete trials of a sweep."""

    rule: str
    dropped_best: float
    """Share of the orders in which it stops the best trial before its end."""
    dropped_finalist: float
    """Share of the orders in which it stops at least one of the best three."""
    saved: float
    """Share of all epochs that it spares, a mean over the orders."""
    orders: int
    """Random orders in which the trials were replayed."""


def replay(curves: Sequence[Sequence[float]], *, maximize: bool) -> tuple[RuleReplay, ...]:
    """Replay each rule on trials one after the other, in random orders drawn with a fixed seed.

    The rules are Optuna's `median`, `asha` and `hyperband` at the defaults of `study.pruner`; hyperband's brackets are
    drawn by the trial's number. A trial's value is its best epoch. Trials that ran at once would have been judged with
    less to compare them to than here.

    Args:
        curves: The metric of every complete trial by epoch, from the first.
        maximize: Whether more of it is better.

    Returns:
        Nothing where the trials are too few or too short to say anything.
    """
    signed = [[value if maximize else -value for value in curve] for curve in curves]
    signed = [curve for curve in signed if curve and all(map(math.isfinite, curve))]
    longest = max(map(len, signed), default=0)
    if len(signed) < FEWEST_TRIALS or longest < FEWEST_EPOCHS:
        return ()
    finalists = sorted(range(len(signed)), key=lambda i: max(signed[i]), reverse=True)[:FINALISTS]
    rng = np.random.default_rng(0)
    n_orders = min(max(REPLAYED // len(signed), FEWEST_ORDERS), MOST_ORDERS)
    orders = [rng.permutation(len(signed)) for _ in range(n_orders)]
    return tuple(_replayed(name, rule, signed, finalists, orders) for name, rule in RULES.items())


def _replayed(
    name: str,
    rule: Callable[[int], Judge],
    curves: Sequence[Sequence[float]],
    finalists: Sequence[int],
    orders: Sequence[npt.NDArray[np.int64]],
) -> RuleReplay:
    lengths: Floats = np.array([len(curve) for curve in curves], dtype=np.float64)
    best, any_, saved = 0, 0, 0.0
    for order in orders:
        judge, trained = rule(int(lengths.max())), lengths.copy()
        for trial in order:
            trained[trial] = judge(curves[trial])
        stopped = trained < lengths
        best += bool(stopped[finalists[0]])
        any_ += bool(stopped[list(finalists)].any())
        saved += 1 - float(trained.sum() / lengths.sum())
    return RuleReplay(name, best / len(orders), any_ / len(orders), saved / len(orders), len(orders))


def _median(epochs: int) -> Judge:
    """Stops a trial whose best so far is worse than the median of the trials that ended, at the same epoch."""
    ended: list[list[float]] = [[] for _ in range(epochs)]
    whole, startup = 0, MedianPruner().n_startup_trials

    def judge(curve: Sequence[float]) -> int:
        nonlocal whole
        best = -math.inf
        for epoch, value in enumerate(curve):
            best = max(best, value)
            if whole >= startup and ended[epoch] and best < _middle(ended[epoch]) and epoch + 1 < len(curve):
                return epoch + 1
        whole += 1
        for epoch, value in enumerate(curve):
            bisect.insort(ended[epoch], value)
        return len(curve)

    return judge


def _asha(epochs: int) -> Judge:
    """Successive halving from 1 epoch, or from a hundredth of all epochs, once a first whole trial has told of them."""
    halving, seen = _halving(max(epochs // 100, 1), AshaPruner().reduction_factor), 0

    def judge(curve: Sequence[float]) -> int:
        nonlocal seen
        seen += 1
        return len(curve) if seen == 1 else halving(curve)

    return judge


def _hyperband(epochs: int) -> Judge:
    """As many successive halvings as there are rungs, each starting one rung later."""
    reduction = HyperbandPruner().reduction_factor
    brackets = 1 + next(n for n in range(64) if reduction ** (n + 1) > epochs)
    judges = [_halving(reduction**skipped, reduction) for skipped in range(brackets)]
    # A bracket that starts later gets fewer trials (Li et al. 2018, algorithm 1).
    budgets = [math.ceil(brackets * reduction ** (brackets - 1 - s) / (brackets - s)) for s in range(brackets)]
    dealt = [bracket for bracket, budget in enumerate(budgets) for _ in range(budget)]
    numbers = count()

    def judge(curve: Sequence[float]) -> int:
        bracket: int = dealt[zlib.crc32(f"{STUDY}_{next(numbers)}".encode()) % len(dealt)]
        return judges[bracket](curve)

    return judge


def _halving(first: int, reduction: int) -> Judge:
    """At each rung, `first`, `first` × `reduction` … epochs, only the best of every `reduction` trials go on."""
    at_rung: dict[int, list[float]] = {}

    def judge(curve: Sequence[float]) -> int:
        rung = first
        while rung <= len(curve):
            values, value = at_rung.setdefault(rung, []), curve[rung - 1]
            bisect.insort(values, value)
            if value < values[-max(len(values) // reduction, 1)]:
                return rung
            rung *= reduction
        return len(curve)

    return judge


def _middle(ordered: Sequence[float]) -> float:
    """The median; `statistics.median` would sort what is in order already, again and again."""
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


RULES: dict[str, Callable[[int], Judge]] = {"median": _median, "asha": _asha, "hyperband": _hyperband}
