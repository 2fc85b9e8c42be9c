"""Small data sets, and the IDX files that hold them."""

import gzip
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np

from main.data import DataError
from main.data.idx import idx_bytes
from main.data.records import Split


def make_split(count: int, side: int = 8, channels: int = 1, n_classes: int = 10, seed: int = 0) -> Split:
    images = np.random.default_rng(seed).integers(0, 256, (count, side, side, channels), dtype=np.uint8)
    return Split(images, np.arange(count) % n_classes)


def write_idx(path: Path, array: np.ndarray) -> None:
    data = idx_bytes(array)
    path.write_bytes(gzip.compress(data, 1, mtime=0) if path.suffix == ".gz" else data)


def write_folder(folder: Path, train: Split, test: Split, ending: str = ".gz") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, split in (("train", train), ("t10k", test)):
        write_idx(folder / f"{name}-images-idx3-ubyte{ending}", split.images[..., 0])
        write_idx(folder / f"{name}-labels-idx1-ubyte{ending}", split.labels.astype(np.uint8))
    return folder


def damaged(content: bytes, seed: int) -> bytes:
    """The content with one bit flipped; of every fifth seed cut short instead."""
    chance = random.Random(seed)
    if seed % 5 == 0:
        return content[: chance.randrange(len(content))]
    changed = bytearray(content)
    changed[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def refusal(action: Callable[[], object]) -> str | None:
    """What a DataError says; None where the action succeeds. Any other exception is the test's failure."""
    try:
        action()
    except DataError as error:
        return str(error)
    return None
