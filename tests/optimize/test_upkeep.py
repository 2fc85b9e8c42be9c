from collections.abc import Callable
from typing import ClassVar

import stubs
from optimize.engine import Slot, ThreadEngine
from optimize.sweep import search_proposals
from optimize.upkeep import Upkeep
from sweeps import POOLING, Bench

MIB = 2**20
SLOT = Slot(0, "tcp://10.0.0.2:4000")


def test_a_worker_may_grow_a_little() -> None:
    upkeep = Upkeep(memory=None)
    assert upkeep.after_trial(SLOT, 600 * MIB) == ""
    assert upkeep.after_trial(SLOT, 1600 * MIB) == ""


def test_a_worker_that_has_grown_past_the_bound_is_named_with_its_numbers() -> None:
    upkeep = Upkeep(memory=None)
    upkeep.after_trial(SLOT, 600 * MIB)
    assert upkeep.after_trial(SLOT, 1700 * MIB) == "had grown from 600 to 1700 MiB"
    assert upkeep.after_trial(SLOT, 1700 * MIB) == ""  # a fresh one is measured anew


def test_a_limit_on_memory_bounds_growth_too() -> None:
    upkeep = Upkeep(memory=1000 * MIB)
    upkeep.after_trial(SLOT, 600 * MIB)
    assert upkeep.after_trial(SLOT, 840 * MIB) == ""
    assert upkeep.after_trial(SLOT, 860 * MIB)


def test_a_worker_whose_memory_nobody_knows_stays() -> None:
    assert Upkeep(memory=None).after_trial(SLOT, None) == ""


def test_a_replaced_worker_is_in_the_results(bench: Callable[[str], Bench]) -> None:
    class Growing(ThreadEngine):
        """Holds 700 MiB more after every trial."""

        replaced: ClassVar[list[int]] = []

        def memory(self, slot: Slot) -> int:
            return len(sweep.witness.ends) * 700 * MIB

        def kill(self, slot: Slot) -> None:
            self.replaced.append(len(sweep.witness.ends))

    sweep = bench(POOLING)
    sweep.coordinator.run(search_proposals(sweep.config), lambda: Growing(stubs.learn))
    assert Growing.replaced == [3, 6]
    incidents = sweep.results.incidents()
    assert incidents is not None
    assert list(incidents["what"]) == [
        "worker 0 had grown from 700 to 2100 MiB and was replaced",
        "worker 0 had grown from 2800 to 4200 MiB and was replaced",
    ]
