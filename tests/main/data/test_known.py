"""The published data sets: where they are found, and what is checked of them."""

import gzip
import shutil

import numpy as np
import pytest
from data_examples import make_split, write_folder

from main.config import DataConfig
from main.data import MissingData, describe, load_test, load_training
from main.data.idx import read_idx
from main.data.records import Split


def fashion_like(count, seed=0):
    images = np.zeros((count, 28, 28, 1), np.uint8)
    images[:, 0, 0, 0] = 100 + seed
    return Split(images, np.arange(count) % 10)


@pytest.fixture(scope="module")
def fashion():
    return fashion_like(60_000), fashion_like(10_000)


def save_npz(path, train, test):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, x_train=train.images[..., 0], y_train=train.labels, x_test=test.images[..., 0], y_test=test.labels)


def test_mnist_is_read_and_split_as_published(mnist_folder, monkeypatch):
    monkeypatch.setenv("OPTIMIZE_DATA", str(mnist_folder))
    data, test = load_training(DataConfig()), load_test(DataConfig())
    assert (len(data.train), len(data.validation), len(test)) == (55_000, 5_000, 10_000)
    assert data.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert test.labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert data.validation.labels[-1] == 8
    assert data.train.images.mean() == pytest.approx(33.3, abs=0.3)
    assert describe(DataConfig(validation=10_000)).n_train == 50_000
    first = load_training(DataConfig(train=12_800))
    np.testing.assert_array_equal(first.train.images, data.train.images[:12_800])
    np.testing.assert_array_equal(first.validation.images, data.validation.images)


def test_mnist_npz_is_the_same_data(mnist_folder, nowhere, monkeypatch):
    files = {path.name.split("-idx")[0]: read_idx(path) for path in (mnist_folder / "mnist").glob("*.gz")}
    monkeypatch.setenv("OPTIMIZE_DATA", str(mnist_folder))
    from_idx = load_training(DataConfig()).checksum
    monkeypatch.delenv("OPTIMIZE_DATA")
    arrays = {"x_train": files["train-images"], "y_train": files["train-labels"].astype(np.int64),
              "x_test": files["t10k-images"], "y_test": files["t10k-labels"]}  # fmt: skip
    for place in ("data/mnist/mnist.npz", "data/mnist.npz", "keras/datasets/mnist.npz"):
        (nowhere / place).parent.mkdir(parents=True, exist_ok=True)
        np.savez(nowhere / place, **arrays)
        assert load_training(DataConfig()).checksum == from_idx
        assert len(load_test(DataConfig())) == 10_000
        (nowhere / place).unlink()


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"])
def test_one_wrong_byte_of_mnist_is_a_wrong_checksum(mnist_folder, nowhere, refuses, name):
    folder = nowhere / "data" / "mnist"
    shutil.copytree(mnist_folder / "mnist", folder)
    folder.chmod(0o755)
    packed = folder / f"{name}.gz"
    content = bytearray(gzip.decompress(packed.read_bytes()))
    content[-1] = (content[-1] + 1) % 10
    packed.unlink()
    (folder / name).write_bytes(content)
    load = load_test if name.startswith("t10k") else load_training
    refuses(lambda: load(DataConfig(otherwise="digits")), f"data/mnist/{name}: wrong checksum", "expected md5")


def test_mnist_of_another_size_is_refused_by_its_headers(nowhere, refuses):
    write_folder(nowhere / "data" / "mnist", make_split(200), make_split(50))
    refuses(lambda: describe(DataConfig()), "data/mnist", "60,000 × 28 × 28 × 1", "200 × 8 × 8 × 1")


def test_mnist_without_a_test_set_is_refused(nowhere, refuses):
    (nowhere / "data").mkdir()
    split = make_split(200)
    np.savez(nowhere / "data" / "mnist.npz", x=split.images, y=split.labels)
    refuses(lambda: describe(DataConfig()), "expected train and test")


def test_fashion_mnist_in_each_place(nowhere, monkeypatch, fashion):
    monkeypatch.setenv("OPTIMIZE_DATA", str(nowhere / "mine"))
    config = DataConfig(source="fashion_mnist")
    for place in ("keras/datasets/fashion-mnist", "data/fashion_mnist", "mine/fashion_mnist"):
        train, test = fashion
        write_folder(nowhere / place, train, test)  # each place comes before the one before it
    info, data = describe(config), load_training(config)
    assert (info.n_train, info.n_validation) == (len(data.train), len(data.validation)) == (55_000, 5_000)
    assert data.classes[9] == "ankle boot"
    assert len(load_test(config)) == 10_000


def test_the_users_folder_comes_before_the_cache(nowhere, fashion):
    train, test = fashion
    save_npz(nowhere / "data" / "fashion_mnist.npz", train, test)
    write_folder(nowhere / "keras/datasets/fashion-mnist", fashion_like(60_000, seed=7), test)
    assert load_training(DataConfig(source="fashion_mnist")).train.images.max() == 100


def test_fashion_mnist_is_checked_for_labels(nowhere, refuses, fashion):
    train, test = fashion
    wrong = Split(train.images, np.where(train.labels == 9, 10, train.labels))
    save_npz(nowhere / "data" / "fashion_mnist.npz", wrong, test)
    refuses(lambda: load_training(DataConfig(source="fashion_mnist")), "fashion_mnist.npz: y_train", "0 to 9", "10")


def test_an_interrupted_download_of_keras_is_passed_over(nowhere):
    folder = write_folder(nowhere / "keras/datasets/fashion-mnist", make_split(200), make_split(50))
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    assert "will be downloaded" in describe(DataConfig(source="fashion_mnist")).notice


@pytest.fixture
def downloads(nowhere, monkeypatch):
    """Lets a download succeed: a script copies what Keras would have fetched."""

    def downloads(source, place):
        script = nowhere / "fetch.py"
        target = f"os.path.join(os.environ['KERAS_HOME'], 'datasets', {place!r})"
        script.write_text(f"import os, shutil\nshutil.copytree({str(source)!r}, {target})\n")
        monkeypatch.setattr("main.data.download.SCRIPT", script)

    return downloads


def test_what_is_nowhere_is_downloaded_once(nowhere, downloads, fashion, monkeypatch):
    downloads(write_folder(nowhere / "elsewhere", *fashion), "fashion-mnist")
    config = DataConfig(source="fashion_mnist", otherwise="digits")
    data = load_training(config)
    assert (data.source, data.notice, len(data.train)) == ("fashion_mnist", None, 55_000)
    monkeypatch.setattr("main.data.download.SCRIPT", nowhere / "not asked again")
    assert load_training(config).checksum == data.checksum
    assert describe(config).notice is None


def test_half_a_download_is_missing_data(nowhere, downloads, fashion):
    folder = write_folder(nowhere / "elsewhere", *fashion)
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    downloads(folder, "fashion-mnist")
    with pytest.raises(MissingData, match="not where Keras keeps it"):
        load_training(DataConfig(source="fashion_mnist"))


def test_a_home_of_nobody_is_said(nowhere, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", "~nobody-of-that-name/keras")
    with pytest.raises(MissingData, match="no user of this machine has that name"):
        load_training(DataConfig(source="mnist"))
