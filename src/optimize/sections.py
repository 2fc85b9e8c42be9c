"""The sections that only a sweep has: `study`, which trials there are, and `run`, where they train."""

from __future__ import annotations

import re
from itertools import count, islice
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from main.checking import Mistake
from main.config import Section, named
from main.history import DIRECTIONS, Direction, Metric
from optimize.algorithms import AnyPruner, AnySampler, GridSampler, PrunerName, SamplerName
from optimize.units import Duration, Size

Seed = Annotated[int, Field(ge=0, lt=2**32)]
MOST_SEEDS = 1000
_DEFAULT_SEEDS, _DEFAULT_FINALISTS = 5, 3


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_SEEDS


def _counted(value: object) -> object:
    """A number of seeds as these seeds: `3` is `[0, 1, 2]`."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not _is_count(value):
            raise ValueError(f"must be 1 to {MOST_SEEDS:,}, but read the number {str(value)[:20]}")
        return tuple(range(value))
    return value


def _distinct(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(value)) < len(value):
        raise ValueError(f"each seed counts once, but read {list(value[:20])}")
    return value


Seeds = Annotated[
    tuple[Seed, ...],
    Field(min_length=1, max_length=MOST_SEEDS),
    AfterValidator(_distinct),
    BeforeValidator(
        _counted,
        json_schema_input_type=Annotated[int, Field(ge=1, le=MOST_SEEDS)]
        | Annotated[tuple[Seed, ...], Field(min_length=1, max_length=MOST_SEEDS)],
    ),
]
"""Seeds; a number of them in a file."""


class StopConfig(Section):
    """When no more trials are started; whichever comes first."""

    time: Duration = None
    """Wall time of this run: seconds, or a duration such as `30m`."""
    target: float | None = None
    """A metric that is good enough."""
    no_improvement: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Trials in a row that do not improve the best metric."""


class ConfirmConfig(Section):
    """How the search's best are trained again, on seeds that it has not seen, before one of them wins."""

    top: Annotated[int, Field(ge=1, le=1000)] = _DEFAULT_FINALISTS
    """How many configurations are trained again, besides the baseline."""
    seeds: Seeds = tuple(range(1, _DEFAULT_SEEDS + 1))
    """On which seeds: a list, or how many that the search does not use."""


class RangeTestConfig(Section):
    """A learning-rate range test: instead of trials, short trainings whose rate rises from batch to batch."""

    start: Annotated[float, Field(gt=0, le=1e3)] = 1e-7
    """Learning rate of the first batch."""
    end: Annotated[float, Field(gt=0, le=1e3, validate_default=True)] = 10.0
    """Learning rate of the last batch; between the two it rises exponentially, over all `epochs`."""

    @field_validator("end")
    @classmethod
    def _above(cls, value: float, info: ValidationInfo) -> float:
        start = info.data.get("start")
        if start is not None and value <= start:
            raise ValueError(f"`end` must be above `start`, but they are {value:g} and {start:g}")
        return value


def _without_none(value: object) -> object:
    """`none`, of pruners, as null."""
    return None if value in ("none", {"name": "none"}) else named(value)


def _default_seeds(data: dict[str, Any]) -> tuple[int, ...]:
    several = isinstance(data.get("sampler"), GridSampler) and data.get("folds") is None
    return tuple(range(_DEFAULT_SEEDS)) if several else (0,)


def _default_confirm(data: dict[str, Any]) -> ConfirmConfig | None:
    if isinstance(data.get("sampler", GridSampler()), GridSampler):
        return None
    top = min(_DEFAULT_FINALISTS, data.get("trials") or _DEFAULT_FINALISTS)
    return ConfirmConfig(top=top, seeds=_fresh_seeds(data, _DEFAULT_SEEDS))


def _fresh_seeds(data: dict[str, Any], n: int) -> tuple[int, ...]:
    """The first `n` seeds that the search does not use."""
    used = set(data.get("seeds") or (0,))
    return tuple(islice((seed for seed in count() if seed not in used), n))


class StudyConfig(Section):
    """Which trials there are, and how they are compared."""

    metric: Metric = "val_accuracy"
    """What is compared, each trial's best epoch; accuracy is maximised, the others minimised."""
    sampler: Annotated[AnySampler, BeforeValidator(named, json_schema_input_type=SamplerName | AnySampler)] = (
        GridSampler()
    )
    """Which configurations are tried: a name, or a mapping of its name and arguments."""
    trials: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Trials of the search in all, which resuming counts toward; of every sampler but grid."""
    folds: Annotated[int, Field(ge=2, le=100)] | None = None
    """Stratified folds of all images outside the test set, each of which validates once per seed; of a grid."""
    seeds: Seeds = Field(default_factory=_default_seeds)
    """Seeds on which a grid trains each configuration: a list, or how many (5 unless written, 1 beside `folds`); others
    use one."""
    race: bool = False
    """Whether a grid adds seeds to a choice only while that choice can still win."""
    pruner: Annotated[
        AnyPruner | None,
        BeforeValidator(_without_none, json_schema_input_type=PrunerName | AnyPruner | None),
    ] = None
    """What stops trials that will not win: a name, or a mapping of its name and arguments."""
    stop: StopConfig = StopConfig()
    """When no more trials are started."""
    start: Annotated[tuple[dict[str, Any], ...], Field(max_length=1000)] = ()
    """Points that a sampler tries first, each a mapping from full paths to values."""
    baseline: dict[str, Any] | None = None
    """The configuration to beat, as a mapping from full paths to values: trained again with the finalists, or, where
    nothing is confirmed, tried first."""
    compare: str | None = None
    """The factor: the swept path whose choices the verdict compares, each at its best over the others."""
    range_test: RangeTestConfig | None = None
    """A learning-rate range test instead of trials; of a grid, on its seeds."""
    confirm: ConfirmConfig | None = Field(default_factory=_default_confirm)
    """How the best are trained again on fresh seeds: the best 3 on 5 seeds unless written, none where null; a grid
    confirms only where it is written, beside a pruner."""

    @property
    def direction(self) -> Direction:
        """Which way the metric is better."""
        return DIRECTIONS[self.metric]

    @property
    def confirmation_trials(self) -> int:
        """Trials with which the search is confirmed, at most."""
        if self.confirm is None:
            return 0
        return (self.confirm.top + (self.baseline is not None)) * len(self.confirm.seeds) * (self.folds or 1)

    @field_validator("confirm", mode="before")
    @classmethod
    def _on_fresh_seeds(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, dict) or not _is_count(value.get("seeds", _DEFAULT_SEEDS)):
            return value
        return {**value, "seeds": _fresh_seeds(info.data, value.get("seeds", _DEFAULT_SEEDS))}

    @field_validator("confirm")
    @classmethod
    def _unseen(cls, value: ConfirmConfig | None, info: ValidationInfo) -> ConfirmConfig | None:
        used = sorted(set(value.seeds if value else ()) & set(info.data.get("seeds") or ()))
        if used:
            raise ValueError(f"its seeds must be fresh, but the search trains with {used} too")
        return value


_ADDRESS = r"^(tcp|tls)://[^\s/@:]+:[0-9]{1,5}$"


def _address(value: str) -> str:
    if not re.fullmatch(_ADDRESS, value):
        meant = f"tcp://{value}"
        hint = f"write {meant}" if re.fullmatch(_ADDRESS, meant) else ""
        raise Mistake(f"expected an address such as tcp://10.0.0.1:8786, but read '{value[:60]}'", hint)
    return value


class RunConfig(Section):
    """Where and how trials are trained; nothing in here changes what they mean, but for the precision."""

    workers: Annotated[int, Field(ge=0, le=10_000)] | Literal["auto"] = "auto"
    """Trials at a time; `auto` is one per core, or per GPU; 0 trains in this process."""
    threads: Annotated[int, Field(ge=1, le=1024)] = 1
    """Cores of each worker."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """What networks compute in; `auto` is bfloat16 where the processor does it in hardware."""
    engine: Annotated[str, AfterValidator(_address), Field(json_schema_extra={"pattern": _ADDRESS})] | None = None
    """Address of a Dask scheduler, such as `tcp://10.0.0.1:8786`; null trains on this machine."""
    timeout: Duration = None
    """Longest that one trial, or one training of a range test, may take: seconds, or a duration such as `10m`. With 0
    workers it ends with its epoch, or with its batch in a range test, and one that hangs is not ended."""
    memory: Size = None
    """Most memory of a worker while it trains: bytes, or a size such as `4GB`. With 0 workers it is that of this
    process, whatever else it holds, and a trial that goes beyond it ends with its epoch."""
    retries: Annotated[int, Field(ge=0, le=100)] = 2
    """How often a trial whose worker died is trained again."""
