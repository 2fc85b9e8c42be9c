"""Advice on a faulty sweep file, followed to the letter: it is accepted, and means what was meant."""

import re
from pathlib import Path

import pytest
from loading import loaded, refused

from main.complaints import ConfigError
from main.config import load

GOOD = """\
data: {source: digits}
model:
  pooling: {choices: [max, average]}
"""


TPE = "study: {sampler: tpe, trials: 5}\n"


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
    follow(f"{section}:\n{wrong}\n{rest}", advice, f"{section}:\n{mended}\n{rest}")


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


@pytest.mark.parametrize("wrong", ["learning_rate: none", "learning_rate: off", "batch_size: none", "epochs: two"])
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


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ("momentum: 0.9", "optimizer: {name: sgd, momentum: 0.9}"),
        ("momentum: {choices: [0, 0.9]}", "optimizer: {name: sgd, momentum: {choices: [0, 0.9]}}"),
        ("nesterov: true", "optimizer: {name: sgd, momentum: 0.9, nesterov: true}"),
        ("beta_1: 0.8", "optimizer: {name: adam, beta_1: 0.8}"),
        ("rho: 0.9", "optimizer: {name: rmsprop, rho: 0.9}"),
        ("warmup: 1", "schedule: {name: cosine, warmup: 1}"),
        ("decay: 0.9", "schedule: {name: exponential, decay: 0.9}"),
        ("min_delta: 0.1", "early_stopping: {patience: 3, min_delta: 0.1}"),
        ("patience: 2", "early_stopping: {patience: 2}"),
        ("rotation: 10", "augment: {rotation: 10}"),
    ],
)
def test_a_key_of_a_section_within_is_written_in_it(wrong: str, advice: str) -> None:
    follow(f"{GOOD}train: {{{wrong}}}\n", f"write `{advice}`", f"{GOOD}train: {{{advice}}}\n")


@pytest.mark.parametrize(
    ("own", "stray", "advice"),
    [
        ("optimizer: adam", "momentum: 0.9", "adam does not take it; write `optimizer: {name: sgd, momentum: 0.9}`"),
        ("optimizer: sgd", "momentum: 0.9", "write `optimizer: {name: sgd, momentum: 0.9}`"),
        (
            "optimizer: {name: rmsprop, rho: 0.8}",
            "momentum: 0.9",
            "`optimizer: {name: rmsprop, rho: 0.8, momentum: 0.9}`",
        ),
        ("early_stopping: 4", "min_delta: 0.1", "write `early_stopping: {patience: 4, min_delta: 0.1}`"),
        ("augment: {zoom: 0.1}", "shift: 0.1", "write `augment: {zoom: 0.1, shift: 0.1}`"),
    ],
)
def test_what_is_written_of_the_section_within_stays(own: str, stray: str, advice: str) -> None:
    mended = advice.split("`")[-2] if advice.count("`") > 1 else f"optimizer: {advice[:-1]}"
    follow(f"{GOOD}train: {{{own}, {stray}}}\n", advice, f"{GOOD}train: {{{mended}}}\n")


def test_a_key_beside_an_optimizer_that_is_swept_goes_among_its_choices() -> None:
    wrong = f"{GOOD}train: {{optimizer: {{choices: [adam, lion]}}, momentum: 0.9}}\n"
    mended = f"{GOOD}train: {{optimizer: {{choices: [adam, lion, {{name: sgd, momentum: 0.9}}]}}}}\n"
    follow(wrong, "write it among the choices of `optimizer`: {name: sgd, momentum: 0.9}", mended)


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("pooling: {values: [max, average]}", "{choices: [max, average]}"),
        ("pooling: {choice: [max, average]}", "{choices: [max, average]}"),
        ("pooling: {options: [max, average], distribution: categorical}", "{choices: [max, average]}"),
        ("pooling: {max, average}", "{choices: [max, average]}"),
        ("kernel_size: {value: 5}", "5"),
        ("dropout: {min: 0.1, max: 0.5}", "{low: 0.1, high: 0.5}"),
        ("dropout: {min: 0, max: 0.5, q: 0.1}", "{low: 0, high: 0.5, step: 0.1}"),
        ("l2: {distribution: log_uniform_values, min: 1e-5, max: 1e-2}", "{low: 1e-05, high: 0.01, log: true}"),
        ("l2: {low: 1e-5, high: 1e-2, scale: log}", "{low: 1e-05, high: 0.01, log: true}"),
        ("l2: {loguniform: [1e-5, 1e-4]}", "{low: 1e-05, high: 0.0001, log: true}"),
        ("l2: {from: 1e-5, to: 1e-2}", "{low: 1e-05, high: 0.01, log: true}"),
        ("l2: 1e-5..1e-2", "{low: 1e-05, high: 0.01, log: true}"),
        ("l2: 1e-5 to 1e-2", "{low: 1e-05, high: 0.01, log: true}"),
        ("l2: 1e-5-1e-2", "{low: 1e-05, high: 0.01, log: true}"),
        ("l2: between 1e-5 and 1e-2", "{low: 1e-05, high: 0.01, log: true}"),
        ("l2: tune.loguniform(1e-5, 1e-2)", "{low: 1e-05, high: 0.01, log: true}"),
        ("l2: trial.suggest_float('l2', 1e-5, 1e-4, log=True)", "{low: 1e-05, high: 0.0001, log: true}"),
        ("l2: tune.choice([0, 1e-4])", "{choices: [0, 0.0001]}"),
        ("dropout: uniform(0.1, 0.5)", "{low: 0.1, high: 0.5}"),
    ],
)
def test_choices_and_ranges_of_other_tools_are_written_in_the_forms_of_this_one(written: str, advice: str) -> None:
    text = "data: {}\nmodel:\n  network: cnn\n  batch_norm: {choices: [true, false]}\n  " + written + "\n" + TPE
    follow(text, f"write {advice}", text.replace(written.partition(": ")[2], advice))


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("epochs: 1-10", "{low: 1, high: 10, step: 1}"),
        ("epochs: range(1, 5)", "{low: 1, high: 4, step: 1}"),
        ("epochs: range(2, 9, 2)", "{low: 2, high: 8, step: 2}"),
        ("batch_size: {grid_search: [32, 64]}", "{choices: [32, 64]}"),
        ("batch_size: {min: 32, max: 64, step: 16}", "{low: 32, high: 64, step: 16}"),
        ("optimizer: {values: [sgd, adam]}", "{choices: [sgd, adam]}"),
        ("optimizer: {choice: [sgd, adam]}", "{choices: [sgd, adam]}"),
    ],
)
def test_what_a_grid_takes_is_written_so_that_it_does(written: str, advice: str) -> None:
    key, _, value = written.partition(": ")
    follow(f"{GOOD}train:\n  {written}\n", f"write {advice}", f"{GOOD}train:\n  {key}: {advice}\n")
    assert value != advice


def test_of_a_range_that_no_grid_takes_the_sampler_is_advised_too() -> None:
    text = f"{GOOD}train:\n  learning_rate: 1e-5..1e-2\n"
    advice = "{low: 1e-05, high: 0.01, log: true}"
    mended = text.replace("1e-5..1e-2", advice) + "study: {sampler: tpe, trials: 50}\n"
    follow(text, f"write {advice}, and `sampler: tpe` with `trials: 50` in `study`", mended)


@pytest.mark.parametrize(
    "written",
    [
        "{distribution: log_uniform, min: -9, max: -2}",
        "{start: 1e-4, stop: 1e-2, num: 5}",
        "{min: 1e-2, max: 1e-4}",
        "{mean: 0, sigma: 1}",
        "low/high",
        "1e-2..1e-4",
        "normal(0, 1)",
    ],
)
def test_of_a_form_that_cannot_be_told_nothing_is_made_up(written: str) -> None:
    for complaint in refused(f"{GOOD}train:\n  learning_rate: {written}\n"):
        assert "write {low: 0" not in complaint.hint
        assert "write {low: 1" not in complaint.hint


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("filters: [[32], [32, 64]]", "{choices: [[32], [32, 64]]}"),
        ("filters:\n  - [32]\n  - [32, 64]", "{choices: [[32], [32, 64]]}"),
        ("filters: [32, [32, 64]]", "{choices: [[32], [32, 64]]}"),
        ("dense_units: [[], [64]]", "{choices: [[], [64]]}"),
    ],
)
def test_lists_of_which_each_is_tried_are_one_complaint(written: str, advice: str) -> None:
    text = f"data: {{}}\nmodel:\n  {written}\n"
    key = written.partition(":")[0]
    follow(text, f"to try each, write {advice}", f"data: {{}}\nmodel:\n  {key}: {advice}\n")


def test_a_list_in_a_list_by_itself_is_the_list() -> None:
    follow(f"{GOOD}  filters: [[8, 16]]\n", "write [8, 16]", f"{GOOD}  filters: [8, 16]\n")


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("data: {}\nmodle:\n  pooling: {choices: [max, average]}\n", ["unknown key; did you mean 'model'?"]),
        ("data: {}\nmodel: {}\ntrian: {loss: {choices: [mse, mae]}}\n", ["unknown key; did you mean 'train'?"]),
        ("data: {}\nmodel: {}\nstduy: {seeds: 5}\n", ["unknown key; did you mean 'study'?"]),
        ("data: {}\nmodel: {}\nloss: {choices: [mse, mae]}\n", ["unknown key here; it belongs in `train`"]),
        ('data: {}\nmodel: {pooling: "{choices: [max, blur]}"}\n', ["unknown value '{choices: [max, blur]}'"]),
        ("dataset: mnist\nmodel: {l2: {choices: [0, 1]}}\n", ["unknown key here; did you mean 'data.source'?"]),
        ("sweep:\n  data: {}\n  model: {l2: {choices: [0, 1]}}\n", ["unknown key"]),
        (
            "data:\n  source: digits\n  model:\n    pooling: {choices: [max, blur]}\n  train:\n    epochs: 3\n",
            [
                "unknown key here; it belongs at the left edge of the file",
                "a section; it belongs at the left edge of the file",
            ],
        ),
        (
            "data:\nsource: digits\nmodel:\npooling: {choices: [max, blur]}\ntrain:\nepochs: 3\n",
            [f"unknown key here; it belongs in `{section}`" for section in ("data", "model", "train")],
        ),
        (
            "source: digits\npooling: {choices: [max, blur]}\nepochs: 3\n",
            [f"unknown key here; it belongs in `{section}`" for section in ("data", "model", "train")],
        ),
        ("data.source: digits\nmodel.pooling: {choices: [max, blur]}\n", ["unknown key, a path"] * 2),
    ],
)
def test_what_only_follows_from_another_mistake_is_not_told(text: str, messages: list[str]) -> None:
    assert [complaint.message for complaint in refused(text)] == messages


def test_what_is_wrong_by_itself_is_told_beside_another_mistake() -> None:
    found = [complaint.message for complaint in refused("data: {}\nmodel: {}\ntrain: {epochs: two}\n")]
    assert [message.partition(":")[0] for message in found] == [
        "nothing is swept",
        "expected a whole number, but read the word 'two'",
    ]
    assert [complaint.path for complaint in refused("data: {}\n")] == ["model"] * 2


def test_a_file_without_its_indentation_is_told_where_each_key_goes() -> None:
    lines = ["data:", "source: digits", "model:", "pooling: {choices: [max, blur]}", "study:", "seeds: 3"]
    hints = [complaint.hint for complaint in refused("\n".join(lines) + "\n")]
    assert hints == [f"write `{lines[n + 1]}` under `{lines[n]}`, further in" for n in (0, 2, 4)]
    assert loaded("".join(f"{'' if line.endswith(':') else '  '}{line}\n" for line in lines))


@pytest.mark.parametrize(
    ("when", "advice", "mended"),
    [
        ("sgd", "write {train.optimizer: sgd}", "{train.optimizer: sgd}"),
        ("train.optimizer == sgd", "write {train.optimizer: sgd}", "{train.optimizer: sgd}"),
        ("optimizer is sgd", "write {train.optimizer: sgd}", "{train.optimizer: sgd}"),
        ("[train.optimizer: sgd]", "write {train.optimizer: sgd}", "{train.optimizer: sgd}"),
        ("max", "write {model.pooling: max}", "{model.pooling: max}"),
        ("always", "write a path and a value, such as {model.pooling: max}", "{model.pooling: max}"),
    ],
)
def test_a_condition_that_is_no_mapping_is_written_as_one(when: str, advice: str, mended: str) -> None:
    text = f"{GOOD}train:\n  optimizer: {{choices: [sgd, adam]}}\n  batch_size: {{choices: [8, 16], when: WHEN}}\n"
    follow(text.replace("WHEN", when), advice, text.replace("WHEN", mended))


def test_the_name_within_what_is_swept_is_told_what_is_swept() -> None:
    text = f"{GOOD}train:\n  optimizer: {{choices: [sgd, adam]}}\n  epochs: {{choices: [3, 6], when: {{PATH: sgd}}}}\n"
    (complaint,) = refused(text.replace("PATH", "train.optimizer.name"))
    assert complaint.message.endswith("; did you mean 'train.optimizer'?")
    assert loaded(text.replace("PATH", "train.optimizer"))


def test_a_condition_names_a_choice_that_is_a_mapping_by_the_whole_of_it() -> None:
    text = f"{GOOD}train:\n  optimizer: {{choices: [{{name: sgd, momentum: 0.9}}, adam]}}\n"
    text += "  batch_size: {choices: [8, 16], when: {train.optimizer: SAID}}\n"
    advice = "{name: sgd, momentum: 0.9}"
    follow(text.replace("SAID", "sgd"), f"write {advice}", text.replace("SAID", advice))


@pytest.mark.parametrize(
    ("wrong", "advice", "mended"),
    [
        ("baseline: max", "write {model.pooling: max}", "baseline: {model.pooling: max}"),
        ("start: {model.pooling: max}", "write [{model.pooling: max}]", "start: [{model.pooling: max}]"),
        ("compare: pooling", "leave it out", ""),
        ("seeds: {choices: [3]}", "write [3]", "seeds: [3]"),
        ("seeds: {low: 0, high: 0}", "write [0]", "seeds: [0]"),
    ],
)
def test_points_of_a_study_are_written_as_mappings_and_seeds_as_lists(wrong: str, advice: str, mended: str) -> None:
    study = "study: {{sampler: tpe, trials: 5, {}}}\n"
    follow(GOOD + study.format(wrong), advice, GOOD + study.format(mended))


@pytest.mark.parametrize(
    ("wrong", "advice", "mended"),
    [
        ("target: 99.0", "write 0.99 for 99 %", "target: 0.99"),
        ("target: 99.5", "write 0.995 for 99.5 %", "target: 0.995"),
        ("target: 99%", "write 0.99", "target: 0.99"),
        ("target: 1.5", "write 0.995 for 99.5 %", "target: 0.995"),
    ],
)
def test_an_accuracy_in_per_cent_is_written_as_a_share(wrong: str, advice: str, mended: str) -> None:
    follow(f"{GOOD}study: {{stop: {{{wrong}}}}}\n", advice, f"{GOOD}study: {{stop: {{{mended}}}}}\n")


@pytest.mark.parametrize(
    ("wrong", "advice", "mended"),
    [
        ("source: digits, validation: 5000", "left out, it is 237", "source: digits"),
        ("source: digits, train: 60000", "left out, it is 1,200", "source: digits"),
        ("source: mnist, validation: 60000", "left out, it is 5,000", "source: mnist"),
        ("source: digits, validation: 0.2", "write 287: 0.2 of its 1,437 images", "source: digits, validation: 287"),
        ("source: digits, validation: 20%", "write 287: 0.2 of its 1,437 images", "source: digits, validation: 287"),
        ("source: images, validation: 0.2", "write how many images", "source: images, validation: 20"),
        ("source: digits, validation: none", "write how many images", "source: digits, validation: 20"),
        ("source: digits, split: random", "allowed: last, stratified", "source: digits, split: stratified"),
        ("source: digits, split: 0.8", "how many images are held out is `validation`", "source: digits, validation: 9"),
    ],
)
def test_how_many_images_validate_is_told_before_they_are_read(wrong: str, advice: str, mended: str) -> None:
    model = "model: {pooling: {choices: [max, average]}}\n"
    follow(f"data: {{{wrong}}}\n{model}", advice, f"data: {{{mended}}}\n{model}")


def test_one_training_is_told_so_too(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text("data: {source: digits, validation: 5000}\nmodel: {}\n")
    with pytest.raises(ConfigError, match=rf"{file}:1:36: data.validation: digits has 1,437 images"):
        load(file)


@pytest.mark.parametrize(
    ("wrong", "advice", "mended"),
    [
        ("train: {learning_rate: 0,001}", "write 0.001, with a point", "train: {learning_rate: 0.001}"),
        ("train: {label_smoothing: 0,1, epochs: 3}", "write 0.1, with", "train: {label_smoothing: 0.1, epochs: 3}"),
        ("study: {seeds: 1, 2, 3}", "write [1, 2, 3]", "study: {seeds: [1, 2, 3]}"),
        ("train: {batch_size: 1,000}", "write 1000", "train: {batch_size: 1000}"),
        ("train: {loss: mse, mae}", "{choices: [mse, mae]}", "train: {loss: {choices: [mse, mae]}}"),
        ("train: {epochs: 3, 6}", "{choices: [3, 6]}", "train: {epochs: {choices: [3, 6]}}"),
        ("train: {loss: {choices: mse, mae}}", "write [mse, mae]", "train: {loss: {choices: [mse, mae]}}"),
        ("train: {epochs: {choices: 3, 6}}", "write [3, 6]", "train: {epochs: {choices: [3, 6]}}"),
        ("train: {epochs: range(1, 4)}", "{low: 1, high: 3, step: 1}", "train: {epochs: {low: 1, high: 3, step: 1}}"),
        (
            "train: {optimizer: SGD(lr=0.1, momentum=0.9)}",
            "write {name: sgd, learning_rate: 0.1, momentum: 0.9}",
            "train: {optimizer: {name: sgd, learning_rate: 0.1, momentum: 0.9}}",
        ),
    ],
)
def test_what_a_comma_within_braces_cut_in_two_is_told_as_one(wrong: str, advice: str, mended: str) -> None:
    follow(f"{GOOD}{wrong}\n", advice, f"{GOOD}{mended}\n")


@pytest.mark.parametrize(
    "wrong", ["train: {epochs: 3, poolng}", "train: {epochs: 3, augment, zzz}", "data: {source: a, b}", "run: {x, y}"]
)
def test_a_key_without_a_value_is_no_piece_of_another(wrong: str) -> None:
    rest = "model: {l2: {choices: [0, 1]}}\n" + ("" if wrong.startswith("data") else "data: {}\n")
    assert all(complaint.message.startswith("unknown key") for complaint in refused(f"{wrong}\n{rest}"))


@pytest.mark.parametrize("call", ["Adam(0.1)", "SGD(momentum=9)", "SGD(zzz=1)", "zzz(lr=1)"])
def test_a_call_that_cannot_be_told_is_not_written(call: str) -> None:
    assert not refused(f"{GOOD}train:\n  optimizer: {call}\n")[0].hint.startswith("write")


def test_a_winner_by_itself_sweeps_nothing_and_is_told_so() -> None:
    (complaint,) = refused("data: {}\nmodel: {pooling: {winner: other, otherwise: max}}\n")
    assert complaint.message.startswith("nothing is swept")


def test_what_stands_in_a_condition_is_no_form_of_another_tool() -> None:
    text = "data: {}\nmodel: {choices: [{network: softmax}], when: {model.pooling: null}}\n"
    assert "is not swept" in refused(text)[0].message


@pytest.mark.parametrize(
    ("wrong", "advice", "mended"),
    [
        ("  kernel_size: 3x3", "write 3", "  kernel_size: 3"),
        ("  filters: {low: 8, high: 64}", "{choices: [[8], [64]]}", "  filters: {choices: [[8], [64]]}"),
        ("  dropout: {choices: 0.1, 0.5}", "write [0.1, 0.5]", "  dropout: {choices: [0.1, 0.5]}"),
        (
            "train: {epochs: {choices: range(1, 5)}}",
            "{low: 1, high: 4, step: 1}",
            "train: {epochs: {low: 1, high: 4, step: 1}}",
        ),
        ("train: {loss: [choices: [mse, mae]]}", "write {choices: [mse, mae]}", "train: {loss: {choices: [mse, mae]}}"),
        ("train: {ema: true}", "0.99", "train: {ema: 0.99}"),
        ("train: {early_stopping: true}", "3", "train: {early_stopping: 3}"),
        ("train: {augment: true}", "{shift: 0.1, rotation: 10}", "train: {augment: {shift: 0.1, rotation: 10}}"),
        ("study: {metric: {name: val_loss, goal: minimize}}", "write val_loss", "study: {metric: val_loss}"),
        ("study: {metric: [val_loss]}", "write val_loss", "study: {metric: val_loss}"),
        ("study: {pruner: true}", "median", "study: {pruner: median}"),
        (
            "study: {pruner: threshold}",
            "{name: threshold, lower: 0.5}",
            "study: {pruner: {name: threshold, lower: 0.5}}",
        ),
        ("study: {folds: true}", "5", "study: {folds: 5}"),
        ("study: {stop: true}", "{time: 2h}", "study: {stop: {time: 2h}}"),
        ("study: {sampler: median}", "`pruner: median`", "study: {sampler: tpe, trials: 5, pruner: median}"),
        ("study: {pruner: qmc}", "`sampler: qmc`", "study: {sampler: qmc, trials: 5}"),
        ("run: {workers: -1}", "write auto", "run: {workers: auto}"),
        ("study: {metric: [accuracy]}", "write val_accuracy", "study: {metric: val_accuracy}"),
        (
            "train: {gamma: 0.9}",
            "`schedule: {name: exponential, decay: 0.9}`",
            "train: {schedule: {name: exponential, decay: 0.9}}",
        ),
        (
            "train: {beta1: 0.8}",
            "`optimizer: {name: adam, beta_1: 0.8}`",
            "train: {optimizer: {name: adam, beta_1: 0.8}}",
        ),
        ("run: {engine: localhost:8786}", "write tcp://localhost:8786", "run: {engine: tcp://localhost:8786}"),
        ("run: {timeout: none}", "write null", "run: {timeout: null}"),
        ("  dense_units: none", "write []", "  dense_units: []"),
        ("  dense_units: 0", "write []", "  dense_units: []"),
        ("  filters: 32-64", "write [32, 64]", "  filters: [32, 64]"),
        ("  filters: 8 -> 16 -> 32", "write [8, 16, 32]", "  filters: [8, 16, 32]"),
        ("train: {schedule: {cosine}}", "write cosine", "train: {schedule: cosine}"),
        ("train: {loss: mse or mae}", "{choices: [mse, mae]}", "train: {loss: {choices: [mse, mae]}}"),
        ("train: {loss: mse|mae}", "{choices: [mse, mae]}", "train: {loss: {choices: [mse, mae]}}"),
        ("train: {loss: choices(mse)}", "allowed: ", ""),
        ("train:\n  loss: choices=[mse, mae]", "{choices: [mse, mae]}", "train:\n  loss: {choices: [mse, mae]}"),
        ("train:\n  loss: choices(mse, mae)", "{choices: [mse, mae]}", "train:\n  loss: {choices: [mse, mae]}"),
        ("train:\n  loss:\n    -mse\n    -mae", "{choices: [mse, mae]}", "train:\n  loss: {choices: [mse, mae]}"),
        ("  padding: all", "{choices: [valid, same]}", "  padding: {choices: [valid, same]}"),
        ("train: {adam}", "write {optimizer: adam}", "train: {optimizer: adam}"),
        ("study: {grid}", "write {sampler: grid}", "study: {sampler: grid}"),
        ("run: {workers: '2'}", "write 2 without quotes", "run: {workers: 2}"),
    ],
)
def test_what_a_place_says_of_what_was_meant_is_told(wrong: str, advice: str, mended: str) -> None:
    follow(f"{GOOD}{wrong}\n", advice, f"{GOOD}{mended}\n")


def test_ends_of_a_range_the_wrong_way_round_are_told_the_right_way() -> None:
    text = f"{GOOD}  l2: {{low: LOW, high: HIGH}}\n{TPE}"
    (complaint,) = refused(text.replace("LOW", "0.1").replace("HIGH", "0.01"))
    assert complaint.hint == "write `low: 0.01` and `high: 0.1`"
    assert loaded(text.replace("LOW", "0.01").replace("HIGH", "0.1"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data: {}\nmodel: {mlp: {dropout: {choices: [0, 0.5]}}}\n", "write `network: mlp`"),
        ("data: {}\nmodel: {network: {name: mlp}, l2: {choices: [0, 1]}}\n", "write one word, such as `network: cnn`"),
        (f"{GOOD}  when: {{model.l2: 0}}\n", "indent it under the key that it is for, beside its choices"),
        ("- data: {}\n- model: {}\n", "write its keys without '-', at the left edge"),
    ],
)
def test_what_stands_one_level_off_is_told_where_it_goes(text: str, said: str) -> None:
    (complaint,) = refused(text)
    assert complaint.hint.startswith(said)


def test_a_misspelt_end_of_a_range_is_not_also_said_to_be_missing() -> None:
    (complaint,) = refused(f"{GOOD}  l2: {{low: 0, hihg: 1}}\n{TPE}")
    assert complaint.message == "unknown key; did you mean 'high'?"


def test_a_key_of_an_optimizer_among_choices_is_the_optimizers_own() -> None:
    text = f"{GOOD}train: {{optimizer: {{choices: [adam, {{name: sgd, KEY: 0.1}}]}}}}\n"
    (complaint,) = refused(text.replace("KEY", "lr"))
    assert complaint.message == "unknown key; did you mean 'learning_rate'?"
    assert loaded(text.replace("KEY", "learning_rate"))


@pytest.mark.parametrize("written", ["low/high", "small, large", "one or two"])
def test_words_in_place_of_a_number_are_not_to_be_tried(written: str) -> None:
    assert refused(f"{GOOD}train:\n  learning_rate: {written}\n")[0].hint == ""


@pytest.mark.parametrize(
    ("override", "meant"),
    [("epochs=3", "train.epochs=3"), ("lr=0.1", "train.learning_rate=0.1"), ("seeds=[1, 2]", "study.seeds=[1, 2]")],
)
def test_an_override_of_a_key_at_the_left_edge_is_told_its_whole_path(override: str, meant: str) -> None:
    (complaint,) = refused(GOOD, override)
    assert complaint.hint == f"write {meant}"
    assert loaded(GOOD, meant)


@pytest.mark.parametrize(
    ("override", "advice"),
    [
        ("epochs=3", "train.epochs=3"),
        ("method=bayes", "study.sampler=tpe"),
        ("optimizer.learning_rate=0.1", "train.optimizer.learning_rate=0.1"),
        ("optimizer.name=sgd", "train.optimizer.name=sgd"),
    ],
)
def test_an_override_of_a_key_that_belongs_in_a_section_is_told_whole(override: str, advice: str) -> None:
    (complaint,) = refused(GOOD, override)
    assert complaint.hint == f"write {advice}"
    assert loaded(GOOD, advice, *(["study.trials=5"] if "sampler" in advice else []))


@pytest.mark.parametrize(
    ("written", "seeds"), [("1-5", "[1, 2, 3, 4, 5]"), ("0 to 2", "[0, 1, 2]"), ("range(3)", "[0, 1, 2]")]
)
def test_a_row_of_seeds_is_all_of_them(written: str, seeds: str) -> None:
    follow(f"{GOOD}study: {{seeds: {written}}}\n", f"write {seeds}", f"{GOOD}study: {{seeds: {seeds}}}\n")


@pytest.mark.parametrize("written", ["study: {seeds: 5-1}", "study: {seeds: 1-99999}", "train: {batch_size: 3x5}"])
def test_of_a_row_that_is_none_nothing_is_made_up(written: str) -> None:
    assert refused(f"{GOOD}{written}\n")[0].hint == ""


def test_two_sizes_are_not_told_as_those_of_two_layers() -> None:
    assert refused(f"{GOOD}  kernel_size: 3x5\n")[0].hint == ""


def test_an_argument_that_only_some_names_take_is_swept_beside_them() -> None:
    text = f"{GOOD}train: {{optimizer: {{name: {{choices: [sgd, adam]}}, momentum: MOMENTUM}}}}\n"
    advice = "{choices: [...], when: {train.optimizer.name: ...}}"
    mended = "{choices: [0.9], when: {train.optimizer.name: sgd}}"
    wrong = text.replace("MOMENTUM", "0.9")
    follow(wrong, f"write {advice}, with those that take it", text.replace("MOMENTUM", mended))


@pytest.mark.parametrize("condition", ["when", "When", "if"])
def test_a_condition_beside_a_form_of_another_tool_stays(condition: str) -> None:
    wrong = f"{GOOD}  dropout: {{values: [0, 0.5], {condition}: {{model.pooling: max}}}}\n"
    advice = "{choices: [0, 0.5], when: {model.pooling: max}}"
    follow(wrong, f"write {advice}", f"{GOOD}  dropout: {advice}\n")


def test_a_number_of_steps_is_not_left_out_of_a_range() -> None:
    (complaint,) = refused(f"{GOOD}  dropout: {{low: 0, high: 0.5, steps: 5}}\n")
    assert "write {low: 0, high: 0.5}" not in complaint.hint


@pytest.mark.parametrize(
    ("wrong", "advice", "mended"),
    [
        ("train: {early_stopping: patience 3}", "write {patience: 3},", "train: {early_stopping: {patience: 3}}"),
        ("train:\n  epochs 3", "write {epochs: 3},", "train:\n  {epochs: 3}"),
        ("train:\n  epochs 3\n  loss mse", "a space after epochs and loss", "train:\n  epochs: 3\n  loss: mse"),
        (
            "train.optimizer.learning_rate: 0.1",
            "write train: {optimizer: {learning_rate: ...}}",
            "train: {optimizer: {learning_rate: 0.1}}",
        ),
        (
            "study: {sampler: {tpe: {seed: 3}}, trials: 5}",
            "write {name: tpe, seed: 3}",
            "study: {sampler: {name: tpe, seed: 3}, trials: 5}",
        ),
    ],
)
def test_advice_is_of_what_stands_there_in_whatever_manner(wrong: str, advice: str, mended: str) -> None:
    follow(f"{GOOD}{wrong}\n", advice, f"{GOOD}{mended}\n")


@pytest.mark.parametrize(
    ("wrong", "advice", "mended"),
    [
        ("optimizer: {sgd, adam}", "write {choices: [sgd, adam]}", "optimizer: {choices: [sgd, adam]}"),
        (
            "momentum: 0.9, nesterov: true",
            "write `optimizer: {name: sgd, momentum: 0.9, nesterov: true}`",
            "optimizer: {name: sgd, momentum: 0.9, nesterov: true}",
        ),
    ],
)
def test_what_one_piece_of_advice_mends_is_told_once(wrong: str, advice: str, mended: str) -> None:
    follow(f"{GOOD}train: {{{wrong}}}\n", advice, f"{GOOD}train: {{{mended}}}\n")


@pytest.mark.parametrize("wrong", [f"study: {{trials: '{'1' * 9999}'}}", f"  filters: '{'1-' * 9999}1'"])
def test_advice_is_no_longer_than_anybody_reads(wrong: str) -> None:
    assert all(len(complaint.hint) < 500 for complaint in refused(f"{GOOD}{wrong}\n"))


def test_all_in_place_of_choices_is_not_told_as_one_of_them() -> None:
    (complaint,) = refused(f"{GOOD}  activation: {{choices: all}}\n")
    assert complaint.hint == "write each of them, [..., ...]"


def test_what_a_decimal_comma_left_in_a_list_is_not_told_as_a_share() -> None:
    assert not any("%" in complaint.hint for complaint in refused(f"{GOOD}  dropout: {{choices: [0,1, 0,2]}}\n"))


def test_choices_in_brackets_under_a_key_of_another_network_are_not_told_to_lose_them() -> None:
    found = refused("data: {}\nmodel: {network: {choices: [mlp]}, dense_units: [{choices: [1]}]}\n")
    assert found[0].message.startswith("unknown key of network mlp")
    assert not any("brackets" in complaint.message for complaint in found)
