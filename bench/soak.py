"""Kill workers, coordinator and everything at random, again and again, and count what was lost by it.

`python bench/soak.py --kills 500` runs sweeps of stub trials that keep checkpoints (tests/stubs.py), kills one of the
three at a random moment, starts the command again where it died, and ends with a report: trials lost and duplicated,
files that cannot be read, processes left behind, and epochs that were begun more than once per kill. With
`--out bench/RESULTS.md` it writes its section of that file.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import psutil
from tables import machine, markdown_table, write_section

from main import checkpoint
from processes import Process, StubSweep, gone, rows, wait_for

SWEEP = """
name: soak
data: {{source: digits}}
model: {{network: cnn, pooling: {{choices: [max, average, blur]}}}}
train: {{epochs: {epochs}, learning_rate: {{choices: [1e-3, 1e-2]}}}}
study: {{seeds: {seeds}}}
run: {{retries: 100}}
"""
EPOCHS = 5
EPOCH_SECONDS = 0.05


@dataclass
class Report:
    """What a soak found."""

    kills: Counter[str] = field(default_factory=Counter)
    sweeps: int = 0
    trials: int = 0
    lost: int = 0
    """Finished trials that were trained again or are missing from the end."""
    duplicated: int = 0
    corrupt: int = 0
    """Files that cannot be read, temporary files left behind, and outcomes other than an undisturbed sweep's."""
    orphans: int = 0
    epochs_again: int = 0

    @property
    def epochs_again_per_kill(self) -> float:
        return self.epochs_again / max(1, self.kills.total())

    @property
    def clean(self) -> bool:
        return not (self.lost or self.duplicated or self.corrupt or self.orphans)


class Soak:
    """Sweeps of stub trials under fire, one after the other, until there were enough kills."""

    def __init__(self, folder: Path, kills: int, *, seed: int = 0, workers: int = 2, seeds: int = 12) -> None:
        self._folder, self._wanted, self._workers = folder, kills, workers
        self._random = random.Random(seed)
        self._text = SWEEP.format(epochs=EPOCHS, seeds=seeds)
        self.report = Report()

    def run(self) -> Report:
        """Kill until there were enough kills, then let the last sweep end."""
        while self.report.kills.total() < self._wanted:
            self._sweep(self._folder / f"sweep-{self.report.sweeps}")
            self.report.sweeps += 1
        return self.report

    def _sweep(self, folder: Path) -> None:
        folder.mkdir()
        sweep = StubSweep(folder, self._text, seconds=EPOCH_SECONDS)
        finished: dict[int, str] = {}
        process = sweep.start(self._workers)
        try:
            while process.running() and self.report.kills.total() < self._wanted:
                began = len(sweep.marked())
                wait_for(lambda: not process.running() or len(sweep.marked()) > began, "an epoch", seconds=120)  # noqa: B023
                time.sleep(self._random.uniform(0, 0.5))
                if process.running():
                    process = self._strike(sweep, process)
                    self._check_kept(sweep, finished)
            if process.wait(300) != 0:
                raise SystemExit(f"the sweep did not end well:\n{process.said()}")
            self._check_end(sweep, finished)
        finally:
            sweep.end()

    def _strike(self, sweep: StubSweep, process: Process) -> Process:
        """Kill something; returns the command that runs now."""
        target = self._random.choice(["worker", "coordinator", "everything"])
        workers = process.workers()
        if target == "worker":
            if workers:
                self._random.choice(workers).kill()
                self.report.kills[target] += 1
            return process
        process.kill() if target == "coordinator" else process.kill_all()
        self.report.kills[target] += 1
        if not gone(workers, seconds=5):
            self.report.orphans += 1
        return sweep.start(self._workers)

    def _check_kept(self, sweep: StubSweep, finished: dict[int, str]) -> None:
        """An outcome that was once there is there, whole and unchanged, after every kill."""
        for trial, text in finished.items():
            self.report.lost += _outcome(sweep, trial) != text
        for trial in sweep.results.finished_trials():
            text = _outcome(sweep, trial)
            self.report.corrupt += sweep.results.finished(trial) is None
            finished.setdefault(trial, text)
        for folder in sweep.folder.glob("results/trials/*/checkpoints"):
            there = list(folder.glob("epoch-*.npz"))  # others may come, and these go, while a worker trains
            whole = checkpoint.newest(folder)
            self.report.corrupt += whole is None and bool(there) and all(path.exists() for path in there)

    def _check_end(self, sweep: StubSweep, finished: dict[int, str]) -> None:
        table = rows(sweep.results.trials_file)
        cells = Counter((row["configuration"], row["seed"]) for row in table)
        expected = 6 * int(self._text.split("seeds: ")[1].split("}")[0])
        self.report.trials += len(table)
        self.report.lost += expected - len(cells) + sum(row["state"] != "complete" for row in table)
        self.report.duplicated += sum(count - 1 for count in cells.values())
        self.report.corrupt += len(rows(sweep.results.curves_file)) != expected * EPOCHS
        self.report.corrupt += sum(1 for _ in sweep.folder.glob("results/**/.*"))
        self.report.lost += sum(_outcome(sweep, trial) != text for trial, text in finished.items())
        self.report.epochs_again += sweep.epochs_again()
        self.report.orphans += sum(
            str(sweep.folder) in " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
        )


def _outcome(sweep: StubSweep, trial: int) -> str:
    path = sweep.results.trial_folder(trial) / "outcome.json"
    return path.read_text() if path.exists() else ""


def section(report: Report, seconds: float, ran_on: str) -> str:
    """The Markdown of RESULTS.md."""
    kills = ", ".join(f"{target} {count}" for target, count in sorted(report.kills.items()))
    counts = [
        ("kills", f"{report.kills.total()} ({kills})"),
        ("trials", str(report.trials)),
        *((name, str(getattr(report, name))) for name in ("lost", "duplicated", "corrupt", "orphans")),
        ("epochs begun again, per kill", f"{report.epochs_again_per_kill:.2f}"),
        ("minutes", f"{seconds / 60:.1f}"),
    ]
    return f"## Soak\n\n{ran_on}\n\n{markdown_table(['what', 'count'], counts)}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    ran_on, began = machine(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Soak(Path(folder), arguments.kills, seed=arguments.seed, workers=arguments.workers).run()
    per_kill = round(report.epochs_again_per_kill, 2)
    print(json.dumps({**vars(report), "epochs_again_per_kill": per_kill}, indent=2))
    if arguments.out:
        write_section(arguments.out, "soak", section(report, time.monotonic() - began, ran_on))
    return 0 if report.clean and report.epochs_again_per_kill <= arguments.workers else 1


if __name__ == "__main__":
    sys.exit(main())
