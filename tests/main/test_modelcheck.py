from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from plain_models import model_bytes, tiny_config, tiny_weights

from main import modelcheck
from main.layer_settings import RefusedError
from main.modelcheck import inspect, inspect_apart

LOGITS = "model_weights/logits/logits"


def replaced(**arguments):
    """Tampering that puts another data set in the kernel's place."""

    def tamper(file):
        del file[f"{LOGITS}/weight_0"]
        file[LOGITS].create_dataset("weight_0", **arguments)

    return tamper


def external_link(file):
    del file[LOGITS]
    file["model_weights/logits"]["logits"] = h5py.ExternalLink("/etc/hostname", "/")


def soft_link(file):
    file["model_weights"]["again"] = h5py.SoftLink("/model_weights/logits")


def circle(file):
    file["model_weights/logits"]["circle"] = file["model_weights"]


def one_weight_under_two_names(file):
    file[LOGITS]["again"] = file[f"{LOGITS}/weight_0"]


def virtual_data_set(file):
    layout = h5py.VirtualLayout(shape=(16, 3), dtype="float32")
    layout[:] = h5py.VirtualSource("/etc/hostname", "secret", shape=(16, 3))
    del file[f"{LOGITS}/weight_0"]
    file[LOGITS].create_virtual_dataset("weight_0", layout)


def external_storage(file):
    replaced(shape=(16, 3), dtype="float32", external=[("/etc/hostname", 0, 192)])(file)


def deep_groups(file):
    group = file["model_weights"]
    for _ in range(40):
        group = group.create_group("deeper")


def stored_data_type(file):
    file["model_weights"]["type"] = np.dtype("float32")


def large_names(file):
    del file["model_weights"].attrs["layer_names"]
    file["model_weights"].attrs.create("layer_names", np.full(60_000, b"x", "S1"))


def changed_attribute(name, value):
    def tamper(file):
        file.attrs[name] = value

    return tamper


def without(name):
    def tamper(file):
        if name in file.attrs:
            del file.attrs[name]
        else:
            del file[name]

    return tamper


def listed_but_absent(file):
    file["model_weights/logits"].attrs["weight_names"] = np.array([b"logits/weight_0", b"logits/nothing"])


GADGETS = {
    external_link: "is a link to somewhere else",
    soft_link: "is a link to somewhere else",
    circle: "linked twice",
    one_weight_under_two_names: "linked twice",
    virtual_data_set: "stored elsewhere, virtual, chunked or compressed",
    external_storage: "stored elsewhere, virtual, chunked or compressed",
    replaced(data=np.zeros((16, 3), "float32"), chunks=(4, 3)): "chunked",
    replaced(shape=(10**5, 10**5), dtype="float32", compression="gzip"): "chunked or compressed",
    replaced(shape=(10**6, 10**6), dtype="float32"): "claims 4000000000000 bytes",
    replaced(shape=(2**62, 2**62), dtype="float64"): "",  # HDF5 itself finds that its size overflows
    replaced(shape=(16, 3), dtype="float32"): "claims 192 bytes, more than are stored",
    replaced(data=np.array([b"x"] * 3, dtype=object), dtype=h5py.string_dtype()): "not numbers",
    replaced(data=np.zeros((16, 3), "complex64")): "not numbers",
    replaced(data=np.zeros((16, 3), [("a", "f4")])): "not numbers",
    replaced(data=np.full((16, 3), np.nan, "float32")): "not finite",
    replaced(data=np.full((16, 3), -np.inf, "float32")): "not finite",
    replaced(data=np.zeros((16, 4), "float32")): "have shapes (3,), (16, 4), but its configuration needs",
    deep_groups: "nested too deep",
    stored_data_type: "neither a group nor a data set",
    large_names: "",
    listed_but_absent: "damaged",
    changed_attribute("training_code", "import os"): "attribute 'training_code'",
    changed_attribute("model_config", 7): "no text",
    changed_attribute("model_config", "{"): "damaged",
    changed_attribute("model_config", "[" * 100_000): "nested too deep",
    changed_attribute("model_config", '{"class_name": ' * 60_000): "nested too deep",
    changed_attribute("model_config", "9" * 10_000): "damaged",
    changed_attribute("model_config", "[" + " " * 5_000_000 + "]"): "no text of at most",
    changed_attribute("model_config", b"\xff\xfe{}"): "damaged",
    without("model_config"): "no network, only weights",
    without("model_weights"): "no weights",
}


def test_whole_file_is_described():
    described = inspect(model_bytes())
    assert (described.input_shape, described.output_shape, described.parameters) == ((4, 4, 1), (3,), 51)


def test_names_split_over_several_attributes_are_read():
    def split(file):
        group = file["model_weights"]
        names = group.attrs["layer_names"]
        del group.attrs["layer_names"]
        group.attrs["layer_names0"], group.attrs["layer_names1"] = names[:2], names[2:]

    assert inspect(model_bytes(tamper=split)).parameters == 51


@pytest.mark.parametrize("tamper", GADGETS, ids=lambda tamper: tamper.__qualname__.split(".")[0])
def test_gadget_is_refused(tamper):
    with pytest.raises(RefusedError) as caught:
        inspect(model_bytes(tamper=tamper))
    assert GADGETS[tamper] in str(caught.value)


@pytest.mark.parametrize("units", [2, 4, 10**9])
def test_shapes_that_the_file_does_not_hold_are_refused(units):
    config = tiny_config()
    config["config"]["layers"][2]["config"]["units"] = units
    with pytest.raises(RefusedError, match="logits"):
        inspect(model_bytes(config))


def test_shape_bomb_of_a_layer_without_stored_weights_is_refused():
    config = tiny_config()
    config["config"]["layers"][0]["config"]["batch_shape"] = [None, 4096, 4096, 1]  # a kernel of 50 million
    with pytest.raises(RefusedError, match="logits"):
        inspect(model_bytes(config))


def test_weights_of_a_layer_that_is_not_in_the_network_are_refused():
    weights = tiny_weights() | {"ghost": [np.zeros(3, "float32")]}
    with pytest.raises(RefusedError, match="'ghost'"):
        inspect(model_bytes(weights=weights))


@pytest.mark.parametrize("data", [b"", b"x", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04" * 100, b"\0" * 10_000])
def test_what_is_no_hdf5_file_is_refused(data):
    with pytest.raises(RefusedError, match="damaged, or no HDF5 file"):
        inspect(data)


def test_oversized_file_is_refused_unread(monkeypatch):
    monkeypatch.setattr(modelcheck, "MAX_FILE_BYTES", 1000)
    for check in (inspect, inspect_apart):
        with pytest.raises(RefusedError, match="larger than"):
            check(model_bytes())


def test_truncated_file_is_refused_wherever_it_ends():
    data = model_bytes()
    for end in range(0, len(data), 97):
        with pytest.raises(RefusedError):
            inspect(data[:end])


def test_more_objects_than_any_network_needs_are_refused(monkeypatch):
    monkeypatch.setattr(modelcheck, "MAX_OBJECTS", 5)
    with pytest.raises(RefusedError, match="one object too many"):
        inspect(model_bytes())


FLIP_BITS = """
import resource, sys
import numpy as np
from main.layer_settings import RefusedError
from main.modelcheck import inspect
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
data, random, refused = sys.stdin.buffer.read(), np.random.default_rng(0), 0
for _ in range(300):
    flipped = bytearray(data)
    for position in random.integers(0, 3000, size=3):  # where the structure is, before the weights
        flipped[position] ^= 1 << int(random.integers(8))
    try:
        inspect(bytes(flipped))
    except RefusedError:
        refused += 1
print(refused)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a process's memory of this kind")
def test_flipped_bits_give_a_model_or_a_refusal_and_nothing_else():
    answer = subprocess.run(
        [sys.executable, "-c", FLIP_BITS], input=model_bytes(), capture_output=True, check=True,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert 100 < int(answer.stdout) <= 300


def test_other_process_gives_the_same_answer():
    assert inspect_apart(model_bytes()) == inspect(model_bytes())
    with pytest.raises(RefusedError, match="is a link to somewhere else"):
        inspect_apart(model_bytes(tamper=soft_link))


def test_other_process_runs_no_code_of_the_present_folder(tmp_path, monkeypatch):
    for name in ("main", "h5py", "json"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(7)")
    monkeypatch.chdir(tmp_path)
    assert inspect_apart(model_bytes()).parameters == 51


def test_other_process_that_crashes_is_a_refusal(monkeypatch, tmp_path):
    crashing = tmp_path / "python"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(crashing))
    with pytest.raises(RefusedError, match="ended with status -11"):
        inspect_apart(model_bytes())


def test_refusal_says_what_the_other_process_said_last(monkeypatch, tmp_path):
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\necho Traceback: >&2\necho 'ImportError: no h5py' >&2\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(failing))
    with pytest.raises(RefusedError, match=r"ended with status 1: ImportError: no h5py$"):
        inspect_apart(model_bytes())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a process's memory of this kind")
def test_where_the_system_refuses_a_limit_on_memory_the_file_is_checked_without(monkeypatch, capsys):
    """As macOS does."""
    import resource

    def refuse(*_):
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "setrlimit", refuse)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(model_bytes())))
    assert modelcheck._answer() == 0
    assert json.loads(capsys.readouterr().out)["input_shape"] == [4, 4, 1]


def test_other_process_that_hangs_is_a_refusal(monkeypatch, tmp_path):
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nexec sleep 60\n")
    hanging.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hanging))
    monkeypatch.setattr(modelcheck, "MAX_SECONDS", 0.2)
    with pytest.raises(RefusedError, match=r"not checked within 0\.2 seconds"):
        inspect_apart(model_bytes())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a process's memory of this kind")
def test_length_that_asks_for_gigabytes_is_refused_within_bounded_memory():
    """One flipped bit in the length of a text makes HDF5 ask for as much memory as it says."""
    data = bytearray(model_bytes())
    length = len(h5py_config_bytes(bytes(data)))
    reference = data.find(length.to_bytes(4, "little"))
    data[reference + 3] |= 0x40  # a gigabyte more
    code = (
        "import resource, sys; from main.modelcheck import inspect_apart\n"
        "try: inspect_apart(sys.stdin.buffer.read())\n"
        "except ValueError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    answer = subprocess.run([sys.executable, "-c", code], input=bytes(data), capture_output=True, check=True)
    reason, peak = answer.stdout.decode().splitlines()
    assert "damaged" in reason
    assert int(peak) < 400_000  # KiB


def h5py_config_bytes(data: bytes) -> bytes:
    import io

    with h5py.File(io.BytesIO(data)) as file:
        return file.attrs["model_config"].encode()


def test_inspecting_imports_no_keras():
    code = (
        "import sys; from main.modelcheck import inspect; inspect(sys.stdin.buffer.read());"
        "sys.exit(any(name.split('.')[0] in {'keras', 'tensorflow'} for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], input=model_bytes(), check=True)
