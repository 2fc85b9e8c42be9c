"""What a model was made on and with, as its card says it."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from main.data import TrainingData

PACKAGES = (
    "optimize-sweeps", "tensorflow", "keras", "optuna", "numpy", "pandas", "distributed", "scikit-learn", "scipy",
)  # fmt: skip


def describe_data(data: TrainingData) -> dict[str, Any]:
    """Which images were trained on."""
    return {
        "source": data.source,
        "checksum": data.checksum,
        "notice": data.notice,
        "train": len(data.train),
        "validation": len(data.validation),
        "n_classes": data.n_classes,
        "classes": list(data.classes),
        "input_shape": list(data.input_shape),
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


def now() -> str:
    """This moment, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
