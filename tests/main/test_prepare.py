from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from main.config import DataConfig
from main.data import DataError, load_test
from main.data.picture import FORMATS
from main.prepare import BlankImageError, ink, prepare, read_prepared

MNIST = (28, 28, 1)


def ring(size=(300, 400), box=(150, 60, 250, 220), ground=0, stroke=255, width=20, mode="L"):
    """A zero on a ground, as a Pillow image of `size` (height, width)."""
    image = Image.new(mode, size[::-1], ground)
    ImageDraw.Draw(image).ellipse(box, outline=stroke, width=width)
    return image


def pixels(image):
    values = np.asarray(image)
    return values[..., np.newaxis] if values.ndim == 2 else values


def extent(image):
    rows, columns = (np.flatnonzero(image[..., 0].any(axis=axis)) for axis in (1, 0))
    return rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


def centre_of_mass(image):
    values = image[..., 0].astype(float)
    return [(values.sum(axis=1 - axis) @ np.arange(28)) / values.sum() for axis in (0, 1)]


REFERENCE = prepare(pixels(ring()), MNIST, "mnist")


def distance(found):
    """Mean difference from the reference, of 255, wherever rounding has put the centre: a pixel more or less."""
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return min(np.abs(np.roll(found, by, (0, 1)).astype(int) - REFERENCE).mean() for by in shifts)


def test_digit_fills_the_box_and_its_mass_is_in_the_middle():
    assert REFERENCE.shape == MNIST
    assert REFERENCE.dtype == np.uint8
    assert extent(REFERENCE) == (20, 13)  # 161 × 101 pixels, the longer side brought to 20
    assert centre_of_mass(REFERENCE) == pytest.approx([14, 14], abs=0.5)
    assert REFERENCE.max() > 230


@pytest.mark.parametrize(
    "image",
    [
        ring(ground=255, stroke=0),
        ring(ground=200, stroke=80),
        ring(ground=20, stroke=110),
        ring(size=(800, 400)),
        ring(size=(300, 900), box=(750, 60, 850, 220)),
        ring(size=(600, 800), box=(300, 120, 500, 440), width=40),
        ring(mode="RGB", ground=(250, 250, 230), stroke=(20, 30, 120)),
    ],
    ids=["dark on light", "pale", "faint", "taller", "elsewhere", "twice as large", "colour"],
)
def test_size_place_polarity_and_colour_do_not_matter(image):
    found = prepare(pixels(image), MNIST, "mnist")
    assert distance(found) < 4


def test_noise_and_dust_are_not_ink():
    random = np.random.default_rng(0)
    clean = pixels(ring(ground=240, stroke=30)).astype(float)
    clean[5:8, 5:8] = 30  # a stain in the corner
    noisy = np.clip(clean + random.normal(0, 10, clean.shape), 0, 255).astype(np.uint8)
    found = prepare(noisy, MNIST, "mnist")
    assert distance(found) < 8


def test_thin_strokes_are_brought_to_full_strength():
    found = prepare(pixels(ring(width=2)), MNIST, "mnist")
    assert found.max() == 255


def test_image_of_mnist_is_left_as_it_is(mnist_folder, monkeypatch):
    monkeypatch.setenv("OPTIMIZE_DATA", str(mnist_folder))
    images = load_test(DataConfig(source="mnist")).images[:1000]
    prepared = np.stack([prepare(image, MNIST, "mnist") for image in images])
    np.testing.assert_array_equal(prepared, images)


def test_image_of_digits_is_left_as_it_is_and_a_larger_one_comes_close():
    images = load_test(DataConfig(source="digits")).images[:100]
    for image in images:
        np.testing.assert_array_equal(prepare(image, MNIST, "digits"), image)
    large = [pixels(Image.fromarray(255 - image[..., 0]).resize((280, 280))) for image in images]
    differences = [
        np.abs(prepare(picture, MNIST, "digits").astype(int) - image).mean()
        for picture, image in zip(large, images, strict=True)
    ]
    assert np.median(differences) < 16


@pytest.mark.parametrize("value", [0, 128, 255])
def test_blank_picture_is_refused(value):
    for how in ("mnist", "digits"):
        with pytest.raises(BlankImageError, match="stands out"):
            prepare(np.full((50, 60, 1), value, np.uint8), MNIST, how)


def test_blank_photograph_of_paper_is_refused():
    paper = np.random.default_rng(0).normal(230, 2, (200, 200, 1)).clip(0, 255).astype(np.uint8)
    with pytest.raises(BlankImageError):
        ink(paper[..., 0].astype(np.float32))


def test_plain_keeps_proportions_and_polarity():
    found = prepare(np.full((40, 80, 1), 200, np.uint8), (32, 32, 1), "plain")
    assert (found == 200).all()
    half = np.zeros((10, 20, 3), np.uint8)
    half[:, 10:] = (255, 0, 0)
    found = prepare(half, (32, 32, 3), "plain")
    assert found[16, 4].tolist() == [0, 0, 0]
    assert found[16, 28].tolist() == [255, 0, 0]


def test_channels_become_those_of_the_model():
    colour = np.zeros((32, 32, 3), np.uint8)
    colour[..., 1] = 255
    assert prepare(colour, (32, 32, 1), "plain")[0, 0].tolist() == [150]  # the luminance of green
    grey = np.full((32, 32, 1), 77, np.uint8)
    assert prepare(grey, (32, 32, 3), "plain")[0, 0].tolist() == [77, 77, 77]


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("ring.png", {}),
        ("ring.jpg", {"quality": 70}),
        ("ring.tif", {"compression": "tiff_lzw"}),
        ("ring.bmp", {}),
        ("ring.dat", {"format": "PNG"}),
    ],
)
def test_formats_are_read(tmp_path, name, save):
    ring().save(tmp_path / name, **save)
    found = read_prepared(tmp_path / name, MNIST, "mnist")
    assert distance(found) < 4


@pytest.mark.parametrize("full", [65_535, 4095])
def test_sixteen_bits_are_read(tmp_path, full):
    values = (np.asarray(ring()).astype(np.uint32) * full // 255).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    found = read_prepared(tmp_path / "deep.png", MNIST, "mnist")
    assert distance(found) < 6


@pytest.mark.parametrize("stroke", [(255, 255, 255, 255), (0, 0, 0, 255), (200, 40, 40, 255)])
def test_transparent_ground_is_seen_through(tmp_path, stroke):
    ring(mode="RGBA", ground=(0, 0, 0, 0), stroke=stroke).save(tmp_path / "clear.png")
    found = read_prepared(tmp_path / "clear.png", MNIST, "mnist")
    assert distance(found) < 4


@pytest.mark.parametrize(("how", "side"), [("plain", 60), ("plain", 28), ("digits", 28)])
def test_white_on_a_transparent_ground_is_seen_however_pictures_are_prepared(tmp_path, how, side):
    """Laid on white it is of one colour, which is a picture too where they are taken as they are."""
    pixels = np.full((side, side, 4), 255, np.uint8)
    pixels[..., 3] = 0
    pixels[side // 4 : side // 2, side // 4 : side // 2, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "white.png")
    found = read_prepared(tmp_path / "white.png", MNIST, how)
    assert (found.min(), found.max()) == (0, 255)
    Image.fromarray(pixels[..., 0]).save(tmp_path / "blank.png")
    assert (read_prepared(tmp_path / "blank.png", MNIST, how) == 255).all()


def test_what_cannot_be_read_is_refused_by_name(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    Image.new("L", (30, 30), 90).save(tmp_path / "blank.png")
    Image.new("RGBA", (30, 30), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    ring().save(tmp_path / "whole.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "whole.png").read_bytes()[:300])
    for name, reason in [
        ("text.png", "is no image"),
        ("huge.png", "more than the"),
        ("blank.png", "is blank"),
        ("clear.png", "is blank"),
        ("torn.png", "damaged"),
        ("absent.png", "absent.png"),
    ]:
        with pytest.raises(DataError, match=reason) as caught:
            read_prepared(tmp_path / name, MNIST, "mnist")
        assert name in str(caught.value)


def test_of_many_equal_marks_some_are_kept():
    page = Image.new("L", (400, 400), 255)
    for place in range(64):
        left, top = 20 + place % 8 * 45, 20 + place // 8 * 45
        ImageDraw.Draw(page).rectangle((left, top, left + 12, top + 12), fill=0)
    assert prepare(pixels(page), MNIST, "mnist").max() > 230


def test_no_other_of_pillows_readers_sees_a_picture(tmp_path, monkeypatch):
    """Some of them start programs: that of EPS runs what the file says."""
    image = Image.new("RGBA", (300, 300), (255, 255, 255, 0))
    ImageDraw.Draw(image).ellipse((50, 50, 250, 250), outline=(255, 255, 255, 255), width=20)
    image.save(tmp_path / "a.png")
    read, asked = Image.open, []
    monkeypatch.setattr(Image, "open", lambda path, **how: asked.append(how.get("formats")) or read(path, **how))
    read_prepared(tmp_path / "a.png", MNIST, "mnist")
    assert asked == [FORMATS] * 2


def test_white_strokes_on_a_transparent_ground_are_turned_as_the_picture_says(tmp_path):
    pixels = np.full((40, 40, 4), 255, np.uint8)
    pixels[..., 3] = 0
    pixels[5:35, 8:12, 3] = pixels[31:35, 8:32, 3] = 255  # an L
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    Image.fromarray(np.rot90(pixels, -1)).save(tmp_path / "plain.png")
    turned, plain = (read_prepared(tmp_path / name, (28, 28, 1), "mnist") for name in ("turned.png", "plain.png"))
    np.testing.assert_array_equal(turned, plain)
