"""Accuracy and loss over epochs, per choice."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from optimize.charts.evidence import MOST_CHOICES, Choice, Evidence
from optimize.charts.numbers.common import Floats, NotForThisSweep, t_quantile
from optimize.charts.units import Metric
from optimize.paired import overlap_of
from optimize.wording import counted, is_accuracy

MOST_BANDS = 10
"""Of more choices than this only the lines are drawn."""


class Curve(NamedTuple):
    """A choice's mean over its seeds, epoch by epoch."""

    choice: Choice
    seeds: int
    epochs: Floats
    """(e,), from 1: those that every seed of the choice reached."""
    mean: Floats
    low: Floats
    high: Floats
    """(e,): the band; equal to the mean where there is one seed."""


class Panel(NamedTuple):
    """One figure of the training, of every choice."""

    metric: Metric
    curves: tuple[Curve, ...]


class LearningCurves(NamedTuple):
    """The panels, top to bottom."""

    panels: tuple[Panel, ...]
    compared: str
    says: str
    caption: str


def learning_curves(evidence: Evidence) -> LearningCurves:
    """Validation accuracy and loss of every trial that is judged, averaged over the seeds of its choice.

    Loss is the training's own, unless that is swept: losses of different kinds share no scale, and the common
    cross-entropy stands in. An epoch counts only where every seed of the choice reached it, so that no seed leaves
    the mean half-way.

    Raises:
        NotForThisSweep: too many configurations to tell apart, or nothing was trained for two epochs.
    """
    if not evidence.choices:
        raise NotForThisSweep(too_many_choices(evidence))
    curves = evidence.curves.merge(evidence.judged[["trial", "choice"]], on="trial")
    if curves.empty or curves["epoch"].max() < 2:
        raise NotForThisSweep("no trial was trained for two epochs")
    swept_loss = len(set(evidence.space.values_of("train.loss"))) > 1
    loss = "val_crossentropy" if swept_loss or evidence.metric.name == "val_crossentropy" else "val_loss"
    seeds = min(curves.groupby("choice")["trial"].nunique())
    banded = seeds if len(evidence.choices) <= MOST_BANDS else 0
    overlap = 0.0 if evidence.factor else overlap_of(evidence.folds)
    panels = tuple(
        Panel(metric, tuple(_curve(choice, curves, metric.name, banded, overlap) for choice in evidence.choices))
        for metric in (Metric("val_accuracy", True), Metric(loss, False))
    )
    noun, where = ("trial", evidence.of_search) if evidence.factor else (evidence.noun, "")
    return LearningCurves(
        panels,
        evidence.compared,
        _says(panels, evidence),
        _caption(banded, max(curve.seeds for curve in panels[0].curves), noun, where),
    )


def too_many_choices(evidence: Evidence) -> str:
    """Why choices are not shown one by one."""
    n = evidence.judged["choice"].nunique()
    if n > MOST_CHOICES:
        return f"{counted(n, 'configuration')}: too many to tell apart"
    return "there is no verdict yet" if n else "no trial is complete"


def _curve(choice: Choice, curves: pd.DataFrame, column: str, fewest: int, overlap: float) -> Curve:
    rows = curves[curves["choice"] == choice.label]
    table = rows.pivot(index="epoch", columns="trial", values=column).dropna()
    values = table.to_numpy(dtype=np.float64)
    mean = values.mean(axis=1)
    low, high = (values.min(axis=1), values.max(axis=1)) if fewest else (mean, mean)
    if fewest >= 3:
        n = values.shape[1]
        half = t_quantile(n - 1) * values.std(axis=1, ddof=1) * np.sqrt(1 / n + overlap)
        largest = 1.0 if is_accuracy(column) else math.inf  # no figure lies beyond, and so no band does
        low, high = np.maximum(mean - half, 0.0), np.minimum(mean + half, largest)
    return Curve(choice, values.shape[1], table.index.to_numpy(dtype=np.float64), mean, low, high)


def _says(panels: tuple[Panel, ...], evidence: Evidence) -> str:
    panel = next((p for p in panels if p.metric.name == evidence.metric.name), panels[0])
    ended = [curve for curve in panel.curves if len(curve.mean)]
    if len(ended) < 2:
        return "; ".join(f"{curve.choice.short} ends at {panel.metric.value(curve.mean[-1])}" for curve in ended)
    order = sorted(ended, key=lambda curve: curve.mean[-1], reverse=panel.metric.maximize)
    (first, best), (second, next_best) = ((curve.choice.short, float(curve.mean[-1])) for curve in order[:2])
    if panel.metric.value(best) == panel.metric.value(next_best):
        return f"At the last epoch {first} and {second} are level at {panel.metric.value(best)}"
    gap = panel.metric.difference(abs(best - next_best))
    return f"At the last epoch {first} leads {second} by {gap} of {panel.metric.text}"


def _caption(fewest: int, most: int, noun: str, where: str) -> str:
    if most == 1:
        return f"Lines: the one {noun} of each{where}, with which no interval can be given."
    over = f"{noun}s{where}"
    if not fewest:
        return f"Lines: mean over {over}; bands of so many would hide one another."
    if fewest >= 3:
        return f"Lines: mean over {over}. Bands: 95 % t interval of the mean."
    if fewest == 2:
        return f"Lines: mean over {over}. Bands: from the lowest to the highest of them."
    return f"Lines: mean over {over}. At least one choice has a single one of them: no interval can be given."
