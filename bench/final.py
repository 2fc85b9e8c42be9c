"""The final model and the ensemble, beside what each must reach on MNIST's test set.

    python -m optimize run configs/{activation,loss,learning_rate,final}.yaml --fresh
    python -m optimize run configs/ensemble.yaml
    python -m optimize export results/ensemble --ensemble
    python bench/final.py --out bench/RESULTS.md

Both files are scored anew by `python -m main evaluate`, which must agree with their cards. Trains nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from tables import machine, markdown_table, write_section

REPOSITORY = Path(__file__).resolve().parent.parent
TARGETS = {"final/cnn.h5": 0.9975, "ensemble/ensemble/cnn.h5": 0.998}
"""By a file among the results, the test accuracy that it must reach on MNIST."""
MOST_BYTES = 3_000_000
"""Of the single model's file."""
MOST_MINUTES = 60
"""Of the sweep `final`, on two cores."""


class Scored(NamedTuple):
    """One model file, with its card and what `main evaluate` finds."""

    name: str
    size: int
    card: dict[str, Any]
    found: dict[str, Any]


def score(results: Path, name: str) -> Scored:
    """Evaluate a file, and end the benchmark where that fails or its card says something else."""
    file = results / name
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "main", "evaluate", str(file), "--json", "--out", out]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    if answer.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed")
    found, card = json.loads(answer.stdout), json.loads(file.with_suffix(".json").read_text(encoding="utf-8"))
    if found["accuracy"]["value"] != card["test"]["accuracy"]:
        raise SystemExit(f"{file} does not score what its card says")
    return Scored(name, file.stat().st_size, card, found)


def accuracies_table(files: Sequence[Scored]) -> str:
    """Test accuracies against what each must reach."""
    return markdown_table(
        ("file", "parameters", "MB", "test accuracy", "95 %", "mistakes", "must reach", "reached"),
        [
            (
                f"results/{scored.name}",
                f"{scored.card['parameters']:,}",
                f"{scored.size / 1e6:.2f}",
                f"{accuracy['value']:.2%}",
                f"{accuracy['low']:.2%} to {accuracy['high']:.2%}",
                str(scored.found["mistakes"]),
                f"{TARGETS[scored.name]:.2%}",
                "yes" if accuracy["value"] >= TARGETS[scored.name] else "no",
            )
            for scored in files
            for accuracy in [scored.found["accuracy"]]
        ],
    )


def trained(folder: Path) -> str:
    """How long training took, and what each trial reached on the validation images."""
    trials = pd.read_csv(folder / "trials.csv", parse_dates=["started", "ended"])
    card = json.loads((folder / "cnn.json").read_text(encoding="utf-8"))
    since = (trials["ended"] - trials["started"].min()).dt.total_seconds() / 60
    exported = float(since[trials["trial"] == card["trial"]].iloc[0])
    each = ", ".join(f"{accuracy:.2%}" for accuracy in trials["val_accuracy"])
    return (
        f"The sweep `{folder.name}` took {since.max():.0f} minutes from the first trial's start to the last one's end, "
        f"{exported:.0f} to that of the one in its cnn.h5, trial {card['trial']}; validation accuracies {each}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="?", default=REPOSITORY / "results")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    where = machine()
    results = options.results.resolve()
    files = [score(results, name) for name in TARGETS if (results / name).exists()]
    if not files:
        parser.error(f"there is no model in {results}")
    absent = [f"results/{name} has not been made." for name in TARGETS if not (results / name).exists()]
    text = "\n\n".join(
        [
            "## The final model",
            accuracies_table(files),
            *absent,
            f"One model's file may have {MOST_BYTES / 1e6:g} MB, its sweep may take {MOST_MINUTES} minutes.",
            *(trained(results / Path(scored.name).parts[0]) for scored in files),
            f"{where}.",
        ]
    )
    print(f"\n{text}")
    if options.out:
        write_section(options.out, "final", text)


if __name__ == "__main__":
    main()
