"""What ran when, and how every single trial went."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from optimize.charts.evidence import Choice, Evidence
from optimize.charts.numbers.common import Floats, NotForThisSweep
from optimize.charts.units import Metric
from optimize.trialtable import planned_epochs
from optimize.wording import counted, duration

LONGEST_PAUSE = 0.1
"""A time without any trial that is longer than this share of the busy time is cut out."""
SHORTEST_PAUSE = 60.0
"""Seconds; shorter pauses are never cut out."""
SHORTEST_HATCHED = 0.012
"""Of a timeline: where most bars are shorter, rims and hatches run into one grey, so that there are none."""


class Bar(NamedTuple):
    """One trial on its worker's lane; times in seconds since the sweep began, pauses cut out."""

    lane: int
    start: float
    end: float
    state: str
    choice: Choice | None


class Timeline(NamedTuple):
    """Every trial, and where time was cut."""

    bars: tuple[Bar, ...]
    choices: tuple[Choice, ...]
    workers: tuple[int, ...]
    pauses: tuple[tuple[float, float], ...]
    """Where a pause was cut out, and how long it was."""
    crowded: bool
    """Whether most bars are too short for a rim or a hatch."""
    says: str
    caption: str


class Path(NamedTuple):
    """A trial's metric, epoch by epoch."""

    trial: int
    choice: Choice | None
    state: str
    epochs: Floats
    values: Floats


class IntermediateValues(NamedTuple):
    """The path of every trial of the search; `best` is the number of the best complete one."""

    metric: Metric
    paths: tuple[Path, ...]
    choices: tuple[Choice, ...]
    best: int | None
    says: str
    caption: str


class Saved(NamedTuple):
    """What pruning saved of a search's training."""

    epochs: int
    share: float
    """Of all epochs that the search would have had."""
    exact: bool
    """Whether each trial would have trained all of its epochs: none that was complete stopped early by itself."""

    @property
    def words(self) -> str:
        """`45 epochs`, `about 45 epochs`."""
        return ("" if self.exact else "about ") + counted(self.epochs, "epoch")


def timeline(evidence: Evidence) -> Timeline:
    """When each trial ran and on which worker; pauses in which nothing ran, as between two `run`s, are cut out.

    Raises:
        NotForThisSweep: no trial has both its times.
    """
    rows = evidence.trials.dropna(subset=["started", "ended"])
    if rows.empty:
        raise NotForThisSweep("no trial has its times")
    started = pd.to_datetime(rows["started"], utc=True, format="ISO8601")
    ended = pd.to_datetime(rows["ended"], utc=True, format="ISO8601")
    begin: Floats = np.array((started - started.min()).dt.total_seconds(), dtype=np.float64)
    end: Floats = np.maximum(np.array((ended - started.min()).dt.total_seconds(), dtype=np.float64), begin)
    cuts = _pauses(begin, end)
    looks = {choice.label: choice for choice in evidence.choices}
    labels = evidence.choice_of(rows)
    workers = tuple(sorted(rows["worker"].fillna(0).astype(int).unique()))
    bars = tuple(
        Bar(workers.index(int(worker)), _cut(float(b), cuts), _cut(float(e), cuts), str(state), looks.get(label))
        for worker, b, e, state, label in zip(rows["worker"].fillna(0), begin, end, rows["state"], labels, strict=True)
    )
    at = tuple((_cut(start, cuts), stop - start) for start, stop in cuts)
    crowded = _are_crowded(bars)
    caption = _caption(bars, evidence.choices, bool(cuts), crowded)
    return Timeline(bars, evidence.choices, workers, at, crowded, _says(bars, len(workers)), caption)


def intermediate_values(evidence: Evidence) -> IntermediateValues:
    """The metric of every trial of the search, complete, pruned or failed, at each epoch.

    Raises:
        NotForThisSweep: no trial of the search was trained for two epochs.
    """
    own = evidence.curves[evidence.curves["trial"].isin(evidence.search["trial"])]
    curves = own.dropna(subset=[evidence.metric.name])
    if curves.empty or curves["epoch"].max() < 2:
        raise NotForThisSweep("no trial was trained for two epochs")
    looks = {choice.label: choice for choice in evidence.choices}
    labels = dict(zip(evidence.search["trial"], evidence.choice_of(evidence.search), strict=True))
    states = dict(zip(evidence.search["trial"], evidence.search["state"], strict=True))
    paths = tuple(
        Path(
            int(str(trial)), looks.get(labels.get(trial, "")), str(states.get(trial, "failed")),
            rows["epoch"].to_numpy(dtype=np.float64), rows[evidence.metric.name].to_numpy(dtype=np.float64),
        )
        for trial, rows in curves.groupby("trial")
    )  # fmt: skip
    best = int(evidence.best["trial"]) if evidence.best is not None else None
    return IntermediateValues(
        evidence.metric, paths, evidence.choices, best, _saved(evidence), _paths_caption(paths, evidence.of_search)
    )


def _pauses(begin: Floats, end: Floats) -> list[tuple[float, float]]:
    """Stretches in which no trial ran that are worth cutting out, as (start, end)."""
    order = np.argsort(begin, kind="stable")
    reached = np.maximum.accumulate(end[order])
    gaps = [(float(reached[i]), float(begin[order][i + 1])) for i in range(len(order) - 1)]
    gaps = [(start, stop) for start, stop in gaps if stop > start]
    busy = float(reached[-1]) - sum(stop - start for start, stop in gaps)
    shortest = max(SHORTEST_PAUSE, LONGEST_PAUSE * busy)
    return [(start, stop) for start, stop in gaps if stop - start > shortest]


def _are_crowded(bars: tuple[Bar, ...]) -> bool:
    shortest = SHORTEST_HATCHED * max(bar.end for bar in bars)
    return float(np.median([bar.end - bar.start for bar in bars])) < shortest


def _cut(moment: float, cuts: list[tuple[float, float]]) -> float:
    return moment - sum(min(moment, stop) - start for start, stop in cuts if moment > start)


def _says(bars: tuple[Bar, ...], workers: int) -> str:
    span = max(bar.end for bar in bars) - min(bar.start for bar in bars)
    busy = sum(bar.end - bar.start for bar in bars) / (workers * span) if span else 1.0
    ran = f"{counted(len(bars), 'trial')} in {duration(span)} on {counted(workers, 'worker')}"
    return f"{ran}, {100 * busy:.0f} % of the time training"


def _caption(bars: tuple[Bar, ...], choices: tuple[Choice, ...], cut: bool, crowded: bool) -> str:
    states = {bar.state for bar in bars}
    has_others = bool(choices) and any(bar.state == "complete" and bar.choice is None for bar in bars)
    marks = {
        "Grey: complete, of a configuration that is not compared.": has_others,
        "Pale: pruned." if crowded else "Hatched: pruned.": "pruned" in states,
        "Crossed out: failed.": "failed" in states,
        "Dashed: a pause cut out.": cut,
    }
    return " ".join(["A lane per worker, a bar per trial.", *(text for text, is_there in marks.items() if is_there)])


def _saved(evidence: Evidence) -> str:
    counts = evidence.search["state"].value_counts()
    pruned, failed = (int(counts.get(state, 0)) for state in ("pruned", "failed"))
    beside = f"; {failed:,} failed" if failed else ""
    if not pruned:
        return f"{counted(len(evidence.searched), 'complete trial')}{evidence.of_search}, none pruned{beside}"
    saved = epochs_saved(evidence)
    which = f"{counted(pruned, 'trial')} of {len(evidence.search):,} pruned"
    return f"{which}, which saved {saved.words} of training ({100 * saved.share:.0f} %){beside}"


def epochs_saved(evidence: Evidence) -> Saved:
    """Epochs that the search's pruned trials were not trained for.

    Each would have trained its own `train.epochs`, or as much of them as complete trials, on the whole, trained of
    theirs before they stopped early.
    """
    complete, pruned = evidence.searched, evidence.search[evidence.search["state"] == "pruned"]
    of_complete, of_pruned = (planned_epochs(rows, evidence.space, evidence.epochs) for rows in (complete, pruned))
    usual = float(complete["epochs"].sum() / of_complete.sum()) if len(complete) else 1.0
    saved = round(float(np.maximum(usual * of_pruned - pruned["epochs"].to_numpy(), 0).sum()))
    return Saved(saved, saved / max(saved + int(evidence.search["epochs"].sum()), 1), exact=usual == 1)


def _paths_caption(paths: tuple[Path, ...], of_search: str) -> str:
    states = {path.state for path in paths}  # one that failed in its first epoch has no line
    marks = {"Grey ×: pruned.": "pruned" in states, "Orange ×: failed.": "failed" in states}
    shown = (text for text, is_there in marks.items() if is_there)
    return " ".join([f"A line per trial{of_search}. Thick: the best.", *shown])
