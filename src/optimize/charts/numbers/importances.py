"""How much each swept parameter accounts for of what they explain of the metric, each on its own."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from optimize.charts.evidence import Evidence
from optimize.charts.numbers.common import NotForThisSweep
from optimize.charts.parameters import Parameter
from optimize.charts.units import Metric

if TYPE_CHECKING:
    import pandas as pd
    from optuna.distributions import BaseDistribution

REPETITIONS = 5
TREES = 12
"""Per repetition; together about as many as Optuna's single forest has, 64."""
MOST_TRIALS = 200
"""Drawn per repetition: the time of an ANOVA grows faster than their number, and more say hardly more."""
FEWEST_TRIALS = 8
OFF = "(off)"


class Importance(NamedTuple):
    """One parameter's share of the variance that single parameters explain."""

    name: str
    mean: float
    low: float
    high: float
    """Lowest and highest of the repetitions."""


class Importances(NamedTuple):
    """Every parameter, the most important first."""

    metric: Metric
    importances: tuple[Importance, ...]
    says: str
    caption: str


def importances(evidence: Evidence) -> Importances:
    """Optuna's functional ANOVA (Hutter, Hoos & Leyton-Brown 2014) over the complete trials of the search.

    Each repetition draws the trials anew, with replacement, and grows another forest: the spread says how far these
    trials support the shares, not only how steady the forest is. Shares add up to 1: what seeds do, and what parameters
    do only together, is in none. A range that `when` switches off in some trials has no value there and is left out;
    choices that are switched off count as one choice more.

    Raises:
        NotForThisSweep: fewer than two parameters vary, fewer than `FEWEST_TRIALS` trials are complete, or all of them
            have the same value.
    """
    rows = evidence.searched
    parameters = [p for p in evidence.parameters if _varies(p, rows)]
    if len(parameters) < 2:
        raise NotForThisSweep("fewer than two swept parameters can be weighed against each other")
    if len(rows) < FEWEST_TRIALS:
        raise NotForThisSweep(f"fewer than {FEWEST_TRIALS} trials are complete")
    if rows[evidence.metric.name].nunique() < 2:
        raise NotForThisSweep("all complete trials have the same value")
    shares = np.array([_fanova(parameters, rows, evidence.metric, seed) for seed in range(REPETITIONS)])
    found = [
        Importance(p.name, float(column.mean()), float(column.min()), float(column.max()))
        for p, column in zip(parameters, shares.T, strict=True)
    ]
    found.sort(key=lambda importance: importance.mean, reverse=True)
    left_out = [p.name for p in evidence.parameters if p not in parameters]
    return Importances(evidence.metric, tuple(found), _says(found), _caption(evidence, left_out))


def _varies(parameter: Parameter, rows: pd.DataFrame) -> bool:
    values = parameter.coordinates(rows)
    if not parameter.labels and np.isnan(values).any():
        return False
    return len(np.unique(values)) > 1


def _fanova(parameters: list[Parameter], rows: pd.DataFrame, metric: Metric, seed: int) -> list[float]:
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances
    from optuna.trial import create_trial

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    distributions = {p.path: _distribution(p) for p in parameters}
    drawn = rows.iloc[np.random.default_rng(seed).integers(0, len(rows), min(len(rows), MOST_TRIALS))]
    study = optuna.create_study(direction="maximize" if metric.maximize else "minimize")
    columns = {p.path: [_stored(p, cell) for cell in _cells(p, drawn)] for p in parameters}
    study.add_trials(
        create_trial(
            params={path: column[i] for path, column in columns.items()},
            distributions=distributions,
            value=float(value),
        )
        for i, value in enumerate(drawn[metric.name])
    )
    evaluator = FanovaImportanceEvaluator(n_trees=TREES, seed=seed)
    try:
        shares = get_param_importances(study, evaluator=evaluator, params=list(distributions))
    except RuntimeError:  # no tree found a difference: the trials that were drawn are alike
        return [0.0] * len(parameters)
    return [shares[p.path] for p in parameters]


def _cells(parameter: Parameter, rows: pd.DataFrame) -> list[float]:
    return list(parameter.coordinates(rows))


def _distribution(parameter: Parameter) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if parameter.labels:
        return CategoricalDistribution([*parameter.labels, OFF])
    return FloatDistribution(parameter.low, parameter.high, log=parameter.log)


def _stored(parameter: Parameter, coordinate: float) -> Any:
    if not parameter.labels:
        return coordinate
    if math.isnan(coordinate):
        return OFF
    if not parameter.numeric:
        return parameter.labels[int(coordinate)]
    return min(parameter.labels, key=lambda label: abs(float(label) - coordinate))


def _says(found: list[Importance]) -> str:
    first, second = found[0], found[1]
    share = f"{first.name} accounts for {100 * first.mean:.0f} % of what single parameters explain"
    if first.low <= second.high:
        return f"{share}, not clearly more than {second.name} ({100 * second.mean:.0f} %)"
    return f"{share}, {second.name} for {100 * second.mean:.0f} %"


def _caption(evidence: Evidence, left_out: list[str]) -> str:
    without = (
        f" Without {', '.join(left_out)}, which other parameters switch off or which never varied." if left_out else ""
    )
    return (
        f"Functional ANOVA of {len(evidence.searched):,} complete trials{evidence.of_search}; "
        "what seeds and interactions do is left out. "
        f"Whiskers: lowest and highest of {REPETITIONS} repetitions on trials drawn anew.{without}"
    )
