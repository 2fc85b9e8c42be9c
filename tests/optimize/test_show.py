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
