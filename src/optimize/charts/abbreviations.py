"""Short names for choices too long to stand beside one another on an axis, and the key that explains them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

LONGEST_TICK = 18
_KEPT = 10
_NAMED = re.compile(r"\{name: ([^,}]+)")


def abbreviated(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels, long ones as their first characters, or as the name of what a mapping sets; no two alike."""
    short = [_abbreviation(label) for label in labels]
    counts, seen, found = Counter(short), Counter[str](), []
    for label, name in zip(labels, short, strict=True):
        if name == label or counts[name] == 1:
            found.append(name)
            continue
        seen[name] += 1
        found.append(f"{name} ({seen[name]})")
    return tuple(found)


def key(labels: Mapping[str, Sequence[str]]) -> str:
    """What the abbreviations stand for, by the parameter whose labels they are; empty where none was needed."""
    lines = []
    for name, whole in labels.items():
        meant = [
            f"{short} is {label}" for short, label in zip(abbreviated(whole), whole, strict=True) if short != label
        ]
        if meant:
            lines.append(f"{name}: {'; '.join(meant)}.")
    return " ".join(lines)


def _abbreviation(label: str) -> str:
    if len(label) <= LONGEST_TICK:
        return label
    named = _NAMED.match(label)
    return named[1][:LONGEST_TICK] if named else f"{label[:_KEPT].rstrip(' ,')}…"
