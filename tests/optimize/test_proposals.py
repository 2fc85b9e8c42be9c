"""In what order a grid's cells are handed out, and which of them are confirmed."""

from dataclasses import replace
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import pytest

from main.history import Epoch
from main.tracing import graph_key
from optimize.config import SweepConfig, load_config
from optimize.engine import Slot
from optimize.finished import Finished
from optimize.proposals import ConfirmProposals, GridProposals, Proposal, Proposals, best_configurations
from optimize.traced import Traced
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


def deal(config: SweepConfig, workers: int, proposals: Proposals | None = None) -> list[list[tuple[int, str]]]:
    """(seed, network) of each trial of each worker, where they take turns."""
    proposals = proposals or GridProposals(config)
    dealt: list[list[tuple[int, str]]] = [[] for _ in range(workers)]
    slots, traced = [Slot(number, f"worker {number}") for number in range(workers)], Traced()
    for slot in cycle(slots):
        proposal = proposals.next(traced.held(slot), traced.elsewhere(slot))
        if proposal is None:
            break
        training = config.concrete(proposal.values or {})
        traced.given(slot, training)
        dealt[slot.number].append((proposal.seed, graph_key(training)))
    assert proposals.remaining() == 0
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


def grid_of(tmp_path: Path, swept: str) -> SweepConfig:
    """The grid with something else of `train` swept in place of the learning rate."""
    (tmp_path / "grid.yaml").write_text(GRID.replace("learning_rate: {choices: [1e-3, 3e-3]}", swept))
    return load_config(tmp_path / "grid.yaml")


@pytest.mark.parametrize(
    "swept",
    [
        "optimizer: {name: adam, learning_rate: {choices: [1e-3, 3e-3]}}",
        "optimizer: {choices: [{name: sgd, learning_rate: 0.1}, {name: sgd, learning_rate: 0.3}]}",
        "schedule: {name: cosine, warmup: {choices: [0, 1]}}",
        "schedule: {name: cosine, final: {choices: [0.0, 0.1]}}",
        "schedule: {name: exponential, decay: {choices: [0.8, 0.9]}}",
        "schedule: {choices: [constant, plateau]}",
        "epochs: {choices: [3, 6]}",
        "augment: {elastic: {choices: [0, 1]}}",
        "early_stopping: {patience: {choices: [2, 3]}}",
        "label_smoothing: {choices: [0.0, 0.1]}",
    ],
)
def test_what_needs_no_other_trace_makes_no_other_network(tmp_path: Path, swept: str) -> None:
    first, second = deal(grid_of(tmp_path, swept), workers=2)
    assert len(first) == len(second) == 8
    assert len({network for _, network in (*first, *second)}) == 4
    for seed in (0, 1):
        assert not {network for s, network in first if s == seed} & {network for s, network in second if s == seed}


@pytest.mark.parametrize(
    "swept",
    [
        "optimizer: {name: adam, beta_1: {choices: [0.8, 0.9]}}",
        "schedule: {choices: [constant, cosine]}",
        "batch_size: {choices: [64, 128]}",
        "ema: {choices: [0.9, 0.99]}",
    ],
)
def test_what_is_a_constant_of_the_graph_makes_another_network(tmp_path: Path, swept: str) -> None:
    (dealt,) = deal(grid_of(tmp_path, swept), workers=1)
    assert len({network for _, network in dealt}) == 8


def test_more_workers_than_networks_share_them(config: SweepConfig) -> None:
    dealt = deal(config, workers=8)
    assert sorted(len(trials) for trials in dealt) == [2] * 8
    assert {seed for trials in dealt for seed, _ in trials[:1]} == {0}


def test_what_is_finished_is_not_handed_out_again(config: SweepConfig) -> None:
    from optimize.finished import Finished
    from optimize.trial import TrialOutcome, TrialTask

    proposals = GridProposals(config)
    first = proposals.next()
    assert first is not None
    values = dict(first.values or {})
    task = TrialTask(
        trial=0, values=values, configuration="", seed=1, config=config.concrete(values), metric="val_accuracy",
        precision="float32", data_checksum="",
    )  # fmt: skip
    proposals.drop(Finished.of(task, TrialOutcome(0, "complete")))
    rest = [proposals.next() for _ in range(proposals.remaining())]
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
    accuracy = 0.9 + 0.01 * (cell["model.pooling"] == "max") + cell.get("train.learning_rate", 0.0)
    epoch = Epoch(1, 0.1, 0.9, 0.1, accuracy - 0.05 * (cell["model.kernel_size"] == 5), 0.1, 1e-3, 1.0)
    outcome = TrialOutcome(0, "complete", history=(epoch,), best_epoch=1)
    return Finished(cell, "", 0, "search", outcome, fold)


def rest(proposals: ConfirmProposals) -> list[Proposal]:
    proposed = [proposals.next() for _ in range(proposals.remaining())]
    return [proposal for proposal in proposed if proposal is not None]


def test_each_finalist_is_confirmed_on_every_fold_of_each_fresh_seed(tmp_path: Path) -> None:
    confirmation = confirmation_over_folds(tmp_path)
    assert confirmation.remaining() == 12
    proposed = [(p.seed, p.fold, dict(p.values or {})["train.learning_rate"]) for p in rest(confirmation)]
    assert proposed == [(seed, fold, rate) for seed in (1, 2) for fold in (0, 1, 2) for rate in (3e-3, 1e-3)]


def test_a_confirmation_is_struck_out_on_its_seed_and_fold_alone(tmp_path: Path) -> None:
    confirmation = confirmation_over_folds(tmp_path)
    first = confirmation.next()
    assert first is not None
    done = replace(searched(dict(first.values or {}), fold=2), seed=2)
    confirmation.drop(done)  # of the search
    assert confirmation.remaining() == 11
    confirmation.drop(replace(done, purpose="confirm"))
    left = [(p.seed, p.fold) for p in rest(confirmation) if p.values == first.values]
    assert left == [(1, 1), (1, 2), (2, 0), (2, 1)]


def test_a_worker_confirms_first_what_it_has_traced(tmp_path: Path) -> None:
    """Six networks in the same order on every seed would each have left the four that it keeps."""
    text = GRID.replace("kernel_size: {choices: [3, 5]}", "kernel_size: {choices: [3, 5, 7]}")
    study = "study: {seeds: 2, pruner: median, confirm: {top: 6, seeds: 3}}"
    (tmp_path / "many.yaml").write_text(
        text.replace("study: {seeds: 2}", study).replace("{choices: [1e-3, 3e-3]}", "1e-3")
    )
    config = load_config(tmp_path / "many.yaml")
    finalists = (searched(cell, fold=0) for cell in config.space.cells())
    (dealt,) = deal(config, 1, ConfirmProposals(config, finalists))
    rounds = [[network for _, network in dealt[start : start + 6]] for start in (0, 6, 12)]
    assert [len(set(networks)) for networks in rounds] == [6, 6, 6]
    for before, after in pairwise(rounds):
        assert set(after[:4]) == set(before[-4:])
