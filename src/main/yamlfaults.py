"""Where a text stops being YAML, and why, in words: a parser notices some faults only lines after they are made."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import yaml

from main.complaints import LINE_END

_UNQUOTED = "a value cannot begin with this character; quote it"
_SPACELESS = "a ':' needs a space after it"
_SECOND_COLON = "a second ':' in one value; quote the value, or begin what is within it in a line of its own"
_SECOND_COLON_WITHIN = "a second ':' in one value; quote the value, or write it in braces, {...}"
_PARENTHESES = "keys within one line stand in braces, {...}, not in parentheses"
_IN_BRACKETS = "in YAML a section begins with its name and a ':', and what is in it stands further in"
_INLINE_LIST = "a list begins in a line of its own; a value that begins with '-' is quoted"
_ESCAPE = "a '\\' within double quotes begins an escape; use single quotes"
_SAYINGS = {
    "found character": _UNQUOTED,
    "mapping keys are not allowed": _UNQUOTED,
    "block sequence entries are not allowed": _INLINE_LIST,
    "sequence entries are not allowed": _INLINE_LIST,
    "mapping values are not allowed": "a ':' where no key can stand; quote the value or indent it",
    "found unexpected ':'": _SPACELESS,
    "did not find expected key": "neither a key nor the end of the mapping; check the indentation above",
    "did not find expected '-'": "neither an element nor the end of a list; check the indentation",
    "did not find expected ',' or ']'": "expected ',' or ']'",
    "did not find expected ',' or '}'": "expected ',' or '}'",
    "expected ',' or ']'": "expected ',' or ']'",
    "expected ',' or '}'": "expected ',' or '}'",
    "expected <block end>": "neither a key nor the end of the mapping; check the indentation above",
    "found unexpected end of stream": "the closing quote is missing",
    "did not find expected hexdecimal": _ESCAPE,
    "found unknown escape": _ESCAPE,
    "expected escape sequence": _ESCAPE,
    "did not find expected node content": "a value is missing",
    "did not find expected <document start>": "text after the end of the data; check the indentation above",
}
"""By how the parser's message begins."""
_FIRST_CHARACTER = (
    "did not find expected alphabetic or numeric",
    "did not find expected comment or line break",
    "expected alphabetic or numeric",
    "expected a comment or a line break",
)
"""Complaints of what follows a '&', '*', '|' or '>', which few who write a value mean to begin it with."""
_UNCLOSED = ("did not find expected ',' or", "expected ',' or")
_NO_DOCUMENT = ("did not find expected <document start>", "expected '<document start>'")
_NO_KEY = ("did not find expected key", "expected <block end>")
_KEY = re.compile(r"\s*(- +)*('[^']*'|\"[^\"]*\"|[^\s#:]+) *:([ \t]|$)")
_IN_BRACKETS_ALONE = re.compile(r"\[\w+(\.\w+)*\]\s*")
_IN_PARENTHESES = re.compile(r".*: +\(\s*\w+")
_UP_TO_A_COLON = re.compile(r"\s*(- +)*[^\s:]+ *")
_SPACELESS_KEY = re.compile(r"\s*[\w.]+:[^ ]")
_BEFORE_BRACKETS = re.compile(r"\s*(?:- +)*(?P<key>[\w.]+)(?P<between>:| *= *| +)[\[{]")
_KEYLESS_WITHIN = re.compile(r"(?:.*[{,])?\s*(?P<key>[\w.]+) +")
_VALUE_WITHIN = re.compile(r".*[{,]\s*[\w.]+: +[^\[\]{},]+")
_KEYLESS = "a key without its ':'"
_EQUALS = "a key has ':' after it, and a space; not '='"


class Fault(NamedTuple):
    """One place of a text; line and column count from 0."""

    line: int
    column: int
    message: str


def fault_of(error: yaml.MarkedYAMLError, text: str) -> Fault:
    """Where a text is no YAML, or where what is never closed begins; and why."""
    return _Faulty(error, text).fault()


class _Faulty:
    def __init__(self, error: yaml.MarkedYAMLError, text: str) -> None:
        self._said = str(error.problem)
        self._at: Any = error.problem_mark
        self._begun: Any = error.context_mark
        self._lines = LINE_END.split(text)

    def fault(self) -> Fault:
        if self._at is None:
            return Fault(0, 0, self._in_words())
        if self._begun and self._said.startswith(_FIRST_CHARACTER):
            return _at(self._begun, _UNQUOTED)
        if self._begun and self._said.startswith("could not find expected ':'"):
            return self._keyless(self._begun.line)
        line = self._line(self._at.line)
        if self._said.startswith(_NO_DOCUMENT) and self._lines_of_sections():
            return Fault(self._lines_of_sections()[0], 0, _IN_BRACKETS)
        if self._said.startswith("mapping values are not allowed"):
            if _IN_PARENTHESES.fullmatch(line[: self._at.column]):
                return _at(self._at, _PARENTHESES)
            first = _UP_TO_A_COLON.fullmatch(line[: self._at.column])
            return self._misplaced_key() if first else _at(self._at, _SECOND_COLON)
        within = _KEYLESS_WITHIN.fullmatch(line[: self._at.column])
        if self._said.startswith(_UNCLOSED) and within and line[self._at.column :][:1] in ("[", "{"):
            return Fault(self._at.line, within.start("key"), _KEYLESS)
        value = _VALUE_WITHIN.fullmatch(line[: self._at.column])
        if self._said.startswith(_UNCLOSED) and value and line[self._at.column :].startswith(": "):
            return _at(self._at, _SECOND_COLON_WITHIN)
        if self._begun and self._is_never_closed():
            return _at(self._begun, f"begins here and is never closed: {self._in_words()}")
        if self._said.startswith(_NO_KEY) and (found := _BEFORE_BRACKETS.match(line)):
            return self._before_brackets(found)
        if self._said.startswith(_NO_KEY):
            return _at(self._at, self._after_a_value()) if line[: self._at.column].strip() else self._misplaced_key()
        return _at(self._at, self._in_words() + self._where_begun())

    def _before_brackets(self, found: re.Match[str]) -> Fault:
        """A key that brackets follow, for want of the ':' or of the space between."""
        between = found["between"]
        if between == ":":
            return Fault(self._at.line, found.end("key"), _SPACELESS)
        return Fault(self._at.line, found.start("key"), _EQUALS if "=" in between else _KEYLESS)

    def _lines_of_sections(self) -> list[int]:
        """Lines such as `[data]`, as other formats begin a section."""
        return [number for number, line in enumerate(self._lines) if _IN_BRACKETS_ALONE.fullmatch(line)]

    def _misplaced_key(self) -> Fault:
        """A key that can stand nowhere, as the line above was to be one and is none, or as it is too far in."""
        number = next((n for n in reversed(range(self._at.line)) if self._is_content(n)), self._at.line)
        above, start = self._line(number).rstrip(), _indentation(self._line(self._at.line))
        further_in = start - _indentation(above)
        is_element = above.lstrip().startswith("- ")
        if (
            further_in >= 0
            and not is_element
            and not _KEY.match(above)
            and not above.endswith(("]", "}", ",", "'", '"'))
        ):
            return self._keyless(number)
        if further_in > 0 and not above.endswith(":"):
            return Fault(self._at.line, start, "further in than the key above, which has a value already")
        return _at(self._at, self._in_words() + self._where_begun())

    def _keyless(self, number: int) -> Fault:
        """A line that was to begin with a key."""
        line = self._line(number)
        if spaceless := _SPACELESS_KEY.match(line):
            return Fault(number, spaceless.end() - 2, _SPACELESS)
        return Fault(number, _indentation(line), _KEYLESS)

    def _is_never_closed(self) -> bool:
        """Whether the text ends, or goes on with what stands no further in, before something is closed."""
        line = self._line(self._at.line)
        if not line.strip() or self._said.startswith("found unexpected end of stream"):
            return True
        within = self._at.line > self._begun.line and self._begun.column > 0
        no_further_in = _indentation(line) <= _indentation(self._line(self._begun.line))
        is_closed_later = any(later.lstrip().startswith(("]", "}")) for later in self._lines[self._at.line :])
        return within and no_further_in and not is_closed_later and self._said.startswith(_UNCLOSED)

    def _after_a_value(self) -> str:
        first = self._line(self._at.line)[self._at.column :][:1]
        if first in ("]", "}"):
            return f"this '{first}' closes nothing"
        before = self._line(self._at.line)[: self._at.column].rstrip()[-1:]
        if before in ("]", "}"):
            return "text after the value; leave it out, or begin a comment with ' #'"
        if before == "'":
            return "text after the closing quote; within single quotes write '' for '"
        return "text after the value; quote all of it"

    def _where_begun(self) -> str:
        begun = self._begun.line if self._begun else self._at.line
        return f" (in what begins in line {begun + 1})" if begun < self._at.line else ""

    def _in_words(self) -> str:
        said = (words for begin, words in _SAYINGS.items() if self._said.startswith(begin))
        return next(said, f"not YAML: {self._said}")

    def _line(self, number: int) -> str:
        return self._lines[number] if number < len(self._lines) else ""

    def _is_content(self, number: int) -> bool:
        return bool(self._line(number).strip()) and not self._line(number).lstrip().startswith("#")


def _at(mark: Any, message: str) -> Fault:
    return Fault(mark.line, mark.column, message)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
