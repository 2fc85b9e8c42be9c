import pytest
from loading import loaded

from main.complaints import ConfigError
from optimize.config import SweepConfig
from optimize.networks import PlannedNetwork, planned_networks

HEAD = "data: {source: digits}\nmodel:\n"
MNIST = ((28, 28, 1), 10)


def networks(text: str) -> tuple[PlannedNetwork, ...]:
    return planned_networks(loaded(text), *MNIST)


def impossible(config: SweepConfig) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        planned_networks(config, *MNIST)
    return [f"{c.line}:{c.column} {c.path}: {c.message}" for c in raised.value.complaints]


def test_networks_that_differ_in_no_layer_are_one() -> None:
    found = networks(HEAD + "  pooling: {choices: [max, average, stride]}\n  dropout: {choices: [0.1, 0.2]}\n")
    assert [len(network.values) for network in found] == [4, 2]
    assert (found[0].parameters, found[0].multiply_adds) == (34_826, 2_440_960)


def test_what_is_swept_in_train_makes_no_other_network() -> None:
    found = networks(HEAD + "  network: softmax\ntrain: {loss: {choices: [mse, mae]}}\n")
    assert [network.values for network in found] == [({},)]
    assert found[0].parameters == 7_850


def test_what_a_network_waits_for_is_looked_at_too() -> None:
    text = HEAD + "  pool_size: {choices: [1, 2], when: {train.loss: mse}}\ntrain: {loss: {choices: [mse, mae]}}\n"
    assert [network.values for network in networks(text)] == [
        ({"train.loss": "mse", "model.pool_size": 1},),
        ({"train.loss": "mse", "model.pool_size": 2}, {"train.loss": "mae"}),
    ]


def test_whole_numbers_of_a_short_range_are_all_looked_at_of_others_the_ends() -> None:
    tail = "study: {sampler: random, trials: 3}\n"
    assert len(networks(HEAD + "  kernel_size: {low: 2, high: 5}\n" + tail)) == 4
    assert len(networks(HEAD + "  network: mlp\n  hidden_units: [{low: 1, high: 4096}]\n" + tail)) == 2


def test_steps_of_a_short_range_are_all_looked_at_of_others_the_ends() -> None:
    def looked_at(step: float) -> list[object]:
        found = networks(HEAD + f"  dropout: {{low: 0, high: 0.9, step: {step}}}\n")
        return [values["model.dropout"] for network in found for values in network.values]

    assert looked_at(0.3) == [0.0, 0.3, 0.6, 0.9]
    assert looked_at(0.01) == [0.0, 0.9]


def test_a_kernel_larger_than_what_pooling_left_is_told_by_line_with_the_combination() -> None:
    text = HEAD + "  filters: {choices: [[8, 8], [8, 8, 8]]}\n  kernel_size: {choices: [3, 7]}\n"
    assert impossible(loaded(text)) == [
        "4:30 model.kernel_size.choices.1: kernel_size 7 is larger than the 2 × 2 image that is left before "
        "convolution 3, with model.filters: [8, 8, 8]"
    ]


def test_a_model_that_is_swept_as_a_whole_is_looked_at_and_its_faults_told_within_the_choice() -> None:
    text = HEAD + "  choices:\n    - {filters: [8]}\n    - filters: [8, 8, 8]\n      kernel_size: 7\n"
    assert impossible(loaded(text)) == [
        "6:20 model.choices.1.kernel_size: kernel_size 7 is larger than the 2 × 2 image that is left before "
        "convolution 3"
    ]


def test_combinations_that_fail_alike_are_told_once() -> None:
    text = HEAD + "  filters: [8, 8, 8]\n  kernel_size: 7\n  dropout: {choices: [0.1, 0.2, 0.3]}\n"
    assert impossible(loaded(text)) == [
        "4:16 model.kernel_size: kernel_size 7 is larger than the 2 × 2 image that is left before convolution 3, "
        "with model.dropout: 0.1, and 2 more"
    ]


def test_what_no_layer_depends_on_is_looked_at_only_where_another_waits_for_it() -> None:
    assert [network.values for network in networks(HEAD + "  activation: {choices: [relu, elu]}\n")] == [({},)]
    text = (
        HEAD + "  activation: {choices: [relu, elu]}\n  pool_size: {choices: [2, 3], when: {model.activation: elu}}\n"
    )
    assert [network.values for network in networks(text)] == [
        ({"model.activation": "relu"}, {"model.activation": "elu", "model.pool_size": 2}),
        ({"model.activation": "elu", "model.pool_size": 3},),
    ]


SIZELESS = f"""\
  activation: {{choices: [relu, elu, selu, gelu, silu, mish, tanh, sigmoid, softplus, softsign]}}
  initializer: {{choices: [auto, glorot_uniform, he_uniform, he_normal, uniform, normal, orthogonal]}}
  dense_initializer: {{choices: [glorot_uniform, he_normal]}}
  l2: {{choices: {[n / 1000 for n in range(200)]}}}
"""
RANGES = "  dense_units: [{low: 1, high: 60}, {low: 1, high: 60}, {low: 1, high: 60}]\n"
RATES = [n / 20 for n in range(20)]
CHOICES = f"""\
  dense_units: {{choices: {[[n] for n in range(1, 21)]}}}
  dropout: {{choices: {RATES}}}
  conv_dropout: {{choices: {RATES}}}
"""
SEARCH = "study: {sampler: random, trials: 3}\n"


@pytest.mark.parametrize("many", [SIZELESS, RANGES], ids=["without size", "ranges"])
def test_three_values_that_do_not_go_together_are_found_in_a_space_of_very_many(many: str) -> None:
    text = HEAD + "  filters: {choices: [[8], [8, 8, 8]]}\n  padding: {choices: [same, valid]}\n"
    found = impossible(loaded(text + "  kernel_size: {choices: [3, 7]}\n" + many + SEARCH))
    assert len(found) == 1
    assert found[0].startswith("5:30 model.kernel_size.choices.1: kernel_size 7 is larger than the 2 × 2 image")


def test_pairs_are_looked_at_where_choices_have_too_many_combinations() -> None:
    head = HEAD + "  padding: {choices: [same, valid]}\n  kernel_size: {choices: [3, 29]}\n"
    found = impossible(loaded(head + CHOICES + SEARCH))
    assert len(found) == 1
    assert found[0].startswith("4:30 model.kernel_size.choices.1: kernel_size 29 is larger than the 28 × 28 image")


def test_of_too_many_combinations_every_whole_number_of_a_short_range_is_looked_at_alone() -> None:
    found = networks(HEAD + "  filters: [{low: 1, high: 9}]\n" + RANGES + SEARCH)
    assert {network.spec.filters for network in found} == {(n,) for n in range(1, 10)}


def test_a_pool_larger_than_the_image_is_told_too() -> None:
    text = HEAD + "  kernel_size: 1\n  pool_size: {choices: [2, 16]}\n"
    assert impossible(loaded(text)) == [
        "4:28 model.pool_size.choices.1: pool_size 16 is larger than the 1 × 1 image that is left after convolution 2"
    ]


def test_a_network_that_no_model_file_could_hold_is_refused_before_it_is_trained() -> None:
    text = HEAD + "  network: mlp\n  hidden_units: [16384, 8192]\nstudy: {seeds: 2}\n"
    assert impossible(loaded(text)) == [
        "3:12 model.network: has 147,169,290 weights, for which a model file of 512 MiB has no room"
    ]


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("  kernel_size: {choices: [3, 15]}\n", "leave it out, say with `when` what it is for"),
        ("  kernel_size: {low: 3, high: 15, step: 12}\n", "leave it out, say with `when` what it is for"),
        ("  kernel_size: 15\n", "write a smaller one, fewer convolutions"),
        ("  dense_units: [65536, 65536]\n", "write fewer layers, or smaller ones"),
    ],
)
def test_the_way_out_is_one_that_there_is(model: str, hint: str) -> None:
    with pytest.raises(ConfigError) as raised:
        planned_networks(loaded(HEAD + model + "  pooling: {choices: [max, average]}\n"), *MNIST)
    assert [complaint.hint.startswith(hint) for complaint in raised.value.complaints] == [True]
