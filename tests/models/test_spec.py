"""Sizes by hand, and what a section refuses; no Keras anywhere (`test_networks` asks Keras too)."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from models import CnnSpec, ImpossibleNetwork, LayerSize, MlpSpec, NetworkSpec, SoftmaxSpec
from models.spec import blur_extent

DIGIT = (28, 28, 1)


def test_sizes_of_a_small_cnn_are_those_worked_out_by_hand() -> None:
    spec = CnnSpec(filters=(2,), kernel_size=3, dropout=0.25, dense_units=(4,))

    # 3 × 3 over 6 × 6 leaves 4 × 4, at 4·4 places × 3·3·1 weights × 2 filters; 2 × 2 pooling leaves 2 × 2.
    assert spec.layers((6, 6, 1), 3) == (
        LayerSize("image", (6, 6, 1)),
        LayerSize("conv_1", (4, 4, 2), parameters=9 * 2 + 2, multiply_adds=4 * 4 * 9 * 2),
        LayerSize("conv_1_activation", (4, 4, 2)),
        LayerSize("conv_1_pool", (2, 2, 2)),
        LayerSize("flatten", (8,)),
        LayerSize("flatten_dropout", (8,)),
        LayerSize("dense_1", (4,), parameters=8 * 4 + 4, multiply_adds=8 * 4),
        LayerSize("dense_1_activation", (4,)),
        LayerSize("dense_1_dropout", (4,)),
        LayerSize("logits", (3,), parameters=4 * 3 + 3, multiply_adds=4 * 3),
        LayerSize("probabilities", (3,)),
    )


@pytest.mark.parametrize(
    ("spec", "changed"),
    [
        (CnnSpec, {"dense_initializer": "orthogonal"}),
        (MlpSpec, {}),
        (SoftmaxSpec, {}),
    ],
)
def test_fields_without_size_change_no_layer(spec: type[NetworkSpec], changed: dict[str, Any]) -> None:
    others = {"activation": "leaky_relu", "leaky_relu_slope": 0.3, "initializer": "normal", "l2": 0.1, **changed}
    written = {field: value for field, value in others.items() if field in spec.model_fields}
    default = {"network": spec.model_fields["network"].default}
    assert set(written) == spec.sizeless
    assert spec.model_validate(default | written).layers(DIGIT, 10) == spec.model_validate(default).layers(DIGIT, 10)


def test_a_blur_counts_its_fixed_weights_and_their_work() -> None:
    sizes = {layer.name: layer for layer in CnnSpec(filters=(2,), pooling="blur").layers((6, 6, 1), 3)}

    assert sizes["conv_1_max"].output_shape == (3, 3, 2)
    assert sizes["conv_1_blur"] == LayerSize("conv_1_blur", (2, 2, 2), parameters=18, multiply_adds=18 * 2 * 2)


def test_batch_normalisation_replaces_the_bias_with_four_numbers_per_channel() -> None:
    plain = {layer.name: layer.parameters for layer in CnnSpec(filters=(5,)).layers(DIGIT, 10)}
    normal = {layer.name: layer.parameters for layer in CnnSpec(filters=(5,), batch_norm=True).layers(DIGIT, 10)}

    assert normal["conv_1"] == plain["conv_1"] - 5
    assert normal["conv_1_norm"] == 4 * 5


def test_sizes_of_mlp_and_softmax() -> None:
    mlp = MlpSpec(hidden_units=(8,), dropout=0).layers((2, 3, 1), 4)
    softmax = SoftmaxSpec().layers((2, 3, 1), 4)

    assert [layer.name for layer in mlp] == [
        "image", "flatten", "hidden_1", "hidden_1_activation", "logits", "probabilities"
    ]  # fmt: skip
    assert sum(layer.parameters for layer in mlp) == (6 * 8 + 8) + (8 * 4 + 4)
    assert sum(layer.multiply_adds for layer in softmax) == 6 * 4


@pytest.mark.parametrize("pooling", ["average", "blur", "mixed"])
@pytest.mark.parametrize("pool_size", [1, 2, 3, 4])
def test_every_pooling_of_a_window_leaves_the_same_image(pooling: Any, pool_size: int) -> None:
    def features(spec: CnnSpec) -> LayerSize:
        return next(layer for layer in spec.layers((30, 33, 1), 10) if layer.name == "flatten")

    expected = CnnSpec(pooling="max", pool_size=pool_size)
    assert features(CnnSpec(pooling=pooling, pool_size=pool_size)) == features(expected)


def test_a_blur_is_as_wide_as_its_step_needs() -> None:
    assert [blur_extent(size) for size in (1, 2, 3)] == [1, 3, 5]


def test_a_kernel_larger_than_what_pooling_left_is_impossible() -> None:
    with pytest.raises(ImpossibleNetwork) as caught:
        CnnSpec(filters=(4, 4, 4), kernel_size=(3, 3, 7)).layers(DIGIT, 10)

    assert caught.value.field == "kernel_size"
    assert str(caught.value) == "kernel_size 7 is larger than the 5 × 5 image that is left before convolution 3"


def test_a_pool_larger_than_the_image_is_impossible() -> None:
    with pytest.raises(ImpossibleNetwork) as caught:
        CnnSpec(filters=(4, 4), kernel_size=3, pool_size=6).layers((28, 40, 1), 10)

    assert caught.value.field == "pool_size"
    assert str(caught.value) == "pool_size 6 is larger than the 2 × 4 image that is left after convolution 2"


@pytest.mark.parametrize(
    ("possible", "impossible"),
    [
        ({"kernel_size": 8, "pool_size": 1}, {"kernel_size": 9, "pool_size": 1}),
        ({"kernel_size": 3, "pool_size": 6}, {"kernel_size": 3, "pool_size": 7}),
    ],
)
def test_what_just_fits_is_possible(possible: dict[str, Any], impossible: dict[str, Any]) -> None:
    CnnSpec(filters=(4,), **possible).layers((8, 9, 1), 10)
    with pytest.raises(ImpossibleNetwork):
        CnnSpec(filters=(4,), **impossible).layers((8, 9, 1), 10)


def test_padding_and_strides_have_no_smallest_image() -> None:
    CnnSpec(kernel_size=64, padding="same", pooling="stride", pool_size=16).layers((1, 1, 1), 10)


def test_an_impossible_network_survives_its_way_from_a_worker() -> None:
    error = ImpossibleNetwork("pool_size", "too large")

    returned = pickle.loads(pickle.dumps(error))

    assert (returned.field, str(returned)) == ("pool_size", "too large")


@pytest.mark.parametrize(("field", "number"), [("kernel_size", 3), ("pool_size", 3), ("conv_dropout", 0.3)])
@pytest.mark.parametrize("count", [1, 3, 0])
def test_there_must_be_one_number_or_one_per_convolution(field: str, number: float, count: int) -> None:
    with pytest.raises(ValidationError, match=f"{field} must be one number or one per convolution") as caught:
        CnnSpec.model_validate({"filters": (8, 8), field: (number,) * count})

    assert caught.value.errors()[0]["loc"] == (field,)


def test_one_size_is_that_of_every_convolution() -> None:
    assert CnnSpec(filters=(8, 8), kernel_size=5, pool_size=3).kernel_sizes == (5, 5)
    assert CnnSpec(filters=(8, 8), kernel_size=5, pool_size=3).pool_sizes == (3, 3)
    assert CnnSpec(filters=(8, 8), kernel_size=(5, 3), pool_size=(1, 2)).kernel_sizes == (5, 3)
    assert CnnSpec(filters=(8, 8), kernel_size=(5, 3), pool_size=(1, 2)).pool_sizes == (1, 2)


def test_convolutions_drop_units_where_their_rate_is_not_zero() -> None:
    names = [layer.name for layer in CnnSpec(filters=(8, 8), conv_dropout=(0, 0.2)).layers((12, 12, 1), 3)]
    assert "conv_1_dropout" not in names
    assert names.index("conv_2_dropout") == names.index("conv_2_pool") + 1
    assert CnnSpec(filters=(8, 8), conv_dropout=0.1).conv_dropouts == (0.1, 0.1)


def test_a_factor_of_one_adds_no_layer() -> None:
    names = [layer.name for layer in CnnSpec(filters=(8, 8), pool_size=(1, 2)).layers((12, 12, 1), 3)]
    assert "conv_1_pool" not in names
    assert "conv_2_pool" in names


@pytest.mark.parametrize("spec", [CnnSpec, MlpSpec])
def test_a_slope_belongs_to_leaky_relu(spec: type[CnnSpec] | type[MlpSpec]) -> None:
    with pytest.raises(ValidationError, match="leaky_relu_slope is of activation: leaky_relu") as caught:
        spec(activation="relu", leaky_relu_slope=0.2)

    assert caught.value.errors()[0]["loc"] == ("leaky_relu_slope",)
    assert spec(activation="leaky_relu", leaky_relu_slope=0.2).leaky_relu_slope == 0.2


def test_only_the_field_that_is_wrong_is_complained_about() -> None:
    with pytest.raises(ValidationError) as caught:
        CnnSpec(filters=(0,), kernel_size=(3, 3), activation="rleu", leaky_relu_slope=0.1)  # type: ignore[arg-type]

    assert {error["loc"][0] for error in caught.value.errors()} == {"filters", "activation"}


def test_sections_are_read_without_keras() -> None:
    code = (
        "import sys, models; models.networks()['cnn']().layers((28, 28, 1), 10); "
        "sys.exit(any(name.split('.')[0] in ('keras', 'tensorflow', 'numpy') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
