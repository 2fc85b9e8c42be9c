"""The search's metric over the values of the swept parameters: one at a time, two at a time, all at once."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd

from optimize.charts.evidence import Choice, Evidence
from optimize.charts.numbers.common import Floats, NotForThisSweep
from optimize.charts.numbers.effects import strength
from optimize.charts.parameters import Parameter
from optimize.charts.units import Metric, number
from optimize.wording import counted

MOST_PANELS = 4
RESOLUTION = 48
BANDWIDTH = 0.08
"""Standard deviation of the contour's smoothing, as a share of each axis."""
REACH = 2.5
"""Beyond this many bandwidths from every trial the contour stays blank."""


class Slice(NamedTuple):
    """The metric against one parameter."""

    parameter: Parameter
    groups: tuple[tuple[Choice | None, Floats, Floats], ...]
    """Coordinates and values of each choice's trials, each (n,); one group of None where choices have no colours."""
    best: float
    """The coordinate of the best trial; NaN where the parameter is off in it."""


class Slices(NamedTuple):
    """A panel per parameter."""

    metric: Metric
    slices: tuple[Slice, ...]
    best: float
    says: str
    caption: str


class Pair(NamedTuple):
    """The trials against two parameters."""

    x: Parameter
    y: Parameter
    places: Floats
    """(n, 2): where each trial is."""
    values: Floats
    """(n,)"""
    order: Floats
    """(n,): 0 for the best value, 1 for the worst, equals sharing their mean rank."""


class Pairs(NamedTuple):
    """The pairs of the parameters that matter most."""

    metric: Metric
    pairs: tuple[Pair, ...]
    says: str
    caption: str


class Surface(NamedTuple):
    """A smoothed map over one pair."""

    pair: Pair
    x: Floats
    y: Floats
    """(columns,) and (rows,): where the map is computed, in the parameters' own values, or the places of choices."""
    height: Floats
    """(rows, columns): smoothed metric; NaN out of reach of every trial."""


class Contour(NamedTuple):
    """The maps."""

    metric: Metric
    surfaces: tuple[Surface, ...]
    says: str
    caption: str


class Parallel(NamedTuple):
    """Every complete trial of the search across all parameters."""

    metric: Metric
    parameters: tuple[Parameter, ...]
    places: Floats
    """(n, parameters), from 0 to 1; NaN where a parameter is off. From the worst trial to the best."""
    values: Floats
    """(n,)"""
    says: str
    caption: str


def slices(evidence: Evidence) -> Slices:
    """The metric against each parameter that took several values.

    Raises:
        NotForThisSweep: no parameter did, or the only one is no number and `choices` shows the same.
    """
    rows, metric = evidence.searched, evidence.metric
    parameters = _varying(evidence)
    if not parameters:
        raise NotForThisSweep("no swept parameter took two values")
    if len(evidence.parameters) == 1 and not parameters[0].numeric:
        raise NotForThisSweep("one parameter without a scale: choices shows it")
    coloured = len(evidence.parameters) == 1 or evidence.factor is not None
    groups = evidence.groups(rows) if coloured else [(None, rows)]
    found = []
    # Beside others, numeric choices stand side by side; alone, they show how the metric follows their value.
    for parameter in parameters if len(parameters) == 1 else [p.by_place() for p in parameters]:
        points = tuple((choice, parameter.coordinates(some), _values(some, metric)) for choice, some in groups)
        found.append(Slice(parameter, points, _best_place(evidence, parameter)))
    assert evidence.best is not None
    best = float(evidence.best[metric.name])
    where = ", ".join(f"{p.name} {p.short_label(evidence.best)}" for p in parameters if p.is_on(evidence.best))
    says = f"Best single training{evidence.of_search}: {metric.value(best)} at {where}"
    return Slices(metric, tuple(found), best, says, f"{_trials(evidence)}. Star: the best of them.")


def rank(evidence: Evidence) -> Pairs:
    """Where good and bad trials lie, two parameters at a time, by the rank of their value.

    Raises:
        NotForThisSweep: no two parameters took several values beside one another.
    """
    pairs = _pairs(evidence, _varying(evidence))
    if not pairs:
        raise NotForThisSweep("no two swept parameters took several values beside one another")
    caption = f"{_trials(evidence)}, coloured by the rank of their {evidence.metric.text}."
    return Pairs(evidence.metric, pairs, _good_region(evidence), caption)


def contour(evidence: Evidence) -> Contour:
    """The metric smoothed over two parameters: a Gaussian kernel's weighted mean of the trials around.

    Choices are not smoothed over: each is a strip of its own.

    Raises:
        NotForThisSweep: fewer than two parameters took several values, or none of them is a range.
    """
    pairs = tuple(p for p in _pairs(evidence, _varying(evidence), most=None) if not (p.x.labels and p.y.labels))
    if not pairs:
        raise NotForThisSweep("a contour needs a swept range and another parameter beside it")
    surfaces = tuple(_surface(pair) for pair in pairs[:MOST_PANELS])
    return Contour(
        evidence.metric,
        surfaces,
        _good_region(evidence),
        f"Mean of the trials around (Gaussian, {100 * BANDWIDTH:.0f} % of a range); blank where there are none. "
        f"Dots: trials{evidence.of_search}. Star: the best.",
    )


def parallel(evidence: Evidence) -> Parallel:
    """Every complete trial of the search as a line through its values.

    Raises:
        NotForThisSweep: fewer than two parameters took several values.
    """
    parameters = _varying(evidence)
    if len(parameters) < 2:
        raise NotForThisSweep("fewer than two swept parameters took several values")
    rows = evidence.searched.sort_values(evidence.metric.name, ascending=evidence.metric.maximize, kind="stable")
    places = np.column_stack([p.places(rows) for p in parameters])
    blue = "Blue: the best tenth. " if len(rows) >= 20 else ""  # or it is the best alone
    off = " Through “off”: trials without that parameter." if np.isnan(places).any() else ""
    return Parallel(
        evidence.metric, tuple(parameters), places, _values(rows, evidence.metric), _good_region(evidence),
        f"{_trials(evidence)}. {blue}Thick: the best.{off}",
    )  # fmt: skip


def _varying(evidence: Evidence) -> list[Parameter]:
    """The parameters of which complete trials of the search have two values or more."""
    rows = evidence.searched
    return [p for p in evidence.parameters if len(np.unique((c := p.coordinates(rows))[~np.isnan(c)])) > 1]


def _values(rows, metric: Metric) -> Floats:  # type: ignore[no-untyped-def]
    return np.asarray(rows[metric.name], dtype=np.float64)


def _best_place(evidence: Evidence, parameter: Parameter) -> float:
    assert evidence.best is not None
    return float(parameter.coordinates(evidence.best.to_frame().T)[0])


def _pairs(evidence: Evidence, parameters: list[Parameter], most: int | None = MOST_PANELS) -> tuple[Pair, ...]:
    """Pairs of the parameters, those of the strongest effects first."""
    rows, metric = evidence.searched, evidence.metric
    values = _values(rows, metric)
    weight = {p.path: strength(p, rows, values) for p in parameters}
    pairs = [pair for pair in itertools.combinations(parameters, 2) if _cross(*pair, rows)]
    pairs.sort(key=lambda pair: weight[pair[0].path] + weight[pair[1].path], reverse=True)
    order = _order(values, metric)
    placed = ((x.by_place(), y.by_place()) for x, y in pairs[:most])
    return tuple(
        Pair(x, y, np.column_stack([x.coordinates(rows), y.coordinates(rows)]), values, order) for x, y in placed
    )


def _cross(x: Parameter, y: Parameter, rows: pd.DataFrame) -> bool:
    """Whether both took several values where both are on; one that waits for a single choice of the other did not."""
    places = np.column_stack([x.coordinates(rows), y.coordinates(rows)])
    places = places[~np.isnan(places).any(axis=1)]
    return all(len(np.unique(side)) > 1 for side in places.T)


def _order(values: Floats, metric: Metric) -> Floats:
    from scipy.stats import rankdata

    ranks = rankdata(-values if metric.maximize else values)
    return np.asarray((ranks - 1) / max(len(values) - 1, 1), dtype=np.float64)


def _surface(pair: Pair) -> Surface:
    on = ~np.isnan(pair.places).any(axis=1)
    (x, across), (y, up) = (_kernel(p, pair.places[on, i]) for i, p in enumerate((pair.x, pair.y)))
    weight, total = up @ across.T, (up * pair.values[on]) @ across.T
    reached = weight > np.exp(-0.5 * REACH**2)
    return Surface(pair, x, y, np.divide(total, weight, out=np.full(weight.shape, np.nan), where=reached))


def _kernel(parameter: Parameter, values: Floats) -> tuple[Floats, Floats]:
    """Where an axis is computed, and there the weight of each trial (places, n)."""
    if parameter.labels:
        places = np.arange(len(parameter.labels), dtype=np.float64)
        return places, np.asarray(places[:, None] == values[None, :], dtype=np.float64)
    unit = np.linspace(0, 1, RESOLUTION)
    distance = (unit[:, None] - parameter.to_unit(values)[None, :]) / BANDWIDTH
    return parameter.from_unit(unit), np.exp(-0.5 * distance**2)


def _good_region(evidence: Evidence) -> str:
    """Where the best tenth of the trials lies, in words, of the parameter that says most."""
    rows, metric = evidence.searched, evidence.metric
    values = _values(rows, metric)
    best = rows.assign(order=_order(values, metric)).nsmallest(max(3, len(rows) // 10), "order")
    always_on = [p for p in _varying(evidence) if not np.isnan(p.coordinates(best)).any()]
    parameter = max(always_on or _varying(evidence), key=lambda p: strength(p, rows, values))
    if parameter.labels:
        labels = [parameter.label(row) for _, row in best.iterrows()]
        most = max(labels, key=labels.count)
        n = labels.count(most)
        share = "All" if n == len(best) else str(n)
        return f"{share} of the best {len(best)} trials {'has' if n == 1 else 'have'} {parameter.name} {most}"
    coordinates = parameter.coordinates(best)
    low, high = (number(float(end), 2) for end in (np.nanmin(coordinates), np.nanmax(coordinates)))
    where = f"from {low} to {high}" if low != high else f"near {low}"
    return f"The best {len(best)} trials have {parameter.name} {where}"


def _trials(evidence: Evidence) -> str:
    return f"{counted(len(evidence.searched), 'complete trial')}{evidence.of_search}"
