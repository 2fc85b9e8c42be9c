"""By how much each choice is better than another, with the verdict's intervals."""

from __future__ import annotations

from typing import NamedTuple

from optimize.charts.evidence import Choice, Evidence
from optimize.charts.numbers.common import NotForThisSweep
from optimize.charts.units import Metric
from optimize.verdict import PairComparison, TunedPair
from optimize.wording import counted

MOST_PAIRS = 15
"""More than this are a wall of bars; then only the pairs with the best choice are shown."""


class Difference(NamedTuple):
    """One pair, the better first."""

    better: Choice
    worse: Choice
    difference: float
    """How much better, whichever way the metric runs: never negative."""
    low: float
    high: float
    decided: bool
    """Whether the two are separable."""


class Differences(NamedTuple):
    """The pairs that are shown, from the largest difference to the smallest."""

    metric: Metric
    pairs: tuple[Difference, ...]
    says: str
    caption: str


def differences(evidence: Evidence) -> Differences:
    """The verdict's paired differences.

    Raises:
        NotForThisSweep: there is no verdict on pairs: fewer than two choices, or no two seeds in common.
    """
    verdict = evidence.verdict
    listed = () if verdict is None else verdict.factor.pairs if verdict.factor else verdict.pairs
    pairs = [found for pair in listed if (found := _of(pair, evidence)) is not None]
    if not pairs:
        raise NotForThisSweep("no two choices were compared")
    pairs.sort(key=lambda pair: pair.difference, reverse=True)
    shown = pairs
    if len(pairs) > MOST_PAIRS:
        best = evidence.choice(str((verdict.factor or verdict).winner)) if verdict else None
        shown = [pair for pair in pairs if best in (pair.better, pair.worse)] or pairs
    decided = sum(pair.decided for pair in pairs)
    caption = _caption(len(shown), len(pairs), tuned=bool(verdict and verdict.factor), noun=evidence.noun)
    return Differences(evidence.metric, tuple(shown), _says(decided, len(pairs)), caption)


def _of(pair: PairComparison | TunedPair, evidence: Evidence) -> Difference | None:
    better, worse = evidence.choice(pair.better), evidence.choice(pair.worse)
    if better is None or worse is None:
        return None
    return Difference(better, worse, pair.difference, pair.low, pair.high, pair.decided)


def _says(decided: int, n: int) -> str:
    if decided == n:
        return "The choices differ" if n == 1 else f"All {n} pairs differ"
    if not decided:
        return "The choices are not separable" if n == 1 else f"None of the {n} pairs is separable"
    others = "the other is" if n - decided == 1 else f"the other {n - decided} are"
    return f"{decided} of {counted(n, 'pair')} {'differs' if decided == 1 else 'differ'}; {others} not separable"


def _caption(shown: int, n: int, *, tuned: bool, noun: str) -> str:
    what = "Difference of the bests to be expected" if tuned else f"Mean difference over shared {noun}s"
    only = f" Only the pairs of the best choice, of {n}." if shown < n else ""
    return (
        f"{what}, each with its own 95 % interval. "
        f"Filled: separable (p ≤ 0.05 after Holm's correction over all pairs). Hollow: open.{only}"
    )
