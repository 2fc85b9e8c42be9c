"""The same sweep by a plain Optuna loop, KerasTuner, Ray Tune and this project: time from the command to its end.

    python bench/peers.py --rounds 3 --out bench/RESULTS.md
    python bench/peers.py --sweep long --rounds 1 --out bench/RESULTS.md
    python bench/peers.py --sweep winner --rounds 1 --out bench/RESULTS.md

It needs MNIST's four IDX files in the folder `--data` and makes what else it needs: two virtual environments, kept in
`--cache`. Any Python from 3.11 on runs it.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tables import machine, markdown_table, write_section

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
PEERS = HERE / "peers"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "optimize-sweeps-bench"

OURS = "optimize-sweeps"
SCRIPTS = {"Optuna loop": "optuna_loop.py", "KerasTuner": "kerastuner_grid.py", "Ray Tune": "ray_tune.py"}
PLACES = ("model.", "train.")
QUIET = 0.9
"""Share of the cores that idles where a contender may start."""


class Sweep(NamedTuple):
    """One table of the benchmark."""

    title: str
    file: str
    settings: tuple[str, ...]
    """What differs from the file."""
    contenders: tuple[str, ...]
    targets: Mapping[str, float]
    """How many times as long each peer should take."""


SWEEPS = {
    "short": Sweep(
        "8 trainings of 3 epochs of 12,800 images",
        "short.yaml",
        (),
        (OURS, *SCRIPTS),
        {"Optuna loop": 2.4, "KerasTuner": 2.4, "Ray Tune": 3.0},
    ),
    "long": Sweep(
        "8 trainings of 12 epochs of 55,000 images",
        "short.yaml",
        ("train.epochs=12", "data.train=null"),
        (OURS, "Optuna loop"),
        {"Optuna loop": 2.5},
    ),
    "winner": Sweep(
        "The best of 64 configurations, 12 epochs of 12,800 images",
        "winner.yaml",
        (),
        (OURS, "Optuna loop"),
        {"Optuna loop": 8.0},
    ),
}

Accuracies = dict[str, float]
"""Configuration -> the best epoch's validation accuracy."""


class Run(NamedTuple):
    """One whole command."""

    seconds: float
    accuracies: Accuracies
    winner: str


# Environments


def environment(name: str, requirements: Path, cache: Path) -> Path:
    """The Python of a virtual environment that holds what `requirements` pins; made where there is none like it."""
    stamp = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache / f"{name}-{stamp}"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        print(f"making the environment of {name} in {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--requirement", requirements]
        installed = subprocess.run(install, cwd=REPOSITORY, capture_output=True, text=True)
        if installed.returncode != 0:
            raise SystemExit(f"{requirements} could not be installed:\n{installed.stderr[-3000:]}")
        ready.touch()
    return python


# Contenders


def run_peer(python: Path, script: str, sweep: str, seed: int, data: Path) -> Run:
    """A contender's command, from its start to its last line."""
    variables = {**os.environ, "MNIST": str(data)}
    command: list[str | Path] = [python, PEERS / script, sweep, str(seed)]
    started = time.perf_counter()
    answer = subprocess.run(command, env=variables, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if answer.returncode != 0:
        raise SystemExit(f"{script} failed:\n{answer.stderr[-3000:]}")
    trials = json.loads(answer.stdout.splitlines()[-1])
    accuracies = {configuration(trial["values"]): trial["val_accuracy"] for trial in trials}
    return Run(seconds, accuracies, max(accuracies, key=accuracies.__getitem__))


def run_ours(python: Path, sweep: Sweep, seed: int, data: Path) -> Run:
    """This project's command, with its charts, report and exported model."""
    variables = {**os.environ, "OPTIMIZE_DATA": str(data.parent if data.name == "mnist" else data)}
    with tempfile.TemporaryDirectory() as folder:
        command: list[str | Path] = [python, "-m", "optimize", "run", PEERS / sweep.file, "--results", folder]
        for setting in (*sweep.settings, f"study.seeds=[{seed}]"):
            command += ["--set", setting]
        started = time.perf_counter()
        answer = subprocess.run(command, env=variables, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if answer.returncode != 0:
            raise SystemExit(f"{OURS} failed:\n{answer.stdout[-1000:]}\n{answer.stderr[-3000:]}")
        (results,) = Path(folder).iterdir()
        missing = [name for name in ("report.html", "cnn.h5", "charts") if not (results / name).exists()]
        if missing:
            raise SystemExit(f"{OURS} left no {', '.join(missing)}")
        card = json.loads((results / "cnn.json").read_text())
        with (results / "trials.csv").open(newline="") as table:
            accuracies = read_accuracies(list(csv.DictReader(table)))
    return Run(seconds, accuracies, configuration(card["values"]))


def read_accuracies(rows: Sequence[Mapping[str, str]]) -> Accuracies:
    """Of a trials table the complete trials: configuration -> accuracy of its best epoch."""
    found: Accuracies = {}
    for row in rows:
        if row["state"] == "complete":
            swept = {path: value for path, value in row.items() if path.startswith(PLACES)}
            found[configuration(swept)] = float(row["val_accuracy"])
    return found


def configuration(values: Mapping[str, Any]) -> str:
    """The same text for the same values, whoever wrote them: full paths or last parts, numbers or their text."""
    return " ".join(f"{path.split('.')[-1]}={_plain(value)}" for path, value in sorted(values.items(), key=_last_part))


def _last_part(item: tuple[str, Any]) -> str:
    return item[0].split(".")[-1]


def _plain(value: Any) -> str:
    try:
        return f"{float(value):g}"
    except ValueError:
        return str(value)


def warm_up(python: Path) -> None:
    """Have an environment's files in memory: those of one that has not run for minutes may be on the disk alone.

    The peers share an environment, and would warm it for each other.
    """
    for file in (python.parent.parent / "lib").rglob("*"):
        if file.is_file():
            with file.open("rb", buffering=0) as content:
                while content.read(2**22):
                    pass


def wait_for_quiet(most: float = 60.0) -> None:
    """Wait until the cores have nothing to do: some contenders leave processes behind that end by and by."""
    ends = time.monotonic() + most
    while time.monotonic() < ends:
        idle, began = _idle_seconds(), time.monotonic()
        if idle is None:
            return
        time.sleep(1.0)
        free = (_idle_seconds() or 0.0) - idle
        if free > QUIET * (os.cpu_count() or 1) * (time.monotonic() - began):
            return


def _idle_seconds() -> float | None:
    """Seconds that all cores together have idled since the machine started, where the system tells it."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    except OSError:
        return None
    return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")  # idle, and waiting for a disk


# Figures


class Agreement(NamedTuple):
    """How a contender's accuracies compare with another's, configuration by configuration."""

    mean_difference: float
    largest_difference: float
    seed_noise: float
    """Standard deviation of one configuration's accuracy over seeds, pooled over configurations and contenders."""
    allowed: float
    """A difference of two means over the rounds that noise alone exceeds once in about 400."""

    @property
    def within_noise(self) -> bool:
        return abs(self.largest_difference) <= self.allowed


def agreement(ours: Sequence[Accuracies], theirs: Sequence[Accuracies]) -> Agreement:
    """Compare two contenders over the same rounds; over one round the noise is not known, and is not a number."""
    names = sorted(set.intersection(*(set(found) for found in (*ours, *theirs))))
    means = [[statistics.fmean(found[name] for found in side) for name in names] for side in (ours, theirs)]
    differences = [a - b for a, b in zip(*means, strict=True)]
    variances = [
        statistics.variance([found[name] for found in side])
        for side in (ours, theirs)
        for name in names
        if len(side) > 1
    ]
    noise = statistics.fmean(variances) ** 0.5 if variances else float("nan")
    allowed = 3 * noise * (1 / len(ours) + 1 / len(theirs)) ** 0.5
    return Agreement(statistics.fmean(differences), max(differences, key=abs), noise, allowed)


def times_table(runs: Mapping[str, Sequence[Run]], targets: Mapping[str, float]) -> str:
    """Median seconds, their range, and how many times as long as this project each took."""
    ours = statistics.median(run.seconds for run in runs[OURS])
    rows = []
    for contender, done in runs.items():
        seconds = [run.seconds for run in done]
        ratio = statistics.median(seconds) / ours
        target = targets.get(contender)
        rows.append(
            (
                contender,
                f"{statistics.median(seconds):.1f}",
                f"{min(seconds):.1f} to {max(seconds):.1f}",
                f"{ratio:.2f}",
                "" if target is None else f"{target:.1f} {'reached' if ratio >= target else 'missed'}",
                f"{statistics.fmean(max(run.accuracies.values()) for run in done):.2%}",
                f"{statistics.fmean(statistics.fmean(run.accuracies.values()) for run in done):.2%}",
                done[-1].winner,
            )
        )
    header = ("whole command", "s, median", "range", "× ours", "target", "best trial", "mean trial", "winner")
    return markdown_table(header, rows)


def accuracy_lines(runs: Mapping[str, Sequence[Run]]) -> list[str]:
    """Whether each peer's trials are as accurate as ours, in a sentence each."""
    lines = []
    for contender, done in runs.items():
        if contender == OURS:
            continue
        found = agreement([run.accuracies for run in runs[OURS]], [run.accuracies for run in done])
        verdict = (
            "of one round, which tells nothing of seed noise"
            if math.isnan(found.seed_noise)
            else f"{'within' if found.within_noise else 'NOT within'} seed noise (standard deviation "
            f"{found.seed_noise:.2%}, allowed {found.allowed:.2%})"
        )
        lines.append(
            f"- Ours less {contender}, the same configurations: {found.mean_difference:+.2%} on average, "
            f"{found.largest_difference:+.2%} at most, {verdict}."
        )
        regrets = [
            max(theirs.accuracies.values()) - theirs.accuracies[our.winner] for our, theirs in _rounds(runs, done)
        ]
        lines.append(
            f"- Of the winner we name, {contender} finds {statistics.fmean(regrets):.2%} less than of its own."
        )
    return lines


def _rounds(runs: Mapping[str, Sequence[Run]], done: Sequence[Run]) -> list[tuple[Run, Run]]:
    return list(zip(runs[OURS], done, strict=True))


# The benchmark


def measure(name: str, *, rounds: int, data: Path, cache: Path, contenders: Sequence[str]) -> dict[str, list[Run]]:
    """Every contender in turn, round after round, each round with a seed of its own."""
    sweep = SWEEPS[name]
    ours = environment("own", REPOSITORY / "requirements.txt", cache)
    peers = environment("peers", PEERS / "requirements.txt", cache)
    runs: dict[str, list[Run]] = defaultdict(list)
    for seed in range(rounds):
        for contender in contenders:
            warm_up(ours if contender == OURS else peers)
            wait_for_quiet()
            if contender == OURS:
                run = run_ours(ours, sweep, seed, data)
            else:
                run = run_peer(peers, SCRIPTS[contender], name, seed, data)
            runs[contender].append(run)
            print(f"round {seed + 1}: {contender} {run.seconds:.1f} s, load {os.getloadavg()[0]:.1f}", flush=True)
    return runs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sweep", choices=SWEEPS, default="short")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=SCRIPTS, help="these peers instead of all that the sweep has")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("OPTIMIZE_DATA", "data")))
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--out", type=Path, help="a Markdown file, whose section of this sweep is replaced")
    options = parser.parse_args()
    data = find_mnist(options.data)
    sweep = SWEEPS[options.sweep]
    where = machine(())
    contenders = (OURS, *(options.only or sweep.contenders[1:]))
    runs = measure(options.sweep, rounds=options.rounds, data=data, cache=options.cache, contenders=contenders)
    required = (PEERS / "requirements.txt").read_text().splitlines()
    versions = " ".join(found for line in required if (found := line.partition("#")[0].strip()))
    text = "\n\n".join(
        [
            f"## {sweep.title}",
            times_table(runs, sweep.targets),
            "\n".join(accuracy_lines(runs)),
            f"{options.rounds} round{'s' if options.rounds > 1 else ''} in turn, whole commands. "
            f"Contenders: {versions}. {where}.",
        ]
    )
    print(f"\n{text}")
    if options.out:
        write_section(options.out, f"peers {options.sweep}", text)


def find_mnist(folder: Path) -> Path:
    """The folder of MNIST's IDX files: this one, or `mnist` in it."""
    for candidate in (folder, folder / "mnist"):
        if (candidate / "train-images-idx3-ubyte.gz").exists():
            return candidate.resolve()
    raise SystemExit(f"{folder} has no train-images-idx3-ubyte.gz: name MNIST's folder with --data")


if __name__ == "__main__":
    main()
