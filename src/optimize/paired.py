"""Paired comparisons of choices over shared blocks (seeds): arrays in, arrays out, a stack of tables at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

LEVEL = 0.05
"""Family-wise error that a verdict accepts; one minus the confidence of every interval."""
AGREEMENT_LEVEL = 0.05
"""The error is pooled unless the test that the differences' variances agree falls below this."""
_NULL_DRAWS = 4_999
_ROUNDING = 1e-9


@dataclass(frozen=True)
class AdditiveFit:
    """Least squares of value = choice + block: what one training adds is the residual."""

    means: FloatArray
    """(..., choices): each choice's mean, adjusted for the blocks it missed; the plain mean where it missed none."""
    mean_square: FloatArray
    """(...): residual mean square, the variance of one training about choice + block; 0 where `df` is 0."""
    df: int
    """Degrees of freedom of `mean_square`."""


@dataclass(frozen=True)
class PairedTests:
    """Every pair of choices, compared over the blocks that both have; the last axis runs over the pairs."""

    first: IntArray
    """(pairs): index of the first choice."""
    second: IntArray
    """(pairs): index of the second choice."""
    n: IntArray
    """(pairs): blocks that both have."""
    difference: FloatArray
    """(..., pairs): mean of first − second over those blocks; NaN where there are none."""
    spread: FloatArray
    """(..., pairs): standard deviation of one block's difference; NaN where it cannot be estimated."""
    low: FloatArray
    """(..., pairs): lower end of the 95 % interval of `difference`, each interval on its own."""
    high: FloatArray
    """(..., pairs): its upper end."""
    p: FloatArray
    """(..., pairs): two-sided p of the paired t test; 1 where nothing can be said."""
    p_holm: FloatArray
    """(..., pairs): `p` after Holm's correction over all pairs."""
    pooled: BoolArray
    """(...): whether the error is pooled over all choices, rather than each pair's own."""
    agreement_p: FloatArray
    """(...): p of the test that the variances of all differences agree."""
    fit: AdditiveFit
    """Choice + block, fitted to the whole table."""


def fit_additive(values: FloatArray) -> AdditiveFit:
    """Fit value = choice + block by least squares.

    Args:
        values: (..., choices, blocks), NaN where a choice has no value; every table of a stack lacks the same places.
    """
    observed = _observed(values)
    present = np.where(observed, values, 0.0)
    per_choice, per_block = observed.sum(-1), observed.sum(-2)
    # The normal equations, with the choices eliminated: one row and column per block is left.
    share = observed / per_choice[:, None]
    left = np.diag(per_block) - observed.T @ share
    right = present.sum(-2) - present.sum(-1) @ share
    blocks = right @ np.linalg.pinv(left, hermitian=True)
    choices = (present.sum(-1) - blocks @ observed.T) / per_choice
    residuals = np.where(observed, values - choices[..., :, None] - blocks[..., None, :], 0.0)
    df = int(observed.sum() - len(per_choice) - np.linalg.matrix_rank(left, hermitian=True))
    mean_square = np.asarray((residuals**2).sum((-1, -2)) / max(df, 1))
    return AdditiveFit(choices + blocks.mean(-1, keepdims=True), mean_square, df)


def agreement_p(values: FloatArray) -> FloatArray:
    """P of the test that the variances of all paired differences agree: the condition for pooling their error.

    The differences' variances agree exactly if the orthonormal contrasts of the choices are spherical (Huynh and
    Feldt 1970, JASA 65, 1582). The statistic is John's (1971, Biometrika 58, 123), tr S² / (tr S)² of the contrasts'
    covariance S, which needs no more blocks than choices; it is 1 / ((choices − 1) ε) with the ε of Greenhouse and
    Geisser. Its null distribution depends on the table's shape alone, and is drawn with a fixed seed.

    Args:
        values: (..., choices, blocks), complete.

    Returns:
        (...): 1 where the table is too small to say anything (two choices, or two blocks), or has no spread at all.
    """
    k, n = values.shape[-2:]
    if min(k, n) <= 2:
        return np.ones(values.shape[:-2])
    centred = values - values.mean(-1, keepdims=True)
    residuals = centred - centred.mean(-2, keepdims=True)
    # Residuals × residualsᵀ has the same eigenvalues either way round, and those of the contrasts' covariance.
    across = residuals if k <= n else np.swapaxes(residuals, -1, -2)
    gram = across @ np.swapaxes(across, -1, -2)
    trace = np.trace(gram, axis1=-2, axis2=-1)
    spread = trace > _ROUNDING**2 * (values**2).sum((-1, -2))
    criterion = np.divide((gram**2).sum((-1, -2)), trace**2, out=np.zeros_like(trace), where=spread)
    null = _null_criterion(k, n)
    above = len(null) - np.searchsorted(null, criterion * (1 - _ROUNDING))
    p: FloatArray = np.where(spread, (above + 1) / (len(null) + 1), 1.0)
    return p


def overlap_of(folds: int | None) -> float:
    """Test images / training images of each of so many folds: 1 / (folds − 1); 0 where there are none."""
    return 0.0 if folds is None else 1 / (folds - 1)


def compare_pairs(values: FloatArray, *, resolution: float = 0.0, overlap: float = 0.0) -> PairedTests:
    """Paired t tests of every pair of choices, with Holm's correction over all of them.

    Where the variances of the differences agree, as far as a complete part of the table tells, their error is the
    residual mean square of choice + block with its (choices − 1)(blocks − 1) degrees of freedom; where they do not,
    each pair has its own. A difference of exactly zero has p = 1, whatever its error, and so has a pair that shares
    fewer than two blocks. A difference that is the same in every block, so that there is no error at all, has p = 0.

    Args:
        values: (..., choices, blocks), at least two of each; NaN where a choice has no value, at the same places in
            every table of a stack. A pair is compared over the blocks that both have.
        resolution: The metric's step (1 / images for an accuracy). Rounding alone gives a value the variance
            resolution² / 12, and no error is taken to be smaller: equal values in two or three blocks are
            otherwise read as certainty.
        overlap: Test images / training images where the blocks are resamples of one set of images (`overlap_of`), and
            0 where they are seeds. Blocks that share training images are not independent: the variance of their mean
            is taken to be v · (1 / n + overlap) (Nadeau and Bengio 2003, Machine Learning 52, 239).
    """
    observed = _observed(values)
    first, second = np.triu_indices(values.shape[-2], 1)
    both = observed[first] & observed[second]
    n = both.sum(-1)
    differences = np.where(both, values[..., first, :] - values[..., second, :], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = differences.sum(-1) / n
        squares = (np.where(both, differences - difference[..., None], 0.0) ** 2).sum(-1)
        own_variance = squares / np.where(n > 1, n - 1, np.nan)

    fit = fit_additive(values)
    choices, blocks = _complete_part(observed)
    agreement = agreement_p(values[..., choices, :][..., blocks])
    pooled = (agreement >= AGREEMENT_LEVEL) & (fit.df > 0)
    variance = np.where(pooled[..., None], 2 * fit.mean_square[..., None], own_variance)
    variance = np.maximum(variance, resolution**2 / 6)
    df = np.where(pooled[..., None], max(fit.df, 1), np.maximum(n - 1, 1))

    rounding = _ROUNDING * np.where(observed, np.abs(values), 0.0).max((-1, -2))[..., None]
    variance = np.where(variance > rounding**2, variance, variance * 0)  # NaN stays NaN
    p, half_width = _t_test(difference, variance * (1 / np.maximum(n, 1) + overlap), df, nothing=rounding)
    p = np.where(n < 2, 1.0, p)
    return PairedTests(
        first, second, n, difference, np.sqrt(variance), difference - half_width, difference + half_width,
        p, holm(p), pooled, agreement, fit,
    )  # fmt: skip


def holm(p: FloatArray) -> FloatArray:
    """P values (..., tests) after Holm's step-down correction along the last axis (1979, Scand. J. Statist. 6, 65).

    The same as statsmodels' `multipletests(method="holm")`, which takes one family at a time and collects garbage
    after each, some 40 ms.
    """
    order = np.argsort(p, axis=-1)
    stepped = np.take_along_axis(p, order, axis=-1) * np.arange(p.shape[-1], 0, -1)
    corrected = np.empty_like(p)
    np.put_along_axis(corrected, order, np.minimum(np.maximum.accumulate(stepped, axis=-1), 1.0), axis=-1)
    return corrected


def mean_interval(
    values: npt.ArrayLike, *, resolution: float = 0.0, overlap: float = 0.0
) -> tuple[float, float, float]:
    """Standard deviation of values (n), and the ends of the 95 % t interval of their mean; n at least 2.

    `resolution` and `overlap` are those of `compare_pairs`: the interval takes no deviation to be smaller than what
    rounding alone gives.
    """
    sample = np.asarray(values, dtype=np.float64)
    mean, deviation = float(sample.mean()), float(sample.std(ddof=1))
    error = max(deviation, resolution / 12**0.5) * (1 / len(sample) + overlap) ** 0.5
    half_width = float(stats.t.isf(LEVEL / 2, len(sample) - 1)) * error
    return deviation, mean - half_width, mean + half_width


def _complete_part(observed: BoolArray) -> tuple[IntArray, IntArray]:
    """Choices and blocks of a complete table in (choices, blocks), of three blocks if there is one.

    Choices with the fewest blocks are left out, one after the other, until that many are complete.
    """
    by_blocks = np.argsort(-observed.sum(1), kind="stable")
    for count in range(len(by_blocks), 2, -1):
        choices = np.sort(by_blocks[:count])
        blocks = np.flatnonzero(observed[choices].all(0))
        if len(blocks) > 2:
            return choices, blocks
    return np.arange(len(observed)), np.flatnonzero(observed.all(0))


def _observed(values: FloatArray) -> BoolArray:
    """Which (choices, blocks) have a value, in every table of a stack alike."""
    finite = np.isfinite(values.reshape(-1, *values.shape[-2:]))
    observed: BoolArray = finite[0]
    if not (finite == observed).all():
        raise ValueError("every table of a stack must lack the same cells")
    return observed


def _t_test(
    difference: FloatArray, variance: FloatArray, df: IntArray, *, nothing: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """P and the 95 % interval's half width of a difference, given the variance of its estimate."""
    error = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stats.t.sf(np.abs(difference) / error, df)
    no_difference = ~(np.abs(difference) > nothing)  # true for NaN as well: no shared block, nothing to tell apart
    p = np.where(no_difference | np.isnan(p), 1.0, p)
    return p, stats.t.isf(LEVEL / 2, df) * error


@cache
def _null_criterion(k: int, n: int) -> FloatArray:
    """Sorted draws of tr S² / (tr S)² for a table (k, n) whose variances agree: S is a Wishart matrix."""
    small, large = sorted((k - 1, n - 1))
    draws = np.asarray(stats.wishart(df=large, scale=np.eye(small)).rvs(_NULL_DRAWS, random_state=0))
    trace = np.trace(draws, axis1=-2, axis2=-1)
    return np.sort((draws**2).sum((-1, -2)) / trace**2)
