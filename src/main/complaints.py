"""What is wrong with a file, and where: every complaint at once, the first of them with the line they are about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import east_asian_width

from main.errors import UserError
from main.wording import printable

if TYPE_CHECKING:
    from rich.text import Text

LINE_END = re.compile(r"\r\n|\r|\n")
"""Where YAML, and with it every place, begins another line; `str.splitlines` does so at form feeds too."""
_WIDEST_EXCERPT = 96
_MOST_EXCERPTS = 25


class Mark(NamedTuple):
    """A place in a text; both count from 1, columns in characters."""

    line: int
    column: int


ROOT = Mark(1, 1)
"""Where a text begins."""


@dataclass(frozen=True)
class Source:
    """A text that was read: a file, or an override of the command line."""

    name: str
    """What it is called in complaints: the file as it was named, or `--set train.epochs=x`."""
    text: str
    is_file: bool = True
    """Whether a line and a column mean anything to the person who wrote it: not of a file that could not be read."""


class Place(NamedTuple):
    """Where a value and its key stand."""

    source: Source
    key: Mark
    value: Mark


@dataclass(frozen=True)
class Complaint:
    """One thing that is wrong, at one place."""

    source: Source
    mark: Mark
    path: str
    """Dotted path of the value, such as `model.pooling`; empty where it is the file itself."""
    message: str
    """The rule, then what was read."""
    hint: str = ""
    """What is allowed, or what to write instead."""

    @property
    def file(self) -> str:
        """The file, or the override, as the person named it."""
        return self.source.name

    @property
    def line(self) -> int:
        """Line, from 1."""
        return self.mark.line

    @property
    def column(self) -> int:
        """Column in characters, from 1."""
        return self.mark.column

    @property
    def headline(self) -> str:
        """`configs/x.yaml:12:5: model.poolng: unknown key; did you mean 'pooling'?`."""
        return ": ".join(part for part in (self.place, self.path, self.message) if part)

    @property
    def place(self) -> str:
        """`configs/x.yaml:12:5`, or `--set train.epochs=x`."""
        return f"{self.file}:{self.line}:{self.column}" if self.source.is_file else self.file

    @property
    def excerpt(self) -> tuple[str, str] | None:
        """The offending line, and a line with a caret under the place; None where there is no such line."""
        lines = LINE_END.split(self.source.text)
        if not 1 <= self.line <= len(lines) or not lines[self.line - 1].strip():
            return None
        line = "".join(c if c.isprintable() else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}"
                       for c in lines[self.line - 1])  # fmt: skip
        start = max(0, self.column - 1 - _WIDEST_EXCERPT // 2) if len(line) > _WIDEST_EXCERPT else 0
        shown = line[start : start + _WIDEST_EXCERPT]
        before = shown[: self.column - 1 - start]
        return shown.rstrip(), " " * sum(2 if east_asian_width(c) in "WF" else 1 for c in before) + "^"

    def __str__(self) -> str:
        lines = [self.headline]
        if self.excerpt:
            lines += [f"    {line}" for line in self.excerpt]
        if self.hint:
            lines.append(f"    {self.hint}")
        return "\n".join(lines)


class ConfigError(UserError):
    """A file that cannot be used; holds everything that is wrong with it, in the order of the file.

    All of it is said, so that it can be mended in one go; past the first 25 in one line each.
    """

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(sorted(dict.fromkeys(complaints), key=_order))
        super().__init__(self.complaints)

    def __str__(self) -> str:
        whole = [str(complaint) for complaint in self.complaints[:_MOST_EXCERPTS]]
        return "\n".join([*whole, *(complaint.headline for complaint in self.complaints[_MOST_EXCERPTS:])])


def render(complaints: Iterable[Complaint]) -> Text:
    """The same as `str(ConfigError)`, coloured for a terminal: place, path, message, line, caret and hint."""
    from rich.text import Text

    text = Text()
    for number, complaint in enumerate(complaints):
        text.append(printable(complaint.place, kept=""), "bold").append(": ")
        if complaint.path:
            text.append(printable(complaint.path, kept=""), "cyan").append(": ")
        text.append(printable(complaint.message) + "\n", "red")
        if number >= _MOST_EXCERPTS:
            continue
        if complaint.excerpt:
            line, caret = complaint.excerpt
            text.append(f"    {line}\n").append(f"    {caret}\n", "bold red")
        if complaint.hint:
            text.append(f"    {printable(complaint.hint)}\n", "dim")
    text.rstrip()
    return text


def _order(complaint: Complaint) -> tuple[bool, str, Mark]:
    return not complaint.source.is_file, complaint.file, complaint.mark
