from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import stubs
from main.history import Epoch
from optimize.config import SweepConfig
from optimize.finished import Finished
from optimize.race import RaceProposals
from optimize.sweep import run_sweep, search_proposals
from optimize.trial import TrialOutcome
from sweeps import POOLING, Witness

Load = Callable[[str], SweepConfig]
RACE = POOLING.replace("seeds: 2", "seeds: 8, race: true")


def run(race: RaceProposals, accuracy: Callable[[str, int], float]) -> list[tuple[str, int]]:
    """Train one trial after the other until nothing is proposed."""
    trained = []
    while (proposal := race.next()) is not None:
        choice = str((proposal.values or {})["model.pooling"])
        trained.append((choice, proposal.seed))
        race.ended(finished(proposal.values or {}, choice, proposal.seed, accuracy(choice, proposal.seed)))
    return trained


def finished(values: Mapping[str, object], choice: str, seed: int, accuracy: float) -> Finished:
    epoch = Epoch(1, 0.1, 0.9, 0.1, accuracy, 0.1, 1e-3, 1.0)
    outcome = TrialOutcome(0, "complete", history=(epoch,), best_epoch=1)
    return Finished(dict(values), choice, seed, "search", outcome)


def noise(choice: str, seed: int) -> float:
    return float(np.random.default_rng([seed, len(choice)]).normal(0, 0.001))


def test_choices_that_can_no_longer_win_get_no_more_seeds(sweep: Load) -> None:
    announced: list[str] = []
    race = RaceProposals(sweep(RACE), announced.append)
    level = {"max": 0.99, "average": 0.989, "blur": 0.9}
    trained = run(race, lambda choice, seed: level[choice] + noise(choice, seed))
    assert [seed for choice, seed in trained if choice == "max"] == list(range(8))
    assert len([seed for choice, seed in trained if choice == "blur"]) == 3
    assert any(note.startswith("blur is out of the race after 3 seeds:") for note in announced)
    (blur,) = (elimination for elimination in race.eliminations if elimination.choice == "blur")
    assert (blur.after, blur.spared) == ("3 seeds", 5)


@pytest.mark.parametrize(("images", "dropped"), [(1, False), (20, True)])
def test_a_choice_drops_out_for_more_images_than_rounding_explains(sweep: Load, images: int, dropped: bool) -> None:
    correct = {"max": (230, 231, 229), "average": tuple(number - images for number in (230, 231, 229))}
    race = search_proposals(sweep(RACE.replace("[max, average, blur]", "[max, average]")), images=237)
    for _ in range(6):
        proposal = race.next()
        assert proposal is not None
        choice = str((proposal.values or {})["model.pooling"])
        race.ended(finished(proposal.values or {}, choice, proposal.seed, correct[choice][proposal.seed] / 237))
    assert race.remaining() == (5 if dropped else 10)


def test_a_race_over_folds_takes_each_fold_for_a_round(sweep: Load) -> None:
    announced: list[str] = []
    race = RaceProposals(sweep(POOLING.replace("seeds: 2", "folds: 8, race: true")), announced.append)
    level = {"max": 0.99, "average": 0.989, "blur": 0.9}
    folds: dict[str, list[int | None]] = {}
    while (proposal := race.next()) is not None:
        choice = str((proposal.values or {})["model.pooling"])
        folds.setdefault(choice, []).append(proposal.fold)
        accuracy = level[choice] + noise(choice, proposal.fold or 0)
        race.ended(replace(finished(proposal.values or {}, choice, 0, accuracy), fold=proposal.fold))
    assert folds["max"] == list(range(8))
    assert len(folds["blur"]) < 8
    assert " folds: " in announced[0]


def test_choices_that_do_not_differ_all_keep_their_seeds(sweep: Load) -> None:
    race = RaceProposals(sweep(RACE), lambda _: None)
    trained = run(race, lambda choice, seed: 0.9 + noise(choice, seed))
    assert len(trained) == 3 * 8


def test_a_look_waits_for_the_round_before_it(sweep: Load) -> None:
    race = RaceProposals(sweep(RACE), lambda _: None)
    handed_out = [race.next() for _ in range(3 * 3)]
    assert all(handed_out)
    assert race.next() is None
    assert race.remaining() == 3 * 5


def test_a_race_that_goes_on_remembers_what_was_finished(sweep: Load) -> None:
    config = sweep(RACE)
    before = RaceProposals(config, lambda _: None)
    level = {"max": 0.99, "average": 0.989, "blur": 0.9}
    resumed = RaceProposals(config, lambda _: None)
    for _ in range(9):
        proposal = before.next()
        assert proposal is not None
        choice = str((proposal.values or {})["model.pooling"])
        accuracy = level[choice] + noise(choice, proposal.seed)
        resumed.drop(finished(proposal.values or {}, choice, proposal.seed, accuracy))
    trained = run(resumed, lambda choice, seed: level[choice] + noise(choice, seed))
    assert "blur" not in {choice for choice, _ in trained}


def test_a_failed_choice_is_not_dropped_for_it(sweep: Load) -> None:
    race = RaceProposals(sweep(RACE), lambda _: None)
    trained = []
    while (proposal := race.next()) is not None:
        choice = str((proposal.values or {})["model.pooling"])
        trained.append(choice)
        ended = finished(proposal.values or {}, choice, proposal.seed, 0.9 + noise(choice, proposal.seed))
        if choice == "blur":
            ended = replace(ended, outcome=TrialOutcome(0, "failed", "no luck"))
        race.ended(ended)
    assert trained.count("blur") == 8


@pytest.mark.parametrize("choices", [3, 6])
def test_the_best_is_rarely_dropped_where_nothing_differs(sweep: Load, choices: int) -> None:
    """Of 200 races between equals, at most about 5 % drop anybody (10 of 200; 19 is its 99.9 % bound)."""
    values = ", ".join(map(str, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5][:choices]))
    config = sweep(RACE.replace("pooling: {choices: [max, average, blur]}", f"dropout: {{choices: [{values}]}}"))
    dropped = 0
    for number in range(200):
        generator = np.random.default_rng(number)
        race = RaceProposals(config, lambda _: None)
        count = 0
        while (proposal := race.next()) is not None:
            count += 1
            label = str((proposal.values or {})["model.dropout"])
            race.ended(finished(proposal.values or {}, label, proposal.seed, 0.9 + generator.normal(0, 0.01)))
        dropped += count < choices * 8
    assert dropped <= 19


def test_the_verdict_says_who_left_the_race_also_where_the_sweep_has_gone_on(
    sweep: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for what in ("conclusion.export_winner", "charts.draw", "report.write"):
        monkeypatch.setattr(f"optimize.{what}", lambda *_, **__: None)
    for trained in (True, False):
        result = run_sweep(sweep(RACE), results_dir=tmp_path, observer=Witness(), workers=0, run=stubs.learn)
        assert (result.trained > 0) == trained
        counts = result.results.trials()["configuration"].value_counts()
        left = [choice for choice, count in counts.items() if count < 8]
        assert left
        assert result.verdict is not None
        (said,) = (warning for warning in result.verdict.warnings if warning.startswith("Out of the race"))
        assert all(f"{choice} after {counts[choice]} seeds" in said for choice in left)
        assert f"That spared {3 * 8 - counts.sum()} trainings." in said


def test_a_race_that_was_run_has_nothing_left_to_train(sweep: Load) -> None:
    config, ended = sweep(RACE), []
    race = RaceProposals(config, lambda _: None)
    while (proposal := race.next()) is not None:
        choice = str((proposal.values or {})["model.pooling"])
        accuracy = (0.9 if choice == "blur" else 0.99) + noise(choice, proposal.seed)
        ended.append(finished(proposal.values or {}, choice, proposal.seed, accuracy))
        race.ended(ended[-1])
    assert len(ended) < 3 * 8
    again = RaceProposals(config, lambda _: None)
    for trial in ended:
        again.drop(trial)
    assert again.remaining() == 0
    assert again.eliminations == race.eliminations
    assert sum(elimination.spared for elimination in again.eliminations) == 3 * 8 - len(ended)
