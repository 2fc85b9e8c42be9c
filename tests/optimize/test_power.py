import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.power import ttest_power

from optimize.power import POWER, detectable_difference, power, seeds_needed
from optimize.verdict import SEEDS_LIMIT


@given(difference=st.floats(-4, 4), n=st.integers(2, 60), per_block=st.integers(1, 9), level=st.floats(1e-4, 0.2))
def test_power_is_that_of_statsmodels(difference: float, n: int, per_block: int, level: float) -> None:
    oracle = ttest_power(difference / 1.5, n, level, df=per_block * (n - 1))
    if math.isfinite(oracle):  # it is NaN for some large differences
        assert power(difference, spread=1.5, n=n, df_per_block=per_block, level=level) == pytest.approx(
            oracle, abs=1e-8
        )


@pytest.mark.parametrize("difference", [1e5, 1e9, 1e15])
def test_a_huge_difference_is_sure_to_be_detected(difference: float) -> None:
    assert power(difference, spread=1.0, n=[2, 5, 1000], level=1e-3) == pytest.approx([1, 1, 1])


@given(effect=st.floats(0.15, 50), per_block=st.integers(1, 9), level=st.sampled_from([0.05, 0.05 / 6, 0.05 / 45]))
def test_the_seeds_needed_are_the_fewest_that_reach_the_power(effect: float, per_block: int, level: float) -> None:
    found = seeds_needed(effect, spread=1.0, df_per_block=per_block, level=level)
    if math.isnan(found):
        assert power(effect, spread=1.0, n=SEEDS_LIMIT, df_per_block=per_block, level=level) < POWER
        return
    assert power(effect, spread=1.0, n=found, df_per_block=per_block, level=level) >= POWER
    assert found == 2 or power(effect, spread=1.0, n=found - 1, df_per_block=per_block, level=level) < POWER


def test_a_difference_of_one_spread_needs_ten_seeds() -> None:
    assert seeds_needed(1.0, spread=1.0) == 10  # as every table of the paired t test has it


def test_many_pairs_are_forecast_at_once() -> None:
    found = seeds_needed([2.0, 0.5, 0.0], spread=[1.0, 1.0, 1.0])
    assert found[:2].tolist() == [float(seeds_needed(d, spread=1.0)) for d in (2.0, 0.5)]
    assert np.isnan(found[2])


@pytest.mark.parametrize(
    ("n", "per_block", "level"), [(2, 1, 0.05), (3, 2, 0.05 / 3), (5, 3, 0.05 / 6), (100, 1, 0.05)]
)
def test_the_detectable_difference_is_detected_with_the_stated_power(n: int, per_block: int, level: float) -> None:
    found = detectable_difference(spread=0.02, n=n, df_per_block=per_block, level=level)
    assert power(found, spread=0.02, n=n, df_per_block=per_block, level=level) == pytest.approx(POWER, abs=1e-4)


def test_without_spread_every_difference_is_detectable() -> None:
    assert detectable_difference(spread=0.0, n=3) == 0
