"""What a model was made on and with, as its card and a sweep's provenance.json say it."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from main.backend import Precision, instruction_flags, threads_in_use
from main.card import DataFacts, TrainedOn
from main.data import TrainingData
from main.gpus import gpus
from main.looks import preparation_of

PACKAGES = (
    "optimize-sweeps", "tensorflow", "keras", "optuna", "numpy", "pandas", "distributed", "scikit-learn", "scipy",
)  # fmt: skip
DECISIVE = ("tensorflow", "keras", "numpy", "optimize-sweeps")
"""Packages whose versions may change a weight's last bits."""
INSTRUCTION_SETS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16")
"""Those that decide how fast a network trains, and in which order its sums are added up, as Linux names them."""


def describe_data(data: TrainingData) -> DataFacts:
    """Which images were trained on, and how pictures are brought to their form."""
    return {
        "source": data.source,
        "checksum": data.checksum,
        "notice": data.notice,
        "train": len(data.train),
        "validation": len(data.validation),
        "n_classes": data.n_classes,
        "classes": list(data.classes),
        "input_shape": list(data.input_shape),
        "preparation": preparation_of(data.train.images, data.source),
    }


def versions() -> dict[str, str]:
    """Python and the packages that decide a result; those that are not installed are left out."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def trained_on(precision: Precision, *, resumed: bool) -> TrainedOn:
    """Of the process that has trained: what decides in which order sums are added up, and so a weight's last bits.

    Args:
        precision: What it computed in.
        resumed: Whether it went on from a checkpoint, which another machine may have left; said where it is so.
    """
    found = _trained_on(precision, threads_in_use())
    return {**found, "resumed": True} if resumed else {**found}


@cache
def _trained_on(precision: Precision, threads: int) -> TrainedOn:
    return {
        "processor": processor(),
        "instruction_sets": list(instruction_sets()),
        "gpus": len(gpus()),
        "versions": decisive_versions(),
        "threads": threads,
        "precision": precision,
    }


def decisive_versions() -> dict[str, str]:
    """The versions of those packages on which a weight's last bits depend."""
    found = versions()
    return {name: found[name] for name in DECISIVE if name in found}


def instruction_sets() -> tuple[str, ...]:
    """Of `INSTRUCTION_SETS`, those that this machine's processor has; a name such as AMD EPYC covers many."""
    flags = instruction_flags()
    return tuple(name for name in INSTRUCTION_SETS if name in flags)


def processor() -> str:
    """The processor's name as its maker gives it, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def now() -> str:
    """This moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
