import json

from typer.testing import CliRunner

from main.card_text import card_lines
from main.cli import app
from main.luck import luck
from main.terminal import BAD_INPUT, DONE

CARD = {
    "sha256": "ab" * 32,
    "name": "pooling",
    "question": "Which pooling reads digits best?",
    "configuration": "blur",
    "config": {"model": {"network": "cnn", "filters": [32, 64]}, "train": {"optimizer": {"name": "adam", "rho": None}}},
    "data": {"source": "mnist", "checksum": "cd" * 32, "notice": None, "train": 55_000, "validation": 5_000},
    "trial": 4,
    "seed": 0,
    "epoch": 3,
    "parameters": 34_826,
    "trained_on": {"processor": "EPYC", "threads": 1, "precision": "bfloat16"},
    "metrics": {"val_accuracy": {"value": 0.991, "mean": 0.99, "low": 0.98, "high": 0.995, "n": 5}},
    "test": {"accuracy": 0.9912, "low": 0.9891, "high": 0.9929, "n": 10_000, "crossentropy": 0.03, "note": "once"},
    "verdict": "blur beats max.",
    "versions": {"python": "3.11", "keras": "3.15.1"},
    "created": "2026-01-01T00:00:00+00:00",
}


def test_a_card_is_read_out_in_the_order_in_which_one_asks() -> None:
    lines = card_lines(CARD)
    assert lines[:5] == [
        "model            pooling",
        "question         Which pooling reads digits best?",
        "configuration    blur",
        "test accuracy    99.12 % (95 % 98.91 to 99.29, 10,000 images)",
        "                 once",
    ]
    text = "\n".join(lines)
    assert (
        "val_accuracy     99.10 % in training, 99.00 % is the mean of 5 trainings of this configuration, "
        "95 % 98.00 to 99.50\n"
    ) in text
    assert "data             mnist, 55,000 to train on, 5,000 to validate on" in text
    assert "network          network cnn, filters [32, 64]" in text
    assert "training         optimizer {name: adam}" in text
    assert "training run     trial 4, seed 0, epoch 3" in text
    assert "parameters       34,826" in text
    assert "trained on       EPYC, bfloat16, 1 thread\n" in text
    assert lines[-1] == f"sha256           {'ab' * 32}"


def test_every_figure_stands_in_line_with_the_others() -> None:
    metrics = {
        "val_crossentropy": {"value": 0.031},
        "val_accuracy of this file": {"value": 0.9976},
        "val_crossentropy at the best temperature": {"value": 0.03, "mean": 0.04},
        "val_loss of none": {},
    }
    assert card_lines({"name": "final", "metrics": metrics}) == [
        "model            final",
        "val_crossentropy 0.031",
        "val_accuracy     99.76 % of this file",
        "val_crossentropy 0.03 at the best temperature, 0.04 is the mean",
    ]


def test_a_file_far_from_what_its_configuration_does_is_called_lucky_or_unlucky() -> None:
    def told(name: str, value: float, of_this_file: float | None = None, n: int = 5) -> str:
        metrics: dict[str, object] = {name: {"value": value, "mean": 0.5, "low": 0.48, "high": 0.51, "n": n}}
        if of_this_file is not None:
            metrics["val_accuracy of this file"] = {"value": of_this_file}
        return "".join(luck({"metrics": metrics}))

    reach = 0.02 * 6**0.5
    assert told("val_accuracy", 0.5, 0.5 + 0.99 * reach) == ""
    assert told("val_accuracy", 0.5, 0.5 + 1.01 * reach) == (
        "The exported file's val_accuracy, 54.95 %, is far above where one training of its configuration ends, "
        "going by the 5 that were judged (45.10 to 54.90): it was lucky, and the test accuracy tells more."
    )
    assert "it was unlucky" in told("val_accuracy", 0.5, 0.5 - 1.01 * reach)
    assert "it was unlucky" in told("val_loss", 0.6, 0.5)
    assert "it was lucky" in told("val_loss", 0.4, 0.5)
    assert "(45.10 to 54.90)" in "".join(card_lines({"metrics": {"val_accuracy": {"value": 0.6, "mean": 0.5,
        "low": 0.48, "high": 0.51, "n": 5}}}))  # fmt: skip


def test_what_folds_share_widens_the_interval_of_their_mean_and_not_that_of_a_training() -> None:
    n, folds, deviation, quantile = 10, 5, 0.01, 2.2621571627409915
    half = quantile * deviation * (1 / n + 1 / (folds - 1)) ** 0.5
    reach = quantile * deviation * (1 / n + 1) ** 0.5

    def told(value: float, **card: object) -> tuple[str, ...]:
        judged = {"value": value, "mean": 0.5, "low": 0.5 - half, "high": 0.5 + half, "n": n}
        return luck({"metrics": {"val_accuracy": judged}, **card})

    assert not told(0.5 + 0.99 * reach, fold=2, folds=folds)
    assert told(0.5 + 1.01 * reach, fold=2, folds=folds)
    assert not told(0.9, fold=2)  # an older card, which does not say into how many
    assert not told(0.9, fold=0, folds=1)


def test_a_training_like_all_others_is_not_lucky_by_its_last_bits() -> None:
    mean = (0.1 + 0.1 + 0.1) / 3
    assert mean != 0.1
    assert not luck({"metrics": {"val_loss": {"value": 0.1, "mean": mean, "low": mean, "high": mean, "n": 3}}})


def test_of_a_card_without_an_interval_no_luck_is_told() -> None:
    for metric in ({}, {"mean": 0.5}, {"mean": 0.5, "low": None, "high": None, "n": 1}, {"mean": 10**400}, "odd"):
        assert luck({"metrics": {"val_accuracy": metric}}) == ()
    assert luck(None) == ()


def test_what_a_card_does_not_say_is_left_out() -> None:
    assert card_lines({"name": "bare"}) == ["model            bare"]
    odd = {"test": {"accuracy": "high"}, "data": [], "metrics": {"m": 1}, "versions": None, "parameters": "many"}
    assert card_lines(odd) == ["test accuracy    high"]


def test_the_command_shows_the_card_of_the_file_it_belongs_to(tmp_path) -> None:
    import hashlib

    model = tmp_path / "cnn.h5"
    model.write_bytes(b"weights")
    card = CARD | {"sha256": hashlib.sha256(b"weights").hexdigest()}
    model.with_suffix(".json").write_text(json.dumps(card))
    answer = CliRunner().invoke(app, ["show", str(model)])
    assert (answer.exit_code, answer.output.splitlines()) == (DONE, card_lines(card))
    answer = CliRunner().invoke(app, ["show", str(model), "--json"])
    assert json.loads(answer.output) == card
    model.write_bytes(b"others")
    answer = CliRunner().invoke(app, ["show", str(model)])
    assert answer.exit_code == BAD_INPUT


def test_nothing_of_a_card_reaches_the_terminal_that_it_would_obey() -> None:
    lines = card_lines(CARD | {"question": "\x1b]0;x\x07\x1b[2Jwhich?\nmodel", "metrics": {"\x1b[1m": {"value": 1}}})
    assert all(line.isprintable() for line in lines)
    assert any(line.endswith("[2Jwhich?\N{REPLACEMENT CHARACTER}model") for line in lines)
