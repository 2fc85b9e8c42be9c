import gzip
import os
import pickle
from itertools import permutations

import numpy as np
import pytest
from data_examples import make_split, write_folder
from PIL import Image

from main.config import DataConfig
from main.data import DataError, load_test, load_training
from main.data.arraysource import ArraySource
from main.data.convert import convert
from main.data.idx import read_idx
from main.data.known import KnownData
from main.data.paths import open_arrays, open_path

TRAIN, VALIDATION, TEST = make_split(60, seed=1), make_split(20, seed=2), make_split(30, seed=3)
FORMS = ["a.npz", "a.h5", "a.pkl.gz", "a"]
IMAGES = "images"
"""A folder that is written as images."""


def same(found, expected):
    assert list(found) == list(expected)
    for part, split in expected.items():
        np.testing.assert_array_equal(found[part].images, split.images)
        np.testing.assert_array_equal(found[part].labels, split.labels)


def written(source, target):
    return convert(source, target, images=target.name == IMAGES)


@pytest.fixture(autouse=True)
def quick_writes(monkeypatch):
    """Folders are not flushed to the disk, which would wait for whatever else this machine is writing."""
    monkeypatch.setattr(os, "sync", lambda: None, raising=False)


@pytest.fixture
def three_parts(tmp_path):
    path = tmp_path / "three.npz"
    np.savez(path, x_train=TRAIN.images[..., 0], y_train=TRAIN.labels, x_val=VALIDATION.images[..., 0],
             y_val=VALIDATION.labels, x_test=TEST.images[..., 0], y_test=TEST.labels)  # fmt: skip
    return path


@pytest.mark.parametrize(("first", "second"), list(permutations([*FORMS, IMAGES], 2)))
def test_train_and_test_survive_any_way_there_and_back(tmp_path, first, second):
    start = write_folder(tmp_path / "start", TRAIN, TEST)
    (tmp_path / "there").mkdir()
    assert written(start, tmp_path / "there" / first).notes == ()
    conversion = written(tmp_path / "there" / first, tmp_path / "back" / second)
    assert conversion.path == tmp_path / "back" / second
    assert conversion.sizes == {"train": 60, "test": 30}
    assert conversion.notes == ()
    same(open_path(str(conversion.path)).parts(), {"train": TRAIN, "test": TEST})


@pytest.mark.parametrize("form", [*FORMS[:3], IMAGES])
def test_validation_stays_apart_where_the_form_can(tmp_path, three_parts, form):
    conversion = written(three_parts, tmp_path / form)
    assert conversion.sizes == {"train": 60, "validation": 20, "test": 30}
    assert conversion.notes == ()
    same(open_path(str(tmp_path / form)).parts(), {"train": TRAIN, "validation": VALIDATION, "test": TEST})


def test_idx_files_take_validation_at_the_end_of_training_and_say_so(tmp_path, three_parts):
    conversion = convert(three_parts, tmp_path / "idx")
    assert conversion.sizes == {"train": 80, "test": 30}
    assert conversion.notes == (
        "the 20 validation images now end the training file, where `validation: 20` finds them",
    )
    found = load_training(DataConfig(source=str(tmp_path / "idx"), validation=20))
    assert found.checksum == load_training(DataConfig(source=str(three_parts))).checksum


def test_idx_files_are_named_and_built_as_those_of_mnist(tmp_path, three_parts):
    convert(three_parts, tmp_path / "idx")
    assert sorted(path.name for path in (tmp_path / "idx").iterdir()) == [
        "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
    ]  # fmt: skip
    np.testing.assert_array_equal(read_idx(tmp_path / "idx" / "t10k-images-idx3-ubyte"), TEST.images[..., 0])


def test_a_pickle_has_the_shape_of_mnist_pkl_gz(tmp_path, three_parts):
    """Any script written for that file can read it."""
    convert(three_parts, tmp_path / "a.pkl.gz")
    with gzip.open(tmp_path / "a.pkl.gz") as file:
        (x_train, y_train), (x_valid, _), (x_test, _) = pickle.load(file, encoding="latin1")
    assert (x_train.dtype, x_train.shape, y_train.dtype) == (np.float32, (60, 64), np.int64)
    assert x_train.max() == np.float32(255 / 256)
    assert (len(x_valid), len(x_test)) == (20, 30)


@pytest.mark.parametrize("form", [*FORMS[:3], IMAGES])
def test_a_whole_stays_whole_where_the_form_can(tmp_path, form):
    np.savez(tmp_path / "whole.npz", images=TRAIN.images, labels=TRAIN.labels)
    assert written(tmp_path / "whole.npz", tmp_path / form).sizes == {"whole": 60}
    same(open_path(str(tmp_path / form)).parts(), {"whole": TRAIN})


def test_idx_files_need_a_test_set_which_is_drawn_as_loading_would(tmp_path):
    np.savez(tmp_path / "whole.npz", images=TRAIN.images, labels=TRAIN.labels)
    conversion = convert(tmp_path / "whole.npz", tmp_path / "idx")
    assert conversion.sizes == {"train": 48, "test": 12}
    assert conversion.notes == ("a test set of 12 images was drawn, which the source does not have",)
    np.testing.assert_array_equal(
        load_test(DataConfig(source=str(tmp_path / "idx"))).images,
        load_test(DataConfig(source=str(tmp_path / "whole.npz"))).images,
    )


def test_colour_survives(tmp_path):
    colour = make_split(40, channels=3)
    np.savez(
        tmp_path / "a.npz", x_train=colour.images, y_train=colour.labels, x_test=colour.images, y_test=colour.labels
    )
    for form in ("b.h5", "b.pkl.gz", "b", IMAGES):
        written(tmp_path / "a.npz", tmp_path / form)
        same(open_path(str(tmp_path / form)).parts(), {"train": colour, "test": colour})


def test_says_what_was_rounded(tmp_path):
    values = np.random.default_rng(0).random((60, 8, 8))
    np.savez(tmp_path / "a.npz", x_train=values, y_train=TRAIN.labels, x_test=values / 2, y_test=TRAIN.labels)
    assert convert(tmp_path / "a.npz", tmp_path / "a.h5").notes == (
        "pixels of x_train, x_test are rounded to 256 levels",
    )


def test_says_how_classes_are_numbered(tmp_path):
    for name, value in (("cat", 10), ("dog", 200)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(10):
            Image.new("L", (5, 4), value + number).save(tmp_path / "pets" / name / f"{number}.png")
    conversion = convert(tmp_path / "pets", tmp_path / "pets.npz")
    assert conversion.notes == ("classes are numbered: cat is 0, dog is 1",)
    split = open_path(str(tmp_path / "pets.npz")).parts()["whole"]
    np.testing.assert_array_equal(split.labels == 1, split.images[:, 0, 0, 0] >= 200)


def test_says_which_folders_are_passed_over(tmp_path, three_parts):
    convert(three_parts, tmp_path / "digits", images=True)
    (tmp_path / "digits" / "Testing_2").mkdir()
    conversion = convert(tmp_path / "digits", tmp_path / "digits.npz")
    assert conversion.notes == (f"{tmp_path / 'digits'}: passed over beside train/: Testing_2/",)


def test_images_are_numbered_through_the_folders_of_their_classes(tmp_path, three_parts):
    convert(three_parts, tmp_path / "out", images=True)
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.png")}
    splits = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
    assert found == {
        f"{part}/{label}/{place:05}.png"
        for part, split in splits.items()
        for place, label in enumerate(split.labels, start=1)
    }


def test_a_training_part_alone_is_a_whole_folder_of_images(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=TRAIN.images, y_train=TRAIN.labels)
    assert convert(tmp_path / "a.npz", tmp_path / "out", images=True).sizes == {"whole": 60}
    same(open_path(str(tmp_path / "out")).parts(), {"whole": TRAIN})


def test_images_keep_the_names_of_their_classes(tmp_path):
    for name, value in (("sea gull", 10), ("Écureuil", 200)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (5, 4), (value, number, 0)).save(tmp_path / "pets" / name / f"{number}.png")
    conversion = convert(tmp_path / "pets", tmp_path / "out", images=True)
    assert conversion.notes == ()
    before, after = open_path(str(tmp_path / "pets")), open_path(str(tmp_path / "out"))
    assert after.header().classes == before.header().classes == ("sea gull", "Écureuil")
    same(after.parts(), before.parts())


@pytest.mark.parametrize("name", ["T-shirt/top", "..", ".hidden", "", "Thumbs.db", "a\\b", "a\x00b"])
def test_refuses_classes_that_no_folder_can_be_called_after(tmp_path, refuses, monkeypatch, name):
    write_folder(tmp_path / "idx", TRAIN, TEST)
    known = KnownData("things", (name, *"123456789"), 5, (), image_shape=(8, 8, 1), n_images={"train": 60, "test": 30})
    source = ArraySource("things", open_arrays(tmp_path / "idx"), known)
    monkeypatch.setattr("main.data.convert.open_source", lambda _: source)
    refuses(lambda: convert("things", tmp_path / "out", images=True), tmp_path / "out", repr(name), "folder")
    assert not (tmp_path / "out").exists()


def test_refuses_images_of_which_a_part_lacks_a_class(tmp_path, refuses):
    few = TEST.take(slice(9))
    np.savez(tmp_path / "a.npz", x_train=TRAIN.images, y_train=TRAIN.labels, x_test=few.images, y_test=few.labels)
    refuses(lambda: convert(tmp_path / "a.npz", tmp_path / "out", images=True), "the test part has none of class 9")
    assert not (tmp_path / "out").exists()


def test_refuses_the_name_of_a_file_for_a_folder_of_images(tmp_path, three_parts, refuses):
    refuses(lambda: convert(three_parts, tmp_path / "out.h5", images=True), "out.h5", "a folder", ".h5")
    assert convert(three_parts, tmp_path / "version.2", images=True).path.is_dir()


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_images_are_there_all_or_not_at_all(tmp_path, three_parts, monkeypatch, is_there, stop):
    if is_there:
        convert(three_parts, tmp_path / "out", images=True)
    before = sorted(tmp_path.rglob("*"))
    save, saved = Image.Image.save, []

    def stopped(image, path):
        saved.append(path)
        if len(saved) == 70:
            raise stop
        save(image, path)

    monkeypatch.setattr(Image.Image, "save", stopped)
    with pytest.raises((KeyboardInterrupt, DataError)):
        convert(three_parts, tmp_path / "out", images=True, overwrite=True)
    assert len(saved) == 70
    assert sorted(tmp_path.rglob("*")) == before


def test_images_are_replaced_whole_but_nothing_else_is(tmp_path, three_parts, refuses):
    np.savez(tmp_path / "few.npz", x=TEST.images, y=TEST.labels)
    convert(three_parts, tmp_path / "out", images=True)
    refuses(lambda: convert(tmp_path / "few.npz", tmp_path / "out", images=True), "out", "already exists")
    convert(tmp_path / "few.npz", tmp_path / "out", images=True, overwrite=True)
    same(open_path(str(tmp_path / "out")).parts(), {"whole": TEST})
    (tmp_path / "out" / "notes.txt").touch()
    refuses(lambda: convert(three_parts, tmp_path / "out", images=True, overwrite=True), "notes.txt", "not overwritten")
    same(open_path(str(tmp_path / "out")).parts(), {"whole": TEST})


def test_folders_of_images_keep_their_parts(tmp_path):
    for part, count in (("train", 12), ("validation", 4), ("test", 6)):
        for name in ("0", "1"):
            (tmp_path / "pets" / part / name).mkdir(parents=True)
            for number in range(count // 2):
                Image.new("L", (5, 4), 100 * int(name) + number).save(tmp_path / "pets" / part / name / f"{number}.png")
    conversion = convert(tmp_path / "pets", tmp_path / "pets.npz")
    assert conversion.sizes == {"train": 12, "validation": 4, "test": 6}
    assert conversion.notes == ()
    for split in open_path(str(tmp_path / "pets.npz")).parts().values():
        np.testing.assert_array_equal(split.labels == 1, split.images[:, 0, 0, 0] >= 100)


def test_reads_what_a_sweep_file_can_name(tmp_path):
    assert convert("digits", tmp_path / "digits.npz").sizes == {"train": 1_437, "test": 360}
    np.testing.assert_array_equal(
        load_test(DataConfig(source=str(tmp_path / "digits.npz"))).images, load_test(DataConfig(source="digits")).images
    )


def test_a_folder_that_is_there_comes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "mnist", TRAIN, TEST)
    assert convert("mnist", "mnist.npz").sizes == {"train": 60, "test": 30}


def test_never_overwrites_unless_told(tmp_path, three_parts, refuses):
    for target in ("a.npz", "idx"):
        convert(three_parts, tmp_path / target)
        refuses(lambda target=target: convert(three_parts, tmp_path / target), target, "already exists")
        convert(three_parts, tmp_path / target, overwrite=True)
    convert(three_parts, three_parts, overwrite=True)
    same(open_path(str(three_parts)).parts(), {"train": TRAIN, "validation": VALIDATION, "test": TEST})


@pytest.mark.parametrize("target", ["a.csv", "a.tar.gz", "a.txt"])
def test_refuses_unknown_forms(tmp_path, three_parts, refuses, target):
    refuses(lambda: convert(three_parts, tmp_path / target), target, ".npz", "IDX")


def test_refuses_a_place_that_cannot_be_written(tmp_path, three_parts, refuses):
    refuses(lambda: convert(three_parts, three_parts / "inside" / "a.npz"), "inside", "cannot be written")


def test_refuses_a_source_that_runs_code(tmp_path, refuses):
    (tmp_path / "mnist.pkl.gz").write_bytes(gzip.compress(b"cos\nsystem\n(S'touch trapped'\ntR."))
    refuses(lambda: convert(tmp_path / "mnist.pkl.gz", tmp_path / "mnist.h5"), "os.system", "nothing was run")
    assert not (tmp_path / "mnist.h5").exists()


def test_refuses_more_classes_than_a_byte_numbers(tmp_path, refuses):
    many = make_split(600, side=2, n_classes=300)
    np.savez(tmp_path / "a.npz", x_train=many.images, y_train=many.labels, x_test=many.images, y_test=many.labels)
    refuses(lambda: convert(tmp_path / "a.npz", tmp_path / "idx"), "256 classes", "300")
    convert(tmp_path / "a.npz", tmp_path / "a.h5")
    same(open_path(str(tmp_path / "a.h5")).parts(), {"train": many, "test": many})


def test_mnist_comes_back_from_every_form_byte_by_byte(tmp_path, mnist_folder, monkeypatch):
    monkeypatch.setenv("OPTIMIZE_DATA", str(mnist_folder))
    expected = load_training(DataConfig()).checksum
    source = mnist_folder / "mnist"
    for form in FORMS[1:]:
        source = convert(source, tmp_path / form).path
    assert load_training(DataConfig(source=str(source), validation=5_000)).checksum == expected


@pytest.mark.parametrize("form", ["pets.npz", "pets.h5", "idx"])
def test_the_test_set_that_is_drawn_from_a_folder_is_drawn_from_its_other_forms(tmp_path, form):
    for value, (name, count) in enumerate({"cat": 13, "dog": 22}.items()):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(count):
            pixels = np.full((4, 5), 100 * value + number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{name} {number}.png")
    convert(tmp_path / "pets", tmp_path / form)
    as_folder, converted = (load_test(DataConfig(source=str(tmp_path / name))) for name in ("pets", form))
    assert sorted(as_folder.images[:, 0, 0, 0].tolist()) == sorted(converted.images[:, 0, 0, 0].tolist())


def test_what_file_managers_leave_is_in_nobodys_way(tmp_path, three_parts):
    convert(three_parts, tmp_path / "out", images=True)
    (tmp_path / "out" / ".DS_Store").touch()
    (tmp_path / "out" / "Thumbs.db").touch()
    convert(three_parts, tmp_path / "out", images=True, overwrite=True)
    assert not (tmp_path / "out" / "Thumbs.db").exists()
