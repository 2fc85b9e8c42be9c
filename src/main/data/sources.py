"""From the name of a source in a sweep file to the source itself."""

from __future__ import annotations

import os
from collections.abc import Callable

from main.data.arraysource import ArraySource
from main.data.digits import Digits
from main.data.errors import MissingData, UnknownSource
from main.data.find import ENVIRONMENT, find, places
from main.data.known import KNOWN, KnownData
from main.data.paths import FILE_READERS, is_path, open_path
from main.data.registered import open_registered, registered_names
from main.data.source import Source
from main.nearest import nearest_to

WITHOUT_FILES: dict[str, Callable[[], Source]] = {"digits": Digits}


def open_source(name: str) -> Source:
    """The source of this name: a built-in one, one that a package registers, or a path, in this order.

    A known data set that is nowhere on this machine is downloaded. Raises MissingData where a source can be
    neither found nor downloaded, UnknownSource where nothing is known by this name.
    """
    refuse_unknown(name)
    if name in KNOWN:
        return _found(KNOWN[name]) or _downloaded(KNOWN[name])
    if name in WITHOUT_FILES:
        return WITHOUT_FILES[name]()
    if name in registered_names():
        return open_registered(name)
    return open_path(name)


def refuse_unknown(name: str) -> None:
    """Raise UnknownSource where nothing can be meant by this name: it is no path, and none that anything has."""
    if name not in KNOWN and name not in WITHOUT_FILES and name not in registered_names() and not is_path(name):
        raise UnknownSource(f"unknown source {name!r:.80}; {_hint(name)}")


def is_to_be_downloaded(name: str) -> bool:
    """Whether a source is a known data set that is nowhere on this machine yet."""
    return name in KNOWN and find(KNOWN[name]) is None


def _found(known: KnownData) -> Source | None:
    arrays = find(known)
    return ArraySource(known.name, arrays, known) if arrays else None


def _downloaded(known: KnownData) -> Source:
    from main.data.download import download

    try:
        download(known)
    except MissingData as error:
        raise MissingData(
            f"{known.name} was not found, and could not be downloaded: {error}\n{_looked_in(known)}"
        ) from None
    source = _found(known)
    if source is None:
        raise MissingData(f"{known.name} was downloaded, but is not where Keras keeps it\n{_looked_in(known)}")
    return source


def _looked_in(known: KnownData) -> str:
    unset = [] if os.environ.get(ENVIRONMENT) else [f"${ENVIRONMENT} (not set)"]
    return "Looked for, in this order:\n  " + "\n  ".join([*unset, *(str(place) for place in places(known))])


def _hint(name: str) -> str:
    names = [*KNOWN, *WITHOUT_FILES, *registered_names()]
    if near := nearest_to(name, names):
        return f"did you mean '{near}'?"
    formats = ", ".join(FILE_READERS)
    return f"expected {', '.join(names)}, or a path from the folder in which the command runs: {formats}, or a folder"
