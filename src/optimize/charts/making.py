"""From a sweep's evidence to finished charts: files of their own, or pictures for a page."""

from __future__ import annotations

import gc
import logging
import re
from typing import Any, NamedTuple

from main.backend import uncollected
from optimize.charts.abbreviations import key
from optimize.charts.catalog import CATALOG
from optimize.charts.evidence import Evidence
from optimize.charts.numbers.common import NotForThisSweep
from optimize.charts.page import Page, Words, drawing_rules
from optimize.charts.palette import DARK

log = logging.getLogger(__name__)

ABBREVIATING = ("slice", "effects", "contour", "rank", "parallel_coordinates")
"""Charts on whose axes long choices are abbreviated."""


class Drawing(NamedTuple):
    """A chart without its words, for a page that says them itself."""

    name: str
    heading: str
    says: str
    caption: str
    svg: str
    """Follows the reader's preference for light or dark."""
    size: tuple[int, int]
    """Width and height, in CSS pixels."""


def make(name: str, evidence: Evidence, *, format: str, style: str | None = None) -> bytes | str:  # noqa: A002
    """A chart's file, or the sentence that says why this sweep has no such chart."""
    numbers = _numbers(name, evidence)
    if isinstance(numbers, NotForThisSweep):
        return str(numbers)
    with drawing_rules(own_texts(evidence), style):
        drawn = _drawn(name, numbers, words_of(numbers, evidence, name), format)
    return str(drawn) if isinstance(drawn, NotForThisSweep) else drawn[0]


def draw_for_page(evidence: Evidence) -> tuple[dict[str, Drawing], dict[str, str]]:
    """Every chart that makes sense for a sweep, by name, and of the others why they make none."""
    drawings: dict[str, Drawing] = {}
    skipped: dict[str, str] = {}
    for name, chart in CATALOG.items():
        numbers = _numbers(name, evidence)
        if isinstance(numbers, NotForThisSweep):
            skipped[name] = str(numbers)
            continue
        with drawing_rules(own_texts(evidence)):
            drawn = _drawn(name, numbers, None, "svg")
        if isinstance(drawn, NotForThisSweep):
            skipped[name] = str(drawn)
            continue
        svg, size = drawn
        caption = _caption(name, numbers, evidence)
        drawings[name] = Drawing(name, chart.heading, numbers.says, caption, _adaptive(svg.decode()), size)
    return drawings, skipped


def _drawn(
    name: str,
    numbers: Any,
    words: Words | None,
    format: str,  # noqa: A002
) -> tuple[bytes, tuple[int, int]] | NotForThisSweep:
    """A chart's file, and its size in CSS pixels, or the fault that kept it from being drawn.

    A figure is full of cycles: it is collected as soon as it is done, and nothing older with it. Collections while it
    is drawn would walk through all that was ever imported, for a sixth of the time.
    """
    with uncollected():
        try:
            return _rendered(name, numbers, words, format)
        except Exception as fault:
            return _fault(name, fault)
        finally:
            gc.collect(0)


def _rendered(name: str, numbers: Any, words: Words | None, format: str) -> tuple[bytes, tuple[int, int]]:  # noqa: A002
    page = Page(words)
    CATALOG[name].draw(numbers, page)
    return page.render(format), page.size


def _numbers(name: str, evidence: Evidence) -> Any:
    """What a chart shows of a sweep, or why it shows nothing."""
    if name not in evidence.computed:
        try:
            evidence.computed[name] = CATALOG[name].compute(evidence)
        except NotForThisSweep as reason:
            evidence.computed[name] = NotForThisSweep("no trial is complete") if evidence.complete.empty else reason
        except Exception as fault:
            evidence.computed[name] = _fault(name, fault)
    return evidence.computed[name]


def _fault(name: str, fault: Exception) -> NotForThisSweep:
    """One chart's fault costs a sweep neither its other charts nor its report."""
    log.error("the chart %s could not be drawn", name, exc_info=fault)
    return NotForThisSweep(f"a fault of this program kept it from being drawn ({type(fault).__name__}: {fault})")


def words_of(numbers: Any, evidence: Evidence, name: str = "") -> Words:
    """What is written around a chart: the sweep's question, what the numbers say, how to read them, the notice."""
    return Words(evidence.question, numbers.says, _caption(name, numbers, evidence), evidence.notice)


def _caption(name: str, numbers: Any, evidence: Evidence) -> str:
    """How to read a chart, with the key to its axes where they abbreviate."""
    explained = (
        key({parameter.name: parameter.labels for parameter in evidence.parameters}) if name in ABBREVIATING else ""
    )
    return f"{numbers.caption} {explained}".strip()


def own_texts(evidence: Evidence) -> list[str]:
    """Everything of the user's own that a chart may write: its characters decide the fonts."""
    own = [evidence.question, evidence.notice or "", evidence.compared]
    return own + [label for p in evidence.parameters for label in p.labels]


def _adaptive(svg: str) -> str:
    """A picture whose colours change places with their partners for dark paper where the reader prefers that."""
    names = {colour: f"--c{colour[1:]}" for colour in DARK}
    found = re.compile("|".join(map(re.escape, names)))
    body = found.sub(lambda match: f"var({names[match[0]]})", svg)
    light, dark = (
        "".join(f"{names[colour]}:{shown};" for colour, shown in pairs)
        for pairs in (((colour, colour) for colour in DARK), DARK.items())
    )
    rules = f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    return body.replace("<defs>", f"<defs><style>{rules}</style>", 1)
