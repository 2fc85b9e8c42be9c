"""Sweeps of stub trials as processes that tests can kill, and what is to be found when they are gone."""

import contextlib
import csv
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil

import stubs
from optimize.results import Results

COORDINATE = Path(__file__).with_name("coordinate.py")


def wait_for(condition: Callable[[], object], what: str, seconds: float = 300.0) -> None:
    """Wait until `condition` holds; generous, for what is waited for is that it happens and not when."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)


def free_port() -> int:
    """A port that nothing listens on, below those from which systems give clients theirs.

    A client that calls a server that is away may be given the server's own port, which then cannot start again.
    """
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(15_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return port


class Process:
    """One run of a sweep, in a process group of its own."""

    def __init__(self, command: list[str], environment: dict[str, str], output: Path) -> None:
        self.output = output
        with output.open("a") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.pid = self._process.pid

    def workers(self) -> list[psutil.Process]:
        """The worker processes it has now."""
        try:
            children = psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [child for child in children if is_worker(child)]

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it alone, without its workers."""
        self._process.kill()
        self._process.wait()

    def kill_all(self) -> None:
        """Kill it and its workers at once, as a machine that loses power."""
        os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self, seconds: float = 600.0) -> int:
        """Its exit status."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {seconds:g} s; it said:\n{self.said()}") from None

    def said(self) -> str:
        return self.output.read_text()


class StubSweep:
    """A sweep file, its results and the marks of its stub trials."""

    def __init__(
        self,
        folder: Path,
        text: str,
        stub: str = "keeps_checkpoints",
        seconds: float = 0.05,
        gate: tuple[int, int] | None = None,
    ) -> None:
        self.folder, self.stub = folder, stub
        self.file, self.marks = folder / "sweep.yaml", folder / "marks.txt"
        self.file.write_text(text)
        self.marks.touch()
        self.results = Results(folder / "results")
        self.environment = {**os.environ, "STUB_MARKS": str(self.marks), "STUB_SECONDS": str(seconds)}
        if gate is not None:  # a trial and an epoch: it waits there, in its first attempt, until `open_gate`
            self.environment["STUB_GATE"] = "{} {}".format(*gate)
        self.processes: list[Process] = []

    def start(self, workers: int = 1, *, prefix: tuple[str, ...] = (), **environment: str) -> Process:
        """Run the sweep, as a new command would."""
        command = [*prefix, sys.executable, str(COORDINATE), str(self.file), str(self.results.folder), self.stub]
        output = self.folder / f"output-{len(self.processes)}.txt"
        process = Process([*command, str(workers)], {**self.environment, **environment}, output)
        self.processes.append(process)
        return process

    def finish(self, workers: int = 1, **environment: str) -> Process:
        """Run the sweep to its end."""
        process = self.start(workers, **environment)
        status = process.wait()
        assert status == 0, process.said()
        return process

    def marked(self) -> list[tuple[int, int, int]]:
        """(trial, epoch, attempt) for each epoch that was begun, in order."""
        lines = (line.split() for line in self.marks.read_text().splitlines())
        return [(int(trial), int(epoch), int(attempt)) for trial, epoch, attempt in lines]

    def began(self, epochs: int) -> bool:
        """Whether that many epochs have been begun."""
        return len(self.marks.read_text().splitlines()) >= epochs

    def open_gate(self) -> None:
        """Let the trial that waits go on, and all that come after it."""
        stubs.gate_file(self.marks).touch()

    def epochs_again(self) -> int:
        """How many epochs were begun more than once."""
        return sum(count - 1 for count in Counter((trial, epoch) for trial, epoch, _ in self.marked()).values())

    def end(self) -> None:
        """Leave nothing running."""
        for process in self.processes:
            if process.running():
                process.kill_all()


def is_worker(process: psutil.Process) -> bool:
    """Whether a process runs trials (and is not one of multiprocessing's helpers)."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        parent = process.parent()  # a forked worker has the command line of what it was forked from
        return _says(process, "spawn_main") or (parent is not None and _says(parent, "multiprocessing.forkserver"))
    except psutil.NoSuchProcess:
        return False


def _says(process: psutil.Process, words: str) -> bool:
    return words in " ".join(process.cmdline())


def gone(workers: list[psutil.Process], seconds: float = 5.0) -> bool:
    """Whether all of them end within so many seconds; a zombie, which nobody has waited for, has ended.

    Five seconds are what workers have whose coordinator is killed.
    """
    _, alive = psutil.wait_procs(workers, timeout=seconds)
    return not [worker for worker in alive if _runs(worker)]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


UNTIMED = ("seconds", "started", "ended", "attempts", "worker")


def rows(path: Path) -> list[dict[str, str]]:
    """A table without what may differ between two runs that trained the same."""
    with path.open(newline="") as file:
        return [{key: cell for key, cell in row.items() if key not in UNTIMED} for row in csv.DictReader(file)]
