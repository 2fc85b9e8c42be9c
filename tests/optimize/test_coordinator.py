import math
import os
import signal
from collections.abc import Callable
from dataclasses import replace

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

import stubs
from main.history import Epoch
from optimize import postgresql
from optimize.asktell import start_trial
from optimize.coordinator import CheckpointLost, Coordinator
from optimize.engine import EpochEnded, Event, Slot, ThreadEngine, TrialBegan, TrialEnded, TrialRunner, WorkerLost
from optimize.export import Candidates
from optimize.proposals import ConfirmProposals, Rounds
from optimize.running import Running
from optimize.signals import StopNow
from optimize.space import Range, Value
from optimize.study import StudyChanged
from optimize.sweep import search_proposals
from optimize.trial import TrialOutcome, TrialTask
from sweeps import LEARNING_RATE, POOLING, Bench

Open = Callable[[str], Bench]


def rates_with(setting: str) -> str:
    return LEARNING_RATE.replace("confirm: null", f"confirm: null, {setting}")


def cells(bench: Bench) -> list[tuple[str, int]]:
    return [(task.configuration, task.seed) for task in bench.witness.submitted]


def test_a_grid_trains_every_cell_once_per_seed_seeds_outer(bench: Open) -> None:
    first = bench(POOLING)
    assert first.run(stubs.learn) == "done"
    trained = cells(first)
    assert trained[:3] == [("max", 0), ("average", 0), ("blur", 0)]
    assert sorted(trained[3:]) == [("average", 1), ("blur", 1), ("max", 1)]


FOLDS = POOLING.replace("seeds: 2", "seeds: 2, folds: 3")


def test_a_grid_trains_every_cell_on_every_fold_of_every_seed(bench: Open) -> None:
    first = bench(FOLDS)
    first.run(stubs.learn)
    blocks = [(task.seed, task.fold) for task in first.witness.submitted]
    assert blocks == [(seed, fold) for seed in (0, 1) for fold in (0, 1, 2) for _ in range(3)]
    assert {task.folds for task in first.witness.submitted} == {3}
    assert first.results.trials()["fold"].tolist() == [fold for _, fold in blocks]
    assert [trial.user_attrs["fold"] for trial in first.study.trials] == [fold for _, fold in blocks]
    again = bench(FOLDS)
    again.run(stubs.learn)
    assert again.witness.submitted == []


def test_a_trial_that_was_interrupted_goes_on_on_its_fold(bench: Open) -> None:
    first = bench(FOLDS)
    values = {"model.pooling": "max"}
    start_trial(first.study, first.config, values, seed=0, purpose="search", fold=2)
    again = bench(FOLDS)
    again.run(stubs.learn)
    assert (again.witness.submitted[0].trial, again.witness.submitted[0].fold) == (0, 2)
    assert len(again.witness.submitted) == 3 * 2 * 3


def test_a_worker_goes_on_with_the_network_it_has_traced(bench: Open) -> None:
    """Within a round of one seed, cells that share a graph follow one another."""
    text = POOLING.replace("train: {epochs: 3}", "train: {epochs: 3, learning_rate: {choices: [1e-3, 1e-2]}}")
    rates = bench(text)
    rates.run(stubs.learn)
    networks = [task.values["model.pooling"] for task in rates.witness.submitted[:6]]
    assert networks == ["max", "max", "average", "average", "blur", "blur"]


def test_study_tables_and_folders_agree(bench: Open) -> None:
    done = bench(POOLING)
    done.run(stubs.learn)
    table, curves = done.results.trials(), done.results.curves()
    trials = done.study.get_trials()
    assert list(table["trial"]) == [trial.number for trial in trials] == list(range(6))
    assert list(table["val_accuracy"]) == pytest.approx([trial.value for trial in trials])
    assert list(curves.groupby("trial").size()) == [3] * 6
    assert [trial.intermediate_values[3] for trial in trials] == pytest.approx(list(table["val_accuracy"]))
    for trial in trials:
        stored = done.results.finished(trial.number)
        assert stored is not None
        assert stored.values == trial.params


def test_a_second_run_trains_nothing(bench: Open) -> None:
    bench(POOLING).run(stubs.learn)
    again = bench(POOLING)
    assert again.run(stubs.fails) == "done"
    assert again.witness.submitted == []


def test_more_seeds_train_only_what_is_new(bench: Open) -> None:
    bench(POOLING).run(stubs.learn)
    more = bench(POOLING.replace("seeds: 2", "seeds: 3"))
    more.run(stubs.learn)
    assert {seed for _, seed in cells(more)} == {2}
    assert len(more.results.trials()) == 9


def test_a_samplers_trials_are_a_total_that_resuming_counts_toward(bench: Open) -> None:
    bench(LEARNING_RATE).run(stubs.learn)
    more = bench(LEARNING_RATE.replace("trials: 6", "trials: 8"))
    more.run(stubs.learn)
    assert len(more.witness.submitted) == 2
    assert len(more.study.get_trials()) == 8


@pytest.mark.parametrize("sampler", ["random", "tpe", "cmaes", "qmc", "nsga2"])
def test_a_sampler_draws_the_same_whether_the_sweep_was_interrupted_or_not(
    bench: Open, tmp_path_factory: pytest.TempPathFactory, sampler: str
) -> None:
    text = LEARNING_RATE.replace("sampler: random, trials: 6", f"sampler: {sampler}, trials: 14")
    if sampler == "cmaes":
        text = text.replace("network: cnn", "network: cnn, dropout: {low: 0.0, high: 0.5}")
    in_two = bench(text.replace("trials: 14", "trials: 5"))
    in_two.run(stubs.learn)
    resumed = bench(text)
    resumed.run(stubs.learn)
    whole = Bench(resumed.config, type(resumed.results)(tmp_path_factory.mktemp("whole")))
    whole.run(stubs.learn)
    assert [t.params for t in whole.study.get_trials()] == [t.params for t in resumed.study.get_trials()]
    assert len({str(t.params) for t in whole.study.get_trials()}) > 10


def test_a_range_with_a_step_counts_what_was_drawn_of_it(bench: Open) -> None:
    """Optuna draws 0.30000000000000004 where the value is 0.3."""
    text = LEARNING_RATE.replace("network: cnn", "network: cnn, dropout: {low: 0.1, high: 0.5, step: 0.1}")
    text = text.replace("{low: 1e-4, high: 1e-1, log: true}", "1e-3").replace("trials: 6", "trials: 20")
    first = bench(text)
    first.run(stubs.learn)
    assert 0.3 in set(first.results.trials()["model.dropout"])
    again = bench(text)
    again.run(stubs.learn)
    assert again.witness.submitted == []
    assert len(again.results.trials()) == 20


def test_the_points_to_start_with_are_tried_first(bench: Open) -> None:
    text = rates_with("start: [{train.learning_rate: 0.05}, {train.learning_rate: 0.02}]")
    started = bench(text)
    started.run(stubs.learn)
    assert [task.values["train.learning_rate"] for task in started.witness.submitted[:2]] == [0.05, 0.02]


def test_a_baseline_that_nothing_confirms_is_tried_first_and_once(bench: Open) -> None:
    text = rates_with("baseline: {train.learning_rate: 0.003}, start: [{train.learning_rate: 0.05}]")
    first = bench(text.replace("trials: 6", "trials: 1"))
    first.run(stubs.learn)
    again = bench(text)
    again.run(stubs.learn)
    rates = [task.values["train.learning_rate"] for task in (*first.witness.submitted, *again.witness.submitted)]
    assert rates[:2] == [0.003, 0.05]
    assert len(set(rates)) == len(rates) == 6


def test_a_baseline_that_is_written_later_is_still_tried(bench: Open) -> None:
    bench(LEARNING_RATE.replace("trials: 6", "trials: 4")).run(stubs.learn)
    again = bench(rates_with("baseline: {train.learning_rate: 0.003}"))
    again.run(stubs.learn)
    assert [task.trial for task in again.witness.submitted if task.values["train.learning_rate"] == 0.003] == [4]


def test_a_point_that_leaves_values_open_is_not_tried_again(bench: Open) -> None:
    """What `when` switched off in its trial, or the sampler drew there, makes the trial no other point."""
    text = rates_with("start: [{model.activation: relu}, {train.learning_rate: 0.05}]")
    text = text.replace(
        "network: cnn",
        "network: cnn, activation: {choices: [relu, leaky_relu]}, "
        "leaky_relu_slope: {low: 0.1, high: 0.3, when: {model.activation: leaky_relu}}",
    )
    first = bench(text.replace("trials: 6", "trials: 1"))
    first.run(stubs.learn)
    again = bench(text)
    again.run(stubs.learn)
    assert first.witness.submitted[0].values["model.activation"] == "relu"
    rates = [task.values["train.learning_rate"] for task in again.witness.submitted]
    assert (rates[0], len(rates)) == (0.05, 5)


def test_confirmation_trains_finalists_and_baseline_on_fresh_seeds(bench: Open) -> None:
    text = LEARNING_RATE.replace(
        "confirm: null", "confirm: {top: 2, seeds: [7, 8]}, baseline: {train.learning_rate: 0.003}"
    )
    searched = bench(text)
    searched.run(stubs.learn)
    confirmation = ConfirmProposals(searched.config, searched.coordinator.finished.values())
    searched.coordinator.run(confirmation, lambda: _thread_engine(stubs.learn))
    table = searched.results.trials()
    assert "0.003" not in set(table.loc[table["purpose"] == "search", "configuration"])
    confirmed = table[table["purpose"] == "confirm"]
    best_two = table[table["purpose"] == "search"].sort_values("val_accuracy").tail(2)["configuration"]
    assert set(confirmed["configuration"]) == {*best_two, "0.003"}
    assert sorted(confirmed["seed"]) == [7, 7, 7, 8, 8, 8]


def _thread_engine(stub: TrialRunner) -> object:
    from optimize.engine import ThreadEngine

    return ThreadEngine(stub)


def test_a_pruned_trial_is_cut_short_where_the_pruner_said_so(bench: Open) -> None:
    def slow_to_hear(task: TrialTask, report: stubs.Report, stop: stubs.StopRequested) -> TrialOutcome:
        return stubs.learn(task, report, lambda: False)  # trains on to its last epoch all the same

    text = rates_with("pruner: {name: threshold, lower: 0.3}").replace("epochs: 3", "epochs: 10")
    pruned = bench(text)
    pruned.run(slow_to_hear)
    table, curves = pruned.results.trials(), pruned.results.curves()
    assert set(table["state"]) == {"pruned"}
    assert set(curves["state"]) == {"pruned"}
    assert curves.groupby("trial")["epoch"].max().lt(10).all()
    assert list(table["reason"]) == [f"pruned after epoch {n}" for n in curves.groupby("trial")["epoch"].max()]
    assert {trial.state for trial in pruned.study.get_trials()} == {TrialState.PRUNED}
    best_so_far = curves.groupby("trial")["val_accuracy"].max()
    assert list(table.set_index("trial")["val_accuracy"]) == list(best_so_far)


def test_what_a_pruned_trial_comes_to_before_it_hears_of_it_is_no_failure(bench: Open) -> None:
    def diverges(task: TrialTask, report: stubs.Report, stop: stubs.StopRequested) -> TrialOutcome:
        learned = stubs.learn(task, report, lambda: False)
        last = replace(learned.history[-1], loss=math.nan)
        return replace(learned, state="failed", reason="diverged", history=(*learned.history[:-1], last), weights=None)

    pruned = bench(rates_with("pruner: {name: threshold, lower: 1.0}"))
    pruned.run(diverges)
    assert set(pruned.results.trials()["reason"]) == {"pruned after epoch 1"}


@pytest.mark.parametrize("pruner", ["{name: median, n_startup_trials: 1}", "{name: asha, min_resource: 2}"])
@pytest.mark.parametrize("moment", ["before it was judged", "once it was judged"])
def test_a_trial_that_was_killed_as_it_was_pruned_is_pruned_after_the_same_epoch(
    bench: Open,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    pruner: str,
    moment: str,
) -> None:
    """It tells of all its epochs again, whether it goes on from a checkpoint or began anew."""
    text = rates_with(f"pruner: {pruner}").replace("epochs: 3", "epochs: 8").replace("trials: 6", "trials: 12")
    killed = bench(text)
    whole = Bench(killed.config, type(killed.results)(tmp_path_factory.mktemp("whole")))
    whole.run(stubs.fades)
    table = whole.results.trials()
    trial, epoch = table[table["state"] == "pruned"][["trial", "epochs"]].iloc[-1]

    class Killed(BaseException):
        pass

    def die(*asked: object) -> None:
        if (trial, epoch) in killed.witness.epochs:
            raise Killed

    owner, method = (Coordinator, "_is_pruned") if moment == "before it was judged" else (ThreadEngine, "request_stop")
    as_it_is = getattr(owner, method)
    with monkeypatch.context() as patch:
        patch.setattr(owner, method, lambda *asked: die() or as_it_is(*asked))
        with pytest.raises(Killed):
            killed.run(stubs.fades)
    resumed = bench(text)
    assert trial not in resumed.coordinator.finished
    resumed.run(stubs.fades)
    columns = ["trial", "state", "epochs", "val_accuracy"]
    assert resumed.results.trials()[columns].equals(table[columns])
    assert [t.value for t in resumed.study.get_trials()] == [t.value for t in whole.study.get_trials()]


def test_a_trial_that_is_interrupted_before_the_epoch_that_pruned_it_once_is_not_pruned_yet(
    bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It began anew, and came to its first epoch only."""

    def interrupted(task: TrialTask, report: stubs.Report, stop: stubs.StopRequested) -> TrialOutcome:
        learned = stubs.learn(task, lambda epoch: None, stop)
        return replace(learned, state="interrupted", reason="the disk is full", history=learned.history[:1])

    monkeypatch.setattr("optimize.coordinator.pruned_after", lambda live: 2)
    begun = bench(rates_with("pruner: median"))
    with pytest.raises(CheckpointLost, match="the disk is full"):
        begun.run(interrupted)
    assert begun.study.get_trials()[0].state == TrialState.RUNNING


def test_a_failed_trial_keeps_its_traceback_and_the_others_go_on(bench: Open) -> None:
    mixed = bench(POOLING)
    assert mixed.run(stubs.max_fails) == "done"
    table = mixed.results.trials().set_index("configuration")
    assert set(table.loc["max", "state"]) == {"failed"}
    assert set(table.loc["max", "reason"]) == {"ValueError: no luck"}
    assert set(table.loc["blur", "state"]) == {"complete"}
    assert (mixed.results.trial_folder(0) / "traceback.txt").read_text() == "Traceback …"
    assert mixed.study.best_trial.params["model.pooling"] != "max"


def test_failed_trials_are_trained_again_only_when_asked(bench: Open) -> None:
    bench(POOLING).run(stubs.max_fails)
    assert not bench(POOLING).witness.submitted
    plain, asked = bench(POOLING), bench(POOLING)
    plain.run(stubs.learn)
    assert plain.witness.submitted == []
    asked.run(stubs.learn, retry_failed=True)
    assert cells(asked) == [("max", 0), ("max", 1)]


def test_a_sweep_whose_first_five_trials_fail_is_given_up(bench: Open) -> None:
    hopeless = bench(POOLING)
    assert hopeless.run(stubs.fails) == "hopeless"
    assert len(hopeless.witness.ends) == 5
    assert "the first 5 trials all failed: ValueError: no luck" in hopeless.witness.notes


def test_a_non_finite_metric_is_a_failure_and_never_best(bench: Open) -> None:
    def diverges(task: TrialTask, report: stubs.Report, stop: stubs.StopRequested) -> TrialOutcome:
        outcome = stubs.learn(task, report, stop)
        if task.configuration != "max":
            return outcome
        history = tuple(replace(epoch, val_accuracy=math.nan) for epoch in outcome.history)
        return replace(outcome, history=history, best_epoch=None)

    sweep = bench(POOLING)
    sweep.run(diverges)
    assert set(sweep.results.trials().set_index("configuration").loc["max", "state"]) == {"failed"}
    assert sweep.study.best_trial.params["model.pooling"] != "max"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("stop: {target: 0.5}", "reached the target of 0.5"),
        ("stop: {no_improvement: 2}", "2 trials in a row brought no improvement"),
        ("stop: {time: 0.05}", "the time of 0.05 s is spent"),
    ],
)
def test_a_stop_rule_ends_the_sweep_and_says_so(bench: Open, rule: str, words: str) -> None:
    text = rates_with(rule).replace("trials: 6", "trials: 200")
    stopped = bench(text)
    assert stopped.run(stubs.learn) == "stopped"
    assert any(words in note for note in stopped.witness.notes)
    assert len(stopped.witness.ends) < 200


def test_an_outcome_that_the_study_never_heard_of_is_adopted(bench: Open) -> None:
    """As after a kill between the outcome's file and `tell`."""
    killed = bench(POOLING)

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    killed.coordinator._tell = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        killed.run(stubs.learn)
    assert killed.study.get_trials()[0].state == TrialState.RUNNING
    resumed = bench(POOLING)
    assert resumed.study.get_trials()[0].state == TrialState.COMPLETE
    resumed.run(stubs.learn)
    assert 0 not in {task.trial for task in resumed.witness.submitted}
    assert len(resumed.results.trials()) == 6


def test_an_interrupted_trial_runs_again_under_its_number_values_and_seed(bench: Open) -> None:
    stopped = bench(POOLING.replace("epochs: 3", "epochs: 40"))

    def interrupt(task: TrialTask, epoch: Epoch) -> None:
        if epoch.epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    stopped.witness.epoch = interrupt  # type: ignore[method-assign]
    assert stopped.run(stubs.slow) == "interrupted"
    assert [t.state for t in stopped.study.get_trials()] == [TrialState.RUNNING]
    resumed = bench(POOLING.replace("epochs: 3", "epochs: 40"))
    resumed.run(stubs.learn)
    assert resumed.witness.submitted[0].trial == 0
    assert sorted(cells(resumed)) == sorted((c, s) for s in (0, 1) for c in ("max", "average", "blur"))
    assert {t.state for t in resumed.study.get_trials()} == {TrialState.COMPLETE}


def test_where_not_all_weights_can_be_kept_those_of_each_configurations_best_trial_are(
    bench: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Candidates, "TRIALS", 1)
    kept = bench(POOLING)
    kept.run(stubs.learn)
    table = kept.results.trials()
    best = table.loc[table.groupby("configuration")["val_accuracy"].idxmax(), "trial"]
    assert {t for t in table["trial"] if kept.results.weights(t) is not None} == set(best)


def test_optuna_sees_a_study_like_any_other(bench: Open) -> None:
    bench(POOLING).run(stubs.learn)
    study = optuna.load_study(study_name="pooling", storage=f"sqlite:///{bench(POOLING).results.study_file}")
    assert study.metric_names == ["val_accuracy"]
    assert study.best_value == max(t.value for t in study.trials if t.value is not None)


def test_every_choice_of_the_factor_gets_the_same_budget(bench: Open) -> None:
    text = LEARNING_RATE.replace("network: cnn", "network: cnn, pooling: {choices: [max, average, blur]}")
    text = text.replace("confirm: null", "confirm: null, compare: model.pooling")
    bench(text.replace("trials: 6", "trials: 5")).run(stubs.learn)
    whole = bench(text.replace("trials: 6", "trials: 12"))
    whole.run(stubs.learn)
    table = whole.results.trials()
    assert table["model.pooling"].value_counts().to_dict() == {"max": 4, "average": 4, "blur": 4}
    assert table["train.learning_rate"].nunique() == 12


def test_points_to_start_with_count_toward_the_budget_of_their_choice(bench: Open) -> None:
    text = LEARNING_RATE.replace("network: cnn", "network: cnn, pooling: {choices: [max, average]}")
    points = "[{model.pooling: average}, {model.pooling: average}, {train.learning_rate: 0.05}]"
    text = text.replace("confirm: null", f"confirm: null, compare: model.pooling, start: {points}")
    whole = bench(text)
    whole.run(stubs.learn)
    table = whole.results.trials()
    assert table["model.pooling"].tolist() == ["average", "average", "max", "max", "max", "average"]
    assert table["train.learning_rate"].tolist()[2] == 0.05


def test_a_stop_rule_ends_the_search_and_not_its_confirmation(bench: Open) -> None:
    text = LEARNING_RATE.replace("confirm: null", "confirm: {top: 2, seeds: [7, 8]}, stop: {no_improvement: 1}")
    sweep = bench(text.replace("trials: 6", "trials: 100"))
    assert sweep.run(stubs.learn) == "stopped"
    sweep.coordinator.begin_confirmation()
    confirmation = ConfirmProposals(sweep.config, sweep.coordinator.finished.values())
    assert sweep.coordinator.run(confirmation, lambda: ThreadEngine(stubs.learn)) == "done"
    assert (sweep.results.trials()["purpose"] == "confirm").sum() == 4
    again = bench(text.replace("trials: 6", "trials: 100"))
    assert again.coordinator.search_is_over()


def test_what_a_stop_rule_interrupted_is_not_gone_on_with_in_the_confirmation(bench: Open) -> None:
    text = LEARNING_RATE.replace("confirm: null", "confirm: {top: 1, seeds: [7]}, stop: {no_improvement: 1}")
    text = text.replace("trials: 6", "trials: 100")
    stopped = bench(text)
    stopped.run(stubs.learn)
    start_trial(stopped.study, stopped.config, {"train.learning_rate": 0.01}, seed=0, purpose="search")
    again = bench(text)
    assert again.coordinator.search_is_over()
    again.coordinator.begin_confirmation()
    confirmation = ConfirmProposals(again.config, again.coordinator.finished.values())
    assert again.run(stubs.learn, confirmation) == "done"
    assert {task.purpose for task in again.witness.submitted} == {"confirm"}


def test_confirmations_that_an_earlier_run_left_wait_for_the_confirmation(bench: Open) -> None:
    """Trained with the search, its stop rules would end them, and they would be proposed anew."""
    text = LEARNING_RATE.replace("confirm: null", "confirm: {top: 2, seeds: [7, 8]}, stop: {no_improvement: 6}")
    left = bench(text)
    left.run(stubs.learn)
    best = max(left.coordinator.finished.values(), key=lambda finished: finished.outcome.best().val_accuracy)
    start_trial(left.study, left.config, best.values, seed=7, purpose="confirm")
    again = bench(text)
    search = search_proposals(again.config)
    again.coordinator.expect(search)
    assert again.coordinator.remaining(search) == 0
    again.coordinator.begin_confirmation()
    confirmation = ConfirmProposals(again.config, again.coordinator.finished.values())
    assert again.run(stubs.learn, confirmation) == "done"
    confirmed = [(task.trial, task.configuration, task.seed) for task in again.witness.submitted]
    assert confirmed[0] == (6, best.configuration, 7)
    assert len({(configuration, seed) for _, configuration, seed in confirmed}) == len(confirmed) == 4


def test_another_seed_of_the_search_is_another_study(bench: Open) -> None:
    bench(LEARNING_RATE).run(stubs.learn)
    with pytest.raises(StudyChanged, match="seeds"):
        bench(rates_with("seeds: [1]"))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("dropout: {choices: [0, 0.5]}", "dropout: {choices: [0.0, 0.5]}"),
        ("kernel_size: {choices: [3, [5, 3]]}", "kernel_size: {choices: [3, [3, 5]]}"),
    ],
)
def test_choices_written_otherwise_are_other_choices(bench: Open, before: str, now: str) -> None:
    """Trials are told apart by how their values are written."""
    bench(POOLING.replace("pooling: {choices: [max, average, blur]}", before)).run(stubs.learn)
    with pytest.raises(StudyChanged, match="choices"):
        bench(POOLING.replace("pooling: {choices: [max, average, blur]}", now))


def test_the_keys_of_a_choice_may_change_places_only_in_another_study(bench: Open) -> None:
    optimizers = "train: {epochs: 3, optimizer: {choices: [adam, {name: sgd, momentum: 0.9}]}}"
    bench(POOLING.replace("train: {epochs: 3}", optimizers)).run(stubs.learn)
    turned = optimizers.replace("name: sgd, momentum: 0.9", "momentum: 0.9, name: sgd")
    with pytest.raises(StudyChanged, match="optimizer"):
        bench(POOLING.replace("train: {epochs: 3}", turned))


def test_a_grid_may_have_other_seeds(bench: Open) -> None:
    bench(POOLING).run(stubs.learn)
    more = bench(POOLING.replace("seeds: 2", "seeds: [0, 1, 5]"))
    more.run(stubs.learn)
    assert {seed for _, seed in cells(more)} == {5}


def test_confirmations_count_for_no_stop_rule(bench: Open) -> None:
    text = LEARNING_RATE.replace("confirm: null", "confirm: {top: 1, seeds: [7, 8, 9]}, stop: {no_improvement: 3}")
    done = bench(text.replace("trials: 6", "trials: 2"))
    done.run(lambda task, report, stop: stubs.complete(task, [_epoch(0.9 - task.trial / 100)]))
    done.coordinator.begin_confirmation()
    confirmation = ConfirmProposals(done.config, done.coordinator.finished.values())
    done.run(lambda task, report, stop: stubs.complete(task, [_epoch(0.5)]), confirmation)
    assert not bench(text).coordinator.search_is_over()


def test_stop_rules_hear_of_earlier_trials_in_the_order_in_which_they_ended(bench: Open) -> None:
    text = LEARNING_RATE.replace("confirm: null", "confirm: null, stop: {no_improvement: 3}").replace("6", "5")
    ends = {0: "05", 1: "01", 2: "02", 3: "03", 4: "04"}  # the best ended last

    def out_of_order(task: TrialTask, *_: object) -> TrialOutcome:
        outcome = stubs.complete(task, [_epoch(0.9 - 0.1 * (task.trial > 0) + 0.01 * task.trial)])
        return replace(outcome, ended=f"2026-01-01T00:00:{ends[task.trial]}+00:00")

    bench(text).run(out_of_order)
    assert not bench(text).coordinator.search_is_over()


def _epoch(accuracy: float) -> Epoch:
    return Epoch(1, 1 - accuracy, accuracy, 1 - accuracy, accuracy, 1 - accuracy, 1e-3, 0.05)


def test_confirmations_are_never_pruned(bench: Open) -> None:
    text = LEARNING_RATE.replace(
        "confirm: null", "confirm: {top: 1, seeds: [7]}, pruner: {name: threshold, lower: 1.0}"
    )
    sweep = bench(text)
    sweep.run(stubs.fades)
    sweep.coordinator.begin_confirmation()
    one = Rounds(sweep.config, [{"train.learning_rate": 0.01}], [(7, None)], "confirm")
    sweep.coordinator.run(one, lambda: ThreadEngine(stubs.fades))
    table = sweep.results.trials()
    assert set(table[table["purpose"] == "search"]["state"]) == {"pruned"}
    assert list(table[table["purpose"] == "confirm"]["state"]) == ["complete"]


def test_an_outcome_of_another_trial_is_not_adopted(bench: Open) -> None:
    """As of a study in another storage, in which the number was another's."""
    bench(POOLING).run(stubs.learn)
    stolen = bench(POOLING)
    (stolen.results.trial_folder(0) / "outcome.json").write_text(
        (stolen.results.trial_folder(1) / "outcome.json").read_text()
    )
    assert bench(POOLING).coordinator.finished.keys() == {1, 2, 3, 4, 5}


class Scripted(ThreadEngine):
    """Says what a test has it say of each task, and trains nothing."""

    def __init__(self, script: Callable[[TrialTask], list[Event]]) -> None:
        super().__init__(stubs.learn)
        self.script = script

    def submit(self, slot: Slot, task: TrialTask) -> None:
        for event in self.script(task):
            self._events.put(event)

    def kill(self, slot: Slot) -> None:
        self._events.put(WorkerLost(0, 1, "its worker process died"))


def outcome(task: TrialTask, accuracy: float) -> TrialOutcome:
    epoch = Epoch(1, 0.1, accuracy, 0.1, accuracy, 0.1, 1e-3, 0.1)
    return replace(stubs.complete(task, [epoch]), attempt=1)


def test_what_a_lost_attempt_says_late_is_not_taken_for_the_next(bench: Open) -> None:
    def script(task: TrialTask) -> list[Event]:
        ended = TrialEnded(task.trial, task.attempt, outcome(task, 0.1 * task.attempt))
        if task.trial != 0:
            return [ended]
        late = EpochEnded(0, 1, Epoch(1, 0.9, 0.9, 0.9, 0.9, 0.9, 1e-3, 0.1))
        if task.attempt == 1:
            return [WorkerLost(0, 1, "the scheduler went away", blamed=False)]
        return [late, TrialEnded(0, 1, outcome(task, 0.9)), WorkerLost(0, 1, "its worker went away"), ended]

    doubled = bench(POOLING)
    wanted = search_proposals(doubled.config)
    assert doubled.coordinator.run(wanted, lambda: Scripted(script)) == "done"
    table = doubled.results.trials().set_index("trial")
    assert (table.loc[0, "attempts"], table.loc[0, "val_accuracy"]) == (2, 0.2)
    assert len(table) == 6
    assert len([task for task in doubled.witness.submitted if task.trial == 0]) == 2
    assert (0, 1) not in doubled.witness.epochs


def test_a_trial_that_lost_its_worker_before_it_was_interrupted_still_counts_that_attempt(bench: Open) -> None:
    def script(task: TrialTask) -> list[Event]:
        if task.attempt == 1:
            return [WorkerLost(task.trial, 1, "its worker process died")]
        os.kill(os.getpid(), signal.SIGINT)
        return [TrialEnded(task.trial, task.attempt, TrialOutcome(task.trial, "interrupted"))]

    stopped = bench(POOLING)
    assert stopped.coordinator.run(search_proposals(stopped.config), lambda: Scripted(script)) == "interrupted"
    resumed = bench(POOLING)
    resumed.run(stubs.learn)
    assert list(resumed.results.trials()["attempts"]) == [2, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(("begins", "reason"), [(True, "ran longer than 0.5 s"), (False, "its worker did not begin")])
def test_time_runs_from_a_trials_beginning_and_a_worker_that_never_begins_is_given_up(
    bench: Open, monkeypatch: pytest.MonkeyPatch, begins: bool, reason: str
) -> None:
    monkeypatch.setattr("optimize.running.READY_SECONDS", 1.0)

    def script(task: TrialTask) -> list[Event]:
        began: list[Event] = [TrialBegan(task.trial, 1)] if begins or task.trial else []
        return began + ([TrialEnded(task.trial, 1, outcome(task, 0.5))] if task.trial else [])

    hanging = bench(POOLING + "run: {timeout: 0.5}\n")
    hanging.coordinator.run(search_proposals(hanging.config), lambda: Scripted(script))
    table = hanging.results.trials().set_index("trial")
    assert table.loc[0, "state"] == "failed"
    assert table.loc[0, "reason"].startswith(reason)
    assert set(table.drop(index=0)["state"]) == {"complete"}


class Crowded(Scripted):
    """One worker, which holds too much from the end of its first trial on, until a fresh one takes its place."""

    def __init__(self, *, also_when_fresh: bool) -> None:
        super().__init__(self._say)
        self.held, self._also_when_fresh = 0, also_when_fresh
        self._task: TrialTask | None = None

    def _say(self, task: TrialTask) -> list[Event]:
        self._task = task
        began: list[Event] = [TrialBegan(task.trial, task.attempt)]
        if task.trial == 1 and (self.held or self._also_when_fresh):
            self.held = 2**31
            return began
        self.held = 2**29
        return [*began, TrialEnded(task.trial, task.attempt, outcome(task, 0.5))]

    def memory(self, slot: Slot) -> int:
        return self.held

    def kill(self, slot: Slot) -> None:
        assert self._task is not None
        self.held = 0
        self._events.put(WorkerLost(self._task.trial, self._task.attempt, "its worker process died"))


@pytest.mark.parametrize(("also_when_fresh", "state"), [(False, "complete"), (True, "failed")])
def test_a_trial_is_not_to_blame_for_memory_that_its_worker_held_before(
    bench: Open, also_when_fresh: bool, state: str
) -> None:
    crowded = bench(POOLING + "run: {memory: 1GB, retries: 0}\n")
    crowded.coordinator.run(search_proposals(crowded.config), lambda: Crowded(also_when_fresh=also_when_fresh))
    table = crowded.results.trials().set_index("trial")
    assert (table.loc[1, "state"], table.loc[1, "attempts"]) == (state, 2)
    assert set(table.drop(index=1)["state"]) == {"complete"}
    assert "trial 1: its worker grew beyond 954 MiB; it runs again (attempt 2)" in crowded.witness.notes


def test_what_outgrew_a_worker_that_had_trained_before_is_given_to_a_fresh_one(bench: Open) -> None:
    """Unless nothing else runs: a fresh one may never come."""
    crowded = bench(POOLING)
    coordinator, used, fresh = crowded.coordinator, Slot(0, "used"), Slot(1, "fresh")
    wanted = search_proposals(crowded.config)
    task = coordinator._next_task(wanted, used)
    other = coordinator._next_task(wanted, used)
    assert task is not None
    assert other is not None
    coordinator._blame.trained(used)
    full = Running(task, used, spared=True)
    again, _ = coordinator._blame.after_loss(full, WorkerLost(task.trial, task.attempt, "too full"))
    assert again is not None
    coordinator._blame.trained(used)
    coordinator._running[other.trial] = Running(other, Slot(2, "third"))
    coordinator._again = [again]
    given = coordinator._next_task(wanted, used)
    assert given is not None
    assert given.trial not in (task.trial, other.trial)
    assert coordinator._next_task(wanted, fresh) is again
    coordinator._again, coordinator._running = [again], {}
    assert coordinator._next_task(wanted, used) is again


def test_a_signal_while_the_database_is_away_ends_the_sweep_and_loses_nothing(
    bench: Open, monkeypatch: pytest.MonkeyPatch, heard_elsewhere: None
) -> None:
    monkeypatch.setattr("optimize.coordinator.AWAY_SECONDS", 0.3)
    monkeypatch.setattr(postgresql, "OUTAGE_SECONDS", 10.0)
    stopped, signals = bench(POOLING), iter([signal.SIGTERM])

    def be_away() -> None:
        for number in signals if stopped.witness.notes else ():
            os.kill(os.getpid(), number)
        raise OperationalError("SELECT 1", {}, Exception("the connection is closed"))

    monkeypatch.setattr("optimize.coordinator.tell_outcome", lambda *_: postgresql.with_patience(be_away))
    with pytest.raises(StopNow) as stop:
        stopped.run(stubs.learn)
    assert stop.value.ending == "terminated"
    assert stopped.witness.notes == ["the study's database does not answer; waiting for it, ten minutes at most"]
    monkeypatch.undo()
    resumed = bench(POOLING)
    resumed.run(stubs.learn)
    assert 0 not in [task.trial for task in resumed.witness.submitted]
    assert len(resumed.results.trials()) == 6


def test_an_outage_is_said_once_however_often_it_is_waited_anew(bench: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """First for the database, then for the lock that it still keeps for the connection that broke; the next is news."""
    monkeypatch.setattr("optimize.coordinator.CHECK_SECONDS", 0.0)
    waits = iter([(), (0.1, 6.0, 0.1, 6.0, 7.0), (), (0.1, 6.0)])

    def wait() -> None:
        for seconds in next(waits, ()):
            postgresql.while_away.get()(seconds)

    waiting = bench(POOLING)
    monkeypatch.setattr(waiting.coordinator, "_check", wait)
    assert waiting.run(stubs.learn) == "done"
    assert next(waits, None) is None
    said = "the study's database does not answer; waiting for it, ten minutes at most"
    assert waiting.witness.notes == [said, said]


def test_it_is_said_when_no_worker_comes(bench: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optimize.watch.DESERTED_SECONDS", 0.3)
    waiting = bench(POOLING)

    class Late(ThreadEngine):
        def slots(self) -> tuple[Slot, ...]:
            return super().slots() if waiting.witness.notes else ()

    assert waiting.coordinator.run(search_proposals(waiting.config), lambda: Late(stubs.learn)) == "done"
    assert waiting.witness.notes == ["no worker is there yet; waiting for one"]


@pytest.mark.parametrize("number", [0, 3])
@pytest.mark.parametrize("sampler", ["random", "qmc"])
def test_a_trial_killed_while_its_values_were_drawn_is_drawn_again(
    bench: Open, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, sampler: str, number: int
) -> None:
    text = LEARNING_RATE.replace("network: cnn", "network: cnn, dropout: {low: 0.0, high: 0.5}")
    text = text.replace("sampler: random", f"sampler: {sampler}")
    draw = Range.draw

    def die_at_the_second(parameter: Range, trial: optuna.Trial) -> Value:
        if trial.number == number and trial.params:
            raise KeyboardInterrupt
        return draw(parameter, trial)

    killed = bench(text)
    with monkeypatch.context() as patch:
        patch.setattr(Range, "draw", die_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            killed.run(stubs.learn)
    resumed = bench(text)
    resumed.run(stubs.learn)
    whole = Bench(resumed.config, type(resumed.results)(tmp_path_factory.mktemp("whole")))
    whole.run(stubs.learn)
    assert [t.params for t in resumed.study.get_trials()] == [t.params for t in whole.study.get_trials()]
