"""A sweep in a notebook: its outcome as a small table, and a console that writes lines and nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from rich.console import Console

from main.wording import unbroken
from optimize import wording
from optimize.trialtable import has_folds
from optimize.verdict import ChoiceSummary, TunedChoice, Verdict

if TYPE_CHECKING:
    from optimize.results import Results

MOST_ROWS = 12
"""A table in a notebook is a glance; trials.csv has the rest."""


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this process."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


def progress_console() -> Console:
    """The console for a sweep's progress: a terminal's as it is; in a notebook plain lines, one per trial.

    Kernels claim to be colour terminals, which they are not, and rich would ask for widgets there.
    """
    if not in_notebook():
        return Console(emoji=False)
    return Console(force_jupyter=False, force_terminal=False, color_system=None, emoji=False)


def sweep_html(results: Results, verdict: Verdict | None) -> str:
    """The choices with their means and intervals, best first, under the verdict's sentence."""
    if verdict is None:
        trials = results.trials() if results.trials_file.exists() else None
        complete = 0 if trials is None else int((trials["state"] == "complete").sum())
        return _paragraph(wording.no_verdict(complete))
    noun = "folds" if has_folds(results.trials()) else "seeds"
    headings, rows = _factor_rows(verdict) if verdict.factor else _choice_rows(verdict, noun)
    left_out = len(rows) - MOST_ROWS
    more = f"{wording.counted(left_out, 'more choice')} in {results.trials_file}" if left_out > 0 else ""
    notes = (verdict.metric + (f"; {more}" if more else ""), *verdict.conditions, *verdict.every_warning)
    return (
        f"<div>{_paragraph(verdict.sentence, strong=True)}{_table(headings, rows[:MOST_ROWS])}"
        f"{''.join(_paragraph(note) for note in notes)}</div>"
    )


def _choice_rows(verdict: Verdict, blocks: str) -> tuple[Sequence[str], list[Sequence[str]]]:
    precision = _precision(verdict.choices)

    def shown(value: float | None) -> str:
        return "" if value is None else wording.value_text(verdict.metric, value, precision=precision)

    rows: list[Sequence[str]] = [
        (
            wording.short(choice.choice),
            str(choice.n),
            shown(choice.mean),
            _interval(shown(choice.low), shown(choice.high)),
        )
        for choice in verdict.choices
    ]
    return ("choice", blocks, "mean", "95 % interval"), rows


def _factor_rows(verdict: Verdict) -> tuple[Sequence[str], list[Sequence[str]]]:
    assert verdict.factor is not None
    precision = _precision(verdict.factor.choices)

    def shown(value: float) -> str:
        return wording.value_text(verdict.metric, value, precision=precision)

    rows: list[Sequence[str]] = [
        (
            wording.short(choice.choice),
            str(choice.n),
            shown(choice.expected_best),
            _interval(shown(choice.low), shown(choice.high)),
        )
        for choice in verdict.factor.choices
    ]
    return (verdict.factor.factor, "configurations", f"best of {verdict.factor.budget}", "95 % interval"), rows


def _precision(choices: Iterable[ChoiceSummary | TunedChoice]) -> float | None:
    """How exactly the best-known value of a column is known: all of it is shown with the same decimals."""
    widths = ((c.high - c.low) / 2 for c in choices if c.low is not None and c.high is not None)
    return min((width for width in widths if width > 0), default=None)


def _interval(low: str, high: str) -> str:
    return f"{low} to {high}" if low else ""


def _paragraph(text: str, *, strong: bool = False) -> str:
    words = _escaped(text)
    return f"<p><strong>{words}</strong></p>" if strong else f"<p>{words}</p>"


def _escaped(text: str) -> str:
    return escape(unbroken(text))


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{_escaped(heading)}</th>' for heading in headings)
    body = "".join(
        f'<tr><th scope="row">{_escaped(row[0])}</th>{"".join(f"<td>{_escaped(cell)}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
