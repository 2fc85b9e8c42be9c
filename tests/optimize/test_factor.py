import numpy as np
import pandas as pd
import pytest
from trial_tables import METRIC, row

from optimize.factor import factor_verdict, too_few
from optimize.verdict import FactorVerdict

POOLING, RATE = "model.pooling", "train.learning_rate"


def search(values: dict[str, list[float | str]], **more: object) -> pd.DataFrame:
    """Every choice of pooling with as many learning rates as it has values."""
    return pd.DataFrame(
        row(f"pooling={choice} learning_rate={i}", 0, value) | {POOLING: choice, RATE: i, **more}
        for choice, found in values.items()
        for i, value in enumerate(found)
    )


def drawn(means: dict[str, float], n: int = 20, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return search({choice: (mean - rng.exponential(0.01, n)).tolist() for choice, mean in means.items()})


def verdict(trials: pd.DataFrame, **how: object) -> FactorVerdict:
    return factor_verdict(trials, POOLING, **({"metric": METRIC, "direction": "maximize"} | how))  # type: ignore[arg-type]


def test_a_choice_that_is_better_at_its_best_wins_although_it_is_worse_on_average() -> None:
    rng = np.random.default_rng(0)
    fussy = [*(0.99 - rng.exponential(0.001, 10)), *rng.uniform(0.1, 0.6, 10)]
    steady = list(0.97 - rng.exponential(0.001, 20))
    found = verdict(search({"fussy": fussy, "steady": steady}))
    assert np.mean(fussy) < np.mean(steady)
    assert (found.winner, found.decided) == ("fussy", True)
    assert found.sentence.startswith("fussy beats steady by ")
    assert "), each at the best to be expected of 10 of its 20 configurations, on this validation set" in found.sentence


def test_equal_choices_are_not_separable() -> None:
    found = verdict(drawn({"max": 0.98, "average": 0.98, "stride": 0.9}))
    assert not found.decided
    assert ", each at the best to be expected of 10 of its 20 configurations, are not separable; " in found.sentence
    assert (
        found.sentence.split(";")[1].strip() == f"{found.winner} beats stride, on this validation set and these seeds."
    )


def test_a_choice_whose_mean_few_replicates_carry_beats_nothing() -> None:
    """Ten draws of 20 meet none of 7 good configurations once in 75 replicates, and then the difference is great."""
    found = verdict(search({"steady": [0.980] * 20, "fussy": [*[0.982] * 7, *[0.10] * 13]}))
    assert found.winner == "steady"
    assert found.pairs[0].low < 0
    assert found.pairs[0].p == 1
    assert not found.decided


def test_each_choice_says_what_was_found_and_how_lucky_that_was() -> None:
    trials = drawn({"max": 0.98, "average": 0.97})
    found = verdict(trials)
    for choice in found.choices:
        rows = trials[trials[POOLING] == choice.choice]
        assert choice.best == rows[METRIC].max()
        assert choice.best_configuration == rows.loc[rows[METRIC].idxmax(), "configuration"]
        assert choice.low < choice.expected_best < choice.best == choice.high
        assert choice.n == choice.usable == 20
    assert sum(choice.probability_best for choice in found.choices) == pytest.approx(1)


def test_the_expected_best_is_that_of_so_many_draws() -> None:
    values = np.sort(np.random.default_rng(0).normal(size=12))
    found = verdict(search({"max": values.tolist(), "average": (values - 9).tolist()}))
    assert found.budget == 6
    shares = np.diff((np.arange(13) / 12) ** 6)
    assert found.choices[0].expected_best == pytest.approx(shares @ values, abs=0.02)


def test_a_loss_is_best_where_it_is_least() -> None:
    trials = drawn({"max": -0.1, "average": -0.5})
    trials[METRIC] *= -1
    found = verdict(trials, direction="minimize")
    assert found.winner == "max"
    assert found.choices[0].best == trials[METRIC].min()
    assert found.choices[0].best < found.choices[0].expected_best
    assert found.pairs[0].difference > 0


def test_the_same_trials_give_the_same_verdict() -> None:
    trials = drawn({"max": 0.98, "average": 0.975})
    assert verdict(trials) == verdict(trials)
    assert verdict(trials) != verdict(trials, seed=1)


def test_failed_trials_use_up_their_choices_budget() -> None:
    values = drawn({"max": 0.98, "average": 0.97})
    failing = pd.concat([values, search({"max": ["failed"] * 20})], ignore_index=True)
    failing.loc[values.index[-1] + 1 :, "configuration"] = [f"pooling=max learning_rate={i}" for i in range(20, 40)]
    before, after = verdict(values), verdict(failing)
    assert (after.choices[0].n, after.choices[0].usable) == (40, 20)
    assert after.choices[0].expected_best < before.choices[0].expected_best
    told = "The choices had different budgets (configurations: 40 of max and 20 of average);"
    assert any(warning.startswith(told) for warning in after.warnings)


def test_a_choice_that_always_fails_is_named_and_not_compared() -> None:
    found = verdict(pd.concat([drawn({"max": 0.98}), search({"average": ["failed"] * 5})], ignore_index=True))
    assert [choice.choice for choice in found.choices] == ["max"]
    assert found.warnings == ("average: no usable trial, so it is not compared.",)
    assert found.sentence == "Only max was tried, so there is nothing to compare it with."
    assert not found.decided


def test_without_any_usable_trial_there_is_no_verdict() -> None:
    found = verdict(search({"max": ["failed"], "average": ["pruned"]}))
    assert (found.winner, found.choices, found.decided) == (None, (), False)
    assert found.sentence == "There is no verdict: no trial is complete."


@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_configurations_decide_nothing_however_far_apart(n: int) -> None:
    found = verdict(search({"max": [0.99, 0.98, 0.985][:n], "average": [0.1, 0.2, 0.15][:n]}))
    assert not found.decided
    assert found.warnings == (
        "model.pooling: too few configurations to tell 2 choices apart, whatever they reach: "
        f"{n} of a choice, where it takes 4 of each.",
    )


@pytest.mark.parametrize(
    ("tried", "enough"),
    [
        ((4, 4), True),
        ((3, 5), True),
        ((3, 4), False),
        ((5, 5, 5), True),
        ((4, 4, 4), False),
        ((5, 5, 1), False),
    ],
)
def test_what_is_too_few_is_what_can_decide_nothing(tried: tuple[int, ...], enough: bool) -> None:
    apart = {str(choice): np.linspace(choice, choice + 0.1, n).tolist() for choice, n in enumerate(tried)}
    assert (too_few(POOLING, tried) is None) == enough
    assert verdict(search(apart)).decided == enough


def test_the_seeds_of_one_configuration_count_once() -> None:
    trials = drawn({"max": 0.98, "average": 0.97})
    again = trials.assign(seed=1, **{METRIC: trials[METRIC] - 0.002})
    found = verdict(pd.concat([trials, again], ignore_index=True))
    assert found.choices[0].n == 20
    assert found.choices[0].best == pytest.approx(trials[METRIC].max() - 0.001)


def test_the_confirmation_is_no_part_of_the_search() -> None:
    trials = drawn({"max": 0.98, "average": 0.97})
    confirmation = search({"average": [1.0] * 20}, purpose="confirm")
    assert verdict(pd.concat([trials, confirmation], ignore_index=True)) == verdict(trials)


def test_more_choices_than_the_replicates_can_tell_apart_are_too_many() -> None:
    assert too_few("model.pooling", [100] * 32) is None
    said = too_few("model.pooling", [100] * 33)
    assert said == "model.pooling: 33 choices are too many to be told apart, whatever they reach."
