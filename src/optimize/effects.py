"""What each level of a swept parameter does to the metric, alone and together with another's."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optimize.paired import LEVEL, FloatArray, IntArray
from optimize.space import Choices, Parameter, Range, SearchSpace, label
from optimize.trialtable import blocks_of, cell_label, usable

if TYPE_CHECKING:
    import pandas as pd

BINS = 4
"""A range is cut into this many parts, equal on its own scale."""


@dataclass(frozen=True)
class Levels:
    """The levels that a parameter takes in a table: its choices, or the parts of its range."""

    path: str
    labels: tuple[str, ...]
    of_trial: IntArray
    """(trials): the level of each, −1 where the parameter is off."""

    def contrasts(self) -> FloatArray:
        """(trials, levels − 1): effects that sum to zero over the levels; zero where the parameter is off."""
        free = len(self.labels) - 1
        coding = np.vstack([np.eye(free), -np.ones((1, free)), np.zeros((1, free))])
        return coding[self.of_trial]

    def on(self) -> FloatArray:
        """(trials, levels): 1 at each trial's level."""
        return np.vstack([np.eye(len(self.labels)), np.zeros((1, len(self.labels)))])[self.of_trial]


def levels_of(parameter: Parameter, cells: pd.Series[Any]) -> Levels:
    """The levels of a parameter that occur in its column of the table."""
    if isinstance(parameter, Choices):
        labels, places = _choices(parameter, cells)
    else:
        labels, places = _bins(parameter, cells)
    occurring = sorted(set(places) - {-1})
    place = {old: new for new, old in enumerate(occurring)} | {-1: -1}
    return Levels(
        parameter.path, tuple(labels[i] for i in occurring), np.array([place[i] for i in places], dtype=np.int64)
    )


def marginal_effects(trials: pd.DataFrame, space: SearchSpace, *, metric: str) -> pd.DataFrame:
    """What each level of each parameter adds to the metric, all others held as they are.

    One least-squares fit of the sum of all parameters' effects, and of the seeds' where there are several, so that
    a level that happened to meet good values of the others gets no credit for them. The effects of a parameter sum
    to zero over its levels; those of a parameter that `when` switches off are among the trials in which it is on.

    Args:
        trials: The table of trials.csv; complete ones count.
        space: What was swept.
        metric: Which column is explained, in its own unit.

    Returns:
        A row per level, with the columns path, level, n (trials), effect, standard_error, low and high (95 %), and p,
        the parameter's own: of the F test that none of its levels has an effect. The last four are NaN where there are
        too few trials for so many effects, an effect cannot be told from another's, or all trials have the same value.
    """
    import pandas as pd

    rows = trials[usable(trials, metric)]
    factors = [found for p in space.parameters if len((found := levels_of(p, rows[p.path])).labels) > 1]
    blocks = blocks_of(rows)
    seeds = levels_of(Choices("seed", tuple(sorted(set(blocks.tolist())))), blocks)
    values = rows[metric].to_numpy(dtype=np.float64)
    tables = [
        pd.DataFrame(
            {
                "path": factor.path,
                "level": factor.labels,
                "n": factor.on().sum(0).astype(int),
                **_effects(values, factor, [other for other in (*factors, seeds) if other is not factor]),
            }
        )
        for factor in factors
    ]
    columns = ["path", "level", "n", "effect", "standard_error", "low", "high", "p"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def interactions(trials: pd.DataFrame, space: SearchSpace, *, metric: str) -> pd.DataFrame:
    """Two parameters at a time: the metric in every cell of their levels, and what no sum of two effects explains.

    Two of which one has a single level wherever both are on, as a parameter and its `when`, are no pair.

    Args:
        trials: The table of trials.csv; complete ones count.
        space: What was swept.
        metric: Which column is explained, in its own unit.

    Returns:
        A row per cell that has a trial, with the columns first and second (paths), first_level and second_level, n
        (trials), mean, effect (mean minus the mean of all in this table) and interaction (mean of what the
        least-squares sum of both parameters' effects leaves in the cell).
    """
    import pandas as pd

    rows = trials[usable(trials, metric)]
    values = rows[metric].to_numpy(dtype=np.float64)
    factors = [found for p in space.parameters if len((found := levels_of(p, rows[p.path])).labels) > 1]
    pairs = (pair for pair in itertools.combinations(factors, 2) if _vary_together(*pair))
    tables = [_cells(values, first, second) for first, second in pairs]
    columns = ["first", "second", "first_level", "second_level", "n", "mean", "effect", "interaction"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _effects(values: FloatArray, factor: Levels, others: Sequence[Levels]) -> dict[str, FloatArray]:
    from statsmodels.regression.linear_model import OLS

    contrasts = factor.contrasts()
    free = contrasts.shape[1]
    unknown = np.full(free + 1, np.nan)
    if np.ptp(values) == 0:  # a fit would find effects of rounding alone
        none = np.zeros(free + 1)
        return {"effect": none, "standard_error": unknown, "low": unknown, "high": unknown, "p": unknown}
    rest = [np.ones((len(values), 1)), *(other.contrasts() for other in others)]
    design = np.hstack([contrasts, *rest])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a design that cannot tell levels apart is seen below, and said there
        fit = OLS(values, design).fit()
    levels = np.zeros((free + 1, design.shape[1]))
    levels[:, :free] = np.vstack([np.eye(free), -np.ones((1, free))])
    if fit.df_resid <= 0 or np.linalg.matrix_rank(design) < design.shape[1]:
        return {"effect": levels @ fit.params, "standard_error": unknown, "low": unknown, "high": unknown, "p": unknown}
    tested = fit.t_test(levels)
    low, high = tested.conf_int(LEVEL).T
    p = np.full(free + 1, float(fit.f_test(levels[:free]).pvalue))
    return {"effect": tested.effect, "standard_error": tested.sd, "low": low, "high": high, "p": p}


def _vary_together(first: Levels, second: Levels) -> bool:
    on = (first.of_trial >= 0) & (second.of_trial >= 0)
    return all(len(np.unique(levels.of_trial[on])) > 1 for levels in (first, second))


def _cells(values: FloatArray, first: Levels, second: Levels) -> pd.DataFrame:
    import pandas as pd

    on = (first.of_trial >= 0) & (second.of_trial >= 0)
    design = np.hstack([first.on(), second.on()])[on]
    coefficients, *_ = np.linalg.lstsq(design, values[on], rcond=None)
    cells = pd.DataFrame(
        {
            "first_level": np.array(first.labels, dtype=object)[first.of_trial[on]],
            "second_level": np.array(second.labels, dtype=object)[second.of_trial[on]],
            "value": values[on],
            "left": values[on] - design @ coefficients,
        }
    )
    table = cells.groupby(["first_level", "second_level"], sort=False, as_index=False).agg(
        n=("value", "size"), mean=("value", "mean"), interaction=("left", "mean")
    )
    table.insert(0, "first", first.path)
    table.insert(1, "second", second.path)
    table.insert(6, "effect", table["mean"] - values[on].mean())
    return table


def _choices(parameter: Choices, cells: pd.Series[Any]) -> tuple[tuple[str, ...], list[int]]:
    labels = tuple(map(label, parameter.values))
    numbers: dict[Any, int] = {v: i for i, v in enumerate(parameter.values) if _is_number(v)}
    places = {text: i for i, text in enumerate(labels)}
    return labels, [numbers.get(cell, -1) if _is_number(cell) else places.get(cell_label(cell), -1) for cell in cells]


def _bins(parameter: Range, cells: pd.Series[Any]) -> tuple[tuple[str, ...], list[int]]:
    scale = np.log if parameter.log else np.asarray
    ends = np.linspace(scale(parameter.low), scale(parameter.high), BINS + 1)
    shown = np.exp(ends) if parameter.log else ends
    labels = tuple(f"{low:.3g} to {high:.3g}" for low, high in itertools.pairwise(shown))
    values = cells.to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore"):
        bins = np.searchsorted(ends[1:-1], scale(values), side="right")
    return labels, np.where(np.isnan(values), -1, bins).tolist()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)
