"""TensorFlow's own part of a training: its import, threads, precision and input pipeline.

All else that trains speaks Keras, but for `main.augment`, the operations of its input pipeline: another Keras backend
would be one more of each. (`optimize.devices` asks TensorFlow itself what it sees.)
"""

from __future__ import annotations

import contextlib
import gc
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from main.config import AugmentConfig
from main.data import Split, images_at_once
from main.gpus import gpus, gpus_support_bfloat16

Precision = Literal["float32", "bfloat16"]
NOT_FOR_TRAINING = ("sklearn", "matplotlib", "pandas", "IPython")
"""What Keras imports where it can: wrappers of scikit-learn's interface, galleries, data frames, a file viewer."""


def quiet_import(*, whole: bool = True) -> None:
    """Import TensorFlow and Keras without the lines that TensorFlow's C++ prints to standard error at load.

    TF_CPP_MIN_LOG_LEVEL does not silence TensorFlow 2.21, so file descriptor 2 points elsewhere for that moment. Nor is
    garbage collected then: there is none yet, and looking for it is a fifth of the import's time.

    Args:
        whole: whether Keras shall have what it offers besides where `NOT_FOR_TRAINING` is installed. A process that
            only trains does without: those take two fifths of the import's time.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    hidden = () if whole else NOT_FOR_TRAINING
    with _silenced_standard_error(), uncollected(), _seemingly_absent(hidden):
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices()  # device discovery prints too
        tf.get_logger().setLevel("ERROR")


@contextlib.contextmanager
def _seemingly_absent(packages: Iterable[str]) -> Iterator[None]:
    """Python's own way to have an import fail as if the package were not installed; what is imported already stays."""
    hidden = [package for package in packages if package not in sys.modules]
    for package in hidden:
        sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Without collections of garbage in any thread of this process."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def _silenced_standard_error() -> Iterator[None]:
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def set_threads(threads: int) -> None:
    """Let one operation use `threads` cores; must precede TensorFlow's first operation.

    Raises:
        RuntimeError: TensorFlow has already computed something in this process with other numbers.
    """
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)


def threads_in_use() -> int:
    """How many cores one operation of TensorFlow may use in this process."""
    import tensorflow as tf

    told = os.environ.get("TF_NUM_INTRAOP_THREADS", "")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return tf.config.threading.get_intra_op_parallelism_threads() or (int(told) if told.isdecimal() else 0) or cores


def supports_bfloat16() -> bool:
    """Whether this machine's processor multiplies bfloat16 in hardware (AVX512_BF16 or AMX); asked of Linux only."""
    return not instruction_flags().isdisjoint({"avx512_bf16", "amx_bf16"})


def instruction_flags() -> frozenset[str]:
    """What this machine's processor can do, in Linux's words; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return frozenset()
    listed = (line.partition(":")[2] for line in lines if line.startswith(("flags", "Features")))  # x86, Arm
    return frozenset(next(listed, "").split())


def choose_precision(requested: str) -> Precision:
    """`auto` becomes bfloat16 where what trains, GPUs or the processor, has it in hardware; float32 elsewhere."""
    if requested == "auto":
        supported = gpus_support_bfloat16() if gpus() else supports_bfloat16()
        return "bfloat16" if supported else "float32"
    return "bfloat16" if requested == "bfloat16" else "float32"


@contextlib.contextmanager
def dtype_policy(precision: Precision) -> Iterator[None]:
    """Layers made inside compute in `precision`; their variables are float32 either way."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def input_gradient(model: Any, images: NDArray[np.float32], output: int) -> NDArray[np.float32]:
    """Gradient of one of a model's outputs by every pixel, of the shape of `images`; Keras has no word for it."""
    import tensorflow as tf

    tensor = tf.convert_to_tensor(images)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        score = tf.reduce_sum(model(tensor, training=False)[:, output])
    return np.asarray(tape.gradient(score, tensor), dtype=np.float32)


def traced(model: Any) -> Callable[[NDArray[np.float32]], Any]:
    """`model` as one graph for one image, (1, height, width, channels), traced and run once already.

    A call is then bound by its arithmetic: Keras's own `predict` spends tens of milliseconds before it computes.
    """
    import tensorflow as tf

    signature = [tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)]
    graph = tf.function(lambda image: model(image, training=False), input_signature=signature)
    graph(tf.zeros(signature[0].shape))

    def call(image: NDArray[np.float32]) -> Any:
        return tf.nest.map_structure(lambda tensor: tensor.numpy(), graph(tf.constant(image)))

    return call


def run_in_training(model: Any) -> Callable[[Any], Any]:
    """A function that runs `model` as in training on each batch of a tf.data.Dataset, and gives their number.

    Nothing is learnt from them, but normalisations keep what they keep in training.
    """
    import tensorflow as tf

    def run(batches: Any) -> Any:
        count = tf.constant(0)
        for images, _ in batches:
            model(images, training=True)
            count += 1
        return count

    graph: Callable[[Any], Any] = tf.function(run)
    return graph


def drop_units(inputs: Any, rate: Any, seed: Any) -> Any:
    """`inputs` with a unit 0 where its own 16 random bits are below 2¹⁶ · rate, the others times 1 / (1 - rate).

    Args:
        inputs: a tensor of any shape and floating type.
        rate: a variable or number in [0, 1), exact to 2⁻¹⁶ and at most 1 - 2⁻¹⁶.
        seed: two integers, which decide the mask on every device.
    """
    import tensorflow as tf

    count, rate = tf.size(inputs), tf.convert_to_tensor(rate)
    words = tf.random.stateless_uniform(
        [(count + 1) // 2], tf.cast(seed, tf.int32), minval=None, maxval=None, dtype=tf.int32, alg="philox"
    )
    bits = tf.reshape(tf.reshape(tf.bitcast(words, tf.int16), [-1])[:count], tf.shape(inputs))
    least = tf.cast(tf.minimum(tf.round(rate * 2.0**16) - 2.0**15, 2.0**15 - 1), tf.int16)  # of 16 bits with a sign
    scale = tf.cast(1.0 / (1.0 - rate), inputs.dtype)
    return tf.where(bits >= least, inputs * scale, tf.zeros([], inputs.dtype))


def normalise(inputs: Any, scale: Any, offset: Any, epsilon: float) -> tuple[Any, Any, Any]:
    """`inputs` with mean `offset` and standard deviation `scale` in every channel, by TensorFlow's one fused operation.

    Args:
        inputs: (b, h, w, c) of any floating type; the statistics are float32 of every type.
        scale: (c), float32.
        offset: (c), float32.
        epsilon: added to the variance, at least 1.001e-5.

    Returns:
        A tensor like `inputs`, and the batch's means and variances (c), float32.
    """
    import tensorflow as tf

    normal, mean, variance = tf.compat.v1.nn.fused_batch_norm(inputs, scale, offset, epsilon=epsilon)
    count = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), variance.dtype)
    return normal, mean, variance * ((count - 1) / count)  # the operation's is that of a sample


class TrainingBatches:
    """Shuffled batches of epoch after epoch, as a tf.data.Dataset of (float32 (b, h, w, c) in [0, 1], int64 (b,)).

    The order of an epoch is a permutation of (seed, epoch) alone, so a training resumed at any epoch sees what an
    uninterrupted one would have seen. Every image appears once an epoch; its last batch may be smaller. The pipeline is
    traced once: seed and first epoch are variables, read when an iterator starts.
    """

    def __init__(self, split: Split, *, batch_size: int, augment: AugmentConfig | None) -> None:
        import tensorflow as tf

        images, labels = _resident(split)
        with tf.device("CPU:0"):
            self._seed = tf.Variable(0, dtype=tf.int64, trainable=False)
            self._first = tf.Variable(0, dtype=tf.int64, trainable=False)
        indices = tf.range(len(split.labels), dtype=tf.int64)

        def epoch_batches(count: Any) -> Any:
            epoch = self._first + count
            order = tf.random.experimental.stateless_shuffle(indices, seed=tf.stack([self._seed, epoch]))
            steps = tf.data.Dataset.range(math.ceil(len(split.labels) / batch_size))
            return steps.map(lambda step: gather(epoch, step, order[step * batch_size : (step + 1) * batch_size]))

        def gather(epoch: Any, step: Any, chosen: Any) -> Any:
            batch = tf.cast(tf.gather(images, chosen), tf.float32) / 255.0
            if augment is not None:
                from main.augment import augment_batch

                batch = augment_batch(batch, augment, seed=tf.stack([self._seed, epoch, step]))
            return batch, tf.gather(labels, chosen)

        self._dataset = _plain(tf.data.Dataset.counter(dtype=tf.int64).flat_map(epoch_batches).prefetch(2))

    def starting(self, *, seed: int, epoch: int) -> Any:
        """The dataset, endless, from `epoch` (counted from 0) on; what an earlier call returned is done with."""
        self._seed.assign(seed)
        self._first.assign(epoch)
        return self._dataset


class _OfOneSplit:
    """What `make` made of a split, by its other arguments, until it is asked for another.

    What is made of a split holds its images, and folds are many splits, of which a process trains on one at a time.
    """

    def __init__(self, make: Callable[..., Any]) -> None:
        self._made = lru_cache(maxsize=8)(make)
        self._split: Split | None = None

    def __call__(self, split: Split, *arguments: Any) -> Any:
        if split is not self._split:
            self._made.cache_clear()
            self._split = split
        return self._made(split, *arguments)


def training_batches(split: Split, *, batch_size: int, augment: AugmentConfig | None) -> TrainingBatches:
    """This process's batches of a split, made once for as long as no other split is trained on."""
    batches: TrainingBatches = _batches(split, batch_size, augment, "trained on")
    return batches


def statistics_batches(split: Split, *, batch_size: int, augment: AugmentConfig | None) -> TrainingBatches:
    """Those of `training_batches`, for another to read while they are trained on."""
    batches: TrainingBatches = _batches(split, batch_size, augment, "measured")
    return batches


@_OfOneSplit
def _batches(split: Split, batch_size: int, augment: AugmentConfig | None, use: str) -> TrainingBatches:
    return TrainingBatches(split, batch_size=batch_size, augment=augment)


def augmented(images: NDArray[np.uint8], augment: AugmentConfig, seed: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Images (n, h, w, c) as a step of training sees them, as uint8 again; `seed` is training seed, epoch and step."""
    quiet_import()
    import tensorflow as tf

    from main.augment import augment_batch

    changed: NDArray[np.float32] = augment_batch(
        tf.constant(images / 255, tf.float32), augment, tf.constant(seed, tf.int64)
    ).numpy()
    return np.rint(255 * changed).astype(np.uint8)


def validation_batches(split: Split) -> Any:
    """The whole split in order, in batches of `images_at_once`, as a tf.data.Dataset like that of `TrainingBatches`."""
    return _in_order(split)


@_OfOneSplit
def _in_order(split: Split) -> Any:
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(_resident(split)).batch(images_at_once(split.images.shape[1:]))
    return _plain(dataset.map(lambda images, labels: (tf.cast(images, tf.float32) / 255.0, labels)))


@lru_cache(maxsize=2)  # what is trained on, and what validates
def _resident(split: Split) -> Any:
    """The split's images (uint8) and labels as tensors in main memory, copied once for all that is made of them."""
    import tensorflow as tf

    with tf.device("CPU:0"):
        return tf.constant(split.images), tf.constant(split.labels)


def _plain(dataset: Any) -> Any:
    """No threads of the pipeline's own, no autotuner.

    In a single-threaded process the autotuner makes the iterator wait for its wake-up period, which doubles from
    10 ms: epochs of 2.6 s then take 5.1 s.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    options.threading.private_threadpool_size = 1
    options.deterministic = True
    return dataset.with_options(options)
