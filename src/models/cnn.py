"""The convolutional network that a `CnnSpec` describes."""

from __future__ import annotations

import keras

from models.layers import POOLINGS, activated, classifier, dense, dropped, image_input, initializer, penalty
from models.spec import CnnSpec, ImageShape


def build(spec: CnnSpec, input_shape: ImageShape, n_classes: int) -> keras.Model:
    """Convolutions, each followed by pooling; then flatten, dropout, dense layers and softmax.

    See `models.build` for arguments, shapes and errors.
    """
    spec.layers(input_shape, n_classes)  # refuses in words what Keras would refuse in TensorFlow's
    image = x = image_input(input_shape)
    convolutions = zip(spec.filters, spec.kernel_sizes, spec.pool_sizes, spec.conv_dropouts, strict=True)
    for number, (filters, kernel_size, pool_size, rate) in enumerate(convolutions, start=1):
        x = _convolution(x, spec, filters, kernel_size, pool_size, f"conv_{number}")
        x = dropped(x, rate, f"conv_{number}")
    x = dropped(keras.layers.Flatten(name="flatten")(x), spec.dropout, "flatten")
    for number, units in enumerate(spec.dense_units, start=1):
        x = dense(x, spec, units, f"dense_{number}", start=spec.dense_initializer)
    return keras.Model(image, classifier(x, n_classes, spec.l2), name=spec.network)


def _convolution(
    images: keras.KerasTensor, spec: CnnSpec, filters: int, kernel_size: int, pool_size: int, name: str
) -> keras.KerasTensor:
    """A convolution with its normalisation, activation and pooling."""
    layer = keras.layers.Conv2D(
        filters,
        kernel_size,
        strides=pool_size if spec.pooling == "stride" else 1,
        padding=spec.padding,
        use_bias=not spec.batch_norm,  # normalisation takes the mean away and has an offset of its own
        kernel_initializer=initializer(spec.initializer, spec.activation),
        kernel_regularizer=penalty(spec.l2),
        name=name,
    )
    x = activated(layer(images), spec, name, batch_norm=spec.batch_norm)
    return x if pool_size == 1 else POOLINGS[spec.pooling](x, pool_size, name)
