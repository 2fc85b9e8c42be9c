"""Every sampler finishes its trials, and every pruner really stops some."""

from collections.abc import Callable
from importlib.util import find_spec

import pytest
from optuna.trial import TrialState

import stubs
from optimize.asktell import ask_trial
from optimize.samplers import make_pruner
from sweeps import LEARNING_RATE, Bench

Open = Callable[[str], Bench]
TWO_RANGES = LEARNING_RATE.replace("network: cnn", "network: cnn, dropout: {low: 0.0, high: 0.5}")


@pytest.mark.parametrize("sampler", ["random", "tpe", "gp", "cmaes", "qmc", "nsga2"])
def test_a_sampler_spends_its_budget(bench: Open, sampler: str) -> None:
    if sampler == "gp" and find_spec("torch") is None:
        pytest.skip("the gp sampler needs torch: pip install 'optimize-sweeps[gp]'")
    sweep = bench(TWO_RANGES.replace("sampler: random, trials: 6", f"sampler: {sampler}, trials: 13"))
    assert sweep.run(stubs.learn) == "done"
    trials = sweep.study.get_trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 13
    assert len({str(trial.params) for trial in trials}) > 10
    for trial in trials:
        assert 1e-4 <= trial.params["train.learning_rate"] <= 1e-1
        assert 0.0 <= trial.params["model.dropout"] <= 0.5


def test_a_sequence_that_many_workers_draw_from_at_once_has_no_point_twice(bench: Open) -> None:
    """Before a first trial has ended the sequence does not know what it is of."""
    sweep = bench(TWO_RANGES.replace("sampler: random, trials: 6", "sampler: qmc, trials: 8"))
    drawn = [ask_trial(sweep.study, sweep.config, number, {})[1] for number in range(8)]
    assert len({str(values) for values in drawn}) == 8


def test_a_sequence_varies_what_is_on_sometimes(bench: Open) -> None:
    text = TWO_RANGES.replace("sampler: random, trials: 6", "sampler: qmc, trials: 24")
    text = text.replace(
        "network: cnn",
        "network: cnn, activation: {choices: [relu, leaky_relu]}, "
        "leaky_relu_slope: {low: 0.1, high: 0.5, when: {model.activation: leaky_relu}}",
    )
    sweep = bench(text)
    sweep.run(stubs.learn)
    slopes = sweep.results.trials()["model.leaky_relu_slope"].dropna()
    assert len(slopes) > 2
    assert slopes.nunique() == len(slopes)


@pytest.mark.parametrize("sampler", ["cmaes", "{name: cmaes, with_margin: true}"])
def test_what_is_on_sometimes_is_not_adapted_and_random_draws_are_no_warnings(
    bench: Open, sampler: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """The first trials have the slope: as one more dimension, it would end the adaptation with the first without."""
    text = TWO_RANGES.replace("sampler: random, trials: 6", f"sampler: {sampler}, trials: 20")
    text = text.replace(
        "network: cnn",
        "network: cnn, activation: {choices: [relu, leaky_relu]}, "
        "leaky_relu_slope: {low: 0.1, high: 0.5, when: {model.activation: leaky_relu}}",
    )
    points = ["{model.activation: leaky_relu}"] * 10 + ["{model.activation: relu}"]
    sweep = bench(text.replace("confirm: null", f"confirm: null, start: [{', '.join(points)}]"))
    assert sweep.run(stubs.learn) == "done"
    last = sweep.study.get_trials()[-5:]
    assert all(any(key.endswith("generation") for key in trial.system_attrs) for trial in last)
    assert "sampled independently" not in capfd.readouterr().err


def test_hyperband_knows_how_many_epochs_a_whole_trial_has(bench: Open) -> None:
    text = LEARNING_RATE.replace("confirm: null", "confirm: null, pruner: hyperband").replace("epochs: 3", "epochs: 9")
    assert make_pruner(bench(text).config)._max_resource == 9
    wrapped = text.replace("pruner: hyperband", "pruner: {name: patient, patience: 1, wrapped: hyperband}")
    assert make_pruner(bench(wrapped).config)._wrapped_pruner._max_resource == 9


@pytest.mark.parametrize(
    "pruner",
    [
        "median",
        "{name: hyperband, max_resource: 9}",
        "asha",
        "{name: wilcoxon, n_startup_steps: 2}",
        "{name: patient, patience: 2, wrapped: median}",
        "{name: threshold, lower: 0.7}",
    ],
)
def test_a_pruner_stops_bad_trials_and_spares_the_best(bench: Open, pruner: str) -> None:
    text = LEARNING_RATE.replace("confirm: null", f"confirm: null, pruner: {pruner}")
    text = text.replace("trials: 6", "trials: 30").replace("epochs: 3", "epochs: 9")
    sweep = bench(text)
    assert sweep.run(stubs.fades) == "done"
    table = sweep.results.trials()
    assert len(table) == 30
    pruned = table[table["state"] == "pruned"]
    assert 0 < len(pruned) < 30
    assert (pruned["epochs"] < 9).all()
    assert sweep.study.best_value == table.loc[table["state"] == "complete", "val_accuracy"].max()


def test_without_a_pruner_nothing_is_stopped(bench: Open) -> None:
    sweep = bench(LEARNING_RATE)
    sweep.run(stubs.fades)
    assert set(sweep.results.trials()["state"]) == {"complete"}
