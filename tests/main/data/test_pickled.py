import collections
import gzip
import os
import pickle
import struct
from fractions import Fraction

import numpy as np
import pytest
from bombs import gzip_of_zeros, peak_memory
from data_examples import damaged, refusal

from main.data.pickled import PickledArrays, read_pickle

X = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
Y = np.array([0, 1, 2])


def write(path, content: bytes, packed: bool = True):
    path.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("packed", [True, False])
def test_reads_the_three_pairs_of_mnist_pkl_gz(tmp_path, protocol, packed):
    pairs = ((X, Y), (X + 1, Y), (np.asfortranarray(X), Y.astype(">i2")))
    arrays = PickledArrays(write(tmp_path / "a.pkl.gz", pickle.dumps(pairs, protocol), packed))
    assert list(arrays.shapes()) == ["x_train", "y_train", "x_validation", "y_validation", "x_test", "y_test"]
    np.testing.assert_array_equal(arrays.read("x_validation"), X + 1)
    np.testing.assert_array_equal(arrays.read("x_test"), X)
    np.testing.assert_array_equal(arrays.read("y_test"), Y)


def test_reads_a_pickle_of_python_2(tmp_path):
    """As NumPy 1 wrote it there: bytes are text, and the module is called numpy.core."""
    content = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03"
        b"(K\x01K\x02\x85cnumpy\ndtype\nq\x04U\x02i2K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
        b"K\x00tb\x89U\x04\x01\x00\xe9\x00tb."
    )
    array = read_pickle(write(tmp_path / "a.pkl.gz", content)).built
    np.testing.assert_array_equal(array, [1, 233])


def test_two_pairs_are_train_and_test(tmp_path):
    path = write(tmp_path / "a.pkl.gz", pickle.dumps([[X, Y], [X, Y]]))
    assert set(PickledArrays(path).shapes()) == {"x_train", "y_train", "x_test", "y_test"}


def test_a_dictionary_keeps_its_names(tmp_path):
    path = write(tmp_path / "a.pkl", pickle.dumps({"train_images": X, "train_labels": Y}), packed=False)
    assert PickledArrays(path).shapes() == {"train_images": (3, 4), "train_labels": (3,)}


class Trap:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("function", [os.system, eval, exec, getattr, __import__, print])
def test_refuses_to_call_anything(tmp_path, refuses, capfd, function, protocol):
    trap = Trap(function, "echo trapped")
    path = write(tmp_path / "mnist.pkl.gz", pickle.dumps(((X, Y), (trap, Y), (X, Y)), protocol))
    refuses(lambda: read_pickle(path), path, function.__name__, "nothing was run")
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    "value",
    [Fraction(1, 2), collections.OrderedDict(a=1), collections.deque(), range(3), np.float32(1), np.ma.array([1])],
    ids=lambda value: type(value).__name__,
)
def test_refuses_every_other_class(tmp_path, refuses, value):
    path = write(tmp_path / "a.pkl.gz", pickle.dumps((value, value)))
    refuses(lambda: read_pickle(path), path)


@pytest.mark.parametrize(
    "name", ["numpy.f2py\ncrackfortran", "numpy\nload", "numpy.core.multiarray\nscalar", "_codecs\ndecode",
             "numpy\nndarray.tofile", "builtins\neval", "copyreg\n_reconstructor"],
)  # fmt: skip
def test_refuses_every_other_name(tmp_path, refuses, name):
    path = write(tmp_path / "a.pkl.gz", f"c{name}\n)R.".encode())
    refuses(lambda: read_pickle(path), path, name.replace("\n", "."))


def test_refuses_dotted_names_of_protocol_4(tmp_path, refuses):
    path = write(tmp_path / "a.pkl.gz", b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.")
    refuses(lambda: read_pickle(path), path, "ndarray.tofile")


def test_refuses_persistent_references(tmp_path, refuses):
    refuses(lambda: read_pickle(write(tmp_path / "a.pkl", b"Pname\n.", packed=False)), "persistent")


@pytest.mark.parametrize(
    "array",
    [np.array([object()], dtype=object), np.array(["text"]), np.array([1j]), np.zeros(2, dtype=[("a", "i4")]),
     np.array(["2020-01-01"], dtype="M8[D]"), np.array([b"bytes"])],
    ids=lambda array: str(array.dtype),
)  # fmt: skip
def test_refuses_arrays_of_other_things_than_numbers(tmp_path, refuses, array):
    path = write(tmp_path / "a.pkl.gz", pickle.dumps((array, array)))
    refuses(lambda: read_pickle(path), path)


@pytest.mark.parametrize(
    "state",
    [(1, (2**40,), "u1", False, b"12"), (1, (-2, -1), "u1", False, b"12"), (1, "12", "u1", False, b"12"),
     (1, (1, 1, 1, 1, 2), "u1", False, b"12"),
     (1, (2,), "O", False, [1, 2]), (1, (2,), "u1", False, [1, 2]), (1, (2,), "u1"), None],
)  # fmt: skip
def test_an_array_gets_no_memory_that_its_bytes_do_not_fill(tmp_path, refuses, state):
    class Lying:
        def __reduce__(self):
            lie = state if state is None or len(state) < 5 else (*state[:2], np.dtype(state[2]), *state[3:])
            return (np._core.multiarray._reconstruct, (np.ndarray, (0,), b"b"), lie or 7)

    path = write(tmp_path / "a.pkl.gz", pickle.dumps(Lying()))
    refuses(lambda: read_pickle(path), path)


@pytest.mark.parametrize("value", [None, 5, (X,), (X, Y), ((X, Y),) * 4, {1: X}, ((X, [0, 1, 2]),) * 2])
def test_refuses_other_structures(tmp_path, refuses, value):
    path = write(tmp_path / "a.pkl.gz", pickle.dumps(value))
    refuses(PickledArrays(path).shapes, path, "expected")


@pytest.mark.parametrize(
    "content",
    [b"", b".", b"\x80\x05", b"not a pickle", b"\x80\xff.", b"(" * 100, b"X\x00\x00\x00\x7f", b"}" * 20_000 + b".",
     b"N" + b"r\xff\xff\xff\xff" + b".", b"N" + b"r\xff\xff\xff\x0f" + b".", b"I" + b"9" * 5_000 + b"\n."],
    ids=range(11),
)  # fmt: skip
def test_refuses_damage_and_bombs(tmp_path, refuses, content):
    path = write(tmp_path / "a.pkl.gz", content)
    refuses(lambda: read_pickle(path), path)


def test_refuses_anything_after_the_pickle(tmp_path, refuses):
    path = write(tmp_path / "a.pkl", pickle.dumps((X, Y)) + b"more", packed=False)
    refuses(lambda: read_pickle(path), path, "more follows")


def test_ten_gigabytes_of_gzip_are_refused_in_bounded_memory(tmp_path):
    announced = b"\x80\x04\x8e" + struct.pack("<Q", 10 * 2**30)  # bytes, ten gigabytes of them
    path = gzip_of_zeros(tmp_path / "a.pkl.gz", gigabytes=10, before=announced)
    memory, output = peak_memory(
        "from pathlib import Path; from main.data.pickled import read_pickle",
        f"read_pickle(Path({str(path)!r}))",
    )
    assert "DataError" in output
    assert "unpacks to more" in output
    assert memory < 300 * 2**20


def test_a_huge_memo_slot_takes_no_memory(tmp_path):
    """The pickle module would make room for every slot below the one that is named: 64 GB."""
    path = write(tmp_path / "a.pkl", b"Nr\xff\xff\xff\x7f.", packed=False)
    memory, output = peak_memory(
        "from pathlib import Path; from main.data.pickled import read_pickle",
        f"read_pickle(Path({str(path)!r}))",
    )
    assert "DataError" in output
    assert memory < 300 * 2**20


@pytest.mark.parametrize("number", [2**64, -(2**200), 2**80_000], ids=["65 bits", "below zero", "80,000 bits"])
def test_a_number_that_no_shape_has_is_refused_before_anything_is_made_of_it(tmp_path, refuses, number):
    """A few of 64 MB, which gzip makes small, and their product would take minutes."""
    path = write(tmp_path / "a.pkl.gz", pickle.dumps((X, (number,) * 3), protocol=2))
    refuses(lambda: read_pickle(path), path, "a number above 64 bits")


def test_no_damage_to_a_gzip_passes_for_data(tmp_path):
    whole = gzip.compress(pickle.dumps(((X, Y), (X, Y)), protocol=2), mtime=0)
    path = tmp_path / "a.pkl.gz"
    messages = []
    for seed in range(500):
        path.write_bytes(damaged(whole, seed))
        messages.append(refusal(lambda: np.testing.assert_array_equal(PickledArrays(path).read("x_test"), X)))
    refused = [message for message in messages if message]
    assert all(str(path) in message for message in refused)
    assert len(refused) > 450


def test_bytes_that_are_written_once_and_asked_for_again_and_again_are_counted(tmp_path, refuses, monkeypatch):
    monkeypatch.setattr("main.data.pickled.MAX_BYTES", 5_000_000)
    text = b"X" + struct.pack("<I", 100_000) + b"a" * 100_000 + b"q\x01"
    encoded = b"c_codecs\nencode\nq\x000" + text + b"0" + b"h\x00h\x01X\x06\x00\x00\x00latin1\x86R" * 60 + b"."
    path = write(tmp_path / "a.pkl.gz", b"\x80\x02" + encoded)
    assert path.stat().st_size < 2_000
    refuses(lambda: read_pickle(path), path, "more than 5,000,000 bytes")
    built = (
        b"cnumpy\nndarray\nq\x020cnumpy.core.multiarray\n_reconstruct\nq\x030"
        + text + b"0"
        + (b"h\x03h\x02K\x00\x85U\x01b\x87R(K\x01J\xa0\x86\x01\x00\x85"
           b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
           b"\x89h\x01tb") * 60
        + b"."
    )  # fmt: skip
    path = write(tmp_path / "b.pkl.gz", b"\x80\x02" + built)
    refuses(lambda: read_pickle(path), path, "more than 5,000,000 bytes")
