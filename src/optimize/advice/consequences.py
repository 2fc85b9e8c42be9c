"""Which complaints of a sweep file only follow from others, and which are several of one mistake."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import groupby

from main.annotations import KeyPath, value_at
from main.checking import REQUIRED, Problem
from main.complaints import Complaint
from main.document import described
from main.yaml12 import Plain, flow
from optimize.advice.habits import words_meant
from optimize.forms import WinnerForm, form_of, forms_within
from optimize.paths import SWEEPABLE

NOTHING_SWEPT = "nothing is swept"
"""How the message begins about a file of one training."""
AT_THE_EDGE = "it belongs at the left edge of the file"
_LONGEST = 60
_UNDER = re.compile(r"write `([\w.]+): (.*)` under `(\w+):`, further in", re.DOTALL)


def without_consequences(problems: list[Problem], data: Plain, sections: Collection[str]) -> list[Problem]:
    """Problems without those that are gone once the others are mended, in which each mistake is told once.

    Args:
        problems: Explained already.
        data: Of the whole file.
        sections: The keys that stand at the file's left edge.
    """
    whole = [*_lists_at_once(problems, data)]
    told = [_at_the_edge(_under_its_section(problem, data, sections), data, sections) for problem in whole]
    elsewhere = {section for problem in told for section in _sections_meant(problem, data, sections)}
    spelt = {(*p.path[:-1], _word_meant(p)) for p in told if p.at_key and p.message != REQUIRED}
    kept = [p for p in told if not _follows(p, elsewhere, data) and not (p.message == REQUIRED and p.path in spelt)]
    kept = list({_advice(problem): problem for problem in reversed(kept)}.values())[::-1]
    if _may_sweep(kept, data):
        kept = [problem for problem in kept if not problem.message.startswith(NOTHING_SWEPT)]
    return kept or told


def _advice(problem: Problem) -> Problem | tuple[KeyPath, str]:
    """What is the same of several problems with keys that one piece of advice mends: `{momentum, nesterov}`."""
    is_of_all = problem.at_key and problem.hint.startswith(("write {", "write `"))
    return (problem.path[:-1], problem.hint) if is_of_all else problem


def as_an_override(complaint: Complaint) -> Complaint:
    """A complaint whose advice is of the lines of a file, as one of the command line where it is about that."""
    found = None if complaint.source.is_file else _UNDER.fullmatch(complaint.hint)
    if found is None:
        return complaint
    below = complaint.source.text.strip().removeprefix(complaint.path)  # of a path into it, which leaves the rest be
    assigned = below if below.startswith(".") else f"={found[2]}"
    return replace(complaint, hint=f"write {found[3]}.{found[1]}{assigned}")


def _lists_at_once(problems: list[Problem], data: Plain) -> Iterator[Problem]:
    """Lists within a list of numbers as one problem: each of them was to be tried."""
    for around, group in groupby(problems, key=lambda problem: _list_around(problem, data)):
        if around is None:
            yield from group
            continue
        value = value_at(data, around)
        assert isinstance(value, tuple)
        each = ", ".join(flow(item if isinstance(item, tuple) else (item,)) for item in value)
        written = each if len(each) <= _LONGEST else "..."
        hint = f"to try each, write {{choices: [{written}]}}" if len(value) > 1 else f"write {written}"
        yield Problem(around, f"expected numbers in the list, but read {described(value)}", hint)


def _list_around(problem: Problem, data: Plain) -> KeyPath | None:
    """The path of a list of numbers in which lists stand, of a problem with one of them."""
    *around, place = problem.path or ("",)
    is_swept = problem.path[:1] in [(section,) for section in SWEEPABLE] and "choices" not in problem.path
    value = value_at(data, tuple(around))
    if not is_swept or not isinstance(place, int) or not isinstance(value, tuple):
        return None
    has_lists = any(isinstance(item, tuple) for item in value)
    return tuple(around) if has_lists and problem.message.startswith("expected a whole number") else None


def _under_its_section(problem: Problem, data: Plain, sections: Collection[str]) -> Problem:
    """A problem with a key at the left edge, saying how it stands in the section that it belongs in."""
    if len(problem.path) != 1 or not problem.at_key or not isinstance(data, dict):
        return problem
    (key,) = problem.path
    section, name = _home(problem)
    if section == "model" and name == "network" and isinstance(data.get(str(key)), dict):
        return problem._replace(message="unknown key; did you mean 'model'?")
    if section is not None:
        written = flow(_as_written_here(section, name, data.get(str(key))))
        entry = f"{name}: {written if len(written) <= _LONGEST else '...'}"
        return problem._replace(hint=f"write `{entry}` under `{section}:`, further in")
    if not set(sections).isdisjoint(_keys(data.get(str(key)))):
        return problem._replace(hint="write what stands in it at the left edge of the file")
    return problem


def _as_written_here(section: str, name: str, value: Plain) -> Plain:
    """A value that moves into a section, there the first of the words that another tool's word may mean."""
    meant = words_meant((section, name), value) if isinstance(value, str) else []
    return meant[0] if meant else value


def _home(problem: Problem) -> tuple[str | None, str]:
    """The section that a key at the left edge belongs in, and what it is called there; None of others."""
    key = str(problem.path[0])
    if problem.message == "unknown key, a path":
        section, _, name = key.partition(".")
        return (section, name) if "." not in name else (None, key)
    _, _, said = problem.message.partition("it belongs in `")
    if said:
        return said.removesuffix("`"), key
    _, _, said = problem.message.partition("did you mean '")
    section, dot, name = said.removesuffix("'?").partition(".")
    return (section, name) if dot else (None, key)


def _at_the_edge(problem: Problem, data: Plain, sections: Collection[str]) -> Problem:
    """A problem with a section that stands in another which has a key of that name, as `train` in `data`."""
    is_within = len(problem.path) == 2 and not problem.at_key and problem.path[1] in sections
    if is_within and isinstance(value_at(data, problem.path), dict):
        return problem._replace(message=f"a section; {AT_THE_EDGE}", hint="", at_key=True)
    return problem


def _sections_meant(problem: Problem, data: Plain, sections: Collection[str]) -> Iterator[str]:
    """The sections of which a problem says that what belongs in them, or they themselves, stand elsewhere."""
    if not problem.at_key or problem.message == REQUIRED:
        return
    if problem.message.endswith(AT_THE_EDGE):
        yield str(problem.path[-1])
    if len(problem.path) == 1:
        yield from _keys(value_at(data, problem.path)) & set(sections)
        home, _ = _home(problem)
        yield home or _word_meant(problem)


def _word_meant(problem: Problem) -> str:
    """The word that a problem asks whether it was meant; nothing of others."""
    return problem.message.partition("did you mean '")[2].removesuffix("'?")


def _follows(problem: Problem, elsewhere: Collection[str], data: Plain) -> bool:
    first = str(problem.path[0]) if problem.path else ""
    if len(problem.path) == 1 and first in elsewhere:
        return problem.message == REQUIRED or (not problem.at_key and value_at(data, problem.path) is None)
    is_misplaced = problem.message.startswith("only values under")  # of choices in a section within another
    return is_misplaced and len(problem.path) > 1 and str(problem.path[1]) in elsewhere


def _may_sweep(problems: list[Problem], data: Plain) -> bool:
    """Whether something is swept, or may be, once what else is wrong with a file is mended."""
    if any(form_of(value_at(data, path)) is not WinnerForm for path in forms_within(data)):
        return True
    return any(
        "choices: " in problem.hint
        or "{low: " in problem.hint
        or (problem.hint == "write it without quotes")
        or "what is swept stands" in problem.message
        or (len(problem.path) == 1 and problem.at_key and _keys(value_at(data, problem.path)) & {"seeds", "folds"})
        for problem in problems
        if not problem.message.startswith(NOTHING_SWEPT)
    )


def _keys(value: Plain) -> set[str]:
    return set(value) if isinstance(value, dict) else set()
