"""The chart of a learning-rate range test: loss against rate, a line for each configuration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import FuncFormatter

from main.wording import counted
from optimize.charts.drawing.marks import colour_of, legend_below, legend_height, line_style
from optimize.charts.evidence import Choice
from optimize.charts.page import Page, Words, drawing_rules
from optimize.charts.palette import looks
from optimize.ratereading import BELOW_THE_LOWEST, RateReading

_ROOM_ABOVE = 1.3
"""The axis ends so many times above the loss that training starts from: divergence would flatten all else."""


def draw_rates(readings: Sequence[RateReading], question: str | None, notice: str | None = None) -> bytes:
    """The chart as a PNG file."""
    choices = [
        Choice(reading.configuration, reading.configuration, look)
        for reading, look in zip(readings, looks(len(readings)), strict=True)
    ]
    words = Words(question or "Learning-rate range test", _says(readings), _caption(readings), notice)
    with drawing_rules([words.title, *(choice.label for choice in choices)]):
        page = Page(words)
        (ax,) = page.axes(height=3.8, below=legend_height(page, choices))
        for choice, reading in zip(choices, readings, strict=True):
            style = {**line_style(choice), "marker": "", "linewidth": 1.8}
            ax.plot(reading.rates, reading.loss, **style)
            for rate, marker in ((reading.steepest, "o"), (reading.suggested, "D")):
                ax.plot([rate], [_height(reading, rate)], marker=marker, color=colour_of(choice), ms=7, ls="", zorder=3)
            if reading.seeds > 1:
                ends = [reading.suggested_low, reading.suggested_high]
                ax.plot(ends, [_height(reading, reading.suggested)] * 2, color=colour_of(choice), lw=1.2, marker="|")
        ax.set(xscale="log", xlabel="learning rate", ylabel="training loss")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
        losses = [reading.loss for reading in readings if np.isfinite(reading.loss[0])]
        if losses:  # where a curve explodes, neither end is to follow it
            lowest, top = min(float(np.nanmin(loss)) for loss in losses), _ROOM_ABOVE * max(loss[0] for loss in losses)
            ax.set_ylim(lowest - 0.05 * (top - lowest), top)
        legend_below(page, choices, lines=True, marker="")
        return page.render("png")


def _height(reading: RateReading, rate: float) -> float:
    """The line's height at a rate; beyond its ends, theirs."""
    return float(np.interp(np.log(rate), np.log(reading.rates), reading.loss))


def _says(readings: Sequence[RateReading]) -> str:
    suggested = ", ".join(f"{reading.configuration} {reading.suggested:.2g}" for reading in readings)
    return f"Suggested rates: {suggested}"


def _caption(readings: Sequence[RateReading]) -> str:
    seeds = min(reading.seeds for reading in readings)
    bar = " Bar across it: what the seeds suggest, each on its own." if seeds > 1 else ""
    return " ".join(
        [
            f"Lines: smoothed loss of each batch, mean over {counted(seeds, 'seed')}, as far as all of them came. "
            "Marks are read off the lines. Round: steepest fall. "
            f"Diamond: suggested rate, 1 / {BELOW_THE_LOWEST:g} of that at the lowest loss.{bar}",
            *(f"{reading.configuration}: {said}" for reading in readings for said in reading.warnings),
        ]
    )
