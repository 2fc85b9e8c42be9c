"""Sources of other packages: what importlib.metadata finds is a folder of metadata, which the tests write."""

import sys

import numpy as np
import pytest

from main.config import DataConfig
from main.data import MissingData, describe, load_test, load_training

MODULE = """
import numpy as np
from main.data import DataError, MissingData

calls = []
def images(count):
    return np.arange(count * 16, dtype=np.uint8).reshape(count, 4, 4)
def labels(count):
    return np.arange(count) % 2
def pairs():
    calls.append("pairs")
    return {"train": (images(40), labels(40)), "test": (images(10), labels(10))}
def names():
    return {"x_train": images(40), "y_train": labels(40), "x_test": images(10).tolist(), "y_test": labels(10)}
def fails():
    raise ZeroDivisionError("division by zero")
def refuses():
    raise DataError("its own words")
def is_missing():
    raise FileNotFoundError(2, "No such file", "/gone")
def is_absent():
    raise MissingData("is on another machine")
def returns_a_list():
    return [images(40), labels(40)]
def returns_nothing_useful():
    return {"pixels_of_train": images(40)}
"""


@pytest.fixture
def register(tmp_path, monkeypatch):
    """Installs a package whose entry points are given; the module is called `photos`."""
    (tmp_path / "photos.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "photos", raising=False)

    def register(package="photos-of-pets", **entries):
        info = tmp_path / f"{package.replace('-', '_')}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {target}" for name, target in entries.items()]
        (info / "entry_points.txt").write_text("[optimize.sources]\n" + "\n".join(lines) + "\n")

    return register


@pytest.mark.parametrize("function", ["pairs", "names"])
def test_a_registered_source_is_known_by_its_name(register, function):
    register(pets=f"photos:{function}")
    config = DataConfig(source="pets", validation=10)
    data = load_training(config)
    assert (data.source, len(data.train), len(data.validation), data.n_classes) == ("pets", 30, 10, 2)
    np.testing.assert_array_equal(load_test(config).images[..., 0], np.arange(160).reshape(10, 4, 4))
    assert describe(config).input_shape == (4, 4, 1)


def test_a_name_of_ours_is_not_taken_over(register):
    register(digits="photos:fails")
    assert describe(DataConfig(source="digits")).n_train == 1_200


def test_what_is_not_asked_for_is_not_imported(register):
    register(pets="photos:pairs", broken="no_such_module:function")
    describe(DataConfig(source="digits"))
    assert "photos" not in sys.modules
    assert describe(DataConfig(source="pets")).n_train == 36


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("photos:fails", ["failed with ZeroDivisionError: division by zero", "photos-of-pets", "photos:fails"]),
        ("photos:refuses", ["its own words"]),
        ("photos:returns_a_list", ["expected a mapping of names to arrays, but it returned list", "photos-of-pets"]),
        ("photos:returns_nothing_useful", ["pets", "expected x_train", "found pixels_of_train"]),
        ("photos:no_such_function", ["failed with AttributeError", "photos-of-pets"]),
        ("no_such_module:function", ["failed with ModuleNotFoundError", "no_such_module"]),
        ("photos:calls", ["failed with TypeError"]),
    ],
)
def test_refuses_a_source_that_fails(register, refuses, target, words):
    register(pets=target)
    refuses(lambda: load_training(DataConfig(source="pets", otherwise="digits")), *words)


@pytest.mark.parametrize(("function", "words"), [("is_missing", "No such file"), ("is_absent", "another machine")])
def test_a_source_may_be_missing(register, function, words):
    register(pets=f"photos:{function}")
    with pytest.raises(MissingData, match=words):
        load_training(DataConfig(source="pets"))
    assert load_training(DataConfig(source="pets", otherwise="digits")).source == "digits"


def test_refuses_one_name_of_two_packages(register, refuses):
    register(pets="photos:pairs")
    register("more-pets", pets="photos:names")
    refuses(lambda: describe(DataConfig(source="pets")), "photos-of-pets", "more-pets", "one package")


def test_a_typing_error_is_held_against_registered_names_too(register, refuses):
    register(pets="photos:pairs")
    refuses(lambda: describe(DataConfig(source="pet")), "did you mean 'pets'?")
