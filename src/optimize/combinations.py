"""Checks choices by putting each of them, and their combinations, into the concrete configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, islice, product

from pydantic import BaseModel

from main.annotations import KeyPath, dotted
from main.checking import REQUIRED, UNTAKEN, Problem, check
from main.config import TrainConfig, check_model
from main.yaml12 import Plain
from optimize.conditions import satisfied, shown
from optimize.paths import SWEEPABLE, keys_of, placed, removed
from optimize.space import Choices, Parameter, SearchSpace, Value, Values, label

MOST_COMBINATIONS = 2_000
_ENOUGH_PROBLEMS = 10
_BESIDE_SOME = "write {{choices: [...], when: {{{}: ...}}}}, with those that take it"
Sections = Mapping[str, Plain]


def substituted(sections: Sections, space: SearchSpace, values: Values) -> dict[str, Plain]:
    """Plain sections with `values` in their places; what is off is taken out, and has its default."""
    result: Plain = dict(sections)
    for parameter in space.parameters:
        keys, is_on = keys_of(parameter.path), parameter.path in values
        result = placed(result, keys, values[parameter.path]) if is_on else removed(result, keys)
    assert isinstance(result, dict)
    return {**{section: {} for section in SWEEPABLE}, **result}  # one may be off as a whole


def written_path(parameter: Parameter, value: Value) -> KeyPath:
    """Where a value of a parameter stands in the file: among the choices, or at an end of the range."""
    keys = keys_of(parameter.path)
    if isinstance(parameter, Choices):
        shown_as = label(value)  # by which 0 is not false, nor 3.0, which is no whole number, 3
        return (*keys, "choices", next(n for n, own in enumerate(parameter.values) if label(own) == shown_as))
    ends = {parameter.low: "low", parameter.high: "high"}
    return (*keys, ends[value]) if isinstance(value, int | float) and value in ends else keys


def check_combinations(sections: Sections, space: SearchSpace) -> list[Problem]:
    """Everything that is wrong with some of the configurations that a search space allows.

    Each choice, and both ends of each range, is tried with all else as it is first. Where all of these hold,
    so are the cells of the grid, or, where they are too many, pairs of choices: the rules of the concrete
    sections are about two values at most.

    Args:
        sections: Plain data of `model` and `train`.
        space: What is swept in them.
    """
    checker = _Checker(sections, space)
    checker.probe(space.complete({}), {})
    unknown = {problem.path for problem in checker.problems.values() if problem.at_key}
    for parameter in space.parameters:
        if keys_of(parameter.path) not in unknown:
            checker.try_each(parameter)
    if not checker.problems:
        for values in islice(combined(space, MOST_COMBINATIONS), MOST_COMBINATIONS):
            checker.probe(values, values)
            if len(checker.problems) >= _ENOUGH_PROBLEMS:
                break
    return list(checker.problems.values())


class _Checker:
    def __init__(self, sections: Sections, space: SearchSpace) -> None:
        self.problems: dict[tuple[KeyPath, str], Problem] = {}
        self._sections, self._space = sections, space

    def probe(self, values: Values, blamed: Values) -> dict[str, BaseModel | None]:
        """Note what is wrong with one configuration, saying of `blamed` what stands elsewhere.

        Returns:
            The concrete sections, None where they are wrong.
        """
        concrete = substituted(self._sections, self._space, values)
        model, problems = check_model(concrete["model"])
        train, more = check(TrainConfig, concrete["train"], ("train",))
        for problem in (*problems, *more):
            self._note(problem, values, blamed)
        return {"model": model, "train": train}

    def try_each(self, parameter: Parameter) -> None:
        """Note what is wrong with each value of a parameter, and which of its choices are the same."""
        section = parameter.path.split(".")[0]
        earlier: list[tuple[str, BaseModel | None]] = []
        for value in _tried(parameter):
            chosen, shown_as = {parameter.path: value}, label(value)
            made = self.probe(satisfied(self._space, chosen), chosen)[section]
            for other, same in earlier:
                if other == shown_as or (made is not None and made == same):
                    keys = (*keys_of(parameter.path), "choices", len(earlier))
                    problem = Problem(keys, f"{shown_as} is the same as {other}; each choice stands once")
                    self.problems[keys, problem.message] = problem
                    break
            earlier.append((shown_as, made))

    def _note(self, problem: Problem, values: Values, blamed: Values) -> None:
        if (problem.path, problem.message) in self.problems:
            return  # nothing swept is to blame: the first probe found it too
        if problem.message == REQUIRED and dotted(problem.path) in self._space:
            problem = Problem(problem.path, "has no default for when its `when` turns it off")
        swept = next((path for path in values if keys_of(path) == problem.path[: len(keys_of(path))]), None)
        below = problem.path[len(keys_of(swept)) :] if swept is not None else ()
        if swept is not None and (below or not problem.at_key):
            problem = problem._replace(path=(*written_path(self._space[swept], values[swept]), *below))
        key = problem.path, problem.message
        others = {path: value for path, value in blamed.items() if path != swept}
        if others:
            name = next((path for path in others if path.endswith(".name")), "")
            hint = _BESIDE_SOME.format(name) if name and UNTAKEN in problem.message else problem.hint
            problem = problem._replace(message=f"{problem.message}, with {shown(others)}", hint=hint)
        self.problems.setdefault(key, problem)


def combined(space: SearchSpace, most: int) -> Iterator[dict[str, Value]]:
    """All combinations of choices and of the ends of ranges; of more than `most`, those of each pair of values.

    What a pair needs to count goes with it; all else is then as it is first.
    """
    tried = SearchSpace(tuple(Choices(p.path, _tried(p), p.when) for p in space.parameters))
    cells = list(islice(tried.cells(), most + 1))
    if len(cells) <= most:
        yield from cells
        return
    for one, other in combinations(tried.parameters, 2):
        for value, another in product(_tried(one), _tried(other)):
            yield satisfied(space, {one.path: value, other.path: another})


def _tried(parameter: Parameter) -> tuple[Value, ...]:
    return parameter.values if isinstance(parameter, Choices) else (parameter.low, parameter.high)
