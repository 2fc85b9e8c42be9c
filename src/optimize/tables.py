"""The tables of a sweep, row by row: trials.csv and curves.csv."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from main.cells import neutral
from main.errors import UserError
from main.files import faults_named, write_atomically
from optimize.finished import Finished
from optimize.space import label

if TYPE_CHECKING:
    import pandas as pd

FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy", "val_crossentropy")


def trial_columns(swept: Sequence[str]) -> list[str]:
    """The columns of trials.csv."""
    return [
        "trial", "configuration", "seed", "fold", *swept, "state", "purpose", "epoch", *FIGURES, "epochs", "parameters",
        "seconds", "started", "ended", "worker", "attempts", "reason",
    ]  # fmt: skip


def trial_row(finished: Finished, swept: Sequence[str]) -> dict[str, Any]:
    """A trial's row of trials.csv; its figures are those of its best epoch."""
    outcome = finished.outcome
    best = outcome.best()
    return {
        "trial": outcome.trial,
        "configuration": finished.configuration,
        "seed": finished.seed,
        "fold": finished.fold,
        **_swept_cells(finished, swept),
        "state": outcome.state,
        "purpose": finished.purpose,
        "epoch": outcome.best_epoch,
        **({name: getattr(best, name) for name in FIGURES} if best else {}),
        "epochs": len(outcome.history),
        "parameters": outcome.parameters,
        "seconds": round(outcome.seconds, 3),
        "started": outcome.started,
        "ended": outcome.ended,
        "worker": outcome.worker,
        "attempts": outcome.attempt,
        "reason": outcome.reason,
    }


def curve_columns(swept: Sequence[str]) -> list[str]:
    """The columns of curves.csv."""
    return ["trial", "seed", "fold", *swept, "epoch", *FIGURES, "learning_rate", "seconds", "state"]


def curve_rows(finished: Finished, swept: Sequence[str]) -> list[dict[str, Any]]:
    """A trial's rows of curves.csv, one per epoch; `state` marks those of a curve that was cut short."""
    outcome = finished.outcome
    fixed = {
        "trial": outcome.trial,
        "seed": finished.seed,
        "fold": finished.fold,
        **_swept_cells(finished, swept),
        "state": outcome.state,
    }
    return [{**fixed, **asdict(epoch), "seconds": round(epoch.seconds, 3)} for epoch in outcome.history]


def _swept_cells(finished: Finished, swept: Sequence[str]) -> dict[str, Any]:
    return {path: label(finished.values[path]) for path in swept if path in finished.values}


def table_text(columns: Sequence[str], rows: Iterable[Mapping[str, Any]], header: bool = True) -> str:
    """Rows as CSV, with a header or without; a cell that a row lacks is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows({key: neutral(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def append_rows(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows to a table's file, which is begun, with its header, where there is none.

    Raises:
        OSError: the disk is full or the file cannot be written; one that was there may end in a part of a line.
    """
    if not path.exists():
        write_atomically(path, table_text(columns, rows))
        return
    with faults_named(path), path.open("a", encoding="utf-8", newline="") as file:
        file.write(table_text(columns, rows, header=False))


def mend_table(path: Path) -> None:
    """Drop the last line of a table's file where it was cut off as it was written."""
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        write_atomically(path, whole)


RUN_AGAIN = "move it away and run the sweep again: what is finished is kept"


class MissingFile(UserError):
    """A file of a sweep's folder is not there."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is missing; run the sweep again, which writes it anew: what is finished is kept")


class DamagedFile(UserError):
    """A file of a sweep's folder does not hold what it should."""

    def __init__(self, path: Path, what: str, remedy: str = RUN_AGAIN) -> None:
        super().__init__(f"{path} is damaged ({what}); {remedy}")


def read_table(path: Path, needed: Collection[str] = ()) -> pd.DataFrame:
    """A table's file as pandas has it, but for a last line that was cut off.

    Raises:
        MissingFile: there is none.
        DamagedFile: it is no table, or lacks a column that is `needed`.
        OSError: it cannot be read.
    """
    try:
        table = _parsed(path.read_bytes())
    except FileNotFoundError as error:
        raise MissingFile(path) from error
    except ValueError as error:  # every fault of pandas's parser is one, and so is what is not UTF-8
        raise DamagedFile(path, str(error).splitlines()[0]) from error
    if missing := [column for column in needed if column not in table.columns]:
        raise DamagedFile(path, f"without {', '.join(missing)}")
    return table


def listed_trials(path: Path) -> set[int]:
    """The numbers of the trials that a table's file lists, as far as it can be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return set()
    without_words = re.sub(r'"[^"]*"', "", text)  # a reason may have many lines
    return {int(number) for number in re.findall(r"^\d{1,9}(?=,)", without_words, re.ASCII | re.MULTILINE)}


def _parsed(content: bytes) -> pd.DataFrame:
    import pandas as pd

    # A last line without an end was cut off as it was written, perhaps within a letter.
    whole = content[: content.rfind(b"\n") + 1].decode()
    text = {"configuration": str, "state": str, "purpose": str, "started": str, "ended": str, "reason": str}
    # Only an empty cell and a figure that is not a number are missing: `null` and `none` are choices.
    return pd.read_csv(io.StringIO(whole), keep_default_na=False, na_values=["", "nan"], dtype=text)
