"""Optuna's samplers and pruners as a sweep file names them, with their arguments of plain values.

Optuna itself is not imported: a file is checked, completed by an editor and documented without it. A test
compares names and defaults with the installed Optuna.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from main.checking import Mistake
from main.config import Section

Count = Annotated[int, Field(ge=0, le=1_000_000)]
Positive = Annotated[int, Field(ge=1, le=1_000_000)]
Probability = Annotated[float, Field(ge=0, le=1)]


class SamplerConfig(Section):
    """Which sampler chooses the next configuration."""

    name: str
    """Which sampler."""
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """Seed of what the sampler draws; each trial's draw follows from it and the trial's number."""

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of Optuna's class, but for the seed."""
        return self.model_dump(exclude={"name", "seed"})


class GridSampler(SamplerConfig):
    """Every combination of the choices, once per seed."""

    name: Literal["grid"] = "grid"
    """Which sampler."""


class RandomSampler(SamplerConfig):
    """Each configuration drawn independently of the others."""

    name: Literal["random"] = "random"
    """Which sampler."""


class TpeSampler(SamplerConfig):
    """Tree-structured Parzen estimator: draws where good trials lie dense (Bergstra et al. 2011)."""

    name: Literal["tpe"] = "tpe"
    """Which sampler."""
    n_startup_trials: Count = 10
    """Trials drawn at random before the estimator takes over."""
    n_ei_candidates: Positive = 24
    """Candidates among which each draw takes the most promising."""
    multivariate: bool | None = None
    """Whether parameters are drawn jointly; null leaves it to Optuna, which does."""
    group: bool = False
    """Whether parameters that `when` turns on together are drawn jointly; not with `multivariate: false`."""
    constant_liar: bool = True
    """Whether running trials count as bad ones, so that workers do not draw the same."""

    @field_validator("group")
    @classmethod
    def _jointly(cls, value: bool, info: ValidationInfo) -> bool:
        if value and info.data.get("multivariate") is False:
            raise ValueError("needs multivariate, but that is false")
        return value


class GpSampler(SamplerConfig):
    """Gaussian process with expected improvement; needs PyTorch (`pip install 'optimize-sweeps[gp]'`)."""

    name: Literal["gp"] = "gp"
    """Which sampler."""
    n_startup_trials: Count = 10
    """Trials drawn at random before the process takes over."""
    deterministic_objective: bool = False
    """Whether a configuration always gives the same metric, so that no noise is fitted."""


class CmaesSampler(SamplerConfig):
    """Covariance matrix adaptation, of numeric ranges (Hansen 2016); choices, and ranges with a `when`, are random."""

    name: Literal["cmaes"] = "cmaes"
    """Which sampler."""
    n_startup_trials: Count = 1
    """Trials drawn at random before the adaptation takes over."""
    popsize: Annotated[int, Field(ge=2, le=1_000_000)] | None = None
    """Trials of a generation; null follows from the number of ranges."""
    consider_pruned_trials: bool = False
    """Whether pruned trials count, with the metric at which they stopped."""
    use_separable_cma: bool = False
    """Whether the covariance is kept diagonal, for many ranges."""
    with_margin: bool = False
    """Whether each step of a stepped range keeps some probability."""
    lr_adapt: bool = False
    """Whether the adaptation's own learning rate adapts, for a noisy metric."""

    @field_validator("with_margin", "lr_adapt")
    @classmethod
    def _one_variant(cls, value: bool, info: ValidationInfo) -> bool:
        others = [other for other in ("use_separable_cma", "with_margin") if info.data.get(other)]
        if value and others:
            raise ValueError(f"cannot be true together with {others[0]}")
        return value


class QmcSampler(SamplerConfig):
    """Quasi-Monte Carlo: fills ranges more evenly than chance (Bergstra and Bengio 2012)."""

    name: Literal["qmc"] = "qmc"
    """Which sampler."""
    qmc_type: Literal["sobol", "halton"] = "sobol"
    """Which sequence."""
    scramble: bool = False
    """Whether the sequence is randomised, by the seed."""


class Nsga2Sampler(SamplerConfig):
    """Genetic algorithm NSGA-II (Deb et al. 2002)."""

    name: Literal["nsga2"] = "nsga2"
    """Which sampler."""
    population_size: Annotated[int, Field(ge=2, le=1_000_000)] = 50
    """Trials of a generation."""
    mutation_prob: Probability | None = None
    """Probability that a parameter is drawn anew; null is one over the number of parameters."""
    crossover_prob: Probability = 0.9
    """Probability that a trial has two parents."""
    swapping_prob: Probability = 0.5
    """Probability that a parameter comes from the second parent."""


AnySampler = Annotated[
    GridSampler | RandomSampler | TpeSampler | GpSampler | CmaesSampler | QmcSampler | Nsga2Sampler,
    Field(discriminator="name"),
]
"""The section of any sampler, told apart by its name."""
SamplerName = Literal["grid", "random", "tpe", "gp", "cmaes", "qmc", "nsga2"]


class PrunerConfig(Section):
    """Which pruner stops trials that will not win; what it counts in steps are epochs."""

    name: str
    """Which pruner."""
    starts_after: ClassVar[str | None] = None
    """The argument that says how many epochs it waits at least."""

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of Optuna's class."""
        return self.model_dump(exclude={"name"})

    @property
    def waits(self) -> int:
        """Epochs of a trial before it can be stopped, as far as the arguments say."""
        epochs = getattr(self, self.starts_after) if self.starts_after else 0
        return epochs if isinstance(epochs, int) else 0


class MedianPruner(PrunerConfig):
    """Stops a trial whose best metric so far is worse than the median of the others at the same epoch."""

    starts_after: ClassVar[str | None] = "n_warmup_steps"

    name: Literal["median"] = "median"
    """Which pruner."""
    n_startup_trials: Count = 5
    """Finished trials before any is stopped."""
    n_warmup_steps: Count = 0
    """Epochs of a trial before it can be stopped."""
    interval_steps: Positive = 1
    """Epochs between one decision and the next."""
    n_min_trials: Positive = 1
    """Trials that must have reached an epoch before any is judged at it."""


class HyperbandPruner(PrunerConfig):
    """Successive halving with several budgets at once (Li et al. 2018)."""

    starts_after: ClassVar[str | None] = "min_resource"

    name: Literal["hyperband"] = "hyperband"
    """Which pruner."""
    min_resource: Positive = 1
    """Epochs of the first rung."""
    max_resource: Positive | Literal["auto"] = "auto"
    """Epochs of a whole trial, `min_resource` at least; `auto` takes them from `train.epochs`."""
    reduction_factor: Annotated[int, Field(ge=2, le=1000)] = 3
    """Of how many trials one goes on, at each rung."""
    bootstrap_count: Count = 0
    """Trials that must reach a rung before any is stopped there."""

    @field_validator("max_resource")
    @classmethod
    def _with_a_rung(cls, value: int | str, info: ValidationInfo) -> int | str:
        least = info.data.get("min_resource", 1)  # absent where it was refused itself
        if isinstance(value, int) and value < least:
            raise ValueError(f"must be at least min_resource, {least}, but read {value}")
        return value

    @field_validator("bootstrap_count")
    @classmethod
    def _not_with_auto(cls, value: int, info: ValidationInfo) -> int:
        return _refuse_with_auto(value, info, "max_resource")


class AshaPruner(PrunerConfig):
    """Asynchronous successive halving: at each rung only the best go on (Li et al. 2020)."""

    starts_after: ClassVar[str | None] = "min_resource"

    name: Literal["asha"] = "asha"
    """Which pruner."""
    min_resource: Positive | Literal["auto"] = "auto"
    """Epochs of the first rung; `auto` learns them from the first trial."""
    reduction_factor: Annotated[int, Field(ge=2, le=1000)] = 4
    """Of how many trials one goes on, at each rung."""
    min_early_stopping_rate: Annotated[int, Field(ge=0, le=20)] = 0
    """Rungs that are skipped at the start."""
    bootstrap_count: Count = 0
    """Trials that must reach a rung before any is stopped there."""

    @property
    def waits(self) -> int:
        """Epochs of the first rung; `auto` is one at least."""
        least = 1 if self.min_resource == "auto" else self.min_resource
        return least * int(self.reduction_factor**self.min_early_stopping_rate)

    @field_validator("bootstrap_count")
    @classmethod
    def _not_with_auto(cls, value: int, info: ValidationInfo) -> int:
        return _refuse_with_auto(value, info, "min_resource")


class WilcoxonPruner(PrunerConfig):
    """Stops a trial that a signed-rank test against the best, epoch by epoch, finds worse (Wilcoxon 1945)."""

    starts_after: ClassVar[str | None] = "n_startup_steps"

    name: Literal["wilcoxon"] = "wilcoxon"
    """Which pruner."""
    p_threshold: Probability = 0.1
    """p-value below which a trial is stopped."""
    n_startup_steps: Count = 2
    """Epochs of a trial before it can be stopped."""


class PatientPruner(PrunerConfig):
    """Lets another pruner stop a trial only once it has got worse for some epochs."""

    starts_after: ClassVar[str | None] = "patience"

    name: Literal["patient"] = "patient"
    """Which pruner."""
    patience: Count
    """Epochs, all worse than the best before them, before the other pruner is asked."""
    wrapped: Literal["median", "hyperband", "asha", "wilcoxon"] = "median"
    """The other pruner, with its defaults."""
    min_delta: Annotated[float, Field(ge=0)] = 0.0
    """By how much more than nothing they must be worse; what is as good as before is never stopped."""


class ThresholdPruner(PrunerConfig):
    """Stops a trial whose metric leaves some bounds."""

    starts_after: ClassVar[str | None] = "n_warmup_steps"

    name: Literal["threshold"] = "threshold"
    """Which pruner."""
    lower: float | None = None
    """The least metric with which a trial goes on."""
    upper: float | None = None
    """The largest metric with which a trial goes on."""
    n_warmup_steps: Count = 0
    """Epochs of a trial before it can be stopped."""
    interval_steps: Positive = 1
    """Epochs between one decision and the next."""

    @model_validator(mode="after")
    def _bounded(self) -> ThresholdPruner:
        if self.lower is None and self.upper is None:
            raise Mistake("threshold needs `lower`, `upper` or both", "write, say, {name: threshold, lower: 0.5}")
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError(f"`lower` must be less than `upper`, but they are {self.lower} and {self.upper}")
        return self


AnyPruner = Annotated[
    MedianPruner | HyperbandPruner | AshaPruner | WilcoxonPruner | PatientPruner | ThresholdPruner,
    Field(discriminator="name"),
]
"""The section of any pruner, told apart by its name."""
PrunerName = Literal["median", "hyperband", "asha", "wilcoxon", "none"]
"""The pruners that can be named without arguments."""


def _refuse_with_auto(count: int, info: ValidationInfo, resource: str) -> int:
    if count and info.data.get(resource) == "auto":
        raise ValueError(f"needs a number of epochs as {resource}, but that is auto")
    return count
