"""A sweep's best trials in one model: which are chosen, what is written, and what is refused."""

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from main.card_text import card_lines
from optimize import ensemble
from optimize.cli import app
from optimize.config import load_config
from optimize.ensemble import MOST_MEMBERS, Chosen, choose_members, export_ensemble, temper
from optimize.export import NothingToExport
from optimize.results import Results
from optimize.sweep import run_sweep
from sweeps import Witness

SWEEP = """
name: small
data: {source: digits, train: 400}
model: {network: cnn, filters: [8], pooling: {choices: [max, average]}}
train: {epochs: 4, learning_rate: 1e-2}
study: {seeds: 2}
run: {workers: 0, precision: float32}
"""


TEMPERATURES = np.geomspace(0.05, 40, 1500)


def tempered(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Networks' logits each at the best of many temperatures, by the textbook, and of many more around that one."""
    return np.stack([best_scale(network[None], labels) * network for network in logits])


def best_scale(network: np.ndarray, labels: np.ndarray) -> float:
    best = TEMPERATURES[np.argmin(crossentropies(network, labels))]
    around = np.geomspace(best / 1.006, best * 1.006, 801)
    return float(around[np.argmin(crossentropies(network, labels, around))])


def crossentropy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Of the softmax of the mean over networks at the best of many temperatures, by the textbook."""
    return min(crossentropies(logits, labels))


def crossentropies(logits: np.ndarray, labels: np.ndarray, scales: np.ndarray = TEMPERATURES) -> list[float]:
    return [float(np.mean(losses(logits, labels, scale))) for scale in scales]


def losses(logits: np.ndarray, labels: np.ndarray, scale: float) -> np.ndarray:
    mean, n_classes = logits.mean(axis=0), logits.shape[2]
    doubt = 1 / (len(labels) + 2)
    targets = (1 - doubt) * np.eye(n_classes)[labels] + doubt / n_classes
    powers = np.exp(scale * (mean - mean.max(axis=1, keepdims=True)))
    return -(targets * np.log(powers / powers.sum(axis=1, keepdims=True))).sum(axis=1)


def draws(seed: int, networks: int = 12, images: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Networks of different skill: logits that lean to the truth, more or less."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, images)
    lean = rng.uniform(0.5, 2.5, networks)[:, None, None] * np.eye(10)[labels]
    return rng.normal(0, 1, (networks, images, 10)) + lean, labels


@pytest.mark.parametrize("seed", range(2))
def test_members_are_as_many_as_are_as_good_as_the_best_of_a_plain_greedy_search(seed: int) -> None:
    plain, labels = draws(seed)
    logits = tempered(plain, labels)
    expected: list[int] = []
    values: list[float] = []
    while len(expected) < MOST_MEMBERS:
        rest = [other for other in range(len(logits)) if other not in expected]
        with_each = [(crossentropy(logits[[*expected, other]], labels), other) for other in rest]
        values.append(min(with_each)[0])
        expected.append(min(with_each)[1])
    together = [logits[expected[:count]] for count in range(1, len(expected) + 1)]
    of_each = [losses(networks, labels, best_scale(networks, labels)) for networks in together]
    excess = [image - of_each[int(np.argmin(values))] for image in of_each]
    count = max(n for n, more in enumerate(excess, 1) if more.mean() <= more.std() / len(labels) ** 0.5)
    members, reached, scales = choose_members(plain, labels)
    assert list(members) == expected[:count]
    assert reached == pytest.approx(values[:count], rel=1e-5)
    assert len(members) > np.argmin(values)
    joined = np.mean([scale * plain[place] for place, scale in zip(members, scales, strict=True)], axis=0)
    assert temper(joined, labels).scale == pytest.approx(1, rel=1e-3)
    assert temper(joined, labels).crossentropy == pytest.approx(values[count - 1], rel=1e-4)


@pytest.mark.parametrize("scale", [0.2, 5.0, np.geomspace(0.1, 10, 12)[:, None, None]])
def test_how_sure_networks_are_decides_nothing(scale: float | np.ndarray) -> None:
    """Neither all alike nor each by itself: the surest does not outvote the rest."""
    logits, labels = draws(0)
    sure, plain = choose_members(logits * scale, labels), choose_members(logits, labels)
    assert sure.members == plain.members
    assert sure.crossentropies == pytest.approx(plain.crossentropies, rel=1e-6)


def test_there_are_never_more_than_eight() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 500)
    logits = rng.normal(0, 3, (12, 500, 10)) + 4 * np.eye(10)[labels]  # each makes mistakes of its own
    assert len(choose_members(logits, labels).members) == MOST_MEMBERS == 8


def test_a_network_that_makes_it_worse_is_left_out() -> None:
    labels = np.arange(10)
    sure = 7.0 * np.eye(10)
    members, reached, _ = choose_members(np.stack([np.roll(sure, 1, axis=1), sure]), labels)
    assert members == (1,)
    assert reached == (pytest.approx(crossentropy(sure[None], labels), rel=1e-5),)


def test_a_network_that_is_sure_and_wrong_costs_a_finite_amount() -> None:
    logits = np.stack([5000.0 * np.eye(3)[[0, 1]], np.zeros((2, 3))])
    assert 1.0 < choose_members(logits, np.array([1, 1])).crossentropies[0] < np.log(3)


@pytest.fixture(scope="module")
def swept(
    tmp_path_factory: pytest.TempPathFactory, drawing_nothing: Callable[[], AbstractContextManager[None]]
) -> Path:
    folder = tmp_path_factory.mktemp("ensemble")
    (folder / "small.yaml").write_text(SWEEP)
    with drawing_nothing():
        run_sweep(load_config(folder / "small.yaml"), results_dir=folder, observer=Witness())
    return folder / "small"


@pytest.fixture
def results(swept: Path, tmp_path: Path) -> Results:
    return Results(shutil.copytree(swept, tmp_path / "small"))


@pytest.mark.training
def test_the_command_joins_trials_in_one_model_that_every_command_reads(results: Results, tmp_path: Path) -> None:
    before = results.model_file.read_bytes()
    ran = CliRunner().invoke(app, ["export", str(results.folder), "--ensemble"])
    assert ran.exit_code == 0, ran.output
    model = results.ensemble_folder / "cnn.h5"
    assert str(model) in ran.output.replace("\n", "")
    card = json.loads(model.with_suffix(".json").read_text())
    assert f"{100 * card['test']['accuracy']:.2f} %" in ran.output
    assert any(line.startswith("members") for line in card_lines(card))
    assert results.model_file.read_bytes() == before  # the single model stays
    table = results.trials().set_index("trial")
    assert len(card["members"]) >= 2
    for member in card["members"]:
        assert member["val_accuracy"] == table.loc[member["trial"], "val_accuracy"]
    assert len({member["trial"] for member in card["members"]}) == len(card["members"])

    from main.data import load_training
    from main.evaluate import assess, assess_split
    from main.explain import explain
    from main.live import LiveModel
    from main.modelfile import load_model

    network = load_model(model)
    assert assess(network, model, None, card).accuracy.value == card["test"]["accuracy"]
    data = load_training(load_config(results.sweep_file).base.data)
    validated = assess_split(network, model, data.validation, classes=data.classes, source=data.source)
    metrics = card["metrics"]
    assert metrics["val_accuracy of this file"]["value"] == validated.accuracy.value
    probabilities = network.predict(data.validation.images / np.float32(255), verbose=0).astype(float)
    found = temper(np.log(np.maximum(probabilities, 1e-30)), data.validation.labels)
    assert found.scale == pytest.approx(1, rel=1e-2)
    assert found.crossentropy == pytest.approx(metrics[ensemble.CHOSEN_ON]["value"], rel=1e-4)
    assert all(path.stat().st_size > 0 for path in explain(model, out=tmp_path / "explained", method="pca"))
    shown = LiveModel(model)
    assert shown.input_shape == data.input_shape


@pytest.mark.training
def test_of_an_ensemble_the_first_member_is_explained(results: Results) -> None:
    from main.evaluate import assess
    from main.explanation import deep_features, shown_steps
    from main.modelfile import load_model

    path = export_ensemble(results).model_file
    network = load_model(path)
    assert [step.layer.name for step in shown_steps(network)] == ["member_1_conv_1_activation", "member_1_conv_1_pool"]
    assert deep_features(network, assess(network, path, "digits", None), "pca").layer == "member_1_flatten"


@pytest.mark.training
def test_what_no_ensemble_can_be_made_of_is_refused(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensemble, "choose_members", lambda *_: Chosen((1,), (0.5,), (1.0,)))
    with pytest.raises(NothingToExport, match="better alone"):
        export_ensemble(results)
    first, *others = map(int, results.trials()["trial"])
    (results.trial_folder(first) / "weights.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(NothingToExport, match=f"trials/{first}/weights.npz is damaged"):
        export_ensemble(results)
    for trial in others:
        results.drop_weights(trial)
    with pytest.raises(NothingToExport, match="two trials"):
        export_ensemble(results)
    results.write_sweep(results.sweep_file.read_text().replace("folds: null", "folds: 2"))
    with pytest.raises(NothingToExport, match="folds"):
        export_ensemble(results)
    assert not results.ensemble_folder.exists()
