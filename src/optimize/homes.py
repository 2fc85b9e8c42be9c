"""What is wrong with a sweep's file beyond its sections: a key that belongs elsewhere, values that are to be swept."""

from __future__ import annotations

import re
from collections.abc import Collection

from pydantic import BaseModel

from main.annotations import KeyPath, dotted, value_at
from main.checking import Problem
from main.config import (
    AugmentConfig,
    DataConfig,
    EarlyStoppingConfig,
    OptimizerConfig,
    ScheduleConfig,
    TrainConfig,
)
from main.nearest import VERY_LIKE, nearest_to
from main.yaml12 import Plain, flow
from models import networks
from optimize.forms import FORM_KEYS, USAGE, form_of
from optimize.paths import SWEEPABLE
from optimize.sections import ConfirmConfig, RunConfig, StopConfig, StudyConfig

_WHOLE_FORMS = ("choices", "winner")
"""Keys of what may stand in place of a mapping."""
_SHOWN = 60
_SEVERAL = re.compile(r"(?:choice)?[(\[]?\s*(\w[\w.+-]*(?:\s*,\s*\w[\w.+-]*)+)\s*[)\]]?")
_MEANT: dict[KeyPath, tuple[str, str | None]] = {
    ("data", "name"): ("unknown key; did you mean 'source'?", None),
    ("model", "name"): ("unknown key; did you mean 'network'?", None),
    ("study", "seed"): ("unknown key", "write `seeds: [...]`; a sampler's own is {name: ..., seed: ...}"),
    ("study", "timeout"): (
        "unknown key here; of one trial it belongs in `run`, of the whole sweep it is `time` in `study.stop`", "",
    ),
}  # fmt: skip
"""Keys that what is near, or stands elsewhere, would lead astray: what is said, and what to write if not as usual."""
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
    if said := _MEANT.get(problem.path):
        message, hint = said
        return problem._replace(message=message, hint=problem.hint if hint is None else hint)
    if key in _NOT_WRITTEN:
        return problem._replace(message=f"unknown key here; {_NOT_WRITTEN[str(key)]}", hint="") if known else problem
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
    if around[:1] in (["model"], ["train"]) and (form := nearest_to(str(key), _WHOLE_FORMS, VERY_LIKE)):
        return problem._replace(message=f"{problem.message}; did you mean '{form}'?", hint=USAGE)
    paths = {path: f"{name}.{path}" for name, keys in reversed(homes.items()) for path in keys}
    near = nearest_to(str(key), paths, VERY_LIKE)
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
    if isinstance(value, str) and value.startswith("{") and value.endswith("}"):
        return problem._replace(hint="write it without quotes")
    several = _SEVERAL.fullmatch(value) if isinstance(value, str) else None
    is_unsaid = problem.message.startswith(("expected a number,", "expected a whole number,")) and not problem.hint
    named = several is not None and (is_unsaid or problem.message.startswith("unknown value"))
    if not value or not (listed or named):
        return problem
    written = several[1] if several is not None else flow(value)[1:-1]
    message = problem.message.partition("; did you mean")[0]
    return problem._replace(
        message=message, hint=f"to try each, write {{choices: [{written if len(written) < _SHOWN else '...'}]}}"
    )
