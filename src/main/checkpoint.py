"""A training's exact state at the end of an epoch, in a file that is whole or absent."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from main.files import write_atomically
from main.history import Epoch

KEPT = 2  # the newest, and the one before it in case the newest is torn
IDENTITY_LENGTH = 16  # hexadecimal digits

Arrays = Sequence[np.ndarray]


@dataclass(frozen=True)
class Checkpoint:
    """Everything the next epoch depends on; what follows from (seed, epoch) alone is not kept."""

    history: tuple[Epoch, ...]
    weights: Arrays
    optimizer: Arrays
    best_weights: Arrays


def identity_of(*facts: Any) -> str:
    """A short hash of everything that makes a training the one it is, JSON-able."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:IDENTITY_LENGTH]


def save(folder: Path, checkpoint: Checkpoint, identity: str = "") -> None:
    """Write the checkpoint of epoch len(history), and keep of all others that of the epoch before alone.

    Args:
        folder: where; made if need be.
        checkpoint: what.
        identity: which training it belongs to.

    Raises:
        OSError: the folder cannot be written, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    groups = {"weights": checkpoint.weights, "optimizer": checkpoint.optimizer, "best": checkpoint.best_weights}
    arrays = {f"{group}_{i}": array for group, items in groups.items() for i, array in enumerate(items)}
    history = json.dumps([asdict(epoch) for epoch in checkpoint.history])
    content = io.BytesIO()
    np.savez(content, history=np.array(history), identity=np.array(identity), **arrays)  # type: ignore[arg-type]
    path = folder / f"epoch-{len(checkpoint.history):05}.npz"
    write_atomically(path, content.getvalue())
    ordered = _newest_first(folder)
    place = ordered.index(path)
    for stale in ordered[:place] + ordered[place + KEPT :]:  # a later epoch is torn, or of another training
        stale.unlink()


def newest(folder: Path, identity: str = "") -> Checkpoint | None:
    """The newest checkpoint of a training that reads back whole, None where there is none.

    One that is torn, or belongs to another training than `identity` says, is passed over.
    """
    for path in _newest_first(folder):
        try:
            with np.load(path, allow_pickle=False) as stored:
                if str(stored["identity"]) != identity:
                    continue
                arrays = dict(stored)  # whatever it is called: one whose name is damaged would not be missed
            history = tuple(Epoch(**epoch) for epoch in json.loads(str(arrays["history"])))
            weights, optimizer, best = (_group(arrays, name) for name in ("weights", "optimizer", "best"))
        except Exception:  # zipfile's, zlib's, tokenize's, and whatever else a damaged byte makes NumPy raise
            continue
        return Checkpoint(history, weights, optimizer, best)
    return None


def _group(arrays: Mapping[str, np.ndarray], name: str) -> list[np.ndarray]:
    count = sum(key.startswith(f"{name}_") for key in arrays)
    return [arrays[f"{name}_{i}"] for i in range(count)]


def _newest_first(folder: Path) -> list[Path]:
    return sorted((p for p in folder.glob("epoch-*.npz") if re.fullmatch(r"epoch-\d{5,}\.npz", p.name)), reverse=True)
