"""Networks only: what they are made of and how large they are. Knows no data, no training, no study.

Importing this package, or reading the sections in it, imports no Keras; `build` does.
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from models.spec import (
    CnnSpec,
    ImageShape,
    ImpossibleNetwork,
    LayerSize,
    MlpSpec,
    NetworkSpec,
    SoftmaxSpec,
)

if TYPE_CHECKING:
    import keras

__all__ = [
    "CnnSpec",
    "ImageShape",
    "ImpossibleNetwork",
    "LayerSize",
    "MlpSpec",
    "NetworkSpec",
    "SoftmaxSpec",
    "build",
    "networks",
]

ENTRY_POINTS = "optimize.networks"
"""The group under which an installed package registers its networks, `name = "package.module:SpecClass"`."""


def networks() -> dict[str, type[NetworkSpec]]:
    """Every known network by the name that stands in `model.network`: the built-in, then the registered ones.

    An entry point that cannot be loaded, names no `NetworkSpec`, or takes a built-in's name is left out with
    a warning: one broken package must not stop sweeps that do not use it.
    """
    return dict(_networks())


@cache
def _networks() -> dict[str, type[NetworkSpec]]:
    known: dict[str, type[NetworkSpec]] = {"cnn": CnnSpec, "mlp": MlpSpec, "softmax": SoftmaxSpec}
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name in known:
            _leave_out(entry, "its name is taken")
        elif (spec := _load(entry)) is not None:
            known[entry.name] = spec
    return known


def _load(entry: EntryPoint) -> type[NetworkSpec] | None:
    """The class that `entry` names, or None, with a warning, where it names none."""
    try:
        loaded = entry.load()
    except Exception as error:  # a foreign package may raise anything at all while it is imported
        _leave_out(entry, f"it raised {error!r}")
        return None
    if isinstance(loaded, type) and issubclass(loaded, NetworkSpec):
        return loaded
    _leave_out(entry, "it is no NetworkSpec")
    return None


def _leave_out(entry: EntryPoint, why: str) -> None:
    warnings.warn(f"network {entry.name!r} ({entry.value}) is left out: {why}", stacklevel=2)


def build(spec: NetworkSpec, input_shape: ImageShape, n_classes: int) -> keras.Model:
    """The untrained network that `spec` describes, under Keras's present dtype policy.

    Its input is `image`, float32 (n, height, width, channels) in [0, 1]; its last two layers are `logits` and
    `probabilities`, both float32 (n, n_classes). Weights are drawn from Keras's global seed.

    Args:
        spec: The network's section.
        input_shape: Height, width and channels of an image.
        n_classes: Number of classes.

    Raises:
        ImpossibleNetwork: If images of this size leave a layer nothing to look at.
    """
    module, _, function = spec.builder.partition(":")
    model: keras.Model = getattr(import_module(module), function)(spec, input_shape, n_classes)
    return model
