import gzip
import pickle

import h5py
import numpy as np
import pytest
from data_examples import make_split, write_folder, write_idx

from main.config import DataConfig
from main.data import MissingData, describe, load_test, load_training
from main.data.splits import joined

TRAIN, VALIDATION, TEST = make_split(200, seed=1), make_split(40, seed=2), make_split(50, seed=3)


def named(**parts):
    arrays = {}
    for part, split in parts.items():
        arrays[f"x_{part}"], arrays[f"y_{part}"] = split.images[..., 0], split.labels
    return arrays


def write_h5(path, arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def write_pickle(path, arrays):
    path.write_bytes(gzip.compress(pickle.dumps(arrays)))


@pytest.fixture(params=["a.npz", "a.h5", "a.pkl.gz"])
def write(request, tmp_path):
    """Writes named arrays in each form, and gives the section that reads them."""
    writers = {
        "a.npz": lambda path, arrays: np.savez(path, **arrays),
        "a.h5": write_h5,
        "a.pkl.gz": write_pickle,
    }

    def write(arrays, **options):
        path = tmp_path / request.param
        writers[request.param](path, arrays)
        return DataConfig(source=str(path), **options)

    return write


def same(split, other):
    np.testing.assert_array_equal(split.images, other.images)
    np.testing.assert_array_equal(split.labels, other.labels)


def test_train_and_test(write):
    config = write(named(train=TRAIN, test=TEST))
    data = load_training(config)
    assert (len(data.train), len(data.validation), data.n_classes) == (180, 20, 10)
    same(joined(data.train, data.validation), TRAIN)
    same(load_test(config), TEST)
    info = describe(config)
    assert (info.n_train, info.n_validation, info.input_shape) == (180, 20, (8, 8, 1))


def test_a_validation_part_validates(write):
    config = write(named(train=TRAIN, validation=VALIDATION, test=TEST))
    data = load_training(config)
    same(data.train, TRAIN)
    same(data.validation, VALIDATION)
    wider = load_training(config.model_copy(update={"validation": 50}))
    same(wider.validation, joined(TRAIN.take(slice(190, None)), VALIDATION))


def test_without_a_test_part_one_image_in_five_is_drawn(write):
    config = write({"images": TRAIN.images, "labels": TRAIN.labels})
    data, test = load_training(config), load_test(config)
    assert (len(data.train), len(data.validation), len(test)) == (144, 16, 40)
    everything = np.concatenate([split.images.reshape(-1, 64) for split in (data.train, data.validation, test)])
    assert len(np.unique(everything, axis=0)) == 200
    assert np.bincount(test.labels).tolist() == [4] * 10
    same(load_test(config.model_copy(update={"seed": 5, "validation": 30})), test)


def test_a_train_part_alone_gives_up_a_test_set_too(write):
    config = write(named(train=TRAIN, validation=VALIDATION))
    data = load_training(config)
    assert (len(data.train), len(load_test(config))) == (160, 40)
    same(data.validation, VALIDATION)


@pytest.mark.parametrize("divisor", [255, 256])
def test_every_part_is_brought_to_grey_levels_as_the_training_images_are(write, divisor):
    """Whatever the smaller part would have been taken for by itself."""
    arrays = named(train=TRAIN, validation=VALIDATION, test=TEST)
    for part in ("train", "validation", "test"):
        arrays[f"x_{part}"] = (arrays[f"x_{part}"] / divisor).astype(np.float32)
    levels = (20 * arrays["y_test"] / 256).astype(np.float32)
    arrays["x_test"] = np.broadcast_to(levels[:, None, None], (50, 8, 8))
    config = write(arrays)
    data = load_training(config)
    same(data.train, TRAIN)
    same(data.validation, VALIDATION)
    np.testing.assert_array_equal(load_test(config).images[:, 0, 0, 0], np.rint(levels * divisor))


def test_refuses_parts_of_different_ranges(write, refuses):
    config = write(named(train=TRAIN, test=TEST) | {"x_test": TEST.images[..., 0] / 255})
    refuses(lambda: load_test(config), config.source, "x_test", "0 to 255, as those that train do")


def test_classes_from_1(write):
    arrays = named(train=TRAIN, test=TEST)
    arrays["y_train"], arrays["y_test"] = TRAIN.labels + 1, TEST.labels + 1
    config = write(arrays)
    data = load_training(config)
    assert data.classes == tuple(str(number) for number in range(1, 11))
    assert set(data.train.labels) == set(range(10))
    same(load_test(config), TEST)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x_test": TEST.images[:, :7, :, 0]}, "expected images of 8 × 8 × 1 as in training, but found 7 × 8 × 1"),
        ({"y_train": TRAIN.labels[:-1]}, "a label for each of the 200 images, but found 199"),
        ({"y_train": np.where(TRAIN.labels == 3, 4, TRAIN.labels)}, "class 3 has none"),
        ({"x_train": TRAIN.images.astype(np.int32) * 2}, "pixels must lie in 0 to 255"),
        ({"x_train": np.full((200, 8, 8), np.nan)}, "finite"),
        ({"x_train": np.array(1.0)}, "it is a single number"),
    ],
)
def test_refuses_arrays_that_do_not_fit(write, refuses, change, words):
    config = write(named(train=TRAIN, test=TEST) | change)
    refuses(lambda: load_training(config), config.source, words)


def test_refuses_a_test_label_that_training_lacks(write, refuses):
    arrays = named(train=TRAIN, test=TEST)
    arrays["y_test"] = np.full(50, 10)
    config = write(arrays)
    refuses(lambda: load_test(config), config.source, "y_test", "found 10")


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_folder_of_idx_files(tmp_path, ending):
    folder = write_folder(tmp_path / "mine", TRAIN, TEST, ending)
    config = DataConfig(source=str(folder))
    data = load_training(config)
    same(joined(data.train, data.validation), TRAIN)
    same(load_test(config), TEST)
    assert describe(config).n_train == 180


def test_idx_files_by_other_names(tmp_path):
    for part, split in (("train", TRAIN), ("test", TEST)):
        write_idx(tmp_path / f"emnist-digits-{part}-images-idx3-ubyte.gz", split.images[..., 0])
        write_idx(tmp_path / f"emnist-digits-{part}-labels.idx1-ubyte", split.labels.astype(np.uint8))
    same(load_test(DataConfig(source=str(tmp_path))), TEST)


def test_of_a_plain_and_a_gzipped_copy_the_plain_one_is_read(tmp_path):
    write_folder(tmp_path, TRAIN, TEST, "")
    for path in list(tmp_path.iterdir()):
        path.with_name(path.name + ".gz").write_bytes(b"never read")
    same(load_test(DataConfig(source=str(tmp_path))), TEST)


def test_refuses_two_data_sets_in_one_folder(tmp_path, refuses):
    write_folder(tmp_path, TRAIN, TEST)
    write_idx(tmp_path / "other-train-images-idx3-ubyte.gz", TRAIN.images[..., 0])
    refuses(lambda: describe(DataConfig(source=str(tmp_path))), tmp_path, "both", "train-images")


def test_refuses_a_folder_that_lacks_a_file(tmp_path, refuses):
    (write_folder(tmp_path, TRAIN, TEST) / "t10k-labels-idx1-ubyte.gz").unlink()
    config = DataConfig(source=str(tmp_path), otherwise="digits")
    refuses(lambda: load_training(config), tmp_path, "t10k-labels-idx1-ubyte")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mnits", "did you mean 'mnist'?"),
        ("digit", "did you mean 'digits'?"),
        ("fashion-mnist", "did you mean 'fashion_mnist'?"),
        ("zzz", "expected mnist, fashion_mnist, digits"),
        ("zzz", "or a path from the folder in which the command runs"),
        ("x" * 5_000, "unknown source"),
        ("a\0b", "unknown source"),
        ("", "unknown source"),  # and not the folder one is in
    ],
)
def test_refuses_unknown_names_without_falling_back(nowhere, refuses, name, words):
    assert len(refuses(lambda: load_training(DataConfig(source=name, otherwise="digits")), words)) < 300


@pytest.mark.parametrize("name", ["gone.npz", "gone.h5", "gone.pkl.gz", "./gone", "gone/", "../gone.PKL.GZ"])
def test_a_path_where_nothing_lies_is_missing(nowhere, name):
    with pytest.raises(MissingData, match="gone"):
        describe(DataConfig(source=name))


def test_refuses_files_of_other_forms(nowhere, refuses):
    (nowhere / "a.csv").write_text("1,2,3")
    refuses(lambda: describe(DataConfig(source="a.csv", otherwise="digits")), "a.csv", ".npz", ".pkl.gz")
    (nowhere / "folder.npz").mkdir()
    refuses(lambda: describe(DataConfig(source="folder.npz")), "folder.npz")


def test_a_name_comes_before_a_folder_of_that_name(nowhere):
    write_folder(nowhere / "digits", TRAIN, TEST)
    assert describe(DataConfig(source="digits")).n_train == 1_200
    assert describe(DataConfig(source="./digits")).n_train == 180
