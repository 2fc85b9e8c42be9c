"""The choices of one parameter, each at its best over the others, with the uncertainty of having tuned it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy import special

from main.history import Direction
from optimize import wording
from optimize.paired import LEVEL, FloatArray, IntArray, holm
from optimize.trialtable import cell_label, has_folds, usable
from optimize.verdict import FactorVerdict, TunedChoice, TunedPair

if TYPE_CHECKING:
    import pandas as pd

REPLICATES = 10_000
MANY = 1_000
"""Configurations of a choice with which luck alone is out of the question."""


def factor_verdict(
    trials: pd.DataFrame, factor: str, *, metric: str, direction: Direction, seed: int = 0
) -> FactorVerdict:
    """Compare the choices of a factor, every other swept parameter tuned within each choice.

    Each choice's search is a sample of the searches that might have been. Its best is bootstrapped: REPLICATES times,
    `budget` of its configurations are drawn with replacement and the best of them taken. The budget is half of what
    the least tried choice has, the same for all. (With as many draws as configurations, which is the usual bootstrap,
    the best is the best one of the sample in 63 % of replicates, however lucky it was, and equal choices are called
    different in 10 to 20 % of sweeps; see Bickel, Götze and van Zwet 1997, Statistica Sinica 7, 1.) The mean of the
    best of so many draws is the expected validation performance of Dodge et al. (2019, arXiv 1909.03004).

    Args:
        trials: The table of trials.csv; of it, the search's. A configuration counts with the mean over its seeds, one
            without a complete trial as bad as the worst: it has used up its share of the budget.
        factor: Full path of the factor.
        metric: Which column is compared.
        direction: Whether more of it is better.
        seed: Of the bootstrap.
    """
    searched = trials[trials["purpose"] == "search"] if "purpose" in trials.columns else trials
    sign = 1.0 if direction == "maximize" else -1.0
    searches = _searches(searched[searched[factor].notna()], factor, metric, sign)
    found = [search for search in searches if search.usable]
    failed = [f"{s.choice}: no usable trial, so it is not compared." for s in searches if not s.usable]
    if not found:
        return FactorVerdict(factor, (), (), 0, None, False, wording.no_trial(), tuple(failed))
    budget = math.ceil(min(search.n for search in found) / 2)
    worst = min(float(np.nanmin(search.values)) for search in found)
    rng = np.random.default_rng(seed)
    draws = np.stack([search.bootstrap(budget, worst, rng) for search in found])
    order = np.argsort(-draws.mean(-1), kind="stable")
    found, draws = [found[i] for i in order], draws[order]
    pairs = _pairs(found, draws)
    of_winner = [pair for pair in pairs if found[0].choice in (pair.better, pair.worse)]
    return FactorVerdict(
        factor=factor,
        choices=_tuned(found, draws, sign),
        pairs=pairs,
        budget=budget,
        winner=found[0].choice,
        decided=bool(pairs) and all(pair.decided for pair in of_winner),
        sentence=_sentence(metric, found, of_winner, budget, "fold" if has_folds(searched) else "seed"),
        warnings=(*failed, *_warnings(factor, found)),
    )


def too_few(factor: str, tried: Sequence[int]) -> str | None:
    """A warning where no choice can be seen to beat all others, whatever the trials reach; None where one can.

    Args:
        factor: Full path of the factor.
        tried: How many configurations each of its choices has.
    """
    if len(tried) < 2 or _can_be_decided(tried):
        return None
    if not _can_be_decided([MANY] * len(tried)):
        return f"{factor}: {len(tried):,} choices are too many to be told apart, whatever they reach."
    enough = next(n for n in count(1) if _can_be_decided([n] * len(tried)))
    return (
        f"{factor}: too few configurations to tell {len(tried):,} choices apart, whatever they reach: "
        f"{min(tried):,} of a choice, where it takes {enough:,} of each."
    )


def _can_be_decided(tried: Sequence[int]) -> bool:
    """Whether some choice beats all others where every pair has the smallest p that there is."""
    first, second = np.triu_indices(len(tried), 1)
    least = np.maximum(_by_luck(np.array(tried), first, second), 1 / REPLICATES)
    decided = holm(least) <= LEVEL
    return any(decided[(first == i) | (second == i)].all() for i in range(len(tried)))


def _by_luck(tried: IntArray, first: IntArray, second: IntArray) -> FloatArray:
    """(pairs): twice the chance that luck alone puts all configurations of one choice before all of the other's."""
    orders: FloatArray = special.comb(tried[first] + tried[second], tried[first])
    return np.minimum(2 / orders, 1.0)


@dataclass(frozen=True)
class _Search:
    """What was tried with one choice, larger values being better."""

    choice: str
    configurations: tuple[str, ...]
    values: FloatArray
    """(configurations), ascending; NaN, last, where no trial is complete."""

    @classmethod
    def of(cls, choice: str, means: pd.Series[float]) -> Self:
        ordered = means.sort_values(na_position="last")
        return cls(choice, tuple(map(str, ordered.index)), np.asarray(ordered, dtype=np.float64))

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def usable(self) -> int:
        return int(np.isfinite(self.values).sum())

    def bootstrap(self, budget: int, worst: float, rng: np.random.Generator) -> FloatArray:
        """(REPLICATES): the best of `budget` configurations, drawn with replacement.

        The best of m draws from n is the r-th smallest or a worse one with probability (r / n)^m: one uniform number
        stands for m draws.
        """
        ascending: FloatArray = np.sort(np.nan_to_num(self.values, nan=worst))
        rank: IntArray = np.ceil(self.n * rng.random(REPLICATES) ** (1 / budget)).astype(int)
        best: FloatArray = ascending[np.maximum(rank, 1) - 1]
        return best


def _searches(trials: pd.DataFrame, factor: str, metric: str, sign: float) -> list[_Search]:
    counted = usable(trials, metric)
    values = (sign * trials[metric].astype(float)).where(counted)
    choices = trials[factor].map(cell_label)
    means = values.groupby([choices, trials["configuration"]], sort=False).mean()
    return [_Search.of(choice, means[choice]) for choice in dict.fromkeys(choices)]


def _tuned(searches: Sequence[_Search], draws: FloatArray, sign: float) -> tuple[TunedChoice, ...]:
    best = draws == draws.max(0)
    probability = (best / best.sum(0)).mean(-1)
    ends = np.quantile(sign * draws, (LEVEL / 2, 1 - LEVEL / 2), axis=-1)
    return tuple(
        TunedChoice(
            choice=search.choice,
            n=search.n,
            usable=search.usable,
            best=sign * float(np.nanmax(search.values)),
            best_configuration=search.configurations[search.usable - 1],
            expected_best=sign * float(draws[i].mean()),
            low=float(ends[0, i]),
            high=float(ends[1, i]),
            probability_best=float(probability[i]),
        )
        for i, search in enumerate(searches)
    )


def _pairs(searches: Sequence[_Search], draws: FloatArray) -> tuple[TunedPair, ...]:
    """Every pair, the better one first: the draws are in order of their means.

    p is twice the share of replicates in which the better one is behind, so that a mean which few replicates carry
    decides nothing. No p is smaller than the chance that luck puts all configurations of one choice before all of the
    other's; a bootstrap of few configurations does not know of it.
    """
    first, second = np.triu_indices(len(searches), 1)
    if not len(first):
        return ()
    differences = draws[first] - draws[second]
    behind = (differences < 0).mean(-1) + (differences == 0).mean(-1) / 2
    by_luck = _by_luck(np.array([search.n for search in searches]), first, second)
    p = np.maximum(np.minimum(2 * behind, 1.0), np.maximum(by_luck, 1 / REPLICATES))
    p_holm = holm(p)
    low, high = np.quantile(differences, (LEVEL / 2, 1 - LEVEL / 2), axis=-1)
    return tuple(
        TunedPair(
            better=searches[first[i]].choice,
            worse=searches[second[i]].choice,
            difference=float(differences[i].mean()),
            low=float(low[i]),
            high=float(high[i]),
            p=float(p[i]),
            p_holm=float(p_holm[i]),
            decided=bool(p_holm[i] <= LEVEL),
        )
        for i in range(len(first))
    )


def _sentence(metric: str, searches: Sequence[_Search], pairs: Sequence[TunedPair], budget: int, noun: str) -> str:
    fewest, most = min(s.n for s in searches), max(s.n for s in searches)
    tried = wording.counted(most, "configuration") if fewest == most else f"{fewest:,} to {most:,} configurations"
    if not pairs:
        return f"Only {searches[0].choice} was tried, so there is nothing to compare it with."
    closest, *rest = pairs
    beaten = [pair.worse for pair in rest if pair.decided]
    open_ = [pair.worse for pair in rest if not pair.decided]
    tried = f"{budget:,} of its {tried}"
    return wording.tuned_sentence(metric, closest, tried=tried, beaten=beaten, open_=open_, noun=noun)


def _warnings(factor: str, searches: Sequence[_Search]) -> list[str]:
    found = []
    if len({search.n for search in searches}) > 1:
        had = wording.listed([f"{search.n:,} of {search.choice}" for search in searches], most=10)
        found.append(f"The choices had different budgets (configurations: {had}); the same number of each is drawn.")
    warning = too_few(factor, [search.n for search in searches])
    return [*found, warning] if warning else found
