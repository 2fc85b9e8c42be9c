"""A whole sweep: search, confirm, conclude. What `optimize run` does, as a function."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from threading import Thread
from typing import Any

from main.backend import choose_precision, uncollected
from main.data import DataError, TrainingData, UnknownSource, fallback, load_test, load_training
from main.errors import UserError
from optimize.conclusion import Conclusion, holds_winner, validation_images
from optimize.config import SweepConfig
from optimize.coordinator import Coordinator, Settings
from optimize.engine import STORAGE_VARIABLE, TrialRunner
from optimize.networks import planned_networks
from optimize.observer import Observer
from optimize.plan import undecidable
from optimize.progress import Progress
from optimize.proposals import ConfirmProposals, GridProposals, Proposals, SamplerProposals, beyond
from optimize.provenance import gone_on, mixed_versions, provenance
from optimize.results import Results
from optimize.staff import Staff
from optimize.stopping import Ending
from optimize.storage import Check, close_study, hold_study, network_warning
from optimize.study import forget_study, open_study
from optimize.tables import DamagedFile, MissingFile
from optimize.trial import run as run_trial
from optimize.verdict import Verdict
from optimize.wording import counted

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
        main.complaints.ConfigError: a combination makes no network for images of this size, or the file asks for an
            unknown source or for more images or folds than there are.
        main.data.DataError: the data is missing or damaged.
        optimize.study.StudyChanged: the results hold a study of other trials.
        optimize.storage.StudyUnreadable: the study's storage is damaged or out of reach.
        optimize.locks.SweepLocked: another process runs this sweep.
        main.errors.UserError: the folder holds a range test, or a sweep's tables and model without its trials, or it
            lies in another sweep's folder or around one.
        OSError: the results cannot be written.
    """
    results = Results(Path(results_dir or config.usual_results) / config.name)
    with _shown(config, observer) as told:
        data = _usable_data(config, results, told, fresh=fresh)
        if fresh:
            _set_aside(config, results)
        _refuse_other_folders(results)
        for warning in (network_warning(results), undecidable(config)):
            if warning:
                told.note(warning)
        with results.lock(), hold_study(results, config.study_name) as check:
            return _run(config, results, data, told, run, check, workers=workers, retry_failed=retry_failed)


def _shown(config: SweepConfig, observer: Observer | None) -> AbstractContextManager[Observer]:
    """Who shows the progress: the observer that is given, or else a table on the terminal."""
    if observer is not None:
        return nullcontext(observer)
    from optimize.notebook import progress_console

    return Progress(config, progress_console())


def _usable_data(config: SweepConfig, results: Results, observer: Observer, *, fresh: bool) -> TrainingData:
    """The images of a sweep; whatever keeps it from training or exporting is refused before anything is touched."""
    results.refuse_nesting()
    data = _loaded(config)
    if data.notice:
        observer.note(data.notice)
    if data.remark:
        observer.note(data.remark)
    planned_networks(config, data.input_shape, data.n_classes)  # refuses those that cannot be built, by line
    try:
        validation_images(config, data)
    except DataError as error:  # more folds than there are images
        raise config.refusal(("study", "folds"), str(error)) from None
    if fresh or not results.provenance_file.exists():  # what is damaged is refused before anything trains
        load_test(fallback(config.base.data) if data.notice else config.base.data)
    return data


def _loaded(config: SweepConfig) -> TrainingData:
    """The images that the file asks for; where it asks for what there is not, it is told by line."""
    try:
        return load_training(config.base.data)
    except DataError as error:
        if error.field == "source" and not isinstance(error, UnknownSource):  # missing, or damaged
            raise
        raise config.refusal(("data", error.field), str(error)) from None


def _set_aside(config: SweepConfig, results: Results) -> None:
    """Leave an earlier run's study and folder behind."""
    had_results = results.folder.exists()
    with results.lock(), hold_study(results, config.study_name):
        forget_study(results, config.study_name)  # which may be in a database, and the folder on another machine
        if had_results:
            results.set_aside()


def _refuse_other_folders(results: Results) -> None:
    """Refuse a folder that holds something else than trials to go on with."""
    if results.is_range_test:
        raise UserError(f"{results.folder} holds a range test: give the sweep another name, or start it with --fresh")
    if results.has_tables_alone and STORAGE_VARIABLE not in os.environ:
        raise UserError(
            f"{results.folder} shows a sweep whose study and trials are not here, so that it cannot go on: "
            "--fresh sets it aside and trains anew"
        )


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
    sweep_text = config.resolved()
    study = open_study(results, config, identity, observer.note)
    with ExitStack() as at_end:
        at_end.callback(close_study, results, study)
        if data.notice:  # workers and the card speak of what is used, without searching for the rest again
            config = config.with_data(fallback(config.base.data))
        settings = Settings(precision, data.checksum, checkpoints=config.run.engine is None)
        coordinator = Coordinator(config, results, study, observer, settings, check)
        coordinator.take_up()
        before = set(coordinator.finished)
        if surplus := beyond(config.study, coordinator.finished.values()):
            extra = counted(len(surplus), "trial")
            observer.note(f"earlier runs trained {extra} more than the sweep file asks for: all are judged")
        search = search_proposals(config, observer.note, validation_images(config, data))
        coordinator.expect(search, retry_failed=retry_failed)
        left = coordinator.remaining(search)  # a race looks anew at what an earlier run has finished
        searching = 0 if coordinator.search_is_over() else left
        observer.begin(coordinator.finished.values(), searching + coordinator.to_confirm)
        budget = searching + config.study.confirmation_trials
        staff = Staff(config, run, workers=workers, trials=budget, log=results.log_file)
        facts = partial(_facts, config, results, data, identity, staff, goes_on=bool(before))
        record = _Record(results, sweep_text, facts, observer)
        if searching or record.is_wanting:
            record.write(trains=searching > 0)
        with staff:
            if searching:  # now, rather than while somebody waits for the verdict
                Thread(target=_import_what_judges, daemon=True).start()
            ending = _train(config, coordinator, search, staff, record, retry_failed=retry_failed)
            trained = len(set(coordinator.finished) - before)
            verdict = None
            if ending not in ("interrupted", "terminated"):  # whoever stops a sweep wants it to stop
                finished = coordinator.finished.values()
                conclusion = Conclusion(config, results, data, finished, staff, observer)
                verdict = conclusion.reached(search.eliminations, changed=trained > 0)
    return SweepResult(ending, trained, results, verdict, exported=holds_winner(results, verdict))


def _facts(
    config: SweepConfig,
    results: Results,
    data: TrainingData,
    identity: Mapping[str, Any],
    staff: Staff,
    *,
    goes_on: bool,
) -> dict[str, Any]:
    """On what a run trains; of a sweep that goes on also the versions of its earlier trials."""
    facts = provenance(
        data,
        identity,
        study=config.study_name,
        workers=staff.workers,
        threads=config.run.threads,
        precision=identity["run"]["precision"],
    )
    if goes_on and results.provenance_file.exists():
        with suppress(DamagedFile):  # it is written anew
            return gone_on(facts, results.provenance())
    return facts


class _Record:
    """What is run, and on what: kept before anything trains.

    What an earlier run has judged is to be judged again then, whichever run comes to it.
    """

    def __init__(
        self, results: Results, sweep_text: str, facts: Callable[[], Mapping[str, Any]], observer: Observer
    ) -> None:
        self._results, self._sweep_text, self._observer = results, sweep_text, observer
        self._facts = cache(facts)
        self._said = ""

    @property
    def is_wanting(self) -> bool:
        """Whether the folder says nothing of the sweep, or something else."""
        return self._results.stored_text() != self._sweep_text or self._kept() is None

    def _kept(self) -> Mapping[str, Any] | None:
        with suppress(DamagedFile, MissingFile):  # it is written anew
            return self._results.provenance()
        return None

    def write(self, *, trains: bool) -> None:
        """Write it down; say once where earlier trials are of other versions.

        Where nothing is trained, what has been trained ran on what is written already.
        """
        kept = None if trains else self._kept()
        facts = self._facts() if kept is None else {**kept, "judged": None, "ended": None}
        # In this order: a sweep file that is new, beside an ending that was an earlier one's, would not be judged by.
        self._results.write_json(self._results.provenance_file, facts)
        self._results.write_sweep(self._sweep_text)
        mixed = mixed_versions(facts)
        if trains and mixed != self._said:
            self._observer.note(
                f"going on under other versions ({mixed}): its trials are compared with those of before; another name, "
                "or --fresh, keeps them apart"
            )
            self._said = mixed


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
    coordinator: Coordinator,
    search: Proposals,
    staff: Staff,
    record: _Record,
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
    record.write(trains=True)
    confirmed = coordinator.run(confirmation, staff.engine)
    return ending if confirmed == "done" else confirmed
