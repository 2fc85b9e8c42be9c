"""What somebody probably meant by a word that is not known."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'pooling'?`, or nothing where no known word is near."""
    nearest = nearest_to(word, known)
    return f"; did you mean '{nearest}'?" if nearest else ""


def nearest_to(word: str, known: Iterable[str]) -> str | None:
    """The known word that somebody probably meant; None where none is near."""
    lowered = {candidate.lower(): candidate for candidate in known}
    nearest = get_close_matches(word.lower()[:80], lowered, n=1, cutoff=0.6)
    return lowered[nearest[0]] if nearest else None
