"""Networks that no model file could hold, told before they are trained."""

from __future__ import annotations

from main.modelcheck import MAX_FILE_BYTES, MAX_PARAMETERS
from models import ImpossibleNetwork, LayerSize


def refuse_too_large(layers: tuple[LayerSize, ...]) -> tuple[LayerSize, ...]:
    """The layers, of which `cnn.h5` has room for all weights.

    Raises:
        ImpossibleNetwork: it has not.
    """
    parameters = sum(layer.parameters for layer in layers)
    if parameters > MAX_PARAMETERS:
        room = f"{MAX_FILE_BYTES // 2**20} MiB"
        raise ImpossibleNetwork("network", f"has {parameters:,} weights, for which a model file of {room} has no room")
    return layers
