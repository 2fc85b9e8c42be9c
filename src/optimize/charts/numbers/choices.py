"""The metric of every choice, seed by seed, with its mean and interval."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from optimize.charts.evidence import Choice, Evidence
from optimize.charts.numbers.common import Floats, NotForThisSweep
from optimize.charts.numbers.learning import too_many_choices
from optimize.charts.units import Metric
from optimize.verdict import ChoiceSummary, FactorVerdict, TunedChoice, Verdict
from optimize.wording import counted


class ChoiceRow(NamedTuple):
    """One choice: its single values and what they amount to."""

    choice: Choice
    values: Floats
    """(n,): by seed; of a tuned factor, of every complete trial of its search."""
    mean: float
    low: float
    high: float
    """The ends of the 95 % interval; NaN where there is none."""


class ChoiceRows(NamedTuple):
    """Every choice, in order."""

    metric: Metric
    rows: tuple[ChoiceRow, ...]
    compared: str
    precision: float | None
    """How exactly the means are known: half of the usual interval; None where none has one."""
    best: int
    """Which of the rows is the winner's: with the best mean, of those with several seeds if any has."""
    says: str
    caption: str


def choice_rows(evidence: Evidence) -> ChoiceRows:
    """What the verdict says of each choice.

    Raises:
        NotForThisSweep: there is no verdict, or one of other choices, or too many configurations to tell apart.
    """
    if evidence.verdict is None or not evidence.choices:
        raise NotForThisSweep(too_many_choices(evidence))
    verdict = evidence.verdict
    rows = _tuned(evidence, verdict.factor) if verdict.factor else _by_seed(evidence, verdict)
    if not rows:
        raise NotForThisSweep("the verdict is of other choices than the tables")
    rows.sort(key=lambda row: evidence.choices.index(row.choice))
    caption = _tuned_caption(verdict.factor, evidence) if verdict.factor else _caption(rows, evidence.noun)
    says = evidence.shortened(verdict.sentence)
    halves = [half for row in rows if math.isfinite(half := (row.high - row.low) / 2)]
    precision = float(np.median(halves)) if halves else None
    winner = evidence.choice(str((verdict.factor or verdict).winner))
    best = next((place for place, row in enumerate(rows) if row.choice == winner), 0)
    return ChoiceRows(evidence.metric, tuple(rows), evidence.compared, precision, best, says, caption)


def _by_seed(evidence: Evidence, verdict: Verdict) -> list[ChoiceRow]:
    found = ((evidence.choice(summary.choice), summary) for summary in verdict.choices)
    return [_row(choice, summary) for choice, summary in found if choice is not None]


def _row(choice: Choice, summary: ChoiceSummary) -> ChoiceRow:
    low, high = (math.nan if end is None else end for end in (summary.low, summary.high))
    return ChoiceRow(choice, np.array(list(summary.values.values()), dtype=np.float64), summary.mean, low, high)


def _tuned(evidence: Evidence, factor: FactorVerdict) -> list[ChoiceRow]:
    found = ((evidence.choice(tuned.choice), tuned) for tuned in factor.choices)
    return [_tuned_row(evidence, choice, tuned) for choice, tuned in found if choice is not None]


def _tuned_row(evidence: Evidence, choice: Choice, tuned: TunedChoice) -> ChoiceRow:
    trials = evidence.judged[evidence.judged["choice"] == choice.label]
    values = trials[evidence.metric.name].to_numpy(dtype=np.float64)
    return ChoiceRow(choice, values, tuned.expected_best, tuned.low, tuned.high)


def _caption(rows: list[ChoiceRow], noun: str) -> str:
    fewest, most = (pick(len(row.values) for row in rows) for pick in (min, max))
    if most == 1:
        return f"Both marks: the one {noun} of each, at its best epoch, with which no interval can be given."
    seeds = counted(most, noun) if fewest == most else f"{fewest} to {counted(most, noun)}"
    equal = " Below one another: equal ones." if any(len(set(row.values)) < len(row.values) for row in rows) else ""
    small = f"Small marks: every {noun}, at its best epoch.{equal}"
    return f"{small} Large mark: mean over {seeds}. Bar: 95 % t interval of the mean."


def _tuned_caption(factor: FactorVerdict, evidence: Evidence) -> str:
    return (
        f"Small marks: trials{evidence.of_search}. "
        f"Large mark: the best to be expected of {counted(factor.budget, 'configuration')}, "
        "everything else tuned within each choice. Bar: its 95 % interval."
    )
