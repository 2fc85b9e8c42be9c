from __future__ import annotations

from pathlib import Path

import baselines
import pytest

from main.config import load


def test_every_baseline_is_a_file_and_has_its_figure() -> None:
    assert {path.stem for path in baselines.CONFIGS.glob("*.yaml")} == set(baselines.TARGETS)


@pytest.mark.parametrize("name", baselines.TARGETS)
def test_each_makes_a_network_for_the_images_of_mnist_and_says_its_figure(name: str) -> None:
    path = baselines.CONFIGS / f"{name}.yaml"
    assert load(path).model.layers((28, 28, 1), 10)[-1].output_shape == (10,)
    assert f"{100 * baselines.TARGETS[name]:g}" in path.read_text().replace(".0 %", " %")


def test_the_table_sets_figures_beside_what_they_must_reach() -> None:
    def trained(name: str, accuracy: float) -> baselines.Trained:
        test = {"accuracy": accuracy, "low": accuracy - 0.01, "high": accuracy + 0.01}
        return baselines.Trained(name, {"parameters": 7850, "epochs": 10, "test": test}, 12.3)

    _, _, first, second = baselines.accuracies_table([trained("softmax", 0.92), trained("mlp", 0.9699)]).splitlines()
    assert [cell.strip() for cell in first.strip("|").split("|")] == [
        "softmax", "7,850", "10", "92.00%", "91.00% to 93.00%", "92.00%", "yes", "12",
    ]  # fmt: skip
    assert "no" in second.split()


@pytest.mark.training
def test_a_baseline_is_trained_in_a_process_of_its_own(tmp_path: Path) -> None:
    overrides = ["data.source=digits", "data.validation=null", "train.epochs=1"]
    found = baselines.train("softmax", tmp_path, overrides)
    assert found.card["epochs"] == 1
    assert (tmp_path / "softmax" / "cnn.h5").exists()
    with pytest.raises(SystemExit, match="failed"):
        baselines.train("softmax", tmp_path, ["train.epochs=none"])
