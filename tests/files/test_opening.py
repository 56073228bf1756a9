"""Formats beside the usual ones, and what is said of those that aren't read here."""

import io

import numpy as np
import pytest
from PIL import Image, features

from jaxrestore.errors import ImageError, InputWarning
from jaxrestore.files import opening
from jaxrestore.files.images import read_image, to_uint8
from jaxrestore.files.opening import decode, open_image

PIXELS = np.kron(np.array([[[200, 60, 50], [90, 160, 80]]], np.uint8), np.ones((16, 8, 1), np.uint8))
PICTURE = Image.fromarray(PIXELS)
HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"
AVIF = b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00avifmif1"


@pytest.mark.parametrize(("name", "format"), [("a.jfif", "JPEG"), ("a.apng", "PNG"), ("a.pgm", "PPM"), ("a", "BMP")])
def test_a_file_is_what_its_bytes_are(tmp_path, name, format):
    PICTURE.save(tmp_path / name, format)
    np.testing.assert_allclose(to_uint8(read_image(tmp_path / name))[::8, 4::8], PIXELS[::8, 4::8], atol=6)


def test_of_an_animation_the_first_image_is_taken_and_that_is_said(tmp_path):
    frames = [PICTURE, Image.new("RGB", PICTURE.size, "blue")]
    for name in ("a.gif", "a.png", "a.webp", "a.tif"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100)
        with pytest.warns(InputWarning, match=f"{name} holds several images: the first is taken"):
            image = read_image(tmp_path / name)
        np.testing.assert_allclose(to_uint8(image)[8, 4::8], PIXELS[8, 4::8], atol=12)
    with pytest.warns(InputWarning, match="holds several images"):
        decode(io.BytesIO((tmp_path / "a.gif").read_bytes()), "a.gif", 4)


def test_what_a_phone_writes_behind_a_photograph_is_no_animation(tmp_path):
    PICTURE.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[PICTURE.resize((4, 4))])
    with Image.open(tmp_path / "a.jpg") as image:
        assert (image.format, image.n_frames) == ("MPO", 2)
    assert open_image(tmp_path / "a.jpg").size == PICTURE.size


@pytest.mark.parametrize("name", ["a.heic", "a.jpg"])
def test_heic_without_its_plug_in_is_explained(tmp_path, monkeypatch, name):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    (tmp_path / name).write_bytes(HEIC + bytes(64))
    with pytest.raises(
        ImageError, match=r"is a HEIC image, which is read where pillow-heif is installed \(pip install"
    ):
        read_image(tmp_path / name)


def test_heic_is_read_where_its_plug_in_is(tmp_path):
    plug_in = pytest.importorskip("pillow_heif")
    plug_in.from_pillow(PICTURE).save(tmp_path / "a.heic", quality=95)
    np.testing.assert_allclose(to_uint8(read_image(tmp_path / "a.heic"))[8, 4::8], PIXELS[8, 4::8], atol=8)


def test_avif_is_read_or_explained(tmp_path, monkeypatch):
    if features.check("avif"):
        PICTURE.save(tmp_path / "a.avif", quality=95)
        np.testing.assert_allclose(to_uint8(read_image(tmp_path / "a.avif"))[8, 4::8], PIXELS[8, 4::8], atol=8)
    (tmp_path / "a.avif").write_bytes(AVIF + bytes(64))
    monkeypatch.setattr(features, "check", lambda feature: False)
    monkeypatch.setattr(opening, "FORMATS", ("PNG", "JPEG"))
    with pytest.raises(ImageError, match=r"is an AVIF image, which this Pillow can't read \(11\.3 and newer can"):
        read_image(tmp_path / "a.avif")
