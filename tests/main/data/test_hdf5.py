import zlib

import h5py
import numpy as np
import pytest
from data_examples import damaged, refusal

from main.data.hdf5 import Hdf5Arrays

VALUES = np.arange(96, dtype=np.uint8).reshape(6, 4, 4)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.h5"


def write(path, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("x_train", data=VALUES, **options)
    return Hdf5Arrays(path)


@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "gzip"}, {"compression": "gzip", "shuffle": True, "fletcher32": True},
     {"chunks": (4, 3, 3)}, {"chunks": (4, 3, 3), "compression": "gzip"}, {"shuffle": True}],
    ids=str,
)  # fmt: skip
def test_reads_plain_and_gzipped_datasets(path, options):
    arrays = write(path, **options)
    assert arrays.shapes() == {"x_train": (6, 4, 4)}
    np.testing.assert_array_equal(arrays.read("x_train"), VALUES)


def test_groups_that_are_linked_many_times_over_are_not_walked_through(path):
    with h5py.File(path, "w") as file:
        group = file
        for _ in range(8):
            inner = file.create_group(None)
            for number in range(10):
                group[str(number)] = inner
            group = inner
        group["x_train"] = VALUES
    assert "expected a few arrays" in (refusal(Hdf5Arrays(path).shapes) or "")


def test_names_groups_by_their_paths(path):
    with h5py.File(path, "w") as file:
        file["train/images"] = VALUES
        file["train/labels"] = np.arange(6)
    assert set(Hdf5Arrays(path).shapes()) == {"train/images", "train/labels"}
    assert Hdf5Arrays(path).where("train/labels") == f"{path}: train/labels"


def test_refuses_external_and_soft_links(path, tmp_path, refuses):
    write(tmp_path / "other.h5")
    for link in (h5py.ExternalLink("other.h5", "x_train"), h5py.SoftLink("/elsewhere")):
        with h5py.File(path, "w") as file:
            file["x_train"] = link
        refuses(Hdf5Arrays(path).shapes, path, "x_train", "link")


def test_refuses_virtual_datasets(path, tmp_path, refuses):
    write(tmp_path / "other.h5")
    layout = h5py.VirtualLayout(shape=(6, 4, 4), dtype="u1")
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "x_train", shape=(6, 4, 4))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("x_train", layout)
    refuses(Hdf5Arrays(path).shapes, path, "x_train", "other files")


def test_refuses_values_kept_in_another_file(path, tmp_path, refuses):
    (tmp_path / "secret").write_bytes(bytes(96))
    with h5py.File(path, "w") as file:
        file.create_dataset("x_train", shape=(6, 4, 4), dtype="u1", external=[(str(tmp_path / "secret"), 0, 96)])
    refuses(Hdf5Arrays(path).shapes, path, "x_train", "other files")


@pytest.mark.parametrize("value", ["text", h5py.Empty("f4"), np.array([b"abc"]), np.zeros(2, [("a", "i4")])], ids=repr)
def test_refuses_other_things_than_numbers(path, refuses, value):
    with h5py.File(path, "w") as file:
        file["x_train"] = value
    refuses(Hdf5Arrays(path).shapes, path, "x_train", "numbers")


@pytest.mark.parametrize("value", ["cats and dogs", h5py.Empty("f4"), np.array([b"cat", b"dog"])], ids=repr)
def test_what_is_neither_images_nor_labels_may_be_other_than_numbers(path, value):
    write(path)
    with h5py.File(path, "a") as file:
        file["list_classes"] = value
    arrays = Hdf5Arrays(path)
    assert set(arrays.shapes()) == {"x_train", "list_classes"}
    np.testing.assert_array_equal(arrays.read("x_train"), VALUES)


def test_refuses_a_shape_that_takes_gigabytes(path, refuses):
    with h5py.File(path, "w") as file:
        file.create_dataset("x_train", shape=(10**7, 28, 28), dtype="u1", chunks=(1, 28, 28))
    refuses(Hdf5Arrays(path).shapes, path, "x_train", "7,840,000,000")


@pytest.mark.parametrize("options", [{}, {"chunks": (100, 28, 28)}, {"chunks": (100, 28, 28), "compression": "gzip"}])
def test_refuses_values_that_are_not_there(path, refuses, options):
    """HDF5 would make up zeros for them, a gigabyte out of a file of two kilobytes."""
    with h5py.File(path, "w") as file:
        file.create_dataset("x_train", shape=(10**6, 28, 28), dtype="u1", **options)
    refuses(lambda: Hdf5Arrays(path).read("x_train"), path, "x_train")


def test_refuses_a_chunk_that_unpacks_to_more_than_its_place(path, refuses):
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x_train", (6, 4, 4), "u1", chunks=(6, 4, 4), shuffle=True, compression="gzip")
        for left_out in (0, 1):  # 1: without the shuffle, still gzip
            dataset.id.write_direct_chunk((0, 0, 0), zlib.compress(bytes(2**26), 9), filter_mask=left_out)
            file.flush()
            refuses(lambda: Hdf5Arrays(path).read("x_train"), path, "x_train", "unpacks to more")


def test_reads_chunks_that_leave_compression_out(path):
    with h5py.File(path, "w") as file:
        dataset = file.create_dataset("x_train", (6, 4, 4), "u1", chunks=(6, 4, 4), compression="gzip")
        dataset.id.write_direct_chunk((0, 0, 0), VALUES.tobytes(), filter_mask=1)
    np.testing.assert_array_equal(Hdf5Arrays(path).read("x_train"), VALUES)


def test_refuses_other_compressions(path, refuses):
    arrays = write(path, compression="lzf")
    refuses(lambda: arrays.read("x_train"), path, "x_train", "gzip")


def test_refuses_groups_that_lie_too_deep_or_in_a_circle(path, refuses):
    with h5py.File(path, "w") as file:
        file.create_group("a")["again"] = file["/"]
    refuses(Hdf5Arrays(path).shapes, path, "too deep")


def test_refuses_what_is_no_hdf5(path, refuses):
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    refuses(Hdf5Arrays(path).shapes, path)
    refuses(Hdf5Arrays(path.with_name("gone.h5")).shapes, "gone.h5")


@pytest.mark.parametrize("options", [{}, {"compression": "gzip", "fletcher32": True}], ids=str)
def test_damage_is_refused_or_harmless(path, options):
    """HDF5 keeps no checksum of plain values, so that only the damage which it can see is refused."""
    write(path, **options)
    whole = path.read_bytes()

    def read():
        arrays = Hdf5Arrays(path)
        for name in arrays.shapes():
            arrays.read(name)

    messages = []
    for seed in range(300):
        path.write_bytes(damaged(whole, seed))
        messages.append(refusal(read))
    refused = [message for message in messages if message]
    assert all(str(path) in message for message in refused)
    assert len(refused) > 50
