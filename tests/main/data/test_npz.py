import io
import pickle
import zipfile

import numpy as np
import pytest
from bombs import peak_memory
from data_examples import damaged, refusal
from numpy.lib import format as npy

from main.data.npz import NpzArrays

VALUES = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def member(header: bytes, values: bytes = b"", version: bytes = b"\x01\x00", length: bytes | None = None) -> bytes:
    return npy.MAGIC_PREFIX + version + (length or len(header).to_bytes(2, "little")) + header + values


def archive(path, content: bytes, compression: int = zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("x_train.npy", content)
    return path


def header(shape: str, descr: str = "'|u1'") -> bytes:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n".encode()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_reads_what_numpy_wrote(tmp_path, save):
    path = tmp_path / "a.npz"
    save(path, x=VALUES, columns=np.asfortranarray(VALUES))
    arrays = NpzArrays(path)
    assert arrays.shapes() == {"x": (2, 3, 4), "columns": (2, 3, 4)}
    np.testing.assert_array_equal(arrays.read("x"), VALUES)
    np.testing.assert_array_equal(arrays.read("columns"), VALUES)


def test_refuses_pickled_objects_without_running_them(tmp_path, refuses):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "trapped"), "w"))

    np.savez(tmp_path / "a.npz", x_train=np.array([Trap()], dtype=object), allow_pickle=True)
    refuses(NpzArrays(tmp_path / "a.npz").shapes, tmp_path / "a.npz", "x_train", "pickled objects")
    refuses(lambda: NpzArrays(tmp_path / "a.npz").read("x_train"), "pickled objects")
    assert not (tmp_path / "trapped").exists()


def test_refuses_what_is_no_zip(tmp_path, refuses):
    path = tmp_path / "a.npz"
    for content in (b"", b"PK", pickle.dumps([1]), b"\x93NUMPY" + bytes(100)):
        path.write_bytes(content)
        refuses(NpzArrays(path).shapes, path)


def test_refuses_a_header_that_announces_too_much(tmp_path, refuses):
    path = archive(tmp_path / "a.npz", member(header("(10_000_000, 28, 28)")))
    refuses(NpzArrays(path).shapes, path, "x_train", "7,840,000,000 bytes")


@pytest.mark.parametrize("shape", ["(-1, 28)", "(2, -3)", "'x'", "(1.5,)", "(" * 3000, "-" * 3000 + "1", "\x00"])
def test_refuses_headers_that_are_no_shape(tmp_path, refuses, shape):
    path = archive(tmp_path / "a.npz", member(header(shape)))
    refuses(NpzArrays(path).shapes, path)


def test_refuses_an_array_cut_short(tmp_path, refuses):
    path = archive(tmp_path / "a.npz", member(header("(4, 4)"), bytes(15)))
    refuses(lambda: NpzArrays(path).read("x_train"), path)


def test_refuses_more_bytes_than_announced(tmp_path, refuses):
    path = archive(tmp_path / "a.npz", member(header("(4, 4)"), bytes(17)))
    refuses(lambda: NpzArrays(path).read("x_train"), path, "expected 16 bytes")


def test_refuses_other_compressions(tmp_path, refuses):
    path = archive(tmp_path / "a.npz", member(header("(4, 4)"), bytes(16)), zipfile.ZIP_LZMA)
    refuses(NpzArrays(path).shapes, path, "x_train", "deflated")


def test_a_header_of_a_gigabyte_is_refused_in_bounded_memory(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file, file.open("x_train.npy", "w") as entry:
        entry.write(npy.MAGIC_PREFIX + b"\x02\x00" + (2**30).to_bytes(4, "little"))
        for _ in range(64):
            entry.write(b" " * 2**24)
    memory, output = peak_memory(
        "from pathlib import Path; from main.data.npz import NpzArrays",
        f"NpzArrays(Path({str(path)!r})).shapes()",
    )
    assert "DataError" in output
    assert memory < 300 * 2**20


def test_no_damage_passes_for_data(tmp_path):
    """Of 500 flipped bits and cuts each is refused, or harmless."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x_train=VALUES)
    path = tmp_path / "a.npz"

    def read():
        arrays = NpzArrays(path)
        for name in arrays.shapes():  # the name itself may be damaged, and is then not found later
            np.testing.assert_array_equal(arrays.read(name), VALUES)

    messages = []
    for seed in range(500):
        path.write_bytes(damaged(buffer.getvalue(), seed))
        messages.append(refusal(read))
    refused = [message for message in messages if message]
    assert all(str(path) in message for message in refused)
    assert len(refused) > 300
