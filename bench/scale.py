"""How much a coordinator can carry: many simulated workers, and many trials, with stub trials that train nothing.

`python bench/scale.py workers` gives 256 workers (4 processes of 64 threads) trials of ten seconds and reports what
fraction of them was busy; `python bench/scale.py trials` runs 10,000 trials of a grid or of random draws in here
and reports the cost per trial as the study grows, and the memory at the end; `python bench/scale.py memory` trains 200
small networks on one worker and reports what its process holds. With `--out bench/RESULTS.md` each writes its section
of that file.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path.insert(0, str(TESTS))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))

import numpy as np
import psutil
from distributed import Client, LocalCluster
from tables import machine, markdown_table, write_section

import stubs
from main.history import Epoch
from optimize.config import load_config
from optimize.daskengine import DaskEngine
from optimize.engine import EpochEnded, Event, Slot, TrialEnded
from optimize.results import Results
from optimize.sweep import run_sweep, search_proposals
from optimize.trial import TrialTask
from processes import is_worker
from sweeps import Bench, Witness

RANDOM = """
name: scale
data: {{source: digits}}
model: {{network: cnn, dropout: {{low: 0.0, high: 0.5}}}}
train: {{epochs: 1, learning_rate: {{low: 1e-4, high: 1e-1, log: true}}}}
study: {{sampler: random, trials: {trials}, confirm: null}}
"""
GRID = """
name: scale
data: {{source: digits}}
model: {{network: cnn, dropout: {{low: 0.0, high: 0.9, step: 0.1}}}}
train: {{epochs: 1, learning_rate: {{choices: [{rates}]}}}}
study: {{seeds: 10}}
"""
SECONDS = 10.0


TRAININGS = """
name: memory
data: {{source: digits}}
model: {{network: cnn, filters: [4], pooling: {{choices: [max, average, blur, stride]}}}}
train: {{epochs: 1, batch_size: 64, learning_rate: {{choices: [1e-4, 3e-4, 1e-3, 3e-3, 1e-2]}}}}
study: {{seeds: {seeds}}}
"""


class InstantEngine:
    """Every trial has ended as soon as it is submitted: what is left is the coordinator's own cost."""

    def __init__(self) -> None:
        self._events: list[Event] = []

    def slots(self) -> tuple[Slot, ...]:
        return tuple(Slot(number, "here") for number in range(8))

    def submit(self, slot: Slot, task: TrialTask) -> None:
        epoch = Epoch(1, 0.5, 0.5, 0.5, stubs.merit(task), 0.5, 1e-3, 0.1)
        self._events += [EpochEnded(task.trial, 1, epoch), TrialEnded(task.trial, 1, stubs.complete(task, [epoch]))]

    def next_event(self, timeout: float) -> Event | None:
        return self._events.pop(0) if self._events else None

    def request_stop(self, trials: object) -> None: ...

    def kill(self, slot: Slot) -> None: ...

    def memory(self, slot: Slot) -> int | None:
        return None

    def call(self, function: object, *args: object) -> object: ...

    def close(self) -> None: ...


def open_bench(text: str, folder: Path) -> Bench:
    path = folder / "sweep.yaml"
    path.write_text(text)
    return Bench(load_config(path), Results(folder / "results"))


def many_trials(sampler: str, trials: int) -> dict[str, object]:
    """The coordinator's seconds per trial, over the first and the last tenth of the trials."""
    rates = ", ".join(str(round(1e-3 + i * 1e-5, 7)) for i in range(trials // 100))
    text = RANDOM.format(trials=trials) if sampler == "random" else GRID.format(rates=rates)
    with tempfile.TemporaryDirectory() as folder:
        bench = open_bench(text, Path(folder))
        ends: list[float] = []
        computed: list[float] = []
        bench.witness.on_end = lambda: (ends.append(time.perf_counter()), computed.append(time.process_time()))
        wanted = search_proposals(bench.config)
        began = time.perf_counter()
        bench.coordinator.run(wanted, InstantEngine)
        tenth = len(ends) // 10
        return {
            "sampler": sampler,
            "trials": len(ends),
            "trials per second": round(len(ends) / (ends[-1] - began), 1),
            "first tenth, ms per trial": round(1000 * (ends[tenth] - ends[0]) / tenth, 2),
            "last tenth, ms per trial": round(1000 * (ends[-1] - ends[-1 - tenth]) / tenth, 2),
            "first tenth, ms of processor": round(1000 * (computed[tenth] - computed[0]) / tenth, 2),
            "last tenth, ms of processor": round(1000 * (computed[-1] - computed[-1 - tenth]) / tenth, 2),
            "memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }


def sleeps(task: TrialTask, report: stubs.Report, stop_requested: stubs.StopRequested) -> object:
    """A trial of two epochs in ten seconds."""
    return stubs.learn(task, report, stop_requested, seconds=SECONDS / task.config.train.epochs)


def many_workers(processes: int, threads: int, rounds: int) -> dict[str, object]:
    """Which fraction of the workers' time was spent in trials, from the first start to the last end."""
    workers = processes * threads
    text = RANDOM.format(trials=workers * rounds).replace("epochs: 1", "epochs: 2")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bench = open_bench(text, Path(folder))
        cluster = LocalCluster(n_workers=processes, threads_per_worker=threads, dashboard_address=None)
        client = Client(cluster, set_as_default=False)
        engine = DaskEngine(client, sleeps, threads_per_worker=threads, close_cluster=cluster.close)
        client.run(import_stubs)
        began = time.perf_counter()
        bench.coordinator.run(search_proposals(bench.config), lambda: engine)
        seconds = time.perf_counter() - began
        engine.close()
    trials = len(bench.witness.ends)
    return {
        "workers": workers,
        "trials": trials,
        "trials of each worker, one after the other": rounds,
        "seconds": round(seconds, 1),
        "busy fraction": round(trials * SECONDS / (workers * seconds), 3),
        "distinct workers": len(np.unique([finished.outcome.worker for finished in bench.witness.ends])),
    }


def worker_memory(trials: int) -> dict[str, object]:
    """What one worker's process holds as it trains networks of four graphs, again and again."""
    witness, held = Witness(), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sweep.yaml"
        path.write_text(TRAININGS.format(seeds=trials // 20))
        witness.on_end = lambda: held.append(workers_hold())
        run_sweep(load_config(path), results_dir=folder, observer=witness, workers=1)
    half = len(held) // 2
    return {
        "trials": len(held),
        "MB after the first": round(held[0]),
        f"MB after {half}": round(held[half - 1]),
        f"MB after {len(held)}": round(held[-1]),
        "growth over the second half, %": round(100 * (held[-1] / held[half - 1] - 1), 2),
    }


def workers_hold() -> float:
    """Main memory of this process's workers, in MB."""
    workers = [child for child in psutil.Process().children(recursive=True) if is_worker(child)]
    return sum(worker.memory_info().rss for worker in workers) / 2**20


def import_stubs() -> None:
    import optimize.trial  # noqa: F401


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["workers", "trials", "memory"])
    parser.add_argument("--trials", type=int, help="10,000 unless given; 200 of `memory`")
    parser.add_argument("--sampler", choices=["random", "grid"], default="random")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=12, help="trials of each simulated worker")
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    ran_on, name = machine(), f"scale {arguments.what}"
    if arguments.what == "trials":
        name += f" {arguments.sampler}"
        found = many_trials(arguments.sampler, arguments.trials or 10_000)
    elif arguments.what == "memory":
        found = worker_memory(arguments.trials or 200)
    else:
        found = many_workers(arguments.processes, arguments.threads, arguments.rounds)
    print(json.dumps(found, indent=2))
    if arguments.out:
        figures = markdown_table(["what", "figure"], [(what, str(figure)) for what, figure in found.items()])
        write_section(arguments.out, name, f"## {name.capitalize()}\n\n{ran_on}\n\n{figures}\n")


if __name__ == "__main__":
    main()
