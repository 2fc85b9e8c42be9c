"""Images trained per second by pinned workers, in float32 and bfloat16, against what their cores can multiply.

    python bench/throughput.py --out bench/RESULTS.md

The roof is measured in the same process, between the epochs: sgemm by NumPy, bfloat16 products by TensorFlow. The
operations of a training step are counted from the networks' own sizes: two per multiply-add, forward and twice back.
Bare steps are the same network's in a loop of TensorFlow's own, on one batch that never changes: what is lost to them
is what data, shuffling, metrics, validation and the framework around training cost.

AMX multiplies matrices so much faster than memory and everything beside products keeps up with that a small network
uses little of it; where a processor has it, bfloat16 is measured without as well, as on those that have AVX512_BF16
alone.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tables import machine, markdown_table, write_section

STEPS_OF_A_TRAINING = 6  # operations per multiply-add of the forward pass: 2 forward, 2 for inputs, 2 for weights
PRECISIONS = ("float32", "bfloat16")
WITHOUT_AMX = {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}
"""Read by oneDNN, which TensorFlow multiplies with."""
MATRIX = 1024
BATCH = 128


class Measured(NamedTuple):
    """What one worker process found."""

    images_per_second: float
    gflops: float
    """Billions of operations per second that the images took."""
    roof: float
    """The same of large matrix products."""
    bare: float
    """Images per second of bare steps."""
    computing: float
    """Share of the wall time in which the process computed; what is missing to 1 it waited, or others had the core."""


class Row(NamedTuple):
    """All workers of a precision at once."""

    precision: str
    workers: int
    images_per_second: float
    share_of_roof: float
    share_of_bare: float
    computing: float

    @property
    def share_while_computing(self) -> float:
        """Of the roof, had the workers had their cores to themselves: by processor time in place of wall time."""
        return self.share_of_roof / self.computing


# In a worker process


def work(core: int, precision: str, images: int, epochs: int) -> Measured:
    """Train on one core, with roof and bare steps measured before and after each epoch."""
    pin(core)
    from main.backend import quiet_import, set_threads

    quiet_import()
    set_threads(1)
    from main.config import DataConfig, TrainConfig, TrainingConfig
    from main.history import Epoch
    from main.train import train
    from models import CnnSpec

    data = random_images(images)
    config = TrainingConfig(DataConfig(source="digits"), CnnSpec(), TrainConfig(epochs=epochs + 1))
    steps = bare_steps(precision)
    marks: list[tuple[float, float]] = []
    roofs: list[float] = []
    bare: list[float] = []

    def on_epoch(_: Epoch) -> bool:
        if marks:
            started_wall, started_cpu = marks.pop()
            walls.append(time.perf_counter() - started_wall)
            cpus.append(time.process_time() - started_cpu)
        roofs.append(matrix_roof(precision))
        bare.append(steps())
        marks.append((time.perf_counter(), time.process_time()))
        return False

    walls: list[float] = []
    cpus: list[float] = []
    train(config, data, seed=0, precision=precision, on_epoch=on_epoch)  # type: ignore[arg-type]
    seconds = statistics.median(walls)
    rate = images / seconds
    computing = statistics.median(cpus) / seconds
    return Measured(rate, rate * flops_per_image() / 1e9, max(roofs), statistics.median(bare), computing)


def pin(core: int) -> None:
    """Keep this process, and the threads it will start, on one core."""
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TF_NUM_INTRAOP_THREADS="1")
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def random_images(count: int) -> Any:
    """MNIST-sized noise: how fast it trains does not depend on what there is to see. One image validates."""
    import numpy as np

    from main.data import Split, TrainingData

    rng = np.random.default_rng(0)

    def split(size: int) -> Split:
        pixels = rng.integers(0, 256, (size, 28, 28, 1), dtype=np.uint8)
        return Split(images=pixels, labels=rng.integers(0, 10, size))

    return TrainingData(train=split(count), validation=split(1), n_classes=10, source="noise", checksum="")


def bare_steps(precision: str, count: int = 25) -> Callable[[], float]:
    """A function that trains the default network for so many steps on one batch, and says how many images a second."""
    import keras
    import tensorflow as tf

    import models
    from main.backend import dtype_policy

    with dtype_policy(precision):
        model = models.build(models.CnnSpec(), (28, 28, 1), 10)
    optimizer = keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)
    crossentropy = keras.losses.SparseCategoricalCrossentropy()
    images = tf.random.uniform((BATCH, 28, 28, 1))
    labels = tf.random.uniform((BATCH,), maxval=10, dtype=tf.int32)

    @tf.function
    def train() -> None:
        for _ in tf.range(count):
            with tf.GradientTape() as tape:
                loss = crossentropy(labels, model(images, training=True))
            optimizer.apply(tape.gradient(loss, model.trainable_variables))

    def timed() -> float:
        started = time.perf_counter()
        train()
        return count * BATCH / (time.perf_counter() - started)

    timed()  # traces
    return timed


def flops_per_image() -> float:
    """Operations of training on one image with the default network."""
    from models import CnnSpec

    return STEPS_OF_A_TRAINING * sum(layer.multiply_adds for layer in CnnSpec().layers((28, 28, 1), 10))


def matrix_roof(precision: str, seconds: float = 0.3) -> float:
    """Billions of operations per second in products of square matrices, the best of several."""
    import numpy as np

    values = np.random.default_rng(0).random((MATRIX, MATRIX), dtype=np.float32)
    if precision == "float32":
        return best_rate(lambda: values @ values, seconds)
    import tensorflow as tf

    small = tf.cast(tf.constant(values), tf.bfloat16)
    return best_rate(lambda: tf.matmul(small, small).numpy(), seconds)


def best_rate(product: Any, seconds: float) -> float:
    """Billions of operations per second of the quickest call within about so many seconds."""
    product()
    quickest, ends = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < ends:
        started = time.perf_counter()
        product()
        quickest = min(quickest, time.perf_counter() - started)
    return 2 * MATRIX**3 / quickest / 1e9


# In the command's own process


def at_once(
    precision: str, cores: Sequence[int], images: int, epochs: int, variables: Mapping[str, str]
) -> list[Measured]:
    """One worker per core, all of them at the same time, with some variables of their own."""
    started = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker", f"{core},{precision},{images},{epochs}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **variables},
        )
        for core in cores
    ]
    answers = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit(f"a worker of {precision} failed; run it alone: --worker {cores[0]},{precision},1280,1")
    return [Measured(*json.loads(answer.splitlines()[-1])) for answer in answers]


def measurements() -> dict[str, tuple[str, Mapping[str, str]]]:
    """By the name of its row, the precision and the variables of each measurement."""
    from main.backend import instruction_flags

    found: dict[str, tuple[str, Mapping[str, str]]] = {precision: (precision, {}) for precision in PRECISIONS}
    if "amx_bf16" in instruction_flags():
        found["bfloat16, no AMX"] = ("bfloat16", WITHOUT_AMX)
    return found


def summary(name: str, found: Sequence[Measured]) -> Row:
    """The workers' rates added up, against their roofs added up."""
    return Row(
        name,
        len(found),
        sum(one.images_per_second for one in found),
        sum(one.gflops for one in found) / sum(one.roof for one in found),
        sum(one.images_per_second for one in found) / sum(one.bare for one in found),
        statistics.fmean(one.computing for one in found),
    )


def throughput_table(rows: Sequence[Row], flops: float) -> str:
    """Rates of every precision and number of workers, and the roof that they are measured against."""
    return markdown_table(
        ("precision", "workers", "images/s", "GFLOP/s", "roof GFLOP/s", "of the roof", "by CPU time", "of bare steps"),
        [
            (
                row.precision,
                str(row.workers),
                f"{row.images_per_second:,.0f}",
                f"{row.images_per_second * flops / 1e9:,.0f}",
                f"{row.images_per_second * flops / 1e9 / row.share_of_roof:,.0f}",
                f"{row.share_of_roof:.0%}",
                f"{row.share_while_computing:.0%}",
                f"{row.share_of_bare:.0%}",
            )
            for row in rows
        ],
    )


# Whether precision changes what is found


POOLINGS = ("max", "average", "stride", "blur")


def rank(precision: str, seeds: int, epochs: int) -> dict[str, list[float]]:
    """Validation accuracy of each pooling on each seed, trained on scikit-learn's digits."""
    pin(min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0)
    from main.backend import quiet_import, set_threads

    quiet_import()
    set_threads(1)
    from main.config import DataConfig, TrainConfig, TrainingConfig
    from main.data import load_training
    from main.train import train
    from models import CnnSpec

    source = DataConfig(source="digits")
    data = load_training(source)
    found: dict[str, list[float]] = {}
    for pooling in POOLINGS:
        config = TrainingConfig(source, CnnSpec(filters=(8, 16), pooling=pooling), TrainConfig(epochs=epochs))  # type: ignore[arg-type]
        for seed in range(seeds):
            result = train(config, data, seed=seed, precision=precision)  # type: ignore[arg-type]
            found.setdefault(pooling, []).append(max(epoch.val_accuracy for epoch in result.history))
    return found


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's: 1 where both order alike, -1 where one reverses the other; ties share their ranks."""
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)


def ranks_lines(found: dict[str, dict[str, list[float]]]) -> str:
    """Means of every choice in both precisions, and whether they order them alike."""
    means = {p: [statistics.fmean(values) for values in found[p].values()] for p in PRECISIONS}
    choices = list(found[PRECISIONS[0]])
    table = markdown_table(
        ("pooling", *PRECISIONS, "difference", "spread of seeds"),
        [
            (
                choice,
                f"{means['float32'][i]:.2%}",
                f"{means['bfloat16'][i]:.2%}",
                f"{means['bfloat16'][i] - means['float32'][i]:+.2%}",
                f"{statistics.stdev(found['float32'][choice]):.2%}",
            )
            for i, choice in enumerate(choices)
        ],
    )
    winners = [choices[means[p].index(max(means[p]))] for p in PRECISIONS]
    correlation = rank_correlation(*(means[p] for p in PRECISIONS))
    same = "the same" if winners[0] == winners[1] else "NOT the same"
    return (
        f"{table}\n\nBoth precisions name {same} winner, {' and '.join(winners)}; rank correlation {correlation:.2f}."
    )


def in_worker(task: str) -> str:
    """What a worker process was asked for, as JSON."""
    if task.startswith("rank,"):
        _, precision, seeds, epochs = task.split(",")
        return json.dumps(rank(precision, int(seeds), int(epochs)))
    core, precision, images, epochs = task.split(",")
    return json.dumps(work(int(core), precision, int(images), int(epochs)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=12_800)
    parser.add_argument("--epochs", type=int, default=5, help="epochs that are timed; one more goes before them")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seeds", type=int, default=5, help="seeds of the ranking")
    parser.add_argument("--rank-epochs", type=int, default=6)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(in_worker(options.worker))
        return
    where = machine()
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    rows = []
    for workers in options.workers:
        if workers > len(cores):
            print(f"{workers} workers are left out: there are {len(cores)} cores", file=sys.stderr)
            continue
        for name, (precision, variables) in measurements().items():
            found = at_once(precision, cores[:workers], options.images, options.epochs, variables)
            rows.append(summary(name, found))
            print(rows[-1], flush=True)
    ranks = {}
    for precision in PRECISIONS:
        task = f"rank,{precision},{options.seeds},{options.rank_epochs}"
        answer = subprocess.run(
            [sys.executable, __file__, "--worker", task], check=True, capture_output=True, text=True
        )
        ranks[precision] = json.loads(answer.stdout.splitlines()[-1])
    text = "\n\n".join(
        [
            "## Throughput of training",
            throughput_table(rows, flops_per_image()),
            f"The default network, {flops_per_image() / 1e6:.1f} MFLOP per image and step, batches of {BATCH}; the "
            f"median of {options.epochs} epochs of {options.images:,} images.",
            f"### What bfloat16 changes\n\n{ranks_lines(ranks)}",
            f"{where}.",
        ]
    )
    print(f"\n{text}")
    if options.out:
        write_section(options.out, "throughput", text)


if __name__ == "__main__":
    main()
