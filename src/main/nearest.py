"""What somebody probably meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

_LONGEST = 80
_ALIKE = 0.6
VERY_LIKE = 0.75
"""Of two words that few would take for different ones."""
_SHORTEST_PART = 3
_NO_WORDS = ("none", "null", "no", "off", "false", "yes", "on", "true")
"""Of somebody who wants something, or nothing, and has not misspelt it."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'pooling'?`, or nothing where no known word is near."""
    nearest = nearest_to(word, known)
    return f"; did you mean '{nearest}'?" if nearest else ""


def nearest_to(word: str, known: Iterable[str], likeness: float = _ALIKE) -> str | None:
    """The known word that somebody probably meant; None where none is near.

    It is spelt alike; or, where no more likeness than usual is asked for, has the initials `lr` or those of
    `mean_squared_error`, or is how a longer word begins or ends.

    Args:
        word: What was written.
        known: What could have been meant.
        likeness: The least share of letters that two words have in common, from 0 to 1, which are spelt alike.
    """
    return _nearest(word.lower()[:_LONGEST], tuple(known), likeness)


@lru_cache(maxsize=8192)  # a file is checked several times, and of a damaged one every key is unknown
def _nearest(word: str, known: tuple[str, ...], likeness: float) -> str | None:
    lowered, by_initials = _vocabulary(known)
    if word in lowered:
        return lowered[word]
    if not word or word in _NO_WORDS:
        return None
    if alike := get_close_matches(word, lowered, n=1, cutoff=likeness):
        return lowered[alike[0]]
    if likeness > _ALIKE:
        return None
    if short := by_initials.get(word) or lowered.get(_initials(word)):
        return short
    ends = tuple(candidate for candidate in lowered if len(candidate) >= _SHORTEST_PART)
    if not (word.startswith(ends) or word.endswith(ends)):
        return None
    return lowered[max((end for end in ends if word.startswith(end) or word.endswith(end)), key=len)]


@lru_cache(maxsize=256)
def _vocabulary(known: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """Known words by what they are in small letters, and those of several parts by their initials."""
    lowered = {candidate.lower(): candidate for candidate in known}
    return lowered, {_initials(candidate): word for candidate, word in lowered.items() if _initials(candidate)}


def _initials(word: str) -> str:
    """`lr` of learning_rate; nothing of a single part."""
    parts = word.split("_")
    return "".join(part[:1] for part in parts) if len(parts) > 1 else ""
