from main.history import Epoch
from optimize.export import Candidates, winning_trial
from optimize.finished import Finished
from optimize.trial import TrialOutcome, pack, unpack


def finished(trial: int, choice: str, accuracy: float, state: str = "complete") -> Finished:
    history = (Epoch(1, 0.2, 0.8, 1 - accuracy, accuracy, 1 - accuracy, 1e-3, 1.0),)
    outcome = TrialOutcome(trial, state, history=history, best_epoch=1)  # type: ignore[arg-type]
    return Finished({"model.pooling": choice}, choice, trial, "search", outcome)


def test_the_winners_best_trial_is_exported_the_first_of_equals() -> None:
    trials = [
        finished(0, "max", 0.8),
        finished(3, "max", 0.9),
        finished(2, "max", 0.9),
        finished(4, "max", 1, "failed"),
    ]
    for metric in ("val_accuracy", "val_crossentropy"):
        winner = winning_trial(trials, metric)
        assert winner is not None
        assert winner.outcome.trial == 2


def test_without_a_complete_trial_there_is_no_winner() -> None:
    assert winning_trial([finished(0, "max", 0.9, "pruned")], "val_accuracy") is None


def test_weights_are_kept_of_the_best_trials() -> None:
    candidates = Candidates("val_accuracy")
    assert [candidates.add(finished(trial, "max", 0.8)) for trial in range(24)] == [[]] * 24
    assert candidates.add(finished(24, "max", 0.99, "failed")) == [24]
    assert candidates.add(finished(25, "max", 0.9)) == [23]  # of equals the later one
    assert candidates.add(finished(26, "max", 0.7)) == [26]


def test_weights_of_a_configurations_best_trial_are_kept_however_many_trials_are_better() -> None:
    """The winner by its mean is exported by its best trial."""
    candidates = Candidates("val_accuracy")
    candidates.add(finished(0, "blur", 0.1))
    candidates.add(finished(1, "blur", 0.2))
    dropped = [gone for n in range(2, 100) for gone in candidates.add(finished(n, "max", 0.5 + n / 1000))]
    assert dropped == [0, *range(2, 76)]  # and never 1


def test_of_very_many_configurations_the_best_are_kept() -> None:
    candidates = Candidates("val_accuracy")
    dropped = [trial for n in range(64 + 10) for trial in candidates.add(finished(n, str(n), n / 100))]
    assert dropped == list(range(10))


def test_weights_are_kept_of_the_best_mean_though_many_single_trials_are_better() -> None:
    """Of many configurations about as good the steadiest wins, which need not have a single trial among the best."""
    candidates = Candidates("val_accuracy")
    kept: set[int] = set()
    trials = [finished(0, "steady", 0.80), finished(1, "steady", 0.80)]
    for n in range(100):
        trials += [finished(2 + 2 * n, str(n), 0.81 + n / 1000), finished(3 + 2 * n, str(n), 0.5)]
    for trial in trials:
        kept = (kept | {trial.outcome.trial}) - set(candidates.add(trial))
    assert 0 in kept
    assert len(kept) <= 2 * Candidates.CONFIGURATIONS + Candidates.TRIALS


def test_what_is_wanted_is_what_is_then_kept() -> None:
    candidates = Candidates("val_accuracy")
    for n in range(200):
        trial = finished(n, str(n % 40), (n * 37 % 101) / 101)
        assert candidates.wants(trial) == (n not in candidates.add(trial))


def test_weights_survive_the_way_home() -> None:
    import numpy as np

    weights = [np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((), np.float32)]
    for before, after in zip(weights, unpack(pack(weights)), strict=True):
        np.testing.assert_array_equal(before, after)
        assert before.dtype == after.dtype


def test_damaged_weights_are_told_as_such_whatever_is_damaged() -> None:
    """Each byte in turn: of headers, of names, of the directory; what is read in spite of it is of no interest here."""
    import numpy as np

    whole = pack([np.arange(6, dtype=np.float32), np.zeros((2, 2), np.float32)])
    refused = 0
    for place in range(len(whole)):
        try:
            unpack(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        except ValueError:
            refused += 1
    assert refused > len(whole) // 4


def test_of_equal_trials_the_one_that_is_exported_is_the_one_whose_weights_are_kept() -> None:
    """Whichever of them ended first."""
    for order in ((0, 1), (1, 0)):
        candidates = Candidates("val_accuracy")
        trials = {number: finished(number, "max", 0.9) for number in order}
        dropped = {gone for number in order for gone in candidates.add(trials[number])}
        assert winning_trial(trials.values(), "val_accuracy").outcome.trial not in dropped
