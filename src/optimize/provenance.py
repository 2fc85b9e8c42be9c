"""What a sweep ran on and with: enough to say why two sweeps differ, and to repeat one."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from main.backend import instruction_flags
from main.data import TrainingData
from main.gpus import gpus
from main.provenance import describe_data, now, versions

INSTRUCTION_SETS = ("avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16")
"""Those that decide how fast a network trains, and in which order its sums are added up, as Linux names them."""


def provenance(
    data: TrainingData, identity: Mapping[str, Any], *, study: str | None, workers: int, threads: int, precision: str
) -> dict[str, Any]:
    """The content of provenance.json; `started` is now, and `ended` None until the sweep ends.

    `study` is what the storage calls the sweep, None of a range test, which has no study.
    """
    return {
        "study": study,
        "data": describe_data(data),
        "config_hash": content_hash(identity),
        "versions": versions(),
        "git_commit": git_commit(),
        "processor": processor(),
        "instruction_sets": list(instruction_sets()),
        "gpus": len(gpus()),
        "cores": os.cpu_count(),
        "workers": workers,
        "threads": threads,
        "precision": precision,
        "platform": platform.platform(),
        "started": now(),
        "ended": None,
    }


def content_hash(content: Mapping[str, Any]) -> str:
    """SHA-256 of JSON-able content, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=list).encode()).hexdigest()


def git_commit() -> str | None:
    """The commit of the working tree one stands in; None outside one."""
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None


def instruction_sets() -> tuple[str, ...]:
    """Of `INSTRUCTION_SETS`, those that this machine's processor has; a name such as AMD EPYC covers many."""
    return tuple(name for name in INSTRUCTION_SETS if name in instruction_flags())


def processor() -> str:
    """The processor's name as its maker gives it, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
