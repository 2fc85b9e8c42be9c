import random
from pathlib import Path

import numpy as np
import pytest

from main import checkpoint
from main.checkpoint import Checkpoint
from main.history import Epoch


def state(epochs: int) -> Checkpoint:
    history = tuple(Epoch(n, 0.1 * n, 0.2, 0.3, 0.4, 0.5, 1e-3, 1.0) for n in range(1, epochs + 1))
    return Checkpoint(history, [np.full((2, 3), epochs, np.float32)], [np.int64(epochs) * np.ones(())], [])


def test_a_checkpoint_reads_back_as_it_was_written(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, state(2))
    read = checkpoint.newest(tmp_path)
    assert read is not None
    assert read.history == state(2).history
    np.testing.assert_array_equal(read.weights[0], state(2).weights[0])
    assert read.weights[0].dtype == np.float32
    assert read.best_weights == []


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    for epoch in (1, 2, 3, 4):
        checkpoint.save(tmp_path, state(epoch))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-00003.npz", "epoch-00004.npz"]


@pytest.mark.parametrize("damage", ["cut", "emptied", "overwritten", "flipped"])
def test_a_torn_checkpoint_is_passed_over_for_the_one_before_it(tmp_path: Path, damage: str) -> None:
    for epoch in (1, 2):
        checkpoint.save(tmp_path, state(epoch))
    newest = tmp_path / "epoch-00002.npz"
    whole = newest.read_bytes()
    flipped = bytearray(whole)
    flipped[200] ^= 0xFF
    newest.write_bytes(
        {"cut": whole[:-30], "emptied": b"", "overwritten": b"x" * len(whole), "flipped": bytes(flipped)}[damage]
    )
    read = checkpoint.newest(tmp_path)
    assert read is not None
    assert len(read.history) == 1


def test_a_checkpoint_that_seems_to_be_encrypted_is_passed_over(tmp_path: Path) -> None:
    """By bit 0 of the flags in an entry of the central directory; zipfile raises RuntimeError there."""
    for epoch in (1, 2):
        checkpoint.save(tmp_path, state(epoch))
    newest = tmp_path / "epoch-00002.npz"
    content = bytearray(newest.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    newest.write_bytes(content)
    read = checkpoint.newest(tmp_path)
    assert read is not None
    assert len(read.history) == 1


def test_no_damaged_byte_is_raised_for_or_read_as_another_state(tmp_path: Path) -> None:
    for epoch in (1, 2):
        checkpoint.save(tmp_path, state(epoch))
    newest = tmp_path / "epoch-00002.npz"
    whole, chance = newest.read_bytes(), random.Random(0)
    for place in chance.sample(range(len(whole)), 400):
        damaged = bytearray(whole)
        damaged[place] ^= chance.randrange(1, 256)
        newest.write_bytes(damaged)
        read = checkpoint.newest(tmp_path)
        assert read is not None
        written = state(len(read.history))
        assert read.history == written.history
        for arrays in ("weights", "optimizer", "best_weights"):
            np.testing.assert_equal(getattr(read, arrays), getattr(written, arrays))


def test_a_checkpoint_of_another_version_is_passed_over(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, state(1))
    history = np.array('[{"epoch": 1, "a figure that is no more": 0.5}]')
    np.savez(tmp_path / "epoch-00002.npz", history=history, identity=np.array(""))
    read = checkpoint.newest(tmp_path)
    assert read is not None
    assert len(read.history) == 1


def test_a_checkpoint_of_another_training_is_passed_over_and_then_removed(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, state(3), checkpoint.identity_of({"filters": [4]}, "checksum", 0))
    other = checkpoint.identity_of({"filters": [8]}, "checksum", 0)
    assert checkpoint.newest(tmp_path, other) is None
    checkpoint.save(tmp_path, state(1), other)
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-00001.npz"]
    assert checkpoint.newest(tmp_path, other) is not None


def test_a_checkpoint_that_says_not_whose_it_is_is_passed_over(tmp_path: Path) -> None:
    """As those of versions before this one."""
    np.savez(tmp_path / "epoch-00001.npz", history=np.array("[]"))
    assert checkpoint.newest(tmp_path) is None


def test_there_is_none_in_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert checkpoint.newest(tmp_path / "absent") is None
