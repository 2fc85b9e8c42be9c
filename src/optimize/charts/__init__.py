"""Charts of a sweep, drawn from its tables alone; never imports TensorFlow."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from main.errors import UserError
from main.files import write_atomically

if TYPE_CHECKING:
    from optimize.charts.evidence import Evidence
    from optimize.results import Results

log = logging.getLogger(__name__)

NAMES = (
    "choices",
    "learning_curves",
    "differences",
    "importances",
    "marginal_effects",
    "slice",
    "effects",
    "contour",
    "rank",
    "parallel_coordinates",
    "pareto",
    "history",
    "intermediate_values",
    "edf",
    "timeline",
)
"""What can be asked for by name."""
FORMATS = ("png", "svg", "pdf")


class Drawn(list[Path]):
    """The files that were written; `skipped` says of every other chart why it makes no sense for this sweep."""

    skipped: Mapping[str, str]

    def __init__(self, paths: Sequence[Path], skipped: Mapping[str, str]) -> None:
        super().__init__(paths)
        self.skipped = skipped


def draw(
    results: Results,
    only: Sequence[str] | None = None,
    format: str = "png",  # noqa: A002 - the option's name
    style: str | None = None,
    evidence: Evidence | None = None,
) -> Drawn:
    """Draw a sweep's charts into its `charts` folder.

    Args:
        results: the sweep's folder.
        only: names out of `NAMES`; all that make sense for the sweep unless given.
        format: one of `FORMATS`.
        style: a matplotlib style, by name or path, over our own.
        evidence: what the folder's tables hold, where that has been read already.

    Raises:
        UserError: a name, a format or a style that is not known; the message lists those that are.
        optimize.tables.MissingFile, optimize.tables.DamagedFile: a file is not there, or holds something else.
        OSError: the folder cannot be written.
    """
    check_request(only, format, style)
    from optimize.charts.evidence import read_evidence
    from optimize.charts.making import make

    evidence = evidence or read_evidence(results)
    paths: list[Path] = []
    skipped: dict[str, str] = {}
    for name in only or NAMES:
        made = make(name, evidence, format=format, style=style)
        path = results.charts / f"{name}.{format}"
        if isinstance(made, str):
            skipped[name] = made
            log.info("%s: %s is not drawn: %s", evidence.name, name, made)
            path.unlink(missing_ok=True)  # an earlier state of the sweep may have had it
            continue
        _write(path, made)
        paths.append(path)
    return Drawn(paths, skipped)


def check_request(only: Sequence[str] | None = None, format: str = "png", style: str | None = None) -> None:  # noqa: A002
    """Refuse what cannot be drawn, before anything is read.

    Args:
        only: names that should be in `NAMES`.
        format: what should be one of `FORMATS`.
        style: a matplotlib style, by name or path.

    Raises:
        UserError: a name, a format or a style that is not known; the message lists those that are.
    """
    unknown = [name for name in only or () if name not in NAMES]
    if unknown:
        raise UserError(f"no chart is called {', '.join(map(repr, unknown))}; there are {', '.join(NAMES)}")
    if format not in FORMATS:
        raise UserError(f"charts are written as {', '.join(FORMATS)}, not as {format!r}")
    if style is not None:
        from optimize.charts.page import drawing_rules

        with drawing_rules([], style):
            pass


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
