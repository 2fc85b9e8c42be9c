import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from bombs import gzip_of_zeros, peak_memory

from main.data.idx import idx_bytes, idx_header, read_idx, read_idx_shape

IMAGES = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)


@pytest.mark.parametrize("packed", [False, True])
def test_reads_what_was_written(tmp_path, packed):
    path = tmp_path / "images"
    data = idx_bytes(IMAGES)
    path.write_bytes(gzip.compress(data) if packed else data)
    assert read_idx_shape(path) == (3, 4, 5)
    np.testing.assert_array_equal(read_idx(path), IMAGES)


def test_header_is_that_of_mnist():
    assert idx_header((60_000, 28, 28)) == bytes.fromhex("00000803 0000ea60 0000001c 0000001c")
    assert idx_header((10_000,)) == bytes.fromhex("00000801 00002710")


@pytest.mark.parametrize("kept", [0, 3, 9, 30])
def test_refuses_a_truncated_file(tmp_path, refuses, kept):
    path = tmp_path / "train-images"
    path.write_bytes(idx_bytes(IMAGES)[:kept])
    refuses(lambda: read_idx(path), path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_refuses_a_truncated_gzip(tmp_path, refuses, share):
    path = tmp_path / "train-images.gz"
    noise = np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    data = gzip.compress(idx_bytes(noise))
    path.write_bytes(data[: int(share * len(data))])
    refuses(lambda: read_idx(path), path, "truncated")


def test_refuses_a_damaged_gzip(tmp_path, refuses):
    path = tmp_path / "train-images.gz"
    data = bytearray(gzip.compress(idx_bytes(IMAGES)))
    data[-6] ^= 1  # in the stored checksum
    path.write_bytes(data)
    refuses(lambda: read_idx(path), path, "damaged")


@pytest.mark.parametrize("magic", ["00 00 0d 03", "00 00 08 00", "00 00 08 05", "89 50 4e 47", "01 00 08 03"])
def test_refuses_a_wrong_magic_number(tmp_path, refuses, magic):
    path = tmp_path / "train-images"
    path.write_bytes(bytes.fromhex(magic) + bytes(100))
    refuses(lambda: read_idx(path), path, "magic number", magic, "00 00 08 01")


def test_refuses_more_bytes_than_announced(tmp_path, refuses):
    path = tmp_path / "train-images"
    path.write_bytes(idx_bytes(IMAGES) + b"x")
    refuses(lambda: read_idx(path), path, "3 × 4 × 5 = 60 bytes", "more follow")


def test_refuses_a_header_that_announces_10_gigabytes(tmp_path, refuses):
    path = tmp_path / "train-images"
    path.write_bytes(struct.pack(">HBB3I", 0, 8, 3, 10_000, 1_000, 1_000))
    refuses(lambda: read_idx(path), path, "10,000,000,000")


def test_a_gzip_of_10_gigabytes_is_refused_in_bounded_memory(tmp_path):
    path = gzip_of_zeros(tmp_path / "train-images.gz", gigabytes=10, before=idx_header((1, 28, 28)))
    memory, output = peak_memory(
        "from pathlib import Path; from main.data.idx import read_idx", f"read_idx(Path({str(path)!r}))"
    )
    assert "DataError" in output
    assert "more follow" in output
    assert memory < 300 * 2**20


def test_a_missing_file_is_named(tmp_path, refuses):
    refuses(lambda: read_idx(tmp_path / "gone"), tmp_path / "gone", "cannot be read")


def test_what_is_no_idx_name_is_no_idx_folder(tmp_path):
    from main.data.idxfolder import is_idx_folder

    assert not is_idx_folder(tmp_path)
    assert not is_idx_folder(tmp_path / "absent")
    Path(tmp_path / "train-images.png").touch()
    assert not is_idx_folder(tmp_path)
