"""Complaints that lead to where a key belongs, and to how values are swept."""

import pytest
from loading import calls, refused

from main.nearest import nearest_to

GOOD = """\
data: {source: digits}
model:
  pooling: {choices: [max, average]}
"""


@pytest.mark.parametrize(
    ("written", "path", "said"),
    [
        ("study: {seed: 3}", "study.seed", "unknown key"),
        (
            "study: {timeout: 3600}",
            "study.timeout",
            "unknown key here; of one trial it belongs in `run`, of the whole sweep it is `time` in `study.stop`",
        ),
        ("train: {dropout: 0.5}", "train.dropout", "unknown key here; it belongs in `model`"),
        ("train: {momentum: 0.9}", "train.momentum", "unknown key here; it belongs in `train.optimizer`"),
        ("train: {patience: 3}", "train.patience", "unknown key here; it belongs in `train.early_stopping`"),
        ("train: {warmup: 3}", "train.warmup", "unknown key here; it belongs in `train.schedule`"),
        (
            "train: {optimizer: {weight_decay: 1}}",
            "train.optimizer.weight_decay",
            "unknown key here; it belongs in `train`",
        ),
        ("study: {time: 3h}", "study.time", "unknown key here; it belongs in `study.stop`"),
        ("train: {lr: 0.1}", "train.lr", "unknown key; did you mean 'learning_rate'?"),
        ("train: {metrics: [accuracy]}", "train.metrics", "unknown key here; did you mean 'study.metric'?"),
        ("train: {validation_split: 1}", "train.validation_split", "unknown key here; did you mean 'data.validation'?"),
        ("study: {direction: maximize}", "study.direction", "unknown key here; it follows from `study.metric`"),
        ("study: {n_trials: 9}", "study.n_trials", "unknown key; did you mean 'trials'?"),
        ("train: {seed: 9}", "train.seed", "unknown key here; trainings have the seeds of `study.seeds`"),
        ("train: {study: 9}", "train.study", "unknown key here; it belongs at the left edge of the file"),
        ("train: {zzzz: 9}", "train.zzzz", "unknown key"),
        ("run: {patience: 9}", "run.patience", "unknown key"),
    ],
)
def test_a_key_is_told_where_it_belongs(written: str, path: str, said: str) -> None:
    complaint = refused(f"{GOOD}{written}\n")[0]
    assert (complaint.path, complaint.message) == (path, said)


def test_a_key_of_another_section_is_no_misspelt_one_of_its_own() -> None:
    complaint = refused(f"{GOOD}  optimizer: adam\n")[0]  # near `initializer`, of the network
    assert (complaint.message, complaint.hint) == ("unknown key here; it belongs in `train`", "")
    assert "did you mean 'network'?" in refused(f"{GOOD}  name: cnn\n")[0].message


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("batch_size: [32, 64]", "to try each, write {choices: [32, 64]}"),
        ("loss: [mse, mae]", "to try each, write {choices: [mse, mae]}"),
        ("loss: mse, mae", "to try each, write {choices: [mse, mae]}"),
        ("loss: (mse, mae)", "to try each, write {choices: [mse, mae]}"),
        ('loss: "[mse, mae]"', "to try each, write {choices: [mse, mae]}"),
        ('loss: "{choices: [mse, mae]}"', "write it without quotes"),
        ("epochs: 3,6", "to try each, write {choices: [3, 6]}"),
        ("optimizer: SGD(lr=0.1, momentum=0.9)", "write {name: sgd, learning_rate: 0.1, momentum: 0.9}"),
        ("optimizer: SGD(lr=0.1, m=0.9)", "allowed: "),
        ("optimizer.momentum: 0.9", "write `optimizer: {name: sgd, momentum: 0.9}`"),
        ("optimizer.zzz: 0.9", "write optimizer: {zzz: ...}"),
        ("schedule: {cosine: {warmup: 1}}", "write {name: cosine, warmup: 1}"),
        ("schedule: {cosine: 1}", "write {name: cosine, ...}"),
        (
            "optimizer: [{name: sgd, momentum: 0.9}, adam]",
            "to try each, write {choices: [{name: sgd, momentum: 0.9}, ad",
        ),
        (f"batch_size: {list(range(100))}", "to try each, write {choices: [...]}"),
        ("augment: [{shift: 0.1}]", "write {shift: 0.1}"),
        ("augment: [{shift: 0.1}, {zoom: 0.1}]", "write its keys without '-' and without brackets"),
        ("batch_size: {choices: [[32, 64]]}", ""),
        ("batch_size: []", ""),
    ],
)
def test_several_values_where_one_stands_are_told_how_they_are_swept(written: str, hint: str) -> None:
    found = refused(f"{GOOD}train:\n  {written}\n")[0].hint
    assert found.startswith(hint)
    assert bool(found) is bool(hint)


def test_a_list_where_one_value_stands_is_not_also_said_to_sweep_nothing() -> None:
    (complaint,) = refused("data: {}\nmodel:\n  pooling: [max, average]\n")
    assert complaint.hint == "to try each, write {choices: [max, average]}"


def test_choices_too_far_to_the_left_are_one_complaint() -> None:
    text = "data: {}\nmodel:\n  dropout: 0.5\n  pooling:\n  choices: [max, average]\n"
    assert [(complaint.headline, complaint.hint) for complaint in refused(text)] == [
        (
            "x.yaml:5:3: model.choices: stands for the whole of `model`, yet beside dropout, pooling",
            "indent it under the key that it is for",
        )
    ]


def test_a_logarithmic_range_in_a_grid_is_not_told_to_take_a_step() -> None:
    text = f"{GOOD}train: {{learning_rate: {{low: 0.1, high: 1, log: true}}}}\n"
    assert refused(text)[0].hint.startswith("write choices, or another sampler")
    assert refused(text.replace(", log: true", ""))[0].hint.startswith("write a `step`, or choices")


def test_a_word_is_looked_up_once_however_often_a_file_is_checked() -> None:
    known = [f"known_{n}" for n in range(20)]
    first = calls(lambda: nearest_to("qqqq", known))
    assert calls(lambda: nearest_to("qqqq", known)) < first / 5


def test_past_a_hundred_mistakes_keys_are_no_longer_told_where_they_belong() -> None:
    found = refused(GOOD + "train:\n" + "".join(f"  a{n}: 1\n" for n in range(150)) + "  dropout: 0.1\n")
    assert len(found) == 151
    assert found[-1].message == "unknown key"
