"""Declarative hyperparameter sweeps for Keras image classifiers.

    from optimize import load_config, run_sweep

    result = run_sweep(load_config("configs/pooling.yaml"))
    print(result.verdict.sentence)

The two are imported when they are first used, so that the command line starts at once.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optimize.config import SweepConfig, load_config
    from optimize.sweep import SweepResult, run_sweep

__all__ = ["SweepConfig", "SweepResult", "load_config", "run_sweep"]

# In a notebook Optuna's import of tqdm asks for widgets, which nothing here shows.
warnings.filterwarnings("ignore", message="IProgress not found")

_HOMES = {
    "SweepConfig": "optimize.config",
    "load_config": "optimize.config",
    "SweepResult": "optimize.sweep",
    "run_sweep": "optimize.sweep",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})  # what completion and dir() offer, imported or not


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'optimize' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
