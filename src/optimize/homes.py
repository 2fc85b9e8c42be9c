"""What is wrong with a sweep's file beyond its sections: a key that belongs elsewhere, values that are to be swept."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import BaseModel

from main.annotations import dotted, value_at
from main.checking import Problem
from main.config import (
    AugmentConfig,
    DataConfig,
    EarlyStoppingConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)
from main.nearest import did_you_mean, nearest_to
from main.yaml12 import Plain, flow
from models import networks
from optimize.forms import FORM_KEYS, USAGE, form_of
from optimize.paths import SWEEPABLE
from optimize.sections import ConfirmConfig, RunConfig, StopConfig, StudyConfig

_WHOLE_FORMS = ("choices", "winner")
"""Keys of what may stand in place of a mapping."""
_SHOWN = 60
_VERY_LIKE = 0.75
_NOT_WRITTEN = {
    "seed": "trainings have the seeds of `study.seeds`",
    "direction": "it follows from `study.metric`",
}
"""Keys that none has, and what says the same."""


def of_a_sweep(problem: Problem, data: Plain, sections: Collection[str]) -> Problem:
    """A problem as one of a sweep's file: a key with where it belongs, a list of values with how they are swept.

    Args:
        problem: What is wrong.
        data: Of the whole file.
        sections: The keys that stand at the file's left edge.
    """
    if not problem.at_key:
        return _as_choices(problem, value_at(data, problem.path))
    is_in_a_form = problem.hint == USAGE or form_of(value_at(data, problem.path[:-1])) is not None
    return problem if is_in_a_form else _at_home(problem, sections)


def _at_home(problem: Problem, sections: Collection[str]) -> Problem:
    """A problem with a key, saying where that key belongs if it is a section, or one of another section's."""
    *around, key = problem.path
    known = problem.message == "unknown key"
    if not known and not problem.message.startswith("unknown key; did you mean"):
        return problem
    if key in _NOT_WRITTEN:
        return problem._replace(message=f"unknown key here; {_NOT_WRITTEN[str(key)]}", hint="") if known else problem
    if around == ["model"] and key == "name":
        return problem._replace(message="unknown key; did you mean 'network'?")
    if len(around) == 1 and key in sections:  # before `data` is asked, which has a `train` too
        return problem._replace(message="unknown key here; it belongs at the left edge of the file", hint="")
    homes = {
        name: keys for name, keys in _homes(str(around[0]) if around else "").items() if name != dotted(tuple(around))
    }
    elsewhere = [name for name, keys in homes.items() if key in keys]
    if elsewhere:  # rather than one that is near, and stands here
        return problem._replace(message=f"unknown key here; it belongs in `{elsewhere[0]}`", hint="")
    return _probably(problem, homes) if known else problem


def _probably(problem: Problem, homes: dict[str, Collection[str]]) -> Problem:
    """A problem with a key that is near none which can stand here."""
    *around, key = problem.path
    if around[:1] in (["model"], ["train"]) and (meant := did_you_mean(str(key), _WHOLE_FORMS)):
        return problem._replace(message=f"{problem.message}{meant}", hint=USAGE)
    paths = {path: f"{name}.{path}" for name, keys in reversed(homes.items()) for path in keys}
    near = nearest_to(str(key), paths, _VERY_LIKE)
    return problem._replace(message=f"{problem.message} here; did you mean '{paths[near]}'?") if near else problem


def _homes(section: str) -> dict[str, Collection[str]]:
    """By section, the keys that it may have; of one, those of the sections in it too."""
    within: dict[str, tuple[type[BaseModel], ...]] = {
        "data": (DataConfig,),
        "model": tuple(networks().values()),
        "train": (TrainConfig,),
        "train.optimizer": (OptimizerConfig,),
        "train.early_stopping": (EarlyStoppingConfig,),
        "train.schedule": (ScheduleConfig,),
        "train.augment": (AugmentConfig,),
        "study": (StudyConfig,),
        "study.stop": (StopConfig,),
        "study.confirm": (ConfirmConfig,),
        "run": (RunConfig,),
    }
    return {
        name: dict.fromkeys(key for kind in kinds for key in kind.model_fields if key != "name")
        for name, kinds in within.items()
        if "." not in name or name.startswith(f"{section}.")
    }


def _as_choices(problem: Problem, value: Plain) -> Problem:
    """A problem with several values where one stands, saying how they are swept."""
    section, *below = problem.path or ("",)
    if section not in SWEEPABLE or not below or not set(FORM_KEYS).isdisjoint(map(str, below)):
        return problem
    if isinstance(below[-1], int):  # an element of a list: what stands in its place is no list
        return problem
    one_wanted = problem.message.startswith("expected ") and not problem.message.startswith("expected a mapping,")
    listed = isinstance(value, tuple) and one_wanted
    named = isinstance(value, str) and "," in value and problem.message.startswith("unknown value")
    if not value or not (listed or named):
        return problem
    written = value if isinstance(value, str) else flow(value)[1:-1]
    return problem._replace(hint=f"to try each, write {{choices: [{written if len(written) < _SHOWN else '...'}]}}")
