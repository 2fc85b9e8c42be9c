from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from optimize.rangetest import RangeTested
from optimize.ratechart import draw_rates
from optimize.ratereading import RateCurve, read_curves, rising_rates, smoothed
from optimize.results import Results
from optimize.summary import summarise_range_test

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


def test_seeds_are_averaged_and_the_range_of_their_own_readings_is_told() -> None:
    reading = read_curves([valley(at=1e-2, steepest=1e-4), valley(at=1e-1, steepest=1e-4, seed=1)], RATES)
    assert reading.seeds == 2
    assert reading.suggested_low < 2e-3 < 5e-3 < reading.suggested_high
    assert reading.suggested_low <= reading.suggested <= reading.suggested_high


def test_what_is_marked_is_the_lowest_point_of_the_line_that_is_drawn() -> None:
    steep, flat = valley(at=1e-3, steepest=1e-5), valley(at=1e-1, steepest=1e-4, seed=1)
    reading = read_curves([replace(steep, losses=tuple(3 * loss for loss in steep.losses)), flat], RATES)
    assert reading.lowest == reading.rates[reading.loss.argmin()]
    assert reading.suggested == pytest.approx(reading.lowest / 10)


def test_a_fall_to_the_brink_of_a_divergence_is_not_taken_for_the_lowest() -> None:
    falling = tuple(np.linspace(2.3, 0.3, 100).tolist())
    reading = read_curves([RateCurve("adam", 0, (*falling, float("nan")))], RATES)
    assert len(reading.loss) == 100
    assert reading.lowest == pytest.approx(RATES[93])  # six steps are smoothed over
    assert reading.suggested_low == reading.suggested


def test_a_reading_that_should_be_mistrusted_says_why() -> None:
    assert read_curves([valley(at=1e-1, steepest=1e-3)], RATES).warnings == ()
    apart = read_curves([valley(at=1e-4, steepest=1e-5), valley(at=1e-1, steepest=1e-3, seed=1)], RATES)
    assert [said.split(":")[0] for said in apart.warnings] == ["the seeds disagree"]
    few = rising_rates(1e-6, 1.0, 40)
    losses = np.interp(np.log(few), np.log(RATES), valley(at=1e-1, steepest=1e-3).losses)
    short = read_curves([RateCurve("adam", 0, tuple(losses.tolist()))], few)
    assert [said.split(" alone")[0] for said in short.warnings] == ["read from 40 steps"]
    falling = read_curves([RateCurve("adam", 0, tuple(np.linspace(2.3, 0.3, len(RATES)).tolist()))], RATES)
    assert "range_test.end" in "".join(falling.warnings)
    rising = read_curves([RateCurve("adam", 0, tuple(np.linspace(2.3, 6.0, len(RATES)).tolist()))], RATES)
    assert "range_test.start" in "".join(rising.warnings)


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


def test_the_terminal_says_why_a_reading_should_be_mistrusted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = rising_rates(1e-6, 1.0, 20)
    reading = read_curves([RateCurve("adam", 0, tuple(np.linspace(2.3, 0.3, 20).tolist()))], few)
    summarise_range_test(RangeTested(Results(tmp_path), (reading,)))
    said = capsys.readouterr().out.splitlines()
    assert said[2].startswith("adam: 0.1 suggested (1 seed), steepest at")
    assert [line.split(", ")[0] for line in said[3:]] == [
        "warning: adam: read from 20 steps alone", "warning: adam: the loss still falls at the highest rate",
    ]  # fmt: skip
