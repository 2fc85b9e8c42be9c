"""Takes choices, ranges and winners out of the plain data of a file; each leaves its first value in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from main.annotations import KeyPath, annotation_at, dotted, kinds, value_at
from main.checking import Problem, check, unknown_key
from main.config import Section, TrainConfig
from main.yaml12 import Plain, flow, plain
from models import CnnSpec, networks
from optimize.advice.otherforms import as_a_form
from optimize.forms import FORM_KEYS, FORMS, USAGE, ChoicesForm, RangeForm, WinnerForm, form_of, forms_within
from optimize.paths import SWEEPABLE, keys_of, removed
from optimize.space import Choices, Parameter, Range, label


@dataclass
class Extraction:
    """The concrete values of a file's `model` and `train`, and what stood in place of some."""

    sections: dict[str, Plain]
    """Plain data of `model` and `train`, with the first value of all that is swept."""
    parameters: list[Parameter] = field(default_factory=list)
    """In the order of the file; their conditions are not looked at yet."""
    conditions: dict[str, dict[str, Plain]] = field(default_factory=dict)
    """By path, `when` as it is written."""
    origins: dict[str, str] = field(default_factory=dict)
    """By path, where a value comes from that another sweep decides."""
    places: dict[KeyPath, KeyPath] = field(default_factory=dict)
    """By path, where in the file a value stands that holds until another sweep decides it."""
    problems: list[Problem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    """Paths of values that cannot be told, as what stands in their place is wrong; they are left out."""

    def is_about_broken(self, problem: Problem) -> bool:
        """Whether a problem only follows from what could not be told."""
        path = dotted(problem.path)
        return any(broken == path or broken.startswith(f"{path}.") for broken in self.broken)

    def located(self, problem: Problem) -> Problem:
        """A problem with a value that stands elsewhere than at its path, where it stands."""
        for path, place in self.places.items():
            below = problem.path[len(path) :]
            if problem.path[: len(path)] == path and (below or not problem.at_key):
                return problem._replace(path=(*place, *below))
        return problem


class _Broken:
    """Stands for a value that cannot be told."""


_BROKEN = _Broken()


def extract(sections: Mapping[str, Plain], results: Path) -> Extraction:
    """Take all choices, ranges and winners out of the plain data of `model` and `train`.

    Args:
        sections: A file's plain data, by section.
        results: The parent of the other sweeps' folders.
    """
    extractor = _Extractor(sections, results)
    found = extractor.found
    for section in SWEEPABLE:
        written = sections.get(section, {})
        value = extractor.walk(written, (section,)) if isinstance(written, dict) else written
        found.sections[section] = {} if isinstance(value, _Broken) else value
    _leave_out_what_waits_for_broken(found)
    return found


def _leave_out_what_waits_for_broken(found: Extraction) -> None:
    """A parameter cannot be told either whose `when` names what cannot be told."""
    while waiting := [path for path, when in found.conditions.items() if found.broken & set(when)]:
        for path in waiting:
            found.broken.add(path)
            del found.conditions[path]
            sections: Any = removed(found.sections, keys_of(path))
            found.sections = sections
            found.parameters = [parameter for parameter in found.parameters if parameter.path != path]


class _Extractor:
    def __init__(self, sections: Mapping[str, Plain], results: Path) -> None:
        self.found = Extraction({})
        self._sections = sections
        self._results = results
        self._models: dict[str, tuple[type[BaseModel], ...]] = {
            "model": _possible_networks(value_at(dict(sections), ("model", "network"))),
            "train": (TrainConfig,),
        }
        self._forms: dict[type[Section], Callable[[Any, KeyPath], Plain | _Broken]] = {
            ChoicesForm: self._choices,
            RangeForm: self._range,
            WinnerForm: self._winner,
        }

    def walk(self, value: Plain, path: KeyPath) -> Plain | _Broken:
        """`value` with the first value of all that is swept in it; what was swept is noted."""
        if isinstance(value, tuple):
            return self._list(value, path)
        if not isinstance(value, dict):
            return value
        form = form_of(value)
        if form is not None:
            return self._form(form, value, path)
        if value and self._takes_no_mapping(path):
            return self._misspelt(value, path)
        walked = {key: self.walk(item, (*path, key)) for key, item in value.items()}
        return {key: item for key, item in walked.items() if not isinstance(item, _Broken)}

    def _list(self, value: tuple[Plain, ...], path: KeyPath) -> Plain | _Broken:
        if len(value) == 1 and form_of(value[0]) is not None and self._takes_no_list(path):
            message = "stands in brackets, and is no list"
            return self._broken(path, Problem(path, message, f"write {flow(value[0])}"))
        items = [self.walk(item, (*path, index)) for index, item in enumerate(value)]
        whole = tuple(item for item in items if not isinstance(item, _Broken))
        if len(whole) == len(items):
            return whole
        below = f"{dotted(path)}."  # the list goes, and what was noted in it with it
        self.found.parameters = [p for p in self.found.parameters if not p.path.startswith(below)]
        self.found.conditions = {p: when for p, when in self.found.conditions.items() if not p.startswith(below)}
        return _BROKEN

    def _form(self, form: type[Section], value: dict[str, Plain], path: KeyPath) -> Plain | _Broken:
        if beside := self._beside_a_whole(value, path):
            return self._broken(path, beside)
        read, problems = check(form, value, path)
        if form is RangeForm and not any(isinstance(item, dict) for key, item in value.items() if key != "when"):
            meant = as_a_form(value, self._kinds(path))
            problems = [p._replace(hint=f"write {meant}") if meant and p.at_key else p for p in problems]
        message = "a choice holds no choices of its own; sweep it by itself, with `when`"
        choices = value.get("choices")
        inner = forms_within(choices) if isinstance(choices, tuple) else ()
        problems += [Problem((*path, "choices", *below), message) for below in inner]
        if "when" in value and isinstance(path[-1], int):
            message = "an element of a list is always there; sweep the whole list"
            problems.append(Problem((*path, "when"), message))
        if read is None or problems:
            return self._broken(path, *problems)
        return self._forms[form](read, path)

    def _beside_a_whole(self, value: dict[str, Plain], path: KeyPath) -> Problem | None:
        """A form that stands for a whole section, beside keys of that section: it is too far to the left."""
        models = self._models[str(path[0])] if len(path) == 1 else ()
        own = [key for key in value if any(key in model.model_fields for model in models)]
        if not own:
            return None
        key = next(key for key in FORMS if key in value)
        message = f"stands for the whole of `{path[0]}`, yet beside {', '.join(own)}"
        return Problem((*path, key), message, "indent it under the key that it is for", at_key=True)

    def _choices(self, form: ChoicesForm, path: KeyPath) -> Plain:
        self._note(Choices(dotted(path), form.choices), form.when)
        first: Plain = form.choices[0]
        return first

    def _range(self, form: RangeForm, path: KeyPath) -> Plain | _Broken:
        allowed = self._kinds(path)
        if allowed and not allowed & {int, float}:
            message = "takes no number, so that it has no range; write {choices: [...]}"
            of_numbers = {int, float} & self._kinds((*path, 0)) if tuple in allowed else set()
            ends = f"{{choices: [[{flow(form.low)}], [{flow(form.high)}]]}}"
            hint = f"each of them a list, such as {ends}" if of_numbers else ""
            return self._broken(path, Problem(path, message, hint))
        integer = bool(allowed) and float not in allowed
        if integer and form.step is not None and not isinstance(form.step, int):
            message = f"takes whole numbers, but the step is {flow(form.step)}"
            return self._broken(path, Problem((*path, "step"), message))
        low, high = (end if integer else float(end) for end in (form.low, form.high))
        step = form.step if integer or form.step is None else float(form.step)
        self._note(Range(dotted(path), low, high, form.log, step, integer), form.when)
        return low

    def _winner(self, form: WinnerForm, path: KeyPath) -> Plain | _Broken:
        from optimize.results import Results

        folder, place = self._results / form.winner, (*path, "winner")
        try:
            verdict = Results(folder).verdict()
        except (OSError, ValueError) as error:
            return self._broken(path, Problem(place, f"its verdict cannot be read: {error}"))
        if verdict is not None:
            return self._decided(verdict, form, path)
        for key in ("otherwise", "over"):
            if key in form.model_fields_set:
                self.found.origins[dotted(path)] = f"as long as {form.winner} has no verdict"
                self.found.places[path] = (*path, key)
                return plain(getattr(form, key))
        message = no_verdict_in(folder)
        hint = f"run it first, or say what to take until then: {{winner: {form.winner}, otherwise: ...}}"
        return self._broken(path, Problem(place, message, hint))

    def _decided(self, verdict: dict[str, Any], form: WinnerForm, path: KeyPath) -> Plain | _Broken:
        name, sweep, values = dotted(path), form.winner, verdict.get("values")
        if not isinstance(values, dict) or name not in values:
            decided = ", ".join(values) if isinstance(values, dict) and values else "nothing"
            return self._broken(path, Problem((*path, "winner"), f"the sweep '{sweep}' decided {decided}, not {name}"))
        if "over" not in form.model_fields_set or plain(form.over) == plain(values[name]):
            self.found.origins[name] = f"the winner of {sweep}"
            return plain(values[name])
        separable = _separable_from_the_winner(verdict)
        stays = next((choice for choice in separable if _is_choice(form.over, choice)), label(plain(form.over)))
        if len(values) > 1 or stays not in separable:
            message = f"the winner of '{sweep}' was not compared with {stays}"
            hint = f"it was compared with {', '.join(separable) or 'nothing'}"
            return self._broken(path, Problem((*path, "over"), message, hint))
        if separable[stays]:
            self.found.origins[name] = f"the winner of {sweep}, separable from {stays}"
            return plain(values[name])
        self.found.origins[name] = f"from which {verdict['winner']}, the winner of {sweep}, is not separable"
        return plain(form.over)

    def _misspelt(self, value: dict[str, Plain], path: KeyPath) -> _Broken:
        """A mapping where none can stand, as the key of a form in it is misspelt."""
        if meant := as_a_form(value, self._kinds(path)):
            other = next((key for key in value if key not in FORM_KEYS), next(iter(value)))
            message, _ = unknown_key(other, [key for key in FORM_KEYS if f"{key}: " in meant])
            return self._broken(path, Problem((*path, other), message, f"write {meant}", at_key=True))
        beside = "stands beside `choices`, or `low` and `high`"
        wrong = [key for key in value if key not in FORM_KEYS]
        messages = {key: unknown_key(key, FORM_KEYS)[0] for key in wrong} or dict.fromkeys(value, beside)
        return self._broken(
            path, *(Problem((*path, key), message, USAGE, at_key=True) for key, message in messages.items())
        )

    def _broken(self, path: KeyPath, *problems: Problem) -> _Broken:
        self.found.problems += problems
        self.found.broken.add(dotted(path))
        return _BROKEN

    def _note(self, parameter: Parameter, when: dict[str, Plain] | None) -> None:
        self.found.parameters.append(parameter)
        if when:
            self.found.conditions[parameter.path] = when

    def _takes_no_mapping(self, path: KeyPath) -> bool:
        allowed = self._kinds(path)
        return bool(allowed) and dict not in allowed

    def _takes_no_list(self, path: KeyPath) -> bool:
        allowed = self._kinds(path)
        return bool(allowed) and tuple not in allowed

    def _kinds(self, path: KeyPath) -> frozenset[type]:
        """The types that the value at `path` may have, in any network that the file may mean."""
        section = self._sections.get(str(path[0]), {})
        annotations = (annotation_at(model, path[1:], section) for model in self._models[str(path[0])])
        return frozenset().union(*(kinds(annotation) for annotation in annotations))


def no_verdict_in(folder: Path) -> str:
    """What is said of a winner whose sweep, with its results in `folder`, has not been run."""
    return f"the sweep '{folder.name}' has no verdict in {folder}"


def _possible_networks(written: Plain) -> tuple[type[BaseModel], ...]:
    """The networks that `model.network` may name; the default where it names none that is known.

    Another sweep may have decided on any.
    """
    known = networks()
    if form_of(written) is WinnerForm:
        return tuple(known.values())
    names = written.get("choices") if isinstance(written, dict) else (written,)
    words = [name for name in names if isinstance(name, str)] if isinstance(names, tuple) else []
    return tuple(known[name] for name in words if name in known) or (CnnSpec,)


def _separable_from_the_winner(verdict: dict[str, Any]) -> dict[str, bool]:
    """By choice that a stored verdict names beside its winner, whether the winner is separably the better one.

    Of choices with a single seed each there are no pairs, and none is separable.
    """
    choices, pairs, winner = verdict.get("choices"), verdict.get("pairs"), verdict.get("winner")
    found = {}
    for choice in choices if isinstance(choices, list) else []:
        if isinstance(choice, dict) and choice.get("choice") != winner:
            found[str(choice.get("choice"))] = False
    for pair in pairs if isinstance(pairs, list) else []:
        if isinstance(pair, dict) and winner in (pair.get("better"), pair.get("worse")):
            ahead = pair.get("better") == winner
            found[str(pair.get("worse" if ahead else "better"))] = ahead and pair.get("decided") is True
    return found


def _is_choice(value: Plain, choice: str) -> bool:
    """Whether a value is the choice of that label; numbers may be written in several ways."""
    if label(plain(value)) == choice:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return float(choice) == value
    except ValueError:
        return False
