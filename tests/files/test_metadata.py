"""What a photograph's file holds beside its pixels: colours of a profile, transparency, EXIF, resolution."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms
from wide_gamut import profile

from jaxrestore.errors import ImageError, InputError, InputWarning
from jaxrestore.files.images import read_image, to_uint8, write_image
from jaxrestore.files.metadata import Metadata, read_metadata

SIZE = (12, 16)
COLOURS = np.kron(np.array([[[200, 60, 50], [90, 160, 80]], [[70, 80, 190], [128, 128, 128]]]), np.ones((6, 8, 1)))
PICTURE = Image.fromarray(COLOURS.astype(np.uint8))
OPTIONS = {".jpg": {"quality": 100, "subsampling": 0}, ".webp": {"lossless": True}}
SUFFIXES = (".png", ".jpg", ".webp", ".tif")


def saved(path, image=PICTURE, **options):
    image.save(path, **options)
    return path


def passed_through(path, out):
    """Read, not restored at all, and written."""
    image = read_image(path)
    write_image(out, image, read_metadata(path, image.shape[:2]))
    return Image.open(out)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_wide_gamut_is_shown_in_srgb_and_written_back(tmp_path, suffix):
    path = saved(tmp_path / f"a{suffix}", icc_profile=profile(), **OPTIONS.get(suffix, {}))
    strongest = to_uint8(read_image(path))[0, 0].astype(int)
    assert strongest.max() - strongest.min() > 150 + 20  # more saturated than in the numbers of the wide space
    back = passed_through(path, tmp_path / f"b{suffix}")
    assert back.info["icc_profile"] == profile()
    np.testing.assert_allclose(np.asarray(back, int), COLOURS, atol=5)


def test_srgb_of_any_name_changes_nothing(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = saved(tmp_path / "a.png", icc_profile=srgb)
    np.testing.assert_array_equal(to_uint8(read_image(path)), COLOURS)
    back = passed_through(path, tmp_path / "b.png")
    assert back.info["icc_profile"] == srgb
    np.testing.assert_array_equal(np.asarray(back), COLOURS)


def test_profiles_that_say_nothing_of_rgb(tmp_path):
    broken = saved(tmp_path / "broken.png", icc_profile=b"no profile")
    with pytest.warns(InputWarning, match="a colour profile that can't be used"):
        np.testing.assert_array_equal(to_uint8(read_image(broken)), COLOURS)
    assert read_metadata(broken, SIZE).profile is None
    grey = saved(tmp_path / "grey.png", PICTURE.convert("L"), icc_profile=profile())  # grey pixels of a colour space
    assert read_image(grey).shape == (*SIZE, 3)
    cmyk = saved(tmp_path / "cmyk.jpg", PICTURE.convert("CMYK"), icc_profile=profile(space=b"CMYK"))
    with pytest.warns(InputWarning, match="can't be used"):
        assert read_image(cmyk).shape == (*SIZE, 3)
    assert read_metadata(cmyk, SIZE).profile is None
    lab = saved(tmp_path / "lab.tif", Image.new("LAB", (16, 12), (128, 128, 128)))
    np.testing.assert_allclose(to_uint8(read_image(lab))[0, 0], 119, atol=2)  # L* = 50


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_transparency_is_laid_on_white_and_kept(tmp_path, suffix):
    alpha = np.full(SIZE, 255, np.uint8)
    alpha[:, :4], alpha[:, 4:6] = 0, 128
    layered = PICTURE.copy()
    layered.putalpha(Image.fromarray(alpha))
    path = saved(tmp_path / "a.png", layered)
    seen = to_uint8(read_image(path)).astype(int)
    np.testing.assert_array_equal(seen[:, :4], 255)
    np.testing.assert_allclose(seen[:, 4:6], 255 - (255 - COLOURS[:, 4:6]) * 128 / 255, atol=1)
    back = np.asarray(passed_through(path, tmp_path / f"b{suffix}"), int)
    np.testing.assert_array_equal(back[..., 3], alpha)
    np.testing.assert_allclose(back[..., :3][alpha > 0], COLOURS[alpha > 0], atol=1.5)
    np.testing.assert_allclose(to_uint8(read_image(tmp_path / f"b{suffix}")), seen, atol=1)  # what was restored is seen

    small = read_metadata(path, (6, 8), "resize")
    assert small.alpha.shape == (6, 8)
    write_image(tmp_path / "large.png", np.zeros((24, 32, 3), np.float32), small)  # restored at another size
    assert Image.open(tmp_path / "large.png").getchannel("A").getpixel((31, 23)) == 255
    assert Image.open(tmp_path / "large.png").getchannel("A").getpixel((0, 0)) == 0
    with pytest.raises(ImageError, match=r"c\.jpg can't hold transparency, which the image has: write it as \.png"):
        write_image(tmp_path / "c.jpg", read_image(path), read_metadata(path, SIZE))


def test_palettes_with_transparency_and_opaque_layers(tmp_path):
    palette = PICTURE.quantize(8)
    path = saved(tmp_path / "a.png", palette, transparency=palette.getpixel((0, 0)))
    alpha = read_metadata(path, SIZE).alpha
    assert (alpha[0, 0], alpha[11, 15]) == (0, 255)
    assert read_metadata(saved(tmp_path / "b.png", PICTURE.convert("RGBA")), SIZE).alpha is None


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_exif_is_kept_upright_and_resolution_with_it(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0103], exif[0x8298] = 6, "Camera", 7, "Somebody"
    exif.get_ifd(0x8769).update({0x829A: 0.01, 0xA002: 16})
    exif.get_ifd(0x8825)[1] = "N"
    path = saved(tmp_path / "a.jpg", exif=exif, dpi=(300, 300))
    assert read_image(path).shape == (16, 12, 3)  # the camera was turned
    back = passed_through(path, tmp_path / f"b{suffix}")
    assert back.size == (12, 16)
    told = back.getexif()
    assert told.get(0x0112, 1) == 1
    assert (told[0x010F], told[0x8298]) == ("Camera", "Somebody")
    assert told.get_ifd(0x8769)[0x829A] == pytest.approx(0.01)
    assert 0xA002 not in told.get_ifd(0x8769)  # of another size, now
    assert told.get_ifd(0x8825)[1] == "N"
    if suffix != ".webp":  # which has none
        assert back.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_the_tags_of_a_tiff_are_kept_without_its_structure(tmp_path):
    path = saved(tmp_path / "a.tif", tiffinfo={0x010F: "Scanner", 0x0112: 3}, dpi=(600, 600))
    np.testing.assert_array_equal(to_uint8(read_image(path)), np.rot90(COLOURS, 2))
    back = passed_through(path, tmp_path / "b.jpg")
    assert dict(back.getexif()) == {0x010F: "Scanner"}
    assert back.info["dpi"] == (600, 600)


def test_a_file_without_any_is_written_without(tmp_path):
    assert read_metadata(saved(tmp_path / "a.png"), SIZE) == Metadata()
    odd = read_metadata(saved(tmp_path / "b.png", dpi=(0, 0)), SIZE)
    assert odd.dpi is None


def test_pixels_and_suffixes_that_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match=r"a\.gif can't be written: images are written as \.png, \.jpg"):
        write_image(tmp_path / "a.gif", np.zeros((4, 4, 3), np.float32))
    with pytest.raises(InputError, match="can't be written of int64: give floats"):
        write_image(tmp_path / "a.png", np.full((4, 4, 3), 200))
    with pytest.raises(InputError, match=r"a\.webp can't be written: "):
        write_image(tmp_path / "a.webp", np.zeros((1, 20000, 3), np.float32))
    assert not any(tmp_path.iterdir())
    write_image(tmp_path / "a", np.zeros((4, 4, 3), np.float32))
    assert Image.open(io.BytesIO((tmp_path / "a").read_bytes())).format == "PNG"


def test_more_exif_than_a_jpeg_holds_is_left_out_and_that_is_said(tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "long " * 20000
    metadata = read_metadata(saved(tmp_path / "a.png", exif=exif), SIZE)
    pixels = np.zeros((*SIZE, 3), np.float32)
    with pytest.warns(InputWarning, match="can't hold so much EXIF"):
        write_image(tmp_path / "b.jpg", pixels, metadata)
    write_image(tmp_path / "b.png", pixels, metadata)
    assert len(Image.open(tmp_path / "b.png").getexif()[0x010E]) == 100000
