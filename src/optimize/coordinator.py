"""Ask, submit, tell, until the budget is spent: the only caller of the study while a sweep runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import optuna
from optuna.trial import FrozenTrial, TrialState

from main.backend import Precision
from main.errors import UserError
from main.history import Epoch
from optimize.asktell import ask_trial, report_once, running_trial, start_trial, tell_outcome
from optimize.blame import Blame
from optimize.config import SweepConfig
from optimize.engine import Engine, EpochEnded, Event, Slot, TrialBegan, TrialEnded, WorkerLost
from optimize.export import Candidates
from optimize.finished import Finished
from optimize.marks import attempt_of, fold_of, keep_attempt, keep_pruned, pruned_after, purpose_of, seed_of
from optimize.observer import Observer
from optimize.proposals import Proposal, Proposals
from optimize.results import Results
from optimize.running import Running, concerned
from optimize.signals import Interruption, StopNow, first_asks_second_ends
from optimize.space import Value
from optimize.stopping import Ending, Stop, StopRules
from optimize.storage import Check, clear_damage, clear_faults, while_away
from optimize.traced import Traced
from optimize.trial import TrialOutcome, TrialTask
from optimize.upkeep import Upkeep
from optimize.watch import Desertion, Ticks, Watch
from optimize.wording import counted

CHECK_SECONDS = 2.0  # how often the coordinator makes sure that the study is still its own
AWAY_SECONDS = 5.0  # how long the study's database is away before it is said, and whoever stops the sweep need not wait


class CheckpointLost(UserError):
    """A worker could not write down its epochs, because the disk is full or read-only."""


@dataclass(frozen=True)
class Settings:
    """What every task of a run has in common."""

    precision: Precision
    data_checksum: str
    checkpoints: bool = True
    """Whether workers share this machine's disk, and can leave checkpoints on it."""


class Coordinator:
    """Runs what `proposals` propose on `engine`, and keeps study, tables and folders in step.

    The study is told of an outcome only after the outcome is on disk, so that a kill at any moment loses no finished
    trial and trains none twice.
    """

    def __init__(
        self,
        config: SweepConfig,
        results: Results,
        study: optuna.Study,
        observer: Observer,
        settings: Settings,
        check: Check = lambda: None,
    ) -> None:
        self._config, self._results, self._study = config, results, study
        self._observer, self._settings, self._check = observer, settings, check
        self._swept = [parameter.path for parameter in config.space.parameters]
        self._candidates = Candidates(config.study.metric)
        self._rules = StopRules(config.study.stop, config.study.metric)
        self.finished: dict[int, Finished] = {}
        self._trials = 0
        self._again: list[TrialTask] = []
        self._unconfirmed: list[TrialTask] = []
        self.to_confirm = config.study.confirmation_trials
        """Trials of the confirmation, at most, that come after the search."""
        self._running: dict[int, Running] = {}
        self._live: dict[int, optuna.Trial] = {}
        self._blame = Blame(config.run.retries)
        self._traced = Traced()
        self._watch = Watch(config.run, self._blame)
        self._upkeep = Upkeep(config.run.memory)
        self._stop: Stop | None = None
        self._told_to_stop = False
        self._desertion = Desertion(config.run.engine, observer.note)
        self._said_away = False
        self._elapsed = self._checked = 0.0

    # Taking up what an earlier run left

    def take_up(self) -> None:
        """Read back the study: finished trials count, unfinished ones with an outcome are told, others run again.

        Raises:
            optimize.storage.StudyUnreadable: the study's storage fails, or what it says of a trial is damaged.
            OSError: an outcome cannot be read, or the tables cannot be written.
        """
        searched = []
        with clear_damage(self._results):
            trials = [(trial, self._kept_outcome(trial)) for trial in self._study.get_trials(deepcopy=False)]
        self._trials = len(trials)
        kept = {trial.number for trial, stored in trials if stored is not None}
        missing = (trial.number for trial, stored in trials if stored is None)
        damaged = list(filter(self._results.set_damaged_aside, missing))
        for number in damaged:
            self._observer.note(f"the outcome of trial {number} is damaged: another trial takes its place")
        if gone := self._results.listed_trials() - kept.union(damaged):
            self._observer.note(f"{counted(len(gone), 'outcome')} gone from trials/: as many trials are trained anew")
        with clear_faults(self._results):
            for trial, stored in trials:
                if trial.state == TrialState.RUNNING and stored is None:
                    live, values = running_trial(self._study, self._config, trial)
                    self._live[trial.number] = live
                    proposal = Proposal(seed_of(trial, self._config), values, purpose_of(trial), fold=fold_of(trial))
                    waiting = self._again if proposal.purpose == "search" else self._unconfirmed
                    waiting.append(self._task(trial.number, proposal, values))
                elif trial.state == TrialState.RUNNING and stored is not None:
                    self._tell(stored)
                if stored is not None:
                    self.finished[trial.number] = stored
                    self._forget_weights(stored)
                    if stored.purpose == "search" and stored.outcome.state != "failed":  # that may have been mended
                        searched.append(stored)
        confirmed = sum(stored.purpose == "confirm" for stored in self.finished.values())
        self.to_confirm = max(self.to_confirm - confirmed, 0)
        for stored in sorted(searched, key=lambda stored: stored.outcome.ended):  # as the rules heard of them
            self._end(self._rules.after_trial(stored))
        self._results.remove_unfinished()
        self._results.write_tables(self.finished.values(), self._swept)
        self._results.mend_incidents()

    def _kept_outcome(self, trial: FrozenTrial) -> Finished | None:
        """A trial's outcome, if it is this trial's, and not that of one that had its number in another storage."""
        # Values, not what Optuna stores: it draws 0.30000000000000004 where the step's value is 0.3.
        told = seed_of(trial, self._config), fold_of(trial), self._config.space.from_optuna(trial.params)
        stored = self._results.finished(trial.number)
        same = stored is not None and (stored.seed, stored.fold, stored.values) == told
        return stored if same else None

    def search_is_over(self) -> bool:
        """Whether a stop rule has ended the search."""
        return self._stop is not None and self._stop.ending == "stopped"

    def begin_confirmation(self) -> None:
        """Go on after the search, which a stop rule may have ended: finalists are trained whatever it says.

        What a rule stopped in mid-search stays so: going on with it might make other finalists. Confirmations that an
        earlier run left have waited for this.
        """
        self._again, self._unconfirmed, self.to_confirm = self._unconfirmed, [], 0
        if self.search_is_over():
            self._stop, self._told_to_stop = None, False
        self._rules = StopRules(None, self._config.study.metric)

    def expect(self, proposals: Proposals, *, retry_failed: bool = False) -> None:
        """Strike out of `proposals` what is finished, or waits to go on; failed trials stay in with `retry_failed`."""
        for finished in self.finished.values():
            if not (retry_failed and finished.outcome.state == "failed"):
                proposals.drop(finished)
        for task in self._again:
            proposals.drop(Finished.of(task, TrialOutcome(task.trial, "interrupted")))

    def remaining(self, proposals: Proposals) -> int:
        """Trials still to be trained."""
        return proposals.remaining() + len(self._again)

    # The loop

    def run(self, proposals: Proposals, start_engine: Callable[[], Engine]) -> Ending:
        """Train everything that `proposals` propose.

        Returns:
            `done`: nothing is left. `stopped`: a stop rule was met. `interrupted` or `terminated`: a signal came; what
            ran has stopped at its epoch's end and can go on. `hopeless`: trials fail one after the other.

        Raises:
            StopNow: a second signal came, or one while the study's database was away.
            optimize.engine.EngineLost: the cluster's scheduler is gone.
            optimize.storage.StudyUnreadable: the study's storage fails, or has been removed.
            CheckpointLost, OSError: the disk is full.
        """
        ticks = Ticks()
        with first_asks_second_ends(self._on_signal), while_away(self._on_outage), clear_faults(self._results):
            self._make_sure()
            self._engine = start_engine()
            while True:
                self._fill(proposals)
                if not self._running and (self._stop or not self.remaining(proposals)):
                    break
                self._handle(self._engine.next_event(timeout=0.2), proposals)
                self._tick(ticks())
            self._make_sure()
        self._results.write_tables(self.finished.values(), self._swept)
        return self._stop.ending if self._stop else "done"

    def _fill(self, proposals: Proposals) -> None:
        taken = {running.slot for running in self._running.values()}
        for slot in self._engine.slots():
            if slot in taken or self._stop:
                continue
            task = self._next_task(proposals, slot)
            if task is None and self._again:
                continue  # they wait for a fresh worker
            if task is None:
                return
            self._traced.given(slot, task.config)
            self._running[task.trial] = Running(task, slot, pruned_at=pruned_after(self._live[task.trial]))
            self._engine.submit(slot, task)
            self._observer.started(task, slot)

    def _next_task(self, proposals: Proposals, slot: Slot) -> TrialTask | None:
        again = self._blame.next_for(slot, self._again, alone=not self._running)
        if again is not None:
            return again
        proposal = proposals.next(self._traced.held(slot), self._traced.elsewhere(slot))
        if proposal is None:
            return None
        if proposal.values is None:
            live, values = ask_trial(self._study, self._config, self._trials, proposal.fixed)
        else:
            values = dict(proposal.values)
            live = start_trial(
                self._study,
                self._config,
                values,
                seed=proposal.seed,
                purpose=proposal.purpose,
                fold=proposal.fold,
            )
        self._trials = live.number + 1
        self._results.forget_trial(live.number)
        self._live[live.number] = live
        return self._task(live.number, proposal, values)

    def _task(self, trial: int, proposal: Proposal, values: Mapping[str, Value]) -> TrialTask:
        return TrialTask(
            trial=trial,
            values=dict(values),
            configuration=self._config.space.configuration_label(values),
            seed=proposal.seed,
            config=self._config.concrete(values),
            metric=self._config.study.metric,
            precision=self._settings.precision,
            data_checksum=self._settings.data_checksum,
            purpose=proposal.purpose,
            attempt=attempt_of(self._live[trial]),
            fold=proposal.fold,
            folds=self._config.study.folds,
            checkpoint_folder=self._results.checkpoint_folder(trial) if self._settings.checkpoints else None,
        )

    # Events

    def _handle(self, event: Event | None, proposals: Proposals) -> None:
        running = concerned(self._running, event)
        if running is None:
            return
        if isinstance(event, TrialBegan):
            running.begin()
        elif isinstance(event, EpochEnded):
            self._epoch(running, event.epoch)
        elif isinstance(event, TrialEnded):
            del self._running[event.trial]
            self._outcome(running, event.outcome, proposals)
        elif isinstance(event, WorkerLost):
            del self._running[event.trial]
            self._lost(running, event, proposals)

    def _epoch(self, running: Running, epoch: Epoch) -> None:
        """Report an intermediate value, and pass on the pruner's word; the trial reads it at its next epoch.

        The word on an epoch is final: an attempt that comes to it again is stopped there again.
        """
        self._observer.epoch(running.task, epoch)
        if running.pruned_at is None and self._is_pruned(running.task, epoch):
            running.pruned_at = epoch.epoch
            keep_pruned(self._live[running.task.trial], epoch.epoch)
        if running.pruned_at == epoch.epoch:
            self._engine.request_stop([running.task.trial])

    def _is_pruned(self, task: TrialTask, epoch: Epoch) -> bool:
        value, live = getattr(epoch, self._config.study.metric), self._live[task.trial]
        if not math.isfinite(value) or not report_once(live, epoch.epoch, value):
            return False
        last = epoch.epoch == task.config.train.epochs
        searching = task.purpose == "search"  # a confirmation that was cut short would confirm nothing
        return self._config.study.pruner is not None and searching and not last and live.should_prune()

    def _outcome(self, running: Running, outcome: TrialOutcome, proposals: Proposals) -> None:
        outcome = running.held_to_limits(outcome)
        outcome = replace(outcome, worker=running.slot.number, attempt=running.task.attempt)
        pruned_at, trained = running.pruned_at, len(outcome.history)
        if pruned_at is not None and (trained > pruned_at or (trained == pruned_at and outcome.state != "failed")):
            outcome = outcome.cut_to(pruned_at, self._config.study.metric)
        if outcome.state == "interrupted":
            if not self._stop:
                raise CheckpointLost(f"trial {outcome.trial}: {outcome.reason}; mend that and run again to go on")
            return  # stays running in the study; the next run goes on from its checkpoint
        if outcome.state == "complete" and outcome.best_epoch is None:
            outcome = replace(outcome, state="failed", reason="no epoch gave a finite metric")
        self._blame.trained(running.slot)
        self._conclude(running.task, outcome, proposals)
        self._keep_up(running.slot)

    def _keep_up(self, slot: Slot) -> None:
        """Replace a worker that has kept too much of the memory that its trials took."""
        excess = self._upkeep.after_trial(slot, self._engine.memory(slot))
        if excess:
            self._incident(slot, None, f"worker {slot.number} {excess} and was replaced")
            self._blame.replaced(slot)
            self._engine.kill(slot)

    def _lost(self, running: Running, lost: WorkerLost, proposals: Proposals) -> None:
        """A worker died: the trial runs again from its last epoch, unless we ended it or it has killed too many."""
        task = running.task
        if self._stop:
            return  # stays running in the study; the next run goes on from its checkpoint
        again, why = self._blame.after_loss(running, lost)
        if again is not None:
            keep_attempt(self._live[task.trial], again.attempt)
            said = f"trial {task.trial}: {why}; it runs again (attempt {again.attempt})"
            self._incident(running.slot, task.trial, said)
            self._again.insert(0, again)
            return
        outcome = TrialOutcome(task.trial, "failed", why, worker=running.slot.number, attempt=task.attempt)
        self._conclude(task, outcome, proposals)

    def _conclude(self, task: TrialTask, outcome: TrialOutcome, proposals: Proposals) -> None:
        if not self._candidates.wants(Finished.of(task, outcome)):
            outcome = replace(outcome, weights=None)  # they would be removed at once
        finished = self._results.record(task, outcome)
        self._tell(finished)
        finished = replace(finished, outcome=replace(outcome, weights=None, details=""))
        self.finished[task.trial] = finished
        self._results.append_rows(finished, self._swept)
        self._forget_weights(finished)
        proposals.ended(finished)
        self._observer.ended(finished, self.remaining(proposals) + len(self._running) + self.to_confirm)
        self._end(self._rules.after_trial(finished))

    def _forget_weights(self, finished: Finished) -> None:
        for trial in self._candidates.add(finished):
            self._results.drop_weights(trial)

    def _tell(self, finished: Finished) -> None:
        live = self._live.pop(finished.outcome.trial, None)
        tell_outcome(self._study, live, finished, self._config.study.metric)

    def _incident(self, slot: Slot, trial: int | None, what: str) -> None:
        """Something that a person should know of a worker, now and in the results."""
        self._observer.note(what)
        self._results.append_incident(slot.number, trial, what)

    # Ending

    def _tick(self, seconds: float) -> None:
        self._elapsed += seconds
        if self._elapsed - self._checked > CHECK_SECONDS:
            self._checked = self._elapsed
            self._make_sure()
        self._end(self._rules.after_seconds(self._elapsed))
        if self._stop and not self._told_to_stop:
            self._told_to_stop = True
            self._engine.request_stop(list(self._running))
            if self._stop.ending in ("interrupted", "terminated"):
                self._observer.note(self._stop.why)
        self._desertion.after(seconds, self._engine)
        self._watch.after(seconds, self._running.values(), self._engine)

    def _make_sure(self) -> None:
        """That the study is still this run's, which its storage answers: an outage, if there was one, is over."""
        self._check()
        self._said_away = False

    def _end(self, stop: Stop | None) -> None:
        if stop is not None and self._stop is None:
            self._stop = stop
            self._observer.note(stop.why)

    def _on_outage(self, seconds: float) -> None:
        """The study's database has been away for so long: say so once, and leave where somebody stops the sweep.

        Nothing is lost by that: outcomes are on disk, and what runs can go on from its last epoch.
        """
        if seconds < AWAY_SECONDS:
            return
        if self._stop is not None and self._stop.ending in ("interrupted", "terminated"):
            raise StopNow(self._stop.ending)
        if not self._said_away:
            self._said_away = True  # several calls wait in one outage, each from its own beginning
            self._observer.note("the study's database does not answer; waiting for it, ten minutes at most")

    def _on_signal(self, ending: Interruption) -> None:
        """No new trials, and running ones stop at their epoch's end; `_tick` says so, outside of the handler."""
        self._stop = Stop(ending, "stopping: what runs ends with its epoch and can go on; again to stop at once")
        self._told_to_stop = False
