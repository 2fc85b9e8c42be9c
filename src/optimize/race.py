"""A grid whose choices must keep earning their seeds: those that can no longer win are trained no further."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np

from main.history import DIRECTIONS
from optimize.config import SweepConfig
from optimize.finished import Finished
from optimize.paired import LEVEL, compare_pairs, overlap_of
from optimize.proposals import Block, Elimination, GridProposals, Proposal, blocks, cell_key
from optimize.wording import counted

SEEDS_BEFORE_THE_FIRST_LOOK = 3
"""Of fewer seeds than three, a spread says too little to drop a choice for."""


class RaceProposals(GridProposals):
    """Rounds of one block each, a seed or a fold; before a round, choices that the leader already beats drop out of it
    and all later ones.

    A choice drops out where the paired test of its difference to the leader, with Holm's correction over all pairs,
    falls below 0.05 divided by the number of looks, so that looking again and again keeps the error of the whole race
    at 5 % (Bonferroni over looks; after Maron and Moore 1994, "Hoeffding races", with paired tests in place of bounds).
    A choice that trained on fewer seeds than others, or failed, is never dropped for it.
    """

    def __init__(self, config: SweepConfig, announce: Callable[[str], None], *, resolution: float = 0.0) -> None:
        """Of an accuracy the resolution is one image: the same in a few seeds is no proof; see `compare_pairs`."""
        super().__init__(config)
        self._metric = config.study.metric
        self._sign = 1.0 if DIRECTIONS[self._metric] == "maximize" else -1.0
        self._blocks, self._folds = blocks(config.study), config.study.folds
        self._looks = max(1, len(self._blocks) - SEEDS_BEFORE_THE_FIRST_LOOK)
        self._announce, self._resolution = announce, resolution
        self._names: dict[str, str] = {}
        self._values: dict[str, dict[Block, float]] = {}
        self._handed_out: set[tuple[str, Block]] = set()
        self._looked = SEEDS_BEFORE_THE_FIRST_LOOK - 1

    def next(self, held: Collection[str] = (), elsewhere: Collection[str] = ()) -> Proposal | None:
        """The next cell; None while a round that the next one depends on still runs, or where the race is over."""
        if self._current() is None or not self._settle():
            return None
        proposal = super().next(held, elsewhere)
        if proposal is not None:
            self._handed_out.add((cell_key(proposal.values or {}), (proposal.seed, proposal.fold)))
        return proposal

    def remaining(self) -> int:
        """Cells times blocks, less those handed out and those that are out of the race."""
        self._settle()
        return super().remaining()

    def _current(self) -> int | None:
        """The earliest round that has cells left."""
        return next((number for number, cells in enumerate(self._rounds) if cells), None)

    def _settle(self) -> bool:
        """Take every look that is due; False while one waits for trials that still run."""
        while (current := self._current()) is not None and current > self._looked:
            if self._handed_out:
                return False
            self._looked = current
            self._look(current)
        return True

    def drop(self, finished: Finished) -> None:
        """Strike out a cell that an earlier run finished, and count its value."""
        super().drop(finished)
        if finished.outcome.state == "interrupted":  # it waits to go on, and the next look waits for it
            self._handed_out.add((cell_key(finished.values), (finished.seed, finished.fold)))
        else:
            self.ended(finished)

    def ended(self, finished: Finished) -> None:
        """Count a trial's value for the next look."""
        key, block = cell_key(finished.values), (finished.seed, finished.fold)
        self._handed_out.discard((key, block))
        best = finished.outcome.best()
        if finished.outcome.state == "complete" and best is not None:
            self._names[key] = finished.configuration
            self._values.setdefault(key, {})[block] = self._sign * float(getattr(best, self._metric))

    def _look(self, current: int) -> None:
        """Drop what the leader beats on the rounds before `current`."""
        seen = self._blocks[:current]
        whole = [key for key, values in self._values.items() if all(block in values for block in seen)]
        if len(whole) < 2:
            return
        table = np.array([[self._values[key][block] for block in seen] for key in whole])
        leader = int(table.mean(axis=1).argmax())
        tests = compare_pairs(table, resolution=self._resolution, overlap=overlap_of(self._folds))
        beaten = tests.p_holm <= LEVEL / self._looks
        for first, second in zip(tests.first[beaten], tests.second[beaten], strict=True):
            if leader in (first, second):
                self._drop_out(whole[second if first == leader else first], whole[leader], current)

    def _drop_out(self, key: str, leader: str, current: int) -> None:
        spared = sum(cells.pop(key, None) is not None for cells in self._rounds[current:])
        if spared:
            after = counted(current, "fold" if self._folds else "seed")
            elimination = Elimination(self._names[key], self._names[leader], after, spared)
            self.eliminations = (*self.eliminations, elimination)
            self._announce(str(elimination))
