"""Images and labels written in each format that can be read back, whole or not at all."""

from __future__ import annotations

import gzip
import io
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from main.data.arrays import Part
from main.data.idx import idx_bytes
from main.data.idxfolder import USUAL_NAMES
from main.data.images import numbered_name
from main.data.records import Images
from main.data.source import Parts
from main.files import folder_at_once, write_atomically


def write_npz(path: Path, parts: Parts) -> None:
    """`x_train`, `y_train` and so on, as Keras's `mnist.npz` has them; `x` and `y` of a whole."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **_named(parts))
    write_atomically(path, buffer.getvalue())


def write_hdf5(path: Path, parts: Parts) -> None:
    """The same names as in `.npz`, as datasets."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, array in _named(parts).items():
            file.create_dataset(name, data=array, compression="gzip", shuffle=True, track_times=False)
    write_atomically(path, buffer.getvalue())


def write_pickle(path: Path, parts: Parts) -> None:
    """Pairs of float32 images, (n, pixels) of 256ths, and int64 labels, as `mnist.pkl.gz` has them.

    Square greyscale images are flat, as they are there; others keep their shape. Without a test part the
    arrays stand in a dictionary, by the names of `.npz`.
    """
    pairs = {part: (_as_256ths(split.images), split.labels) for part, split in parts.items()}
    content = tuple(pairs.values()) if tuple(parts) in PAIRED else _flat(pairs)
    data = pickle.dumps(content, protocol=2)
    write_atomically(path, gzip.compress(data, compresslevel=4, mtime=0) if path.suffix == ".gz" else data)


def write_idx_folder(path: Path, parts: Parts) -> None:
    """The four plain IDX files under their usual names; needs train and test, and takes no others."""
    path.mkdir(parents=True, exist_ok=True)
    for part in ("train", "test"):
        split = parts[part]
        write_atomically(path / USUAL_NAMES[f"{part}-images"], idx_bytes(_squeezed(split.images)))
        write_atomically(path / USUAL_NAMES[f"{part}-labels"], idx_bytes(split.labels.astype(np.uint8)))


def write_image_folder(path: Path, parts: Parts, classes: Sequence[str]) -> None:
    """A PNG of each image, in a folder per class beneath `train/`, `validation/` and `test/`.

    A whole is beneath `train/`, with no `test/`. The images' numbers run through all classes of their part, which
    keeps their order. Needs some of each class in every part.
    """
    with folder_at_once(path) as new:
        for part, split in parts.items():
            folders = [new / IMAGE_FOLDERS[part] / name for name in classes]
            for folder in folders:
                folder.mkdir(parents=True)
            for place, (image, label) in enumerate(zip(_squeezed(split.images), split.labels, strict=True)):
                Image.fromarray(image).save(folders[label] / numbered_name(place, len(split)))


IMAGE_FOLDERS: dict[Part, str] = {"train": "train", "validation": "validation", "test": "test", "whole": "train"}
"""What a folder of images calls each part."""
PAIRED = {("train", "test"), ("train", "validation", "test")}
"""Parts that a pickle holds as a tuple of pairs."""
WRITERS: dict[str, Callable[[Path, Parts], None]] = {
    ".npz": write_npz,
    ".h5": write_hdf5,
    ".hdf5": write_hdf5,
    ".pkl": write_pickle,
    ".pkl.gz": write_pickle,
    ".pickle": write_pickle,
    ".pickle.gz": write_pickle,
}
"""What writes a file, by how its name ends."""


def _named(parts: Parts) -> dict[str, np.ndarray]:
    """Arrays by the names that `.npz` and `.h5` give them; greyscale images as (n, height, width)."""
    named: dict[str, np.ndarray] = {}
    for part, split in parts.items():
        named[f"x{_ending(part)}"] = _squeezed(split.images)
        named[f"y{_ending(part)}"] = split.labels.astype(np.uint8) if split.labels.max() < 256 else split.labels
    return named


def _squeezed(images: Images) -> Images:
    return images[..., 0] if images.shape[3] == 1 else images


def _flat(pairs: Mapping[Part, tuple[np.ndarray, np.ndarray]]) -> dict[str, np.ndarray]:
    return {
        f"{kind}{_ending(part)}": array for part, pair in pairs.items() for kind, array in zip("xy", pair, strict=True)
    }


def _ending(part: Part) -> str:
    return "" if part == "whole" else f"_{part}"


def _as_256ths(images: np.ndarray) -> np.ndarray:
    count, height, width, channels = images.shape
    shape = (count, height * width) if channels == 1 and height == width else images.shape
    return (images.reshape(shape) / np.float32(256)).astype(np.float32)
