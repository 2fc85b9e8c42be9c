import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from data_examples import make_split, write_folder

from main.config import DataConfig
from main.data import DataError, MissingData, describe, fallback, load_test, load_training
from main.data.records import Split

DIGITS = DataConfig(source="digits")


def test_digits_are_1797_images_in_three_parts():
    data, test = load_training(DIGITS), load_test(DIGITS)
    assert (len(data.train), len(data.validation), len(test)) == (1_200, 237, 360)
    assert data.input_shape == (28, 28, 1)
    assert (data.n_classes, data.classes) == (10, tuple("0123456789"))
    whole = np.concatenate([split.images.reshape(-1, 784) for split in (data.train, data.validation, test)])
    assert len(np.unique(whole, axis=0)) == 1_797
    for split in (data.train, data.validation, test):
        assert np.ptp(np.bincount(split.labels)) <= 0.05 * len(split)


def test_digits_are_enlarged_as_they_are():
    from sklearn.datasets import load_digits

    original = {np.rint(image * 255 / 16).astype(np.uint8).tobytes(): label for image, label in zip(
        load_digits().images, load_digits().target, strict=True)}  # fmt: skip
    test = load_test(DIGITS)
    for image, label in zip(test.images[..., 0], test.labels, strict=True):
        assert original[image[2:26:3, 2:26:3].tobytes()] == label
        np.testing.assert_array_equal(image[2:26, 2:26], image[2:26:3, 2:26:3].repeat(3, 0).repeat(3, 1))
        assert image.sum() == image[2:26, 2:26].sum(dtype=int)
    assert test.images.max() == 255


def test_the_test_set_of_digits_is_the_same_whatever_the_file_says():
    other = DataConfig(source="digits", validation=100, train=50, seed=9, split="last")
    np.testing.assert_array_equal(load_test(other).images, load_test(DIGITS).images)
    data = load_training(other)
    assert (len(data.train), len(data.validation)) == (50, 100)


def test_the_checksum_is_of_what_trains_and_validates():
    data = load_training(DIGITS)
    digest = hashlib.sha256()
    for split, count in ((data.train, 1_200), (data.validation, 237)):
        digest.update(f"({count}, 28, 28, 1)".encode() + split.images.tobytes())
        digest.update(f"({count},)".encode() + split.labels.tobytes())
    assert data.checksum == digest.hexdigest()
    assert load_training(DIGITS).checksum == data.checksum
    assert load_training(DataConfig(source="digits", seed=1)).checksum != data.checksum
    assert load_training(DataConfig(source="digits", validation=236)).checksum != data.checksum


def test_description_and_data_agree():
    for config in (DIGITS, DataConfig(source="digits", validation=300, train=1_000)):
        info, data = describe(config), load_training(config)
        assert (info.n_train, info.n_validation) == (len(data.train), len(data.validation))
        assert (info.input_shape, info.n_classes, info.classes, info.source) == (
            data.input_shape, data.n_classes, data.classes, data.source
        )  # fmt: skip


def test_describing_imports_no_framework(nowhere):
    write_folder(nowhere / "mine", make_split(200), make_split(50))
    script = """
import sys
from main.config import DataConfig
from main.data import describe
for source in ("digits", "mnist", "./mine"):
    describe(DataConfig(source=source))
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heavy = {"keras", "tensorflow", "sklearn", "scipy", "pandas", "matplotlib", "PIL", "h5py", "optuna"}
    assert not heavy & set(ran.stdout.split())


def test_missing_mnist_says_everywhere_it_looked(nowhere, monkeypatch):
    monkeypatch.setenv("OPTIMIZE_DATA", str(nowhere / "mine"))
    with pytest.raises(MissingData) as caught:
        load_training(DataConfig())
    message = str(caught.value)
    for place in ("mine/mnist", "mine/mnist.npz", "data/mnist", "data/mnist.npz", "keras/datasets/mnist.npz"):
        assert str(nowhere / place) in message or f"\n  {place}" in message
    assert "could not be downloaded" in message
    monkeypatch.delenv("OPTIMIZE_DATA")
    with pytest.raises(MissingData, match=r"\$OPTIMIZE_DATA \(not set\)"):
        load_test(DataConfig())


def test_otherwise_replaces_what_is_missing_in_its_own_sizes(nowhere):
    config = DataConfig(source="mnist", otherwise="digits", validation=5_000, train=12_800, split="last")
    data = load_training(config)
    assert data.source == "digits"
    assert (len(data.train), len(data.validation)) == (1_200, 237)
    assert data.checksum == load_training(fallback(config)).checksum == load_training(DIGITS).checksum
    for words in ("mnist could be neither found nor downloaded", "digits is used instead", "1,200", "237",
                  "train: 12800", "validation: 5000", "split: last"):  # fmt: skip
        assert words in data.notice
    assert "\n" not in data.notice
    np.testing.assert_array_equal(load_test(config).images, load_test(DIGITS).images)


def test_a_fallback_keeps_the_seed(nowhere):
    assert fallback(DataConfig(otherwise="digits", seed=3)) == DataConfig(source="digits", seed=3)
    with pytest.raises(ValueError, match="otherwise"):
        fallback(DataConfig())


def test_a_missing_file_falls_back_too(nowhere):
    data = load_training(DataConfig(source="gone.npz", otherwise="digits"))
    assert data.notice == (
        "gone.npz was not found: digits is used instead, with 1,200 images to train and 237 to validate."
    )
    assert describe(DataConfig(source="gone.npz", otherwise="digits")).notice == data.notice


def test_both_missing_names_both(nowhere):
    with pytest.raises(MissingData, match=r"(?s)gone\.npz.*also_gone\.h5"):
        load_training(DataConfig(source="gone.npz", otherwise="also_gone.h5"))


def test_there_is_no_notice_where_nothing_was_replaced():
    assert load_training(DataConfig(source="digits", otherwise="digits")).notice is None
    assert describe(DIGITS).notice is None


def test_a_description_says_that_a_download_is_to_come(nowhere):
    info = describe(DataConfig(otherwise="digits", validation=10_000))
    assert (info.source, info.n_train, info.n_validation) == ("mnist", 50_000, 10_000)
    assert info.notice == (
        "mnist is not on this machine yet: it will be downloaded; if that fails, digits will be used instead."
    )
    assert not (nowhere / "keras").exists()


def test_what_is_corrupt_never_falls_back(nowhere, refuses):
    folder = write_folder(nowhere / "data" / "mnist", make_split(200), make_split(50))
    for config in (DataConfig(otherwise="digits"), DataConfig(source="data/mnist", otherwise="digits")):
        (folder / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b\x08garbage")
        for load in (load_training, load_test, describe):
            message = refuses(lambda load=load, config=config: load(config), "train-images-idx3-ubyte.gz")
            assert "digits" not in message


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root reads everything")
def test_an_unreadable_folder_is_refused_by_name(nowhere, refuses):
    folder = write_folder(nowhere / "mine", make_split(200), make_split(50))
    folder.chmod(0)
    try:
        refuses(lambda: describe(DataConfig(source="./mine", otherwise="digits")), "mine", "cannot be read")
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied", "mine/x"), MemoryError()])
def test_what_the_system_refuses_is_a_data_error(monkeypatch, refuses, error):
    def fail(name):
        raise error

    monkeypatch.setattr("main.data.loading.open_source", fail)
    refuses(lambda: load_training(DataConfig(source="mine/x", otherwise="digits")), "mine/x")


def test_training_reads_no_file_of_the_test_set(nowhere):
    """Its headers are looked at, so that a sweep does not end in a missing test set; its values are not."""
    folder = write_folder(nowhere / "mine", make_split(200), make_split(50), ending="")
    for path in folder.glob("t10k-*"):
        size = 16 if "images" in path.name else 8
        path.write_bytes(path.read_bytes()[:size])
    assert len(load_training(DataConfig(source="./mine")).train) == 180
    with pytest.raises(DataError, match="t10k-images"):
        load_test(DataConfig(source="./mine"))


def test_a_split_holds_images_and_their_labels():
    split = make_split(10)
    assert len(split) == 10
    with pytest.raises(ValueError, match="uint8"):
        Split(split.images.astype(np.float32), split.labels)
    with pytest.raises(ValueError, match="int64"):
        Split(split.images, split.labels[:9])
