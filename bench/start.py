"""What a person waits for before anything trains: commands on a stored sweep, and the way to the first training step.

    python bench/start.py --out bench/RESULTS.md

The stored sweep has 1,000 made-up trials of `tests/optimize/fake_results.py`. Each command is a process of its own.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tables import machine, markdown_table, write_section

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
HEAVY = ("tensorflow", "keras")

FIRST_STEP = """
name: first
data: {source: digits}
model: {network: cnn, pooling: {choices: [max, average]}}
train: {epochs: 1}
study: {seeds: 1}
"""


class Case(NamedTuple):
    """One thing to wait for."""

    what: str
    arguments: tuple[str, ...]
    most: float
    """Seconds that it may take."""


class Timed(NamedTuple):
    """How long a case took, round after round."""

    case: Case
    walls: tuple[float, ...]
    cpus: tuple[float, ...]
    """Seconds of processor time, the children's too: less at the mercy of what else runs."""
    imported: tuple[str, ...]
    """Of the packages that have no business there, those that were imported."""


def cases(sweep: Path, other: Path, config: Path) -> tuple[Case, ...]:
    """The commands that answer without training."""
    return (
        Case("--help", ("--help",), 1.5),
        Case("plan", ("plan", str(config)), 2.0),
        Case("show", ("show", str(sweep)), 2.0),
        Case("compare", ("compare", str(sweep), str(other)), 4.0),
        Case("report", ("report", str(sweep)), 10.0),
        Case("plot", ("plot", str(sweep)), 10.0),
    )


def stored_sweeps(folder: Path, trials: int) -> tuple[Path, Path]:
    """Two sweeps' folders of so many trials each, as sweeps leave them."""
    sys.path[:0] = [str(REPOSITORY / "tests" / "optimize")]
    from fake_results import FAKES, made  # type: ignore[import-not-found]

    study = {**FAKES["joint"].study, "trials": trials}
    first, second = (made(folder / name, "joint", study=study).folder for name in ("first", "second"))
    return first, second


def time_case(case: Case, rounds: int) -> Timed:
    """Run the command once to warm the disk's cache, then so many times more."""
    command = [sys.executable, "-m", "optimize", *case.arguments]
    imported = heavy_imports(run(command, flags=("-X", "importtime")).stderr)
    measured = [_measured(lambda: run(command)) for _ in range(rounds)]
    return Timed(case, tuple(wall for wall, _ in measured), tuple(cpu for _, cpu in measured), imported)


def run(command: Sequence[str], flags: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run it, and end the benchmark where it fails."""
    answer = subprocess.run([command[0], *flags, *command[1:]], capture_output=True, text=True, cwd=REPOSITORY)
    if answer.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{answer.stdout[-1000:]}{answer.stderr[-3000:]}")
    return answer


def _measured(action: Callable[[], object]) -> tuple[float, float]:
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    action()
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def heavy_imports(importtime: str) -> tuple[str, ...]:
    """Which of the heavy packages are in the output of `python -X importtime`."""
    modules = {line.rsplit("|", 1)[-1].strip() for line in importtime.splitlines() if line.startswith("import time:")}
    return tuple(name for name in HEAVY if name in modules)


def first_step(rounds: int) -> Timed:
    """From typing `run` to the end of the first epoch, of 1,200 images: a little later than the first training step.

    Before it lie the command's own imports, the workers' start, their import of TensorFlow, the data and the trace.
    """
    walls = []
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "first.yaml"
        config.write_text(FIRST_STEP)
        for number in range(rounds + 1):
            results = Path(folder) / str(number)
            command = [sys.executable, "-m", "optimize", "run", str(config), "--results", str(results)]
            started = time.time()
            run(command)
            walls.append(seconds_to_first_epoch(results / "first", started))
    case = Case("run, to the end of the first epoch of 1,200 images", (), 12.0)
    return Timed(case, tuple(walls[1:]), (), ())


def seconds_to_first_epoch(results: Path, started: float) -> float:
    """Between a moment and the earliest end of a trial of one epoch."""
    import csv
    from datetime import datetime

    with (results / "trials.csv").open(newline="") as table:
        return min(datetime.fromisoformat(row["ended"]).timestamp() for row in csv.DictReader(table)) - started


def times_table(found: Sequence[Timed]) -> str:
    """Medians against what each may take."""
    return markdown_table(
        ("command", "s, median", "range", "CPU s", "may take", "reached", "imports"),
        [
            (
                timed.case.what,
                f"{statistics.median(timed.walls):.2f}",
                f"{min(timed.walls):.2f} to {max(timed.walls):.2f}",
                f"{statistics.median(timed.cpus):.2f}" if timed.cpus else "",
                f"{timed.case.most:.1f}",
                "yes" if statistics.median(timed.walls) <= timed.case.most else "no",
                ", ".join(timed.imported) or "neither" if timed.cpus else "",
            )
            for timed in found
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--without-run", action="store_true", help="leave out the first training step")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    where = machine()
    with tempfile.TemporaryDirectory() as folder:
        sweep, other = stored_sweeps(Path(folder), options.trials)
        found = []
        for case in cases(sweep, other, REPOSITORY / "configs" / "joint.yaml"):
            found.append(time_case(case, options.rounds))
            print(f"{case.what}: {found[-1].walls} s, {found[-1].cpus} s of CPU", flush=True)
    if not options.without_run:
        found.append(first_step(options.rounds))
    text = "\n\n".join(
        [
            "## Start-up",
            times_table(found),
            f"Each command a process of its own, {options.rounds} rounds after a warm-up; the stored sweeps have "
            f"{options.trials:,} trials of 9 epochs. Imports: of TensorFlow and Keras, which no command may import.",
            f"{where}.",
        ]
    )
    print(f"\n{text}")
    if options.out:
        write_section(options.out, "start", text)


if __name__ == "__main__":
    main()
