"""What a learning-rate range test says: where the loss falls most steeply, and which rate that suggests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optimize.paired import FloatArray

BELOW_THE_LOWEST = 10.0
"""The suggested rate is so many times below that of the lowest loss."""
_SMOOTHED_OVER = 0.05
_LEAST = 5


@dataclass(frozen=True)
class RateCurve:
    """One training under a rising rate."""

    configuration: str
    seed: int
    losses: tuple[float, ...]
    """One per step, until the end or until it diverged."""


@dataclass(frozen=True)
class RateReading:
    """What the curves of one configuration say together; rates are geometric means over seeds."""

    configuration: str
    seeds: int
    rates: FloatArray
    """(steps): those that every seed reached."""
    loss: FloatArray
    """(steps): mean over the seeds of their smoothed losses."""
    steepest: float
    """Rate at which the smoothed loss falls fastest with the logarithm of the rate."""
    lowest: float
    """Rate at the lowest smoothed loss."""
    suggested: float
    """A tenth of `lowest`."""
    suggested_low: float
    """Least of the seeds' own suggestions."""
    suggested_high: float
    diverged: float | None
    """Rate at which the first seed diverged; None where none did."""


def rising_rates(low: float, high: float, steps: int) -> FloatArray:
    """(steps): exponentially from low to high."""
    return np.geomspace(low, high, steps)


def read_curves(curves: Sequence[RateCurve], rates: FloatArray) -> RateReading:
    """Read the curves of one configuration, at least one.

    The loss of a batch says as much of the batch as of the rate: each curve is smoothed by a running mean over a
    twentieth of the steps, centred, so that no feature moves to a higher rate. A curve that diverged is read up to the
    step before. One that has fewer than two finite losses counts as lowest at its first rate.
    """
    readings = [_read(curve, rates) for curve in curves]
    common = min(len(loss) for loss, _, _ in readings)
    ended = min(len(curve.losses) for curve in curves)
    suggested = np.array([lowest for _, _, lowest in readings]) / BELOW_THE_LOWEST
    return RateReading(
        configuration=curves[0].configuration,
        seeds=len(curves),
        rates=rates[:common],
        loss=np.mean([loss[:common] for loss, _, _ in readings], axis=0),
        steepest=_geometric_mean([steepest for _, steepest, _ in readings]),
        lowest=_geometric_mean([lowest for _, _, lowest in readings]),
        suggested=_geometric_mean(suggested),
        suggested_low=float(suggested.min()),
        suggested_high=float(suggested.max()),
        diverged=float(rates[ended - 1]) if ended < len(rates) else None,
    )


def _read(curve: RateCurve, rates: FloatArray) -> tuple[FloatArray, float, float]:
    """The smoothed losses, and the rates at their steepest fall and at the lowest of them."""
    whole = len(curve.losses) == len(rates) and bool(np.isfinite(curve.losses[-1]))
    losses = np.asarray(curve.losses if whole else curve.losses[:-1], dtype=np.float64)
    if len(losses) < 2:
        first = losses if len(losses) else np.full(1, np.nan)
        return first, float(rates[0]), float(rates[0])
    smooth = smoothed(losses, max(_LEAST, round(_SMOOTHED_OVER * len(rates))))
    slope = np.gradient(smooth, np.log10(rates[: len(smooth)]))
    lowest = int(smooth.argmin())
    return smooth, float(rates[int(slope[: lowest + 1].argmin())]), float(rates[lowest])


def smoothed(values: FloatArray, width: int) -> FloatArray:
    """Running means over `width` values, centred; over fewer at the ends."""
    half = width // 2
    ends = np.arange(len(values))
    total = np.concatenate([[0.0], np.cumsum(values)])
    first, last = np.maximum(ends - half, 0), np.minimum(ends + half + 1, len(values))
    means: FloatArray = (total[last] - total[first]) / (last - first)
    return means


def _geometric_mean(rates: Sequence[float] | FloatArray) -> float:
    return float(np.exp(np.mean(np.log(rates))))
