import numpy as np
import pytest
from data_examples import damaged, refusal
from PIL import Image

from main.data.picture import read_image

GREY = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
COLOUR = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "pgm", "webp"])
def test_greyscale_has_one_channel(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(GREY).save(path, lossless=True)
    if ending == "webp":  # which knows colour only
        np.testing.assert_array_equal(read_image(path), np.repeat(GREY[..., np.newaxis], 3, axis=2))
    else:
        np.testing.assert_array_equal(read_image(path), GREY[..., np.newaxis])


def test_colour_has_three(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), COLOUR)


def test_a_palette_is_what_it_shows(tmp_path):
    Image.fromarray(GREY).convert("P").save(tmp_path / "grey.png")
    Image.fromarray(COLOUR).quantize(256).save(tmp_path / "colour.png")
    assert read_image(tmp_path / "grey.png").shape == (4, 6, 1)
    assert read_image(tmp_path / "colour.png").shape == (4, 6, 3)


def test_a_grey_palette_with_a_transparent_entry_is_grey(tmp_path):
    image = Image.fromarray(GREY).convert("P")
    image.save(tmp_path / "a.png", transparency=int(np.asarray(image)[0, 0]))
    assert read_image(tmp_path / "a.png").shape == (4, 6, 1)


def test_black_and_white(tmp_path):
    Image.fromarray(GREY > 100).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 0], (GREY > 100) * 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_a_transparent_image_lies_on_white(tmp_path, mode):
    image = Image.fromarray(GREY).convert(mode)
    image.putalpha(Image.fromarray(np.where(GREY > 100, 0, 255).astype(np.uint8)))
    image.save(tmp_path / "a.png")
    found = read_image(tmp_path / "a.png")
    assert found.shape[2] == (1 if mode == "LA" else 3)
    np.testing.assert_array_equal(found[..., 0], np.where(GREY > 100, 255, GREY))


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_16_bits_become_8(tmp_path, ending):
    Image.fromarray(GREY.astype(np.uint16) * 257).save(tmp_path / f"a.{ending}")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{ending}")[..., 0], GREY)


def test_a_tiff_of_32_bits_has_as_many_as_its_pixels_need(tmp_path):
    for name, factor in (("8.tif", 1), ("16.tif", 257)):
        Image.fromarray(GREY.astype(np.int32) * factor).save(tmp_path / name)
        np.testing.assert_array_equal(read_image(tmp_path / name)[..., 0], GREY)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_a_dark_image_of_16_bits_stays_dark(tmp_path, ending):
    Image.fromarray(GREY.astype(np.uint16)).save(tmp_path / f"a.{ending}")
    assert read_image(tmp_path / f"a.{ending}").max() == 1


def test_a_photograph_is_turned_as_the_camera_was_held(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(COLOUR).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.rot90(COLOUR, -1))


def test_refuses_20000_by_20000_unread(tmp_path, refuses):
    path = tmp_path / "huge.png"
    Image.new("1", (20_000, 20_000)).save(path)
    refuses(lambda: read_image(path), path, "16,777,216 pixels")


def test_refuses_a_little_more_than_the_limit(tmp_path, refuses):
    path = tmp_path / "large.png"
    Image.new("1", (4097, 4096)).save(path)
    refuses(lambda: read_image(path), path, "4,097 × 4,096")


def test_refuses_floats_and_32_bits_by_name(tmp_path, refuses):
    Image.fromarray(GREY.astype(np.float32)).save(tmp_path / "float.tif")
    Image.fromarray(GREY.astype(np.int32) * 1000).save(tmp_path / "deep.tif")
    refuses(lambda: read_image(tmp_path / "float.tif"), "float.tif", "floating-point")
    refuses(lambda: read_image(tmp_path / "deep.tif"), "deep.tif", "16 bits")


def test_refuses_what_moves(tmp_path, refuses):
    path = tmp_path / "a.gif"
    frames = [Image.fromarray(GREY), Image.fromarray(GREY[::-1])]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    refuses(lambda: read_image(path), path, "holds 2")


def test_a_photograph_with_a_preview_beside_it_is_read(tmp_path):
    path = tmp_path / "a.jpg"
    photograph, preview = Image.fromarray(GREY), Image.fromarray(GREY[::2, ::2])
    photograph.save(path, format="MPO", save_all=True, append_images=[preview])
    assert read_image(path).shape == (*GREY.shape, 1)


@pytest.mark.parametrize("content", [b"", b"text", b"\x89PNG\r\n\x1a\n" + bytes(50), b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_refuses_what_is_no_image(tmp_path, refuses, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    refuses(lambda: read_image(path), path, "no image")


@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "gif", "bmp", "webp", "ppm"])
def test_damage_is_refused_by_name_or_read(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(COLOUR).save(path)
    whole = path.read_bytes()
    for seed in range(100):
        path.write_bytes(damaged(whole, seed))
        assert str(path) in (refusal(lambda: read_image(path)) or str(path))


def test_what_is_not_there_or_no_file_is_said_in_the_systems_words(tmp_path, refuses):
    refuses(lambda: read_image(tmp_path / "absent.png"), tmp_path / "absent.png", "cannot be read: No such file")
    refuses(lambda: read_image(tmp_path), tmp_path, "cannot be read: Is a directory")
