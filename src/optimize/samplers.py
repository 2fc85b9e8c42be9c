"""Who proposes and who prunes: the samplers and pruners of a sweep file, made of Optuna's."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from optimize.config import SweepConfig
from optimize.marks import purpose_of
from optimize.space import Range


class _QmcSampler(optuna.samplers.QMCSampler):
    """A quasi-random sequence of which a trial takes the point that its number among the search's gives it.

    Optuna counts what was drawn instead, in the study: a draw that a kill cut short would count, and a study that is
    made anew from what the folder kept would begin the sequence again, with points that were tried.

    Args:
        trial: the number of the trial that it draws.
        **arguments: Optuna's own.
    """

    def __init__(self, trial: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._trial = trial

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """What the sequence is of; nothing at first, also where the first trial was killed as it was drawn."""
        return super().infer_relative_search_space(study, trial) if self._trial else {}

    def _find_sample_id(self, study: optuna.Study, search_space: dict[str, BaseDistribution]) -> int:
        # Not `study.get_trials`, which under hyperband are those of one bracket.
        trials = study._storage.get_all_trials(study._study_id, deepcopy=False)
        earlier = sum(purpose_of(other) == "search" for other in trials if other.number < self._trial)
        return earlier - 1  # the first is drawn at random


class _CmaesSampler(optuna.samplers.CmaEsSampler):
    """Adapts the ranges that always count, and no others.

    Optuna takes those that all trials so far have had. A range with a `when` may be one of these for a while; once it
    is none, what was adapted has another dimension, and Optuna draws at random from then on, or, with margin, raises.
    """

    def __init__(self, ranges: dict[str, BaseDistribution], **arguments: Any) -> None:
        super().__init__(**arguments)
        self._ranges = ranges

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """How Optuna sees the ranges that always count."""
        return self._ranges


SAMPLERS = {
    "random": optuna.samplers.RandomSampler,
    "tpe": optuna.samplers.TPESampler,
    "gp": optuna.samplers.GPSampler,
    "cmaes": _CmaesSampler,
    "qmc": _QmcSampler,
    "nsga2": optuna.samplers.NSGAIISampler,
}
PRUNERS = {
    "median": optuna.pruners.MedianPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "asha": optuna.pruners.SuccessiveHalvingPruner,
    "wilcoxon": optuna.pruners.WilcoxonPruner,
    "threshold": optuna.pruners.ThresholdPruner,
}

_BOOKKEEPERS = {"cmaes", "nsga2", "asha", "hyperband"}


def make_sampler(config: SweepConfig, trial: int) -> BaseSampler:
    """The sampler that draws trial number `trial`: its generator follows from (study seed, trial) alone.

    A quasi-random sequence keeps one seed, and goes on to the trial's own point; what it leaves out, as parameters with
    a `when` and the first trial, is drawn at random. Of what else is drawn at random, as the choices beside `cmaes`,
    the documentation tells; Optuna would do so at each of them.
    """
    import numpy as np

    sampler = config.study.sampler
    arguments = dict(sampler.arguments)
    seed = int(np.random.SeedSequence([sampler.seed, trial]).generate_state(1)[0])
    if sampler.name == "qmc":
        arguments |= {"trial": trial, "independent_sampler": optuna.samplers.RandomSampler(seed=seed)}
        seed = sampler.seed
    if sampler.name in ("cmaes", "gp", "qmc"):
        arguments["warn_independent_sampling"] = False
    if sampler.name == "cmaes":
        always = (p for p in config.space.parameters if isinstance(p, Range) and not p.when)
        arguments["ranges"] = {parameter.path: parameter.distribution() for parameter in always}
    with experimental():
        made = SAMPLERS[sampler.name](seed=seed, **arguments)
    assert isinstance(made, BaseSampler)
    return made


def make_pruner(config: SweepConfig) -> optuna.pruners.BasePruner:
    """The pruner of the sweep file; `patient` wraps the one it names.

    Hyperband is told how many epochs a whole trial has. Optuna would learn it from the first to end, which may have
    stopped early, and takes it for one more than it is, counting steps from 0.
    """
    pruner = config.study.pruner
    if pruner is None:
        return optuna.pruners.NopPruner()
    arguments = dict(pruner.arguments)
    whole = {} if config.most_epochs is None else {"max_resource": config.most_epochs}
    with experimental():
        if pruner.name == "patient":
            name = arguments.pop("wrapped", "median")
            wrapped = PRUNERS[name](**(whole if name == "hyperband" else {}))
            return optuna.pruners.PatientPruner(wrapped, **arguments)
        if pruner.name == "hyperband" and arguments.get("max_resource", "auto") == "auto":
            arguments |= whole
        made = PRUNERS[pruner.name](**arguments)
    assert isinstance(made, optuna.pruners.BasePruner)
    return made


def bookkeepers(config: SweepConfig) -> list[str]:
    """The sampler and the pruner of the sweep file, as far as they keep in the study what no trial's outcome has.

    As what an evolution strategy has adapted to, which generation a trial is of, and which rungs it has climbed.
    """
    pruner = config.study.pruner
    pruners = [] if pruner is None else [pruner.name, pruner.arguments.get("wrapped")]
    return [str(name) for name in (config.study.sampler.name, *pruners) if name in _BOOKKEEPERS]


@contextlib.contextmanager
def experimental() -> Iterator[None]:
    """Parts of Optuna that it may still change; its versions are bounded and tested, so nobody needs a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield
