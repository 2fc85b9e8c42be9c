"""The rules between one part of a sweep file and another: each refuses what it is about, at its place, and no more."""

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest
from loading import loaded, refused

from optimize.config import load_config

GRID = "data: {source: digits}\nmodel: {pooling: {choices: [max, average]}}\n"
RANGE = "data: {source: digits}\nmodel: {dropout: {low: 0.1, high: 0.5}}\n"
TPE = RANGE + "study: {sampler: tpe, trials: 20}\n"


class Case(NamedTuple):
    text: str
    override: str
    """What makes a file wrong that is right without it."""
    path: str
    said: str


CASES = {
    "grid with a range that has no step": Case(
        GRID, "model.dropout={low: 0, high: 0.5}", "model.dropout", "a grid takes no range without a step"
    ),
    "grid with trials": Case(GRID, "study.trials=5", "study.trials", "takes no `trials`"),
    "sampler without trials": Case(TPE, "study.trials=null", "study.sampler", "tpe goes on as long as it is let"),
    "several seeds of a sampler": Case(TPE, "study.seeds=3", "study.seeds", "tpe searches with one seed"),
    "folds of a sampler": Case(TPE, "study.folds=5", "study.folds", "of a grid alone"),
    "race of a sampler": Case(TPE, "study.race=true", "study.race", "of a grid alone"),
    "race of three seeds": Case(GRID + "study: {race: true}\n", "study.seeds=3", "study.race", "takes at least 4"),
    "confirm with a grid": Case(GRID, "study.confirm={top: 3}", "study.confirm", "nothing to confirm"),
    "start with a grid": Case(GRID, "study.start=[{model.pooling: max}]", "study.start", "tries every point anyway"),
    "more finalists than trials": Case(TPE, "study.confirm={top: 21}", "study.confirm.top", "21 finalists of 20"),
    "confirm on seeds of the search": Case(TPE, "study.confirm={seeds: [0, 1]}", "study.confirm", "must be fresh"),
    "accuracy as a percentage": Case(GRID, "study.stop.target=99.5", "study.stop.target", "a fraction from 0 to 1"),
    "a target of nothing": Case(GRID, "study.stop.target=0", "study.stop.target", "a fraction from 0"),
    "an accuracy below which trials are pruned, as a percentage": Case(
        GRID, "study.pruner={name: threshold, lower: 90}", "study.pruner.lower", "a fraction from 0 to 1"
    ),
    "a metric that nothing reports": Case(GRID, "study.metric=accuracy", "study.metric", "unknown value"),
    "val_loss when the loss is swept": Case(
        GRID + "train: {loss: {choices: [mse, focal]}}\n", "study.metric=val_loss", "study.metric", "not comparable"
    ),
    "val_loss when whole trainings are swept, of other losses": Case(
        GRID + "train: {choices: [{loss: mse}, {epochs: 2}]}\n", "study.metric=val_loss", "study.metric", "comparable"
    ),
    "val_loss when the loss is sometimes off": Case(
        GRID + "train: {loss: {choices: [mse], when: {model.pooling: max}}}\n", "study.metric=val_loss",
        "study.metric", "comparable",
    ),
    "val_loss when label smoothing is swept": Case(
        GRID + "train: {label_smoothing: {choices: [0, 0.1]}}\n", "study.metric=val_loss", "study.metric", "comparable"
    ),
    "val_loss when l2 is swept": Case(
        GRID.replace("pooling: {choices: [max, average]}", "l2: {choices: [0, 0.1]}"),
        "study.metric=val_loss", "study.metric", "not comparable",
    ),
    "a rate within whole trainings, in a range test": Case(
        GRID + "train: {choices: [{learning_rate: 0.1}, {learning_rate: 0.2}]}\n", "study.range_test={}", "train",
        "differ in nothing but the rate",
    ),
    "the same optimizer with and without a rate, in a range test": Case(
        GRID + "train: {optimizer: {choices: [sgd, {name: sgd, learning_rate: 0.5}]}}\n", "study.range_test={}",
        "train.optimizer", "differ in nothing but the rate",
    ),
    "cmaes without a range": Case(
        GRID + "study: {sampler: random, trials: 5}\n", "study.sampler=cmaes", "study.sampler", "adapts numeric ranges"
    ),
    "cmaes with a range that counts sometimes": Case(
        RANGE.replace("{dropout: {low: 0.1, high: 0.5}}", "{dropout: {low: 0.1, high: 0.5, when: {train.loss: mse}}}")
        + "train: {loss: {choices: [mse, mae]}}\nstudy: {sampler: random, trials: 5}\n",
        "study.sampler=cmaes", "study.sampler", "adapts numeric ranges that always count",
    ),
    "a pruner with one epoch": Case(
        GRID + "study: {pruner: median}\n", "train.epochs=1", "study.pruner", "between epochs, and each trial has one"
    ),
    "a hyperband whose trials end before its first rung": Case(
        GRID, "study.pruner={name: hyperband, min_resource: 5, max_resource: 3}",
        "study.pruner.max_resource", "must be at least min_resource, 5, but read 3",
    ),
    "a point to start with of values that exclude each other": Case(
        TPE.replace("{dropout:", "{activation: {choices: [relu, elu]}, dropout:")
        .replace("high: 0.5", "high: 0.5, when: {model.activation: elu}"),
        "study.start=[{model.activation: relu, model.dropout: 0.2}]",
        "study.start.0.model.dropout", "does not count beside the other values",
    ),
    "a point to start with of which one value turns off another that two levels part": Case(
        TPE.replace("{dropout:", "{activation: {choices: [relu, elu]}, l2: {choices: [0, 1e-4], when: "
                    "{model.activation: elu}}, dropout:").replace("high: 0.5", "high: 0.5, when: {model.l2: 1e-4}"),
        "study.start=[{model.activation: relu, model.dropout: 0.2}]",
        "study.start.0.model.dropout", "does not count beside the other values",
    ),
    "patience that nothing outlasts": Case(
        GRID + "train: {epochs: 5}\n", "study.pruner={name: patient, patience: 100}",
        "study.pruner.patience", "no trial has more than 5",
    ),
    "a pruner that waits too long": Case(
        GRID + "train: {epochs: 5}\n", "study.pruner={name: median, n_warmup_steps: 5}",
        "study.pruner.n_warmup_steps", "no trial has more than 5",
    ),
    "rungs skipped until none is left": Case(
        GRID + "train: {epochs: 5}\n", "study.pruner={name: asha, min_early_stopping_rate: 2}",
        "study.pruner.min_early_stopping_rate", "waits 16 epochs, and no trial has more than 5",
    ),
    "compare what is not swept": Case(GRID, "study.compare=poling", "study.compare", "did you mean 'model.pooling'?"),
    "compare a range": Case(TPE, "study.compare=model.dropout", "study.compare", "is a range; what is compared are"),
    "compare what counts only sometimes": Case(
        GRID + "train: {loss: {choices: [mse, mae], when: {model.pooling: max}}}\n",
        "study.compare=train.loss", "study.compare", "counts only sometimes",
    ),
    "compare the only thing that is swept": Case(
        GRID, "study.compare=model.pooling", "study.compare", "each of its choices has a single configuration"
    ),
    "a baseline of what is not swept": Case(
        GRID, "study.baseline={model.padding: same}", "study.baseline.model.padding", "is not swept"
    ),
    "a baseline that is no choice": Case(
        GRID, "study.baseline={model.pooling: blur}", "study.baseline.model.pooling", "unknown value 'blur'"
    ),
    "a baseline without a range's value": Case(
        TPE + "train: {loss: {choices: [mse, mae]}}\n", "study.baseline={train.loss: mse}", "study.baseline",
        "model.dropout is a range, so that the baseline must say it",
    ),
    "a baseline of what is off": Case(
        GRID + "train: {loss: {choices: [mse, mae], when: {model.pooling: max}}}\n",
        "study.baseline={model.pooling: average, train.loss: mse}", "study.baseline.train.loss", "does not count",
    ),
    "a start outside of its range": Case(
        TPE, "study.start=[{model.dropout: 0.2}, {model.dropout: 0.6}]", "study.start.1.model.dropout", "0.1 to 0.5"
    ),
    "nothing swept": Case(GRID, "model.pooling=max", "model", "nothing is swept"),
    "nothing swept, once": Case(GRID + "study: {}\n", "model.pooling=max\nstudy.seeds=1", "model", "nothing is swept"),
    "nothing swept, of a sampler": Case(
        TPE, "model.dropout=0.2\nstudy.seeds=[0]\nstudy.confirm=null", "model", "nothing is swept"
    ),
    "a grid of too many trials": Case(
        GRID, "study.seeds=1000\nmodel.dropout={low: 0.0, high: 0.9, step: 0.001}", "study.sampler", "more than 100,000"
    ),
    "a rate that an optimizer overrules": Case(
        GRID + "train: {learning_rate: {choices: [0.1, 0.2]}}\n",
        "train.optimizer={choices: [adam, {name: sgd, learning_rate: 0.1}]}",
        "train.learning_rate", "has no effect with an optimizer that has its own learning_rate, as",
    ),
    "a rate that the only optimizer overrules": Case(
        GRID + "train: {learning_rate: {choices: [0.1, 0.2]}}\n", "train.optimizer={name: sgd, learning_rate: 0.1}",
        "train.learning_rate", "has no effect",
    ),
    "a slope without leaky_relu": Case(
        GRID, "model.leaky_relu_slope=0.1", "model.leaky_relu_slope", "but activation is relu"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_a_rule_refuses_what_it_is_about(case: Case) -> None:
    loaded(case.text)
    complaints = refused(case.text, *case.override.split("\n"))
    assert [complaint.path for complaint in complaints] == [case.path]
    assert case.said in complaints[0].message
    assert complaints[0].hint or "fresh" in case.said or complaints[0].message


def test_a_comparison_of_the_only_thing_that_is_swept_is_refused_at_its_line() -> None:
    (complaint,) = refused(GRID + "study:\n  seeds: 3\n  compare: model.pooling\n")
    assert complaint.place == "x.yaml:5:12"
    assert complaint.hint == "leave it out: a verdict compares choices anyway"


RIGHT = {
    "a pruner with a grid": (GRID, "study.pruner=median"),
    "a confirmation of a grid that is pruned": (
        GRID + "study: {pruner: median}\n",
        "study.confirm={top: 2, seeds: [7, 8]}",
    ),
    "optimizers with rates of their own, in a range test": (
        GRID,
        "study.range_test={}",
        "train={choices: [{optimizer: sgd, learning_rate: 0.1}, {learning_rate: 0.2}]}",
    ),
    "val_loss when the loss is the same": (GRID, "study.metric=val_loss"),
    "val_loss when a training leaves out the loss that the other writes": (
        GRID,
        "study.metric=val_loss",
        "train={choices: [{loss: crossentropy, epochs: 2}, {epochs: 3}]}",
    ),
    "a pruner where a whole section that is off has more epochs": (
        GRID,
        "study.pruner=median",
        "train={choices: [{epochs: 1}], when: {model.pooling: max}}",
    ),
    "a schedule in one of the trainings of a range test": (
        GRID,
        "study.range_test={}",
        "train={choices: [{epochs: 1}, {batch_size: 64, schedule: cosine}]}",
    ),
    "val_loss when every training has the same loss": (
        GRID,
        "study.metric=val_loss",
        "train={choices: [{loss: mse, epochs: 2}, {loss: mse}]}",
    ),
    "a range with a step in a grid": (GRID, "model.dropout={low: 0, high: 0.5, step: 0.25}"),
    "cmaes with a range": (TPE, "study.sampler=cmaes"),
    "a sweep of one, on several seeds": (GRID, "model.pooling=max", "study.seeds=2"),
    "a sweep of one, on folds": (GRID, "model.pooling=max", "study.folds=5"),
    "no confirmation": (TPE, "study.confirm=null"),
    "epochs that are swept": (GRID + "study: {pruner: median}\n", "train.epochs={choices: [1, 3]}"),
    "a start of some of the values": (TPE, "study.start=[{model.dropout: 0.2}]"),
    "a loss below one as target": (GRID + "study: {metric: val_loss}\n", "study.stop.target=1.5"),
    "a rate for those optimizers alone that have none": (
        GRID + "train: {optimizer: {choices: [adam, {name: sgd, learning_rate: 0.1}]}}\n",
        "train.learning_rate={choices: [0.1, 0.2], when: {train.optimizer: adam}}",
    ),
    "a slope with leaky_relu": (
        GRID + "train: {}\n",
        "model.activation={choices: [relu, leaky_relu]}",
        "model.leaky_relu_slope={choices: [0.1, 0.2], when: {model.activation: leaky_relu}}",
    ),
}


@pytest.mark.parametrize("written", RIGHT.values(), ids=list(RIGHT))
def test_what_is_right_is_not_refused(written: tuple[str, ...]) -> None:
    loaded(*written)


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is installed, so that gp can be used")
def test_gp_without_pytorch_says_how_to_install_it() -> None:
    complaint = refused(TPE, "study.sampler=gp")[0]
    assert (complaint.path, complaint.hint) == ("study.sampler", "pip install 'optimize-sweeps[gp]'")


def test_results_of_gp_are_read_without_pytorch(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(TPE.replace("tpe", "gp"))
    assert load_config(path, to_run=False).study.sampler.name == "gp"


def test_gp_with_pytorch_is_a_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimize.rules.find_spec", lambda name: name)
    assert loaded(TPE, "study.sampler=gp").study.sampler.name == "gp"
