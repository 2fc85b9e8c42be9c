"""What comes of a sweep whose trials have ended: judged, exported, drawn and reported."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from main.data import TrainingData, fallback, load_training, sizes_in_trial
from main.errors import UserError
from main.modelfile import ModelFileError, read_card, write_model_file
from main.provenance import now
from optimize import charts, report, wording
from optimize.config import SweepConfig, stored_sweep
from optimize.engine import EngineLost, VersionMismatch
from optimize.export import NothingToExport, export_on_worker, model_card, winning_trial
from optimize.finished import Finished
from optimize.observer import Observer
from optimize.proposals import Elimination
from optimize.provenance import mixed_versions
from optimize.results import Results
from optimize.staff import Staff
from optimize.tables import DamagedFile
from optimize.trial import fold_of, refuse_other_data
from optimize.trial import run as run_trial
from optimize.verdict import Verdict, read_verdict
from optimize.workers import NoScheduler

if TYPE_CHECKING:
    from optimize.charts.evidence import Evidence


class Conclusion:
    """Judges, exports and draws whatever there is.

    Args:
        config: the sweep.
        results: its folder.
        data: its images.
        finished: every trial that has ended, in this run or an earlier one.
        staff: whose worker exports.
        observer: told why nothing was exported, where that is so.
    """

    def __init__(
        self,
        config: SweepConfig,
        results: Results,
        data: TrainingData,
        finished: Collection[Finished],
        staff: Staff,
        observer: Observer,
    ) -> None:
        self._config, self._results, self._data = config, results, data
        self._finished, self._staff, self._observer = finished, staff, observer

    def reached(self, eliminations: Sequence[Elimination] = (), *, changed: bool = True) -> Verdict | None:
        """The verdict, None where no trial is complete; nothing is done again that an earlier run has done.

        A model that has been removed or damaged since is exported anew, as long as its weights are kept.

        Args:
            eliminations: The choices that have left the sweep's race.
            changed: Whether this run has trained anything.
        """
        results, facts = self._results, self._results.provenance()
        if not changed and facts.get("ended") is not None and results.report.exists():
            verdict = self._judged_before()
            if verdict is not None:
                self._mend_model(verdict)
                return verdict
        verdict = self._judged(eliminations)
        evidence, settled = self._exported_and_drawn(verdict)
        if evidence:
            report.write(results, evidence)
        moment = now()  # judged alone: nothing is wanting but the export
        facts |= {"judged": moment, "ended": moment if settled else None}
        results.write_json(results.provenance_file, facts)
        return verdict

    def _judged(self, eliminations: Sequence[Elimination]) -> Verdict | None:
        if not any(finished.outcome.state == "complete" for finished in self._finished):
            return None
        from optimize.statistics import judge_sweep

        labels = self._data.validation.labels
        verdict = judge_sweep(
            self._results.trials(),
            self._config,
            notice=self._data.notice,
            validation_images=validation_images(self._config, self._data),
            chance=float(np.bincount(labels).max()) / len(labels),
            eliminations=eliminations,
        )
        if mixed := mixed_versions(self._results.provenance()):
            said = f"Said of trials of several versions: {mixed}."
            verdict = replace(verdict, conditions=(*verdict.conditions, said))
        self._results.write_json(self._results.verdict_file, verdict.to_dict())
        return verdict

    def _exported_and_drawn(self, verdict: Verdict | None) -> tuple[Evidence | None, bool]:
        """What was drawn, if there was anything, and whether the export is settled, which a worker makes meanwhile."""
        evidence, settled = None, True
        with ThreadPoolExecutor(1) as pool:
            exported = pool.submit(self._export, verdict) if verdict else None
            try:
                if self._finished:
                    from optimize.charts.evidence import read_evidence

                    evidence = read_evidence(self._results)
                    charts.draw(self._results, evidence=evidence)
                if verdict and exported:
                    settled = self._is_settled(exported.result, verdict)
            except KeyboardInterrupt:
                self._staff.close()  # or leaving here would wait for an export that waits for workers
                raise
        return evidence, settled

    def _export(self, verdict: Verdict) -> bool:
        return export_winner(self._config, self._results, self._finished, self._staff, self._data, verdict)

    def _judged_before(self) -> Verdict | None:
        with suppress(DamagedFile):  # it is judged anew
            return read_verdict(self._results)
        return None

    def _mend_model(self, verdict: Verdict) -> None:
        """Export the winner anew where there is no whole cnn.h5 of it, as long as its weights are kept."""
        results = self._results
        if not holds_winner(results, verdict) and any(_kept_of_winner(results, self._finished, verdict)):
            self._observer.note(
                f"{results.model_file} is missing, damaged or another's: made anew from {verdict.winner}"
            )
            self._is_settled(partial(self._export, verdict), verdict)

    def _is_settled(self, export: Callable[[], bool], verdict: Verdict) -> bool:
        """Say why nothing was exported, where that is so; False where workers were wanting, and the next run is to try.

        Charts and report are none the worse for it.
        """
        try:
            if not export():
                self._observer.note(f"the weights of {verdict.winner} are gone: nothing was exported")
        except (EngineLost, NoScheduler, VersionMismatch) as error:
            self._observer.note(f"nothing was exported: {error}; run again to export {verdict.winner}")
            return False
        except UserError as error:
            self._observer.note(f"nothing was exported: {error}")
        return True


def validation_images(config: SweepConfig, data: TrainingData) -> int:
    """How many images validate in each trial: a fold's, or the data's own.

    Raises:
        main.data.DataError: there are fewer images than folds.
    """
    return sizes_in_trial(len(data.train), len(data.validation), config.study.folds, data.source)[1]


def export_again(results: Results) -> Path:
    """Make cnn.h5 and cnn.json anew from the weights that the sweep has kept; returns the model file.

    Raises:
        main.data.DataError: the data is missing or damaged.
        optimize.trial.DataMismatch: the data is not that of the sweep.
        NothingToExport: no verdict yet, or the winner's weights are gone.
    """
    with results.lock():
        config = stored_sweep(results)
        with Staff(config, run_trial, workers=0, trials=1) as staff:
            _export_again(config, results, staff)
        facts = results.provenance()
        if facts.get("ended") is None and facts.get("judged"):  # all that was wanting was this
            results.write_json(results.provenance_file, {**facts, "ended": now()})
    return results.model_file


def _export_again(config: SweepConfig, results: Results, staff: Staff) -> None:
    verdict = read_verdict(results)
    if verdict is None:
        complete = int((results.trials()["state"] == "complete").sum())
        raise NothingToExport(f"{results.folder}: {wording.no_verdict(complete)}")
    trials = results.trials()["trial"]
    finished = [stored for stored in map(results.finished, trials) if stored is not None]
    data = load_training(config.base.data)
    refuse_other_data(data, results.provenance()["data"]["checksum"])
    if data.notice:
        config = config.with_data(fallback(config.base.data))
    if not export_winner(config, results, finished, staff, data, verdict):
        raise NothingToExport(f"{results.folder} no longer holds the weights of {verdict.winner}")


def export_winner(
    config: SweepConfig,
    results: Results,
    finished: Collection[Finished],
    staff: Staff,
    data: TrainingData,
    verdict: Verdict,
) -> bool:
    """Write the winner's model file and card; False where its weights are gone."""
    winner = winning_trial(_kept_of_winner(results, finished, verdict), config.study.metric)
    weights = results.weights(winner.outcome.trial) if winner else None
    if winner is None or weights is None:
        return False
    concrete = config.concrete(winner.values)
    fold = fold_of(winner.fold, config.study.folds, winner.seed)
    called = str(results.weights_file(winner.outcome.trial))
    exported = staff.engine().call(export_on_worker, concrete, weights, data.checksum, fold, called)
    write_model_file(results.folder, exported.h5, model_card(config, concrete, winner, exported, data, verdict))
    return True


def _kept_of_winner(results: Results, finished: Collection[Finished], verdict: Verdict) -> Iterator[Finished]:
    """The trials of the winner whose weights are kept."""
    return (f for f in finished if f.configuration == verdict.winner and results.has_weights(f.outcome.trial))


def holds_winner(results: Results, verdict: Verdict | None) -> bool:
    """Whether cnn.h5 is whole and the winner's, and not that of an earlier verdict whose weights are gone."""
    card = None
    with suppress(DamagedFile, ModelFileError):  # `show` tells of it; a run has more to say
        if results.model_file.exists() and read_card(results.model_file):
            card = results.card()
    return card is not None and verdict is not None and card["configuration"] == verdict.winner
