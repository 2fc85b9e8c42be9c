"""An evaluation on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from main.wording import percent, printable

if TYPE_CHECKING:
    from rich.console import Console

    from main.evaluation import Evaluation

MAX_TABLE_CLASSES = 20
"""Classes up to which the confusion matrix is printed; it is in confusion.csv in any case."""


def print_evaluation(evaluation: Evaluation, folder: Path, out: Console) -> None:
    """Each class, the confusion matrix, where everything lies, and the accuracy last."""
    scores = Table("class", "precision", "recall", "F1", "test images", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for column in scores.columns[1:]:
        column.justify = "right"
    for score in evaluation.per_class:
        shares = (_percent(share) for share in (score.precision.value, score.recall.value, score.f1))
        scores.add_row(_cell(score.name), *shares, f"{score.recall.n:,}")
    out.print(scores)
    if len(evaluation.classes) <= MAX_TABLE_CLASSES:
        out.print("\ntrue class by predicted class:")
        out.print(_confusion_table(evaluation))
    out.print(f"\ntables and charts  {folder}", markup=False)
    calibration = percent(evaluation.calibration.error)
    out.print(f"crossentropy {evaluation.crossentropy:.4f}, expected calibration error {calibration}")
    out.print(f"accuracy {evaluation.accuracy} on {evaluation.source}", style="bold", markup=False)


def _confusion_table(evaluation: Evaluation) -> Table:
    table = Table("", *map(_cell, evaluation.classes), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for label, row in enumerate(evaluation.confusion):
        cells = (
            f"[dim]{count}[/dim]" if label == predicted else str(count) if count else "·"
            for predicted, count in enumerate(row)
        )
        table.add_row(_cell(evaluation.classes[label]), *cells)
    return table


def _cell(name: str) -> str:
    """A class in a table: neither markup, nor anything that a terminal obeys."""
    return escape(printable(name, kept=""))


def _percent(share: float) -> str:
    return percent(share) if share == share else "–"
