"""This machine's cores, and how few trials leave some of them idle."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from main.gpus import gpus

if TYPE_CHECKING:
    from optimize.sections import RunConfig


def machine_cores() -> list[int]:
    """The cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def places(threads: int) -> int:
    """How many trials this machine trains at once: one per GPU where there are any, else one per `threads` cores."""
    return len(gpus()) or max(1, len(machine_cores()) // threads)


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
    share = len(machine_cores()) // at_once
    return share if share > run.threads else None
