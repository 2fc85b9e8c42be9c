from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from loading import loaded
from trial_tables import METRIC, as_read, grid, noisy, row

from optimize.soundness import nothing_learned, search_warnings
from optimize.space import Choices, Parameter, Range, SearchSpace
from optimize.statistics import judge, judge_sweep
from optimize.verdict import Verdict


def warnings_of(parameter: Parameter, best: object) -> tuple[str, ...]:
    trials = noisy({"a": 0.98, "b": 0.97})
    verdict = judge(trials, metric=METRIC, direction="maximize")
    return search_warnings(trials, SearchSpace((parameter,)), replace(verdict, values={parameter.path: best}))


RATE = Range("train.learning_rate", 1e-4, 1e-1, log=True)
KERNEL = Choices("model.kernel_size", (7, 3, 5))


@pytest.mark.parametrize(
    ("parameter", "best", "said"),
    [
        (RATE, 1.2e-4, "lower edge of what was tried (0.0001 to 0.1, logarithmic); smaller"),
        (RATE, 0.09, "upper edge of what was tried (0.0001 to 0.1, logarithmic); larger"),
        (KERNEL, 3, "lower edge of what was tried (7, 3, 5); smaller"),
        (KERNEL, 7, "upper edge of what was tried (7, 3, 5); larger"),
        (Range("train.batch_size", 16, 128, step=16, integer=True), 128, "upper edge"),
    ],
)
def test_a_best_value_on_the_edge_is_said(parameter: Parameter, best: object, said: str) -> None:
    (warning,) = warnings_of(parameter, best)
    assert warning.startswith(f"{parameter.path}: the best value, {best}, lies on the ")
    assert said in warning


@pytest.mark.parametrize(
    ("parameter", "best"),
    [
        (RATE, 3e-3), (KERNEL, 5), (Choices("model.pooling", ("max", "average", "blur")), "max"),
        (Choices("model.kernel_size", (3, 5)), 5), (Choices("model.batch_norm", (True, False)), True),
        (Range("train.learning_rate", 0.1, 0.1), 0.1), (Choices("model.kernel_size", tuple(range(1, 31))), 2),
    ],
)  # fmt: skip
def test_a_best_value_inside_or_without_an_order_is_sound(parameter: Parameter, best: object) -> None:
    assert warnings_of(parameter, best) == ()


@pytest.mark.parametrize(
    ("model", "path", "last", "edge"),
    [
        ("dropout: {choices: [0.0, 0.25, 0.5]}", "model.dropout", 0.0, 0.5),
        ("activation: leaky_relu, leaky_relu_slope: {choices: [0.1, 0.5, 1.0]}", "model.leaky_relu_slope", 1.0, 0.1),
        ("l2: {choices: [0, 0.0001, 0.001]}", "model.l2", 0, 0.001),
        ("kernel_size: {choices: [7, 3, 1]}", "model.kernel_size", 1, 7),
        ("kernel_size: {low: 1, high: 7, step: 2}", "model.kernel_size", 1, 7),
        ("dropout: {low: 0.0, high: 0.5, step: 0.01}", "model.dropout", 0.01, 0.49),
    ],
)
def test_an_edge_beyond_which_there_is_nothing_is_none(model: str, path: str, last: float, edge: float) -> None:
    config = loaded(f"data: {{source: digits}}\nmodel: {{{model}}}\nstudy: {{seeds: 3}}\n")
    values = config.space[path].grid()
    for best, warned in ((last, False), (edge, True)):
        trials = as_read(noisy({str(value): 0.98 if value == best else 0.95 for value in values}, path=path))
        verdict = judge_sweep(trials, config)
        assert verdict.values == {path: best}
        assert any("of what was tried" in warning for warning in verdict.warnings) is warned


def test_beyond_whole_choices_of_a_fraction_lie_fractions() -> None:
    text = "data: {source: digits}\nmodel: {network: cnn}\ntrain: {learning_rate: {choices: [1, 2, 3]}}\n"
    path = "train.learning_rate"
    trials = as_read(noisy({"1": 0.98, "2": 0.95, "3": 0.95}, path=path))
    assert any("lower edge" in warning for warning in judge_sweep(trials, loaded(text)).warnings)


def test_a_whole_number_whose_column_has_gaps_is_one_beside_the_others_edges() -> None:
    text = (
        "data: {source: digits}\n"
        "model: {pooling: {choices: [max, average]}, dropout: {choices: [0.0, 0.25, 0.5]},\n"
        "  kernel_size: {choices: [3, 5, 7], when: {model.pooling: max}}}\n"
    )
    config = loaded(text)
    rows = [
        row(config.space.configuration_label(cell), seed, 0.9 + 0.05 * (cell == BEST), path="model.pooling") | cell
        for cell in config.space.cells()
        for seed in range(3)
    ]
    found = judge_sweep(as_read(pd.DataFrame(rows)), config)
    assert found.values == BEST
    assert sum("upper edge" in warning for warning in found.warnings) == 2


BEST = {"model.pooling": "max", "model.dropout": 0.5, "model.kernel_size": 7}


def judged(trials: pd.DataFrame, **how: object) -> tuple[Verdict, tuple[str, ...]]:
    verdict = judge(trials, **({"metric": METRIC, "direction": "maximize"} | how))  # type: ignore[arg-type]
    return verdict, search_warnings(trials, SearchSpace(()), verdict)


def scattered(*values: float | str) -> pd.DataFrame:
    return grid({f"c{i}": [value] for i, value in enumerate(values)})


def test_a_space_of_mostly_bad_values_is_said() -> None:
    _, found = judged(scattered(0.98, 0.97, 0.96, 0.5, 0.4, 0.1, 0.1, 0.1, "failed", "failed"))
    assert found == (
        "70 % of trials failed or ended 10 points below the best: the search space is mostly bad; narrow it.",
    )


def test_a_loss_is_bad_at_twice_the_best() -> None:
    trials = scattered(0.1, 0.11, 0.12, *[0.5] * 6).rename(columns={METRIC: "val_loss"})
    assert judged(trials, metric="val_loss", direction="minimize")[1][0].startswith(
        "67 % of trials ended 2 times the best: "
    )


def test_where_trials_only_fail_no_space_is_called_bad() -> None:
    _, found = judged(scattered(0.98, 0.97, 0.96, *["failed"] * 7))
    assert found == ("70 % of trials failed or diverged; the column reason of trials.csv says why.",)


def test_a_space_of_good_values_is_sound() -> None:
    assert judged(scattered(*np.linspace(0.93, 0.98, 20)))[1] == ()


def test_pruned_trials_are_not_called_bad() -> None:
    assert judged(scattered(*[0.98] * 8, *["pruned"] * 30))[1] == ()


def test_few_trials_are_no_share() -> None:
    assert judged(scattered(0.98, 0.1, 0.1, 0.1))[1] == ()


def test_only_the_search_is_doubted() -> None:
    search = scattered(*np.linspace(0.93, 0.98, 10))
    confirmation = pd.DataFrame(row("c0", seed, "failed", purpose="confirm") for seed in range(40))
    assert judged(pd.concat([search, confirmation], ignore_index=True))[1] == ()


# Chance


def test_a_best_choice_at_chance_is_said() -> None:
    trials = noisy({"a": 0.12, "b": 0.11})
    (said,) = nothing_learned(trials, judge(trials, metric=METRIC, direction="maximize"), 0.11, 237)
    assert said.startswith("Nothing was learned: the best choice, a, reaches 12.")
    assert "most frequent class 11.0 % (up to 15.2 % on another 237 images)" in said


def test_a_best_choice_above_chance_has_learned() -> None:
    trials = noisy({"a": 0.20, "b": 0.11})
    assert nothing_learned(trials, judge(trials, metric=METRIC, direction="maximize"), 0.11, 237) == ()


def test_chance_is_of_the_accuracy_whatever_the_metric() -> None:
    trials = noisy({"a": 2.3, "b": 2.4}, metric="val_loss").assign(val_accuracy=0.1)
    verdict = judge(trials, metric="val_loss", direction="minimize")
    assert nothing_learned(trials, verdict, 0.11, 237)
    assert nothing_learned(trials.drop(columns="val_accuracy"), verdict, 0.11, 237) == ()


def test_a_lucky_seed_makes_the_others_of_its_configuration_no_worse() -> None:
    _, found = judged(grid({"a": [0.95, 0.8, 0.81, 0.82], "b": [0.83, 0.81, 0.8, 0.82]}))
    assert found == ()
