"""A comparison of sweeps on the terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from optimize import wording

if TYPE_CHECKING:
    from rich.console import Console

    from optimize.compare import Comparison, SweepSummary

WIDE = 100
"""Columns of a terminal that has room for the table of winners."""
MOST_CHOICES = 30
"""Shared choices that are printed, the best ones."""


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the sweeps and their winners, the choices that they share, and what sets them apart."""
    if console.width >= WIDE:
        console.print(winners_table(comparison))
    else:
        console.print(*winner_lines(comparison), sep="\n", soft_wrap=True)
    for sweep in comparison.sweeps:
        console.print(Text.assemble((sweep.name, "bold"), f": {sweep.sentence}"), soft_wrap=True)
    if len(comparison.shared):
        console.print(shared_table(comparison))
    for heading, lines in (("Also different", comparison.differences), ("Mind", comparison.warnings)):
        for line in lines:
            console.print(Text.assemble((f"{heading}: ", "bold"), line), soft_wrap=True)
    if comparison.verdict is not None:
        console.print(Text(f"Winner against winner: {comparison.verdict.sentence}", style="bold"), soft_wrap=True)


def winner_lines(comparison: Comparison) -> list[Text]:
    """What `winners_table` says, for a terminal that is too narrow for its columns."""
    lines = []
    for sweep in comparison.sweeps:
        name, winner, mean, interval, regret, _, training = _cells(comparison.metric, sweep)
        cost = (wording.counted(sweep.trials, "trial"), f"{training} of training")
        found = (f"{comparison.metric} {mean}", interval and f"95 % {interval}", f"regret {regret}") if mean else ()
        said = ", ".join(part for part in (*found, *cost) if part)
        lines += [Text.assemble((name, "bold"), f": {winner}"), Text(f"  {said}")]
    return lines


def winners_table(comparison: Comparison) -> Table:
    """A row per sweep, best first: its winner, how good, how far behind, and what it cost."""
    table = Table(
        title=Text(f"{comparison.metric} of {wording.counted(len(comparison.sweeps), 'sweep')}"), box=SIMPLE_HEAD
    )
    table.add_column("sweep", overflow="fold")
    table.add_column("winner", overflow="fold")
    for heading in ("mean", "95 %", "regret", "trials", "training"):
        table.add_column(heading, justify="right", no_wrap=heading != "regret")
    for sweep in comparison.sweeps:
        table.add_row(*map(Text, _cells(comparison.metric, sweep)))
    return table


def shared_table(comparison: Comparison) -> Table:
    """A row per shared choice: its best mean in each sweep."""
    names = list(comparison.shared.columns)
    left_out = len(comparison.shared) - MOST_CHOICES
    caption = Text(f"and {wording.counted(left_out, 'other')}") if left_out > 0 else None
    table = Table(title=Text("Choices that the sweeps share"), caption=caption, box=SIMPLE_HEAD)
    table.add_column("choice", overflow="fold")
    for name in names:
        table.add_column(Text(name), justify="right")
    for choice, row in comparison.shared.head(MOST_CHOICES).iterrows():
        cells = ("" if math.isnan(row[name]) else wording.value_text(comparison.metric, row[name]) for name in names)
        table.add_row(Text(wording.short(str(choice))), *map(Text, cells))
    return table


def _cells(metric: str, sweep: SweepSummary) -> tuple[str, ...]:
    ended = (f"{sweep.trials:,}", wording.duration(sweep.seconds))
    winner = sweep.winner
    if winner is None or sweep.regret is None:
        return (sweep.name, "none", "", "", "", *ended)
    mean, interval = wording.value_text(metric, winner.mean), ""
    if winner.low is not None and winner.high is not None:
        low, high = wording.value_text(metric, winner.low), wording.value_text(metric, winner.high)
        interval = f"{low.removesuffix(' %')} to {high.removesuffix(' %')}"
    regret = wording.difference_text(metric, sweep.regret)
    return (sweep.name, wording.short(winner.choice), mean, interval, regret, *ended)
