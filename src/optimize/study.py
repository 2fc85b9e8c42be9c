"""The Optuna study behind a sweep: opened or reopened, its sampler, its pruner, and the guard on resuming."""

from __future__ import annotations

import contextlib
import json
import math
import os
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from main.errors import UserError
from optimize.config import SweepConfig
from optimize.engine import STORAGE_VARIABLE
from optimize.finished import Finished
from optimize.provenance import content_hash
from optimize.results import Results
from optimize.space import Range, Value, Values
from optimize.storage import clear_damage, clear_faults, close_study, open_storage
from optimize.trial import Purpose

_IDENTITY = "identity"
_SEED, _PURPOSE, _FOLD, _PRUNED = "seed", "purpose", "fold", "pruned after"


class Sequence(optuna.samplers.QMCSampler):
    """A quasi-random sequence of which a trial takes the point that its number among the search's gives it.

    Optuna counts what was drawn instead, in the study: a draw that a kill cut short would count, and a study that is
    made anew from what the folder kept would begin the sequence again, with points that were tried.

    Args:
        trial: the number of the trial that it draws.
        **arguments: Optuna's own.
    """

    def __init__(self, trial: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._trial = trial

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """What the sequence is of; nothing at first, also where the first trial was killed as it was drawn."""
        return super().infer_relative_search_space(study, trial) if self._trial else {}

    def _find_sample_id(self, study: optuna.Study, search_space: dict[str, BaseDistribution]) -> int:
        # Not `study.get_trials`, which under hyperband are those of one bracket.
        trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
        earlier = sum(purpose_of(other) == "search" for other in trials if other.number < self._trial)
        return earlier - 1  # the first is drawn at random


STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class _CmaesSampler(optuna.samplers.CmaEsSampler):
    """Adapts the ranges that always count, and no others.

    Optuna takes those that all trials so far have had. A range with a `when` may be one of these for a while; once it
    is none, what was adapted has another dimension, and Optuna draws at random from then on, or, with margin, raises.
    """

    def __init__(self, ranges: dict[str, BaseDistribution], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._ranges = ranges

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """How Optuna sees the ranges that always count."""
        return self._ranges


SAMPLERS = {
    "grid": optuna.samplers.RandomSampler,  # never asked: the coordinator enumerates the cells itself
    "random": optuna.samplers.RandomSampler,
    "tpe": optuna.samplers.TPESampler,
    "gp": optuna.samplers.GPSampler,
    "cmaes": _CmaesSampler,
    "qmc": Sequence,
    "nsga2": optuna.samplers.NSGAIISampler,
}
PRUNERS = {
    "none": optuna.pruners.NopPruner,
    "median": optuna.pruners.MedianPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "asha": optuna.pruners.SuccessiveHalvingPruner,
    "wilcoxon": optuna.pruners.WilcoxonPruner,
    "threshold": optuna.pruners.ThresholdPruner,
}


class StudyChanged(UserError):
    """The sweep file now means other trials than those the study holds."""


def open_study(results: Results, config: SweepConfig, identity: Mapping[str, Any]) -> optuna.Study:
    """Create the sweep's study, or reopen it where it means the same trials.

    Trials that the sweep's folder has kept and the study has lost are entered again: all of them where it was removed,
    the last ones where it is an older copy, or a power cut took what SQLite had not flushed yet.

    Args:
        results: where `study.db` is, unless `OPTIMIZE_STORAGE` names another storage.
        config: the sweep.
        identity: everything that decides what a trial means, JSON-able; kept in the study.

    Raises:
        StudyChanged: a study of this name exists and means something else; the message is a diff in words.
        StudyUnreadable: the storage cannot be opened, or what it says of the study is damaged.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = open_storage(results)
    with clear_damage(results):
        study = optuna.create_study(
            storage=storage,
            study_name=config.study_name,
            direction=config.study.direction,
            sampler=optuna.samplers.RandomSampler(),  # a trial that is asked for gets a sampler of its own
            load_if_exists=True,
        )
        found = study.user_attrs.get(_IDENTITY)
        stored = None if found is None else dict(found)
        entered = len(study.get_trials(deepcopy=False))
    changes = [] if stored is None else differences(stored, json.loads(json.dumps(identity)))
    if changes:
        close_study(results, study)
        listing = "\n".join(f"  {change}" for change in changes)
        raise StudyChanged(f"{results.folder} holds a study of other trials than these:\n{listing}\n{_REMEDY}")
    with clear_faults(results):
        _enter_lost(study, entered, results, config, identity)
        if stored is None:
            study.set_user_attr(_IDENTITY, dict(identity))
            with _experimental():
                study.set_metric_names([config.study.metric])  # the dashboard's axis titles
        study.pruner = make_pruner(config)
    return study


_REMEDY = "Give the sweep another name, or start it again with --fresh."


def _enter_lost(
    study: optuna.Study, entered: int, results: Results, config: SweepConfig, identity: Mapping[str, Any]
) -> None:
    """Enter the trials that the sweep's folder has kept and the study has lost, under their own numbers.

    `entered` is how many the study still has. What was running when they were lost has no outcome; it fails under its
    number and is proposed again. A rebuild that was killed itself is gone on with.
    """
    lost = range(entered, max(results.finished_trials(), default=-1) + 1)
    if lost and results.kept_hash() not in (None, content_hash(identity)):
        raise StudyChanged(
            f"{results.folder} has lost its study, and this sweep file means other trials than those that it keeps. "
            + _REMEDY
        )
    for number in lost:
        study.add_trial(_kept_trial(results.finished(number), config))


def _kept_trial(finished: Finished | None, config: SweepConfig) -> FrozenTrial:
    if finished is None:
        return create_trial(state=TrialState.FAIL)
    metric, outcome = config.study.metric, finished.outcome
    distributions = config.space.distributions()
    params = config.space.to_optuna(finished.values)
    best = outcome.best()
    return create_trial(
        state=STATES[outcome.state],
        value=getattr(best, metric) if best and outcome.state == "complete" else None,
        params=params,
        distributions={path: distributions[path] for path in params},
        user_attrs=_attributes(finished.seed, finished.purpose, finished.fold),
        intermediate_values=finite_values(finished, metric),
    )


def finite_values(finished: Finished, metric: str) -> dict[int, float]:
    """The intermediate values of a trial by epoch, as far as they are numbers that can be compared."""
    values = {epoch.epoch: float(getattr(epoch, metric)) for epoch in finished.outcome.history}
    return {epoch: value for epoch, value in values.items() if math.isfinite(value)}


def forget_study(results: Results, name: str) -> None:
    """Remove a study from a database that outlives the results' folder; one inside the folder goes with it."""
    if os.environ.get(STORAGE_VARIABLE):
        with contextlib.suppress(KeyError):
            optuna.delete_study(study_name=name, storage=open_storage(results))


def differences(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What changed between two nested mappings, one line a value: `model.pooling: was 'max', now 'average'`."""
    lines: list[str] = []
    for key in [*before, *(key for key in now if key not in before)]:
        path = f"{prefix}{key}"
        old, new = before.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += differences(old, new, f"{path}.")
        elif json.dumps(old) != json.dumps(new):  # choices are told apart by how they are written: 0.0 is not 0
            lines.append(f"{path}: was {_shown(old, key in before)}, now {_shown(new, key in now)}")
    return lines


def _shown(value: Any, present: bool) -> str:
    return json.dumps(value, ensure_ascii=False) if present else "absent"


def make_sampler(config: SweepConfig, trial: int) -> BaseSampler:
    """The sampler that draws trial number `trial`: its generator follows from (study seed, trial) alone.

    A quasi-random sequence keeps one seed, and goes on to the trial's own point; what it leaves out, as parameters with
    a `when` and the first trial, is drawn at random. Of what else is drawn at random, as the choices beside `cmaes`,
    the documentation tells; Optuna would do so at each of them.
    """
    import numpy as np

    sampler = config.study.sampler
    arguments = dict(sampler.arguments)
    seed = int(np.random.SeedSequence([sampler.seed, trial]).generate_state(1)[0])
    if sampler.name == "qmc":
        arguments |= {"trial": trial, "independent_sampler": optuna.samplers.RandomSampler(seed=seed)}
        seed = sampler.seed
    if sampler.name in ("cmaes", "gp", "qmc"):
        arguments["warn_independent_sampling"] = False
    if sampler.name == "cmaes":
        always = (p for p in config.space.parameters if isinstance(p, Range) and not p.when)
        arguments["ranges"] = {parameter.path: parameter.distribution() for parameter in always}
    with _experimental():
        made = SAMPLERS[sampler.name](seed=seed, **arguments)
    assert isinstance(made, BaseSampler)
    return made


def make_pruner(config: SweepConfig) -> optuna.pruners.BasePruner:
    """The pruner of the sweep file; `patient` wraps the one it names.

    Hyperband is told how many epochs a whole trial has. Optuna would learn it from the first to end, which may have
    stopped early, and takes it for one more than it is, counting steps from 0.
    """
    pruner = config.study.pruner
    if pruner is None:
        return optuna.pruners.NopPruner()
    arguments = dict(pruner.arguments)
    whole = {} if config.most_epochs is None else {"max_resource": config.most_epochs}
    with _experimental():
        if pruner.name == "patient":
            name = arguments.pop("wrapped", "median")
            wrapped = PRUNERS[name](**(whole if name == "hyperband" else {}))
            return optuna.pruners.PatientPruner(wrapped, **arguments)
        if pruner.name == "hyperband" and arguments.get("max_resource", "auto") == "auto":
            arguments |= whole
        made = PRUNERS[pruner.name](**arguments)
    assert isinstance(made, optuna.pruners.BasePruner)
    return made


def start_trial(
    study: optuna.Study,
    config: SweepConfig,
    number: int,
    values: Mapping[str, Value],
    *,
    seed: int,
    purpose: Purpose,
    fold: int | None = None,
) -> optuna.Trial:
    """Enter trial `number`, the next one, with values of our own choosing, as running."""
    distributions = config.space.distributions()
    params = config.space.to_optuna(values)
    return _enter(
        study,
        number,
        create_trial(
            state=TrialState.RUNNING,
            params=params,
            distributions={path: distributions[path] for path in params},
            user_attrs=_attributes(seed, purpose, fold),
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
    marks = _attributes(config.study.seeds[0], "search", None)
    asked = _enter(study, number, create_trial(state=TrialState.RUNNING, user_attrs=marks, system_attrs=system))
    return asked, config.space.suggest(asked)


def _enter(study: optuna.Study, number: int, trial: FrozenTrial) -> optuna.Trial:
    """A new running trial.

    Where a database went away after it had made the entry and before it said so, the entry was made again: those
    before the last are struck out.
    """
    entered = optuna.Trial(study, study._storage.create_new_trial(study._study_id, template_trial=trial))
    for stray in range(number, entered.number):
        study.tell(stray, state=TrialState.FAIL)
    return entered


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


def keep_pruned(live: optuna.Trial, epoch: int) -> None:
    """Write down that a trial is pruned after `epoch`: a pruner that keeps books would not say so a second time."""
    live.set_user_attr(_PRUNED, epoch)


def pruned_after(live: optuna.Trial) -> int | None:
    """The epoch after which a running trial was pruned, by an earlier attempt or run; None where it was not."""
    epoch = live.user_attrs.get(_PRUNED)
    return None if epoch is None else int(epoch)


def tell_outcome(study: optuna.Study, live: optuna.Trial | None, finished: Finished, metric: str) -> None:
    """End a trial in the study, with every intermediate value, whether its event came through or not."""
    outcome = finished.outcome
    live = live or live_trial(study, outcome.trial)
    for epoch, value in finite_values(finished, metric).items():
        report_once(live, epoch, value)
    best, state = outcome.best(), STATES[outcome.state]
    final = getattr(best, metric) if best and state == TrialState.COMPLETE else None
    end_trial(study, live, state, final)


def seed_of(trial: FrozenTrial, config: SweepConfig) -> int:
    """The training seed of a stored trial; that of the search where an earlier version has not marked it."""
    return int(trial.user_attrs.get(_SEED, config.study.seeds[0]))


def fold_of(trial: FrozenTrial) -> int | None:
    """The fold on which a stored trial validates; None where the study has none."""
    fold = trial.user_attrs.get(_FOLD)
    return None if fold is None else int(fold)


def _attributes(seed: int, purpose: str, fold: int | None) -> dict[str, Any]:
    """What the study keeps of a trial besides its values."""
    return {_SEED: seed, _PURPOSE: purpose} | ({} if fold is None else {_FOLD: fold})


def purpose_of(trial: FrozenTrial) -> Purpose:
    """Whether a stored trial searches or confirms."""
    return "confirm" if trial.user_attrs.get(_PURPOSE) == "confirm" else "search"


@contextlib.contextmanager
def _experimental() -> Iterator[None]:
    """Parts of Optuna that it may still change; its versions are bounded and tested, so nobody needs a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
