"""What is wrong with a sweep's file beyond its sections: a key that belongs elsewhere, values that are to be swept."""

from __future__ import annotations

import re
from collections.abc import Collection

from pydantic import BaseModel

from main.annotations import KeyPath, dotted, value_at
from main.checking import Problem, unknown_key
from main.config import DataConfig, TrainConfig
from main.nearest import VERY_LIKE, nearest_to
from main.yaml12 import Plain, flow
from models import networks
from optimize.advice.consequences import AT_THE_EDGE
from optimize.advice.habits import key_meant, said_instead, words_meant
from optimize.advice.instead import instead, row
from optimize.advice.otherforms import CONDITIONS, as_a_form, read_scalar
from optimize.advice.within import WITHIN, with_in_it
from optimize.forms import FORM_KEYS, USAGE, form_of
from optimize.paths import SWEEPABLE
from optimize.sections import RunConfig, StudyConfig

_WHOLE_FORMS = ("choices", "winner")
"""Keys of what may stand in place of a mapping."""
_SHOWN = 60
_SEVERAL = re.compile(
    r"(?:choices?\s*[=:]?\s*)?[(\[]?\s*(\w[\w.+-]*(?:\s*(?:[,|/;]|\bor\b)\s*\w[\w.+-]*)+)\s*[)\]]?|((?:\s*-\w+)+)"
)
"""`mse, mae`, `mse or mae`, `choices(mse, mae)`, and `-mse -mae`, as lines of a list without their spaces are read."""
_BETWEEN = re.compile(r"\s*(?:[,|/;]|\bor\b)\s*|\s+-|^-")
_MEANT: dict[KeyPath, tuple[str, str | None]] = {
    ("study", "seed"): ("unknown key", "write `seeds: [...]`; a sampler's own is {name: ..., seed: ...}"),
    ("study", "timeout"): (
        "unknown key here; of one trial it belongs in `run`, of the whole sweep it is `time` in `study.stop`", "",
    ),
}  # fmt: skip
"""Keys that what is near, or stands elsewhere, would lead astray: what is said, and what to write if not as usual."""


def of_a_sweep(problem: Problem, data: Plain, sections: Collection[str]) -> Problem:
    """A problem as one of a sweep's file: a key with where it belongs, a list of values with how they are swept.

    Args:
        problem: What is wrong.
        data: Of the whole file.
        sections: The keys that stand at the file's left edge.
    """
    value = value_at(data, problem.path)
    if problem.message.startswith("only values under"):
        return _unswept(problem, value)
    if problem.at_key:
        return _of_a_key(problem, data, sections)
    if meant := instead(problem, data):
        return _beside_a_grid(problem._replace(hint=meant), data)
    return _beside_a_grid(_as_choices(_as_others_say(problem, value), value), data)


def _of_a_key(problem: Problem, data: Plain, sections: Collection[str]) -> Problem:
    *around, key = problem.path
    beside = value_at(data, tuple(around))
    if around[:1] in (["model"], ["train"]) and problem.hint.startswith("write {low: "):
        return _beside_a_grid(problem, data)
    if form_of(beside) is not None and key in CONDITIONS:
        return problem._replace(message="unknown key; did you mean 'when'?")
    if around == ["model"] and (network := _as_a_network(str(key))):
        return problem._replace(hint=network)
    if around == ["model", "network"] and problem.hint == USAGE:
        return problem._replace(
            hint="write one word, such as `network: cnn`, and the other keys beside it, under `model`"
        )
    if len(around) == 1 and around[0] in SWEEPABLE and key == "when":
        return problem._replace(hint="indent it under the key that it is for, beside its choices")
    if problem.hint == USAGE or form_of(beside) is not None:
        return problem
    if problem.message == "unknown key, a path" and len(around) == 1:
        return _as_a_path(problem, beside)
    is_within = len(around) > 1 and around[0] in SWEEPABLE and set(FORM_KEYS).isdisjoint(map(str, problem.path))
    if is_within and problem.message.startswith("unknown key") and (listed := _as_a_list(problem, beside)):
        return listed
    return _at_home(problem, data, sections)


def _as_a_network(key: str) -> str:
    return f"write `network: {key}`, and what is in it beside that" if key in networks() else ""


def _as_a_list(problem: Problem, beside: Plain) -> Problem | None:
    """A problem with a key in place of an optimizer or the like, listed as other tools do; None of others."""
    written = beside if isinstance(beside, dict) else {}
    is_set = all(item is None for item in written.values())  # {sgd, adam}; but {shift, zoomm} is of two keys
    if is_set and not problem.hint.startswith("write {name: "):
        return None
    if is_set and len(written) == 1:
        return problem._replace(hint=f"write {problem.path[-1]}")
    meant = as_a_form(written, (str, dict))
    message, _ = unknown_key(str(problem.path[-1]), ["choices"])
    return problem._replace(message=message, hint=f"write {meant}") if meant.startswith("{choices: ") else None


def _several(value: Plain) -> list[str]:
    """The words of a text that lists several; none of another value."""
    found = _SEVERAL.fullmatch(value) if isinstance(value, str) else None
    return list(filter(None, _BETWEEN.split((found[1] or found[2]).strip()))) if found is not None else []


def _as_a_path(problem: Problem, around: Plain) -> Problem:
    """A problem with a path of two keys as a key of `train` or `study`: `optimizer.momentum: 0.9`."""
    section, key = map(str, problem.path)
    inner, _, below = key.partition(".")
    written = around if isinstance(around, dict) else {}
    kind = WITHIN.get(section, {}).get(inner)
    if kind is None or below not in kind.model_fields:
        return problem
    hint = with_in_it(section, inner, below, {**written, below: written.get(key)})
    return problem._replace(hint=hint or problem.hint)


def _unswept(problem: Problem, value: Plain) -> Problem:
    """A problem with choices, or a range, where nothing can be swept."""
    *_, key = problem.path
    home = next((name for name in SWEEPABLE if len(problem.path) == 2 and key in _homes("")[name]), None)
    if home is not None:
        return problem._replace(hint=f"write it under `{home}:`")
    if problem.path != ("study", "seeds") or not isinstance(value, dict):
        return problem._replace(hint="write one value")
    low, high = value.get("low"), value.get("high")
    seeds = value.get("choices")
    if isinstance(low, int) and isinstance(high, int):
        seeds = row(low, high)
    return problem._replace(hint=f"each choice is trained on every seed: write {flow(seeds) if seeds else '[...]'}")


def _as_others_say(problem: Problem, value: Plain) -> Problem:
    """A problem with a word that other tools have for one that is known here."""
    meant = words_meant(problem.path, value if isinstance(value, str) else flow(value))
    if not meant or not problem.message.startswith(("unknown value", "expected")):
        return problem
    message = problem.message.partition("; did you mean")[0]
    either = " or ".join(f"'{word}'" for word in meant)
    return problem._replace(message=f"{message}; did you mean {either}?")


def _at_home(problem: Problem, data: Plain, sections: Collection[str]) -> Problem:
    """A problem with a key, saying where that key belongs if it is a section, or one of another section's."""
    *around, key = problem.path
    known = problem.message == "unknown key"
    if not known and not problem.message.startswith("unknown key; did you mean"):
        return problem
    if said := _MEANT.get(problem.path):
        message, hint = said
        return problem._replace(message=message, hint=problem.hint if hint is None else hint)
    if called := _as_others_call(problem, data):
        return called
    if len(around) == 1 and key in sections:  # before `data` is asked, which has a `train` too
        return problem._replace(message=f"unknown key here; {AT_THE_EDGE}", hint="")
    homes = {
        name: keys for name, keys in _homes(str(around[0]) if around else "").items() if name != dotted(tuple(around))
    }
    elsewhere = [name for name, keys in homes.items() if key in keys]
    if elsewhere:  # rather than one that is near, and stands here
        return _belongs(problem, elsewhere[0], data)
    return _probably(problem, homes, data) if known else problem


def _belongs(problem: Problem, home: str, data: Plain) -> Problem:
    """A problem with a key of another section; of one within its own, with how that is written then."""
    *around, key = problem.path
    section, _, inner = home.rpartition(".")
    is_within = bool(section) and section == dotted(tuple(around))
    hint = with_in_it(section, inner, str(key), value_at(data, tuple(around))) if is_within else ""
    return problem._replace(message=f"unknown key here; it belongs in `{home}`", hint=hint)


def _as_others_call(problem: Problem, data: Plain) -> Problem | None:
    """A problem with a key that other tools have for one that is known here; None of others."""
    *around, key = problem.path
    section = dotted(tuple(around))
    meant = key_meant(problem.path)
    said = said_instead(str(key))
    if meant is not None and value_at(data, tuple(meant.split("."))) is None:
        home, _, name = meant.rpartition(".")
        allowed = problem.hint.removeprefix("allowed here: ").split(", ")
        if home == section and name in allowed:
            return problem._replace(message=f"unknown key; did you mean '{name}'?")
        is_near = problem.message != "unknown key" and section  # one that may stand here, as `lr` of an optimizer
        if home != section and not said and not is_near:
            hint = _as_it_is_written(problem, meant, data)
            return problem._replace(message=f"unknown key here; did you mean '{meant}'?", hint=hint)
    return problem._replace(message=f"unknown key here; {said}", hint="") if said else None


def _probably(problem: Problem, homes: dict[str, Collection[str]], data: Plain) -> Problem:
    """A problem with a key that is near none which can stand here."""
    *around, key = problem.path
    if around[:1] in (["model"], ["train"]) and (form := nearest_to(str(key), _WHOLE_FORMS, VERY_LIKE)):
        return problem._replace(message=f"{problem.message}; did you mean '{form}'?", hint=USAGE)
    paths = {path: f"{name}.{path}" for name, keys in reversed(homes.items()) for path in keys}
    near = nearest_to(str(key), paths, VERY_LIKE)
    if near is None:
        return problem
    hint = _as_it_is_written(problem, paths[near], data)
    return problem._replace(message=f"{problem.message} here; did you mean '{paths[near]}'?", hint=hint or problem.hint)


def _as_it_is_written(problem: Problem, meant: str, data: Plain) -> str:
    """How a key is written that was meant for one of a section within its own; nothing of others."""
    *around, key = problem.path
    home, _, name = meant.rpartition(".")
    section, _, inner = home.rpartition(".")
    beside = value_at(data, tuple(around))
    if not section or section != dotted(tuple(around)) or not isinstance(beside, dict):
        return ""
    renamed = {name if other == key else other: value for other, value in beside.items()}
    return with_in_it(section, inner, name, renamed)


def _homes(section: str) -> dict[str, Collection[str]]:
    """By section, the keys that it may have; of one, those of the sections in it too."""
    within: dict[str, tuple[type[BaseModel], ...]] = {
        "data": (DataConfig,),
        "model": tuple(networks().values()),
        "train": (TrainConfig,),
        **{f"train.{inner}": (kind,) for inner, kind in WITHIN["train"].items()},
        "study": (StudyConfig,),
        **{f"study.{inner}": (kind,) for inner, kind in WITHIN["study"].items()},
        "run": (RunConfig,),
    }
    return {
        name: dict.fromkeys(key for kind in kinds for key in kind.model_fields if key != "name")
        for name, kinds in within.items()
        if "." not in name or name.startswith(f"{section}.")
    }


def _beside_a_grid(problem: Problem, data: Plain) -> Problem:
    """A problem with how a range is written, saying what else that needs where the sampler is the usual one."""
    sampler = value_at(data, ("study", "sampler"))
    is_grid = sampler in (None, "grid") or value_at(data, ("study", "sampler", "name")) == "grid"
    if "{low: " not in problem.hint or not problem.hint.startswith("write ") or "step" in problem.hint or not is_grid:
        return problem
    return problem._replace(
        hint=f"{problem.hint}, and `sampler: tpe` with `trials: 50` in `study`: a grid takes no such range"
    )


def _as_choices(problem: Problem, value: Plain) -> Problem:
    """A problem with several values where one stands, saying how they are swept."""
    section, *below = problem.path or ("",)
    if section not in SWEEPABLE or not below or not set(FORM_KEYS).isdisjoint(map(str, below)):
        return problem
    if isinstance(below[-1], int):  # an element of a list: what stands in its place is no list
        return problem
    one_wanted = problem.message.startswith("expected ") and not problem.message.startswith("expected a mapping,")
    listed = isinstance(value, tuple) and one_wanted
    if isinstance(value, str) and value.startswith("{") and value.endswith("}") and "{{" not in value:
        return problem._replace(hint="write it without quotes")
    several = _several(value)
    is_unsaid = problem.message.startswith(("expected a number,", "expected a whole number,")) and not problem.hint
    are_numbers = all(isinstance(word, int | float) for word in map(read_scalar, several))
    named = bool(several) and ((is_unsaid and are_numbers) or problem.message.startswith("unknown value"))
    if is_unsaid and isinstance(value, str) and (meant := as_a_form(value, _kinds_wanted(problem))):
        return problem._replace(hint=f"write {meant}")
    if not value or not (listed or named):
        return problem
    written = ", ".join(several) if several else flow(value)[1:-1]
    message = problem.message.partition("; did you mean")[0]
    return problem._replace(
        message=message, hint=f"to try each, write {{choices: [{written if len(written) < _SHOWN else '...'}]}}"
    )


def _kinds_wanted(problem: Problem) -> tuple[type, ...]:
    return (int,) if problem.message.startswith("expected a whole number,") else (int, float)
