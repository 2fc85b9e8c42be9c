import warnings
from dataclasses import replace

import numpy as np
import pytest
from data_examples import make_split
from PIL import Image

from main.config import AugmentConfig, DataConfig
from main.data import load_training
from main.data.records import Split, TrainingData
from main.data.show import DPI, EXAMPLES, MAX_CLASSES, MAX_TILE, draw, sheet, show_data

DIGITS = DataConfig(source="digits")


def made(train, n_classes, notice=None, names=None):
    return TrainingData(
        train=train, validation=make_split(n_classes, n_classes=n_classes), n_classes=n_classes,
        source="folder/my $^{ set", checksum="", notice=notice, classes=names or tuple(map(str, range(n_classes))),
    )  # fmt: skip


def test_shows_examples_and_counts_of_each_class():
    data = load_training(DIGITS)
    drawn = sheet(data)
    assert drawn.examples.shape == (10, EXAMPLES, 28, 28, 1)
    assert drawn.train == tuple(np.bincount(data.train.labels))
    assert sum(drawn.validation) == 237
    for label in range(10):
        members = data.train.images[data.train.labels == label]
        np.testing.assert_array_equal(drawn.examples[label, 0], members[0])
        np.testing.assert_array_equal(drawn.examples[label, -1], members[-1])


def test_a_class_with_few_images_leaves_its_row_blank():
    labels = np.array([0, 0, 1])
    drawn = sheet(made(Split(np.full((3, 4, 4, 1), 9, np.uint8), labels), 2))
    assert [(row == 9).all(axis=(1, 2, 3)).sum() for row in drawn.examples] == [2, 1]
    assert (drawn.examples[1, 1:] == 255).all()


def test_of_many_classes_the_first_are_shown_and_that_is_said():
    data = made(make_split(1200, n_classes=1200), 1200)
    drawn = sheet(data)
    assert len(drawn.names) == len(drawn.train) == MAX_CLASSES
    texts = [text.get_text() for text in draw(data, drawn).texts]
    assert any("the first 40 of 1,200 classes" in text for text in texts)


def test_large_images_are_thinned_out():
    drawn = sheet(made(make_split(20, side=300, channels=3), 10))
    assert drawn.examples.shape[2] <= MAX_TILE


def test_augmented_copies_stand_beside_their_images():
    data = load_training(DIGITS)
    drawn = sheet(data, AugmentConfig(shift=0.3))
    originals, copies = drawn.examples[:, ::2], drawn.examples[:, 1::2]
    for label in range(10):
        members = data.train.images[data.train.labels == label]
        np.testing.assert_array_equal(originals[label, 0], members[0])
        np.testing.assert_array_equal(originals[label, -1], members[-1])
    assert (originals != copies).any(axis=(2, 3, 4)).all()
    assert draw(data, drawn).axes[0].get_title(loc="left").endswith("each beside an augmented copy")
    np.testing.assert_array_equal(sheet(data, AugmentConfig()).examples[:, 1::2], originals)


def test_every_pixel_of_an_image_is_a_square_of_whole_pixels(tmp_path):
    path = show_data(DIGITS, tmp_path)
    assert path == tmp_path / "data.png"
    pixels = np.asarray(Image.open(path).convert("L"))
    figure = draw(data := load_training(DIGITS), drawn := sheet(data))
    box = figure.axes[0].get_window_extent()
    top, left = round(figure.bbox.height - box.y1), round(box.x0)
    first = pixels[top : top + 84, left : left + 84]
    np.testing.assert_array_equal(first, drawn.examples[0, 0, :, :, 0].repeat(3, axis=0).repeat(3, axis=1))
    assert figure.dpi == DPI


def test_a_notice_is_on_the_sheet():
    data = made(make_split(20), 10, notice="mnist could be neither found nor downloaded: digits is used instead.")
    texts = " ".join(text.get_text() for text in draw(data, sheet(data)).texts)
    assert data.notice in texts


def test_what_is_passed_over_is_on_the_sheet():
    data = replace(made(make_split(20), 10), remark="pets: passed over beside train/: Testing_2/")
    assert data.remark in [text.get_text() for text in draw(data, sheet(data)).texts]


def test_names_of_any_letters_are_drawn_as_they_are(tmp_path):
    names = ("$\\frac{", "犬", "\N{DOG FACE}", "a very long name for a class of things", "<b>", "é", "6", "7", "8", "9")
    data = made(make_split(40), 10, names=names)
    figure = draw(data, sheet(data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure.savefig(tmp_path / "a.png")
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels[:3] == list(names[:3])
    assert labels[3] == "a very long name for a …"


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.pdf", "new/folder/b.png"])
def test_writes_the_file_that_was_asked_for(tmp_path, name):
    assert show_data(DIGITS, tmp_path / name) == tmp_path / name
    assert (tmp_path / name).stat().st_size > 5_000


def test_refuses_a_place_that_cannot_be_written(tmp_path, refuses):
    (tmp_path / "file").touch()
    refuses(lambda: show_data(DIGITS, tmp_path / "file" / "a.png"), "cannot be written")


def test_wide_images_are_drawn_no_wider_than_others():
    flat = make_split(20, side=28, n_classes=2)
    data = made(Split(flat.images.reshape(20, 1, 784, 1), flat.labels), 2)
    drawn = sheet(data)
    assert drawn.examples.shape[2:] == (1, 112, 1)
    assert draw(data, drawn).get_figwidth() * DPI < 3_000
