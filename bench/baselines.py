"""The classifiers people start from, trained on MNIST one after the other, beside the figure each must reach.

    python bench/baselines.py --out bench/RESULTS.md

Each is a file of configs/baselines, trained once with seed 0 in a process of its own, and scored on the test set once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tables import machine, markdown_table, write_section

REPOSITORY = Path(__file__).resolve().parent.parent
CONFIGS = REPOSITORY / "configs" / "baselines"
TARGETS = {
    "softmax": 0.92,
    "mlp": 0.97,
    "fully_connected": 0.98,
    "fully_connected_tuned": 0.984,
    "small_cnn": 0.9925,
    "ensimag": 0.995,
}
"""By a config's name, the test accuracy that it must reach on MNIST."""


class Trained(NamedTuple):
    """One baseline."""

    name: str
    card: dict[str, Any]
    seconds: float
    """From the command's start to its end."""


def train(name: str, folder: Path, overrides: Sequence[str] = ()) -> Trained:
    """Train a baseline, and end the benchmark where that fails."""
    options = [word for override in overrides for word in ("--set", override)]
    config = str(CONFIGS / f"{name}.yaml")
    command = [sys.executable, "-m", "main", "train", config, "--json", "--out", str(folder / name), *options]
    started = time.perf_counter()
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    if answer.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed")
    return Trained(name, json.loads(answer.stdout), time.perf_counter() - started)


def accuracies_table(found: Sequence[Trained]) -> str:
    """Test accuracies against what each must reach."""
    return markdown_table(
        ("baseline", "parameters", "epochs", "test accuracy", "95 %", "must reach", "reached", "s"),
        [
            (
                trained.name,
                f"{trained.card['parameters']:,}",
                str(trained.card["epochs"]),
                f"{test['accuracy']:.2%}",
                f"{test['low']:.2%} to {test['high']:.2%}",
                f"{TARGETS[trained.name]:.2%}",
                "yes" if test["accuracy"] >= TARGETS[trained.name] else "no",
                f"{trained.seconds:.0f}",
            )
            for trained in found
            for test in [trained.card["test"]]
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=TARGETS, help="a baseline's name; may be repeated")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="as of `main train`")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    where = machine()
    with tempfile.TemporaryDirectory() as folder:
        found = [train(name, Path(folder), options.set) for name in options.only or TARGETS]
    source = sorted({trained.card["data"]["source"] for trained in found})
    text = "\n\n".join(
        [
            "## Starting points",
            accuracies_table(found),
            f"Test set of {', '.join(source)}; seed 0, float32; what must be reached is about MNIST. "
            f"{'Changed: ' + ', '.join(options.set) + '. ' if options.set else ''}{where}.",
        ]
    )
    print(f"\n{text}")
    if options.out:
        write_section(options.out, "baselines", text)


if __name__ == "__main__":
    main()
