"""What every contender trains: the same networks, on the same images, for the same epochs; only the search differs.

A contender is called with the name of a sweep and the seed of this round, and prints one line: the best validation
accuracy of each trial, as JSON.
"""

import gzip
import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

BATCH = 128
VALIDATION = 5000
SHORT = {"kernel_size": [3, 5], "pooling": ["max", "average"], "learning_rate": [1e-3, 3e-3]}
WIDE = {
    "kernel_size": [3, 5],
    "pooling": ["max", "average"],
    "activation": ["relu", "sigmoid"],
    "learning_rate": [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 1e-2, 3e-2, 1e-1],
}


class Sweep(NamedTuple):
    grid: dict[str, list[Any]]
    epochs: int
    images: int


SWEEPS = {"short": Sweep(SHORT, 3, 12_800), "long": Sweep(SHORT, 12, 55_000), "winner": Sweep(WIDE, 12, 12_800)}


def arguments() -> tuple[Sweep, int]:
    """The sweep and the seed that the command line names."""
    return SWEEPS[sys.argv[1]], int(sys.argv[2])


def data(images: int) -> tuple[Any, Any, Any, Any]:
    """MNIST's first training images and labels, and its last 5,000 to validate on; images as float32 in [0, 1]."""
    import numpy as np

    folder = Path(os.environ["MNIST"])

    def read(name: str, header: int) -> Any:
        return np.frombuffer(gzip.decompress((folder / name).read_bytes()), np.uint8, offset=header)

    x = (read("train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1) / 255.0).astype("float32")
    y = read("train-labels-idx1-ubyte.gz", 8)
    return x[:images], y[:images], x[-VALIDATION:], y[-VALIDATION:]


def build(*, kernel_size: int, pooling: str, learning_rate: float, activation: str = "relu") -> Any:
    """The small convnet of Keras's MNIST example, compiled."""
    import keras
    from keras import layers

    pool = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}[pooling]
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, kernel_size, activation=activation),
            pool(2),
            layers.Conv2D(64, kernel_size, activation=activation),
            pool(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def report(trials: list[tuple[dict[str, Any], float]]) -> None:
    """Print (values, best validation accuracy) of every trial."""
    print(json.dumps([{"values": values, "val_accuracy": float(accuracy)} for values, accuracy in trials]), flush=True)
