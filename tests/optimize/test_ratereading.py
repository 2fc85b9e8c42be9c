import numpy as np
import pytest

from optimize.ratechart import draw_rates
from optimize.ratereading import RateCurve, read_curves, rising_rates, smoothed

RATES = rising_rates(1e-6, 1.0, 121)


def valley(at: float, steepest: float, seed: int = 0) -> RateCurve:
    """A loss that falls fastest at one rate, is lowest at another, and grows beyond it."""
    x = np.log10(RATES)
    fall = 2.3 / (1 + np.exp(6 * (x - np.log10(steepest))))
    rise = np.maximum(0, x - np.log10(at)) ** 2
    return RateCurve("adam", seed, tuple((fall + rise).tolist()))


def test_the_rate_rises_by_the_same_factor_at_each_step() -> None:
    assert RATES[0] == pytest.approx(1e-6)
    assert RATES[-1] == pytest.approx(1.0)
    assert RATES[1:] / RATES[:-1] == pytest.approx(10 ** (6 / 120))


def test_the_steepest_point_and_the_suggestion_are_where_they_were_put() -> None:
    reading = read_curves([valley(at=1e-1, steepest=1e-3)], RATES)
    assert reading.steepest == pytest.approx(1e-3, rel=0.3)
    assert reading.lowest == pytest.approx(1e-1, rel=0.5)
    assert reading.suggested == pytest.approx(reading.lowest / 10)
    assert reading.diverged is None


def test_seeds_are_averaged_and_their_range_is_told() -> None:
    reading = read_curves([valley(at=1e-2, steepest=1e-4), valley(at=1e-1, steepest=1e-4, seed=1)], RATES)
    assert reading.seeds == 2
    assert reading.suggested == pytest.approx(np.sqrt(reading.suggested_low * reading.suggested_high))
    assert reading.suggested_low < 2e-3 < 5e-3 < reading.suggested_high


def test_a_curve_that_diverged_is_read_up_to_there() -> None:
    whole = valley(at=1e-3, steepest=1e-4).losses
    reading = read_curves([RateCurve("adam", 0, (*whole[:80], float("nan"))), RateCurve("adam", 1, whole)], RATES)
    assert len(reading.loss) == len(reading.rates) == 80
    assert np.isfinite(reading.loss).all()
    assert reading.diverged == pytest.approx(RATES[80])


def test_a_curve_that_diverged_at_once_suggests_nothing_higher() -> None:
    reading = read_curves([RateCurve("adam", 0, (float("nan"),))], RATES)
    assert reading.suggested == pytest.approx(1e-7)


def test_smoothing_moves_nothing() -> None:
    peak = np.zeros(21)
    peak[10] = 1.0
    assert smoothed(peak, 5).tolist() == [0.0] * 8 + [0.2] * 5 + [0.0] * 8
    assert smoothed(np.arange(5.0), 3) == pytest.approx([0.5, 1, 2, 3, 3.5])


def test_the_chart_is_a_picture_even_of_a_test_that_diverged_at_once() -> None:
    readings = [read_curves([valley(at=1e-1, steepest=1e-3)], RATES), read_curves([RateCurve("sgd", 0, ())], RATES)]
    assert draw_rates(readings, "Which rate?").startswith(b"\x89PNG")
