"""What a learning-rate range test says: where the loss falls most steeply, and which rate that suggests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from main.wording import counted
from optimize.paired import FloatArray

BELOW_THE_LOWEST = 10.0
"""The suggested rate is so many times below that of the lowest loss."""
_SMOOTHED_OVER = 0.05
_LEAST = 5
FEW_STEPS = round(_LEAST / _SMOOTHED_OVER)
"""Of fewer, the least that losses are smoothed over is more than a twentieth of the test."""


@dataclass(frozen=True)
class RateCurve:
    """One training under a rising rate."""

    configuration: str
    seed: int
    losses: tuple[float, ...]
    """One per step, until the end or until it diverged."""


@dataclass(frozen=True)
class RateReading:
    """What the curves of one configuration say together: their mean is read, and beside it each on its own."""

    configuration: str
    seeds: int
    steps: int
    """Of the whole test, from its first rate to its last."""
    rates: FloatArray
    """(steps): those that every seed reached."""
    loss: FloatArray
    """(steps): mean over the seeds of their smoothed losses."""
    steepest: float
    """Rate at which `loss` falls fastest with the logarithm of the rate."""
    lowest: float
    """Rate at which `loss` is lowest."""
    suggested: float
    """A tenth of `lowest`."""
    suggested_low: float
    """Least of the suggestions of the seeds' own curves."""
    suggested_high: float
    diverged: float | None
    """Rate at which the first seed diverged; None where none did."""
    falls_to_the_end: bool = False
    """Whether none diverged, and `loss` is lowest in the last smoothing window."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Why the suggested rate is to be mistrusted, a sentence each."""
        found = {
            f"read from {counted(self.steps, 'step')} alone, each of which says as much of its batch as of its rate; "
            f"more train.epochs, or a smaller train.batch_size, make it {FEW_STEPS} or more.": self.steps < FEW_STEPS,
            f"the seeds disagree: on their own they suggest from {self.suggested_low:.2g} to "
            f"{self.suggested_high:.2g}; with more seeds the mean is steadier.": self._disagree,
            "the loss still falls at the highest rate, so that a higher one may be better; study.range_test.end "
            "sets it.": self.falls_to_the_end,
            "the loss is lowest at the lowest rate, so that no rate of the test is any good; study.range_test.start "
            "sets it.": self.lowest == self.rates[0],
        }
        return tuple(said for said, holds in found.items() if holds)

    @property
    def _disagree(self) -> bool:
        """Whether what one seed suggests is where another's loss is lowest, or beyond."""
        return self.suggested_high >= BELOW_THE_LOWEST * self.suggested_low


def rising_rates(low: float, high: float, steps: int) -> FloatArray:
    """(steps): exponentially from low to high."""
    return np.geomspace(low, high, steps)


def read_curves(curves: Sequence[RateCurve], rates: FloatArray) -> RateReading:
    """Read the curves of one configuration, at least one.

    The loss of a batch says as much of the batch as of the rate: each curve is smoothed by a running mean over a
    twentieth of the steps, centred, so that no feature moves to a higher rate. A curve that diverged is shown up to the
    step before, and read up to a window before that: what is smoothed there would have to reach beyond. The mean of
    the curves is read as far as all of them came. One that has fewer than two finite losses counts as lowest at its
    first rate.
    """
    width = max(_LEAST, round(_SMOOTHED_OVER * len(rates)))
    smooth = [_smoothed(curve, width, len(rates)) for curve in curves]
    common = min(map(len, smooth))
    loss = np.mean([own[:common] for own in smooth], axis=0)
    suggested = [_read(own, rates, width)[1] / BELOW_THE_LOWEST for own in smooth]
    steepest, lowest = _read(loss, rates, width)
    ended = min(len(curve.losses) for curve in curves)
    return RateReading(
        configuration=curves[0].configuration,
        seeds=len(curves),
        steps=len(rates),
        rates=rates[:common],
        loss=loss,
        steepest=steepest,
        lowest=lowest,
        suggested=lowest / BELOW_THE_LOWEST,
        suggested_low=min(suggested),
        suggested_high=max(suggested),
        diverged=float(rates[ended - 1]) if ended < len(rates) else None,
        falls_to_the_end=common == len(rates) and bool(lowest >= rates[-width]),
    )


def _smoothed(curve: RateCurve, width: int, steps: int) -> FloatArray:
    """The smoothed losses, of a curve that diverged without its last."""
    whole = len(curve.losses) == steps and bool(np.isfinite(curve.losses[-1]))
    losses = np.asarray(curve.losses if whole else curve.losses[:-1], dtype=np.float64)
    return smoothed(losses, width) if len(losses) else np.full(1, np.nan)


def _read(loss: FloatArray, rates: FloatArray, width: int) -> tuple[float, float]:
    """The rates at the steepest fall of a smoothed loss, and at the lowest of it."""
    if len(loss) < len(rates):  # it diverged
        loss = loss[: max(len(loss) - width, 1)]
    if len(loss) < 2:
        return float(rates[0]), float(rates[0])
    slope = np.gradient(loss, np.log10(rates[: len(loss)]))
    lowest = int(loss.argmin())
    return float(rates[int(slope[: lowest + 1].argmin())]), float(rates[lowest])


def smoothed(values: FloatArray, width: int) -> FloatArray:
    """Running means over `width` values, centred; over fewer at the ends."""
    half = width // 2
    ends = np.arange(len(values))
    total = np.concatenate([[0.0], np.cumsum(values)])
    first, last = np.maximum(ends - half, 0), np.minimum(ends + half + 1, len(values))
    means: FloatArray = (total[last] - total[first]) / (last - first)
    return means
