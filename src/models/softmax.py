"""The multinomial logistic regression that a `SoftmaxSpec` describes."""

from __future__ import annotations

import keras

from models.layers import classifier, image_input
from models.spec import ImageShape, SoftmaxSpec


def build(spec: SoftmaxSpec, input_shape: ImageShape, n_classes: int) -> keras.Model:
    """Flatten and softmax.

    See `models.build` for arguments and shapes.
    """
    image = image_input(input_shape)
    pixels = keras.layers.Flatten(name="flatten")(image)
    return keras.Model(image, classifier(pixels, n_classes, spec.l2), name=spec.network)
