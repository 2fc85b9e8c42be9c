"""The multi-layer perceptron that an `MlpSpec` describes."""

from __future__ import annotations

import keras

from models.layers import classifier, dense, image_input
from models.spec import ImageShape, MlpSpec


def build(spec: MlpSpec, input_shape: ImageShape, n_classes: int) -> keras.Model:
    """Flatten, dense layers, each followed by dropout, and softmax.

    See `models.build` for arguments and shapes.
    """
    image = image_input(input_shape)
    x = keras.layers.Flatten(name="flatten")(image)
    for number, units in enumerate(spec.hidden_units, start=1):
        x = dense(x, spec, units, f"hidden_{number}", batch_norm=spec.batch_norm)
    return keras.Model(image, classifier(x, n_classes, spec.l2), name=spec.network)
