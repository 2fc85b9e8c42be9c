import inspect
import warnings
from typing import Any, get_args

import optuna
import pytest
from pydantic import ValidationError

from optimize import algorithms
from optimize.algorithms import PrunerConfig, SamplerConfig
from optimize.sections import StudyConfig

SAMPLERS = {
    "grid": None,
    "random": optuna.samplers.RandomSampler,
    "tpe": optuna.samplers.TPESampler,
    "gp": optuna.samplers.GPSampler,
    "cmaes": optuna.samplers.CmaEsSampler,
    "qmc": optuna.samplers.QMCSampler,
    "nsga2": optuna.samplers.NSGAIISampler,
}
PRUNERS = {
    "median": optuna.pruners.MedianPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
    "asha": optuna.pruners.SuccessiveHalvingPruner,
    "wilcoxon": optuna.pruners.WilcoxonPruner,
    "patient": optuna.pruners.PatientPruner,
    "threshold": optuna.pruners.ThresholdPruner,
}
NEEDED: dict[str, dict[str, Any]] = {"patient": {"patience": 3}, "threshold": {"lower": 0.1}}


def sections(union: Any) -> dict[str, type[SamplerConfig | PrunerConfig]]:
    return {section.model_fields["name"].default: section for section in get_args(get_args(union)[0])}


def test_every_sampler_and_pruner_has_a_section() -> None:
    assert list(sections(algorithms.AnySampler)) == list(SAMPLERS) == list(get_args(algorithms.SamplerName))
    assert list(sections(algorithms.AnyPruner)) == list(PRUNERS)


@pytest.mark.parametrize("name", [*SAMPLERS, *PRUNERS])
def test_arguments_and_defaults_are_optunas_own(name: str) -> None:
    optunas = {**SAMPLERS, **PRUNERS}[name]
    section = (sections(algorithms.AnySampler) | sections(algorithms.AnyPruner))[name]
    arguments = section(**NEEDED.get(name, {})).arguments  # type: ignore[call-arg]
    if optunas is None:
        assert arguments == {}
        return
    theirs = inspect.signature(optunas).parameters
    renamed = {"wrapped": "wrapped_pruner"}
    for argument, value in arguments.items():
        assert renamed.get(argument, argument) in theirs
        if argument not in (*NEEDED.get(name, {}), "wrapped"):
            assert theirs[argument].default == value, argument


@pytest.mark.parametrize("name", ["random", "tpe", "cmaes", "qmc", "nsga2", *PRUNERS])
def test_optuna_takes_the_defaults_without_a_warning(name: str) -> None:
    section = (sections(algorithms.AnySampler) | sections(algorithms.AnyPruner))[name]
    arguments = dict(section(**NEEDED.get(name, {})).arguments)  # type: ignore[call-arg]
    if "wrapped" in arguments:
        arguments["wrapped_pruner"] = PRUNERS[arguments.pop("wrapped")]()
    optunas: Any = {**SAMPLERS, **PRUNERS}[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        optunas(**arguments)


@pytest.mark.parametrize(
    ("study", "said"),
    [
        ({"sampler": {"name": "cmaes", "with_margin": True, "use_separable_cma": True}}, "cannot be true together"),
        ({"sampler": {"name": "cmaes", "with_margin": True, "lr_adapt": True}}, "cannot be true together"),
        ({"sampler": {"name": "tpe", "group": True, "multivariate": False}}, "needs multivariate"),
        ({"pruner": {"name": "asha", "bootstrap_count": 1}}, "needs a number of epochs as min_resource"),
        ({"pruner": {"name": "hyperband", "bootstrap_count": 1}}, "needs a number of epochs as max_resource"),
        ({"pruner": {"name": "threshold"}}, "needs `lower`, `upper` or both"),
        ({"pruner": {"name": "threshold", "lower": 0.5, "upper": 0.5}}, "`lower` must be less than `upper`"),
        ({"pruner": "patient"}, "Field required"),
    ],
)
def test_what_optuna_refuses_is_refused(study: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        StudyConfig.model_validate(study)


@pytest.mark.parametrize("none", ["none", None, {"name": "none"}])
def test_no_pruner_has_three_spellings(none: Any) -> None:
    assert StudyConfig.model_validate({"pruner": none}).pruner is None
