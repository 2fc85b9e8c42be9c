"""The concrete sections of a training: data, model and train, and how a file of them is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from main.annotations import KeyPath
from main.checking import UNTAKEN, Mistake, Problem, as_a_key, check, complaints, unknown_key, unknown_value
from main.complaints import ConfigError
from main.document import described, read
from main.names import valid_name
from main.nearest import nearest_to
from main.yaml12 import Plain, plain
from models import NetworkSpec, networks

Loss = Literal["crossentropy", "focal", "mse", "mae", "hinge", "kl_divergence", "poisson", "cosine"]
OptimizerName = Literal["sgd", "adam", "adamw", "rmsprop", "nadam", "adagrad", "adadelta", "lion"]
ScheduleName = Literal["constant", "cosine", "exponential", "plateau"]
Fraction = Annotated[float, Field(ge=0, lt=1)]
MOST_EPOCHS = 10_000
Patience = Annotated[int, Field(ge=1, le=MOST_EPOCHS)]

OPTIMIZER_ARGUMENTS: Mapping[str, frozenset[str]] = {
    "sgd": frozenset({"momentum", "nesterov"}),
    "adam": frozenset({"beta_1", "beta_2", "epsilon"}),
    "adamw": frozenset({"beta_1", "beta_2", "epsilon"}),
    "rmsprop": frozenset({"rho", "momentum", "epsilon"}),
    "nadam": frozenset({"beta_1", "beta_2", "epsilon"}),
    "adagrad": frozenset({"epsilon"}),
    "adadelta": frozenset({"rho", "epsilon"}),
    "lion": frozenset({"beta_1", "beta_2"}),
}
"""What each optimizer takes besides its learning rate."""
SCHEDULE_ARGUMENTS: Mapping[str, frozenset[str]] = {
    "constant": frozenset(),
    "cosine": frozenset({"warmup", "final"}),
    "exponential": frozenset({"decay"}),
    "plateau": frozenset({"decay", "patience"}),
}
"""What each schedule takes."""
SMOOTHED_LOSSES: frozenset[str] = frozenset({"crossentropy", "focal", "kl_divergence"})
"""Losses between distributions, of which labels can be smoothed."""


class Section(BaseModel):
    """A frozen section of a file, whose fields' docstrings are their documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, strict=True)


def _patience(value: object) -> object:
    """A number as the section that it abbreviates: `3` is `{patience: 3}`."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return {"patience": value} if is_number else value


def named(value: object) -> object:
    """A word as the section that it abbreviates: `adam` is `{name: adam}`."""
    return {"name": value} if isinstance(value, str) else value


class DataConfig(Section):
    """Which images, and which of them train and validate."""

    source: str = "mnist"
    """`mnist`, `fashion_mnist`, `digits`, a name that an installed package registers, or a path; a relative one
    starts in the folder in which the command runs."""
    otherwise: str | None = None
    """The source used, loudly, where `source` can be neither found nor downloaded."""
    train: Annotated[int, Field(ge=1)] | None = None
    """Images to train on, the first of what validation leaves; all of them unless written."""
    validation: Annotated[int, Field(ge=1)] | None = None
    """Images held out of training; unless written 5,000 of mnist and fashion_mnist, 237 of digits, of others their own
    validation part, or one in ten."""
    split: Literal["last", "stratified"] | None = None
    """`last` validates on the last images of the training file; `stratified` draws them, class by class; the
    source's own way unless written."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of a stratified draw."""


class OptimizerConfig(Section):
    """An optimizer with its own arguments; a bare name in the file means this with its defaults."""

    name: OptimizerName = "adam"
    """Which optimizer."""
    learning_rate: Annotated[float, Field(gt=0, le=1e3)] | None = None
    """Replaces `train.learning_rate` for this optimizer."""
    momentum: Fraction | None = None
    """Momentum of sgd or rmsprop."""
    nesterov: bool | None = None
    """Nesterov momentum, of sgd."""
    beta_1: Fraction | None = None
    """Decay of the first moment (adam, adamw, nadam, lion)."""
    beta_2: Fraction | None = None
    """Decay of the second moment (adam, adamw, nadam, lion)."""
    rho: Fraction | None = None
    """Decay of the squared gradient's average (rmsprop, adadelta)."""
    epsilon: Annotated[float, Field(gt=0, le=1)] | None = None
    """Added to the denominator (adam, adamw, nadam, rmsprop, adagrad, adadelta)."""

    @field_validator("momentum", "nesterov", "beta_1", "beta_2", "rho", "epsilon")
    @classmethod
    def _taken(cls, value: object, info: ValidationInfo) -> object:
        return _refuse_untaken(value, info, OPTIMIZER_ARGUMENTS)

    @field_validator("nesterov")
    @classmethod
    def _with_momentum(cls, value: bool | None, info: ValidationInfo) -> bool | None:
        if value and not info.data.get("momentum", True):  # absent where it was refused itself
            raise ValueError("Nesterov momentum needs `momentum` above 0")
        return value

    @field_validator("beta_1")
    @classmethod
    def _more_than_signs(cls, value: float | None, info: ValidationInfo) -> float | None:
        if value == 0 and info.data.get("name") == "lion":
            raise ValueError("of lion it must be above 0, where it would step by the gradient's sign alone")
        return value


class ScheduleConfig(Section):
    """How the learning rate changes over a training; a bare name means this with its defaults."""

    name: ScheduleName = "constant"
    """Which schedule."""
    warmup: Annotated[float, Field(ge=0)] | None = None
    """Epochs over which a cosine schedule rises linearly from 0 to the learning rate (default 0)."""
    final: Fraction | None = None
    """Where cosine ends, as a fraction of the learning rate (default 0)."""
    decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Factor per epoch of exponential (default 0.9); factor at each plateau (default 0.5)."""
    patience: Patience | None = None
    """Epochs without a better validation loss before plateau lowers the rate (default 2)."""

    @field_validator("warmup", "final", "decay", "patience")
    @classmethod
    def _taken(cls, value: object, info: ValidationInfo) -> object:
        return _refuse_untaken(value, info, SCHEDULE_ARGUMENTS)


class EarlyStoppingConfig(Section):
    """When a training that no longer improves ends; a bare number means this patience."""

    patience: Patience
    """Epochs without improvement of the metric before training stops."""
    min_delta: Annotated[float, Field(ge=0)] = 0.0
    """Smallest change of the metric that counts as improvement."""


class AugmentConfig(Section):
    """Random changes to each training image, drawn anew every epoch; all zero leaves it as it is."""

    shift: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    """Largest shift, as a fraction of height and width."""
    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    """Largest rotation either way, in degrees."""
    zoom: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    """Largest change of scale either way, as a fraction."""
    shear: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Largest horizontal shear, as the tangent of its angle."""
    elastic: Annotated[float, Field(ge=0, le=20)] = 0.0
    """Largest displacement of a smooth random distortion, in pixels: 2 is mild for 28 × 28; Simard
    et al. (2003) used about 4."""


class TrainConfig(Section):
    """How a network is trained."""

    loss: Loss = "crossentropy"
    """What training minimises."""
    label_smoothing: Fraction = 0.0
    """Share of each label spread evenly over all classes (crossentropy, focal and kl_divergence)."""
    optimizer: Annotated[
        OptimizerConfig, BeforeValidator(named, json_schema_input_type=OptimizerName | OptimizerConfig)
    ] = OptimizerConfig()
    """Which optimizer: a name, or a mapping of its name and arguments."""
    learning_rate: Annotated[float, Field(gt=0, le=1e3)] = 1e-3
    """Step size of the optimizer; the peak of a schedule."""
    schedule: Annotated[
        ScheduleConfig, BeforeValidator(named, json_schema_input_type=ScheduleName | ScheduleConfig)
    ] = ScheduleConfig()
    """How the learning rate changes: a name, or a mapping of its name and arguments."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] | None = None
    """Decoupled decay of kernels per step, as a fraction of learning rate times weight; the optimizer's own
    unless written: 0.004 of adamw, none of the others."""
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 128
    """Images per step."""
    epochs: Annotated[int, Field(ge=1, le=MOST_EPOCHS, validate_default=True)] = 6
    """Passes over the training images."""
    early_stopping: Annotated[
        EarlyStoppingConfig | None,
        BeforeValidator(_patience, json_schema_input_type=EarlyStoppingConfig | Patience | None),
    ] = None
    """Stop when the metric no longer improves: a patience in epochs, or a mapping."""
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Momentum of an exponential moving average of the weights, which is what is validated and kept."""
    augment: AugmentConfig | None = None
    """Random changes to each training image."""

    @field_validator("label_smoothing")
    @classmethod
    def _only_of_distributions(cls, value: float, info: ValidationInfo) -> float:
        loss = info.data.get("loss", "crossentropy")  # absent where it was refused itself
        if value and loss not in SMOOTHED_LOSSES:
            raise ValueError(f"of {', '.join(sorted(SMOOTHED_LOSSES))} alone, but loss is {loss}")
        return value

    @field_validator("epochs")
    @classmethod
    def _longer_than_warmup(cls, value: int, info: ValidationInfo) -> int:
        schedule = info.data.get("schedule")
        if schedule is not None and schedule.warmup is not None and schedule.warmup > value:
            raise ValueError(f"{value} epochs are fewer than the {schedule.warmup:g} over which schedule warms up")
        return value


def _refuse_untaken(value: object, info: ValidationInfo, table: Mapping[str, frozenset[str]]) -> object:
    """`value` as it is, unless what `name` names does not take it."""
    name = info.data.get("name")  # absent where it was refused itself
    if value is not None and name is not None and info.field_name not in table[name]:
        takes = ", ".join(sorted(table[name])) or "no arguments"
        takers = [other for other, arguments in table.items() if info.field_name in arguments]
        hint = f"{' and '.join(takers)} take{'' if len(takers) > 1 else 's'} it: write `name: {takers[0]}`"
        raise Mistake(f"{name}{UNTAKEN}; it takes {takes}", hint)
    return value


@dataclass(frozen=True)
class TrainingConfig:
    """One training but for its seed: the concrete sections of a file, with nothing swept in them."""

    data: DataConfig
    model: NetworkSpec
    train: TrainConfig

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Every value, JSON-able, by section and key."""
        return {
            "data": self.data.model_dump(mode="json"),
            "model": self.model.model_dump(mode="json"),
            "train": self.train.model_dump(mode="json"),
        }

    @classmethod
    def from_dict(cls, sections: Mapping[str, Any]) -> TrainingConfig:
        """The training that `to_dict` described, or that a file's plain data describe.

        Raises:
            ValueError: If they describe none, with everything that is wrong.
        """
        config, problems = check_training({key: plain(section) for key, section in sections.items()})
        if config is None:
            lines = [f"{'.'.join(map(str, problem.path))}: {problem.message}" for problem in problems]
            raise ValueError("\n".join(lines))
        return config


SECTIONS: Mapping[str, str] = {
    "data": "which images, and which of them train and validate",
    "model": "the network",
    "train": "how it is trained",
}
"""Sections of a training, and what each is about."""


def check_training(sections: Mapping[str, Plain]) -> tuple[TrainingConfig | None, list[Problem]]:
    """The training that plain sections describe, or everything that is wrong with them."""
    data, problems = check(DataConfig, sections.get("data", {}), ("data",))
    model, more = check_model(sections.get("model", {}))
    train, most = check(TrainConfig, sections.get("train", {}), ("train",))
    problems = [*problems, *more, *most]
    if data is None or model is None or train is None:
        return None, problems
    return TrainingConfig(data, model, train), problems


def check_model(section: Plain) -> tuple[NetworkSpec | None, list[Problem]]:
    """The `model` section as the network it names, or everything that is wrong with it."""
    if not isinstance(section, dict):
        return None, [Problem(("model",), f"expected a mapping, but read {described(section)}", _as_a_network(section))]
    name = section.get("network", "cnn")
    known = networks()
    if not isinstance(name, str) or name not in known:
        problem = Problem(("model", "network"), *unknown_value(name, known))
        meant = nearest_to(name, known) if isinstance(name, str) else None
        others = check(known[meant], {**section, "network": meant}, ("model",))[1] if meant else []
        return None, [problem, *(other for other in others if not _is_of_another_network(other))]
    spec, problems = check(known[name], section, ("model",))
    return spec, [_of_another_network(problem, name) for problem in problems]


def _as_a_network(written: Plain) -> str:
    """How to write what stands in place of the keys of `model`."""
    known = networks()
    if isinstance(written, str) and (near := nearest_to(written, known)):
        return f"write {{network: {near}}}"
    hints = (as_a_key(written, spec) for spec in known.values())
    return next(filter(None, hints), f"write {{network: {next(iter(known))}, ...}}; networks: {', '.join(known)}")


def _is_of_another_network(problem: Problem) -> bool:
    return _of_another_network(problem, "") is not problem


def _of_another_network(problem: Problem, name: str) -> Problem:
    """A problem with a key, saying so where the key is one of another network's."""
    if not problem.at_key or not problem.message.startswith("unknown key"):
        return problem
    others = [other for other, spec in networks().items() if problem.path[-1] in spec.model_fields]
    if not others:
        return problem
    return problem._replace(message=f"unknown key of network {name}; it is of {' and '.join(others)}")


def load(path: Path | str, overrides: Iterable[str] = ()) -> TrainingConfig:
    """The training that a file describes, with the command line's `PATH=VALUE` overrides.

    Raises:
        ConfigError: With everything that is wrong, by line.
    """
    document = read(path, overrides)
    config, problems = check_training(document.data)
    swept = [*_swept(document.data.get("model"), ("model",)), *_swept(document.data.get("train"), ("train",))]
    problems = [problem for problem in problems if not any(problem.path[: len(path)] == path for path in swept)]
    problems += [Problem(path, *_SWEPT) for path in swept]
    problems += _misnamed(document.data.get("name"))
    missing = [key for key in ("data", "model") if key not in document.data]
    foreign = [key for key in document.data if key not in SECTIONS and key not in TITLES]
    problems += [Problem((key,), f"required: {SECTIONS[key]}", at_key=True) for key in missing]
    problems += [Problem((key,), *_foreign_key(key), at_key=True) for key in foreign]
    if config is not None and (config.data.train or config.data.validation):
        from main.data import too_few  # with NumPy

        problems += [problem for problem in [too_few(config.data)] if problem is not None]
    if config is None or problems:
        raise ConfigError(complaints(document, problems))
    return config


def name_of(path: Path | str, overrides: Iterable[str] = ()) -> str:
    """What the training of a file is called: its `name`, or the file's own where none is written."""
    return str(read(path, overrides).data.get("name") or Path(path).stem)


TITLES = ("name", "question")
"""Keys beside the sections, as a sweep file has them."""


_SWEPT = ("is swept, and this command trains once", "write one value; sweeps are run with: python -m optimize run")


def _swept(value: Plain, path: KeyPath) -> Iterator[KeyPath]:
    """Where choices, ranges and other sweeps' winners stand in a section."""
    if isinstance(value, dict):
        if "choices" in value or "winner" in value or {"low", "high"} <= set(value):
            yield path
            return
        for key, item in value.items():
            yield from _swept(item, (*path, key))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from _swept(item, (*path, index))


def _misnamed(name: Plain) -> list[Problem]:
    if name is None:
        return []
    if not isinstance(name, str):
        return [Problem(("name",), f"expected a word, but read {described(name)}")]
    try:
        valid_name(name)
    except ValueError as error:
        return [Problem(("name",), str(error))]
    return []


def _foreign_key(key: str) -> tuple[str, str]:
    if key in ("study", "run"):
        return "of a sweep, and this command trains once", "sweeps are run with: python -m optimize run"
    return unknown_key(key, SECTIONS)
