"""Files that people have, and files that are broken."""

import contextlib
import io
import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from jaxrestore._files import write_aside
from jaxrestore.errors import ImageError, InputError
from jaxrestore.files import images

warnings.simplefilter("error", Image.DecompressionBombWarning)
RGB = np.random.default_rng(0).integers(0, 256, (6, 4, 3), np.uint8)


def saved(tmp_path, image, name="a.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def test_a_written_image_is_read_back(tmp_path):
    image = RGB.astype(np.float32) / 127.5 - 1
    images.write_image(tmp_path / "new" / "a.png", image)
    np.testing.assert_allclose(images.read_image(tmp_path / "new" / "a.png"), image, atol=1e-6)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_every_mode_becomes_rgb(tmp_path):
    picture = Image.fromarray(RGB)
    grey = np.asarray(picture.convert("L"))
    cases = {
        "L": (picture.convert("L"), np.stack([grey] * 3, axis=-1)),
        "LA": (picture.convert("LA"), np.stack([grey] * 3, axis=-1)),
        "1": (picture.convert("1"), None),
        "P": (picture.quantize(24), None),
        "I;16": (Image.fromarray(grey.astype(np.uint16) * 257), np.stack([grey] * 3, axis=-1)),
        "RGBA": (Image.fromarray(np.dstack([RGB, np.full((6, 4), 255, np.uint8)])), RGB),
        "clear": (Image.fromarray(np.dstack([RGB, np.zeros((6, 4), np.uint8)])), np.full_like(RGB, 255)),
    }
    for name, (image, wanted) in cases.items():
        found = images.to_uint8(images.read_image(saved(tmp_path, image, f"{name[0]}{len(name)}.png")))
        assert found.shape == (6, 4, 3)
        if wanted is not None:
            np.testing.assert_allclose(found, wanted, atol=1)
    assert images.read_image(saved(tmp_path, picture.convert("CMYK"), "a.jpg")).shape == (6, 4, 3)


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    path = saved(tmp_path, Image.fromarray(RGB), exif=exif)
    np.testing.assert_array_equal(images.to_uint8(images.read_image(path)), np.rot90(RGB, -1))


def test_other_sizes_are_fitted_on_request_only(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (40, 20), "red"))
    with pytest.raises(ImageError, match=r"20 x 40 pixels where 8 x 8 are needed: pass --fit"):
        images.read_image(path, (8, 8))
    for fit in ("crop", "resize"):
        assert images.read_image(path, (8, 8), fit).shape == (8, 8, 3)


def test_the_size_may_be_that_of_a_prior_or_of_an_array(tmp_path, gaussian):
    path = saved(tmp_path, Image.new("RGB", (8, 8), "red"))
    assert images.read_image(path, gaussian).shape == gaussian.shape
    assert images.read_image(path, np.zeros((4, 2, 3)), "resize").shape == (4, 2, 3)
    with pytest.raises(ImageError, match="8 x 8 pixels where 16 x 16 are needed"):
        images.read_image(path, np.zeros((16, 16, 3)))


def test_arrays_of_jax_grey_images_and_bytes_are_written(tmp_path):
    images.write_image(tmp_path / "a.png", jnp.full((2, 3, 3), 2.0))  # more than a file holds
    assert images.read_image(tmp_path / "a.png").max() == 1
    images.write_image(str(tmp_path / "b.png"), np.zeros((2, 3, 1), np.float32))
    images.write_image(tmp_path / "c.png", np.full((2, 3), 128, np.uint8))
    for name in ("b.png", "c.png"):
        assert Image.open(tmp_path / name).mode == "L"
        np.testing.assert_array_equal(images.to_uint8(images.read_image(tmp_path / name)), 128)


def test_broken_files_get_a_sentence(tmp_path, monkeypatch):
    with pytest.raises(ImageError, match="There is no file"):
        images.read_image(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ImageError, match="not an image of a known format"):
        images.read_image(tmp_path / "text.png")
    whole = saved(
        tmp_path, Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    ).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:500])
    with pytest.raises(ImageError, match="damaged or truncated"):
        images.read_image(tmp_path / "cut.png")
    nan = saved(tmp_path, Image.fromarray(np.full((4, 4), np.nan, np.float32)), "nan.tif")
    with pytest.raises(ImageError, match="not finite"):
        images.read_image(nan)
    bomb = saved(tmp_path, Image.new("1", (16000, 9000)), "bomb.png")
    with pytest.raises(ImageError, match="16000 x 9000 pixels"):
        images.read_image(bomb)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ImageError, match="more pixels than any photograph"):
        images.read_image(bomb)


@given(st.binary(max_size=200), st.integers(0, 60))
def test_no_bytes_raise_anything_else(tmp_path_factory, noise, keep):
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "PNG")
    path = tmp_path_factory.mktemp("bytes") / "a.png"
    path.write_bytes(buffer.getvalue()[:keep] + noise)
    with contextlib.suppress(ImageError):
        assert images.read_image(path).ndim == 3


def test_faulty_metadata_is_a_sentence_too(tmp_path, monkeypatch):
    def fail(image):
        raise TypeError("bad operand type for abs(): 'str'")

    monkeypatch.setattr(ImageOps, "exif_transpose", fail)
    with pytest.raises(ImageError, match="damaged or truncated: bad operand"):
        images.read_image(saved(tmp_path, Image.fromarray(RGB)))


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    path = saved(tmp_path, Image.fromarray(RGB))
    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(ImageError, match=f"{path.name} can't be read: Permission denied"):
        images.read_image(path)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(aside):
        aside.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="can't be written: No space left"):
        write_aside(path, fail)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_strip_shows_small_images_enlarged():
    small, large = np.full((2, 2, 3), -1.0, np.float32), np.zeros((8, 8, 3), np.float32)
    sheet = images.strip([small, large])
    assert sheet.shape == (8, 18, 3)
    assert np.all(sheet[:8, :8] == -1)
    assert np.all(sheet[:, 8:10] == 1)


def test_a_sheet_has_rows_of_about_as_many():
    whole = images.sheet(np.zeros((5, 64, 64, 3), np.float32))
    assert whole.shape == (2 * 128, 3 * 128, 3)  # each twice as large, to be seen
    assert np.all(whole[128:, 256:] == 1)
