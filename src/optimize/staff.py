"""The workers of one run: how many, where, and started only when something needs them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from optimize.config import SweepConfig
from optimize.cores import trials_at_once
from optimize.engine import Engine, ThreadEngine, TrialRunner
from optimize.forking import restored_environment, start_fork_server
from optimize.ratetrial import run as run_rising
from optimize.trial import run as run_trial
from optimize.workers import cluster_engine, local_engine, prepare

_TRAINING = (run_trial, run_rising)
"""What trains networks, and has its workers import TensorFlow and read the data ahead of it."""


class Staff:
    """The engine of one run, started when it is first needed: a run that has nothing to train starts no worker."""

    def __init__(
        self, config: SweepConfig, run: TrialRunner, *, workers: int | None, trials: int, log: Path | None = None
    ) -> None:
        self.trials = trials
        wanted = config.run.workers if workers is None else workers
        self.workers = trials_at_once(config.run, trials) if wanted == "auto" else int(wanted)
        self._config, self._run, self._log = config, run, log
        self._trains = run in _TRAINING
        self._engine: Engine | None = None
        self._open = ExitStack()

    def engine(self) -> Engine:
        """The engine, with its workers preparing themselves."""
        if self._engine is None:
            self._engine = self._start()
        return self._engine

    def _start(self) -> Engine:
        if self.workers == 0:
            return ThreadEngine(self._run)
        if self._config.run.engine is not None:
            started = cluster_engine(self._run, self._config.run.engine)
        else:
            start_fork_server(self._config.run.threads, training=self._trains)
            started = local_engine(self._run, workers=self.workers, threads=self._config.run.threads, log=self._log)
        if self._trains:
            started.warm_up(prepare, self._config.base.data, self._config.run.threads)
        return started

    def __enter__(self) -> Self:
        self._open.enter_context(restored_environment())
        return self

    def __exit__(self, *_: object) -> None:
        with self._open:
            self.close()

    def close(self) -> None:
        """End the engine, if it has been started: what is called on it ends too. A second time does nothing more."""
        if self._engine is not None:
            self._engine.close()
