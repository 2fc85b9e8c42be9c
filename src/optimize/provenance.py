"""What a sweep ran on and with: enough to say why two sweeps differ, and to repeat one."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from typing import Any

from main.data import TrainingData
from main.gpus import gpus
from main.provenance import describe_data, instruction_sets, now, processor, versions
from optimize.cores import core_count


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
        "cores": core_count(),
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
    """The commit of the working tree one stands in, `-dirty` where its files are no longer those; None outside one."""
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"],
            capture_output=True, text=True, timeout=5, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip() or None
