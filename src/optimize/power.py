"""What a sweep could have told apart, and how many seeds an open pair still needs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.stats import nct, t

from optimize.paired import LEVEL, FloatArray
from optimize.verdict import SEEDS_LIMIT

POWER = 0.8
"""Probability with which a forecast number of seeds decides, and a detectable difference is detected."""
_LARGEST_NONCENTRALITY = 1e5
"""Power is 1 from here on."""


def power(
    difference: npt.ArrayLike,
    *,
    spread: npt.ArrayLike,
    n: npt.ArrayLike,
    df_per_block: int = 1,
    level: float = LEVEL,
    overlap: float = 0.0,
) -> FloatArray:
    """Probability that a two-sided paired t test over n seeds detects a true difference.

    By the noncentral t, both tails of it (statsmodels' `ttest_power` is NaN for some large differences).

    Args:
        difference: True difference of two choices.
        spread: Standard deviation of one seed's difference.
        n: Seeds, at least 2.
        df_per_block: Degrees of freedom that each seed after the first adds to the error: 1 for a pair's own,
            choices − 1 for the pooled one.
        level: The test's level; Holm's correction decides a pair at LEVEL / (pairs not decided before it).
        overlap: That of `compare_pairs`; with any, more blocks lead no further than a limit.
    """
    n = np.asarray(n, dtype=np.float64)
    df = df_per_block * (n - 1)
    distance = np.minimum(np.abs(difference) / np.asarray(spread) / np.sqrt(1 / n + overlap), _LARGEST_NONCENTRALITY)
    critical = t.isf(level / 2, df)
    return np.asarray(nct.sf(critical, df, distance) + nct.sf(critical, df, -distance))


def seeds_needed(
    difference: npt.ArrayLike,
    *,
    spread: npt.ArrayLike,
    df_per_block: int = 1,
    level: float = LEVEL,
    overlap: float = 0.0,
) -> FloatArray:
    """Smallest number of seeds that detects each difference with probability POWER; NaN above SEEDS_LIMIT.

    Takes the difference and the spread as the truth: a forecast from few seeds is itself uncertain.
    """
    difference, spread = np.broadcast_arrays(np.asarray(difference, float), np.asarray(spread, float))

    def enough(n: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        found = power(difference, spread=spread, n=n, df_per_block=df_per_block, level=level, overlap=overlap)
        return found >= POWER

    few, many = np.full(difference.shape, 1), np.full(difference.shape, SEEDS_LIMIT)
    reachable = enough(many)
    while (many - few > 1).any():  # power rises with n: halve until `few` is one too few
        middle = np.maximum((few + many) // 2, 2)
        reached = enough(middle)
        few, many = np.where(reached, few, middle), np.where(reached, middle, many)
    return np.where(reachable, many, np.nan)


def detectable_difference(
    *, spread: float, n: int, df_per_block: int = 1, level: float = LEVEL, overlap: float = 0.0
) -> float:
    """Smallest true difference that n seeds detect with probability POWER; 0 where there is no spread."""
    if spread == 0:
        return 0.0

    def shortfall(effect: float) -> float:
        found = power(effect, spread=1.0, n=n, df_per_block=df_per_block, level=level, overlap=overlap)
        return float(found) - POWER

    largest = 1.0
    while shortfall(largest) < 0:
        largest *= 2
    return spread * float(brentq(shortfall, 0.0, largest, xtol=1e-6))
