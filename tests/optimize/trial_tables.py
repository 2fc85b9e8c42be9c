"""Tables of trials as trials.csv has them, made up of what a test wants to say."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

METRIC = "val_accuracy"


def grid(
    values: Mapping[str, Sequence[float | str]], *, path: str = "model.pooling", metric: str = METRIC
) -> pd.DataFrame:
    """A sweep of one parameter: each choice's metric by seed, or the state of a trial that is not complete."""
    rows = [
        row(choice, seed, value, path=path, metric=metric)
        for choice, by_seed in values.items()
        for seed, value in enumerate(by_seed)
    ]
    return pd.DataFrame(rows)


def row(
    choice: str, seed: int, value: float | str, *, path: str = "model.pooling", metric: str = METRIC, **more: Any
) -> dict[str, Any]:
    """One trial; `value` is its metric, or its state where that is not complete."""
    complete = not isinstance(value, str)
    return {
        "configuration": choice,
        "seed": seed,
        path: choice,
        "state": "complete" if complete else value,
        "purpose": "search",
        metric: value if complete else np.nan,
        **more,
    }


def noisy(means: Mapping[str, float], *, seeds: int = 5, spread: float = 0.001, **how: Any) -> pd.DataFrame:
    """A sweep of one parameter whose trials scatter about these means, seed effects included."""
    rng = np.random.default_rng(0)
    luck = rng.normal(0, spread, seeds)
    return grid({c: (m + luck + rng.normal(0, spread, seeds)).tolist() for c, m in means.items()}, **how)


def as_read(trials: pd.DataFrame) -> pd.DataFrame:
    """The table as it is read back from its CSV file."""
    return pd.read_csv(
        io.StringIO(trials.to_csv(index=False)),
        keep_default_na=False,
        na_values=["", "nan"],
        dtype={"configuration": str},
    )
