"""The distinct networks of a sweep, sized by arithmetic before Keras is imported; and those that cannot be."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import islice

from main.annotations import KeyPath
from main.checking import Problem, complaints
from main.complaints import ConfigError
from main.modelsize import refuse_too_large
from models import ImageShape, ImpossibleNetwork, LayerSize, NetworkSpec, networks
from optimize.combinations import combined, written_path
from optimize.conditions import satisfied, shown
from optimize.config import SweepConfig
from optimize.paths import are_nested, keys_of
from optimize.space import Choices, Parameter, SearchSpace, Value

MOST_LOOKED_AT = 20_000
_ENDS_ALONE = 64  # a range of more numbers than this is looked at where it begins and ends


@dataclass(frozen=True)
class PlannedNetwork:
    """A network that some of a sweep's configurations share."""

    spec: NetworkSpec
    """The first of its specifications; others differ in what leaves no trace in its layers."""
    values: tuple[dict[str, Value], ...]
    """The swept values that lead to it, of those parameters that networks depend on."""
    layers: tuple[LayerSize, ...]

    @property
    def parameters(self) -> int:
        """Numbers in all its layers."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one image's forward pass."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def activations(self) -> int:
        """Numbers that all its layers put out for one image."""
        total = 0
        for layer in self.layers:
            numbers = 1
            for length in layer.output_shape:
                numbers *= length
            total += numbers
        return total


def planned_networks(config: SweepConfig, input_shape: ImageShape, n_classes: int) -> tuple[PlannedNetwork, ...]:
    """Every distinct network of a sweep, in the order of the grid.

    Of ranges the ends are looked at, and all steps and whole numbers between where they are few. Where these make more
    than 20,000 combinations, each value is looked at with all else as it is first, and combinations of choices and of
    the ends of ranges only; of more than 20,000 of these pairs of values, 20,000 of them, so that a network which takes
    three values to become impossible may pass.

    Args:
        config: The sweep.
        input_shape: Height, width and channels of an image.
        n_classes: Number of classes.

    Raises:
        ConfigError: With every combination for which images of this size leave a layer nothing, or a model file no
            room, by line.
    """
    specs: dict[str, tuple[NetworkSpec, list[dict[str, Value]]]] = {}
    for values in _configurations(config.space):
        spec = config.concrete(config.space.complete(values)).model
        specs.setdefault(spec.model_dump_json(), (spec, []))[1].append(values)
    found: dict[tuple[LayerSize, ...], PlannedNetwork] = {}
    impossible: dict[tuple[object, ...], list[Problem]] = {}
    for spec, configurations in specs.values():
        try:
            layers = refuse_too_large(spec.layers(input_shape, n_classes))
        except ImpossibleNetwork as error:
            problem = _impossible(config.space, configurations[0], error)
            impossible.setdefault((problem.path, problem.message), []).append(problem)
            continue
        known = found.get(layers)
        before = known.values if known else ()
        found[layers] = PlannedNetwork(known.spec if known else spec, (*before, *configurations), layers)
    if impossible:
        problems = [_first_of(group) for group in impossible.values()]
        raise ConfigError(complaints(config.document, problems))
    return tuple(found.values())


def _configurations(space: SearchSpace) -> Collection[dict[str, Value]]:
    """Every combination of what the sizes of layers depend on, or, of too many, each value and what `combined` has."""
    deciding = _deciding(space)
    every = [Choices(p.path, _values(p), p.when) for p in deciding.parameters]
    cells = list(islice(SearchSpace(tuple(every)).cells(), MOST_LOOKED_AT + 1))
    if len(cells) <= MOST_LOOKED_AT:
        return cells
    alone = [satisfied(deciding, {p.path: value}) for p in every for value in p.values]
    together = islice(combined(deciding, MOST_LOOKED_AT), MOST_LOOKED_AT)
    return {shown(values): values for values in (*alone, *together)}.values()


def _deciding(space: SearchSpace) -> SearchSpace:
    """What of a space the sizes of layers depend on, and what the `when` of these names."""
    needed = set(filter(_decides_sizes, space.paths))
    for parameter in reversed(space.parameters):  # a parameter stands after those that its `when` names
        if parameter.path in needed:
            needed |= set(parameter.when)
    return SearchSpace(tuple(parameter for parameter in space.parameters if parameter.path in needed))


def _decides_sizes(path: str) -> bool:
    """Whether some network may have other layers for another value at this path."""
    section, *keys = keys_of(path)
    if section != "model" or not keys:
        return section == "model"
    return any(keys[0] in spec.model_fields and keys[0] not in spec.sizeless for spec in networks().values())


def _values(parameter: Parameter) -> tuple[Value, ...]:
    if isinstance(parameter, Choices):
        return parameter.values
    stepped = replace(parameter, step=parameter.step or 1) if parameter.integer else parameter
    if stepped.step is None or (stepped.high - stepped.low) / stepped.step >= _ENDS_ALONE:
        return (stepped.low, stepped.high)
    return stepped.grid()


def _impossible(space: SearchSpace, values: dict[str, Value], error: ImpossibleNetwork) -> Problem:
    """The complaint, at the field that makes a network impossible, or at a swept value beside it, with the values."""
    field = keys_of(f"model.{error.field}")
    swept = next((path for path in values if are_nested(keys_of(path), field)), None)
    place = field
    if swept:
        place = (*written_path(space[swept], values[swept]), *field[len(keys_of(swept)) :])
    return Problem(place, str(error), shown({path: v for path, v in values.items() if path != swept}))


def _first_of(group: list[Problem]) -> Problem:
    """One complaint of several combinations that fail alike, naming the first."""
    first, others = group[0], len(group) - 1
    more = f", and {others} more" if others else ""
    beside = f", with {first.hint}{more}" if first.hint else ""
    return first._replace(message=f"{first.message}{beside}", hint=_way_out(first.path))


def _way_out(place: KeyPath) -> str:
    """What to write instead of what makes a network impossible."""
    if "network" in place or len(place) == 1:
        return "write fewer layers, or smaller ones"
    if "choices" in place or place[-1] in ("low", "high"):
        return "leave it out, say with `when` what it is for, or write `padding: same`"
    return "write a smaller one, fewer convolutions, or `padding: same`"
