"""`optimize show`: the best trials of a sweep."""

import io
from pathlib import Path

import fake_results
import pytest
from rich.console import Console

from optimize.show import print_sweep
from optimize.verdict import read_verdict
from optimize.wording import value_text


@pytest.mark.parametrize("metric", ["val_accuracy", "val_loss"])
def test_values_are_those_of_the_verdict_and_small_losses_are_told_apart(tmp_path: Path, metric: str) -> None:
    results = fake_results.made(
        tmp_path, "pooling", study={"seeds": 1, "metric": metric}, accuracy=lambda values, rng: 0.9999, noise=0.0
    )
    verdict, text = read_verdict(results), io.StringIO()
    assert verdict is not None
    print_sweep(results, Console(file=text, width=120, color_system=None))
    values = [value_text(metric, choice.mean) for choice in verdict.choices]
    assert all(value in text.getvalue() for value in values)
    assert metric == "val_accuracy" or len(set(values)) == 4


@pytest.mark.parametrize(("ended", "said"), [(1, "1 of 4 trials has ended, but"), (2, "2 of 4 trials have ended, but")])
def test_a_sweep_that_has_not_ended_says_how_many_trials_have(tmp_path: Path, ended: int, said: str) -> None:
    results = fake_results.made(tmp_path, "pooling", study={"seeds": 1})
    results.write_json(results.provenance_file, {**results.provenance(), "ended": None})
    lines = results.trials_file.read_text().splitlines(keepends=True)
    results.trials_file.write_text("".join(lines[: 1 + ended]))
    text = io.StringIO()
    print_sweep(results, Console(file=text, width=120, color_system=None))
    assert said in text.getvalue()
