"""Composes plain data from YAML's events: YAML 1.2 without what a configuration has no use for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any
from unicodedata import category

import yaml

from main.annotations import KeyPath, dotted
from main.complaints import LINE_END, ROOT, Complaint, ConfigError, Mark, Place, Source
from main.yaml12 import NotANumber, Plain, scalar
from main.yamlfaults import fault_of

DEEPEST = 16
"""Levels of nesting that are read at most."""
_MOST_COMPLAINTS = 100
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's scanner, ten times as fast
_JOINERS = "\u200c\u200d\u00ad"  # of emoji and of scripts; the soft hyphen
_NO_INDENTATION = re.compile(r"^[ ]*[\t\u00a0]", re.MULTILINE)  # tabs, and spaces as pages of the web have them


def decoded(content: bytes, name: str) -> Source:
    """The text of a file, refused where it is not UTF-8 or holds characters that nobody sees."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        source = Source(name, content.decode("utf-8", errors="replace"))
        message = f"not UTF-8: byte 0x{content[error.start]:02x}"
        raise ConfigError([Complaint(source, _mark_at_end(before), "", message)]) from None
    source = Source(name, text)
    complaints = unseen_in(source)
    for found in islice(_NO_INDENTATION.finditer(text), _MOST_COMPLAINTS):
        message = f"{_name_of(found[0][-1])} in the indentation; YAML wants spaces"
        complaints.append(Complaint(source, _mark_at_end(text[: found.end() - 1]), "", message))
    if complaints:
        raise ConfigError(complaints)
    return source


def unseen_in(source: Source) -> list[Complaint]:
    """A complaint about each of the first characters that nobody sees."""
    text = source.text
    return [
        Complaint(source, _mark_at_end(text[:at]), "", f"{_name_of(text[at])} does not belong in a sweep file")
        for at in _unseen(text)
    ]


def _unseen(text: str) -> list[int]:
    """Where the first few characters stand that YAML does not allow or that no editor shows."""
    return list(islice((i for i, c in enumerate(text) if c not in "\n\r\t" and _is_unseen(c)), _MOST_COMPLAINTS))


def _is_unseen(character: str) -> bool:
    if character.isprintable() or character in _JOINERS:
        return False
    return category(character) in ("Cc", "Cs", "Cf", "Zl", "Zp")


def _name_of(character: str) -> str:
    names = {"\ufeff": "a byte order mark", "\t": "a tab"}
    return names.get(character) or f"the invisible character U+{ord(character):04X}"


def _mark_at_end(text: str) -> Mark:
    *before, last = LINE_END.split(text)
    return Mark(len(before) + 1, len(last) + 1)


class Reader:
    """Composes plain data from a parser's events, noting places and collecting complaints."""

    def __init__(self, source: Source, text: str, columns: int = 0) -> None:
        self.places: dict[KeyPath, Place] = {}
        self._source = source
        self._text = text
        self._columns = columns  # before the text's first, in the source's first line
        self._complaints: list[Complaint] = []
        self._events: Iterator[Any] = iter(())

    def read(self) -> Plain:
        """The one value of the text."""
        self._events = iter(yaml.parse(self._text, Loader=_LOADER))
        try:
            data = self._stream()
        except yaml.MarkedYAMLError as error:
            fault = fault_of(error, self._text)
            self._complain(self._mark(fault), (), fault.message)
        except yaml.YAMLError as error:
            self._complain(ROOT, (), str(error).splitlines()[0])
        if self._complaints:
            raise ConfigError(self._complaints)
        return data

    def _stream(self) -> Plain:
        next(self._events)  # the stream's start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            self.places[()] = Place(self._source, ROOT, ROOT)
            return None
        first = next(self._events)
        data = self._value(first, (), self._mark(first.start_mark))
        next(self._events)  # the document's end
        following = next(self._events)
        if not isinstance(following, yaml.StreamEndEvent):
            self._complain(self._mark(following.start_mark), (), "a second document begins; one is read")
        return data

    def _value(self, event: Any, path: KeyPath, key: Mark) -> Plain:
        mark = self._mark(event.start_mark)
        self.places[path] = Place(self._source, key, mark)
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            self._complain(mark, path, "anchors and aliases are not read; write the value itself")
        if isinstance(event, yaml.AliasEvent):
            return None
        if event.tag:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")[:60]
            self._complain(mark, path, f"the tag {tag} is not read; write plain values")
        if len(path) > DEEPEST:
            self._complain(mark, path[:4], f"nested deeper than {DEEPEST} levels")
            raise ConfigError(self._complaints)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, path, mark)
        return self._mapping(path) if isinstance(event, yaml.MappingStartEvent) else self._list(path)

    def _scalar(self, event: yaml.ScalarEvent, path: KeyPath, mark: Mark) -> Plain:
        if event.implicit[0]:  # plain, rather than in quotes or a block
            try:
                return scalar(event.value)
            except NotANumber as error:
                self._complain(mark, path, str(error))
                return None
        if unseen := _unseen(event.value):  # from an escape in double quotes
            self._complain(mark, path, f"{_name_of(event.value[unseen[0]])} does not belong in a sweep file")
            return ""
        return str(event.value)

    def _list(self, path: KeyPath) -> tuple[Plain, ...]:
        items: list[Plain] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items)), self._mark(event.start_mark)))
        return tuple(items)

    def _mapping(self, path: KeyPath) -> dict[str, Plain]:
        data: dict[str, Plain] = {}
        first: dict[str, Mark] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            mark = self._mark(event.start_mark)
            key = self._key(event, path, mark)
            value = self._value(next(self._events), (*path, key), mark)
            if key in first:
                self._complain(mark, (*path, key), f"written twice; it stands in line {first[key].line} already")
            first.setdefault(key, mark)
            data.setdefault(key, value)
        return data

    def _key(self, event: Any, path: KeyPath, mark: Mark) -> str:
        if isinstance(event, yaml.ScalarEvent) and not event.tag and not event.anchor:
            if event.value == "<<" and event.implicit[0]:
                self._complain(mark, path, "merge keys are not read; write the values themselves")
            return str(event.value)
        self._value(event, (*path, "?"), mark)
        self._complain(mark, path, "a key must be a plain word")
        return "?"

    def _complain(self, mark: Mark, path: KeyPath, message: str) -> None:
        self._complaints.append(Complaint(self._source, mark, dotted(path), message))
        if len(self._complaints) >= _MOST_COMPLAINTS:
            raise ConfigError(self._complaints)

    def _mark(self, mark: Any) -> Mark:
        return Mark(mark.line + 1, mark.column + 1 + (self._columns if mark.line == 0 else 0))
