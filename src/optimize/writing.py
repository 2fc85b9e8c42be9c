"""Writes a sweep's values as a file that a person would have written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from main.yaml12 import flow


def block(sections: Mapping[str, Any], notes: Mapping[str, str] | None = None) -> str:
    """YAML with a line for each value of each section.

    Args:
        sections: Plain data; what is deeper than a section's own values stands in one line.
        notes: By path, comments.
    """
    comments: dict[str, str] = {}
    for path, note in (notes or {}).items():
        comments.setdefault(".".join(path.split(".")[:2]), f"  # {note}")
    lines: list[str] = []
    for key, section in sections.items():
        if not isinstance(section, Mapping) or not section:
            lines.append(f"{key}: {flow(section)}")
            continue
        lines.append(f"{key}:{comments.get(key, '')}")
        lines += [f"  {name}: {flow(value)}{comments.get(f'{key}.{name}', '')}" for name, value in section.items()]
    return "\n".join(lines) + "\n"
