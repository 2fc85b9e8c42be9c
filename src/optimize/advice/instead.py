"""What to write in place of a value, where its place and the rest of the file say what was meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from main.annotations import KeyPath, dotted, tags, value_at
from main.checking import Problem
from main.meant import PERCENT, is_nothing
from main.yaml12 import Plain, flow
from optimize.advice.otherforms import as_a_form, as_a_section
from optimize.advice.points import point_meant
from optimize.advice.within import WITHIN
from optimize.algorithms import AnyPruner, AnySampler

_EXAMPLES = {
    "train.ema": "0.99",
    "train.early_stopping": "3",
    "train.augment": "{shift: 0.1, rotation: 10}",
    "study.confirm": "{top: 3, seeds: 5}",
    "study.pruner": "median",
    "study.folds": "5",
    "study.stop": "{time: 2h}",
    "study.range_test": "{}",
}
"""By path, what somebody may want who wrote true."""
_ROW = re.compile(r"([0-9]{1,9}) ?(?:[-–:]|\.{2,3}|to) ?([0-9]{1,9})")
_RANGE = re.compile(r"range\((?:([0-9]{1,9}), ?)?([0-9]{1,9})\)")
_FEW = 20
_WHOLE = re.compile(r"[^.eE]*|range\(.*")


class _Found(NamedTuple):
    """A value that is refused."""

    path: KeyPath
    expected: str
    """How the message begins: `expected a list`."""
    hint: str
    value: Plain
    data: Plain
    """Of the whole file."""


def instead(problem: Problem, data: Plain) -> str:
    """What to write in place of a value, or empty where only its kind says so."""
    expected = problem.message.partition(", but read")[0]
    found = _Found(problem.path, expected, problem.hint, value_at(data, problem.path), data)
    return next(filter(None, (guess(found) for guess in _GUESSES)), "")


def _example(found: _Found) -> str:
    example = _EXAMPLES.get(dotted(found.path)) if found.value is True else None
    return f"write, say, {example}" if example else ""


def _point(found: _Found) -> str:
    """A condition, the baseline, or the points that a sampler tries first."""
    if found.expected == "expected a mapping" and (found.path[-1:] == ("when",) or found.path == ("study", "baseline")):
        return point_meant(found.value, found.data, found.path[:-1])
    is_one = found.expected == "expected a list" and found.path == ("study", "start") and isinstance(found.value, dict)
    return f"write [{flow(found.value)}]" if is_one else ""


def _images(found: _Found) -> str:
    """How many images a share of them is, as `validation: 0.2` and `20 %` say it."""
    if found.path == ("data", "split") and isinstance(found.value, int | float):
        return "how many images are held out is `validation`"
    is_number = found.path in (("data", "validation"), ("data", "train"))
    if not is_number or found.expected != "expected a whole number":
        return ""
    percent = PERCENT.fullmatch(found.value) if isinstance(found.value, str) else None
    share = float(percent[1]) / 100 if percent else found.value
    if isinstance(share, float) and 0 < share < 1:
        from main.data import as_a_number  # with NumPy

        return as_a_number(str(value_at(found.data, ("data", "source")) or "mnist"), share)
    is_none = is_nothing(found.value) and found.path[-1] == "validation"
    return "write how many images; without any, nothing could be compared" if is_none else ""


def _seeds(found: _Found) -> str:
    """A row of seeds, `1-5`, or as Python says it."""
    if found.path[-1:] != ("seeds",) or not isinstance(found.value, str):
        return ""
    seeds: tuple[int, ...] = ()
    if ends := _ROW.fullmatch(found.value):
        seeds = row(int(ends[1]), int(ends[2]))
    elif ends := _RANGE.fullmatch(found.value):
        seeds = row(int(ends[1] or 0), int(ends[2]) - 1)
    return f"write {flow(seeds)}" if seeds else ""


def row(low: int, high: int) -> tuple[int, ...]:
    """Whole numbers from one to another, where they are few enough to be written out; none elsewhere."""
    return tuple(range(low, high + 1)) if high - low < _FEW else ()


def _algorithm(found: _Found) -> str:
    """A pruner that is called a sampler, and the other way round."""
    if found.path == ("study", "sampler") and found.value in tags(AnyPruner):
        return f"that is a pruner: write `pruner: {found.value}`, and a sampler such as tpe"
    is_sampler = found.path == ("study", "pruner") and found.value in tags(AnySampler)
    return f"that is a sampler: write `sampler: {found.value}`" if is_sampler else ""


def _range(found: _Found) -> str:
    """A range in place of choices, and what says that it is logarithmic."""
    if not isinstance(found.value, str):
        return ""
    if found.path[-1:] == ("log",) and "log" in found.value.lower():
        return "write true"
    if found.path[-1:] != ("choices",) or found.expected != "expected a list":
        return ""
    meant = as_a_form(found.value, (int,) if _WHOLE.fullmatch(found.value) else (int, float))
    return f"write the whole of it as {meant}" if meant.startswith("{low: ") else ""


def _call(found: _Found) -> str:
    """An optimizer or a schedule that stands there as a call of Python."""
    if found.path[:1] != ("train",) or len(found.path) < 2 or not found.expected.startswith("unknown value"):
        return ""
    kind = WITHIN["train"].get(str(found.path[1]))
    is_named = kind is not None and "name" in kind.model_fields
    meant = as_a_section(found.value, kind) if isinstance(found.value, str) and kind is not None and is_named else ""
    return f"write {meant}" if meant else ""


def _all(found: _Found) -> str:
    """Every word that may stand there, of somebody who wrote `all`."""
    if found.path[:1] not in (("model",), ("train",)) or found.value not in ("all", "any", "*"):
        return ""
    if found.path[-1:] == ("choices",):
        return "write each of them, [..., ...]"
    allowed = found.hint.removeprefix("allowed: ")
    is_one = allowed != found.hint and "choices" not in found.path
    return f"to try each, write {{choices: [{allowed}]}}" if is_one else ""


def _workers(found: _Found) -> str:
    is_all = found.path == ("run", "workers") and found.value == -1
    return "write auto for as many as there are cores" if is_all else ""


_GUESSES: tuple[Callable[[_Found], str], ...] = (
    _example, _point, _images, _seeds, _algorithm, _range, _call, _all, _workers,
)  # fmt: skip
