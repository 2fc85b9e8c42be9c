"""Several trained networks as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras

from models.layers import image_input


def average(members: Sequence[keras.Model], scales: Sequence[float]) -> keras.Model:
    """One network, of one input and one output, whose logits are the mean of its members' logits, each scaled.

    The mean of logits is the geometric mean of probabilities, normalised again (Hinton 2002, "Training products of
    experts"). Input, output and the names of the last two layers are those of every network (see `models.build`);
    the members' layers are named `member_1_…`, `member_2_…`.

    Args:
        members: Networks made by `models.build` for the same images and classes; they are left as they are.
        scales: By what each one's logits are multiplied: the inverse of its temperature.

    Raises:
        ValueError: If there are fewer than two members, their inputs differ, or there is no scale for each.
    """
    if len(members) < 2 or len({member.input_shape for member in members}) != 1:
        raise ValueError("an ensemble needs two members at least, all of them for the same images")
    image = image_input(members[0].input_shape[1:])
    logits = [
        keras.layers.Rescaling(scale, dtype="float32", name=f"member_{number}_scaled")(
            _logits(member, image, f"member_{number}_")
        )
        for number, (member, scale) in enumerate(zip(members, scales, strict=True), start=1)
    ]
    mean = keras.layers.Average(dtype="float32", name="logits")(logits)
    return keras.Model(image, keras.layers.Softmax(dtype="float32", name="probabilities")(mean), name="ensemble")


def _logits(member: keras.Model, image: keras.KerasTensor, prefix: str) -> keras.KerasTensor:
    """The logits that a copy of a member, under names of its own and with the member's weights, gives for `image`."""
    upto = keras.Model(member.inputs[0], member.get_layer("logits").output)
    copy = keras.models.clone_model(upto, input_tensors=image, clone_function=_renamed(prefix))
    copy.set_weights(upto.get_weights())
    return copy.outputs[0]


def _renamed(prefix: str) -> Callable[[keras.layers.Layer], keras.layers.Layer]:
    def renamed(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        return type(layer).from_config({**config, "name": prefix + config["name"]})

    return renamed
