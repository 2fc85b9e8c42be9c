"""The graphics processors that trainings can use, found without importing TensorFlow."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from ctypes.util import find_library
from functools import lru_cache
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
DRIVER = Path("/proc/driver/nvidia/gpus")
BFLOAT16_CAPABILITY = 8.0  # Ampere; CUDA C++ Programming Guide, "Compute Capabilities"

_LISTED = re.compile(r"^(?P<part>\s*MIG\b)?.*\(UUID: (?P<uuid>[^)]+)\)\s*$")


def gpus() -> tuple[str, ...]:
    """Each GPU that TensorFlow can use here, by a name that CUDA_VISIBLE_DEVICES takes; none where CUDA is not.

    What CUDA_VISIBLE_DEVICES already names is all there is. Of a GPU that is cut into parts (MIG) each part counts.
    """
    if not cuda_is_installed():
        return ()
    visible = os.environ.get(VISIBLE)
    if visible is not None:
        return _named(visible)
    listed = _ask("--list-gpus")
    if listed is not None:
        return _listed(listed)
    return tuple(str(index) for index, _ in enumerate(DRIVER.iterdir())) if DRIVER.is_dir() else ()


def gpus_support_bfloat16() -> bool:
    """Whether every GPU of this machine multiplies bfloat16 in hardware; not where that cannot be asked."""
    answer = _ask("--query-gpu=compute_cap", "--format=csv,noheader")
    capabilities = re.findall(r"^\s*(\d+\.\d+)\s*$", answer or "", re.MULTILINE)
    return bool(capabilities) and all(float(found) >= BFLOAT16_CAPABILITY for found in capabilities)


@lru_cache(maxsize=1)
def cuda_is_installed() -> bool:
    """Whether the library that TensorFlow needs on a GPU is here, from `tensorflow[and-cuda]` or from the system."""
    try:
        packaged = importlib.util.find_spec("nvidia.cudnn") is not None
    except ModuleNotFoundError:
        packaged = False
    return packaged or find_library("cudnn") is not None


def _named(visible: str) -> tuple[str, ...]:
    """What CUDA reads out of its variable: names up to the first that is none, such as -1."""
    names: list[str] = []
    for name in (part.strip() for part in visible.split(",")):
        if not name or name.startswith("-"):
            break
        names.append(name)
    return tuple(names)


def _listed(text: str) -> tuple[str, ...]:
    """The names in `nvidia-smi --list-gpus`, where the parts of a GPU follow it, indented."""
    names: list[str] = []
    whole = False
    for line in text.splitlines():
        found = _LISTED.match(line)
        if found is None:
            continue
        if found["part"] and whole:
            names.pop()  # a GPU that is cut into parts cannot be used as a whole
        names.append(found["uuid"])
        whole = not found["part"]
    return tuple(names)


def _ask(*arguments: str) -> str | None:
    """What nvidia-smi answers; None where there is none or it fails."""
    try:
        answer = subprocess.run(["nvidia-smi", *arguments], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None
