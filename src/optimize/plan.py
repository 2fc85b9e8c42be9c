"""What a sweep will do, worked out before anything is imported that trains."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, repeat
from math import prod

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from main.checkpoint import KEPT
from main.data import DataError, DataInfo, describe, images_at_once, refuse_unknown, sizes_in_trial
from main.tracing import CACHED_NETWORKS
from optimize.config import SweepConfig
from optimize.cores import threads_to_spare, trials_at_once
from optimize.networks import PlannedNetwork, planned_networks
from optimize.proposals import given_points
from optimize.rules import MOST_TRIALS
from optimize.space import Choices, SearchSpace, Value, label
from optimize.wording import counted

_WORKER_BYTES = 700_000_000
"""Main memory of a worker that has imported TensorFlow and trained nothing yet."""
_FLOAT = 4
_CHECKPOINT_COPIES = 5  # weights, two moments, their average, the best epoch's weights
_COPIES_KEPT = 4  # of a network that waits to be used again: weights, two moments, their average
_COPIES_OF_WEIGHTS = _COPIES_KEPT + 4 + _CHECKPOINT_COPIES  # gradients; what was, what is validated, the best; the file
_MOST_FOLDS_KEPT = 8  # pipelines that a worker keeps
_TRIAL_BYTES = 30_000  # its rows, its outcome, its place in the study
_SWEEP_BYTES = 5_000_000  # charts, report, tables
_MOST_NAMED = 6


@dataclass(frozen=True)
class Plan:
    """How many trials a sweep has, of what, and what they need."""

    config: SweepConfig
    data: DataInfo
    networks: tuple[PlannedNetwork, ...]
    configurations: int
    """Cells of the grid, or draws of the sampler."""
    search_trials: int
    confirm_trials: int
    most_epochs: int
    """Of one trial, unless something stops it."""
    memory: int
    """Bytes of main memory that one worker needs."""
    disk: int
    """Bytes that the results take at most."""

    @property
    def trials(self) -> int:
        """Trainings in all, unless something stops the sweep."""
        return self.search_trials + self.confirm_trials


def make_plan(config: SweepConfig) -> Plan:
    """Work out what a sweep will do; reads of the data only what describes it.

    Raises:
        ConfigError: If its data cannot be used, or if a combination of values makes no network, by line.
    """
    data = described_data(config)
    networks = planned_networks(config, data.input_shape, data.n_classes)
    cells = _configurations(config)
    search, confirm = planned_trials(config)
    return Plan(
        config=config,
        data=data,
        networks=networks,
        configurations=cells,
        search_trials=search,
        confirm_trials=confirm,
        most_epochs=config.most_epochs or config.base.train.epochs,
        memory=_memory(config, data, networks),
        disk=_disk(config, networks, search + confirm),
    )


def planned_trials(config: SweepConfig) -> tuple[int, int]:
    """How many trials the search has, and how many its confirmation, unless something stops the sweep."""
    study = config.study
    search = _configurations(config) * len(study.seeds) * (study.folds or 1)
    return search, study.confirmation_trials


def _configurations(config: SweepConfig) -> int:
    if config.study.sampler.name != "grid":
        return config.study.trials or 0
    return sum(1 for _ in islice(config.space.cells(), MOST_TRIALS))


def undecidable(config: SweepConfig) -> str | None:
    """Why the choices of a sweep's factor can never be told apart; None where they can, or where there is none."""
    if config.study.compare is None:
        return None
    from optimize.factor import too_few  # with SciPy, which a sweep's workers would wait for

    factor = config.space[config.study.compare]
    assert isinstance(factor, Choices)
    most = [MOST_TRIALS] * len(factor.values) if config.study.sampler.name == "grid" else _dealt(config, factor)
    tried = [_configurations_with(config.space, factor, *of) for of in zip(factor.values, most, strict=True)]
    return too_few(factor.path, tried)


def _dealt(config: SweepConfig, factor: Choices) -> list[int]:
    """How many trials of a sampler each value of the factor gets: those of the points that are given, then shares."""
    counts = dict.fromkeys(map(label, factor.values), 0)
    trials = min(config.study.trials or 0, MOST_TRIALS)
    points = given_points(config.study)[:trials]
    given = [label(point[factor.path]) if factor.path in point else None for point in points]
    for choice in [*given, *repeat(None, trials - len(given))]:
        counts[choice or min(counts, key=counts.__getitem__)] += 1
    return list(counts.values())


def _configurations_with(space: SearchSpace, factor: Choices, value: Value, most: int) -> int:
    """How many configurations give the factor a value, `most` at most: a range without a step has as many."""
    cells = SearchSpace(tuple(replace(p, values=(value,)) if p is factor else p for p in space.parameters)).cells()
    try:
        return sum(1 for _ in islice(cells, most))
    except ValueError:
        return most


def described_data(config: SweepConfig) -> DataInfo:
    """The data as each trial sees them: with folds, one of them validates.

    Raises:
        ConfigError: They cannot be had, or are too few for the folds, by line.
    """
    place = ("data", "otherwise")
    try:
        if config.base.data.otherwise is not None:  # now, rather than on the machine that needs it
            refuse_unknown(config.base.data.otherwise)
        place = ("data", "source")
        data = describe(config.base.data)
        place = ("study", "folds")
        n_train, n_validation = sizes_in_trial(data.n_train, data.n_validation, config.study.folds, data.source)
        return replace(data, n_train=n_train, n_validation=n_validation)
    except DataError as error:
        place = ("data", error.field) if place == ("data", "source") else place
        raise config.refusal(place, str(error)) from None


def _memory(config: SweepConfig, data: DataInfo, networks: Collection[PlannedNetwork]) -> int:
    """A worker's own, the images, of the largest network weights and what layers put out, and others' weights."""
    height, width, channels = data.input_shape
    kept = 1 + min(config.study.folds or 0, _MOST_FOLDS_KEPT)  # besides the whole
    images = kept * (data.n_train + data.n_validation) * height * width * channels
    batch = _largest_batch(config)
    parameters = sorted((network.parameters for network in networks), reverse=True)
    others = _COPIES_KEPT * sum(parameters[1:CACHED_NETWORKS])
    largest = 0
    for network in networks:
        training = 2 * batch * network.activations  # outputs, and their gradients
        largest_two = sorted((prod(layer.output_shape) for layer in network.layers), reverse=True)[:2]
        validating = images_at_once(data.input_shape) * sum(largest_two)
        weights = _COPIES_OF_WEIGHTS * network.parameters
        largest = max(largest, _FLOAT * (max(training, validating) + weights))
    return _WORKER_BYTES + images + largest + _FLOAT * others


def _largest_batch(config: SweepConfig) -> int:
    swept = config.space.values_of("train.batch_size")
    return max([config.base.train.batch_size, *(int(value) for value in swept if isinstance(value, int | float))])


def _disk(config: SweepConfig, networks: Iterable[PlannedNetwork], trials: int) -> int:
    """The weights of every trial, the checkpoints of those that train, the model, tables, charts and report."""
    weights = _FLOAT * max(network.parameters for network in networks)
    training = trials_at_once(config.run, trials) if config.run.engine is None else 0  # a cluster writes none here
    checkpoints = training * (KEPT + 1) * _CHECKPOINT_COPIES  # one more while it is written
    return _SWEEP_BYTES + trials * _TRIAL_BYTES + weights * (trials + 1 + checkpoints)


def print_plan(config: SweepConfig, console: Console) -> None:
    """Show what a sweep will do.

    Raises:
        ConfigError: See `make_plan`.
    """
    plan = make_plan(config)
    console.print(Text(config.question, "bold"))
    console.print(_data_line(plan.data), highlight=False)
    if plan.data.notice:
        console.print(Text(plan.data.notice, "bold yellow"))
    if plan.data.remark:
        console.print(Text(plan.data.remark, "yellow"))
    if config.space.parameters or config.origins:
        console.print(_space_table(config))
    for number, network in enumerate(plan.networks, start=1):
        console.print(Text(_network_title(plan, number, network), "bold"), soft_wrap=True)
        console.print(_network_table(network))
    for line in _total_lines(plan):
        console.print(line, highlight=False, soft_wrap=True)


def _data_line(data: DataInfo) -> str:
    shape = " × ".join(map(str, data.input_shape))
    return (
        f"{data.source}: {data.n_train:,} images to train, {data.n_validation:,} to validate, "
        f"{shape}, {data.n_classes} classes"
    )


def _space_table(config: SweepConfig) -> Table:
    table = Table("swept", "values", title="Search space", title_justify="left", box=SIMPLE_HEAD)
    if any(parameter.when for parameter in config.space.parameters):
        table.add_column("when")
    for parameter in config.space.parameters:
        met = [f"{path} is {' or '.join(map(label, allowed))}" for path, allowed in parameter.when.items()]
        cells = (parameter.path, str(parameter), " and ".join(met))[: len(table.columns)]
        table.add_row(*map(Text, cells))
    for path, origin in config.origins.items():
        table.add_row(Text(path), Text(f"{label(config.written(path))}, {origin}"))
    return table


def _network_title(plan: Plan, number: int, network: PlannedNetwork) -> str:
    if len(plan.networks) == 1:
        return "The network of every configuration"
    return f"Network {number} of {len(plan.networks)}: {_configurations_of(plan, network)}"


def _network_table(network: PlannedNetwork) -> Table:
    table = Table(show_footer=True, box=SIMPLE_HEAD)
    table.add_column("layer", footer="total")
    table.add_column("output")
    table.add_column("parameters", footer=f"{network.parameters:,}", justify="right")
    table.add_column("multiply-adds", footer=f"{network.multiply_adds:,}", justify="right")
    for layer in network.layers:
        shape = " × ".join(map(str, layer.output_shape))
        table.add_row(layer.name, shape, *(f"{n:,}" if n else "" for n in (layer.parameters, layer.multiply_adds)))
    return table


def _configurations_of(plan: Plan, network: PlannedNetwork) -> str:
    """`pooling=max or pooling=average`: those of its values that tell it from the other networks."""
    telling = [path for path in plan.config.space.paths if _tells_networks_apart(path, plan.networks)]
    projected = ({path: values[path] for path in telling if path in values} for values in network.values)
    names = list(dict.fromkeys(plan.config.space.short_label(values) for values in projected))
    return " or ".join([*names[:_MOST_NAMED], *([f"{len(names) - _MOST_NAMED} more"] if names[_MOST_NAMED:] else [])])


def _tells_networks_apart(path: str, networks: Iterable[PlannedNetwork]) -> bool:
    """Whether some value of a parameter leads to other networks than another value does."""
    reached: dict[str, set[int]] = {}
    for number, network in enumerate(networks):
        for values in network.values:
            reached.setdefault(label(values[path]) if path in values else "", set()).add(number)
    return any(numbers != next(iter(reached.values())) for numbers in reached.values())


def _total_lines(plan: Plan) -> Iterator[str]:
    study, space, epochs = plan.config.study, plan.config.space, f"up to {plan.most_epochs} epochs"
    lengths = set(space.values_of("train.epochs"))
    stopping = [plan.config.base.train.early_stopping, *space.values_of("train.early_stopping")]
    if len(lengths) < 2 and not any(stopping) and study.pruner is None:
        epochs = "1 epoch" if plan.most_epochs == 1 else f"{plan.most_epochs} epochs"
    if study.range_test is not None:
        test = study.range_test
        yield (
            f"{counted(plan.configurations, 'configuration')} × {counted(len(study.seeds), 'seed')} = "
            f"{counted(plan.search_trials, 'range test')}, "
            f"the rate rising from {test.start:g} to {test.end:g} over {epochs}"
        )
        return
    stops = any(study.stop.model_dump().values())
    trials = ("up to " if study.race or stops else "") + counted(plan.search_trials, "trial")
    times = [counted(plan.configurations, "configuration")]
    if study.sampler.name == "grid":
        times.append(counted(len(study.seeds), "seed"))
        times += [f"{study.folds} folds"] if study.folds else []
        yield f"{' × '.join(times)} = {trials} of {epochs}"
    else:
        first = "; the first is the baseline" if study.baseline and study.confirm is None else ""
        yield f"{trials} of {epochs}, drawn by {study.sampler.name}{first}"
    if study.confirm is not None:
        finalists = counted(study.confirm.top, "finalist") + (" and the baseline" if study.baseline else "")
        fresh = counted(len(study.confirm.seeds), "fresh seed") + (f" × {study.folds} folds" if study.folds else "")
        yield f"then {finalists} on {fresh}: {counted(plan.confirm_trials, 'trial')} more"
    if study.pruner is not None:
        yield f"{study.pruner.name} stops trials that will not win"
    if study.race:
        noun = "folds" if study.folds else "seeds"
        yield f"a race: a choice that can no longer win gets no more {noun}"
    if stops:
        yield "`stop` may end the search sooner"
    if warning := undecidable(plan.config):
        yield warning
    spare = threads_to_spare(plan.config.run, plan.trials)
    if spare is not None:
        yield (
            f"so few trials leave cores idle; `run: {{threads: {spare}}}` would give each trial {spare} "
            "(`plan --time` tells what that saves)"
        )
    yield f"memory: about {_megabytes(plan.memory)} a worker; disk: at most {_megabytes(plan.disk)}"


def _megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"
