"""Trials in the study: entered, drawn, reported and ended."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from optimize.config import SweepConfig
from optimize.finished import Finished
from optimize.marks import marked
from optimize.samplers import make_sampler
from optimize.space import Value, Values
from optimize.trial import Purpose

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


def start_trial(
    study: optuna.Study,
    config: SweepConfig,
    values: Mapping[str, Value],
    *,
    seed: int,
    purpose: Purpose,
    fold: int | None = None,
) -> optuna.Trial:
    """Enter a trial, the next one, with values of our own choosing, as running."""
    distributions = config.space.distributions()
    params = config.space.to_optuna(values)
    return _enter(
        study,
        create_trial(
            state=TrialState.RUNNING,
            params=params,
            distributions={path: distributions[path] for path in params},
            user_attrs=marked(seed, purpose, fold),
        ),
    )


def ask_trial(
    study: optuna.Study, config: SweepConfig, number: int, fixed: Values
) -> tuple[optuna.Trial, dict[str, Value]]:
    """Let the sampler draw trial `number`, the next one, beside values that are fixed."""
    system = {"fixed_params": config.space.to_optuna(fixed)} if fixed else {}  # as `enqueue_trial` has it
    study.sampler = make_sampler(config, number)
    study._thread_local.cached_all_trials = None  # of an earlier trial's draw, from before others ended
    # Not `study.ask`: it looks through all trials for one that waits, each time.
    marks = marked(config.study.seeds[0], "search", None)
    asked = _enter(study, create_trial(state=TrialState.RUNNING, user_attrs=marks, system_attrs=system))
    return asked, config.space.suggest(asked)


def _enter(study: optuna.Study, trial: FrozenTrial) -> optuna.Trial:
    return optuna.Trial(study, study._storage.create_new_trial(study._study_id, template_trial=trial))


def live_trial(study: optuna.Study, number: int) -> optuna.Trial:
    """The handle through which a trial's intermediate values are reported and judged."""
    # Optuna hands it out at `ask` alone, and a resumed trial was asked for by another process.
    return optuna.Trial(study, study._storage.get_trial_id_from_study_id_trial_number(study._study_id, number))


def running_trial(
    study: optuna.Study, config: SweepConfig, trial: FrozenTrial
) -> tuple[optuna.Trial, dict[str, Value]]:
    """A trial that an earlier process left running: the handle to report through, and its values.

    Where that process was killed while the values were drawn, all are drawn again: by the same generator, the same.
    """
    values = config.space.from_optuna(trial.params)
    if set(values) == set(config.space.complete(values)):
        return optuna.Trial(study, trial._trial_id), values
    study.sampler = make_sampler(config, trial.number)
    live = optuna.Trial(study, trial._trial_id)
    live._cached_frozen_trial.params = {}
    live._cached_frozen_trial.distributions = {}
    return live, config.space.suggest(live)


def end_trial(study: optuna.Study, live: optuna.Trial, state: TrialState, value: float | None) -> None:
    """Tell the study how a trial ended; one that has ended already stays as it is.

    What `study.tell` does, without reading the trial back from the storage three times. A pruned trial's value is its
    last intermediate value.
    """
    trial = live._cached_frozen_trial
    if state == TrialState.PRUNED and trial.last_step is not None:
        value = trial.intermediate_values[trial.last_step]
    values = None if value is None else [value]
    study._thread_local.cached_all_trials = None  # the samplers' view of the study, valid for one trial
    study.sampler.after_trial(study, trial, state, values)
    with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
        study._storage.set_trial_state_values(live._trial_id, state, values)


def report_once(live: optuna.Trial, epoch: int, value: float) -> bool:
    """Report an intermediate value; a trial that goes on, or began again, tells of its first epochs a second time.

    Returns:
        Whether it is the latest: what a pruner says of a trial, it says of the latest.
    """
    reported = live._cached_frozen_trial.intermediate_values
    if epoch not in reported:
        live.report(value, epoch)
    return epoch >= max(reported, default=epoch)


def tell_outcome(study: optuna.Study, live: optuna.Trial | None, finished: Finished, metric: str) -> None:
    """End a trial in the study, with every intermediate value, whether its event came through or not."""
    outcome = finished.outcome
    live = live or live_trial(study, outcome.trial)
    for epoch, value in finite_values(finished, metric).items():
        report_once(live, epoch, value)
    best, state = outcome.best(), STATES[outcome.state]
    final = getattr(best, metric) if best and state == TrialState.COMPLETE else None
    end_trial(study, live, state, final)


def finite_values(finished: Finished, metric: str) -> dict[int, float]:
    """The intermediate values of a trial by epoch, as far as they are numbers that can be compared."""
    values = {epoch.epoch: float(getattr(epoch, metric)) for epoch in finished.outcome.history}
    return {epoch: value for epoch, value in values.items() if math.isfinite(value)}
