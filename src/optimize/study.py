"""The Optuna study behind a sweep: opened or reopened, and the guard on resuming."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from main.errors import UserError
from optimize.asktell import STATES, finite_values
from optimize.config import SweepConfig
from optimize.engine import STORAGE_VARIABLE
from optimize.finished import Finished
from optimize.marks import marked
from optimize.provenance import content_hash
from optimize.results import Results
from optimize.samplers import bookkeepers, experimental, make_pruner
from optimize.storage import clear_damage, clear_faults, close_study, open_storage
from optimize.wording import counted

_IDENTITY = "identity"
_REMEDY = "Give the sweep another name, or start it again with --fresh."


class StudyChanged(UserError):
    """The sweep file now means other trials than those the study holds."""


def open_study(
    results: Results,
    config: SweepConfig,
    identity: Mapping[str, Any],
    announce: Callable[[str], None] = lambda _: None,
) -> optuna.Study:
    """Create the sweep's study, or reopen it where it means the same trials.

    Trials that the sweep's folder has kept and the study has lost are entered again: all of them where it was removed,
    the last ones where it is an older copy, or a power cut took what SQLite had not flushed yet.

    Args:
        results: where `study.db` is, unless `OPTIMIZE_STORAGE` names another storage.
        config: the sweep.
        identity: everything that decides what a trial means, JSON-able; kept in the study.
        announce: told of trials that are entered again.

    Raises:
        StudyChanged: a study of this name exists and means something else; the message is a diff in words.
        StudyUnreadable: the storage cannot be opened, or what it says of the study is damaged.
        OSError: an outcome that the study has lost cannot be read.
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
    with contextlib.ExitStack() as refused:
        refused.callback(close_study, results, study)
        changes = [] if stored is None else differences(stored, json.loads(json.dumps(identity)))
        if changes:
            listing = "\n".join(f"  {change}" for change in changes)
            raise StudyChanged(f"{results.folder} holds a study of other trials than these:\n{listing}\n{_REMEDY}")
        with clear_faults(results):
            again = _enter_lost(study, entered, results, config, identity)
            if stored is None:
                study.set_user_attr(_IDENTITY, dict(identity))
                with experimental():
                    study.set_metric_names([config.study.metric])  # the dashboard's axis titles
            study.pruner = make_pruner(config)
        refused.pop_all()
    if again:
        entered_again = f"{counted(again, 'trial')} that the study had lost: entered again from trials/"
        announce(entered_again + _without_books(config))
    return study


def _enter_lost(
    study: optuna.Study, entered: int, results: Results, config: SweepConfig, identity: Mapping[str, Any]
) -> int:
    """How many trials the sweep's folder has kept and the study has lost; they are entered under their own numbers.

    `entered` is how many the study still has. What was running when they were lost has no outcome; it fails under its
    number and is proposed again. A rebuild that was killed itself is gone on with.
    """
    numbers = (number for number in results.finished_trials() if number >= entered)
    kept = {number: finished for number in numbers if (finished := results.finished(number)) is not None}
    lost = range(entered, max(kept, default=-1) + 1)
    if lost and results.kept_hash() not in (None, content_hash(identity)):
        raise StudyChanged(
            f"{results.folder} has lost its study, and this sweep file means other trials than those that it keeps. "
            + _REMEDY
        )
    for number in lost:
        study.add_trial(_kept_trial(kept.get(number), config))
    return len(kept)


def _without_books(config: SweepConfig) -> str:
    """What such a study lacks, in words; empty where it lacks nothing."""
    names = " and ".join(bookkeepers(config))
    return f"; what {names} kept of them there is not" if names else ""


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
        user_attrs=marked(finished.seed, finished.purpose, finished.fold),
        intermediate_values=finite_values(finished, metric),
    )


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
