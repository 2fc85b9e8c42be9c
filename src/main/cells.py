"""Cells of CSV tables that a spreadsheet shows as they are."""

from __future__ import annotations

from typing import Any


def neutral(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula; numbers, negative ones too, stay as they are."""
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return value
    try:
        float(value)
    except ValueError:
        return "'" + value
    return value
