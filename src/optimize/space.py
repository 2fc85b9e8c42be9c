"""The search space of a sweep: what is swept, between which values, and how Optuna sees it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from main.config import TrainConfig
from main.yaml12 import Plain, flow
from models import CnnSpec

if TYPE_CHECKING:
    from optuna import Trial
    from optuna.distributions import BaseDistribution

Value = Plain
"""A swept value: null, a boolean, a number, a word, a list (as a tuple) or a mapping."""
Values = Mapping[str, Value]
"""Swept values by full path; a parameter that `when` switched off is absent."""
Condition = Mapping[str, tuple[Value, ...]]
"""By path, the values of other parameters with which a parameter is on."""

_SECTIONS: Mapping[str, type[BaseModel]] = {"model": CnnSpec, "train": TrainConfig}
AS_WRITTEN = "as written"
"""The configuration of a sweep of one, in which nothing is swept and several seeds or folds are trained."""


def label(value: Value) -> str:
    """The text of a value wherever it is shown, as it could stand in the file: `max`, `0.001`, `[32, 64]`."""
    return flow(value)


@dataclass(frozen=True)
class Choices:
    """A parameter that takes one of some values."""

    path: str
    """Where it stands, such as `model.pooling`."""
    values: tuple[Value, ...]
    """In the order of the file."""
    when: Condition = field(default_factory=dict)
    """What must hold for the parameter to be on; empty where it always is."""

    @property
    def first(self) -> Value:
        """The value it has wherever none is asked for."""
        return self.values[0]

    def grid(self) -> tuple[Value, ...]:
        """Its values in a grid."""
        return self.values

    def __contains__(self, value: object) -> bool:
        return any(_same(value, own) for own in self.values)

    def own(self, value: Value) -> Value:
        """The choice that equals `value`: 0.001 for 1e-3, `sgd` for {name: sgd}."""
        return next(own for own in self.values if _same(value, own))

    def written(self) -> dict[str, Any]:
        """As it stands in a file."""
        return {"choices": self.values, **_when(self.when)}

    def __str__(self) -> str:
        return ", ".join(map(label, self.values))

    def distribution(self) -> BaseDistribution:
        """How Optuna sees it: lists and mappings, which it cannot store, as their labels."""
        from optuna.distributions import CategoricalDistribution

        return CategoricalDistribution([_stored(value) for value in self.values])

    def draw(self, trial: Trial) -> Value:
        """The value that the study's sampler draws for a trial."""
        return self.from_optuna(trial.suggest_categorical(self.path, [_stored(v) for v in self.values]))

    def to_optuna(self, value: Value) -> bool | int | float | str | None:
        """What Optuna stores of a value."""
        return _stored(value)

    def from_optuna(self, stored: object) -> Value:
        """The value of which Optuna stored this."""
        return next(value for value in self.values if _stored(value) == stored)


@dataclass(frozen=True)
class Range:
    """A parameter that takes any number between two, both included."""

    path: str
    low: float
    high: float
    log: bool = False
    """Whether each decade is as likely as the next, rather than each unit."""
    step: float | None = None
    """Distance of the values from one another, from `low` on; None where there is none."""
    integer: bool = False
    """Whether only whole numbers are taken."""
    when: Condition = field(default_factory=dict)
    """What must hold for the parameter to be on; empty where it always is."""

    @property
    def first(self) -> Value:
        """The value it has wherever none is asked for."""
        return self.low

    def grid(self) -> tuple[Value, ...]:
        """Its values in a grid.

        Raises:
            ValueError: If it has no step.
        """
        if self.step is None:
            raise ValueError(f"{self.path} is a range without a step, which has no grid")
        count = int((Decimal(repr(self.high)) - Decimal(repr(self.low))) / Decimal(repr(self.step))) + 1
        return tuple(self._at(number) for number in range(count))

    def __contains__(self, value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if self.integer and not isinstance(value, int):
            return False
        return self.low <= value <= self.high and (self.step is None or self._snapped(value) == value)

    def own(self, value: Value) -> Value:
        """`value` as a number of the kind that the range has."""
        assert isinstance(value, int | float)
        return int(value) if self.integer else float(value)

    def written(self) -> dict[str, Any]:
        """As it stands in a file."""
        log = {"log": True} if self.log else {}
        step = {} if self.step is None else {"step": self.step}
        return {"low": self.low, "high": self.high, **log, **step, **_when(self.when)}

    def __str__(self) -> str:
        step = "" if self.step is None else f" in steps of {label(self.step)}"
        return f"{label(self.low)} to {label(self.high)}{step}{', logarithmic' if self.log else ''}"

    def distribution(self) -> BaseDistribution:
        """How Optuna sees it."""
        from optuna.distributions import FloatDistribution, IntDistribution

        if self.integer:
            return IntDistribution(int(self.low), int(self.high), log=self.log, step=int(self.step or 1))
        return FloatDistribution(self.low, self.high, log=self.log, step=self.step)

    def draw(self, trial: Trial) -> Value:
        """The value that the study's sampler draws for a trial."""
        if self.integer:
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return trial.suggest_int(self.path, low, high, log=self.log, step=step)
        return self.from_optuna(trial.suggest_float(self.path, self.low, self.high, log=self.log, step=self.step))

    def to_optuna(self, value: Value) -> bool | int | float | str | None:
        """What Optuna stores of a value."""
        assert isinstance(value, int | float)
        return value

    def from_optuna(self, stored: object) -> Value:
        """The value of which Optuna stored this: 0.3 for the 0.30000000000000004 of its own steps of 0.1."""
        assert isinstance(stored, int | float)
        return int(stored) if self.integer else float(stored) if self.step is None else self._snapped(stored)

    def _snapped(self, value: float) -> float:
        return self._at(round((value - self.low) / (self.step or 1)))

    def _at(self, number: int) -> int | float:
        """The value that many steps above `low`, in decimal arithmetic."""
        value = Decimal(repr(self.low)) + number * Decimal(repr(self.step))
        return int(value) if self.integer else float(value)


Parameter = Choices | Range


@dataclass(frozen=True)
class SearchSpace:
    """All that is swept; a parameter stands after those that its `when` names."""

    parameters: tuple[Parameter, ...]

    def __getitem__(self, path: str) -> Parameter:
        for parameter in self.parameters:
            if parameter.path == path:
                return parameter
        raise KeyError(path)

    def __contains__(self, path: object) -> bool:
        return path in self.paths

    @property
    def paths(self) -> tuple[str, ...]:
        """Full paths of all that is swept."""
        return tuple(parameter.path for parameter in self.parameters)

    def own(self, point: Values) -> dict[str, Value]:
        """The values of a point, each of which lies in the space, as they stand there."""
        return {path: self[path].own(value) for path, value in point.items()}

    def values_of(self, path: str) -> list[Value]:
        """Values that a field takes somewhere in the space, of a range its ends; empty where the field is not swept.

        It is swept by itself, or with a mapping that holds it. What is off, or left out of a mapping, has its default.
        """
        found: list[Value] = []
        default = default_of(path)
        for parameter in self.parameters:
            if parameter.path == path:
                found += parameter.values if isinstance(parameter, Choices) else (parameter.low, parameter.high)
            elif path.startswith(f"{parameter.path}.") and isinstance(parameter, Choices):
                below = path.removeprefix(f"{parameter.path}.")
                found += [_within(choice, below, default) for choice in parameter.values]
            else:
                continue
            found += [default] if parameter.when else []
        return found

    def value_in(self, values: Values, path: str, written: Value) -> Value:
        """What a field is in a configuration: as `values` have it, by itself or in a mapping, where it is swept.

        What is off, or left out of a mapping, has its default; a field that is not swept is as it is `written`.
        """
        for parameter in self.parameters:
            below = path.removeprefix(f"{parameter.path}.")
            if parameter.path == path:
                return values.get(path, default_of(path))
            if below != path:
                return _within(values.get(parameter.path), below, default_of(path))
        return written

    def cells(self) -> Iterator[dict[str, Value]]:
        """Every cell of the grid, later parameters changing fastest; parameters that are off are absent.

        Raises:
            ValueError: If there is a range without a step.
        """
        begun: list[tuple[dict[str, Value], int]] = [({}, 0)]  # and how many parameters have been looked at
        while begun:
            values, depth = begun.pop()
            while depth < len(self.parameters) and not is_on(self.parameters[depth], values):
                depth += 1
            if depth == len(self.parameters):
                yield values
                continue
            parameter = self.parameters[depth]
            begun += [({**values, parameter.path: value}, depth + 1) for value in reversed(parameter.grid())]

    def complete(self, values: Values) -> dict[str, Value]:
        """`values`, with the first choice, or the low end, of every other parameter that is on."""
        filled: dict[str, Value] = {}
        for parameter in self.parameters:
            if is_on(parameter, filled):
                filled[parameter.path] = values.get(parameter.path, parameter.first)
        return filled

    def suggest(self, trial: Trial) -> dict[str, Value]:
        """Values that the study's sampler draws for a trial."""
        values: dict[str, Value] = {}
        for parameter in self.parameters:
            if is_on(parameter, values):
                values[parameter.path] = parameter.draw(trial)
        return values

    def distributions(self) -> dict[str, BaseDistribution]:
        """By path, how Optuna sees each parameter."""
        return {parameter.path: parameter.distribution() for parameter in self.parameters}

    def to_optuna(self, values: Values) -> dict[str, Any]:
        """Values as Optuna stores them."""
        return {path: self[path].to_optuna(value) for path, value in values.items()}

    def from_optuna(self, params: Mapping[str, Any]) -> dict[str, Value]:
        """Values of which Optuna stored `params`."""
        return {path: self[path].from_optuna(stored) for path, stored in params.items()}

    def short_label(self, values: Values) -> str:
        """Some of a configuration's values in one line, under their short names: `pooling=max dropout=0.5`."""
        names = short_names(self.paths)
        return " ".join(f"{names[path]}={label(values[path])}" for path in self.paths if path in values)

    def configuration_label(self, values: Values) -> str:
        """A configuration in one line: `max` where one parameter is swept, else `pooling=max dropout=0.5`."""
        if not self.parameters:
            return AS_WRITTEN
        shown = {path: _shown(self[path], value) for path, value in values.items()}
        if len(self.parameters) == 1:
            return label(next(iter(shown.values())))
        return self.short_label(shown)


def default_of(path: str) -> Value:
    """What a field of `train`, or of the default network, is where nothing is written: `train.epochs`, `model.l2`."""
    section, field_name = path.split(".")
    default: Value = _SECTIONS[section].model_fields[field_name].default
    return default


def _within(choice: Value, path: str, default: Value) -> Value:
    """What a mapping holds at a path, `default` where it holds nothing there."""
    for key in path.split("."):
        if not isinstance(choice, dict) or key not in choice:
            return default
        choice = choice[key]
    return choice


def _shown(parameter: Parameter, value: Value) -> Value:
    """A number that a sampler drew, to six digits: enough to tell draws apart."""
    drawn = isinstance(parameter, Range) and parameter.step is None and isinstance(value, float)
    return float(f"{value:.6g}") if drawn else value


def is_on(parameter: Parameter, values: Values) -> bool:
    """Whether a parameter counts, beside these values of the others."""
    return all(path in values and values[path] in allowed for path, allowed in parameter.when.items())


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """By path, its last part, or as many of its last parts as tell it from the others."""
    paths = tuple(paths)
    names = {}
    for path in paths:
        parts = path.split(".")
        others = [other.split(".") for other in paths if other != path]
        fewest = 2 if parts[-1].isdigit() else 1  # `filters.1`: the number of an element says nothing by itself
        taken = next(n for n in range(fewest, len(parts) + 1) if all(o[-n:] != parts[-n:] for o in others))
        names[path] = ".".join(parts[-taken:])
    return names


def _stored(value: Value) -> bool | int | float | str | None:
    return label(value) if isinstance(value, tuple | dict) else value


def _same(one: object, other: object) -> bool:
    """Whether two values are equal; a boolean is no number, and `sgd` is short for {name: sgd}."""
    one, other = _short(one), _short(other)
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _short(value: object) -> object:
    return value["name"] if isinstance(value, dict) and value.keys() == {"name"} else value


def _when(condition: Condition) -> dict[str, Any]:
    met = {path: allowed[0] if len(allowed) == 1 else allowed for path, allowed in condition.items()}
    return {"when": met} if met else {}
