"""Names of sweeps and trainings, which are names of folders on every system."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

LONGEST = 64
_PATTERN = rf"^[A-Za-z0-9._-]{{1,{LONGEST}}}$"
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))}


def valid_name(name: str) -> str:
    """`name` as it is.

    Raises:
        ValueError: If no folder can be called that, on Windows or elsewhere.
    """
    if not re.match(_PATTERN, name) or "\n" in name:
        raise ValueError(f"a name is 1 to {LONGEST} of A-Z a-z 0-9 . _ -, but read '{name[:70]}'")
    if name.endswith("."):
        raise ValueError(f"a name does not end in a dot, but read '{name}'")
    if name.split(".")[0].lower() in _DEVICES:
        raise ValueError(f"'{name}' is a device on Windows, and cannot be a folder there")
    return name


Name = Annotated[str, AfterValidator(valid_name), Field(json_schema_extra={"pattern": _PATTERN, "maxLength": LONGEST})]
"""Name of a sweep or training: `[A-Za-z0-9._-]{1,64}`, and no device of Windows."""
