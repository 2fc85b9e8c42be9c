from __future__ import annotations

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from chart_titles import LONG, titles_in_the_way
from PIL import Image

from main import explanation_charts
from main.data import DataError
from main.evaluate import assess
from main.explain import explain
from main.explanation import (
    Features,
    Saliency,
    deep_features,
    feature_maps,
    first_filters,
    saliency,
    stage,
    typical,
)
from main.figures import RULES
from main.predict import Predictor

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def predictor(trained):
    return Predictor(trained.model)


@pytest.fixture(scope="module")
def evaluation(trained, predictor):
    return assess(predictor.model, trained.model, "digits", None)


def build(spec, shape=(12, 12, 1)):
    import models

    return models.build(spec, shape, 10)


def test_first_filters_are_the_weights_of_the_first_layer(predictor):
    filters = first_filters(predictor.model)
    assert (filters.layer, filters.weights.shape) == ("conv_1", (8, 3, 3, 1))
    kernel = np.asarray(predictor.model.get_layer("conv_1").kernel)
    np.testing.assert_array_equal(filters.weights[5, :, :, 0], kernel[:, :, 0, 5])


def test_weights_of_a_first_dense_layer_are_images_too():
    from models import SoftmaxSpec

    model = build(SoftmaxSpec(), (6, 5, 3))
    filters = first_filters(model)
    assert filters.weights.shape == (10, 6, 5, 3)
    kernel = np.asarray(model.get_layer("logits").kernel)
    np.testing.assert_array_equal(filters.weights[4].ravel(), kernel[:, 4])


def test_filters_of_a_network_in_a_network_are_found():
    import keras

    from models import CnnSpec

    inner = build(CnnSpec(filters=(3,)))
    image = keras.Input((12, 12, 1))
    model = keras.Model(image, keras.layers.Average()([inner(image), inner(image)]))
    assert first_filters(model).weights.shape == (3, 3, 3, 1)
    assert feature_maps(model, np.zeros((12, 12, 1), np.uint8)) == ()


def test_network_in_a_network_is_a_layer_whose_output_is_that_of_its_call(evaluation):
    import keras

    from models import SoftmaxSpec

    inner = build(SoftmaxSpec(), (28, 28, 1))
    image = keras.Input((28, 28, 1))
    model = keras.Model(image, keras.layers.Dense(10, activation="softmax")(inner(image)))
    features = deep_features(model, evaluation, "pca")
    assert (features.layer, features.width) == (inner.name, 10)


def test_convolution_that_is_used_twice_is_shown_each_time():
    import keras

    image = keras.Input((6, 6, 1))
    convolution = keras.layers.Conv2D(1, 3, padding="same", kernel_initializer="ones", name="smooth")
    model = keras.Model(image, convolution(convolution(image)))
    once, twice = feature_maps(model, np.full((6, 6, 1), 255, np.uint8))
    assert (once.layer, twice.layer) == ("smooth", "smooth")
    assert (once.maps[0, 3, 3], twice.maps[0, 3, 3]) == (9, 81)


def test_network_whose_first_layer_sees_no_image_has_no_filters():
    import keras

    flat = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.AveragePooling2D(2), keras.layers.Flatten()])
    assert first_filters(flat) is None
    flat.add(keras.layers.Dense(3))
    assert first_filters(flat) is None


@pytest.mark.parametrize(
    ("pooling", "layers"),
    [
        ("max", ["conv_1_activation", "conv_1_pool"]),
        ("stride", ["conv_1_activation"]),
        ("blur", ["conv_1_activation", "conv_1_blur"]),
        ("mixed", ["conv_1_activation", "conv_1_pool"]),
    ],
)
def test_feature_maps_show_each_convolution_and_each_pooling(pooling, layers):
    from models import CnnSpec

    model = build(CnnSpec(filters=(4,), pooling=pooling))
    image = np.random.default_rng(0).integers(0, 255, (12, 12, 1), dtype=np.uint8)
    stages = feature_maps(model, image)
    assert [stage.layer for stage in stages] == layers
    assert [stage.n_maps for stage in stages] == [4] * len(layers)


def test_feature_maps_are_what_the_layer_gives_liveliest_first(predictor, evaluation):
    import keras

    image = evaluation.images[0]
    first = feature_maps(predictor.model, image)[0]
    layer = keras.Model(predictor.model.inputs[0], predictor.model.get_layer(first.layer).output)
    found = np.asarray(layer(image[np.newaxis].astype("float32") / 255))[0]
    spread = found.std(axis=(0, 1))
    np.testing.assert_allclose(first.maps[0], found[..., spread.argmax()], atol=1e-6)
    assert (np.diff(first.maps.std(axis=(1, 2))) <= 1e-6).all()


def test_of_maps_of_one_pixel_those_that_answer_most_are_shown():
    """None of them varies, and each by itself would be drawn dark."""
    answers = np.array([0, 3, 0, 1, 0, 0, 0, 0, 0, 5], dtype=np.float32)
    shown = stage("conv_2", answers.reshape(1, 1, -1))
    assert shown.maps.ravel().tolist() == [5, 3, 1, 0, 0, 0, 0, 0]
    seen = Saliency(np.zeros((4, 4, 1), np.uint8), np.zeros((4, 4)), "7", 0.9)
    figure = explanation_charts.feature_maps([shown], seen, "an image")
    pixels = [float(axes.images[0].norm(axes.images[0].get_array()).ravel()[0]) for axes in figure.axes[8:16]]
    assert pixels == pytest.approx([1, 0.6, 0.2, 0, 0, 0, 0, 0])


def test_saliency_is_the_gradient_of_the_logit(monkeypatch):
    """Of a softmax regression the gradient is its weights, whatever the noise."""
    from models import SoftmaxSpec

    class Stub:
        model = build(SoftmaxSpec())
        classes = tuple("0123456789")

        def probabilities(self, images):
            return np.asarray(self.model(images.astype("float32") / 255))

    image = np.random.default_rng(0).integers(0, 255, (1, 12, 12, 1), dtype=np.uint8)
    (seen,) = saliency(Stub(), image)
    answer = int(seen.answer)
    expected = np.abs(np.asarray(Stub.model.get_layer("logits").kernel)[:, answer]).reshape(12, 12)
    np.testing.assert_allclose(seen.pixels, expected, rtol=1e-5)
    assert seen.confidence == pytest.approx(float(Stub().probabilities(image).max()))


def test_saliency_is_where_the_digit_is(predictor, evaluation):
    seen = saliency(predictor, evaluation.images[typical(evaluation)])
    border = np.ones((28, 28), bool)
    border[2:-2, 2:-2] = False
    for one in seen:
        assert one.pixels[border].mean() < one.pixels[~border].mean()


def test_typical_images_are_one_of_each_class(evaluation):
    places = typical(evaluation)
    assert evaluation.labels[places].tolist() == list(range(10))


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_deep_features_keep_classes_together(predictor, evaluation, method):
    features = deep_features(predictor.model, evaluation, method)
    assert (features.layer, features.width) == ("dense_1_activation", 16)
    assert features.points.shape == (360, 2)
    labels = evaluation.labels[features.places]
    centres = np.array([features.points[labels == label].mean(axis=0) for label in range(10)])
    distances = np.linalg.norm(features.points[:, np.newaxis] - centres, axis=-1)
    assert np.mean(distances.argmin(axis=1) == labels) > 0.45  # one in ten by chance
    assert (features.explained is None) == (method == "tsne")


PROJECTED = """
import numpy as np
from main.explanation import _projected
for scale in ("0", "1e-30", "1e30"):
    values = np.random.default_rng(0).random((60, 8), dtype=np.float32) * np.float32(scale)
    for method in ("pca", "tsne"):
        print(scale, method, flush=True)
        points, explained = _projected(values, method)
        assert points.shape == (60, 2) and np.isfinite(points).all()
        assert explained is None or 0 < explained <= 1
        assert (float(scale) == 0) == (points == points[0]).all()
"""


def test_features_that_are_all_alike_or_out_of_all_proportion_end_no_process():
    """As of a network whose units are all dead; in a process of its own, as t-SNE's fault is none of Python's."""
    ended = subprocess.run([sys.executable, "-c", PROJECTED], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_features_that_are_all_alike_are_said_to_be(evaluation):
    features = Features("dense", 16, "tsne", np.arange(5), np.zeros((5, 2)), None)
    said = "".join(text.get_text() for text in explanation_charts.deep_features(features, evaluation).texts)
    assert "they are all alike" in said.replace("\n", " ")


def test_mistakes_are_ringed_and_nothing_else(predictor, evaluation):
    features = deep_features(predictor.model, evaluation, "pca")
    wrong = features.points[~evaluation.correct[features.places]]
    assert 0 < len(wrong) < len(features.places) / 2
    rings = explanation_charts.deep_features(features, evaluation).axes[0].collections[-1]
    np.testing.assert_allclose(rings.get_offsets(), wrong)


def test_each_saliency_stands_under_its_own_answer():
    rng = np.random.default_rng(0)
    seen = [
        Saliency(rng.integers(0, 255, (4, 4, 1), dtype=np.uint8), rng.random((4, 4)), str(number), 0.5 + number / 10)
        for number in range(4)
    ]
    figure = explanation_charts.saliency(seen, "", "")
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == [f"{one.answer}  {one.confidence * 100:.0f} %" for one in seen]


def test_answers_of_long_names_do_not_stand_in_each_others_way():
    rng = np.random.default_rng(0)
    seen = [Saliency(np.zeros((4, 4, 1), np.uint8), rng.random((4, 4)), name, 1.0) for name in LONG]
    with mpl.rc_context(RULES):
        assert titles_in_the_way(explanation_charts.saliency(seen, "", "")) == []


def test_deep_features_of_a_softmax_regression_are_its_pixels(evaluation):
    from models import SoftmaxSpec

    features = deep_features(build(SoftmaxSpec(), (28, 28, 1)), evaluation, "pca")
    assert (features.layer, features.width) == ("flatten", 784)


def test_test_set_is_explained(model_file):
    paths = explain(model_file, method="pca")
    names = ["filters", "feature_maps", "saliency", "features", "hardest", "calibration"]
    assert [path.name for path in paths] == [f"{name}.png" for name in names]
    assert {path.parent for path in paths} == {model_file.parent / "explanation"}
    for path in paths:
        with Image.open(path) as image:
            assert min(image.size) > 100


def test_picture_is_explained_without_any_data(model_file, evaluation, tmp_path):
    Image.fromarray(evaluation.images[0, ..., 0]).resize((200, 200)).save(tmp_path / "digit.png")
    paths = explain(model_file, tmp_path / "digit.png", out=tmp_path / "out")
    assert [path.name for path in paths] == ["filters.png", "feature_maps.png", "saliency.png"]
    assert all(path.exists() for path in paths)


def test_picture_is_prepared_as_told(model_file, tmp_path, monkeypatch):
    monkeypatch.setattr("main.explanation_charts.draw_image", lambda *drawn: drawn[-1].image[0, 0].tolist())
    page = np.full((56, 56), 255, np.uint8)
    page[10:46, 24:32] = 0
    Image.fromarray(page).save(tmp_path / "one.png")
    assert explain(model_file, tmp_path / "one.png") == [0]
    assert explain(model_file, tmp_path / "one.png", preparation="plain") == [255]


def test_picture_that_cannot_be_read_is_refused(model_file, tmp_path):
    with pytest.raises(DataError, match=r"absent\.png"):
        explain(model_file, tmp_path / "absent.png")
