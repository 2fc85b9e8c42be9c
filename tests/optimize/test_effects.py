import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from trial_tables import METRIC, as_read, row

from optimize.effects import interactions, levels_of, marginal_effects
from optimize.space import Choices, Range, SearchSpace

POOLING = Choices("model.pooling", ("max", "average"))
ACTIVATION = Choices("model.activation", ("relu", "tanh", "elu"))
SLOPE = Choices("model.leaky_relu_slope", (0.1, 0.3), {"model.activation": ("leaky_relu",)})
RATE = Range("train.learning_rate", 1e-4, 1.0, log=True)


def factorial(effect: dict[str, float], *, noise: float = 0.0, seeds: int = 2) -> pd.DataFrame:
    """Every pooling with every activation, the metric the sum of their effects."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        row(f"{pooling} {activation}", seed, 0.9 + effect[pooling] + effect[activation] + rng.normal(0, noise))
        | {"model.pooling": pooling, "model.activation": activation}
        for seed in range(seeds)
        for pooling, activation in itertools.product(POOLING.values, ACTIVATION.values)
    )


EFFECTS = {"max": 0.01, "average": -0.01, "relu": 0.02, "tanh": -0.03, "elu": 0.01}


def effects_of(trials: pd.DataFrame, *parameters: Choices | Range) -> dict[str, float]:
    table = marginal_effects(trials, SearchSpace(parameters), metric=METRIC)
    return dict(zip(table["level"], table["effect"], strict=True))


def test_the_effects_of_a_factorial_are_found() -> None:
    assert effects_of(factorial(EFFECTS), POOLING, ACTIVATION) == pytest.approx(EFFECTS)


def test_a_level_gets_no_credit_for_the_company_it_kept() -> None:
    trials = factorial(EFFECTS, seeds=1)
    company = trials["configuration"].isin(["average relu", "max tanh"])
    repeated = pd.concat([trials, *[trials[company]] * 10], ignore_index=True)
    means = repeated.groupby("model.pooling")[METRIC].mean()
    assert means["average"] > means["max"]
    assert effects_of(repeated, POOLING, ACTIVATION) == pytest.approx(EFFECTS)


def test_standard_errors_are_those_of_a_balanced_design() -> None:
    trials = factorial(EFFECTS, noise=0.005, seeds=50)
    table = marginal_effects(trials, SearchSpace((POOLING, ACTIVATION)), metric=METRIC).set_index("level")
    n = len(trials)
    assert table.loc["max", "standard_error"] == pytest.approx(0.005 / np.sqrt(n), rel=0.1)
    assert table.loc["relu", "standard_error"] == pytest.approx(0.005 * np.sqrt(2 / n), rel=0.1)
    assert table["n"].tolist() == [150, 150, 100, 100, 100]
    for level, effect in EFFECTS.items():
        assert abs(table.loc[level, "effect"] - effect) < 4 * table.loc[level, "standard_error"]
        assert table.loc[level, "low"] < table.loc[level, "effect"] < table.loc[level, "high"]


def test_a_parameter_is_tested_as_a_whole() -> None:
    """With two levels, the F test of a parameter is the t test of either; noise alone gives p values evenly."""
    space = SearchSpace((POOLING, ACTIVATION))
    table = marginal_effects(factorial(EFFECTS, noise=0.02, seeds=4), space, metric=METRIC).set_index("level")
    t = table.loc["max", "effect"] / table.loc["max", "standard_error"]
    df = 24 - 1 - 1 - 2 - 3
    assert table.loc["max", "p"] == pytest.approx(2 * stats.t.sf(abs(t), df))
    assert table.loc["relu", "p"] == table.loc["tanh", "p"] == table.loc["elu", "p"] < 0.05


def test_too_few_trials_leave_the_error_open() -> None:
    table = marginal_effects(factorial(EFFECTS, seeds=1).head(3), SearchSpace((POOLING, ACTIVATION)), metric=METRIC)
    assert table[["standard_error", "p"]].isna().all(axis=None)


def test_equal_values_have_no_effect_and_no_error() -> None:
    for value in (0.0, 0.97, 1.0):  # whose mean is rounded, or not
        trials = factorial(EFFECTS).assign(**{METRIC: value})
        found = marginal_effects(trials, SearchSpace((POOLING, ACTIVATION)), metric=METRIC)
        assert (found["effect"] == 0).all()
        assert found[["standard_error", "low", "high", "p"]].isna().all(axis=None)


def test_failed_and_pruned_trials_have_no_effect() -> None:
    trials = factorial(EFFECTS)
    bad = pd.DataFrame([row("x", 0, "failed"), row("y", 0, "pruned")]).assign(**{"model.activation": "relu"})
    assert effects_of(pd.concat([trials, bad], ignore_index=True), POOLING, ACTIVATION) == pytest.approx(EFFECTS)


def test_a_parameter_with_one_level_has_no_effect() -> None:
    trials = factorial(EFFECTS)
    assert set(effects_of(trials[trials["model.pooling"] == "max"], POOLING, ACTIVATION)) == set(ACTIVATION.values)
    assert marginal_effects(trials.head(1), SearchSpace((POOLING,)), metric=METRIC).empty


def test_a_range_is_cut_in_four_on_its_own_scale() -> None:
    levels = levels_of(RATE, pd.Series([1e-4, 2e-3, 0.05, 0.9, 1.0, np.nan]))
    assert levels.labels == ("0.0001 to 0.001", "0.001 to 0.01", "0.01 to 0.1", "0.1 to 1")
    assert levels.of_trial.tolist() == [0, 1, 2, 3, 3, -1]


def test_levels_that_do_not_occur_are_left_out() -> None:
    levels = levels_of(ACTIVATION, pd.Series(["elu", "relu", "elu"]))
    assert (levels.labels, levels.of_trial.tolist()) == (("relu", "elu"), [1, 0, 1])


def test_levels_are_found_in_a_table_that_was_read_back() -> None:
    parameters = (Choices("a.units", (32, 64)), Choices("a.filters", ((8,), (8, 16))), Choices("a.flag", (True, False)))
    cells = pd.DataFrame({"a.units": [32, np.nan], "a.filters": ["[8, 16]", "[8]"], "a.flag": ["true", "false"]})
    read = as_read(cells.assign(configuration="x"))
    assert [levels_of(p, read[p.path]).of_trial.tolist() for p in parameters] == [[0, -1], [1, 0], [0, 1]]


def test_the_effects_of_a_conditional_parameter_are_among_the_trials_that_have_it() -> None:
    activation = Choices("model.activation", ("relu", "leaky_relu"))
    metric = {("relu", np.nan): 0.90, ("leaky_relu", 0.1): 0.94, ("leaky_relu", 0.3): 0.92}
    trials = pd.DataFrame(
        row(f"{a} {s}", seed, value + seed / 1000) | {"model.activation": a, "model.leaky_relu_slope": s}
        for seed in range(3)
        for (a, s), value in metric.items()
    )
    found = effects_of(trials, activation, SLOPE)
    assert found == pytest.approx({"relu": -0.015, "leaky_relu": 0.015, "0.1": 0.01, "0.3": -0.01})


# Interactions


def test_a_sum_of_effects_has_no_interaction() -> None:
    table = interactions(factorial(EFFECTS), SearchSpace((POOLING, ACTIVATION)), metric=METRIC)
    assert len(table) == 6
    assert table["interaction"].to_numpy() == pytest.approx(np.zeros(6), abs=1e-12)
    cell = table.set_index(["first_level", "second_level"]).loc[("max", "relu")]
    assert (cell["mean"], cell["effect"], cell["n"]) == (pytest.approx(0.93), pytest.approx(0.03), 2)


def test_an_interaction_is_what_no_sum_explains() -> None:
    trials = factorial(EFFECTS)
    together = (trials["model.pooling"] == "max") & (trials["model.activation"] == "relu")
    trials.loc[together, METRIC] += 0.06
    table = interactions(trials, SearchSpace((POOLING, ACTIVATION)), metric=METRIC)
    found = table.set_index(["first_level", "second_level"])["interaction"]
    assert found[("max", "relu")] == pytest.approx(0.06 * (1 - 1 / 2) * (1 - 1 / 3))
    assert found[("average", "relu")] == pytest.approx(-0.06 / 2 * (1 - 1 / 3))
    assert found[("average", "tanh")] == pytest.approx(0.06 / 2 / 3)


def test_a_parameter_and_the_only_choice_it_counts_with_have_no_interaction() -> None:
    activation = Choices("model.activation", ("relu", "leaky_relu"))
    trials = pd.DataFrame(
        row(f"{pooling} {a} {s}", 0, 0.9) | {"model.pooling": pooling, "model.activation": a, SLOPE.path: s}
        for pooling in POOLING.values
        for a, s in (("relu", np.nan), ("leaky_relu", 0.1), ("leaky_relu", 0.3))
    )
    table = interactions(trials, SearchSpace((POOLING, activation, SLOPE)), metric=METRIC)
    pairs = table[["first", "second"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [[POOLING.path, activation.path], [POOLING.path, SLOPE.path]]


def test_a_single_parameter_has_no_interactions() -> None:
    assert interactions(factorial(EFFECTS), SearchSpace((POOLING,)), metric=METRIC).empty
