"""Verdicts err as seldom as they say: the simulations of docs/statistics.md, which must still say the same."""

import re
from pathlib import Path

import pytest
import statistics_simulation as simulation
from statistics_simulation import (
    EQUAL,
    FOLDINGS,
    REPLICATES,
    SPREAD,
    UNEQUAL,
    Folding,
    Scenario,
    figures,
    forecasts,
)

DOCS = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"
ROUNDING = 0.11
"""Percentage points by which a figure may differ from the documented one: other libraries, other last digits."""


def documented() -> dict[str, list[float]]:
    """By the first cell of a row, the per cents of the tables in the documentation."""
    rows = re.findall(r"^\| ([^|]+) \|(.+ %) \|$", DOCS.read_text(), re.MULTILINE)
    return {name: [float(share) for share in re.findall(r"([\d.]+) %", cells)] for name, cells in rows}


def named(scenario: Scenario) -> str:
    return scenario.name


def test_there_are_ten_thousand_replicates() -> None:
    assert REPLICATES == 10_000


@pytest.mark.parametrize("scenario", EQUAL, ids=named)
def test_choices_that_are_equal_are_seldom_told_apart_and_intervals_hold_what_they_say(scenario: Scenario) -> None:
    found = figures(scenario)
    assert found.false_decisions <= 0.056
    assert 0.944 <= found.coverage <= 0.956


@pytest.mark.parametrize("scenario", UNEQUAL, ids=named)
def test_so_it_is_with_missing_trials_heavy_tails_and_other_choices_that_differ(scenario: Scenario) -> None:
    found = figures(scenario)
    assert found.false_decisions <= 0.056
    assert 0.944 <= found.coverage <= 0.956
    assert found.closest_coverage >= 0.944


@pytest.mark.parametrize("scenario", [*EQUAL, *UNEQUAL, *SPREAD], ids=named)
def test_the_documentation_says_what_the_simulation_finds(scenario: Scenario) -> None:
    found = figures(scenario)
    shares = (found.false_decisions, found.coverage, found.closest_coverage, found.pooled)
    assert documented()[scenario.name] == pytest.approx([100 * share for share in shares], abs=ROUNDING)


def test_forecasts_of_power_come_true() -> None:
    for forecast in forecasts():
        assert forecast.at_its_level == pytest.approx(forecast.forecast, abs=0.025), forecast.name
        assert forecast.decided >= forecast.forecast - 0.01, forecast.name
        shares = [100 * share for share in (forecast.forecast, forecast.at_its_level, forecast.decided)]
        assert documented()[forecast.name] == pytest.approx(shares, abs=ROUNDING)


@pytest.mark.parametrize("folding", FOLDINGS, ids=lambda folding: folding.name)
def test_equal_learners_are_told_apart_on_folds_less_often_by_the_corrected_test(folding: Folding) -> None:
    naive, corrected = folding.false_decisions()
    assert corrected <= 0.056
    assert naive > 0.2 or folding.draws == 1
    assert documented()[folding.name] == pytest.approx([100 * naive, 100 * corrected], abs=ROUNDING)


@pytest.mark.parametrize(("choices", "configurations"), [(2, 5), (4, 10)])
def test_equal_choices_of_a_factor_are_seldom_told_apart(choices: int, configurations: int) -> None:
    assert simulation.false_factor_decisions(choices, configurations, sweeps=200) <= 0.056 + 0.03
