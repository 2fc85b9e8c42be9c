"""What this machine trains on: its processors as TensorFlow sees them, the precision chosen, and how fast they are.

`python -m optimize.devices` is the part that imports TensorFlow, in a process of its own: where TensorFlow cannot
even be imported, the rest is still said, and why.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from main.backend import choose_precision
from main.gpus import DRIVER, VISIBLE, cuda_is_installed, gpus
from main.provenance import instruction_sets, processor
from main.wording import counted
from optimize.cores import core_count, machine_cores, places

SECONDS = 0.5
"""How long each precision is timed."""
MATRIX, GPU_MATRIX = 1024, 4096
NVIDIA, AMD = "0x10de", "0x1002"  # PCI's numbers of makers
DISPLAY = "0x03"  # PCI's class of what draws, and computes
WHY = "python -c 'import tensorflow as tf; tf.config.list_physical_devices()'"
PCI = Path("/sys/bus/pci/devices")


@dataclass(frozen=True)
class Seen:
    """What TensorFlow says of the machine."""

    gpus: tuple[str, ...]
    """Their names."""
    speeds: dict[str, float]
    """Billions of operations per second in products of matrices, by precision: on the first GPU, else on one core."""


@dataclass(frozen=True)
class Devices:
    """What trials train on here."""

    processor: str
    cores: int
    """That this process may use."""
    instruction_sets: tuple[str, ...]
    tensorflow: str
    """Its version."""
    fault: str | None
    """Why TensorFlow cannot be used."""
    gpus: tuple[str, ...]
    advice: str | None
    """What to do about a GPU that is here and not used."""
    precision: str
    """Where the sweep file says `auto`."""
    workers: int
    """Where the sweep file says `auto`, if there are as many trials."""
    speeds: dict[str, float]
    """As in `Seen`."""

    def lines(self) -> Iterator[str]:
        """The same, for a person."""
        yield f"processor   {self.processor}, {counted(self.cores, 'core')}"
        if self.instruction_sets:
            yield f"            {' '.join(self.instruction_sets)}"
        yield f"TensorFlow  {self.tensorflow}{f': {self.fault}' if self.fault else ''}"
        for gpu in self.gpus:
            yield f"GPU         {gpu}"
        if not self.gpus:
            yield f"GPU         none{f': {self.advice}' if self.advice else ''}"
        yield f"precision   {self.precision} where the sweep file says auto"
        share = "a GPU" if self.gpus else "one thread"
        yield f"workers     {self.workers} where the sweep file says auto, {share} each"
        if not self.fault and not self.speeds:
            yield "speed       could not be measured: is something else using the GPU?"
        if self.speeds:
            timed = ", ".join(f"{speed:,.0f} in {precision}" for precision, speed in self.speeds.items())
            yield f"speed       one worker multiplies matrices at {timed} (billions of operations a second)"


def find_devices() -> Devices:
    """What this machine trains on; takes as long as TensorFlow takes to import, and a second."""
    seen = _ask_tensorflow()
    fault, found = (seen, Seen((), {})) if isinstance(seen, str) else (None, seen)
    return Devices(
        processor=processor(),
        cores=core_count(),
        instruction_sets=instruction_sets(),
        tensorflow=_version(),
        fault=fault,
        gpus=found.gpus,
        advice=None if found.gpus else gpu_advice(),
        precision=choose_precision("auto"),
        workers=places(threads=1),
        speeds=found.speeds,
    )


def _version() -> str:
    """TensorFlow's version, under whichever of its names it was installed."""
    for name in ("tensorflow", "tensorflow-cpu", "tensorflow-rocm"):
        with contextlib.suppress(PackageNotFoundError):
            return version(name)
    return "is not installed"


def gpu_advice() -> str | None:
    """What to do so that TensorFlow uses a GPU that is here; None where there is none that it could use."""
    makers = set(_display_makers())
    if DRIVER.is_dir():
        if not cuda_is_installed():
            return f"an NVIDIA GPU is here; to use it: pip install 'tensorflow[and-cuda]=={_version()}'"
        if os.environ.get(VISIBLE) is not None and not gpus():
            return f"{VISIBLE}={os.environ[VISIBLE]} hides this machine's"
        return f"an NVIDIA GPU and CUDA are here, but TensorFlow cannot use them; it says why: {WHY}"
    if NVIDIA in makers:
        return "an NVIDIA GPU is here without its driver; install that first"
    if AMD in makers:
        return "an AMD GPU is here, which TensorFlow's own package does not use (AMD's tensorflow-rocm does)"
    return None


def _display_makers() -> Iterator[str]:
    """PCI's numbers of the makers of this machine's display and compute controllers."""
    for device in PCI.glob("*"):
        try:
            if (device / "class").read_text().startswith(DISPLAY):
                yield (device / "vendor").read_text().strip()
        except OSError:  # a virtual machine may hide them
            continue


def _ask_tensorflow() -> Seen | str:
    """What TensorFlow sees, asked of another process; why it could not be asked, where it could not."""
    command = [sys.executable, "-P", "-m", "optimize.devices"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, map(str, sys.path)))}
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=180, env=environment, check=False)
    except subprocess.TimeoutExpired:
        return "it was not imported within three minutes"
    if answer.returncode < 0:
        return f"importing it was ended by signal {-answer.returncode}"
    if answer.returncode:
        return (answer.stderr.strip().splitlines() or ["it cannot be imported"])[-1]
    told = json.loads(answer.stdout.splitlines()[-1])
    return Seen(tuple(told["gpus"]), told["speeds"])


def _look() -> Seen:
    """What TensorFlow sees, and one second's test of it; in the other process."""
    from main.backend import quiet_import, set_threads

    cores = machine_cores()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores[:1])
    quiet_import()
    set_threads(1)
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    names = [str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)) for gpu in found]
    size = GPU_MATRIX if found else MATRIX
    speeds: dict[str, float] = {}
    with contextlib.suppress(tf.errors.OpError, RuntimeError):  # such as a GPU whose memory others have taken
        for precision in ("float32", "bfloat16"):
            speeds[precision] = _speed(tf, precision, size)
    return Seen(tuple(names), speeds)


def _speed(tf: Any, precision: str, size: int) -> float:
    """Billions of operations per second in products of square matrices, of the quickest product."""
    values = tf.cast(tf.random.stateless_uniform((size, size), (0, 0)), precision)

    def product() -> None:
        tf.reduce_sum(values @ values).numpy()  # waits for a GPU

    return 2 * size**3 / _quickest(product) / 1e9


def _quickest(call: Callable[[], None]) -> float:
    """Seconds of the quickest call of as many as `SECONDS` allow, after one that does not count."""
    call()
    best, ends = float("inf"), time.perf_counter() + SECONDS
    while best == float("inf") or time.perf_counter() < ends:
        started = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - started)
    return best


if __name__ == "__main__":
    print(json.dumps(asdict(_look())))
