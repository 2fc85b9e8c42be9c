"""The committed model is what its card and the README say, to somebody who has nothing but Keras."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
FINAL = REPOSITORY / "results" / "final"
CARD = json.loads((FINAL / "cnn.json").read_text(encoding="utf-8"))
SCORE = """
import sys, keras, numpy
model = keras.models.load_model(sys.argv[1])
test = numpy.load(sys.argv[2])
print((model.predict(test["x"] / numpy.float32(255), batch_size=500, verbose=0).argmax(1) != test["y"]).sum())
"""


def test_the_file_is_the_cards_and_small() -> None:
    content = (FINAL / "cnn.h5").read_bytes()
    assert hashlib.sha256(content).hexdigest() == CARD["sha256"]
    assert len(content) <= 3_000_000


def test_the_readme_says_what_the_card_says() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    said = re.search(r"reads ([\d.]+) % of MNIST's test images \(95 % ([\d.]+) to ([\d.]+)\)", readme)
    assert said
    assert said.groups() == tuple(f"{100 * CARD['test'][key]:.2f}" for key in ("accuracy", "low", "high"))


def test_running_its_sweep_again_leaves_it_as_it_is(tmp_path: Path) -> None:
    """Its trials are not kept, so that nothing can go on; and an hour of training is not begun unasked."""
    from main.errors import UserError
    from optimize.config import load_config
    from optimize.sweep import run_sweep
    from sweeps import Witness

    shutil.copytree(FINAL, tmp_path / "final", ignore=shutil.ignore_patterns("trials", "study.db*"))
    before = (tmp_path / "final" / "trials.csv").read_bytes()
    config = load_config(
        REPOSITORY / "configs" / "final.yaml", overrides=["data.source=digits", "data.validation=null"]
    )
    with pytest.raises(UserError, match="--fresh sets it aside"):
        run_sweep(config, results_dir=tmp_path, observer=Witness())
    assert (tmp_path / "final" / "trials.csv").read_bytes() == before


@pytest.mark.training
def test_it_scores_what_its_card_says_with_keras_alone(mnist_folder: Path, tmp_path: Path) -> None:
    from main.config import DataConfig
    from main.data import load_test

    test = load_test(DataConfig(source=str(mnist_folder / "mnist")))
    np.savez(tmp_path / "test.npz", x=test.images.astype(np.float32), y=test.labels)
    command = [sys.executable, "-I", "-c", SCORE, str(FINAL / "cnn.h5"), str(tmp_path / "test.npz")]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    mistakes = round((1 - CARD["test"]["accuracy"]) * len(test.labels))
    # Another processor adds up in another order: a probability may end on the other side of another.
    assert int(answer.stdout.split()[-1]) == pytest.approx(mistakes, abs=1)
