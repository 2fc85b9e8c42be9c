import pytest

from main.data.arrays import Role, names_by_role, role


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x_train", Role("train", "images")),
        ("X_test", Role("test", "images")),
        ("train_labels", Role("train", "labels")),
        ("training/images", Role("train", "images")),
        ("val/y", Role("validation", "labels")),
        ("t10k-images-idx3-ubyte", Role("test", "images")),
        ("images", Role("whole", "images")),
        ("target", Role("whole", "labels")),
        ("data", Role("whole", "images")),
        ("arr_0", None),
        ("x_y_train", None),
        ("train_test_images", None),
        ("train", None),
    ],
)
def test_what_names_mean(name, expected):
    assert role(name) == expected


def test_names_without_a_meaning_are_passed_over():
    found = names_by_role(["x_train", "y_train", "author", "x_test", "y_test"], "a")
    assert found[Role("test", "labels")] == "y_test"
    assert len(found) == 4


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["arr_0", "arr_1"], "found arr_0, arr_1"),
        ([], "found nothing"),
        (["x_train"], "not the train labels"),
        (["x_train", "y_train", "y_test"], "not the test images"),
        (["x_test", "y_test"], "expected x_train"),
        (["x", "y", "x_test", "y_test"], "does not say whether it trains or tests"),
        (["x_train", "train_images", "y_train"], "both x_train and train_images"),
    ],
)
def test_refuses_names_that_do_not_make_a_data_set(refuses, names, words):
    refuses(lambda: names_by_role(names, "a.npz"), "a.npz", words)
