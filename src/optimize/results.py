"""A sweep's folder: every file name in it, and how each file is read and written."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from main.card import SweepCard
from main.document import SUFFIXES
from main.errors import UserError
from main.files import UNFINISHED, write_atomically
from main.nearest import nearest_to
from optimize.finished import Finished, from_json, to_json
from optimize.locks import held
from optimize.records import OF_A_RUN, SHOWN_OF_THE_CARD, read_record
from optimize.tables import (
    DamagedFile,
    MissingFile,
    append_rows,
    curve_columns,
    curve_rows,
    listed_trials,
    mend_table,
    read_table,
    table_text,
    trial_columns,
    trial_row,
)
from optimize.trial import TrialOutcome, TrialTask

if TYPE_CHECKING:
    import pandas as pd


SET_ASIDE = ".before-"
"""Between a folder's name and the moment at which a fresh start renamed it."""


class NoSweep(UserError):
    """A folder that was named as a sweep's holds none."""


def _meant(named: Path, sweep_file: str) -> Path | None:
    """The sweep that was probably meant: by a file of its own, misspelt, in another folder, or by its sweep file."""
    if (named.parent / sweep_file).is_file():
        return named.parent
    name = named.stem if named.suffix in SUFFIXES else named.name
    called: dict[str, Path] = {}
    for depth in ("*", "*/*"):
        for file in sorted(Path("results").glob(f"{depth}/{sweep_file}")):
            called.setdefault(file.parent.name, file.parent)
    nearest = nearest_to(name, called)
    return called[nearest] if nearest else None


class Results:
    """The folder `results/<sweep>`; nothing else knows what its files are called."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.sweep_file = self.folder / "sweep.yaml"
        self.provenance_file = self.folder / "provenance.json"
        self.study_file = self.folder / "study.db"
        self.trials_file = self.folder / "trials.csv"
        self.curves_file = self.folder / "curves.csv"
        self.incidents_file = self.folder / "incidents.csv"
        self.rates_file = self.folder / "rates.csv"
        self.rate_curves_file = self.folder / "rate-curves.csv"
        self.rates_chart = self.folder / "rates.png"
        self.verdict_file = self.folder / "verdict.json"
        self.report = self.folder / "report.html"
        self.charts = self.folder / "charts"
        self.tensorboard = self.folder / "tensorboard"
        self.lock_file = self.folder / "lock"
        self.log_file = self.folder / "log.txt"
        self.model_file = self.folder / "cnn.h5"
        self.card_file = self.folder / "cnn.json"
        self.ensemble_folder = self.folder / "ensemble"

    @classmethod
    def existing(cls, folder: Path | str) -> Results:
        """The results of a sweep that has been run: its folder, or its name where that is under `results`.

        Raises:
            NoSweep: the folder holds none; the message says what was looked for.
        """
        results = cls(folder)
        named = cls(Path("results") / folder)
        if not results.sweep_file.is_file() and named.sweep_file.is_file():
            return named  # `pooling` for results/pooling, as the sweep file calls it
        if not results.sweep_file.is_file():
            meant = _meant(Path(folder), results.sweep_file.name)
            instead = f"did you mean '{meant}'?" if meant else "run one first"
            nor = "" if named.folder == results.folder else f", nor in {named.folder}"
            raise NoSweep(f"{results.folder}: no sweep here{nor} ({results.sweep_file.name} is missing); {instead}")
        return results

    def trial_folder(self, trial: int) -> Path:
        """Where one trial's own files are: its outcome, its weights, its checkpoints while it runs."""
        return self.folder / "trials" / str(trial)

    def _outcome_file(self, trial: int) -> Path:
        return self.trial_folder(trial) / "outcome.json"

    def weights_file(self, trial: int) -> Path:
        """Where a trial's packed weights are, as long as they may be needed."""
        return self.trial_folder(trial) / "weights.npz"

    def _traceback_file(self, trial: int) -> Path:
        return self.trial_folder(trial) / "traceback.txt"

    def checkpoint_folder(self, trial: int) -> Path:
        """Where a running trial leaves the state of its epochs."""
        return self.trial_folder(trial) / "checkpoints"

    # One sweep at a time

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the sweep for this process; freed when the process ends, however it ends.

        Raises:
            optimize.locks.SweepLocked: another process holds it; the message names it.
            UserError: the file system has no locks.
            OSError: the folder cannot be made or written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with held(self.lock_file):
            yield

    def refuse_nesting(self) -> None:
        """Refuse a folder within another sweep's, or around one: the files of the one would be those of the other.

        Raises:
            UserError: it is such a folder; the message names the other sweep.
        """
        around = (Results(folder) for folder in self.folder.parents)
        within = (Results(file.parent) for file in self.folder.glob(f"*/{self.sweep_file.name}"))
        for others, said in ((around, "lies in"), (within, "is around")):
            for other in others:
                if other.sweep_file.exists() and other.provenance_file.exists():
                    raise UserError(
                        f"{self.folder} {said} the folder of the sweep {other.folder}: give the sweep another name"
                    )

    @property
    def is_range_test(self) -> bool:
        """Whether the folder holds a range test, and no sweep."""
        return self.rates_file.exists() and not self.trials_file.exists()

    @property
    def has_tables_alone(self) -> bool:
        """Whether the folder shows a sweep whose study and trials are elsewhere, as a copy of it for readers does."""
        kept = self.study_file.exists() or (self.folder / "trials").exists()
        return not kept and self.model_file.exists() and self.trials_file.exists()

    def set_aside(self) -> Path | None:
        """Rename an existing folder, so that the sweep starts afresh; returns its new name."""
        if not self.folder.exists():
            return None
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        return self.folder.rename(self.folder.with_name(f"{self.folder.name}{SET_ASIDE}{moment}"))

    # What was run

    def write_sweep(self, text: str) -> None:
        """Keep the resolved sweep file."""
        write_atomically(self.sweep_file, text)

    def forget_sweep(self) -> None:
        """Have the folder hold no sweep, until one is written again."""
        self.sweep_file.unlink(missing_ok=True)

    def stored_text(self) -> str | None:
        """The sweep file that was kept, whatever has become of it; None where there is none."""
        return self.sweep_file.read_text(encoding="utf-8", errors="replace") if self.sweep_file.is_file() else None

    def write_json(self, path: Path, content: Mapping[str, Any]) -> None:
        """Write one of the folder's JSON files."""
        write_atomically(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def provenance(self) -> dict[str, Any]:
        """Versions, data, processor and precision of the sweep.

        Raises:
            MissingFile: there is none.
            DamagedFile: the file holds something else.
            OSError: it cannot be read.
        """
        facts = read_record(self.provenance_file, needed=OF_A_RUN)
        if facts is None:
            raise MissingFile(self.provenance_file)
        return facts

    def verdict(self) -> dict[str, Any] | None:
        """What verdict.json holds; None while there is none. `optimize.verdict` reads it as a verdict.

        Raises:
            DamagedFile: the file holds no mapping.
        """
        return read_record(self.verdict_file, needed={})

    def card(self) -> SweepCard | None:
        """The exported model's card, of which what commands and reports show is known to be there; None while there
        is none.

        Raises:
            DamagedFile: the file holds something else.
        """
        remedy = f"make it anew: python -m optimize export {shlex.quote(str(self.folder))}"
        found = read_record(self.card_file, needed=SHOWN_OF_THE_CARD, remedy=remedy)
        return cast(SweepCard, found) if found else None

    def remove_unfinished(self) -> None:
        """Remove the files that a killed run was writing; for whoever holds the folder's lock.

        Those among a trial's checkpoints are left: they go with the trial's end, and its worker may still be writing.
        """
        for pattern in (".*", "charts/.*", "ensemble/.*", "trials/*/.*"):
            for path in self.folder.glob(pattern):
                if UNFINISHED.fullmatch(path.name):
                    path.unlink(missing_ok=True)

    # Trials

    def record(self, task: TrialTask, outcome: TrialOutcome) -> Finished:
        """Keep an outcome, before the study hears of it, so that a kill between the two loses nothing.

        The outcome's file comes last: where it is, its weights are there too.

        Raises:
            OSError: the disk is full or the folder cannot be written.
        """
        self.trial_folder(task.trial).mkdir(parents=True, exist_ok=True)
        if outcome.weights is not None:
            write_atomically(self.weights_file(task.trial), outcome.weights)
        if outcome.details:
            write_atomically(self._traceback_file(task.trial), outcome.details)
        finished = Finished.of(task, outcome)
        write_atomically(self._outcome_file(task.trial), to_json(finished))
        self.drop_checkpoints(task.trial)
        return finished

    def forget_trial(self, trial: int) -> None:
        """Remove what a trial of this number has left, of which the study knows nothing."""
        if self.trial_folder(trial).exists():
            shutil.rmtree(self.trial_folder(trial))

    def drop_checkpoints(self, trial: int) -> None:
        """Remove the epochs' states of a trial that has ended."""
        shutil.rmtree(self.checkpoint_folder(trial), ignore_errors=True)

    def finished(self, trial: int) -> Finished | None:
        """The kept outcome of a trial; None where it has none that reads back whole, or another's, copied there.

        Raises:
            OSError: it has one that cannot be read.
        """
        if not self._outcome_file(trial).is_file():
            return None
        try:
            found = from_json(self._outcome_file(trial).read_text(encoding="utf-8"))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return found if found.outcome.trial == trial else None

    def set_damaged_aside(self, trial: int) -> bool:
        """Rename a trial's outcome where it does not read back; whether it did not."""
        file = self._outcome_file(trial)
        damaged = file.is_file() and self.finished(trial) is None
        if damaged:
            file.rename(file.with_suffix(".damaged"))
        return damaged

    def finished_trials(self) -> list[int]:
        """The numbers of the trials that have left an outcome, in order."""
        names = (path.parent.name for path in self.folder.glob("trials/*/outcome.json"))
        return sorted(int(name) for name in names if re.fullmatch(r"0|[1-9]\d{0,8}", name))  # others are copies

    def kept_hash(self) -> str | None:
        """The hash of what the folder's trials mean; None where no run came as far as to write it."""
        kept = read_record(self.provenance_file, needed={"config_hash": str})
        return str(kept["config_hash"]) if kept else None

    def has_weights(self, trial: int) -> bool:
        """Whether the weights of a trial are kept."""
        return self.weights_file(trial).is_file()

    def weights(self, trial: int) -> bytes | None:
        """The packed weights of a trial, where they are kept."""
        path = self.weights_file(trial)
        return path.read_bytes() if path.is_file() else None

    def drop_weights(self, trial: int) -> None:
        """Remove the weights of a trial that can no longer be exported."""
        self.weights_file(trial).unlink(missing_ok=True)

    # Tables

    def append_rows(self, finished: Finished, swept: Sequence[str]) -> None:
        """Add a finished trial to trials.csv and its epochs to curves.csv."""
        append_rows(self.trials_file, trial_columns(swept), [trial_row(finished, swept)])
        append_rows(self.curves_file, curve_columns(swept), curve_rows(finished, swept))

    def write_tables(self, trials: Iterable[Finished], swept: Sequence[str]) -> None:
        """Write both tables anew, ordered by trial: what appending left in order of finishing, or torn."""
        ordered = sorted(trials, key=lambda finished: finished.outcome.trial)
        write_atomically(self.trials_file, table_text(trial_columns(swept), (trial_row(f, swept) for f in ordered)))
        rows = (row for finished in ordered for row in curve_rows(finished, swept))
        write_atomically(self.curves_file, table_text(curve_columns(swept), rows))

    # A learning-rate range test

    def write_rates(
        self,
        columns: Sequence[str],
        rows: Iterable[Mapping[str, Any]],
        curve_columns: Sequence[str],
        steps: Iterable[Mapping[str, Any]],
    ) -> None:
        """Write what a range test read, a row per configuration, and its losses, a row per step of each training."""
        write_atomically(self.rate_curves_file, table_text(curve_columns, steps))
        write_atomically(self.rates_file, table_text(columns, rows))

    def write_rate_chart(self, png: bytes) -> None:
        """Write the chart of a range test."""
        write_atomically(self.rates_chart, png)

    def rates(self) -> pd.DataFrame | None:
        """rates.csv: a row per configuration of a range test; None where this was none."""
        return read_table(self.rates_file) if self.rates_file.exists() else None

    # Incidents

    def append_incident(self, worker: int, trial: int | None, what: str) -> None:
        """Add a row to incidents.csv: what befell a worker, as a person should know it."""
        when = datetime.now(UTC).isoformat(timespec="seconds")
        row = {"when": when, "worker": worker, "trial": trial, "what": what}
        append_rows(self.incidents_file, list(row), [row])

    def mend_incidents(self) -> None:
        """Drop a last line that was cut off as it was written."""
        if self.incidents_file.exists():
            mend_table(self.incidents_file)

    def incidents(self) -> pd.DataFrame | None:
        """incidents.csv: a row for each worker that died or was replaced; None where there was none."""
        return read_table(self.incidents_file) if self.incidents_file.exists() else None

    def listed_trials(self) -> set[int]:
        """The numbers of the trials in trials.csv, as far as it can be read."""
        return listed_trials(self.trials_file)

    def trials(self) -> pd.DataFrame:
        """trials.csv: a row per trial."""
        return read_table(self.trials_file, needed=("trial", "configuration", "state"))

    def refuse_cut_trials(self) -> None:
        """Refuse a trials.csv without trials that have left an outcome, but for one that is just about to be added.

        Raises:
            DamagedFile: it is such a table.
        """
        if not self.trials_file.exists():
            return
        ended = set(self.finished_trials())  # first: a sweep that runs adds rows meanwhile
        lacking = ended - self.listed_trials()
        if len(lacking) > 1:
            raise DamagedFile(self.trials_file, f"without {len(lacking):,} of the trials that have ended")

    def curves(self) -> pd.DataFrame:
        """curves.csv: a row per trial and epoch."""
        return read_table(self.curves_file, needed=("trial", "epoch"))
