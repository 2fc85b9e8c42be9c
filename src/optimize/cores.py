"""This machine's cores, and how few trials leave some of them idle."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

from main.gpus import gpus

if TYPE_CHECKING:
    from optimize.sections import RunConfig


_GROUPS = Path("/sys/fs/cgroup")
_QUOTAS = (
    (_GROUPS / "cpu.max", _GROUPS / "cpu.max"),  # version 2: both numbers in one file
    (_GROUPS / "cpu/cpu.cfs_quota_us", _GROUPS / "cpu/cpu.cfs_period_us"),
)


def machine_cores() -> list[int]:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def core_count() -> int:
    """How many cores' time this process may use: all of `machine_cores`, or what a container is limited to."""
    cores, quota = len(machine_cores()), _quota()
    return cores if quota is None else min(cores, math.ceil(quota))


def _quota() -> float | None:
    """Cores' time that the control group grants, such as 2.0 of `docker run --cpus=2`; None where it sets no limit."""
    for quota, period in _QUOTAS:
        try:
            granted, per = (float(word) for word in f"{quota.read_text()} {period.read_text()}".split()[:2])
        except (OSError, ValueError):  # none, `max`, or a system without control groups
            continue
        return granted / per if granted > 0 and per > 0 else None
    return None


def places(threads: int) -> int:
    """How many trials this machine trains at once: one per GPU where there are any, else one per `threads` cores."""
    return len(gpus()) or max(1, core_count() // threads)


def trials_at_once(run: RunConfig, trials: int) -> int:
    """How many of so many trials train at the same time on this machine, at least 1."""
    wanted = places(run.threads) if run.workers == "auto" else int(run.workers)
    return max(1, min(wanted, trials))


def threads_to_spare(run: RunConfig, trials: int) -> int | None:
    """How many cores each of so few trials could have; None where every core has its work without that.

    Of trials on GPUs or on a cluster nothing is said: what idles there is not known here.
    """
    if run.engine is not None or run.workers == 0 or not trials or gpus():
        return None
    at_once = trials if run.workers == "auto" else min(int(run.workers), trials)
    share = core_count() // at_once
    return share if share > run.threads else None
