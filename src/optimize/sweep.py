"""A whole sweep: search, confirm, judge, export, draw. What `optimize run` does, as a function."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from main.backend import choose_precision, uncollected
from main.data import TrainingData, fallback, load_test, load_training, sizes_in_trial
from main.errors import UserError
from main.modelfile import write_model_file
from main.provenance import now
from optimize import charts, report, wording
from optimize.config import SweepConfig, stored_sweep
from optimize.coordinator import Coordinator, Settings
from optimize.engine import STORAGE_VARIABLE, EngineLost, TrialRunner, VersionMismatch
from optimize.export import NothingToExport, export_on_worker, model_card, winning_trial
from optimize.finished import Finished
from optimize.networks import planned_networks
from optimize.observer import Observer
from optimize.plan import undecidable
from optimize.progress import Progress
from optimize.proposals import ConfirmProposals, GridProposals, Proposals, SamplerProposals
from optimize.provenance import provenance
from optimize.results import Results
from optimize.staff import Staff
from optimize.stopping import Ending
from optimize.storage import Check, close_study, hold_study, network_warning
from optimize.study import forget_study, open_study
from optimize.trial import fold_of, refuse_other_data
from optimize.trial import run as run_trial
from optimize.verdict import Verdict, read_verdict
from optimize.workers import NoScheduler

# What judges is imported where it is needed: its statistics take longer than all else, and workers wait for the start.


def _import_what_judges() -> None:
    # A collection here while Dask begins to watch them, in another thread, would be seen to end and not to begin.
    with uncollected():
        import optuna.importance  # noqa: F401

        import optimize.charts.making
        import optimize.report.content
        import optimize.statistics  # noqa: F401


@dataclass(frozen=True)
class SweepResult:
    """What came of a run."""

    ending: Ending
    trained: int
    """Trials that this run trained."""
    results: Results
    verdict: Verdict | None
    """None where no trial is complete."""
    exported: bool
    """Whether the results hold the winner as cnn.h5."""

    def _repr_html_(self) -> str:
        """How a notebook shows it: the verdict's sentence over a table of the choices."""
        from optimize.notebook import sweep_html

        return sweep_html(self.results, self.verdict)


def run_sweep(
    config: SweepConfig,
    *,
    results_dir: Path | str | None = None,
    observer: Observer | None = None,
    workers: int | None = None,
    retry_failed: bool = False,
    fresh: bool = False,
    run: TrialRunner = run_trial,
) -> SweepResult:
    """Run a sweep to its end, or go on where an earlier run of it stopped.

    Args:
        config: the sweep.
        results_dir: the folder that holds the sweep's own, named after it; `config.usual_results` unless given.
        observer: who shows the progress; a table on the terminal unless given.
        workers: how many trials at once, instead of what the sweep file says; 0 trains in this process.
        retry_failed: train failed trials again.
        fresh: set an earlier run's results aside and start anew.
        run: what a worker does with a trial.

    Raises:
        main.complaints.ConfigError: a combination makes no network for images of this size.
        main.data.DataError: the data is missing or damaged.
        optimize.study.StudyChanged: the results hold a study of other trials.
        optimize.storage.StudyUnreadable: the study's storage is damaged or out of reach.
        optimize.locks.SweepLocked: another process runs this sweep.
        main.errors.UserError: the folder holds a range test, or a sweep's tables and model without its trials, or it
            lies in another sweep's folder or around one.
        OSError: the results cannot be written.
    """
    if observer is None:
        from optimize.notebook import progress_console

        with Progress(config, progress_console()) as progress:
            return run_sweep(
                config,
                results_dir=results_dir,
                observer=progress,
                workers=workers,
                retry_failed=retry_failed,
                fresh=fresh,
                run=run,
            )
    results = Results(Path(results_dir or config.usual_results) / config.name)
    results.refuse_nesting()
    data = load_training(config.base.data)
    if data.notice:
        observer.note(data.notice)
    planned_networks(config, data.input_shape, data.n_classes)  # refuses those that cannot be built, by line
    validation_images(config, data)  # refuses more folds than there are images
    if not results.provenance_file.exists():  # what is damaged is refused before anything trains
        load_test(fallback(config.base.data) if data.notice else config.base.data)
    if fresh:
        had_results = results.folder.exists()
        with results.lock(), hold_study(results, config.study_name):
            forget_study(results, config.study_name)  # which may be in a database, and the folder on another machine
            if had_results:
                results.set_aside()
    if results.is_range_test:
        raise UserError(f"{results.folder} holds a range test: give the sweep another name, or start it with --fresh")
    if results.has_tables_alone and STORAGE_VARIABLE not in os.environ:
        raise UserError(
            f"{results.folder} shows a sweep whose study and trials are not here, so that it cannot go on: "
            "--fresh sets it aside and trains anew"
        )
    for warning in (network_warning(results), undecidable(config)):
        if warning:
            observer.note(warning)
    with results.lock(), hold_study(results, config.study_name) as check:
        return _run(config, results, data, observer, run, check, workers=workers, retry_failed=retry_failed)


def _run(
    config: SweepConfig,
    results: Results,
    data: TrainingData,
    observer: Observer,
    run: TrialRunner,
    check: Check,
    *,
    workers: int | None,
    retry_failed: bool,
) -> SweepResult:
    precision = choose_precision(config.run.precision)
    identity = _identity(config, precision, data)
    study = open_study(results, config, identity)
    sweep_text = config.resolved()
    with ExitStack() as at_end:
        at_end.callback(close_study, results, study)
        if data.notice:  # workers and the card speak of what is used, without searching for the rest again
            config = config.with_data(fallback(config.base.data))
        settings = Settings(precision, data.checksum, checkpoints=config.run.engine is None)
        coordinator = Coordinator(config, results, study, observer, settings, check)
        coordinator.take_up()
        search = search_proposals(config, observer.note, validation_images(config, data))
        coordinator.expect(search, retry_failed=retry_failed)
        before = set(coordinator.finished)
        left = coordinator.remaining(search)  # a race looks anew at what an earlier run has finished
        searching = 0 if coordinator.search_is_over() else left
        observer.begin(coordinator.finished.values(), searching + coordinator.to_confirm)
        staff = Staff(
            config, run, workers=workers, trials=searching + config.study.confirmation_trials, log=results.log_file
        )
        if searching or results.stored_text() != sweep_text or not results.provenance_file.exists():
            results.write_sweep(sweep_text)
            facts = provenance(
                data,
                identity,
                study=config.study_name,
                workers=staff.workers,
                threads=config.run.threads,
                precision=precision,
            )
            results.write_json(results.provenance_file, facts)
        with staff:
            if searching:  # now, rather than while somebody waits for the verdict
                Thread(target=_import_what_judges, daemon=True).start()
            ending = _train(config, results, coordinator, search, staff, retry_failed=retry_failed)
            trained = len(set(coordinator.finished) - before)
            verdict = None
            if ending not in ("interrupted", "terminated"):  # whoever stops a sweep wants it to stop
                verdict = _conclude(config, results, coordinator, search, staff, data, observer, changed=trained > 0)
    return SweepResult(ending, trained, results, verdict, exported=_holds(results, verdict))


def _holds(results: Results, verdict: Verdict | None) -> bool:
    """Whether cnn.h5 is the winner's, and not that of an earlier verdict whose weights are gone."""
    card = results.card() if results.model_file.exists() else None
    return card is not None and verdict is not None and card.get("configuration") == verdict.winner


def _identity(config: SweepConfig, precision: str, data: TrainingData) -> dict[str, Any]:
    """What a trial means; which data would be used otherwise means nothing, once it is known which are used."""
    whole = config.identity()
    images = {key: value for key, value in whole["data"].items() if key != "otherwise"}
    return {**whole, "data": images, "run": {"precision": precision}, "data checksum": data.checksum}


def search_proposals(
    config: SweepConfig, announce: Callable[[str], None] = lambda _: None, images: int | None = None
) -> Proposals:
    """What a sweep searches: a sampler's draws, every cell of a grid, or those still in the race.

    Args:
        config: The sweep.
        announce: Told of each choice that a race drops.
        images: How many validate in each trial, where that is known.
    """
    if config.study.sampler.name != "grid":
        return SamplerProposals(config)
    if not config.study.race:
        return GridProposals(config)
    from optimize.contest import resolution_of
    from optimize.race import RaceProposals

    return RaceProposals(config, announce, resolution=resolution_of(config.study.metric, images))


def _train(
    config: SweepConfig,
    results: Results,
    coordinator: Coordinator,
    search: Proposals,
    staff: Staff,
    *,
    retry_failed: bool,
) -> Ending:
    ending: Ending = "stopped" if coordinator.search_is_over() else "done"
    if ending == "done" and coordinator.remaining(search):
        ending = coordinator.run(search, staff.engine)
    if config.study.confirm is None or ending not in ("done", "stopped"):
        return ending
    coordinator.begin_confirmation()
    confirmation = ConfirmProposals(config, coordinator.finished.values())
    coordinator.expect(confirmation, retry_failed=retry_failed)
    if not coordinator.remaining(confirmation):
        return ending
    # What an earlier run has judged is without these: it is to be judged again, whichever run does so.
    results.write_json(results.provenance_file, {**results.provenance(), "ended": None})
    confirmed = coordinator.run(confirmation, staff.engine)
    return ending if confirmed == "done" else confirmed


def _conclude(
    config: SweepConfig,
    results: Results,
    coordinator: Coordinator,
    search: Proposals,
    staff: Staff,
    data: TrainingData,
    observer: Observer,
    *,
    changed: bool,
) -> Verdict | None:
    """Judge, export and draw whatever there is; nothing is done again that an earlier run has done."""
    facts = results.provenance()
    if not changed and facts["ended"] is not None and results.report.exists() and results.verdict_file.exists():
        return read_verdict(results)
    verdict = None
    if any(finished.outcome.state == "complete" for finished in coordinator.finished.values()):
        from optimize.statistics import judge_sweep

        labels = data.validation.labels
        verdict = judge_sweep(
            results.trials(),
            config,
            notice=data.notice,
            validation_images=validation_images(config, data),
            chance=float(np.bincount(labels).max()) / len(labels),
            eliminations=search.eliminations,
        )
        results.write_json(results.verdict_file, verdict.to_dict())
    with ThreadPoolExecutor(1) as pool:  # a worker exports while this process draws
        kept = coordinator.finished.values()
        exported = pool.submit(_export, config, results, kept, staff, data, verdict) if verdict else None
        evidence, settled = None, True
        try:
            if coordinator.finished:
                from optimize.charts.evidence import read_evidence

                evidence = read_evidence(results)
                charts.draw(results, evidence=evidence)
            if verdict and exported:
                settled = _export_settled(exported, verdict, observer)
        except KeyboardInterrupt:
            staff.close()  # or leaving here would wait for an export that waits for workers
            raise
    if evidence:
        report.write(results, evidence)
    results.write_json(results.provenance_file, {**facts, "ended": now() if settled else None})
    return verdict


def _export_settled(exported: Future[bool], verdict: Verdict, observer: Observer) -> bool:
    """Say why nothing was exported, where that is so; False where workers were wanting, and the next run should try.

    Charts and report are none the worse for it.
    """
    try:
        if not exported.result():
            observer.note(f"the weights of {verdict.winner} are gone: nothing was exported")
    except (EngineLost, NoScheduler, VersionMismatch) as error:
        observer.note(f"nothing was exported: {error}; run again to export {verdict.winner}")
        return False
    except UserError as error:
        observer.note(f"nothing was exported: {error}")
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
    config, verdict = stored_sweep(results), read_verdict(results)
    if verdict is None:
        complete = int((results.trials()["state"] == "complete").sum())
        raise NothingToExport(f"{results.folder}: {wording.no_verdict(complete)}")
    trials = results.trials()["trial"]
    finished = [stored for stored in map(results.finished, trials) if stored is not None]
    data = load_training(config.base.data)
    refuse_other_data(data, results.provenance()["data"]["checksum"])
    if data.notice:
        config = config.with_data(fallback(config.base.data))
    with results.lock(), Staff(config, run_trial, workers=0, trials=1) as staff:
        if not _export(config, results, finished, staff, data, verdict):
            raise NothingToExport(f"{results.folder} no longer holds the weights of {verdict.winner}")
        facts = results.provenance()
        if facts["ended"] is None and results.report.exists():  # all that was wanting was this
            results.write_json(results.provenance_file, {**facts, "ended": now()})
    return results.model_file


def _export(
    config: SweepConfig,
    results: Results,
    finished: Collection[Finished],
    staff: Staff,
    data: TrainingData,
    verdict: Verdict,
) -> bool:
    """Write the winner's model file and card; False where its weights are gone."""
    kept = [f for f in finished if f.configuration == verdict.winner and results.has_weights(f.outcome.trial)]
    winner = winning_trial(kept, config.study.metric)
    weights = results.weights(winner.outcome.trial) if winner else None
    if winner is None or weights is None:
        return False
    concrete = config.concrete(winner.values)
    fold = fold_of(winner.fold, config.study.folds, winner.seed)
    called = str(results.weights_file(winner.outcome.trial))
    exported = staff.engine().call(export_on_worker, concrete, weights, data.checksum, fold, called)
    write_model_file(results.folder, exported.h5, model_card(config, concrete, winner, exported, data, verdict))
    return True
