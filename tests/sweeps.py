"""Sweeps of stub trials: a file on disk, an observer that only remembers, and a coordinator that trains nothing."""

from collections.abc import Callable, Collection

from main.history import Epoch
from optimize.config import SweepConfig
from optimize.coordinator import Coordinator, Settings
from optimize.engine import Slot, ThreadEngine, TrialRunner
from optimize.finished import Finished
from optimize.proposals import Proposals
from optimize.results import Results
from optimize.stopping import Ending
from optimize.storage import Check
from optimize.study import open_study
from optimize.sweep import search_proposals
from optimize.trial import TrialTask

POOLING = """
name: pooling
data: {source: digits}
model:
  network: cnn
  pooling: {choices: [max, average, blur]}
train: {epochs: 3}
study: {seeds: 2}
"""

LEARNING_RATE = """
name: rates
data: {source: digits}
model: {network: cnn}
train:
  epochs: 3
  learning_rate: {low: 1e-4, high: 1e-1, log: true}
study: {sampler: random, trials: 6, confirm: null}
"""


class Witness:
    """An observer that remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.submitted: list[TrialTask] = []
        self.epochs: list[tuple[int, int]] = []
        self.ends: list[Finished] = []
        self.on_end: Callable[[], None] = lambda: None

    def begin(self, finished: Collection[Finished], remaining: int) -> None:
        self.at_start = (len(finished), remaining)

    def started(self, task: TrialTask, slot: Slot) -> None:
        self.submitted.append(task)

    def epoch(self, task: TrialTask, epoch: Epoch) -> None:
        self.epochs.append((task.trial, epoch.epoch))

    def ended(self, finished: Finished, remaining: int) -> None:
        self.ends.append(finished)
        self.on_end()

    def note(self, text: str) -> None:
        self.notes.append(text)


class Bench:
    """A coordinator over stub trials in this process; made anew for each run, as by a new command."""

    def __init__(
        self,
        config: SweepConfig,
        results: Results,
        *,
        checkpoints: bool = False,
        witness: Witness | None = None,
        check: Check = lambda: None,
    ) -> None:
        self.config, self.results, self.witness = config, results, witness or Witness()
        results.folder.mkdir(parents=True, exist_ok=True)
        self.study = open_study(results, config, config.identity(), self.witness.note)
        settings = Settings("float32", "checksum", checkpoints=checkpoints)
        self.coordinator = Coordinator(config, results, self.study, self.witness, settings, check)
        self.coordinator.take_up()

    def run(self, stub: TrialRunner, proposals: Proposals | None = None, *, retry_failed: bool = False) -> Ending:
        wanted = proposals or search_proposals(self.config)
        self.coordinator.expect(wanted, retry_failed=retry_failed)
        return self.coordinator.run(wanted, lambda: ThreadEngine(stub))
