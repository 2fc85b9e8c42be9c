import pytest
from loading import loaded, refused

FILE = """\
data: {source: digits}
model:
  leaky_relu_slope: {choices: [0.1, 0.2], when: {model.activation: leaky_relu}}
  activation: {choices: [relu, leaky_relu, elu]}
  pooling: {choices: [max, average]}
  dropout: {low: 0.1, high: 0.5, step: 0.2}
"""


def test_a_parameter_stands_after_those_that_its_when_names() -> None:
    assert loaded(FILE).space.paths == ("model.activation", "model.leaky_relu_slope", "model.pooling", "model.dropout")


def test_a_condition_may_name_several_parameters_and_several_values_of_each() -> None:
    text = FILE + "train: {loss: {choices: [mse, mae], when: {model.activation: [relu, elu], model.pooling: max}}}\n"
    config = loaded(text)
    on = [cell for cell in config.space.cells() if "train.loss" in cell]
    assert {(cell["model.activation"], cell["model.pooling"]) for cell in on} == {("relu", "max"), ("elu", "max")}


def test_conditions_may_follow_each_other() -> None:
    text = FILE + "train: {loss: {choices: [mse, mae], when: {model.leaky_relu_slope: 0.2}}}\n"
    on = [cell for cell in loaded(text).space.cells() if "train.loss" in cell]
    assert {cell["model.activation"] for cell in on} == {"leaky_relu"}


@pytest.mark.parametrize("choice", ["sgd", "{name: sgd}"])
@pytest.mark.parametrize("named", ["sgd", "{name: sgd}", "[adam, {name: sgd}]"])
def test_a_word_is_short_for_the_mapping_with_that_name(choice: str, named: str) -> None:
    text = FILE + f"train:\n  optimizer: {{choices: [{choice}, rmsprop, adam]}}\n"
    text += f"  loss: {{choices: [mse, mae], when: {{train.optimizer: {named}}}}}\n"
    on = {str(cell["train.optimizer"]) for cell in loaded(text).space.cells() if "train.loss" in cell}
    assert ("rmsprop" not in on, len(on)) == (True, 2 if "adam" in named else 1)


@pytest.mark.parametrize(("choice", "point"), [("sgd", "{name: sgd}"), ("{name: sgd}", "sgd")])
def test_a_point_may_name_a_choice_either_way(choice: str, point: str) -> None:
    text = FILE.replace(
        "leaky_relu_slope: {choices: [0.1, 0.2], when: {model.activation: leaky_relu}}", "padding: same"
    )
    text += f"train:\n  optimizer: {{choices: [adam, {choice}]}}\n"
    text += f"  loss: {{choices: [mse, mae], when: {{train.optimizer: {choice}}}}}\n"
    values = f"{{train.optimizer: {point}, train.loss: mae, model.dropout: 0.3}}"
    config = loaded(f"{text}study: {{sampler: random, trials: 9, baseline: {values}, start: [{values}]}}\n")
    own = config.space["train.optimizer"].own("sgd")
    assert config.study.start[0]["train.optimizer"] == own
    assert config.study.baseline is not None
    assert (config.study.baseline["train.optimizer"], config.study.baseline["train.loss"]) == (own, "mae")


def test_a_list_that_is_a_choice_is_that_choice() -> None:
    text = FILE + "  filters: {choices: [[8], [8, 16]]}\n"
    text += "train: {loss: {choices: [mse, mae], when: {model.filters: [8, 16]}}}\n"
    assert {c["model.filters"] for c in loaded(text).space.cells() if "train.loss" in c} == {(8, 16)}


@pytest.mark.parametrize(
    ("when", "path", "said"),
    [
        ("{model.activaton: relu}", "when.model.activaton", "decides nothing; did you mean 'model.activation'?"),
        ("{activation: relu}", "when.activation", "so that it decides nothing; did you mean 'model.activation'?"),
        ("{model: {activation: relu}}", "when.model", "write a whole path, such as model."),
        ("{model.padding: same}", "when.model.padding", "'model.padding' is not swept, so that it decides nothing"),
        ("{model.activation: tanh}", "when.model.activation", "unknown value 'tanh'"),
        ("{model.activation: [relu, tanh]}", "when.model.activation", "unknown value 'tanh'"),
        ("{model.activation: []}", "when.model.activation", "expected relu, leaky_relu or elu"),
        ("{model.dropout: 0.1}", "when.model.dropout", "a range; only choices decide"),
        ("{train.loss: mse}", "when", "waits for itself: train.loss needs train.loss"),
        ("{}", "when", "must not be empty"),
        ("relu", "when", "expected a mapping, but read the word 'relu'"),
    ],
)
def test_a_condition_that_cannot_be_met_is_refused(when: str, path: str, said: str) -> None:
    complaints = refused(FILE + f"train: {{loss: {{choices: [mse, mae], when: {when}}}}}\n")
    assert [complaint.path for complaint in complaints] == [f"train.loss.{path}"]
    assert said in complaints[0].message


def test_what_has_no_default_is_always_on() -> None:
    text = FILE + "train: {early_stopping: {patience: {choices: [2, 3], when: {model.pooling: max}}}}\n"
    assert [(complaint.path, complaint.message) for complaint in refused(text)] == [
        (
            "train.early_stopping.patience",
            "has no default for when its `when` turns it off, with model.pooling: average",
        )
    ]


def test_a_circle_is_shown_from_each_of_its_parameters() -> None:
    text = FILE.replace("[relu, leaky_relu, elu]}", "[relu, leaky_relu, elu], when: {model.leaky_relu_slope: 0.1}}")
    messages = [complaint.message for complaint in refused(text)]
    assert messages == [
        "waits for itself: model.leaky_relu_slope needs model.activation needs model.leaky_relu_slope",
        "waits for itself: model.activation needs model.leaky_relu_slope needs model.activation",
    ]


NETWORKS = """\
data: {source: digits}
model:
  network: {choices: [cnn, mlp]}
  activation: {choices: [relu, leaky_relu], when: {model.network: mlp}}
  leaky_relu_slope: {choices: [0.1, 0.2], when: {model.network: %s, model.activation: leaky_relu}}
"""


def test_what_is_needed_over_several_levels_is_what_all_of_them_allow() -> None:
    """`cnn` stands first among what the slope allows, and turns the activation off that it waits for."""
    on = [cell for cell in loaded(NETWORKS % "[cnn, mlp]").space.cells() if "model.leaky_relu_slope" in cell]
    assert [(cell["model.network"], cell["model.leaky_relu_slope"]) for cell in on] == [("mlp", 0.1), ("mlp", 0.2)]
    assert [complaint.path for complaint in refused((NETWORKS % "[cnn, mlp]").replace("0.2]", "2]"))] == [
        "model.leaky_relu_slope.choices.1"
    ]


def test_a_condition_that_no_configuration_meets_is_refused_and_what_waits_for_it_is_not_complained_of() -> None:
    text = NETWORKS % "cnn" + "train: {loss: {choices: [mse, mae], when: {model.leaky_relu_slope: 0.2}}}\n"
    assert [(complaint.path, complaint.message) for complaint in refused(text)] == [
        ("model.leaky_relu_slope.when", "is never met: it needs model.network to be cnn, and to be mlp")
    ]
