import pytest
from loading import loaded, refused

HEAD = "data: {source: digits}\nmodel:\n"


def test_choices_that_fit_only_some_of_the_others_are_refused_with_the_combination() -> None:
    text = HEAD + "  filters: {choices: [[32, 64], [32]]}\n  kernel_size: [5, 3]\n"
    complaint = refused(text)[0]
    assert (complaint.line, complaint.path) == (4, "model.kernel_size")
    assert complaint.message.endswith("filters describes 1, kernel_size 2, with model.filters: [32]")


def test_a_pair_of_choices_neither_of_which_is_first_is_found() -> None:
    text = HEAD + "  filters: {choices: [[8, 8], [8]]}\n  kernel_size: {choices: [3, [5, 3]]}\n"
    complaint = refused(text)[0]
    assert complaint.path == "model.kernel_size.choices.1"
    assert complaint.message.endswith("with model.filters: [8]")


def test_a_pair_in_a_space_too_large_to_look_at_all_of_it_is_found() -> None:
    text = HEAD + "  filters: {choices: [[8, 8], [8]]}\n  kernel_size: {choices: [3, [5, 3]]}\n"
    text += "  dropout: {low: 0.0, high: 0.9, step: 0.1}\n  pool_size: {choices: [1, 2]}\n"
    text += "  batch_norm: {choices: [true, false]}\n"
    text += f"train:\n  batch_size: {{choices: {list(range(8, 48))}}}\n  epochs: {{choices: {list(range(1, 41))}}}\n"
    text += "study: {sampler: random, trials: 10}\n"
    assert "model.kernel_size.choices.1" in [complaint.path for complaint in refused(text)]


def test_when_keeps_apart_what_does_not_go_together() -> None:
    text = HEAD + "  filters: {choices: [[8, 8], [8]]}\n"
    text += "  kernel_size: {choices: [3, [5, 3]], when: {model.filters: [8, 8]}}\n"
    assert list(map(loaded(text).space.configuration_label, loaded(text).space.cells())) == [
        "filters=[8, 8] kernel_size=3",
        "filters=[8, 8] kernel_size=[5, 3]",
        "filters=[8]",
    ]


def test_a_wrong_choice_is_told_once_however_many_combinations_it_is_in() -> None:
    text = HEAD + "  filters: {choices: [[8], [16], [x]]}\n  dropout: {choices: [0.1, 0.2, 0.3]}\n"
    assert [complaint.path for complaint in refused(text)] == ["model.filters.choices.2.0"]


def test_what_follows_from_something_wrong_is_not_told_besides() -> None:
    text = HEAD + "  activation: {choices: [relu, leaky_relu], wen: 3}\n"
    text += "  leaky_relu_slope: {choices: [0.1, 0.2], when: {model.activation: leaky_relu}}\n"
    text += "  pool_size: {choices: [1, 2], when: {model.leaky_relu_slope: 0.1}}\n"
    text += "train: {early_stopping: {patience: {low: 3, high: 1}}}\n"
    assert [complaint.path for complaint in refused(text)] == [
        "model.activation.wen",
        "train.early_stopping.patience.high",
    ]


@pytest.mark.parametrize("written", ["batch_norm: {choices: [false, 0]}", "kernel_size: {choices: [3, 3.0]}"])
def test_a_choice_is_not_taken_for_another_that_python_finds_equal(written: str) -> None:
    complaints = refused(HEAD + f"  {written}\n")
    assert [complaint.path.split(".")[-1] for complaint in complaints] == ["1"]


def test_a_network_that_is_no_word_is_no_network() -> None:
    for written in ("[{a: 1}]", "{choices: [{a: 1}, cnn]}", "{choices: 3}", "{a: 1}", "3", "null"):
        assert refused(HEAD + f"  network: {written}\n  dropout: {{choices: [0.1, 0.2]}}\n")


def test_what_is_wrong_besides_what_is_swept_blames_nothing_swept() -> None:
    text = HEAD + "  filters: {choices: [[8], [16]]}\n  dropout: 7\n"
    assert [complaint.message for complaint in refused(text)] == ["must be less than 1, but read 7"]
