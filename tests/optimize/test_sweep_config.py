import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from main.complaints import ConfigError
from main.config import TrainConfig
from main.document import IN_PLACE_OF_A_VALUE
from models import CnnSpec
from optimize.algorithms import GridSampler, TpeSampler
from optimize.config import SweepConfig, load_config
from optimize.forms import FORMS
from optimize.space import Choices, Range

Load = Callable[..., SweepConfig]
SHORTEST = """\
data:
  source: digits
model:
  network: cnn
  pooling: {choices: [max, average]}
"""
EVERYTHING = """\
name: everything
question: Which is best, <all> of "it"?
data: {source: digits, split: stratified, seed: 3}
model:
  network: cnn
  filters: {choices: [[32], [32, 64]]}
  activation: {choices: [relu, leaky_relu, elu]}
  leaky_relu_slope: {low: 0.05, high: 0.3, when: {model.activation: leaky_relu}}
  dropout: {low: 0.0, high: 0.5, step: 0.1, when: {model.activation: [relu, elu], model.filters: [32]}}
  pool_size: {low: 1, high: 2}
train:
  optimizer: {choices: [adam, {name: sgd, momentum: 0.9, learning_rate: 0.1}]}
  learning_rate: {low: 1e-4, high: 1, log: true, when: {train.optimizer: adam}}
  augment: {shift: 0.1}
  epochs: 4
study:
  metric: val_crossentropy
  sampler: {name: tpe, n_startup_trials: 4, multivariate: true}
  trials: 30
  pruner: {name: hyperband, min_resource: 2}
  stop: {time: 90m, target: 0.01, no_improvement: 10}
  start:
    - {model.activation: relu, model.pool_size: 2}
    - {train.optimizer: {name: sgd, momentum: 0.9, learning_rate: 0.1}}
  baseline: {model.filters: [32], model.pool_size: 2, model.dropout: 0.5, train.learning_rate: 1e-3}
  compare: model.activation
  confirm: {top: 2, seeds: 3}
run: {workers: 2, precision: float32, timeout: 10m, memory: 2GiB, retries: 0}
"""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def _load(text: str, *overrides: str, name: str = "sweep") -> SweepConfig:
        path = tmp_path / f"{name}.yaml"
        path.write_text(text)
        return load_config(path, overrides, results=tmp_path / "results")

    return _load


def complaints(load: Load, text: str, *overrides: str, name: str = "sweep") -> list[str]:
    with pytest.raises(ConfigError) as raised:
        load(text, *overrides, name=name)
    return [f"{c.line}:{c.column} {c.path}: {c.message}" for c in raised.value.complaints]


def test_the_shortest_file_is_five_lines(load: Load) -> None:
    config = load(SHORTEST, name="mine")
    assert SHORTEST.count("\n") == 5
    assert (config.name, config.question) == ("mine", "Which pooling is best?")
    assert config.study.sampler == GridSampler()
    assert config.study.seeds == (0, 1, 2, 3, 4)
    assert (config.study.metric, config.study.direction) == ("val_accuracy", "maximize")
    assert config.study.confirm is None
    assert config.base.model == CnnSpec(pooling="max")
    assert config.base.train == TrainConfig()


def test_everything_that_can_be_written_is_read(load: Load) -> None:
    config = load(EVERYTHING)
    space = {parameter.path: parameter for parameter in config.space.parameters}
    assert space["model.filters"] == Choices("model.filters", ((32,), (32, 64)))
    assert space["model.leaky_relu_slope"] == Range(
        "model.leaky_relu_slope", 0.05, 0.3, when={"model.activation": ("leaky_relu",)}
    )
    assert space["model.dropout"].when == {"model.activation": ("relu", "elu"), "model.filters": ((32,),)}
    assert space["model.pool_size"] == Range("model.pool_size", 1, 2, integer=True)
    assert isinstance(config.study.sampler, TpeSampler)
    assert config.study.sampler.arguments["n_startup_trials"] == 4
    assert config.study.stop.time == 5400
    assert config.study.start[1] == {"train.optimizer": {"name": "sgd", "momentum": 0.9, "learning_rate": 0.1}}
    assert config.study.confirm is not None
    assert config.study.confirm.seeds == (1, 2, 3)
    assert (config.run.timeout, config.run.memory) == (600, 2 * 1024**3)


def test_a_baseline_is_completed_by_the_first_choices(load: Load) -> None:
    assert load(EVERYTHING).study.baseline == {
        "model.filters": (32,),
        "model.activation": "relu",
        "model.dropout": 0.5,
        "model.pool_size": 2,
        "train.optimizer": "adam",
        "train.learning_rate": 0.001,
    }


@pytest.mark.parametrize("text", [SHORTEST, EVERYTHING])
def test_what_was_resolved_loads_to_an_equal_sweep(load: Load, text: str) -> None:
    config = load(text)
    again = load(config.resolved(), name="another")
    assert again == config
    assert again.resolved() == config.resolved()
    assert again.identity() == config.identity()


def test_what_was_resolved_reads_as_a_person_would_write_it(load: Load) -> None:
    lines = load(SHORTEST).resolved().splitlines()
    assert "  pooling: {choices: [max, average]}" in lines
    assert "  optimizer: {name: adam}" in lines
    assert "  learning_rate: 0.001" in lines
    assert "  seeds: [0, 1, 2, 3, 4]" in lines
    assert "  time: 90m" not in lines


def test_a_swept_network_resolves_without_the_keys_of_one_of_them(load: Load) -> None:
    text = """\
data: {source: digits}
model:
  network: {choices: [cnn, mlp]}
  pooling: {choices: [max, average], when: {model.network: cnn}}
  hidden_units: {choices: [[32], [64]], when: {model.network: mlp}}
"""
    config = load(text)
    assert [config.space.configuration_label(cell) for cell in config.space.cells()] == [
        "network=cnn pooling=max",
        "network=cnn pooling=average",
        "network=mlp hidden_units=[32]",
        "network=mlp hidden_units=[64]",
    ]
    assert load(config.resolved()) == config
    assert config.concrete({"model.network": "mlp", "model.hidden_units": (64,)}).model.network == "mlp"


def test_concrete_has_the_values_and_the_defaults_of_what_is_off(load: Load) -> None:
    config = load(EVERYTHING)
    values = {"model.filters": (32, 64), "model.activation": "leaky_relu", "model.leaky_relu_slope": 0.2}
    concrete = config.concrete({**values, "model.pool_size": 2, "train.optimizer": "adam", "train.learning_rate": 0.01})
    assert isinstance(concrete.model, CnnSpec)
    assert (concrete.model.filters, concrete.model.leaky_relu_slope, concrete.model.dropout) == ((32, 64), 0.2, 0.5)
    assert (concrete.train.optimizer.name, concrete.train.learning_rate) == ("adam", 0.01)


def test_concrete_refuses_what_makes_no_training(load: Load) -> None:
    with pytest.raises(ConfigError, match="unknown value 'maxx'"):
        load(SHORTEST).concrete({"model.pooling": "maxx"})


def test_an_element_of_a_list_can_be_swept(load: Load) -> None:
    config = load("data: {source: digits}\nmodel: {filters: [16, {choices: [32, 64]}]}\n")
    assert list(config.space.cells()) == [{"model.filters.1": 32}, {"model.filters.1": 64}]
    assert config.concrete({"model.filters.1": 64}).model == CnnSpec(filters=(16, 64))
    assert load(config.resolved()) == config


def test_a_range_of_whole_numbers_is_told_by_the_field(load: Load) -> None:
    text = "data: {source: digits}\nmodel: {dropout: {low: 0, high: 0.5}, pool_size: {low: 1, high: 2}}\n"
    text += "train: {early_stopping: {low: 1, high: 3}}\nstudy: {sampler: random, trials: 3}\n"
    assert [(p.path, p.integer) for p in load(text).space.parameters if isinstance(p, Range)] == [
        ("model.dropout", False),
        ("model.pool_size", True),
        ("train.early_stopping", True),
    ]


def test_identity_is_what_a_trial_means_and_nothing_else(load: Load) -> None:
    identity = load(EVERYTHING).identity()
    assert json.loads(json.dumps(identity))["model"]["filters"] == {"choices": [[32], [32, 64]]}
    same = ["study.trials=99", "run.workers=1", "study.stop.time=1h", "name=other", "study.confirm={top: 1, seeds: 1}"]
    for override in same:
        assert load(EVERYTHING, override).identity() == identity, override
    different = ["model.padding=same", "train.epochs=9", "data.seed=4", "study.sampler.seed=1", "study.metric=val_loss"]
    for override in [*different, "run.precision=bfloat16", "model.pool_size.high=3"]:
        assert load(EVERYTHING, override).identity() != identity, override


def test_overrides_change_what_is_swept(load: Load) -> None:
    config = load(SHORTEST, "model.pooling=blur", "model.dropout={choices: [0.1, 0.2]}", "study.seeds=2")
    assert config.space.paths == ("model.dropout",)
    assert config.base.model == CnnSpec(pooling="blur", dropout=0.1)
    assert config.study.seeds == (0, 1)


def test_a_bad_override_is_told_as_such(load: Load) -> None:
    with pytest.raises(ConfigError) as raised:
        load(SHORTEST, "train.epochs=x")
    first = str(raised.value).splitlines()
    assert first[0] == "--set train.epochs=x: train.epochs: expected a whole number, but read the word 'x'"
    assert first[1:] == ["    train.epochs=x", "                 ^"]


def test_everything_that_is_wrong_is_told_at_once_in_order(load: Load) -> None:
    text = """\
data: {source: 3}
model:
  poolng: max
  kernel_size: {choices: [3, x]}
train:
  epochs: 0
study:
  trials: 5
stdy: {}
"""
    assert complaints(load, text) == [
        "1:16 data.source: expected a word, but read the number 3",
        "3:3 model.poolng: unknown key; did you mean 'pooling'?",
        "4:30 model.kernel_size.choices.1: expected a whole number or a list, but read the word 'x'",
        "6:11 train.epochs: must be at least 1, but read 0",
        "8:11 study.trials: a grid trains every combination once per seed, so that it takes no `trials`",
        "9:1 stdy: unknown key; did you mean 'study'?",
    ]


def test_a_key_in_the_wrong_section_is_told_where_it_belongs(load: Load) -> None:
    assert complaints(load, SHORTEST + "epochs: 3\nstudy: {workers: 2}\n") == [
        "6:1 epochs: unknown key here; it belongs in `train`",
        "7:9 study.workers: unknown key here; it belongs in `run`",
    ]
    assert complaints(load, SHORTEST + "hidden_units: [8]\n") == [
        "6:1 hidden_units: unknown key here; it belongs in `model`"
    ]


def test_misspelt_choices_of_mappings_are_told_as_those_of_words_are(load: Load) -> None:
    text = SHORTEST + "train: {optimizer: {choice: [adam, sgd]}}\n"
    assert complaints(load, text) == ["6:21 train.optimizer.choice: unknown key; did you mean 'choices'?"]


def test_a_section_that_is_indented_too_far_is_told_where_it_belongs(load: Load) -> None:
    assert complaints(load, "data: {source: digits}\nmodel:\n  l2: {choices: [0, 0.1]}\n  train: {epochs: 3}\n") == [
        "4:3 model.train: unknown key here; it belongs at the left edge of the file"
    ]


def test_a_key_that_is_nearly_one_here_belongs_here_and_seeds_are_the_studys(load: Load) -> None:
    assert complaints(load, SHORTEST + "study: {stop: {timee: 30m}}\ntrain: {seed: 1}\n") == [
        "6:16 study.stop.timee: unknown key; did you mean 'time'?",
        "7:9 train.seed: unknown key here; trainings have the seeds of `study.seeds`",
    ]


def test_a_word_that_stands_for_a_mapping_wants_the_rest_of_it(load: Load) -> None:
    with pytest.raises(ConfigError) as raised:
        load(SHORTEST + "study: {pruner: patient}\n")
    [complaint] = raised.value.complaints
    assert (complaint.line, complaint.column, complaint.path) == (6, 9, "study.pruner.patience")
    assert complaint.hint == "write {name: patient, patience: ...}"


def test_missing_sections_are_told_with_what_they_are_about(load: Load) -> None:
    assert complaints(load, "study: {}\n") == [
        "1:1 data: required, but not written",
        "1:1 model: required, but not written",
        "1:1 model: nothing is swept: no choices and no range stand under `model` or `train`",
    ]


def test_a_sweep_of_one_has_a_question_too(load: Load) -> None:
    text = SHORTEST.replace("{choices: [max, average]}", "max")
    assert load(text + "study: {seeds: 2}\n").question == "How good is what is written?"


def test_a_file_name_that_is_no_name_wants_one_written(load: Load) -> None:
    assert "the sweep would be named after its file" in complaints(load, SHORTEST, name="my sweep")[0]
    assert "the sweep would be named after its file" in complaints(load, "name:\n" + SHORTEST, name="my sweep")[0]
    assert load("name: mine\n" + SHORTEST, name="my sweep").name == "mine"


def test_a_question_about_very_many_parameters_is_short_enough_to_be_read_back(load: Load) -> None:
    model = (
        "filters: [[8], [16]]", "kernel_size: [3, 5]", "padding: [same, valid]", "pool_size: [1, 2]", "l2: [0.0, 0.1]",
        "activation: [relu, tanh]", "initializer: [he_normal, glorot_uniform]", "batch_norm: [true, false]",
        "dropout: [0.0, 0.5]", "conv_dropout: [0.0, 0.1]", "dense_units: [[], [16]]",
    )  # fmt: skip
    train = (
        "loss: [crossentropy, focal]", "optimizer: [adam, adamw]", "learning_rate: [1e-3, 1e-2]",
        "batch_size: [32, 64]", "schedule: [constant, cosine]", "ema: [null, 0.9]",
    )  # fmt: skip
    swept = ["  {}: {{choices:{}}}\n".format(*entry.split(":")) for entry in (*model, *train)]
    text = "".join([SHORTEST, *swept[: len(model)], "train:\n", *swept[len(model) :]])
    config = load(text + "study: {sampler: random, trials: 5}\n")
    assert config.question == f"Which values of {len(config.space.paths)} parameters are best?"
    assert load(config.resolved()) == config


def test_choices_outside_of_model_and_train_are_refused(load: Load) -> None:
    text = SHORTEST.replace("digits", "{choices: [mnist, digits]}")
    assert complaints(load, text) == ["2:11 data.source: only values under `model` and `train` can be swept"]


def test_loading_imports_nothing_slow(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(SHORTEST)
    code = "import sys; from optimize.config import load_config; load_config(sys.argv[1]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    slow = {"tensorflow", "keras", "optuna", "pandas", "numpy", "scipy", "sklearn", "dask", "matplotlib", "torch"}
    assert not slow & set(done.stdout.split())


def verdict(tmp_path: Path, name: str, content: Any) -> None:
    folder = tmp_path / "results" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verdict.json").write_text(content if isinstance(content, str) else json.dumps(content))


WINNER = SHORTEST + "  kernel_size: {winner: kernel, otherwise: 5}\n  filters: {winner: filters}\n"


def test_a_winner_is_taken_from_the_other_sweeps_verdict(load: Load, tmp_path: Path) -> None:
    verdict(tmp_path, "kernel", {"winner": "[7, 3]", "values": {"model.kernel_size": [7, 3]}})
    verdict(tmp_path, "filters", {"winner": "[8, 16]", "values": {"model.filters": [8, 16]}})
    config = load(WINNER)
    assert config.base.model == CnnSpec(kernel_size=(7, 3), filters=(8, 16))
    assert config.origins == {"model.kernel_size": "the winner of kernel", "model.filters": "the winner of filters"}
    assert "  kernel_size: [7, 3]  # the winner of kernel" in config.resolved().splitlines()
    assert load(config.resolved()) == config


def test_what_is_wrong_with_what_holds_without_a_verdict_is_told_where_it_stands(load: Load) -> None:
    assert complaints(load, SHORTEST + "  kernel_size: {winner: kernel, otherwise: 5.5}\n")[0] == (
        "6:44 model.kernel_size.otherwise: expected a whole number or a list, but read the number 5.5"
    )


def test_without_a_verdict_otherwise_is_taken_or_the_sweep_is_refused(load: Load, tmp_path: Path) -> None:
    assert complaints(load, WINNER) == [
        f"7:21 model.filters.winner: the sweep 'filters' has no verdict in {tmp_path / 'results' / 'filters'}"
    ]
    verdict(tmp_path, "filters", {"winner": "[8, 16]", "values": {"model.filters": [8, 16]}})
    assert load(WINNER).base.model == CnnSpec(kernel_size=5, filters=(8, 16))


OVER = SHORTEST + "  kernel_size: {winner: kernel, over: 3}\n"


def kernel_verdict(decided: bool) -> dict[str, Any]:
    """In which 5 leads, and is separable from 3 or not."""
    pairs = [
        {"better": "5", "worse": "7", "decided": True},
        {"better": "5", "worse": "3", "decided": decided},
        {"better": "3", "worse": "7", "decided": True},
    ]
    return {"winner": "5", "values": {"model.kernel_size": 5}, "pairs": pairs}


@pytest.mark.parametrize(
    ("decided", "taken", "origin"),
    [
        (True, 5, "the winner of kernel, separable from 3"),
        (False, 3, "from which 5, the winner of kernel, is not separable"),
        (None, 3, "as long as kernel has no verdict"),
    ],
)
def test_a_choice_stays_unless_the_winner_is_separable_from_it(
    load: Load, tmp_path: Path, decided: bool | None, taken: int, origin: str
) -> None:
    if decided is not None:
        verdict(tmp_path, "kernel", kernel_verdict(decided))
    config = load(OVER)
    assert config.base.model == CnnSpec(kernel_size=taken)
    assert config.origins == {"model.kernel_size": origin}
    assert load(config.resolved()) == config


def test_the_winner_itself_may_be_the_one_that_stays(load: Load, tmp_path: Path) -> None:
    verdict(tmp_path, "kernel", kernel_verdict(decided=False))
    config = load(OVER.replace("over: 3", "over: 5"))
    assert (config.base.model, config.origins) == (
        CnnSpec(kernel_size=5),
        {"model.kernel_size": "the winner of kernel"},
    )


def test_a_winner_that_loses_its_own_pair_is_not_separable(load: Load, tmp_path: Path) -> None:
    """It leads by its adjusted mean alone."""
    pairs = [{"better": "3", "worse": "5", "decided": True}]
    verdict(tmp_path, "kernel", kernel_verdict(decided=True) | {"pairs": pairs})
    assert load(OVER).base.model == CnnSpec(kernel_size=3)


def test_of_choices_with_one_seed_each_none_is_separable(load: Load, tmp_path: Path) -> None:
    choices = [{"choice": choice, "n": 1} for choice in ("3", "5", "7")]
    verdict(tmp_path, "kernel", kernel_verdict(decided=True) | {"pairs": [], "choices": choices})
    assert load(OVER).base.model == CnnSpec(kernel_size=3)
    said = "model.kernel_size.over: the winner of 'kernel' was not compared with 4"
    assert said in complaints(load, OVER.replace("over: 3", "over: 4"))[0]


def test_what_stays_may_be_written_as_another_number(load: Load, tmp_path: Path) -> None:
    text = SHORTEST.replace("dropout: 0.3\n", "") + "  dropout: {winner: dropout, over: 0.50}\n"
    pairs = [{"better": "0.2", "worse": "5e-1", "decided": False}]
    verdict(tmp_path, "dropout", {"winner": "0.2", "values": {"model.dropout": 0.2}, "pairs": pairs})
    assert load(text).origins == {"model.dropout": "from which 0.2, the winner of dropout, is not separable"}


@pytest.mark.parametrize("pairs", [None, [], ["x"], [{"better": "5", "worse": "7", "decided": True}]])
def test_what_the_winner_was_not_compared_with_cannot_stay(load: Load, tmp_path: Path, pairs: Any) -> None:
    verdict(tmp_path, "kernel", kernel_verdict(decided=True) | {"pairs": pairs})
    assert complaints(load, OVER) == ["6:39 model.kernel_size.over: the winner of 'kernel' was not compared with 3"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"values": {"model.pooling": "max"}}, "decided model.pooling, not model.filters"),
        ({"values": None}, "decided nothing, not model.filters"),
        ("{", "its verdict cannot be read"),
        ("[]", "decided nothing"),
        ({"values": {"model.filters": "x"}}, "expected a list, but read the word 'x'"),
    ],
)
def test_a_verdict_that_decides_nothing_here_is_refused(load: Load, tmp_path: Path, content: Any, said: str) -> None:
    verdict(tmp_path, "filters", content)
    assert said in complaints(load, WINNER)[0]


def test_choices_of_the_command_line_take_the_place_of_a_value(tmp_path: Path) -> None:
    assert set(FORMS) == set(IN_PLACE_OF_A_VALUE)
    path = tmp_path / "x.yaml"
    path.write_text("data: {source: digits}\nmodel: {pooling: max}\n")
    space = load_config(path, ["model.pooling.choices=[max, blur]"]).space
    assert [(parameter.path, str(parameter)) for parameter in space.parameters] == [("model.pooling", "max, blur")]
