"""A training's exact state at the end of an epoch, in a file that is whole or absent."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from main.files import write_atomically
from main.history import Epoch

KEPT = 2  # the newest, and the one before it in case the newest is torn

Arrays = Sequence[np.ndarray]


@dataclass(frozen=True)
class Checkpoint:
    """Everything the next epoch depends on; what follows from (seed, epoch) alone is not kept."""

    history: tuple[Epoch, ...]
    weights: Arrays
    optimizer: Arrays
    best_weights: Arrays


def save(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint of epoch len(history) and drop those older than the one before it.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    groups = {"weights": checkpoint.weights, "optimizer": checkpoint.optimizer, "best": checkpoint.best_weights}
    arrays = {f"{group}_{i}": array for group, items in groups.items() for i, array in enumerate(items)}
    history = json.dumps([asdict(epoch) for epoch in checkpoint.history])
    content = io.BytesIO()
    np.savez(content, history=np.array(history), **arrays)  # type: ignore[arg-type]
    write_atomically(folder / f"epoch-{len(checkpoint.history):05}.npz", content.getvalue())
    for old in _newest_first(folder)[KEPT:]:
        old.unlink()


def newest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that reads back whole, None where there is none; a torn one is passed over."""
    for path in _newest_first(folder):
        try:
            with np.load(path, allow_pickle=False) as stored:
                history = tuple(Epoch(**epoch) for epoch in json.loads(str(stored["history"])))
                weights, optimizer, best = (_group(stored, name) for name in ("weights", "optimizer", "best"))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            continue
        return Checkpoint(history, weights, optimizer, best)
    return None


def _group(stored: np.lib.npyio.NpzFile, name: str) -> list[np.ndarray]:
    count = sum(key.startswith(f"{name}_") for key in stored.files)
    return [stored[f"{name}_{i}"] for i in range(count)]


def _newest_first(folder: Path) -> list[Path]:
    return sorted((p for p in folder.glob("epoch-*.npz") if re.fullmatch(r"epoch-\d{5,}\.npz", p.name)), reverse=True)
