"""Model files made with h5py alone: what Keras would write, and what it never would."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

Layer = dict[str, Any]


def tensor(name: str) -> dict[str, Any]:
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, 1], "dtype": "float32", "keras_history": [name, 0, 0]},
    }


def layer(class_name: str, name: str, source: str | None = None, **config: Any) -> Layer:
    nodes = [] if source is None else [{"args": [tensor(source)], "kwargs": {}}]
    return {
        "class_name": class_name,
        "config": {"name": name, **config},
        "name": name,
        "inbound_nodes": nodes,
    }


def functional(layers: list[Layer], target: str, **config: Any) -> dict[str, Any]:
    ends = {"input_layers": ["image", 0, 0], "output_layers": [target, 0, 0]}
    return {"class_name": "Functional", "config": {"name": "net", "layers": layers, **ends, **config}}


IMAGE = layer("InputLayer", "image", batch_shape=[None, 4, 4, 1], dtype="float32")


def tiny_config() -> dict[str, Any]:
    """4×4 images, flattened, into a dense layer of 3."""
    layers = [
        copy.deepcopy(IMAGE),
        layer("Flatten", "flatten", "image", data_format="channels_last"),
        layer("Dense", "logits", "flatten", units=3, activation="linear", use_bias=True),
        layer("Softmax", "probabilities", "logits", axis=-1),
    ]
    return functional(layers, "probabilities")


def tiny_weights() -> dict[str, list[np.ndarray]]:
    kernel = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
    return {"image": [], "flatten": [], "logits": [kernel, np.zeros(3, "float32")], "probabilities": []}


def model_bytes(
    config: Any = None,
    weights: dict[str, list[np.ndarray]] | None = None,
    tamper: Callable[[h5py.File], None] | None = None,
) -> bytes:
    """A whole model file; `tamper` changes the open file last."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        text = config if isinstance(config, str) else json.dumps(config or tiny_config())
        file.attrs["model_config"] = text.encode()
        file.attrs["keras_version"] = b"3.15.1"
        file.attrs["backend"] = b"tensorflow"
        group = file.create_group("model_weights")
        stored = tiny_weights() if weights is None else weights
        group.attrs["layer_names"] = np.array([name.encode() for name in stored])
        for name, arrays in stored.items():
            of_layer = group.create_group(name)
            paths = [f"{name}/weight_{number}" for number in range(len(arrays))]
            of_layer.attrs["weight_names"] = np.array([path.encode() for path in paths])
            for path, array in zip(paths, arrays, strict=True):
                of_layer.create_dataset(path, data=array)
        group.create_group("top_level_model_weights").attrs["weight_names"] = np.array([])
        if tamper is not None:
            tamper(file)
    return buffer.getvalue()
