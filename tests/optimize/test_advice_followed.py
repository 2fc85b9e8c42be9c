"""Advice on a faulty sweep file, followed to the letter: it is accepted, and means what was meant."""

import re

import pytest
from loading import loaded, refused

GOOD = """\
data: {source: digits}
model:
  pooling: {choices: [max, average]}
"""


def follow(wrong: str, advice: str, mended: str) -> None:
    """Holds a text to be refused with some advice, once, and the text in which it was followed to be accepted."""
    (complaint,) = refused(wrong)
    assert advice in complaint.hint
    assert complaint.column <= len(wrong.splitlines()[complaint.line - 1]) + 1
    assert loaded(mended)


@pytest.mark.parametrize(
    ("key", "word", "advice", "rest"),
    [
        ("data", "mnist", "{source: mnist}", "model: {l2: {choices: [0, 1]}}"),
        ("data", "./my images", "{source: ./my images}", "model: {l2: {choices: [0, 1]}}"),
        ("model", "cnn", "{network: cnn}", "data: {}\nstudy: {seeds: 3}"),
        ("model", "MLP", "{network: mlp}", "data: {}\nstudy: {seeds: 3}"),
        ("train", "adam", "{optimizer: adam}", GOOD),
        ("study", "grid", "{sampler: grid}", GOOD),
    ],
)
def test_a_word_in_place_of_a_section_is_told_which_key_it_is_the_value_of(
    key: str, word: str, advice: str, rest: str
) -> None:
    follow(f"{key}: {word}\n{rest}\n", f"write {advice}", f"{key}: {advice}\n{rest}\n")


@pytest.mark.parametrize(
    ("section", "wrong", "mended"),
    [
        ("data", "  source:digits", "  source: digits"),
        ("data", "  source=digits", "  source: digits"),
        ("data", "  source = digits", "  source: digits"),
        ("data", "  source digits", "  source: digits"),
        ("data", "  {source digits}", "  {source: digits}"),
        ("data", "  {source:digits}", "  {source: digits}"),
        ("model", "  l2:1e-3", "  l2: 1e-3"),
        ("train", "  epochs 3", "  epochs: 3"),
        ("train", "  {epochs 3, loss: mse}", "  {epochs: 3, loss: mse}"),
    ],
)
def test_a_key_without_its_colon_or_space_is_written_out(section: str, wrong: str, mended: str) -> None:
    rest = "".join(f"{other}: {{}}\n" for other in ("data", "model") if other != section) + "study: {seeds: 3}\n"
    advice = mended.strip(" {").partition(",")[0].strip("}")
    follow(f"{section}:\n{wrong}\n{rest}", f"write `{advice}`", f"{section}:\n{mended}\n{rest}")


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ("train: {epochs: 10 epochs}", "10"),
        ("train: {batch_size: 2**7}", "128"),
        ("train: {batch_size: 1k}", "1000"),
        ("train: {learning_rate: 10^-3}", "0.001"),
        ("train: {learning_rate: 1/1000}", "0.001"),
        ("train: {learning_rate: 1 e-3}", "1e-3"),
        ("train: {label_smoothing: 10}", "0.1"),
        ("train: {label_smoothing: 10 %}", "0.1"),
        ("train: {label_smoothing: none}", "0"),
        ("train: {weight_decay: off}", "0"),
        ("train: {ema: 99.9}", "0.999"),
        ("train: {ema: none}", "null"),
        ("study: {race: 1}", "true"),
        ("run: {timeout: 10 minutes}", "10m"),
        ("run: {timeout: 1h30m}", "90m"),
        ("run: {timeout: '3600'}", "1h"),
        ("run: {timeout: 1:30:00}", "90m"),
        ("run: {memory: 4G}", "4GB"),
        ("run: {memory: 512 megabytes}", "512MB"),
        ("run: {memory: 2gib}", "2GiB"),
        ("study: {stop: {time: 2 hours}}", "2h"),
        ("study: {stop: 2h}", "{time: 2h}"),
    ],
)
def test_a_number_in_other_words_is_written_as_one(wrong: str, advice: str) -> None:
    mended = re.sub(r"(.*: )[^{}]+", rf"\g<1>{advice}", wrong, count=1)
    follow(f"{GOOD}{wrong}\n", f"write {advice}", f"{GOOD}{mended}\n")


@pytest.mark.parametrize("wrong", ["learning_rate: none", "learning_rate: off", "batch_size: none", "epochs: 2/3"])
def test_nothing_is_advised_that_would_be_refused(wrong: str) -> None:
    assert refused(f"{GOOD}train: {{{wrong}}}\n")[0].hint == ""


@pytest.mark.parametrize(
    ("wrong", "advice", "mended"),
    [
        ("optimizer: {type: SGD, momentum: 0.9}", "name: sgd", "optimizer: {name: sgd, momentum: 0.9}"),
        ("optimizer: {momentum: 0.9}", "name: sgd", "optimizer: {name: sgd, momentum: 0.9}"),
        ("schedule: {warmup: 1}", "name: cosine", "schedule: {name: cosine, warmup: 1}"),
        ("schedule: {type: cosine}", "name: cosine", "schedule: {name: cosine}"),
        ("optimizer: {sgd: {momentum: 0.9}}", "{name: sgd, momentum: 0.9}", "optimizer: {name: sgd, momentum: 0.9}"),
    ],
)
def test_a_name_that_is_missing_is_told(wrong: str, advice: str, mended: str) -> None:
    follow(f"{GOOD}train: {{{wrong}}}\n", advice, f"{GOOD}train: {{{mended}}}\n")


def test_a_sampler_by_its_type_is_told_to_write_its_name() -> None:
    text = f"{GOOD}study: {{sampler: {{type: tpe}}, trials: 5}}\n"
    follow(text, "write `name: tpe`", text.replace("type", "name"))
