"""Whether the bytes of a model file are safe to hand to Keras; decided by arithmetic, before Keras runs.

`inspect` decides. `inspect_apart` does so in a process of its own, with bounded memory and time: the HDF5
library is a large parser in C that allocates what a file tells it to (one flipped bit in the length of a text
makes it ask for a gigabyte), and a file that brings it down must not take the caller along.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from main.architecture import Architecture, architecture
from main.layer_settings import RefusedError

MAX_FILE_BYTES = 512 * 2**20  # a hundred times the largest network that the sweeps here would train
MAX_CONFIG_BYTES = 4 * 2**20
MAX_PARAMETERS = (MAX_FILE_BYTES - MAX_CONFIG_BYTES) // 4  # in float32, beside the configuration
MAX_OBJECTS = 50_000
MAX_LINK_DEPTH = 32
MAX_SECONDS = 60
MAX_MEMORY = 2**30  # besides four times the file; interpreter, NumPy and h5py reserve a tenth of it
ALLOWED_ATTRIBUTES = frozenset({"model_config", "training_config", "keras_version", "backend"})


def inspect(data: bytes) -> Architecture:
    """Check a model file's content and say what network it holds.

    Refused are: anything that is no whole HDF5 file; links out of or around in the file; virtual, external,
    chunked and compressed data sets (Keras writes none of them; they are how a small file becomes a large
    allocation); data sets that claim more bytes than the file has; layers, settings and objects that are not
    on the list of `main.layer_rules` and `main.layer_settings`; weights whose shapes are not those of the
    configuration; weights that are not finite.

    Raises:
        RefusedError: with the reason, without the file's name.
    """
    if len(data) > MAX_FILE_BYTES:
        raise RefusedError(f"it is larger than {MAX_FILE_BYTES // 2**20} MiB")
    try:
        return _inspect(data)
    except RefusedError:
        raise
    except RecursionError as error:
        raise RefusedError("its configuration is nested too deep") from error
    except Exception as error:
        # HDF5 reports damage through a dozen exception types of h5py's choosing; here all of them mean the
        # same.
        raise RefusedError(f"it is damaged, or no HDF5 file ({error})") from error


def inspect_apart(data: bytes) -> Architecture:
    """As `inspect`, in another process that may crash, hang or run out of memory without harm.

    Memory is bounded where the system can do that: Linux does, macOS and Windows do not.

    Raises:
        RefusedError: as `inspect`, or because the file exhausted or crashed that process.
    """
    if len(data) > MAX_FILE_BYTES:
        raise RefusedError(f"it is larger than {MAX_FILE_BYTES // 2**20} MiB")
    path = filter(None, [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH")])
    try:
        answer = subprocess.run(
            [sys.executable, "-P", "-m", "main.modelcheck"],  # -P: not whatever `main` the present folder holds
            input=data,
            capture_output=True,
            timeout=MAX_SECONDS,
            env=os.environ
            | {
                "PYTHONPATH": os.pathsep.join(path),
                "OPENBLAS_NUM_THREADS": "1",  # each thread would reserve memory of the bounded kind
            },
        )
    except subprocess.TimeoutExpired as error:
        raise RefusedError(f"it was not checked within {MAX_SECONDS} seconds") from error
    if answer.returncode not in (0, REFUSED):
        said = answer.stderr.decode(errors="replace").strip().splitlines() or ["nothing was said of it"]
        raise RefusedError(f"checking it ended with status {answer.returncode}: {said[-1]:.200}")
    result = json.loads(answer.stdout)
    if answer.returncode == REFUSED:
        raise RefusedError(result)
    weights = {name: tuple(map(tuple, shapes)) for name, shapes in result["weights"].items()}
    return Architecture(tuple(result["input_shape"]), tuple(result["output_shape"]), weights)


REFUSED = 3
"""Exit status of the other process for a file that is refused; its output is the reason."""


def _answer() -> int:
    """The other process: model file on standard input, its architecture or the reason on standard output.

    A system that knows the limit on memory and refuses to set one, as macOS does, leaves that process without.
    """
    data = sys.stdin.buffer.read()
    if os.name == "posix":
        import resource

        limit = MAX_MEMORY + 4 * len(data)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        result: Any = asdict(inspect(data))
        status = 0
    except RefusedError as error:
        result, status = str(error), REFUSED
    json.dump(result, sys.stdout)
    return status


def _inspect(data: bytes) -> Architecture:
    import h5py

    with h5py.File(io.BytesIO(data), "r") as file:
        claimed = 0
        for dataset in _datasets(file):
            claimed += _stored_bytes(dataset, len(data))
            if claimed > len(data):
                raise RefusedError("its data sets claim more bytes than the file has")
        described = architecture(_model_config(file))
        if "model_weights" not in file:
            raise RefusedError("it holds no weights; only whole models can be loaded")
        _compare_weights(described, file["model_weights"])
        return described


def _datasets(file: Any) -> Iterator[Any]:
    """Every data set of the file, once what leads to it has been checked."""
    import h5py

    seen: set[int] = set()
    waiting = [(file["/"], 0)]
    while waiting:
        group, depth = waiting.pop()
        if depth > MAX_LINK_DEPTH:
            raise RefusedError("its groups are nested too deep")
        for name in group:
            if group.get(name, getclass=True, getlink=True) is not h5py.HardLink:
                raise RefusedError(f"{name!r} is a link to somewhere else")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen or len(seen) > MAX_OBJECTS:
                raise RefusedError(f"{name!r} is linked twice, or one object too many")
            seen.add(address)
            if isinstance(item, h5py.Group):
                waiting.append((item, depth + 1))
            elif isinstance(item, h5py.Dataset):
                yield item
            else:
                raise RefusedError(f"{name!r} is neither a group nor a data set")


def _stored_bytes(dataset: Any, file_bytes: int) -> int:
    """Bytes of a data set that lies in this file whole and in one piece."""
    import h5py

    created = dataset.id.get_create_plist()
    if created.get_external_count() or created.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT):
        raise RefusedError(f"{dataset.name!r} is stored elsewhere, virtual, chunked or compressed")
    if dataset.dtype.kind not in "fiu" or dataset.dtype.hasobject:
        raise RefusedError(f"{dataset.name!r} holds {dataset.dtype}, not numbers")
    size: int = math.prod(dataset.shape) * dataset.dtype.itemsize
    if size > file_bytes or dataset.id.get_storage_size() < size:
        raise RefusedError(f"{dataset.name!r} claims {size} bytes, more than are stored")
    if created.get_layout() == h5py.h5d.CONTIGUOUS and size and dataset.id.get_offset() + size > file_bytes:
        raise RefusedError(f"{dataset.name!r} reaches beyond the end of the file")
    return size


def _attribute(item: Any, name: str, most: int) -> Any:
    """An attribute's value, refused before it is read where it claims to be large."""
    entry = item.attrs.get_id(name)
    # Of texts of variable length this counts the references; the texts themselves lie in the file, and are no
    # longer.
    if math.prod(entry.shape or ()) * entry.dtype.itemsize > most:
        raise RefusedError(f"its attribute {name!r} is larger than {most} bytes")
    return item.attrs[name]


def _model_config(file: Any) -> Any:
    if unknown := set(file.attrs) - ALLOWED_ATTRIBUTES:
        raise RefusedError(f"it has an attribute {min(unknown)!r}, which Keras does not write")
    if "model_config" not in file.attrs:
        raise RefusedError("it holds no network, only weights; only whole models can be loaded")
    text = _attribute(file, "model_config", MAX_CONFIG_BYTES)
    text = text.decode() if isinstance(text, bytes) else text
    if not isinstance(text, str) or len(text) > MAX_CONFIG_BYTES:
        raise RefusedError(f"its configuration is no text of at most {MAX_CONFIG_BYTES} characters")
    return json.loads(text)


def _names(group: Any, name: str) -> list[str]:
    """A list of names, which Keras splits into `name0`, `name1`, … where it is long."""
    if name in group.attrs:
        parts = [name]
    else:
        parts = []
        while f"{name}{len(parts)}" in group.attrs:
            parts.append(f"{name}{len(parts)}")
    found = [value for part in parts for value in np.ravel(_attribute(group, part, MAX_CONFIG_BYTES))]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in found]


def _compare_weights(described: Architecture, group: Any) -> None:
    """The stored weights are finite and have exactly the shapes that the network will ask memory for."""
    needed = {name: Counter(shapes) for name, shapes in described.weights.items()}
    layers = [*_names(group, "layer_names"), *({"top_level_model_weights"} & set(group))]
    stored = {layer: [group[layer][name] for name in _names(group[layer], "weight_names")] for layer in layers}
    found = {layer: Counter(weight.shape for weight in weights) for layer, weights in stored.items() if weights}
    for layer in sorted(needed.keys() | found.keys()):
        if needed.get(layer) != found.get(layer):
            raise RefusedError(
                f"the weights stored for layer {layer!r} have shapes {_shapes(found.get(layer))}, "
                f"but its configuration needs {_shapes(needed.get(layer))}"
            )
    for layer, weights in stored.items():
        if not all(np.isfinite(weight[()]).all() for weight in weights):
            raise RefusedError(f"layer {layer!r} holds weights that are not finite")


def _shapes(shapes: Counter[tuple[int, ...]] | None) -> str:
    return ", ".join(str(shape) for shape in sorted(shapes.elements())) if shapes else "none"


if __name__ == "__main__":
    sys.exit(_answer())
