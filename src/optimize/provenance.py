"""What a sweep ran on and with: enough to say why two sweeps differ, and to repeat one."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from typing import Any

from main.card import section_of
from main.data import TrainingData
from main.gpus import gpus
from main.provenance import DECISIVE, describe_data, instruction_sets, now, processor, versions
from optimize.cores import core_count

CONSEQUENTIAL = (*DECISIVE, "optuna")
"""Packages whose versions decide which trials there are and what comes of them."""


def provenance(
    data: TrainingData, identity: Mapping[str, Any], *, study: str | None, workers: int, threads: int, precision: str
) -> dict[str, Any]:
    """The content of provenance.json; `started` is now, and `judged` and `ended` None until the sweep is and has.

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
        "judged": None,
        "ended": None,
    }


def gone_on(facts: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, Any]:
    """The content of provenance.json of a sweep that goes on, and of which versions its earlier trials are.

    Args:
        facts: Of this run.
        earlier: What an earlier one has written.
    """
    parts = {**section_of(earlier, "earlier_versions"), str(earlier.get("started")): _consequential(earlier)}
    others = {started: part for started, part in parts.items() if part and part != _consequential(facts)}
    return {**facts, "earlier_versions": others} if others else dict(facts)


def mixed_versions(facts: Mapping[str, Any]) -> str:
    """Packages of which a sweep's trials are of several versions: `keras 3.14.0, then 3.15.1`; empty without any."""
    before = (part for part in section_of(facts, "earlier_versions").values() if isinstance(part, Mapping))
    parts = [*before, _consequential(facts)]
    found = {name: dict.fromkeys(str(part[name]) for part in parts if name in part) for name in CONSEQUENTIAL}
    return "; ".join(f"{name} {', then '.join(one)}" for name, one in found.items() if len(one) > 1)


def _consequential(facts: Mapping[str, Any]) -> dict[str, str]:
    found = section_of(facts, "versions")
    return {name: str(found[name]) for name in CONSEQUENTIAL if name in found}


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
