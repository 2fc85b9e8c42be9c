from __future__ import annotations

import copy
import json
import math
from collections import Counter
from typing import Any

import pytest
from plain_models import IMAGE, functional, layer, tensor, tiny_config

from main.architecture import MAX_DEPTH, architecture
from main.layer_settings import RefusedError


def changed(position: int, **config: Any) -> dict[str, Any]:
    """The tiny network with settings of one layer changed."""
    network = tiny_config()
    item = network["config"]["layers"][position]
    item["config"].update(config)
    item["name"] = item["config"]["name"]
    return network


def beside(position: int, **entries: Any) -> dict[str, Any]:
    """The tiny network with something else beside the settings of one layer."""
    network = tiny_config()
    network["config"]["layers"][position].update(entries)
    return network


def with_layer(class_name: str, **config: Any) -> dict[str, Any]:
    """The tiny network with another layer between image and flatten."""
    network = tiny_config()
    network["config"]["layers"].insert(1, layer(class_name, "extra", "image", **config))
    network["config"]["layers"][2]["inbound_nodes"] = [{"args": [tensor("extra")], "kwargs": {}}]
    return network


def rewired(position: int, node: Any) -> dict[str, Any]:
    network = tiny_config()
    network["config"]["layers"][position]["inbound_nodes"] = [node]
    return network


def nested(depth: int) -> dict[str, Any]:
    network = tiny_config()
    for _ in range(depth):
        inner = {**network, "inbound_nodes": [{"args": [tensor("image")], "kwargs": {}}]}
        network = functional([copy.deepcopy(IMAGE), inner], "net")
    return network


def sequential(*layers: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {"class_name": "Sequential", "config": {"name": "net", "layers": list(layers), **config}}


def test_tiny_network_is_described():
    described = architecture(tiny_config())
    assert (described.input_shape, described.output_shape) == ((4, 4, 1), (3,))
    assert dict(described.weights) == {"logits": ((16, 3), (3,))}
    assert described.parameters == 51


def test_keras_2_configuration_is_described():
    layers = [
        layer("InputLayer", "image", batch_input_shape=[None, 4, 4, 1], ragged=False),
        layer("Flatten", "flatten"),
        layer("Dense", "dense", units=3, kernel_initializer={"class_name": "GlorotUniform", "config": {}}),
    ]
    layers[1]["inbound_nodes"] = [[["image", 0, 0, {}]]]
    layers[2]["inbound_nodes"] = [[["flatten", 0, 0, {"training": None}]]]
    network = functional(layers, "dense", output_layers=[["dense", 0, 0]])
    assert architecture(network).parameters == 51


@pytest.mark.parametrize("at_once", [None, 1, 128])
def test_what_later_releases_of_keras_2_write_beside_a_layers_settings_is_described(at_once):
    network = tiny_config()
    for item, shape in zip(network["config"]["layers"][1:], [(4, 4, 1), (16,), (3,)], strict=True):
        item.update(module="keras.layers", registered_name=None, build_config={"input_shape": [at_once, *shape]})
    assert architecture(network).parameters == 51


@pytest.mark.parametrize("where", ["batch_shape", "batch_input_shape", "build_input_shape"])
def test_input_shape_of_a_sequence_may_stand_in_three_places(where):
    dense = layer("Dense", "dense", units=3)
    variants = {
        "batch_shape": sequential(layer("InputLayer", "image", batch_shape=[None, 5]), dense),
        "batch_input_shape": sequential(layer("Dense", "dense", units=3, batch_input_shape=[None, 5])),
        "build_input_shape": sequential(dense, build_input_shape=[None, 5]),
    }
    assert architecture(variants[where]).weights == {"dense": ((5, 3), (3,))}


def test_layers_may_stand_in_any_order():
    network = tiny_config()
    network["config"]["layers"].reverse()
    assert architecture(network).parameters == 51


def test_deepest_allowed_nesting_is_described_and_one_more_is_refused():
    assert architecture(nested(MAX_DEPTH)).parameters == 51
    with pytest.raises(RefusedError, match="nested more than"):
        architecture(nested(MAX_DEPTH + 1))


CUSTOM = {"module": "os", "class_name": "system", "config": "true", "registered_name": None}
LAMBDA = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}
REGISTERED = {
    "module": "keras.regularizers",
    "class_name": "L2",
    "config": {},
    "registered_name": "Mine>L2",
}
REFUSED: dict[str, tuple[Any, str]] = {
    "lambda layer": (with_layer("Lambda", function=LAMBDA), "'Lambda' is not one of"),
    "unknown layer": (with_layer("Sneaky"), "'Sneaky' is not one of"),
    "TensorFlow operation": (with_layer("TFOpLambda", function="io.read_file"), "'TFOpLambda' is not one of"),
    "saved-model layer": (with_layer("TFSMLayer", filepath="/tmp/x"), "'TFSMLayer' is not one of"),
    "TorchScript layer": (with_layer("TorchModuleWrapper", module="x"), "'TorchModuleWrapper' is not one"),
    "embedding with a file": (with_layer("TextVectorization", vocabulary="/etc/passwd"), "is not one of"),
    "lambda as activation": (changed(2, activation=LAMBDA), "__lambda__"),
    "function as activation": (changed(2, activation=CUSTOM), "'system' of 'os'"),
    "path as activation": (changed(2, activation="os.system"), "activation 'os.system'"),
    "activation that halves its input": (changed(2, activation="glu"), "activation 'glu'"),
    "initializer from elsewhere": (changed(2, kernel_initializer=CUSTOM), "'system' of 'os'"),
    "regularizer under another name": (changed(2, kernel_regularizer=REGISTERED), "not among the Keras obj"),
    "object in an object": (
        changed(2, kernel_initializer={"class_name": "Constant", "config": {"value": CUSTOM}}),
        "'system' of 'os'",
    ),
    "object in a list": (changed(2, bias_initializer=[[CUSTOM]]), "'system' of 'os'"),
    "array object": (changed(2, kernel_initializer={"class_name": "__numpy__", "config": {}}), "__numpy__"),
    "data type from elsewhere": (changed(2, dtype="string"), "dtype 'string'"),
    "quantized data type": (
        changed(2, dtype={"module": "keras", "class_name": "DTypePolicy", "config": {"name": "int8"}}),
        "dtype 'int8'",
    ),
    "quantization": (changed(2, quantization_config={}), "quantization_config"),
    "adapter of any rank": (changed(2, lora_rank=10**9), "'lora_rank'"),
    "infinite setting": (with_layer("LeakyReLU", negative_slope=math.inf), "no ordinary number"),
    "batch renormalisation": (with_layer("BatchNormalization", axis=-1, renorm=True), "renorm True"),
    "channels first": (changed(1, data_format="channels_first"), "channels_first"),
    "layer's module": ({**tiny_config(), "module": "os"}, "comes from 'os'"),
    "layer's registered name": ({**tiny_config(), "registered_name": "Mine>Functional"}, "not from Keras"),
    "unknown setting of the network": (functional([IMAGE], "image", build_config={}), "build_config"),
    "two layers of one name": (changed(2, name="flatten"), "same name"),
    "no name": (changed(2, name=None), "name"),
    "name of ten thousand letters": (changed(2, name="x" * 10_000), "name"),
    "units of a text": (changed(2, units="3"), "units"),
    "units of a boolean": (changed(2, units=True), "units"),
    "no units": (changed(2, units=None), "units"),
    "negative units": (changed(2, units=-3), "units"),
    "billions of units": (changed(2, units=2**31), "units"),
    "enlarged image": (with_layer("UpSampling2D", size=[10**5, 10**5]), "values per image"),
    "broadcast by a list": (
        with_layer("Rescaling", scale=[1.0] * 100, offset=0.0),
        "scale must be one number",
    ),
    "input without a size": (changed(0, batch_shape=[None, None, None, 1]), "not a fixed size"),
    "input of 10^12 pixels": (changed(0, batch_shape=[None, 10**6, 10**6, 1]), "not a fixed size"),
    "kernel larger than the image": (
        with_layer("Conv2D", filters=1, kernel_size=[5, 5], padding="valid", strides=[1, 1]),
        "values per image",
    ),
    "groups that do not divide": (
        with_layer("Conv2D", filters=4, kernel_size=[3, 3], padding="same", groups=3),
        "3 groups do not divide",
    ),
    "reshape to another size": (with_layer("Reshape", target_shape=[5]), "cannot be reshaped"),
    "reshape with nothing": (with_layer("Reshape", target_shape=[0, -1]), "cannot be built"),
    "circle": (rewired(1, {"args": [tensor("logits")], "kwargs": {}}), "not connected"),
    "layer that does not exist": (rewired(1, {"args": [tensor("nowhere")], "kwargs": {}}), "not connected"),
    "second output of a layer": (
        rewired(1, {"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["image", 0, 1]}}]}),
        "connection",
    ),
    "call with an object": (rewired(1, {"args": [CUSTOM], "kwargs": {}}), "no layer's output"),
    "call with a keyword": (
        rewired(1, {"args": [tensor("image")], "kwargs": {"mask": CUSTOM}}),
        "more than its",
    ),
    "merge of different ranks": (
        functional(
            [
                IMAGE,
                layer("Flatten", "flatten", "image"),
                {
                    **layer("Add", "add"),
                    "inbound_nodes": [{"args": [[tensor("image"), tensor("flatten")]], "kwargs": {}}],
                },
            ],
            "add",
        ),
        "cannot be merged",
    ),
    "two inputs": (
        functional([IMAGE, layer("InputLayer", "other", batch_shape=[None, 1])], "image"),
        "one input",
    ),
    "image as output": (functional([IMAGE], "image"), "classifier's is"),
    "sequence of two input shapes": (
        sequential(layer("Dense", "dense", units=3, batch_input_shape=[None, 7]), build_input_shape=[None, 9]),
        "declares 2 input shapes",
    ),
    "sequence without an input shape": (
        sequential(layer("Dense", "dense", units=3)),
        "declares no input shapes",
    ),
    "input in the middle of a sequence": (
        sequential(
            layer("Flatten", "flatten"),
            layer("InputLayer", "late", batch_shape=[None, 9]),
            build_input_shape=[None, 9],
        ),
        "behind other layers",
    ),
    "input shape under another name": (changed(2, input_shape=[9]), "'input_shape'"),
    "layer built for another shape": (
        beside(2, module="keras.layers", build_config={"input_shape": [None, 2 * 10**9]}),
        "'logits' is to be built for another shape",
    ),
    "layer built for another shape under another key": (
        beside(2, module="keras.layers", build_config={"shapes_dict": {"input_shape": [None, 16]}}),
        "'logits' is to be built for another shape",
    ),
    "network built for another shape": (
        {**tiny_config(), "module": "keras", "build_config": {"input_shape": [None, 9, 9, 1]}},
        "'net' is to be built for another shape",
    ),
    "layer that is to be compiled": (beside(2, compile_config={"optimizer": CUSTOM}), "'logits' is to be compiled"),
    "layer connected by another name": (beside(2, name="flatten"), "'logits' has another name, 'flatten'"),
    "input layer that is called": (
        beside(0, inbound_nodes=[{"args": [CUSTOM], "kwargs": {}}]),
        "'image' has an input of its own",
    ),
    "input layer that is built": (beside(0, build_config={"input_shape": [None, 9]}), "has an input of its own"),
    "anything else beside a layer's settings": (beside(2, shared_object_id=1), "has 'shared_object_id' beside"),
    "image padded before it is resized": (
        with_layer("Resizing", height=1, width=65_536, pad_to_aspect_ratio=True),
        "pad_to_aspect_ratio True",
    ),
    "channels multiplied on the way": (
        with_layer("SeparableConv2D", filters=1, kernel_size=1, padding="same", depth_multiplier=10**7),
        "would make (4, 4, 10000000) values",
    ),
    "channels multiplied before pixels are skipped": (
        with_layer("DepthwiseConv2D", kernel_size=1, padding="same", strides=4, depth_multiplier=10**7),
        "would make (4, 4, 10000000) values",
    ),
    "image padded for a kernel that is dilated": (
        with_layer("Conv2D", filters=1, kernel_size=2, padding="same", dilation_rate=10**4),
        "would make (20004, 20004, 1) values",
    ),
    "normalisation along the batch": (with_layer("BatchNormalization", axis=0), "along the batch"),
    "no layers": (functional([], "image"), "'layers' is not a list"),
    "list at the top": ([], "not what Keras writes"),
    "text at the top": ("Functional", "not what Keras writes"),
    "thousands of layers": (
        functional([IMAGE, *(layer("Flatten", f"f{n}", "image") for n in range(2_000))], "f0"),
        "1 to 2000",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    config, reason = REFUSED[name]
    with pytest.raises(RefusedError) as caught:
        architecture(config)
    assert reason in str(caught.value)


def test_layer_used_twice_on_one_shape_has_its_weights_once():
    dense = layer("Dense", "dense", "flatten", units=16)
    dense["inbound_nodes"].append({"args": [tensor("dense")], "kwargs": {}})
    again = tensor("dense")
    again["config"]["keras_history"][1] = 1
    out = {**layer("Softmax", "out"), "inbound_nodes": [{"args": [again], "kwargs": {}}]}
    network = functional([IMAGE, layer("Flatten", "flatten", "image"), dense, out], "out")
    assert architecture(network).weights == {"dense": ((16, 16), (16,))}
    dense["config"]["units"] = 8
    with pytest.raises(RefusedError, match="used twice"):
        architecture(network)


def keras_networks() -> dict[str, Any]:
    """Networks with every allowed layer, built by Keras."""
    import keras

    L = keras.layers  # noqa: N806

    def chain(*layers: Any, shape: tuple[int, ...] = (12, 10, 3)) -> Any:
        return keras.Sequential([keras.Input(shape), *layers, L.Flatten(), L.Dense(2)])

    image = keras.Input((8, 8, 1))
    shared = L.Conv2D(2, 3, padding="same")
    branches = [shared(image), L.Conv2D(2, 1, name="one_by_one")(image)]
    merged = [getattr(L, name)()(branches) for name in ["Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"]]
    joined = L.Concatenate()([*merged, L.Multiply()([branches[0], L.GlobalAveragePooling2D(keepdims=True)(image)])])
    member = keras.Model(image, L.Dense(3)(L.Flatten()(joined)), name="member")
    other = keras.Sequential([L.Flatten(), L.Dense(3, trainable=False)], name="other")
    again = keras.Input((8, 8, 1))
    ensemble = keras.Model(again, L.Average()([member(again), other(again)]))

    return {
        "convolutions": chain(
            L.Conv2D(6, (3, 2), strides=2, activation="mish", kernel_regularizer="l2"),
            L.DepthwiseConv2D(2, depth_multiplier=2, padding="same", strides=(2, 2)),
            L.SeparableConv2D(8, 2, depth_multiplier=3, use_bias=False, pointwise_initializer="he_normal"),
        ),
        "dilation and groups": chain(
            L.Conv2D(6, 3, dilation_rate=2, groups=3), L.DepthwiseConv2D(2, dilation_rate=(2, 2))
        ),
        "pooling": chain(
            L.MaxPooling2D(3, strides=1),
            L.AveragePooling2D((2, 3), padding="same"),
            L.MaxPooling2D(2, strides=2),
        ),
        "global pooling": chain(L.GlobalMaxPooling2D()),
        "normalisation": chain(
            L.BatchNormalization(scale=False),
            L.LayerNormalization(),
            L.LayerNormalization(axis=[1, 2], center=False),
        ),
        "activations": chain(
            L.PReLU(shared_axes=[1, 2]),
            L.PReLU(),
            L.LeakyReLU(0.1),
            L.ELU(),
            L.ReLU(6.0),
            L.Activation("gelu"),
            L.Activation(L.LeakyReLU(0.2)),
            L.Identity(),
        ),
        "sizes": chain(
            L.ZeroPadding2D(((1, 2), (3, 4))),
            L.ZeroPadding2D(1),
            L.Cropping2D((1, 2)),
            L.UpSampling2D((2, 3)),
            L.Resizing(5, 6),
            L.Reshape((-1, 3)),
            L.Reshape((5, 6, 3)),
            L.Rescaling(1 / 255),
        ),
        "noise and augmentation": chain(
            L.Dropout(0.1, seed=3),
            L.SpatialDropout2D(0.1),
            L.GaussianNoise(0.1),
            L.GaussianDropout(0.1),
            L.AlphaDropout(0.1),
            L.ActivityRegularization(l2=0.1),
            L.RandomFlip(),
            L.RandomRotation(0.1),
            L.RandomZoom(0.1),
            L.RandomTranslation(0.1, 0.1),
            L.RandomContrast(0.1),
        ),
        "initializers": chain(
            *(
                L.Dense(4, kernel_initializer=name, activation="softmax", kernel_constraint="max_norm")
                for name in (
                    "zeros",
                    "ones",
                    "random_normal",
                    "random_uniform",
                    "truncated_normal",
                    "variance_scaling",
                    "glorot_normal",
                    "lecun_uniform",
                    "orthogonal",
                )
            ),
            L.Dense(3, kernel_initializer=keras.initializers.Constant(0.5)),
        ),
        "branches": member,
        "networks in a network": ensemble,
        "half precision": chain(L.Conv2D(2, 3, dtype="mixed_bfloat16")),
    }


@pytest.mark.training
def test_agrees_with_keras_on_every_allowed_layer(tmp_path):
    from main.backend import quiet_import

    quiet_import()
    import h5py
    import keras

    for name, model in keras_networks().items():
        model.save(tmp_path / "cnn.h5", include_optimizer=False)
        with h5py.File(tmp_path / "cnn.h5") as file:
            described = architecture(json.loads(file.attrs["model_config"]))
        assert architecture(json.loads(json.dumps(keras.saving.serialize_keras_object(model)))) == described, name
        assert described.input_shape == model.input_shape[1:], name
        assert described.output_shape == model.output_shape[1:], name
        assert described.parameters == model.count_params(), name
        for of_keras in model.layers:
            expected = Counter(tuple(weight.shape) for weight in of_keras.weights)
            assert Counter(described.weights.get(of_keras.name, ())) == expected, (name, of_keras.name)
