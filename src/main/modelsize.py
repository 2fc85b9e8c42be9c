"""Networks that no model file could hold, told before they are trained."""

from __future__ import annotations

import math

from main.architecture import MAX_VALUES_PER_IMAGE
from main.modelcheck import MAX_FILE_BYTES, MAX_PARAMETERS
from models import ImpossibleNetwork, LayerSize


def refuse_too_large(layers: tuple[LayerSize, ...]) -> tuple[LayerSize, ...]:
    """The layers, of which `cnn.h5` has room for all weights, and none makes more of an image than may be read back.

    Raises:
        ImpossibleNetwork: it has not, or one does.
    """
    parameters = sum(layer.parameters for layer in layers)
    if parameters > MAX_PARAMETERS:
        room = f"{MAX_FILE_BYTES // 2**20} MiB"
        raise ImpossibleNetwork("network", f"has {parameters:,} weights, for which a model file of {room} has no room")
    for layer in layers:
        if (values := math.prod(layer.output_shape)) > MAX_VALUES_PER_IMAGE:
            most = f"{MAX_VALUES_PER_IMAGE:,}"
            message = f"makes {values:,} values of an image in layer {layer.name}; a model file is refused above {most}"
            raise ImpossibleNetwork("network", message)
    return layers
