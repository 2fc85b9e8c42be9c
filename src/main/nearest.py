"""What somebody probably meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 80
_SHORTEST_PART = 3
_NO_WORDS = ("none", "null", "no", "off", "false", "yes", "on", "true")
"""Of somebody who wants something, or nothing, and has not misspelt it."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'pooling'?`, or nothing where no known word is near."""
    nearest = nearest_to(word, known)
    return f"; did you mean '{nearest}'?" if nearest else ""


def nearest_to(word: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known word that somebody probably meant; None where none is near.

    It is spelt alike, has the initials `lr` or those of `mean_squared_error`, or is how a longer word begins or ends.

    Args:
        word: What was written.
        known: What could have been meant.
        likeness: The least share of letters that two words have in common, from 0 to 1, which are spelt alike.
    """
    lowered = {candidate.lower(): candidate for candidate in known}
    word = word.lower()[:_LONGEST]
    if word in lowered:
        return lowered[word]
    if not word or word in _NO_WORDS:
        return None
    alike = get_close_matches(word, lowered, n=1, cutoff=likeness)
    short = (candidate for candidate in lowered if word == _initials(candidate) or candidate == _initials(word))
    parts = (candidate for candidate in lowered if len(candidate) >= _SHORTEST_PART and _is_an_end(candidate, word))
    found = next(iter(alike), None) or next(short, None) or max(parts, key=len, default=None)
    return lowered[found] if found else None


def _initials(word: str) -> str:
    """`lr` of learning_rate; nothing of a single part."""
    parts = word.split("_")
    return "".join(part[:1] for part in parts) if len(parts) > 1 else ""


def _is_an_end(candidate: str, word: str) -> bool:
    return word.startswith(candidate) or word.endswith(candidate)
