"""A YAML file as plain data that knows where each of its values stands.

YAML 1.2 without what a configuration has no use for: aliases, merges, tags, several documents, deep nesting.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from main.annotations import KeyPath, dotted, is_index, value_at
from main.complaints import ROOT, Complaint, ConfigError, Mark, Place, Source
from main.nearest import nearest_to
from main.reading import Reader, decoded, unseen_in
from main.yaml12 import Plain, flow

LARGEST_FILE = 64 * 1024
"""Bytes of a file that are read at most."""


_OTHERWISE = re.compile(
    r"""-*(?P<path>\w+(?:(?:[./:]|\.?\[["']?)\w+(?:["']?\])?)*)(?P<equals>=|\s*:\s+|\s+=?\s*|=\s+)(?P<value>[^\s=].*)"""
)
"""An assignment in the manner of Python, of paths of files, of YAML or of an option."""
IN_PLACE_OF_A_VALUE = ("choices", "low", "high", "winner")
"""Keys of mappings that a sweep file may have where a value would stand."""
SUFFIXES = (".yaml", ".yml")
"""Of the files that people write."""


@dataclass(frozen=True)
class Document:
    """The plain data of a file, and the place of each key and value."""

    source: Source
    data: dict[str, Plain]
    places: Mapping[KeyPath, Place]

    def place(self, path: KeyPath) -> Place:
        """Where the value at `path` stands; that of the nearest value around it where it is not written."""
        for length in range(len(path), 0, -1):
            if found := self.places.get(path[:length]):
                return found
        return Place(self.source, ROOT, ROOT)

    def complaint(self, path: KeyPath, message: str, hint: str = "", *, at_key: bool = False) -> Complaint:
        """A complaint about the value at `path`, or about its key."""
        place = self.place(path)
        mark = place.key if at_key or path not in self.places else place.value
        return Complaint(place.source, mark, dotted(path), message, hint)

    def override(self, assignment: str) -> Document:
        """The document with `PATH=VALUE` of the command line in it; VALUE is read as YAML.

        Raises:
            ConfigError: If it is no such assignment, or cannot be read.
        """
        written, equals, text = assignment.partition("=")
        source = Source(f"--set {assignment}", assignment, is_file=False)
        if any(unicodedata.category(character) == "Cs" for character in assignment):
            raise ConfigError([Complaint(source, ROOT, "", "holds bytes that are no UTF-8")])
        if unseen := unseen_in(source):  # a file of it, as the results keep one, could not be read
            raise ConfigError(unseen)
        keys = written.strip().split(".")
        if respelt := _respelt(assignment):
            message = "expected PATH=VALUE, in which keys and numbers of elements have points between them"
            raise ConfigError([Complaint(source, ROOT, "", message, f"write {respelt}")])
        if not equals or not all(keys):
            message = "expected PATH=VALUE, such as train.epochs=3"
            raise ConfigError([Complaint(source, ROOT, "", message)])
        offset = len(written) + 1
        reader = Reader(source, text, offset)
        value = reader.read() if text.strip() else None
        path, data = _assigned(self.data, (), keys, value, source)
        place = Place(source, ROOT, Mark(1, offset + 1))
        gone = _given_way(self.data, path)
        kept = (*gone, "when")
        places = {
            key: found for key, found in self.places.items() if key[: len(gone)] != gone or key[: len(kept)] == kept
        }
        for length in range(1, len(path)):
            places.setdefault(path[:length], Place(source, ROOT, ROOT))
        if gone == path and isinstance(value_at(self.data, path[:-1]), str):
            places[(*path[:-1], "name")] = self.place(path[:-1])
        places[path] = place
        places |= {path + below: found for below, found in reader.places.items() if below}
        assert isinstance(data, dict)
        return Document(self.source, data, places)


def read(path: Path | str, overrides: Iterable[str] = ()) -> Document:
    """The document in a file, with the command line's overrides in it.

    Raises:
        ConfigError: If it cannot be read, with everything that is wrong with its YAML.
    """
    name = str(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        meant = _meant(Path(path)) if isinstance(error, FileNotFoundError | IsADirectoryError) else None
        message = f"cannot be read: {error.strerror}" + (f"; did you mean '{meant}'?" if meant else "")
        raise ConfigError([Complaint(Source(name, "", is_file=False), ROOT, "", message)]) from None
    except ValueError as error:  # a NUL in the name
        raise ConfigError([Complaint(Source(name, "", is_file=False), ROOT, "", f"cannot be read: {error}")]) from None
    return parse(content, name, overrides)


def _meant(path: Path) -> Path | None:
    """The file that was probably meant by one that is not there: beside it or in `configs`, misspelt or by its name."""
    called = path.stem if path.suffix in SUFFIXES else path.name
    for folder in (path.parent, Path("configs")):
        files = {file.stem: file for file in sorted(folder.glob("*")) if file.suffix in SUFFIXES}
        if nearest := nearest_to(called, files):
            return files[nearest]
    return None


def parse(content: bytes, name: str, overrides: Iterable[str] = ()) -> Document:
    """The document in the bytes of a file called `name`; see `read`."""
    if len(content) > LARGEST_FILE:
        message = f"larger than {LARGEST_FILE // 1024} KiB, which no sweep file needs"
        raise ConfigError([Complaint(Source(name, "", is_file=False), ROOT, "", message)])
    source = decoded(content, name)
    reader = Reader(source, source.text)
    data = reader.read()
    if not isinstance(data, dict):
        message = "empty" if data is None else f"expected a mapping at the top, but read {described(data)}"
        is_dashed = isinstance(data, tuple) and bool(data) and all(isinstance(item, dict) for item in data)
        hint = "write its keys without '-', at the left edge" if is_dashed else ""
        raise ConfigError([Complaint(source, reader.places[()].value, "", message, hint)])
    document = Document(source, data, {path: place for path, place in reader.places.items() if path})
    complaints: list[Complaint] = []
    for assignment in overrides:
        try:
            document = document.override(assignment)
        except ConfigError as error:
            complaints += error.complaints
    if complaints:
        raise ConfigError(complaints)
    return document


def described(value: object, longest: int = 60) -> str:
    """What was read, in words: `the word 'x'`, `the number 3`, `the list [1, 2]`."""
    text = f"'{value}'" if isinstance(value, str) else flow(value)
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    for kind, words in _KINDS.items():
        if isinstance(value, kind):
            return words.format(text)
    return text


_KINDS: dict[type | tuple[type, ...], str] = {
    type(None): "null",
    bool: "the boolean {}",
    (int, float): "the number {}",
    str: "the word {}",
    (list, tuple): "the list {}",
    dict: "the mapping {}",
}


def _respelt(assignment: str) -> str:
    """An assignment as it is written, of one with other signs in its path: `model.filters[0]=8`, `--train.epochs=3`.

    Nothing of one whose path has points alone, or of which nobody can tell.
    """
    found = _OTHERWISE.fullmatch(assignment.strip())
    if not found:
        return ""
    path = re.sub(r"\W+", ".", found["path"]).strip(".")
    is_other = found["path"] != path or "=" not in found["equals"] or assignment.lstrip().startswith("-")
    return f"{path}={found['value']}" if is_other else ""


def _first_key(data: Plain, path: KeyPath, keys: list[str]) -> list[str]:
    """`keys` below `path`, those joined that are one key: `model.pooling`, in a baseline, a start point or a `when`."""
    if isinstance(data, dict):
        for length in range(len(keys), 1, -1):
            joined = ".".join(keys[:length])
            if joined in data:
                return [joined, *keys[length:]]
    is_keyed_by_paths = path[-1:] in (("baseline",), ("when",)) or path[-2:-1] == ("start",)
    return [".".join(keys)] if keys and is_keyed_by_paths else keys


def _gives_way(data: Plain, path: KeyPath, key: str | int) -> bool:
    """Whether the value at `path` gives way to what is set at `key` in it: `model.pooling=max` to choices."""
    own = ("low", "high") if key in ("low", "high") else (key,)
    is_such = isinstance(data, dict) and not data.keys().isdisjoint(own)
    return len(path) > 1 and key in IN_PLACE_OF_A_VALUE and not is_such


def _given_way(data: Plain, path: KeyPath) -> KeyPath:
    """What is gone when something is set at `path`: what stood there, or a value around it that gave way to it."""
    around = (path[:length] for length in range(len(path)))
    return next((at for at in around if _gives_way(value_at(data, at), at, path[len(at)])), path)


def _assigned(data: Plain, path: KeyPath, keys: list[str], value: Plain, source: Source) -> tuple[KeyPath, Plain]:
    """`data` with `value` at `keys` below `path`, and the whole path that this came to.

    A key set under a word keeps the word as `name`: under `optimizer: sgd`, `optimizer.momentum=0.9` is
    `{name: sgd, momentum: 0.9}`. Choices, and an end of a range, take the place of a value instead, and of the other
    one, whose `when` stays.
    """
    if not keys:
        return path, value
    key, *rest = _first_key(data, path, keys)
    if _gives_way(data, path, key):
        data = {"when": data["when"]} if isinstance(data, dict) and "when" in data else None
    if isinstance(data, tuple):
        if not is_index(key) or int(key) >= len(data):
            message = f"{dotted(path)} has {len(data)} elements, the first of them {dotted((*path, 0))}"
            message = message if data else f"{dotted(path)} is an empty list; set the whole of it, [...]"
            raise ConfigError([Complaint(source, ROOT, dotted((*path, key)), message)])
        index = int(key)
        whole, item = _assigned(data[index], (*path, index), rest, value, source)
        return whole, (*data[:index], item, *data[index + 1 :])
    if data is None and is_index(key) and path:
        message = f"{dotted(path)} is no list in the file; set the whole of it, [...]"
        raise ConfigError([Complaint(source, ROOT, dotted((*path, key)), message)])
    if data is not None and not isinstance(data, dict | str):
        message = f"{dotted(path)} is {described(data)}, which has no {key!r}"
        raise ConfigError([Complaint(source, ROOT, dotted((*path, key)), message)])
    inner = data if isinstance(data, dict) else {} if data is None else {"name": data}
    whole, item = _assigned(inner.get(key), (*path, key), rest, value, source)
    return whole, {**inner, key: item}
