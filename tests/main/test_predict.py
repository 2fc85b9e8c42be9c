from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import sys

import numpy as np
import pytest
from PIL import Image

from main.config import DataConfig
from main.data import DataError, load_test
from main.modelfile import UnverifiedModelWarning
from main.predict import PIPE_NAME, Prediction, Predictor, Refusal, csv_text, json_text

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def predictor(trained):
    return Predictor(trained.model)


@pytest.fixture(scope="module")
def test_set():
    return load_test(DataConfig(source="digits"))


def save_images(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image[..., 0]).save(folder / f"{number:03}.png")


def test_card_decides_classes_and_preparation(predictor):
    assert predictor.classes == tuple("0123456789")
    assert predictor.input_shape == (28, 28, 1)
    assert predictor.preparation == "digits"


def test_pictures_of_test_images_get_the_answers_of_the_test_images(predictor, test_set, tmp_path):
    save_images(tmp_path, test_set.images[:40])
    found = list(predictor.predict([str(tmp_path)]))
    expected = predictor.probabilities(test_set.images[:40])
    assert [prediction.label for prediction in found] == [str(label) for label in expected.argmax(axis=1)]
    for prediction, row in zip(found, expected, strict=True):
        assert list(prediction.probabilities.values()) == pytest.approx(row.tolist(), abs=1e-6)
        assert prediction.confidence == max(prediction.probabilities.values())
    right = [prediction.label == str(label) for prediction, label in zip(found, test_set.labels, strict=False)]
    assert np.mean(right) > 0.8


def test_folders_are_read_in_order_with_their_subfolders(predictor, test_set, tmp_path):
    save_images(tmp_path / "b", test_set.images[:2])
    save_images(tmp_path / "a" / "deeper", test_set.images[2:3])
    (tmp_path / "a" / "notes.txt").write_text("no picture, and not taken for one")
    for left_behind in ("a/._000.png", "__MACOSX/a/000.png", ".ipynb_checkpoints/000-checkpoint.png"):
        (tmp_path / left_behind).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / left_behind).write_bytes(b"no picture")
    found = [result.image for result in predictor.predict([str(tmp_path)])]
    assert found == [str(tmp_path / name) for name in ("a/deeper/000.png", "b/000.png", "b/001.png")]


def test_refused_pictures_stand_in_their_place(predictor, test_set, tmp_path, monkeypatch):
    monkeypatch.setattr("main.predict.BATCH", 2)
    save_images(tmp_path, test_set.images[:3])
    (tmp_path / "001.png").write_text("no image")
    (tmp_path / "empty").mkdir()
    names = [str(tmp_path / name) for name in ("000.png", "001.png", "absent.png", "empty", "002.png")]
    found = list(predictor.predict(names))
    assert [result.image for result in found] == names
    assert [type(result) for result in found] == [Prediction, Refusal, Refusal, Refusal, Prediction]
    assert [name in result.reason for name, result in zip(names[1:4], found[1:4], strict=True)] == [True] * 3
    assert "holds no pictures" in found[3].reason


def test_of_large_images_few_are_in_memory_at_once(predictor, test_set, tmp_path, monkeypatch):
    save_images(tmp_path, test_set.images[:5])
    monkeypatch.setattr("main.predict.BATCH_BYTES", 2 * test_set.images[0].size)
    seen, probabilities = [], predictor.probabilities
    monkeypatch.setattr(predictor, "probabilities", lambda images: seen.append(len(images)) or probabilities(images))
    assert len(list(predictor.predict([str(tmp_path)]))) == 5
    assert seen == [2, 2, 1]


def test_a_model_of_neither_greyscale_nor_colour_is_refused(tmp_path):
    import keras

    image = keras.Input((4, 4, 2))
    keras.Model(image, keras.layers.Softmax()(keras.layers.Flatten()(image))).save(tmp_path / "cnn.h5")
    with pytest.warns(UnverifiedModelWarning), pytest.raises(DataError, match="images of 2 channels, neither"):
        Predictor(tmp_path / "cnn.h5")


def test_an_empty_name_is_refused_and_not_taken_for_the_present_folder(predictor, test_set, tmp_path, monkeypatch):
    save_images(tmp_path, test_set.images[:1])
    monkeypatch.chdir(tmp_path)
    assert list(predictor.predict([""])) == [Refusal("", "a picture's name is empty")]


def test_a_name_that_the_system_refuses_is_a_refusal_like_others(predictor, test_set, tmp_path):
    save_images(tmp_path, test_set.images[:1])
    names = [str(tmp_path / "000.png"), str(tmp_path / ("x" * 300))]
    read, refused = predictor.predict(names)
    assert isinstance(read, Prediction)
    assert refused == Refusal(names[1], f"{names[1]}: cannot be read: File name too long")


class Pipe:
    def __init__(self, data):
        self.buffer = io.BytesIO(data)


def test_picture_from_a_pipe(predictor, test_set, monkeypatch):
    buffer = io.BytesIO()
    Image.fromarray(test_set.images[0, ..., 0]).save(buffer, format="TIFF")
    monkeypatch.setattr(sys, "stdin", Pipe(buffer.getvalue()))
    (prediction,) = predictor.predict(["-"])
    assert prediction.image == PIPE_NAME
    assert prediction.label == str(predictor.probabilities(test_set.images[:1]).argmax())


def test_pipe_that_gives_no_image_or_too_much_is_refused(predictor, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Pipe(b"hello"))
    (refusal,) = predictor.predict(["-"])
    assert refusal.reason.startswith(f"{PIPE_NAME}: is no image")
    monkeypatch.setattr("main.predict.MAX_PIPE_BYTES", 3)
    monkeypatch.setattr(sys, "stdin", Pipe(b"hello"))
    (refusal,) = predictor.predict(["-"])
    assert refusal.reason.startswith(f"{PIPE_NAME}: gives more than")


def test_a_pipe_that_is_closed_is_refused(predictor, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it of `<&-`
    (refusal,) = predictor.predict(["-"])
    assert refusal == Refusal(PIPE_NAME, f"{PIPE_NAME}: is closed")


def test_json_and_csv_say_the_same(predictor, test_set, tmp_path):
    save_images(tmp_path, test_set.images[:2])
    (tmp_path / "torn.png").write_text("no image")
    results = list(predictor.predict([str(tmp_path)]))
    parsed = json.loads("".join(json_text(results)))
    assert parsed[2].keys() == {"image", "error"}
    rows = list(csv.DictReader(io.StringIO("".join(csv_text(results, predictor.classes)))))
    for row, entry in zip(rows, parsed[:2], strict=True):
        assert (row["image"], row["class"]) == (entry["image"], entry["class"])
        assert float(row["confidence"]) == pytest.approx(entry["confidence"], abs=1e-5)
        for name in predictor.classes:
            assert float(row[name]) == pytest.approx(entry["probabilities"][name], abs=1e-5)


def test_of_no_results_there_is_an_empty_list():
    assert json.loads("".join(json_text([]))) == []


def test_a_name_that_a_spreadsheet_would_compute_is_a_text():
    named = Prediction("=cmd().png", "=1+1", 0.75, {"=1+1": 0.75, "2": 0.25})
    assert "".join(csv_text([named], named.probabilities)).splitlines() == [
        "image,class,confidence,'=1+1,2",
        "'=cmd().png,'=1+1,0.75,0.75,0.25",
    ]


def test_a_file_whose_name_is_no_utf_8_is_named_all_the_same(predictor, test_set, tmp_path):
    save_images(tmp_path, test_set.images[:2])
    (tmp_path / "000.png").rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    os.truncate(os.fsencode(tmp_path) + b"/caf\xe9.png", 20)
    results = list(predictor.predict([str(tmp_path)]))
    assert [type(result) for result in results] == [Prediction, Refusal]
    assert results[1].image.endswith("caf\\udce9.png")
    "".join(json_text(results)).encode()
    assert results[1].image in results[1].reason


@pytest.mark.parametrize(
    ("data", "classes", "preparation"),
    [
        ({"source": "mnist", "classes": list("abcdefghij")}, tuple("abcdefghij"), "mnist"),
        ({"source": "digits"}, tuple("0123456789"), "digits"),
        ({"source": "gone.npz"}, tuple("0123456789"), "mnist"),
        ({"source": "gone.npz", "preparation": "plain"}, tuple("0123456789"), "plain"),
        ({"source": "digits", "classes": ["only", "two"]}, tuple("0123456789"), "digits"),
        ({"source": "digits", "classes": ["same"] * 10}, tuple("0123456789"), "digits"),
        ({"source": "digits", "classes": ["\x1b[2J", *"abcdefghi"]}, tuple("0123456789"), "digits"),
        ({"source": "digits", "classes": ["\ud800", *"abcdefghi"]}, tuple("0123456789"), "digits"),
    ],
)
def test_class_names_come_from_the_card_or_the_data_or_are_numbers(model_file, data, classes, preparation):
    checksum = hashlib.sha256(model_file.read_bytes()).hexdigest()
    model_file.with_suffix(".json").write_text(json.dumps({"sha256": checksum, "data": data}))
    predictor = Predictor(model_file)
    assert (predictor.classes, predictor.preparation) == (classes, preparation)


def test_model_without_a_card_takes_its_pictures_for_mnist(model_file):
    model_file.with_suffix(".json").unlink()
    with pytest.warns(UnverifiedModelWarning):
        assert Predictor(model_file).preparation == "mnist"
    with pytest.warns(UnverifiedModelWarning):
        assert Predictor(model_file, "plain").preparation == "plain"
