"""Every chart: what computes it, what draws it, what it is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from optimize.charts.drawing.choices import draw_choices
from optimize.charts.drawing.differences import draw_differences
from optimize.charts.drawing.effects import draw_effects, draw_marginal
from optimize.charts.drawing.history import draw_history
from optimize.charts.drawing.importances import draw_importances
from optimize.charts.drawing.landscape import draw_contour, draw_parallel, draw_rank, draw_slices
from optimize.charts.drawing.learning import draw_learning_curves
from optimize.charts.drawing.progress import draw_intermediate_values, draw_timeline
from optimize.charts.drawing.spread import draw_edf, draw_pareto
from optimize.charts.evidence import Evidence
from optimize.charts.numbers.choices import choice_rows
from optimize.charts.numbers.differences import differences
from optimize.charts.numbers.effects import effects, marginal
from optimize.charts.numbers.history import history
from optimize.charts.numbers.importances import importances
from optimize.charts.numbers.landscape import contour, parallel, rank, slices
from optimize.charts.numbers.learning import learning_curves
from optimize.charts.numbers.progress import intermediate_values, timeline
from optimize.charts.numbers.spread import edf, pareto
from optimize.charts.page import Page


class Chart(NamedTuple):
    """How one chart is made."""

    heading: str
    compute: Callable[[Evidence], Any]
    """Raises `NotForThisSweep` where the chart would say nothing; its result has `says` and `caption`."""
    draw: Callable[[Any, Page], None]


CATALOG: dict[str, Chart] = {
    "choices": Chart("Every choice, trial by trial", choice_rows, draw_choices),
    "learning_curves": Chart("Learning curves", learning_curves, draw_learning_curves),
    "differences": Chart("Differences between choices", differences, draw_differences),
    "importances": Chart("Which parameter matters", importances, draw_importances),
    "marginal_effects": Chart("What each value adds", marginal, draw_marginal),
    "slice": Chart("One parameter at a time", slices, draw_slices),
    "effects": Chart("Two parameters at a time", effects, draw_effects),
    "contour": Chart("Over two parameters, smoothed", contour, draw_contour),
    "rank": Chart("Where the good trials are", rank, draw_rank),
    "parallel_coordinates": Chart("Every trial across all parameters", parallel, draw_parallel),
    "pareto": Chart("What it costs", pareto, draw_pareto),
    "history": Chart("Optimization history", history, draw_history),
    "intermediate_values": Chart("Every trial, epoch by epoch", intermediate_values, draw_intermediate_values),
    "edf": Chart("Distribution of the trials", edf, draw_edf),
    "timeline": Chart("Timeline", timeline, draw_timeline),
}
