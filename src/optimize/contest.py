"""The paired tests of a sweep's choices, with their labels: who beats whom, and what would decide the rest."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from main.history import Direction
from optimize import wording
from optimize.paired import LEVEL, BoolArray, FloatArray, PairedTests, compare_pairs
from optimize.power import detectable_difference, seeds_needed
from optimize.verdict import PairComparison

if TYPE_CHECKING:
    import pandas as pd

MOST_CHOICES_WITH_ALL_PAIRS = 40
"""Of more choices than this only the winner's pairs are listed; all are tested and corrected for."""


def resolution_of(metric: str, images: int | None) -> float:
    """The step in which a metric comes: of an accuracy one image, of others, or of unknown images, none."""
    return 1 / images if images and wording.is_accuracy(metric) else 0.0


@dataclass(frozen=True)
class Contest:
    """Choices with at least two seeds, best first, and every pair of them tested."""

    labels: tuple[str, ...]
    tests: PairedTests
    """Of values that are larger where they are better."""
    largest: float = math.inf
    """The largest difference that there can be; intervals are cut off there."""
    overlap: float = 0.0
    """Test images / training images where blocks are folds, of `compare_pairs`."""

    @classmethod
    def of(
        cls,
        values: pd.DataFrame,
        direction: Direction,
        *,
        resolution: float = 0.0,
        largest: float = math.inf,
        overlap: float = 0.0,
    ) -> Self | None:
        """The contest of a table with a row per choice, best first, and a column per block; None without a pair."""
        if len(values) < 2:
            return None
        array = values.to_numpy(dtype=np.float64) * (1 if direction == "maximize" else -1)
        tests = compare_pairs(array, resolution=resolution, overlap=overlap)
        return cls(tuple(values.index), tests, largest, overlap)

    @property
    def df_per_seed(self) -> int:
        """Degrees of freedom that one more seed adds to the error of a pair."""
        return len(self.labels) - 1 if self.tests.pooled else 1

    @cached_property
    def separable(self) -> BoolArray:
        """(choices, choices): whether two choices differ, Holm's correction made."""
        size = len(self.labels)
        matrix = np.zeros((size, size), dtype=bool)
        matrix[self.tests.first, self.tests.second] = self.tests.p_holm <= LEVEL
        return matrix | matrix.T

    @cached_property
    def winner_beats(self) -> BoolArray:
        """(choices − 1): whether the first choice beats each of the others, best first."""
        of_winner = self.tests.first == 0
        beats: BoolArray = (self.tests.p_holm[of_winner] <= LEVEL) & (self.tests.difference[of_winner] > 0)
        return beats

    @cached_property
    def pairs(self) -> tuple[PairComparison, ...]:
        """The comparisons, pairs of better choices first; without those that share fewer than two seeds."""
        tests = self.tests
        listed = np.isfinite(tests.spread) & (tests.n > 1)
        if len(self.labels) > MOST_CHOICES_WITH_ALL_PAIRS:
            listed &= tests.first == 0
        needed = self._seeds_needed(listed)
        return tuple(self._pair(int(index), seeds) for index, seeds in zip(np.flatnonzero(listed), needed, strict=True))

    @property
    def closest(self) -> PairComparison | None:
        """The winner and the next best; None where they share fewer than two seeds."""
        best = set(self.labels[:2])
        return next((pair for pair in self.pairs if {pair.better, pair.worse} == best), None)

    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The longest runs of choices, best first, of which no two are separable."""
        runs: list[tuple[str, ...]] = []
        covered = 0
        for start in range(len(self.labels)):
            end = start + 1
            while end < len(self.labels) and not self.separable[start:end, end].any():
                end += 1
            if end > covered:
                runs.append(self.labels[start:end])
                covered = end
        return tuple(runs)

    def detectable(self) -> float | None:
        """Smallest true difference that is detected with probability 0.8 at Holm's first, strictest step."""
        seeds = int(np.median(self.tests.n))
        if seeds < 2:
            return None
        spread = math.sqrt(float(np.nanmean(self.tests.spread**2)))
        level = LEVEL / len(self.tests.n)
        return detectable_difference(
            spread=spread, n=seeds, df_per_block=self.df_per_seed, level=level, overlap=self.overlap
        )

    def _seeds_needed(self, listed: BoolArray) -> FloatArray:
        """Seeds in all per listed pair; NaN where it is decided, or shows no difference."""
        undecided = self.tests.p_holm > LEVEL
        difference, spread = self.tests.difference[listed], self.tests.spread[listed]
        open_ = undecided[listed] & (self.tests.p[listed] < 1) & (spread > 0)
        needed = np.full(len(open_), np.nan)
        needed[open_] = seeds_needed(
            difference[open_],
            spread=spread[open_],
            df_per_block=self.df_per_seed,
            level=LEVEL / max(int(undecided.sum()), 1),
            overlap=self.overlap,
        )
        more: FloatArray = np.maximum(needed, self.tests.n[listed] + 1)  # NaN stays NaN
        return more

    def _pair(self, index: int, needed: float) -> PairComparison:
        tests = self.tests
        difference, low, high = (float(ends[index]) for ends in (tests.difference, tests.low, tests.high))
        better, worse = self.labels[tests.first[index]], self.labels[tests.second[index]]
        if difference < 0:
            better, worse, difference, low, high = worse, better, -difference, -high, -low
        return PairComparison(
            better=better,
            worse=worse,
            difference=difference,
            low=max(low, -self.largest),
            high=min(high, self.largest),
            p=float(tests.p[index]),
            p_holm=float(tests.p_holm[index]),
            n=int(tests.n[index]),
            decided=bool(tests.p_holm[index] <= LEVEL),
            seeds_needed=None if math.isnan(needed) else int(needed),
        )
