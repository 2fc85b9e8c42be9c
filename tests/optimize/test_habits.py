"""Keys and words of other tools, and what is written here instead."""

import pytest
from loading import refused

from main.annotations import annotation_at, words
from main.config import DataConfig, TrainConfig
from models import networks
from optimize.advice.habits import _KEYS, _VALUES, key_meant, said_instead, words_meant
from optimize.advice.homes import _homes
from optimize.sections import RunConfig, StudyConfig

GOOD = """\
data: {source: digits}
model:
  pooling: {choices: [max, average]}
"""
KEYS = [(section, theirs, ours) for section, keys in _KEYS.items() for theirs, ours in keys.items()]
WORDS = [(path, theirs, ours) for path, words in _VALUES.items() for theirs, several in words.items()
         for ours in several.split()]  # fmt: skip


def test_what_is_meant_is_a_key_and_what_others_say_is_none() -> None:
    for section, theirs, ours in KEYS:
        own = _homes(section.split(".")[0])[section]
        assert ours in own, (section, theirs)
        assert theirs not in own, (section, theirs)


def test_what_is_meant_is_a_word_that_may_stand_there() -> None:
    for path, theirs, ours in WORDS:
        section, key = path.split(".")
        kind = {"model": networks()["cnn"], "train": TrainConfig, "data": DataConfig, "run": RunConfig}
        allowed = words(annotation_at(kind.get(section, StudyConfig), (key,), {}))
        allowed = tuple(networks()) if path == "model.network" else allowed
        assert ours in allowed, (path, theirs)
        assert theirs not in allowed, (path, theirs)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("study: {method: bayes}", "unknown key; did you mean 'sampler'?"),
        ("study: {n_jobs: 2}", "unknown key here; did you mean 'run.workers'?"),
        ("study: {goal: maximize}", "unknown key here; it follows from `study.metric`"),
        ("study: {sampler: bayes, trials: 5}", "unknown value 'bayes'; did you mean 'tpe' or 'gp'?"),
        ("study: {sampler: {name: bayesian}, trials: 5}", "unknown value 'bayesian'; did you mean 'tpe' or 'gp'?"),
        ("study: {sampler: genetic, trials: 5}", "unknown value 'genetic'; did you mean 'nsga2'?"),
        ("study: {pruner: SHA}", "unknown value 'SHA'; did you mean 'asha'?"),
        ("run: {n_jobs: 2}", "unknown key; did you mean 'workers'?"),
        ("run: {gpus: 1}", "unknown key here; a GPU is used where there is one"),
        ("run: {precision: fp16}", "unknown value 'fp16'; did you mean 'bfloat16'?"),
        ("train: {shuffle: true}", "unknown key here; training images are shuffled anew every epoch"),
        ("train: {early_stopping: {patience: 3, monitor: x}}", "unknown key here; what is watched is `study.metric`"),
        ("train: {loss: {choices: [mse, nll]}}", "unknown value 'nll'; did you mean 'crossentropy'?"),
        ("  initializer: xavier", "unknown value 'xavier'; did you mean 'glorot_uniform'?"),
        ("lr: 0.1", "unknown key here; did you mean 'train.learning_rate'?"),
        ("  type: cnn", "unknown key; did you mean 'network'?"),
        ("parameters: {}", "unknown key here; what is swept stands in its own place under `model` and `train`"),
    ],
)
def test_what_other_tools_call_it_is_told(written: str, message: str) -> None:
    assert refused(f"{GOOD}{written}\n")[0].message == message


def test_a_key_that_is_written_already_is_not_what_another_meant() -> None:
    (complaint,) = refused(f"{GOOD}study: {{sampler: grid, method: bayes}}\n")
    assert complaint.message == "unknown key"


def test_a_key_of_one_network_is_not_told_to_another() -> None:
    (complaint,) = refused("data: {}\nmodel: {network: mlp, neurons: 3, dropout: {choices: [0, 0.5]}}\n")
    assert "dense_units" not in complaint.message


def test_names_of_many_things_are_those_of_their_own_section_alone() -> None:
    assert key_meant(("data", "path")) == "data.source"
    assert key_meant(("run", "path")) is None
    assert said_instead("zzz") == ""
    assert words_meant(("study", "sampler"), "zzz") == []


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("method: bayes", "write `sampler: tpe` under `study:`, further in"),
        ("metric: accuracy", "write `metric: val_accuracy` under `study:`, further in"),
        ("precision: fp16", "write `precision: bfloat16` under `run:`, further in"),
    ],
)
def test_a_word_of_another_tool_moves_as_it_is_written_here(written: str, advice: str) -> None:
    assert refused(f"{GOOD}{written}\n")[0].hint == advice
