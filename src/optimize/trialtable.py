"""What a statistic takes from the table of trials: which rows count, and what their cells mean."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from main.document import parse
from main.errors import UserError
from optimize.paths import SWEEPABLE, keys_of
from optimize.space import Parameter, SearchSpace, label

if TYPE_CHECKING:
    import pandas as pd

    from optimize.trial import Purpose


def judged_trials(trials: pd.DataFrame) -> tuple[pd.DataFrame, Purpose]:
    """The trials that a verdict rests on: those of the confirmation alone, as soon as one of them is complete."""
    if "purpose" not in trials.columns:
        return trials, "search"
    confirming = trials["purpose"] == "confirm"
    if (confirming & (trials["state"] == "complete")).any():
        return trials[confirming], "confirm"
    return trials[~confirming], "search"


def usable(trials: pd.DataFrame, metric: str) -> pd.Series[bool]:
    """Which trials have a value that can be compared: complete, and finite."""
    return (trials["state"] == "complete") & np.isfinite(trials[metric].astype(float))


def has_folds(trials: pd.DataFrame) -> bool:
    """Whether these are trials of a study with folds."""
    return "fold" in trials.columns and bool(trials["fold"].notna().any())


def blocks_of(trials: pd.DataFrame) -> pd.Series[int]:
    """What trials are paired by: their seed; where there are folds, a number for each seed and fold, from 0."""
    if not has_folds(trials):
        return trials["seed"]
    return trials.groupby(["seed", "fold"]).ngroup()


def by_choice_and_block(trials: pd.DataFrame, metric: str, by: str) -> pd.DataFrame:
    """The metric, a row per choice in order of appearance and a column per block; NaN where there is no value."""
    trials = trials.assign(block=blocks_of(trials))
    rows = trials[usable(trials, metric) & trials[by].notna()]
    cells = rows.assign(**{by: rows[by].map(cell_label), metric: rows[metric].astype(float)})
    return cells.pivot_table(index=by, columns="block", values=metric, aggfunc="mean", sort=False).sort_index(axis=1)


def planned_epochs(trials: pd.DataFrame, space: SearchSpace, written: int) -> npt.NDArray[np.float64]:
    """(trials): for how many epochs each was to be trained: its own `train.epochs` where they are swept.

    Args:
        trials: Rows of trials.csv.
        space: What was swept.
        written: `train.epochs` of a trial where they are not.
    """
    holding = [path for path in space.paths if path in ("train", "train.epochs")]
    if not holding:
        return np.full(len(trials), written, dtype=np.float64)
    rows = trials[holding].itertuples(index=False, name=None)
    values = ({p: cell_value(cell) for p, cell in zip(holding, row, strict=True) if not is_empty(cell)} for row in rows)
    return np.array([space.value_in(found, "train.epochs", written) for found in values], dtype=np.float64)


def swept_paths(trials: pd.DataFrame) -> list[str]:
    """Full paths of the swept parameters: the columns whose names are paths in the sections that can be swept."""
    return [name for name in trials.columns if keys_of(name)[0] in SWEEPABLE]


def values_of(trials: pd.DataFrame, by: str, choice: str | None) -> dict[str, Any]:
    """The swept values of a choice by full path; those that `when` switched off are absent."""
    if choice is None:
        return {}
    row = trials[trials[by].map(cell_label) == choice].iloc[0]
    paths = swept_paths(trials) if by == "configuration" else [by]
    return {p: cell_value(row[p], whole=_whole(trials[p])) for p in paths if not is_empty(row[p])}


def cell_label(cell: Any) -> str:
    """The text of a table's cell, however pandas read it: `max`, `0.001`, `true`."""
    return str(cell).lower() if isinstance(cell, bool | np.bool_) else str(cell)


def own_label(parameter: Parameter, cell: Any) -> str:
    """A cell as the sweep file has it: pandas makes the choice 0 a 0.0 beside a 0.25, and a word beside a list."""
    value = cell_value(cell)
    return label(parameter.own(value)) if value in parameter else cell_label(cell)


def cell_value(cell: Any, *, whole: bool = False) -> Any:
    """The value that a table's cell is the text of: a word, a number, a boolean, null, a list or a mapping.

    Args:
        cell: As pandas read it.
        whole: Whether numbers of this column are whole; pandas makes them floats where others are missing.
    """
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, float) and whole:
        return int(cell)
    if not isinstance(cell, str):
        return cell
    try:
        return parse(f"value: {cell}".encode(), "cell").data["value"]
    except UserError:
        return cell


def is_empty(cell: Any) -> bool:
    """Whether a table's cell holds nothing."""
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _whole(column: pd.Series[Any]) -> bool:
    numbers = column.dropna()
    return column.dtype.kind == "f" and len(numbers) < len(column) and bool((numbers % 1 == 0).all())
