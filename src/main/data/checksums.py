"""Fingerprints of data: that of a training, and those by which published files are known."""

from __future__ import annotations

import hashlib

import numpy as np

from main.data.idx import idx_header
from main.data.records import Split


def checksum(*splits: Split) -> str:
    """sha256, in hex, over shape and bytes of each split's images and labels, in order."""
    digest = hashlib.sha256()
    for split in splits:
        for array in (split.images, split.labels.astype("<i8", copy=False)):
            digest.update(repr(tuple(int(size) for size in array.shape)).encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def idx_md5(array: np.ndarray) -> str:
    """md5, in hex, of a uint8 array as the IDX file that holds it, decompressed.

    The published checksums of MNIST are of this form, which `.npz` copies have too.
    """
    digest = hashlib.md5(idx_header(array.shape), usedforsecurity=False)
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
