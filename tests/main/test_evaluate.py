from __future__ import annotations

import json
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from chart_titles import LONG, titles_in_the_way
from PIL import Image

from main import evaluation_charts
from main.data import DataError, Split
from main.evaluate import (
    UnknownTestSetWarning,
    _tables,
    assess_split,
    at_once,
    evaluate,
    outputs_and_logits,
    outputs_of,
    predict_probabilities,
    source_in,
)
from main.evaluation import Calibration, Evaluation, Proportion, mean_crossentropy
from main.evaluation_charts import MAX_PANELS, NUMBERED_CLASSES
from main.figures import RULES
from main.modelfile import ModelFileError, load_model, write_model_file

TABLES = ["calibration.csv", "classes.csv", "confusion.csv", "evaluation.json", "mistakes.csv"]
CHARTS = ["calibration.png", "classes.png", "confusion.png", "mistakes.png", "precision_recall.png", "roc.png"]


def evaluation_of(labels, probabilities, classes=("cat", "dog", "eel")) -> Evaluation:
    labels = np.array(labels, dtype=np.int64)
    images = np.zeros((len(labels), 4, 4, 1), dtype=np.uint8)
    return Evaluation("m/cnn.h5", "animals", classes, images, labels, np.array(probabilities, dtype=float))


@pytest.fixture
def six():
    """Six images of three classes; the fourth and the last are mistakes."""
    return evaluation_of(
        [0, 0, 1, 1, 2, 2],
        [
            [0.8, 0.1, 0.1],
            [0.5, 0.3, 0.2],
            [0.2, 0.7, 0.1],
            [0.9, 0.1, 0.0],
            [0.0, 0.1, 0.9],
            [0.1, 0.6, 0.3],
        ],
    )


@pytest.mark.parametrize("source", [None, 5, "\x1b]0;owned\x07/x.npz"])
def test_a_card_that_does_not_say_its_data_in_plain_letters_says_nothing(source):
    with pytest.raises(DataError) as refused:
        source_in({"data": {"source": source}}, Path("cnn.h5"))
    assert str(refused.value) == "cnn.h5: no card says which data it was trained on; name them with --data"


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (95, 100, 0.8882, 0.9785), (9962, 10_000, 0.99480, 0.99723)],
)
def test_wilson_interval_is_that_of_the_textbook(count, n, low, high):
    proportion = Proportion.of(count, n)
    assert proportion.value == count / n
    assert (proportion.low, proportion.high) == pytest.approx((low, high), abs=1e-4)


def test_proportion_of_nothing_is_no_number():
    assert np.isnan(Proportion.of(0, 0)[:3]).all()


def test_figures_are_those_counted_by_hand(six):
    assert six.accuracy.value == 4 / 6
    assert six.crossentropy == pytest.approx(-np.log([0.8, 0.5, 0.7, 0.1, 0.9, 0.3]).mean())
    assert six.confusion.tolist() == [[2, 0, 0], [1, 1, 0], [0, 1, 1]]
    cat, dog, eel = six.per_class
    assert (cat.precision.value, cat.recall.value, cat.f1) == pytest.approx((2 / 3, 1, 0.8))
    assert (dog.precision.value, dog.recall.value, dog.f1) == pytest.approx((1 / 2, 1 / 2, 1 / 2))
    assert (eel.precision.value, eel.recall.n) == (1, 2)
    assert cat.roc_auc == pytest.approx(6 / 8)  # of 8 pairs, 0.8 and 0.5 outrank all but 0.9
    assert eel.average_precision == pytest.approx(1)


def test_crossentropy_of_a_confident_mistake_is_that_of_its_logits():
    """Of the probability, which float32 rounds to 0, it is as large as a number of that kind can say."""
    labels, logits = np.array([0, 1]), np.array([[0, 200, 0], [0, 0, 0]], np.float32)
    probabilities = np.array([[0, 1, 0], [1 / 3, 1 / 3, 1 / 3]], np.float32)
    assert mean_crossentropy(labels, probabilities, logits) == pytest.approx((200 + np.log(3)) / 2)
    assert mean_crossentropy(labels, probabilities) == pytest.approx((149 * np.log(2) + np.log(3)) / 2)


@pytest.mark.training
def test_confident_mistake_of_a_model_costs_what_its_logits_say():
    """As while training: its probability is 0 in float32, and clipped it would cost 16 nats."""
    import keras

    image = keras.Input((2, 2, 1))
    logits = keras.layers.Dense(2, name="logits")(keras.layers.Flatten()(image))
    model = keras.Model(image, keras.layers.Softmax(name="probabilities")(logits))
    model.set_weights([np.zeros((4, 2)), np.array([0.0, 200.0])])
    images = Split(np.zeros((2, 2, 2, 1), np.uint8), np.array([0, 1]))
    scored = assess_split(model, Path("cnn.h5"), images, classes=("cat", "dog"), source="pets")
    assert (scored.accuracy.value, scored.crossentropy) == (0.5, pytest.approx(100))


def test_mistakes_come_with_the_most_confident_first_and_the_hardest_by_their_true_class(six):
    assert six.mistakes().tolist() == [3, 5]
    assert six.mistakes(1).tolist() == [3]
    assert six.hardest(3).tolist() == [3, 5, 1]


def test_class_that_is_never_seen_or_never_predicted_has_no_figures():
    scores = evaluation_of([0, 0], [[0.9, 0.1, 0.0], [0.4, 0.6, 0.0]]).per_class
    row = scores[2].row()
    assert row["support"] == 0
    assert [row[key] for key in ("precision", "recall", "f1", "roc_auc")] == [None] * 4
    assert scores[0].row()["roc_auc"] is None  # there is no other class to tell it from


def test_calibration_bins_are_closed_above():
    confidence = np.array([0.2, 1 / 3, 0.34, 0.34, 1.0])
    found = Calibration.of(confidence, np.array([True, False, True, True, True]))
    assert [share.n for share in found.accuracy] == [0, 0, 1, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert found.confidence[5] == pytest.approx(0.34)
    assert found.error == pytest.approx((0.8 + 1 / 3 + 2 * 0.66 + 0) / 5)


def test_perfectly_calibrated_answers_have_no_error():
    confidence = np.full(1000, 0.8)
    assert Calibration.of(confidence, np.arange(1000) < 800).error == pytest.approx(0)


def test_summary_is_json_even_where_figures_are_missing():
    only_cats = evaluation_of([0, 0], [[0.9, 0.1, 0.0], [0.4, 0.6, 0.0]])
    summary = json.loads(json.dumps(only_cats.summary(), allow_nan=False))
    assert summary["mistakes"] == 1
    assert summary["confusion"] == [[1, 1, 0], [0, 0, 0], [0, 0, 0]]


def test_tables_say_what_the_figures_say(six, tmp_path):
    for name, content in _tables(six).items():
        (tmp_path / name).write_text(content)
    mistakes = pd.read_csv(tmp_path / "mistakes.csv")
    assert mistakes["true"].tolist() == ["dog", "eel"]
    assert mistakes["predicted"].tolist() == ["cat", "dog"]
    assert mistakes["confidence"].tolist() == [0.9, 0.6]
    assert pd.read_csv(tmp_path / "classes.csv")["recall"].tolist() == [1, 0.5, 0.5]
    assert pd.read_csv(tmp_path / "confusion.csv", index_col=0).to_numpy().tolist() == six.confusion.tolist()
    assert pd.read_csv(tmp_path / "calibration.csv")["n"].sum() == 6


def test_class_named_like_a_formula_is_neutral_in_tables():
    tables = _tables(evaluation_of([0, 1], [[1, 0], [1, 0]], classes=("=cmd()", "@x")))
    for name in ("classes.csv", "confusion.csv", "mistakes.csv"):
        assert "'=cmd()" in tables[name]
        assert ",=cmd()" not in tables[name]


@pytest.mark.parametrize(
    ("labels", "n_classes"),
    [
        ([0, 1, 2, 2, 1, 0, 0], 3),
        ([0, 0, 0], 2),
        (list(range(MAX_PANELS + 1)) * 2, NUMBERED_CLASSES + 1),
        ([0, 1, 1], 2),
    ],
    ids=["mistakes", "one class only", "many classes", "no mistakes"],
)
def test_charts_are_drawn_of_any_evaluation(labels, n_classes, tmp_path, request):
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.ones(n_classes), size=len(labels))
    if "no mistakes" in request.node.name:
        probabilities = np.eye(n_classes)[labels]
    names = tuple(f"$class_{n} of quite a long name" for n in range(n_classes))
    paths = evaluation_charts.draw(evaluation_of(labels, probabilities, names), tmp_path)
    assert sorted(path.name for path in paths) == CHARTS
    for path in paths:
        with Image.open(path) as image:
            assert image.width > 500
            assert len(image.getcolors(10**7)) > 20


def test_of_very_many_classes_the_worst_are_named(monkeypatch):
    """With a row for each, a page would be larger than matplotlib draws."""
    monkeypatch.setattr(evaluation_charts, "NAMED_CLASSES", 20)
    labels = np.repeat(np.arange(30), 2)
    predicted = np.where(np.arange(60) % 26 == 0, (labels + 1) % 30, labels)
    evaluation = evaluation_of(labels, np.eye(30)[predicted], tuple(f"class {label}" for label in range(30)))
    rows = evaluation_charts.classes(evaluation)
    names = [label.get_text().split("  ")[0] for label in rows.axes[0].get_yticklabels()]
    assert len(names) == 20
    assert {"class 0", "class 1", "class 13", "class 14", "class 26", "class 27"} <= set(names)
    assert "the 20 of 30 classes with the lowest F1" in " ".join(text.get_text() for text in rows.texts)
    assert not evaluation_charts.confusion(evaluation).axes[0].get_xticklabels()


@pytest.mark.parametrize(
    ("labels", "predicted", "count", "told"),
    [
        ([0, 0, 1], [1, 1, 1], "2 of 3 images are", "most often cat is taken for dog (2 times)"),
        (
            [0, 0, 1, 1],
            [1, 1, 2, 2],
            "4 of 4 images are",
            "most often cat is taken for dog (2 times), and one other pair as often",
        ),
        (
            [0, 0, 1, 1, 2, 2],
            [1, 1, 2, 2, 0, 0],
            "6 of 6 images are",
            "most often cat is taken for dog (2 times), and 2 other pairs as often",
        ),
        ([0, 1, 2], [1, 2, 2], "2 of 3 images are", "no two of them are mistaken alike"),
        ([0, 1, 2], [1, 1, 2], "1 of 3 images is", "cat is taken for dog"),
        ([0, 1, 2], [0, 1, 2], "0 of 3 images are", "no image is taken for another class"),
    ],
)
def test_confusions_are_counted_in_words(labels, predicted, count, told):
    figure = evaluation_charts.confusion(evaluation_of(labels, np.eye(3)[predicted]))
    said = " ".join(text.get_text() for text in figure.texts)
    assert said == f"{count} taken for another class {len(labels)} test images of animals; {told}"


def test_of_very_many_classes_the_confusion_matrix_is_in_its_table_alone(monkeypatch):
    """Of thousands it would make a summary of hundreds of megabytes, nearly all of it zeros."""
    labels = [0, 1, 2]
    assert evaluation_of(labels, np.eye(3)).summary()["confusion"] == np.eye(3).tolist()
    monkeypatch.setattr("main.evaluation.MOST_IN_SUMMARY", 2)
    assert evaluation_of(labels, np.eye(3)).summary()["confusion"] is None


def test_curves_run_from_nothing_to_everything(six):
    for curve, scores in zip(evaluation_charts.roc_curves(six), six.per_class, strict=True):
        assert (curve.name, curve.area) == (scores.name, scores.roc_auc)
        assert (curve.y[0], curve.x[-1], curve.y[-1]) == (0, 1, 1)
        assert (curve.x > 0).all()  # or a logarithmic axis has no place for it
    for curve in evaluation_charts.precision_recall_curves(six):
        assert (curve.x[0], curve.x[-1], curve.y[-1]) == (1, 0, 1)


@pytest.fixture
def undrawn(monkeypatch):
    """No charts: they take longer than scoring does."""
    monkeypatch.setattr(evaluation_charts, "draw", lambda evaluation, folder: ())


@pytest.mark.training
def test_trained_model_scores_what_its_card_says(trained, model_file):
    evaluation = evaluate(model_file)
    folder = model_file.parent / "evaluation"
    assert sorted(path.name for path in folder.iterdir()) == sorted(TABLES + CHARTS)
    test = trained.card["test"]
    assert evaluation.accuracy == Proportion(test["accuracy"], test["low"], test["high"], test["n"])
    assert evaluation.crossentropy == pytest.approx(test["crossentropy"])
    assert evaluation.accuracy.n == 360
    assert evaluation.accuracy.value > 0.8
    assert json.loads((folder / "evaluation.json").read_text()) == evaluation.summary()


@pytest.mark.training
def test_data_can_be_named_and_tables_put_elsewhere(model_file, tmp_path):
    evaluation = evaluate(str(model_file), data="digits", out=tmp_path / "elsewhere")
    assert evaluation.source == "digits"
    assert (tmp_path / "elsewhere" / "confusion.png").exists()
    assert not (model_file.parent / "evaluation").exists()


@pytest.mark.training
def test_data_that_do_not_fit_the_model_are_refused(model_file, tmp_path):
    random = np.random.default_rng(0)
    arrays = {"x_train": (20, 9, 9), "x_test": (10, 9, 9)}
    images = {name: random.integers(0, 255, shape, dtype=np.uint8) for name, shape in arrays.items()}
    np.savez(tmp_path / "small.npz", **images, y_train=np.arange(20) % 10, y_test=np.arange(10))
    with pytest.raises(DataError, match=r"has images of 9 × 9 × 1, but .*cnn\.h5 takes 28 × 28 × 1"):
        evaluate(model_file, data=str(tmp_path / "small.npz"))
    images = {name: random.integers(0, 255, (shape[0], 28, 28), dtype=np.uint8) for name, shape in arrays.items()}
    np.savez(tmp_path / "three.npz", **images, y_train=np.arange(20) % 3, y_test=np.arange(10) % 3)
    with pytest.raises(DataError, match=r"has 3 classes, but .*cnn\.h5 tells 10 apart"):
        evaluate(model_file, data=str(tmp_path / "three.npz"))


@pytest.mark.training
def test_without_a_card_the_data_must_be_named(model_file):
    model_file.with_suffix(".json").unlink()
    with pytest.raises(DataError, match="name them with --data"):
        evaluate(model_file)


@pytest.mark.training
def test_card_that_does_not_name_the_data_is_no_help(model_file):
    write_model_file(model_file.parent, model_file.read_bytes(), {"data": ["digits"]})
    with pytest.raises(DataError, match="name them with --data"):
        evaluate(model_file)


@pytest.mark.training
def test_output_that_is_no_probability_is_refused(model_file):
    import keras

    model = load_model(model_file)
    logits = keras.Model(model.inputs[0], model.get_layer("logits").output)
    with pytest.raises(ModelFileError, match="not probabilities that sum to 1"):
        predict_probabilities(logits, np.zeros((2, 28, 28, 1), np.uint8), model_file)


@pytest.mark.training
def test_batches_do_not_change_probabilities(model_file, monkeypatch):
    model = load_model(model_file)
    images = np.random.default_rng(0).integers(0, 255, (7, 28, 28, 1), dtype=np.uint8)
    whole = predict_probabilities(model, images, model_file)
    monkeypatch.setattr("main.data.records.MOST_AT_ONCE", 3)
    np.testing.assert_allclose(predict_probabilities(model, images, model_file), whole, atol=1e-6)


@pytest.mark.training
def test_logits_are_those_before_a_softmax_layer_at_the_end(model_file):
    import keras

    model = load_model(model_file)
    images = np.random.default_rng(0).integers(0, 255, (7, 28, 28, 1), dtype=np.uint8)
    outputs, logits = outputs_and_logits(model, images)
    np.testing.assert_array_equal(outputs, outputs_of(model, images))
    before = keras.Model(model.inputs[0], model.get_layer("logits").output)
    np.testing.assert_allclose(logits, outputs_of(before, images), atol=1e-6)
    named_so = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()])
    named_so.add(keras.layers.Dense(3, activation="softmax", name="logits"))
    assert outputs_and_logits(named_so, images)[1] is None


@pytest.mark.training
@pytest.mark.usefixtures("undrawn")
def test_another_test_set_than_the_cards_is_said(trained, model_file):
    card = {**trained.card, "test": {**trained.card["test"], "checksum": "0" * 64}}
    write_model_file(model_file.parent, model_file.read_bytes(), card)
    with pytest.warns(UnknownTestSetWarning, match="digits: its test set is not the one that"):
        evaluate(model_file)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnknownTestSetWarning)
        evaluate(model_file, data="digits")  # whoever names the data knows which they are


@pytest.mark.training
@pytest.mark.usefixtures("undrawn")
def test_classes_in_another_order_are_refused_and_wholly_other_names_taken_in_order(trained, model_file):
    shifted = [*map(str, range(1, 10)), "0"]
    foreign = (list("abcdefghij"), ["0", "1"], [["a"]] * 10, "0123456789", list(range(10)))
    for known in (shifted, *foreign):
        card = {**trained.card, "data": {**trained.card["data"], "classes": known}}
        write_model_file(model_file.parent, model_file.read_bytes(), card)
        if known == shifted:
            with pytest.raises(DataError, match=r"number 0 is '0' there, and '1' to the model"):
                evaluate(model_file)
        else:
            assert evaluate(model_file).accuracy.value == trained.card["test"]["accuracy"]


@pytest.mark.training
@pytest.mark.parametrize("factor", [1, 8, 60])
def test_fewer_images_go_through_a_network_that_makes_much_of_each(factor):
    import keras

    image = keras.Input((28, 28, 1))
    wide = keras.layers.UpSampling2D(factor)(image)
    inner = keras.Sequential([keras.Input((28 * factor, 28 * factor, 1)), keras.layers.GlobalAveragePooling2D()])
    model = keras.Model(image, keras.layers.Dense(2)(inner(wide)))
    images = np.zeros((40, 28, 28, 1), np.uint8)
    assert at_once(model) == max(1, min(1000, 2**27 // (28 * factor) ** 2))
    assert outputs_of(model, images).shape == (40, 2)


def test_panels_of_classes_with_long_names_do_not_stand_in_each_others_way():
    evaluation = evaluation_of([0, 1, 2, 3, 4], np.eye(5) * 0.5 + 0.1, LONG)
    with mpl.rc_context(RULES):
        for chart in (evaluation_charts.roc, evaluation_charts.precision_recall):
            assert titles_in_the_way(chart(evaluation)) == []
