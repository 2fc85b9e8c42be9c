"""Which trials a sweep still wants: the cells of a grid, a sampler's draws, and the confirmation of finalists."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Protocol

from main.history import better
from main.tracing import graph_key
from optimize.config import SweepConfig
from optimize.finished import Finished
from optimize.sections import StudyConfig
from optimize.space import Value, Values, label
from optimize.trial import Purpose

Block = tuple[int, int | None]
"""A seed, and one of its folds where the study has folds: what choices are paired by."""


@dataclass(frozen=True)
class Proposal:
    """A trial to be started; `values` is None where the sampler shall draw them."""

    seed: int
    values: Mapping[str, Value] | None
    purpose: Purpose = "search"
    fixed: Mapping[str, Value] = field(default_factory=dict)
    """Values that the sampler takes as given, and draws the others beside."""
    fold: int | None = None
    """Which fold validates, where the study has folds."""


@dataclass(frozen=True)
class Elimination:
    """A choice that has left a race."""

    choice: str
    """Its configuration."""
    leader: str
    """The configuration that beats it."""
    after: str
    """What it was trained on before it left: `3 seeds`, `4 folds`."""
    spared: int
    """Trainings of it that are not made."""

    def __str__(self) -> str:
        return f"{self.choice} is out of the race after {self.after}: {self.leader} beats it"


class Proposals(Protocol):
    """A source of trials that is asked whenever a worker is free."""

    @property
    def eliminations(self) -> Sequence[Elimination]:
        """The choices that have left a race, those included that left it before the sweep went on."""

    def next(self, held: Collection[str] = (), elsewhere: Collection[str] = ()) -> Proposal | None:
        """The next trial. None: no more for now.

        Args:
            held: networks that the free worker has traced, by `graph_key`; among equals a trial of one is preferred,
            elsewhere: and then one of a network that no other worker has traced.
        """

    def remaining(self) -> int:
        """How many more it will propose, as far as is known."""

    def drop(self, finished: Finished) -> None:
        """Strike out a trial that was found ended, or under way, when the sweep went on."""

    def ended(self, finished: Finished) -> None:
        """Hear that a trial of this run has ended."""


class Rounds:
    """Cells, each once per block; blocks outer, cells inner, so that a sweep cut short is balanced.

    A block is a seed; where the study has folds, it is a seed and one of its folds.
    """

    eliminations: Sequence[Elimination] = ()

    def __init__(
        self, config: SweepConfig, cells: Sequence[Mapping[str, Value]], blocks: Sequence[Block], purpose: Purpose
    ) -> None:
        self._purpose = purpose
        self._rounds: list[dict[str, Proposal]] = [
            {cell_key(cell): Proposal(seed, cell, purpose, fold=fold) for cell in cells} for seed, fold in blocks
        ]
        self._round_of = dict(zip(blocks, self._rounds, strict=True))
        self._network_of = {cell_key(cell): graph_key(config.concrete(cell)) for cell in cells}
        self._waiting = [self._by_network() for _ in self._rounds]

    def _by_network(self) -> dict[str, deque[str]]:
        found: dict[str, deque[str]] = {}
        for key, network in self._network_of.items():
            found.setdefault(network, deque()).append(key)
        return found

    def next(self, held: Collection[str] = (), elsewhere: Collection[str] = ()) -> Proposal | None:
        """The next cell of the earliest round that has one."""
        current = next((number for number, cells in enumerate(self._rounds) if cells), None)
        if current is None:
            return None
        pending, waiting = self._rounds[current], self._waiting[current]
        while True:
            chosen = _choose(waiting, held, elsewhere)
            key = waiting[chosen].popleft()
            if not waiting[chosen]:
                del waiting[chosen]
            if key in pending:
                return pending.pop(key)

    def remaining(self) -> int:
        """Cells times blocks, less those handed out."""
        return sum(len(pending) for pending in self._rounds)

    def drop(self, finished: Finished) -> None:
        """Strike out a cell that needs no training any more."""
        if finished.purpose == self._purpose:
            self._round_of.get((finished.seed, finished.fold), {}).pop(cell_key(finished.values), None)

    def ended(self, finished: Finished) -> None:
        """Nothing follows from it for what is still wanted."""


class GridProposals(Rounds):
    """Every cell of the grid once per block."""

    def __init__(self, config: SweepConfig) -> None:
        super().__init__(config, list(config.space.cells()), blocks(config.study), "search")


class SamplerProposals:
    """As many draws as the sweep file's `trials`, a total that resuming counts toward.

    Points that are given come first, and count. Where the sweep compares the choices of a factor, the choice with the
    fewest trials is dealt out next, so that each gets the same budget.
    """

    eliminations: Sequence[Elimination] = ()

    def __init__(self, config: SweepConfig) -> None:
        self._left = config.study.trials or 0
        self._seed = config.study.seeds[0]
        self._points = given_points(config.study)
        self._factor = config.study.compare
        choices = config.space[self._factor] if self._factor is not None else None
        self._dealt = {label(value): (value, 0) for value in choices.grid()} if choices is not None else {}

    def next(self, held: Collection[str] = (), elsewhere: Collection[str] = ()) -> Proposal | None:
        """The next point that is given, or one more draw, while the budget lasts."""
        if self._left <= 0:
            return None
        self._left -= 1
        fixed = self._points.pop(0) if self._points else {}
        if self._factor is not None and self._factor not in fixed:
            fixed = {**fixed, self._factor: self._rarest()}
        self._count(fixed)
        return Proposal(self._seed, None, fixed=fixed)

    def _rarest(self) -> Value:
        """The factor's choice that has the fewest trials."""
        return min(self._dealt.values(), key=lambda dealt: dealt[1])[0]

    def _count(self, values: Values) -> None:
        """Count a trial toward the budget of its choice of the factor."""
        if self._factor is not None and self._factor in values:
            value, count = self._dealt[label(values[self._factor])]
            self._dealt[label(value)] = (value, count + 1)

    def remaining(self) -> int:
        """Draws left in the budget."""
        return max(self._left, 0)

    def drop(self, finished: Finished) -> None:
        """Count a search trial of an earlier run toward the budget, and strike out the point that it tried."""
        if finished.purpose != "search":
            return
        self._left -= 1
        self._count(finished.values)
        tried = next((point for point in self._points if _lies_at(finished.values, point)), None)
        if tried is not None:
            self._points.remove(tried)

    def ended(self, finished: Finished) -> None:
        """Nothing follows from it for what is still wanted."""


class ConfirmProposals(Rounds):
    """The finalists of a search and its baseline, once on each of some seeds that the search has not seen.

    Where the study has folds, once on each fold of each such seed.
    """

    def __init__(self, config: SweepConfig, search: Iterable[Finished]) -> None:
        confirm = config.study.confirm
        assert confirm is not None
        finalists = best_configurations(search, config.study.metric, confirm.top)
        if config.study.baseline is not None:
            finalists = list(
                {cell_key(v): v for v in [*finalists, config.space.complete(config.study.baseline)]}.values()
            )
        super().__init__(config, finalists, blocks(config.study, confirm.seeds), "confirm")


def _choose(waiting: Mapping[str, Any], held: Collection[str], elsewhere: Collection[str]) -> str:
    """Which network's next cell a worker gets: tracing costs more than an epoch, so each is traced by few workers."""
    candidates: Collection[str] = [network for network in held if network in waiting] or waiting
    return next((network for network in candidates if network not in elsewhere), next(iter(candidates)))


def blocks(study: StudyConfig, seeds: Sequence[int] | None = None) -> list[Block]:
    """What every cell of a grid is trained on, in order: each seed, on each of its folds where there are any.

    Args:
        study: The study.
        seeds: Other seeds than those of its search.
    """
    folds: list[int | None] = [None] if study.folds is None else list(range(study.folds))
    return [(seed, fold) for seed in seeds or study.seeds for fold in folds]


def given_points(study: StudyConfig) -> list[Values]:
    """What a sampler's first trials are: the baseline where no confirmation trains it, and the points to start with."""
    baseline = [study.baseline] if study.baseline is not None and study.confirm is None else []
    return [*baseline, *(point for point in study.start if point not in baseline)]


def beyond(study: StudyConfig, trained: Iterable[Finished]) -> list[Finished]:
    """Of an earlier run's trials those that the study, changed since to be smaller, no longer asks for.

    Failed ones are none of them: they may have been trained again.
    """
    confirming = study.confirm.seeds if study.confirm is not None else ()
    whole = [finished for finished in trained if finished.outcome.state != "failed"]
    search = [finished for finished in whole if finished.purpose == "search"]
    extra = [finished for finished in whole if finished.purpose == "confirm" and finished.seed not in confirming]
    if study.sampler.name == "grid":
        return [*extra, *(finished for finished in search if finished.seed not in study.seeds)]
    return [*extra, *search[study.trials or 0 :]]


def _lies_at(values: Values, point: Values) -> bool:
    """Whether a configuration has all values of a point, but for those that `when` switched off in it."""
    return all(values.get(path, value) == value for path, value in point.items())


def cell_key(values: Mapping[str, Any]) -> str:
    """Equal for equal values, whatever their order."""
    return json.dumps(dict(sorted(values.items())), default=list)


def best_configurations(trials: Iterable[Finished], metric: str, count: int) -> list[Mapping[str, Value]]:
    """The values of the `count` best configurations of the search, best first, by the means of their complete trials.

    A configuration of several seeds is not as good as its luckiest.
    """
    figures: dict[str, list[float]] = {}
    values: dict[str, Mapping[str, Value]] = {}
    for finished in trials:
        best = finished.outcome.best()
        if finished.outcome.state == "complete" and finished.purpose == "search" and best is not None:
            cell = cell_key(finished.values)
            figures.setdefault(cell, []).append(float(getattr(best, metric)))
            values.setdefault(cell, finished.values)
    highest_first = better(1.0, 0.0, metric)
    ranked = sorted(figures, key=lambda cell: fmean(figures[cell]), reverse=highest_first)
    return [values[cell] for cell in ranked[:count]]
