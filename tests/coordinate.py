"""A sweep of stub trials as a process of its own, for tests to kill: `coordinate.py SWEEP_FILE RESULTS STUB [WORKERS]`.

What `optimize run` does around the coordinator, without data, judging and drawing. Its exit status is the command's.
"""

import sys
from pathlib import Path

import stubs
from main.errors import UserError
from optimize.cli import EXIT_OF_ENDING
from optimize.config import load_config
from optimize.engine import Engine, TrialRunner
from optimize.results import Results
from optimize.signals import StopNow
from optimize.stopping import Ending
from optimize.storage import hold_study
from optimize.sweep import search_proposals
from optimize.trial import TrialTask
from optimize.workers import cluster_engine, local_engine
from sweeps import Bench, Witness


class Speaker(Witness):
    """Says aloud what it hears."""

    def started(self, task: TrialTask, slot: object) -> None:
        print("started", task.trial, flush=True)

    def note(self, text: str) -> None:
        print("note:", text, flush=True)


def main(sweep_file: str, folder: str, stub: str, workers: str = "1") -> int:
    try:
        return EXIT_OF_ENDING[coordinate(Path(sweep_file), Path(folder), getattr(stubs, stub), int(workers))]
    except StopNow as stop:
        return EXIT_OF_ENDING[stop.ending]
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def coordinate(sweep_file: Path, folder: Path, stub: TrialRunner, workers: int) -> Ending:
    config, results = load_config(sweep_file), Results(folder)
    with results.lock(), hold_study(results, config.name) as check:
        bench = Bench(config, results, checkpoints=config.run.engine is None, witness=Speaker(), check=check)
        wanted = search_proposals(config)
        bench.coordinator.expect(wanted)
        started: list[Engine] = []

        def start() -> Engine:
            address = config.run.engine
            engine = (
                cluster_engine(stub, address) if address else local_engine(stub, workers=workers, log=results.log_file)
            )
            started.append(engine)
            return engine

        try:
            return bench.coordinator.run(wanted, start)
        finally:
            for engine in started:
                engine.close()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
