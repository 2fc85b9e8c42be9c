"""What the levels of the swept parameters do to the metric, alone and two at a time."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from optimize.charts.abbreviations import abbreviated
from optimize.charts.evidence import Evidence
from optimize.charts.numbers.common import Floats, NotForThisSweep
from optimize.charts.parameters import Parameter
from optimize.charts.units import Metric, number
from optimize.effects import interactions, levels_of, marginal_effects
from optimize.paired import LEVEL, holm

MOST_PAIRS = 4
MOST_LEVELS = 30
RANGE = re.compile(r"([-+.e\d]+) to ([-+.e\d]+)")


class LevelEffect(NamedTuple):
    """What one level of one parameter adds."""

    parameter: str
    level: str
    effect: float
    low: float
    high: float
    """The ends of the 95 % interval; NaN where there is none."""


class LevelEffects(NamedTuple):
    """Every level of every parameter, in the order of the sweep file."""

    metric: Metric
    effects: tuple[LevelEffect, ...]
    says: str
    caption: str


class Heat(NamedTuple):
    """How two parameters together move the metric."""

    row: str
    column: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    """The parameters' names, and the labels of their levels."""
    cells: Floats
    """(rows, columns): mean of the cell minus the mean of all its trials; NaN where no trial is."""
    counts: npt.NDArray[np.int64]
    """(rows, columns): trials."""
    interaction: float
    """Root mean square, over the trials, of what the sum of the two single effects leaves of the cells."""
    p: float
    """Of the F test that nothing is left but the spread inside the cells; 1 where that cannot be tested."""

    @property
    def balanced(self) -> bool:
        """Whether every cell has about as many trials: only then is `p` free of what the other parameters do."""
        return int(self.counts.max()) <= 1.5 * int(self.counts.min())


class Effects(NamedTuple):
    """The pairs whose effects depend on each other most surely first."""

    metric: Metric
    heats: tuple[Heat, ...]
    says: str
    caption: str


def marginal(evidence: Evidence) -> LevelEffects:
    """What each level of each parameter adds to the metric in the search, all others held as they are.

    Raises:
        NotForThisSweep: fewer than two parameters took several values (of one, `choices` says more), or there are
            more levels than can be read.
    """
    table = marginal_effects(evidence.searched, evidence.space, metric=evidence.metric.name)
    if table["path"].nunique() < 2:
        raise NotForThisSweep("fewer than two swept parameters took several values")
    if len(table) > MOST_LEVELS:
        raise NotForThisSweep(f"{len(table)} levels are too many to read; trials.csv has them")
    names = {parameter.path: parameter.name for parameter in evidence.parameters}
    found = tuple(
        LevelEffect(names[row["path"]], _brief(row["level"]), row["effect"], row["low"], row["high"])
        for _, row in table.iterrows()
    )
    caption = (
        "Effect of each value with its 95 % interval, all other parameters held as they are "
        f"(least squares over the complete trials{evidence.of_search})."
    )
    clear = _clear(table)
    return LevelEffects(
        evidence.metric, found, _says_alone(found, {names[path] for path in clear}, evidence.metric), caption
    )


def effects(evidence: Evidence) -> Effects:
    """Mean of the search's trials in every cell of two parameters' levels, against the mean of all of them.

    Raises:
        NotForThisSweep: no two parameters took several values beside one another.
    """
    table = interactions(evidence.searched, evidence.space, metric=evidence.metric.name)
    if table.empty:
        raise NotForThisSweep("no two swept parameters took several values beside one another")
    by_path = {parameter.path: parameter for parameter in evidence.parameters}
    heats = [
        _heat(cells, by_path[str(first)], by_path[str(second)], evidence)
        for (first, second), cells in table.groupby(["first", "second"], sort=False)
    ]
    heats.sort(key=lambda heat: (heat.p, -heat.interaction))
    chosen = f" The {MOST_PAIRS} pairs, of {len(heats)}, that depend on each other most surely."
    return Effects(
        evidence.metric,
        tuple(heats[:MOST_PAIRS]),
        _says(heats, evidence.metric),
        f"Cells: mean of their trials{evidence.of_search} minus the mean of all."
        + (chosen if len(heats) > MOST_PAIRS else ""),
    )


def strength(parameter: Parameter, rows: pd.DataFrame, values: Floats) -> float:
    """Share of the metric's variance between a parameter's levels: a quick measure to order parameters by."""
    level = levels_of(parameter.swept, rows[parameter.path]).of_trial
    total = float(((values - values.mean()) ** 2).sum())
    if total == 0:
        return 0.0
    groups = (values[level == i] for i in np.unique(level))
    return sum(len(group) * float(group.mean() - values.mean()) ** 2 for group in groups) / total


def _heat(cells: pd.DataFrame, first: Parameter, second: Parameter, evidence: Evidence) -> Heat:
    rows = evidence.searched.loc[_on(first, evidence.searched) & _on(second, evidence.searched)]
    labels = {p.path: levels_of(p.swept, rows[p.path]).labels for p in (first, second)}
    effect, n = (
        cells.pivot(index="first_level", columns="second_level", values=what).reindex(
            index=labels[first.path], columns=labels[second.path]
        )
        for what in ("effect", "n")
    )
    if sum(map(len, labels[second.path])) > sum(map(len, labels[first.path])):
        # Long labels are read more easily beside a map than under it.
        first, second, effect, n = second, first, effect.T, n.T
    beyond = float((cells["n"] * cells["interaction"] ** 2).sum())
    trials = int(cells["n"].sum())
    return Heat(
        row=first.name,
        column=second.name,
        rows=tuple(_on_axis(level, first) for level in effect.index),
        columns=tuple(_on_axis(level, second) for level in effect.columns),
        cells=effect.to_numpy(dtype=np.float64),
        counts=n.fillna(0).to_numpy(dtype=np.int64),
        interaction=math.sqrt(beyond / trials),
        p=_interaction_p(cells, beyond, rows[evidence.metric.name]),
    )


def _on_axis(level: str, parameter: Parameter) -> str:
    """A level as axes write it, a long choice abbreviated."""
    return dict(zip(parameter.labels, abbreviated(parameter.labels), strict=True)).get(level, _brief(level))


def _brief(level: str) -> str:
    """A part of a range with two digits of its ends: `0.0001–0.00056`; a choice as it is."""
    ends = RANGE.fullmatch(level)
    return "–".join(number(float(end), 2) for end in ends.groups()) if ends else level


def _on(parameter: Parameter, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    return ~np.isnan(parameter.coordinates(rows))


def _interaction_p(cells: pd.DataFrame, beyond: float, values: pd.Series[float]) -> float:
    """P of the two-way analysis of variance's interaction, given the sum of its squares."""
    from scipy.stats import f

    levels = [cells[side].nunique() for side in ("first_level", "second_level")]
    df_beyond = len(cells) - sum(levels) + 1
    df_within = len(values) - len(cells)
    within = float(((values - values.mean()) ** 2).sum() - (cells["n"] * cells["effect"] ** 2).sum())
    if df_beyond < 1 or df_within < 1 or within <= 0:
        return 1.0
    return float(f.sf(beyond / df_beyond / (within / df_within), df_beyond, df_within))


def _clear(table: pd.DataFrame) -> set[str]:
    """Paths of the parameters that move the metric more than chance makes one of so many (Holm)."""
    p = table.groupby("path", sort=False)["p"].first().fillna(1.0)
    return set(p.index[holm(p.to_numpy(dtype=np.float64)) <= LEVEL])


def _says_alone(found: tuple[LevelEffect, ...], clear: set[str], metric: Metric) -> str:
    """The parameter whose values differ most, of those that are seen to move the metric."""
    if not clear:
        return "No parameter is seen to move it: of so many, chance alone would show effects as large"
    spans: dict[str, float] = {}
    for name in sorted(clear):
        own = [effect.effect for effect in found if effect.parameter == name]
        spans[name] = max(own) - min(own)
    widest = max(spans, key=lambda name: spans[name])
    return f"{widest} moves {metric.text} most: by {metric.difference(spans[widest])}"


def _says(heats: list[Heat], metric: Metric) -> str:
    """The surest interaction, if it is surer than chance makes the surest of so many (Bonferroni)."""
    heat = heats[0]
    if heat.p * len(heats) >= LEVEL:
        return "No two parameters are seen to depend on each other"
    if not heat.balanced:
        hint = f"{heat.row} and {heat.column} hint most at depending on each other"
        return f"Not every combination was tried alike; {hint}"
    size = metric.difference(heat.interaction)
    return f"{heat.row} and {heat.column} depend on each other: {size} typically beyond the sum of their effects"
