"""`when`: with which values of other parameters a parameter counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from main.checking import Problem, unknown_value
from main.nearest import nearest_to
from main.yaml12 import Plain, flow
from optimize.paths import keys_of
from optimize.space import Choices, Parameter, SearchSpace, Value, label


def conditioned(
    parameters: Iterable[Parameter], conditions: Mapping[str, Mapping[str, Plain]]
) -> tuple[SearchSpace, list[Problem]]:
    """The search space of parameters with their `when`, each after those that its own names.

    Args:
        parameters: In the order of the file, without conditions.
        conditions: By path, `when` as it is written.
    """
    swept = {parameter.path: parameter for parameter in parameters}
    problems: list[Problem] = []
    for path, when in conditions.items():
        met: dict[str, tuple[Value, ...]] = {}
        for other, wanted in when.items():
            found = _allowed(swept, path, other, wanted)
            if isinstance(found, Problem):
                problems.append(found)
            else:
                met[other] = found
        swept[path] = replace(swept[path], when=met)
    ordered, circular = _ordered(swept)
    problems += [
        Problem((*keys_of(path), "when"), f"waits for itself: {' needs '.join(circle)}")
        for path, circle in circular.items()
    ]
    space = SearchSpace(ordered)
    return space, problems or list(_never_met(space))


def _allowed(swept: Mapping[str, Parameter], path: str, other: str, wanted: Plain) -> tuple[Value, ...] | Problem:
    """The choices of `other` that `wanted` names, or what is wrong with it."""
    where = (*keys_of(path), "when", other)
    if other not in swept:
        return Problem(where, *not_swept(other, swept, ", so that it decides nothing"), at_key=True)
    parent = swept[other]
    if not isinstance(parent, Choices):
        return Problem(where, "a range; only choices decide whether another parameter counts", at_key=True)
    if wanted in parent:
        return (parent.own(wanted),)
    several = wanted if isinstance(wanted, tuple) and wanted else (wanted,)
    for value in several:
        if value not in parent:
            message, hint = unknown_value(value, parent.values)
            meant = next((own for own in parent.values if isinstance(own, dict) and own.get("name") == value), None)
            return Problem(where, message, hint if meant is None else f"write {flow(meant)}")
    return tuple(map(parent.own, several))


def _ordered(swept: Mapping[str, Parameter]) -> tuple[tuple[Parameter, ...], dict[str, list[str]]]:
    """Parameters after those they depend on; and, by path, the circles in which some depend on themselves."""
    ordered: dict[str, Parameter] = {}
    waiting = dict(swept)
    while ready := [p for p in waiting.values() if all(other in ordered for other in p.when)]:
        first = ready[0]  # one at a time: a parameter that waits for none keeps its place in the file
        ordered[first.path] = waiting.pop(first.path)
    circles = {path: _circle(path, waiting) for path in waiting}
    return (*ordered.values(), *waiting.values()), {path: way for path, way in circles.items() if way}


def _circle(path: str, swept: Mapping[str, Parameter]) -> list[str]:
    """The way from a parameter back to itself, empty where there is none."""
    ways = [[path]]
    seen: set[str] = set()
    while ways:
        way = ways.pop(0)
        for other in swept[way[-1]].when:
            if other == path:
                return [*way, path]
            if other in swept and other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return []


def not_swept(path: str, swept: Iterable[str], consequence: str = "") -> tuple[str, str]:
    """Message and hint about a path that is none of those that are swept."""
    paths = tuple(swept)
    lasts = {known.split(".")[-1]: known for known in paths}
    near = nearest_to(path.split(".")[-1], lasts)
    meant = f"; did you mean '{lasts[near]}'?" if near else ""
    if above := next((known for known in paths if path.startswith(f"{known}.")), None):  # train.optimizer.name
        meant = f"; did you mean '{above}'?"
    if below := next((known for known in paths if known.startswith(f"{path}.")), None):  # of `model: {pooling: max}`
        meant = f"; write a whole path, such as {below}"
    return f"'{path[:80]}' is not swept{consequence}{meant}", f"swept here: {', '.join(paths) or 'nothing'}"


def satisfied(space: SearchSpace, values: Mapping[str, Value]) -> dict[str, Value]:
    """A configuration with `values`, and with what they need to count; all else is as it is first."""
    needed = {other: _common(conditions) for other, conditions in _needed(space, values).items()}
    chosen = {other: common[0] for other, common in needed.items() if common}
    return space.complete({**chosen, **values})


def turned_off(space: SearchSpace, values: Mapping[str, Value]) -> list[str]:
    """Which of `values` do not count beside the others, by their own `when` or by one above."""
    return [
        path
        for path in values
        if any(
            other in values and values[other] not in _common(conditions)
            for other, conditions in _needed(space, [path]).items()
        )
    ]


def _needed(space: SearchSpace, paths: Iterable[str]) -> dict[str, list[tuple[Value, ...]]]:
    """By path, what each `when` allows that must hold for some parameters to count, their own and those above."""
    needed: dict[str, list[tuple[Value, ...]]] = {}
    pending = list(paths)
    while pending:
        for other, allowed in space[pending.pop()].when.items():
            if other not in needed:
                pending.append(other)
            needed.setdefault(other, []).append(allowed)
    return needed


def _common(conditions: list[tuple[Value, ...]]) -> list[Value]:
    """The values that all conditions allow."""
    return [value for value in conditions[0] if all(value in allowed for allowed in conditions)]


def _never_met(space: SearchSpace) -> Iterator[Problem]:
    """Each `when` that no configuration meets, but for those that only wait for such a parameter."""
    never: set[str] = set()
    for parameter in space.parameters:  # each after those that its `when` names
        for other, conditions in _needed(space, [parameter.path]).items():
            if _common(conditions) or parameter.path in never:
                continue
            if never.isdisjoint(parameter.when):
                asked = ", and to be ".join(dict.fromkeys(" or ".join(map(label, allowed)) for allowed in conditions))
                yield Problem((*keys_of(parameter.path), "when"), f"is never met: it needs {other} to be {asked}")
            never.add(parameter.path)


def shown(values: Mapping[str, Value]) -> str:
    """`model.pooling: max, train.loss: mse`."""
    return ", ".join(f"{path}: {label(value)}" for path, value in values.items())
