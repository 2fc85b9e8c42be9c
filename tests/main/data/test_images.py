import os

import numpy as np
import pytest
from PIL import Image

from main.config import DataConfig
from main.data import describe, load_test, load_training
from main.data.images import ImageFolder


def fill(folder, counts, shape=(6, 5), seed=0):
    """So many images of noise for each class."""
    noise = np.random.default_rng(seed)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            pixels = noise.integers(0, 256, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:03}.png")
    return folder


def rows(*splits):
    return np.concatenate([split.images.reshape(len(split), -1) for split in splits])


def test_one_level_of_classes_is_split_three_ways(tmp_path):
    config = DataConfig(source=str(fill(tmp_path / "pets", {"dog": 40, "cat": 20})))
    data, test = load_training(config), load_test(config)
    assert data.classes == ("cat", "dog")
    assert data.input_shape == (6, 5, 1)
    assert np.bincount(test.labels).tolist() == [4, 8]
    assert len(data.validation) == 4
    assert len(np.unique(rows(data.train, data.validation, test), axis=0)) == 60


def test_labels_go_with_their_images(tmp_path):
    config = DataConfig(source=str(fill(tmp_path / "pets", {"dog": 20, "cat": 20})))
    data = load_training(config)
    cats = {np.asarray(Image.open(path)).tobytes() for path in (tmp_path / "pets" / "cat").iterdir()}
    for image, label in zip(data.train.images, data.train.labels, strict=True):
        assert (image.tobytes() in cats) == (data.classes[label] == "cat")


def test_train_and_test_folders_stay_apart(tmp_path):
    folder = tmp_path / "pets"
    fill(folder / "train", {"cat": 30, "dog": 30}, seed=1)
    fill(folder / "test", {"cat": 5, "dog": 7}, seed=2)
    config = DataConfig(source=str(folder))
    info = describe(config)
    assert (info.n_train, info.n_validation) == (54, 6)
    data = load_training(config)
    assert np.bincount(load_test(config).labels).tolist() == [5, 7]
    assert len(np.unique(rows(data.train, data.validation), axis=0)) == 60


def test_a_validation_folder_validates(tmp_path):
    folder = tmp_path / "pets"
    for part, seed in (("train", 1), ("val", 2), ("test", 3)):
        fill(folder / part, {"cat": 10, "dog": 10}, seed=seed)
    data = load_training(DataConfig(source=str(folder)))
    kept = {np.asarray(Image.open(path)).tobytes() for path in (folder / "val").rglob("*.png")}
    assert {image.tobytes() for image in data.validation.images} == kept
    assert np.bincount(load_training(DataConfig(source=str(folder), validation=10)).validation.labels).tolist() == [
        5,
        5,
    ]


@pytest.mark.parametrize("name", ["validation", "valid", "Val", "dev"])
def test_a_validation_folder_may_be_called_as_in_other_formats(tmp_path, name):
    fill(tmp_path / "train", {"cat": 12, "dog": 12})
    fill(tmp_path / name, {"cat": 4, "dog": 4}, seed=1)
    assert len(load_training(DataConfig(source=str(tmp_path))).validation) == 8


@pytest.mark.parametrize(("first", "second", "part"), [("val", "validation", "validation"), ("TEST", "test", "test")])
def test_refuses_two_folders_of_one_part(tmp_path, refuses, first, second, part):
    for name in ("train", first, second):
        fill(tmp_path / name, {"cat": 4, "dog": 4})
    if len(list(tmp_path.iterdir())) < 3:
        pytest.skip("a file system to which both names are one")
    refuses(lambda: ImageFolder("pets", tmp_path), f"both {first}/ and {second}/ could be the {part} part")


def test_a_folder_that_holds_images_is_a_class_whatever_it_is_called(tmp_path):
    fill(tmp_path / "toys", {"car": 20, "Train": 20, "valid": 20, "test": 20})
    info = describe(DataConfig(source=str(tmp_path / "toys")))
    assert info.classes == ("Train", "car", "test", "valid")


def test_folders_beside_the_parts_are_passed_over_and_said_to_be(tmp_path):
    folder = tmp_path / "pets"
    for name in ("train", "test", "Testing_2"):
        fill(folder / name, {"cat": 10, "dog": 10})
    for number in range(6):
        (folder / f"labels {number}").mkdir()
    (folder / "readme.txt").write_text("no folder")
    config = DataConfig(source=str(folder))
    beside = "passed over beside train/: Testing_2/, labels 0/, labels 1/, labels 2/, labels 3/ and 2 more"
    assert describe(config).remark == load_training(config).remark == f"{folder}: {beside}"


def test_of_a_folder_that_is_read_whole_there_is_nothing_to_remark(tmp_path):
    fill(tmp_path / "classes", {"cat": 10, "dog": 10, "train": 10})
    fill(tmp_path / "parts" / "train", {"cat": 10, "dog": 10})
    fill(tmp_path / "parts" / "val", {"cat": 10, "dog": 10})
    for name in ("classes", "parts"):
        assert describe(DataConfig(source=str(tmp_path / name))).remark is None


def test_images_of_no_class_beside_those_that_train_are_refused(tmp_path, refuses):
    fill(tmp_path / "a" / "train", {"cat": 20, "dog": 20})
    fill(tmp_path / "a", {"test": 20})
    refuses(lambda: load_test(DataConfig(source=str(tmp_path / "a"))), tmp_path / "a" / "test", "found none")


def test_the_same_folder_gives_the_same_split(tmp_path):
    config = DataConfig(source=str(fill(tmp_path / "pets", {"dog": 20, "cat": 20})))
    assert load_training(config).checksum == load_training(config).checksum


def test_images_numbered_through_all_classes_come_in_that_order(tmp_path):
    for place, name in enumerate(("dog", "cat", "cat", "dog", "cat", "dog"), start=1):
        (tmp_path / name).mkdir(exist_ok=True)
        Image.new("L", (5, 4), place).save(tmp_path / name / f"{place:05}.png")
    whole = ImageFolder("pets", tmp_path).parts()["whole"]
    assert whole.images[:, 0, 0, 0].tolist() == [1, 2, 3, 4, 5, 6]
    assert whole.labels.tolist() == [1, 0, 0, 1, 0, 1]


def test_images_numbered_anew_in_each_class_are_mixed(tmp_path):
    for value, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        for number in range(1, 4):
            Image.new("L", (5, 4), value).save(tmp_path / name / f"{number:05}.png")
    labels = ImageFolder("pets", tmp_path).parts()["whole"].labels
    assert [sorted(pair) for pair in labels.reshape(3, 2).tolist()] == [[0, 1]] * 3


def test_numbers_are_classes_in_the_order_of_numbers(tmp_path):
    fill(tmp_path / "a", {str(number): 10 for number in range(12)})
    assert describe(DataConfig(source=str(tmp_path / "a"))).classes == tuple(map(str, range(12)))


def test_colour_has_three_channels_and_takes_grey_images_in(tmp_path):
    fill(tmp_path / "a", {"cat": 20, "dog": 20}, shape=(4, 4, 3))
    Image.new("L", (4, 4), 7).save(tmp_path / "a" / "dog" / "zzz.png")
    data = load_training(DataConfig(source=str(tmp_path / "a")))
    assert data.input_shape == (4, 4, 3)


def test_refuses_colour_among_greyscale_by_name(tmp_path, refuses):
    fill(tmp_path / "a", {"cat": 20, "dog": 20}, shape=(4, 4))
    for name in ("cat", "dog"):
        Image.new("RGB", (4, 4), (1, 2, 3)).save(tmp_path / "a" / name / "zzz.png")
    config = DataConfig(source=str(tmp_path / "a"))

    def read_all():
        load_training(config)
        load_test(config)

    refuses(read_all, "zzz.png", "colour", "greyscale")


def test_refuses_mixed_sizes_by_name(tmp_path, refuses):
    fill(tmp_path / "a" / "train", {"cat": 20, "dog": 20}, shape=(4, 4))
    fill(tmp_path / "a" / "test", {"cat": 2, "dog": 2}, shape=(4, 4))
    Image.new("L", (9, 7)).save(tmp_path / "a" / "train" / "dog" / "odd.png")
    config = DataConfig(source=str(tmp_path / "a"))
    refuses(lambda: load_training(config), "odd.png", "expected 4 × 4", "found 9 × 7")


def test_refuses_what_is_no_image_by_name(tmp_path, refuses):
    folder = fill(tmp_path / "a", {"cat": 20, "dog": 20})
    (folder / "dog" / "notes.txt").write_text("no image")
    refuses(lambda: describe(DataConfig(source=str(folder))), "notes.txt", ".png")
    (folder / "dog" / "notes.txt").rename(folder / "dog" / "notes.png")
    (folder / "test").mkdir()
    refuses(lambda: describe(DataConfig(source=str(folder))), "no train/")
    (folder / "test").rmdir()
    refuses(
        lambda: [load_training(DataConfig(source=str(folder))), load_test(DataConfig(source=str(folder)))], "notes.png"
    )


def test_passes_over_what_file_managers_leave(tmp_path):
    folder = fill(tmp_path / "a", {"cat": 20, "dog": 20})
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / "cat" / name).touch()
    (folder / ".git").mkdir()
    (folder / "README.txt").touch()
    assert describe(DataConfig(source=str(folder))).n_classes == 2


@pytest.mark.parametrize(
    ("counts", "words"), [({}, "found none"), ({"cat": 5}, "found cat"), ({"cat": 5, "dog": 0}, "it is empty")]
)
def test_refuses_too_few_classes_or_images(tmp_path, refuses, counts, words):
    folder = tmp_path / "a"
    folder.mkdir()
    refuses(lambda: describe(DataConfig(source=str(fill(folder, counts)))), folder, words)


@pytest.mark.parametrize("parts", [("train", "test"), ("train", "test1"), ("train", "valid", "testing")])
def test_images_without_classes_are_refused(tmp_path, refuses, parts):
    """Whose classes stand in a table, or nowhere: parts are no classes to tell apart."""
    folder = fill(tmp_path / "a", dict.fromkeys(parts, 20))
    refuses(lambda: describe(DataConfig(source=str(folder))), folder, "expected a folder of images for each")


def test_refuses_other_classes_in_test(tmp_path, refuses):
    fill(tmp_path / "a" / "train", {"cat": 20, "dog": 20})
    fill(tmp_path / "a" / "test", {"cat": 2, "dgo": 2})
    refuses(lambda: load_test(DataConfig(source=str(tmp_path / "a"))), tmp_path / "a" / "test", "dgo, dog")


def test_refuses_more_than_memory_is_meant_for(tmp_path, refuses, monkeypatch):
    monkeypatch.setattr("main.data.images.MAX_BYTES", 100)
    config = DataConfig(source=str(fill(tmp_path / "a", {"cat": 20, "dog": 20})))
    refuses(lambda: load_training(config), "take 960 bytes", "at most 100")


def test_refuses_a_class_whose_name_cannot_be_written(tmp_path, refuses):
    folder = fill(tmp_path / "photos", {"cat": 2, "dog": 2})
    (folder / "dog").rename(os.fsdecode(os.fsencode(folder) + b"/caf\xe9"))
    config = DataConfig(source=str(folder))
    refuses(lambda: load_training(config), folder, "the name of class 'caf\\udce9' cannot be shown")
