import pytest
from loading import loaded, refused

FILE = "data: {source: digits}\nmodel:\n  network: cnn\n  pooling: {choices: [max, average]}\n"


def test_a_range_within_a_network_that_another_sweep_decides_has_whole_numbers_where_its_field_has() -> None:
    text = FILE.split("  network")[0] + "  network: {winner: networks, otherwise: mlp}\n"
    text += "  hidden_units: [{low: 8, high: 16, step: 8}]\n"
    assert [cell["model.hidden_units.0"] for cell in loaded(text).space.cells()] == [8, 16]


@pytest.mark.parametrize(
    ("override", "path", "said"),
    [
        (
            "model.dropout={low: 0.5, high: 0.1}",
            "model.dropout.high",
            "`low` must be less than `high`, but they are 0.5",
        ),
        ("model.dropout={low: 0.1, high: 0.1}", "model.dropout.high", "`low` must be less than `high`"),
        ("model.dropout={low: 0.1}", "model.dropout.high", "required, but not written"),
        ("model.dropout={low: 0, high: 0.5, log: true}", "model.dropout.log", "begins above 0, but `low` is 0"),
        ("model.dropout={low: -1, high: 0.5, step: 0.5}", "model.dropout.low", "must be at least 0, but read -1"),
        ("model.dropout={low: 0, high: 1.5, step: 0.5}", "model.dropout.high", "must be less than 1, but read 1.5"),
        (
            "model.dropout={low: 0.1, high: 0.5, step: 0.3}",
            "model.dropout.step",
            "must end at 0.5, but they end at 0.4",
        ),
        ("model.dropout={low: 0.1, high: 0.5, step: 0}", "model.dropout.step", "must be greater than 0, but read 0"),
        ("model.dropout={low: 0.1, high: 0.5, step: 1e-9}", "model.dropout.step", "at most 10,000 steps"),
        ("model.dropout={low: 0.1, high: 0.2, step: 0.1, log: true}", "model.dropout.step", "takes no step"),
        ("model.dropout={low: x, high: 0.2}", "model.dropout.low", "expected a number, but read"),
        ("model.dropout={choices: []}", "model.dropout.choices", "must not be empty"),
        ("model.dropout={choices: 0.1}", "model.dropout.choices", "expected a list, but read the number 0.1"),
        ("model.dropout={choices: [0.1, x]}", "model.dropout.choices.1", "expected a number, but read the word 'x'"),
        ("model.dropout={choices: [0.1, 0.2, 0.1]}", "model.dropout.choices.2", "0.1 is the same as 0.1"),
        ("model.dropout={choices: [0, 0.0]}", "model.dropout.choices.1", "0.0 is the same as 0"),
        ("model.dropout={choices: [true]}", "model.dropout.choices.0", "expected a number, but read the boolean true"),
        ("model.dropout={choises: [0.1]}", "model.dropout.choises", "unknown key; did you mean 'choices'?"),
        ("model.dropout={choices: [0.1], wen: {a: 1}}", "model.dropout.wen", "unknown key; did you mean 'when'?"),
        ("model.dropout={choices: [{choices: [0.1]}]}", "model.dropout.choices.0", "a choice holds no choices"),
        ("model.padding={low: 1, high: 2}", "model.padding", "takes no number, so that it has no range"),
        ("model.pool_size={low: 1, high: 3, step: 0.5}", "model.pool_size.step", "takes whole numbers"),
        ("model.pool_size={low: 1.5, high: 3}", "model.pool_size.low", "expected a whole number"),
        ("model.filters.0={choices: [8], when: {model.pooling: max}}", "model.filters.0.when", "always there"),
        ("train.optimizer={choices: [adam, {name: adam}]}", "train.optimizer.choices.1", "is the same as adam"),
        ("train.optimizer={choices: [{name: sgd, beta_1: 0.9}]}", "train.optimizer.choices.0.beta_1", "sgd does not"),
        ("train.optimizer={choices: [adamm]}", "train.optimizer.choices.0", "did you mean 'adam'?"),
        ("train.epochs={choices: [3, 1000000000000000000000000000000]}", "train.epochs.choices.1", "at most 10000"),
    ],
)
def test_refused_at_its_place(override: str, path: str, said: str) -> None:
    text = FILE + ("  filters: [8, 16]\n" if "filters" in override else "")
    text += "study: {sampler: random, trials: 5}\n"
    if "step" not in override:
        text = text.replace("sampler: random, trials: 5", "sampler: tpe, trials: 5")
    complaints = refused(text, override)
    assert path in [complaint.path for complaint in complaints]
    assert said in next(complaint.message for complaint in complaints if complaint.path == path)
    assert len(complaints) <= 2


def test_steps_between_whole_numbers_end_at_a_whole_number() -> None:
    complaint = refused(FILE, "model.pool_size={low: 1, high: 4, step: 2}")[0]
    assert complaint.message == "whole steps of 2 from 1 must end at 4, but they end at 3"


def test_more_choices_than_anybody_compares_are_refused() -> None:
    complaint = refused(FILE, f"model.dropout={{choices: {list(range(201))}}}")[0]
    assert "must have at most 200 elements" in complaint.message


@pytest.mark.parametrize(
    "values",
    ["[0, 0.5]", "[[32], [32, 64]]", "[relu, elu]", "[true, false]", "[null, 3]", "[adam, {name: sgd, momentum: 0.9}]"],
)
def test_choices_are_any_plain_values(values: str) -> None:
    place = {
        "[0, 0.5]": "model.dropout", "[[32], [32, 64]]": "model.filters", "[relu, elu]": "model.activation",
        "[true, false]": "model.batch_norm", "[null, 3]": "train.early_stopping",
    }.get(values, "train.optimizer")  # fmt: skip
    assert len(loaded(FILE, f"{place}={{choices: {values}}}").space[place].grid()) == 2
