"""Whether a source that is known beforehand has the images that a file asks of it: told before any of them is read."""

from __future__ import annotations

from main.checking import Problem
from main.config import DataConfig
from main.data.errors import DataError
from main.data.known import KNOWN
from main.data.source import Header
from main.data.sources import WITHOUT_FILES
from main.data.splits import sizes


def known_header(source: str) -> Header | None:
    """Sizes of a source that are the same on every machine; None of one that must be read to be known."""
    if source in KNOWN:
        return KNOWN[source].header()
    return WITHOUT_FILES[source]().header() if source in WITHOUT_FILES else None


def too_few(data: DataConfig) -> Problem | None:
    """What is wrong with the numbers of images that a file asks for; None where nothing is, or nobody can tell."""
    header = known_header(data.source)
    if header is None:
        return None
    try:
        sizes(header, data, data.source)
    except DataError as error:
        left_out = header.n_images - header.validation if error.field == "train" else header.validation
        return Problem(("data", error.field), str(error), f"left out, it is {left_out:,}")
    return None


def as_a_number(source: str, share: float) -> str:
    """How many images a share of a source is, in words that say what to write."""
    header = known_header(source)
    if header is None:
        return "write how many images, a whole number"
    return f"write {int(header.n_images * share)}: {share:.4g} of its {header.n_images:,} images outside the test set"
