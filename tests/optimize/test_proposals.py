"""In what order a grid's cells are handed out, and which of them are confirmed."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from main.history import Epoch
from optimize.config import SweepConfig, load_config
from optimize.finished import Finished
from optimize.proposals import ConfirmProposals, GridProposals, Proposal, best_configurations, network_of
from optimize.trial import TrialOutcome

GRID = """
name: grid
data: {source: digits}
model:
  network: cnn
  pooling: {choices: [max, average]}
  kernel_size: {choices: [3, 5]}
train:
  learning_rate: {choices: [1e-3, 3e-3]}
study: {seeds: 2}
"""


@pytest.fixture
def config(tmp_path: Path) -> SweepConfig:
    (tmp_path / "grid.yaml").write_text(GRID)
    return load_config(tmp_path / "grid.yaml")


def deal(config: SweepConfig, workers: int) -> list[list[tuple[int, str]]]:
    """(seed, network) of each trial of each worker, where they take turns."""
    proposals = GridProposals(config)
    dealt: list[list[tuple[int, str]]] = [[] for _ in range(workers)]
    held: list[str | None] = [None] * workers
    turn = 0
    while proposals.remaining():
        mine = turn % workers
        others = {network for worker, network in enumerate(held) if network is not None and worker != mine}
        proposal = proposals.next(held[mine], others)
        assert proposal is not None
        held[mine] = network_of(proposal.values or {})
        dealt[mine].append((proposal.seed, held[mine] or ""))
        turn += 1
    assert proposals.next(held[0]) is None
    return dealt


def test_each_network_of_a_round_is_trained_by_one_worker(config: SweepConfig) -> None:
    first, second = deal(config, workers=2)
    for seed in (0, 1):
        mine, theirs = ({network for s, network in dealt if s == seed} for dealt in (first, second))
        assert len(mine) == len(theirs) == 2
        assert not mine & theirs


def test_a_worker_stays_with_its_network_as_long_as_a_round_has_cells_of_it(config: SweepConfig) -> None:
    for dealt in deal(config, workers=2):
        changes = sum(before != after for before, after in pairwise(dealt))
        assert changes == 3  # eight trials in four groups: two networks in each of two rounds
        assert dealt[3][1] == dealt[4][1]  # a round begins with the network that the one before ended with


def test_more_workers_than_networks_share_them(config: SweepConfig) -> None:
    dealt = deal(config, workers=8)
    assert sorted(len(trials) for trials in dealt) == [2] * 8
    assert {seed for trials in dealt for seed, _ in trials[:1]} == {0}


def test_what_is_finished_is_not_handed_out_again(config: SweepConfig) -> None:
    from optimize.finished import Finished
    from optimize.trial import TrialOutcome, TrialTask

    proposals = GridProposals(config)
    first = proposals.next(None)
    assert first is not None
    values = dict(first.values or {})
    task = TrialTask(
        trial=0, values=values, configuration="", seed=1, config=config.concrete(values), metric="val_accuracy",
        precision="float32", data_checksum="",
    )  # fmt: skip
    proposals.drop(Finished.of(task, TrialOutcome(0, "complete")))
    rest = [proposals.next(None) for _ in range(proposals.remaining())]
    assert len(rest) == 14
    assert not [proposal for proposal in rest if proposal and (proposal.values, proposal.seed) == (values, 1)]


def test_finalists_are_chosen_by_the_mean_of_their_trials_and_not_by_the_luckiest() -> None:
    def finished(pooling: str, seed: int, accuracy: float, loss: float) -> Finished:
        epoch = Epoch(1, 0.1, 0.9, loss, accuracy, 0.1, 1e-3, 1.0)
        outcome = TrialOutcome(seed, "complete", history=(epoch,), best_epoch=1)
        return Finished({"model.pooling": pooling}, pooling, seed, "search", outcome)

    trials = [
        finished("lucky", 0, 0.99, 0.30),
        finished("lucky", 1, 0.90, 0.20),
        finished("steady", 0, 0.96, 0.10),
        finished("steady", 1, 0.95, 0.10),
        finished("poor", 0, 0.80, 0.90),
    ]
    names = [values["model.pooling"] for values in best_configurations(trials, "val_accuracy", 2)]
    assert names == ["steady", "lucky"]
    assert best_configurations(trials, "val_loss", 1) == [{"model.pooling": "steady"}]


def confirmation_over_folds(tmp_path: Path) -> ConfirmProposals:
    """Two finalists, the first with the higher rate, on three folds of each of two seeds."""
    study = "study: {folds: 3, pruner: median, confirm: {top: 2, seeds: 2}}"
    (tmp_path / "folds.yaml").write_text(GRID.replace("study: {seeds: 2}", study))
    config = load_config(tmp_path / "folds.yaml")
    search = (searched(cell, fold) for cell in config.space.cells() for fold in range(3))
    return ConfirmProposals(config, search)


def searched(cell: dict[str, Any], fold: int) -> Finished:
    accuracy = 0.9 + 0.01 * (cell["model.pooling"] == "max") + cell["train.learning_rate"]
    epoch = Epoch(1, 0.1, 0.9, 0.1, accuracy - 0.05 * (cell["model.kernel_size"] == 5), 0.1, 1e-3, 1.0)
    outcome = TrialOutcome(0, "complete", history=(epoch,), best_epoch=1)
    return Finished(cell, "", 0, "search", outcome, fold)


def rest(proposals: ConfirmProposals) -> list[Proposal]:
    proposed = [proposals.next(None) for _ in range(proposals.remaining())]
    return [proposal for proposal in proposed if proposal is not None]


def test_each_finalist_is_confirmed_on_every_fold_of_each_fresh_seed(tmp_path: Path) -> None:
    confirmation = confirmation_over_folds(tmp_path)
    assert confirmation.remaining() == 12
    proposed = [(p.seed, p.fold, dict(p.values or {})["train.learning_rate"]) for p in rest(confirmation)]
    assert proposed == [(seed, fold, rate) for seed in (1, 2) for fold in (0, 1, 2) for rate in (3e-3, 1e-3)]


def test_a_confirmation_is_struck_out_on_its_seed_and_fold_alone(tmp_path: Path) -> None:
    confirmation = confirmation_over_folds(tmp_path)
    first = confirmation.next(None)
    assert first is not None
    done = replace(searched(dict(first.values or {}), fold=2), seed=2)
    confirmation.drop(done)  # of the search
    assert confirmation.remaining() == 11
    confirmation.drop(replace(done, purpose="confirm"))
    left = [(p.seed, p.fold) for p in rest(confirmation) if p.values == first.values]
    assert left == [(1, 1), (1, 2), (2, 0), (2, 1)]
