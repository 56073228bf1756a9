"""Masks as people draw them, and as photographs of another size need them."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from jaxrestore import operators
from jaxrestore.errors import InputError, InputWarning
from jaxrestore.files.images import read_image
from jaxrestore.files.inputs import read_measurement
from jaxrestore.files.masks import read_mask

DRAWN = np.zeros((12, 16), bool)
DRAWN[2:5, 3:9] = True
SIZE = DRAWN.shape
GREEN, WHITE, BLACK, CLEAR = (0, 255, 0, 255), (255, 255, 255, 255), (0, 0, 0, 255), (0, 0, 0, 0)


def painted(paint, ground, mode="RGBA"):
    return Image.fromarray(np.where(DRAWN[..., None], paint, ground).astype(np.uint8)).convert(mode)


def palette():
    image = Image.fromarray(DRAWN.astype(np.uint8), mode="P")
    image.putpalette([0, 0, 0, 128, 0, 0])  # a class of a segmentation
    return image


DRAWINGS = {
    "grey": painted(WHITE, BLACK, "L"),
    "colour": painted(GREEN, BLACK, "RGB"),
    "blue": painted((0, 0, 255, 255), BLACK, "RGB"),
    "dark grey": painted((90, 90, 90, 255), BLACK, "RGB"),
    "colour on white": painted((200, 0, 0, 255), WHITE, "RGB"),
    "white on transparency": painted(WHITE, CLEAR),
    "white on transparent white": painted(WHITE, (255, 255, 255, 0)),
    "black on transparency": painted(BLACK, CLEAR),
    "colour on transparency": painted(GREEN, CLEAR),
    "grey on transparency": painted(WHITE, CLEAR, "LA"),
    "1-bit": painted(WHITE, BLACK, "1"),
    "palette": palette(),
    "0 and 1": Image.fromarray(DRAWN.astype(np.uint8)),
    "16 bits": Image.fromarray(DRAWN.astype(np.uint16) * 65535),
    "16 bits, 0 and 1": Image.fromarray(DRAWN.astype(np.uint16)),
    "numbers from 0 to 1": Image.fromarray(DRAWN.astype(np.float32)),
}


def save(path, image):
    image.save(path)
    return path


@pytest.mark.parametrize("name", DRAWINGS)
def test_whatever_is_drawn_is_missing(tmp_path, name):
    path = save(tmp_path / ("a.tif" if name.startswith("numbers") else "a.png"), DRAWINGS[name])
    np.testing.assert_array_equal(read_mask(path, SIZE), ~DRAWN)


def test_soft_edges_belong_to_the_stroke_and_a_codecs_traces_do_not(tmp_path):
    soft = np.where(DRAWN, 255, 0).astype(np.uint8)
    soft[5, 3:9] = 100
    assert read_mask(save(tmp_path / "soft.png", Image.fromarray(soft)), SIZE)[5, 3:9].tolist() == [0] * 6
    large = np.kron(DRAWN, np.ones((16, 16))) > 0
    save(tmp_path / "a.jpg", Image.fromarray(large))
    np.testing.assert_array_equal(read_mask(tmp_path / "a.jpg", large.shape), ~large)


def test_holes_in_a_photograph_or_in_a_black_page_are_missing(tmp_path):
    colours = np.random.default_rng(0).integers(60, 200, (12, 16, 3), np.uint8)
    for page in (colours, 0 * colours):
        layered = Image.fromarray(np.dstack([page, np.where(DRAWN, 0, 255).astype(np.uint8)]))
        np.testing.assert_array_equal(read_mask(save(tmp_path / "a.png", layered), SIZE), ~DRAWN)


def test_what_is_no_mask_is_said(tmp_path):
    for image, sentence in (
        (Image.new("L", (16, 12), 0), "black everywhere: no pixel is missing"),
        (Image.new("RGBA", (16, 12), CLEAR), "black everywhere: no pixel is missing"),
        (Image.new("L", (16, 12), 255), "as if all white: every pixel is missing"),
        (Image.new("L", (16, 12), 1), "as if all white: every pixel is missing"),
        (Image.fromarray(np.arange(192, dtype=np.uint8).reshape(12, 16) % 4), "values from 0 to 3 alone"),
    ):
        with pytest.raises(InputError, match=sentence):
            read_mask(save(tmp_path / "a.png", image), SIZE)
    photograph = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8) // 2 + 40
    with pytest.warns(InputWarning, match="looks like a photograph"):
        read_mask(save(tmp_path / "a.png", Image.fromarray(photograph)), SIZE)


@pytest.mark.parametrize("fit", ["crop", "resize"])
@pytest.mark.parametrize("size", [(384, 384), (384, 512), (250, 190)])
def test_no_missing_pixel_is_lost_where_it_is_reduced(tmp_path, size, fit):
    """Thin scratches: each pixel that a scratch touches is missing, and no other."""
    page = Image.new("1", size[::-1])
    draw = ImageDraw.Draw(page)
    draw.line((0, 30, size[1], size[0] - 20), fill=1)
    draw.line((size[1] // 2, 0, size[1] // 2 + 9, size[0]), fill=1)
    known = read_mask(save(tmp_path / "a.png", page), (64, 64), fit)
    rows, columns = np.nonzero(np.asarray(page))
    side = min(size)
    height, width = size if fit == "resize" else (side, side)
    rows, columns = rows - (size[0] - height) / 2, columns - (size[1] - width) / 2
    missing = np.zeros((64, 64), bool)
    for down in (0, 1 - 1e-6):  # the corners of each pixel: it is smaller than one of the 64
        for across in (0, 1 - 1e-6):
            i, j = np.floor((rows + down) * 64 / height), np.floor((columns + across) * 64 / width)
            inside = (i >= 0) & (i < 64) & (j >= 0) & (j < 64)
            missing[i[inside].astype(int), j[inside].astype(int)] = True
    np.testing.assert_array_equal(known, ~missing)


@pytest.mark.parametrize("fit", ["crop", "resize", "tile"])
def test_a_mask_of_another_scale_lies_where_the_photographs_does(tmp_path, fit):
    hole = np.zeros((40, 60), bool)
    hole[8:16, 44:52] = True
    for factor in (1, 2, 3):
        save(tmp_path / f"{factor}.png", Image.fromarray(np.kron(hole, np.ones((factor, factor))) > 0))
    photograph = (80, 120)
    target = (80, 112) if fit == "tile" else (20, 20)
    coarse, same, fine = (read_mask(tmp_path / f"{factor}.png", target, fit, photograph) for factor in (1, 2, 3))
    assert 0 < (1 - same).sum() < 0.1 * same.size
    for other in (coarse, fine):
        if fit == "crop":  # whose edge lies within a pixel of the coarse one
            assert np.abs(other - same).sum() <= 8
        else:
            np.testing.assert_array_equal(other, same)
    if fit == "tile":
        assert same[16:32, 88:104].sum() == 0
        assert same.sum() == 80 * 112 - 16 * 16
    for size in ((40, 40), (60, 40)):
        save(tmp_path / "a.png", Image.fromarray(np.eye(*size) > 0))
        with pytest.raises(InputError, match=f"{size[0]} x {size[1]} pixels and its photograph 80 x 120"):
            read_mask(tmp_path / "a.png", target, fit, photograph)


def test_known_pixels_have_nothing_of_the_scratch_beside_them(tmp_path):
    """Resized with it, a white scratch on grey would brighten its neighbours."""
    scratch = np.zeros((384, 384), bool)
    scratch[:, 191] = True  # the last of a pixel's six columns
    save(tmp_path / "mask.png", Image.fromarray(scratch))
    save(tmp_path / "photo.png", Image.fromarray(np.where(scratch[..., None], 255, [60, 100, 140]).astype(np.uint8)))
    known = read_mask(tmp_path / "mask.png", (64, 64), "crop")
    operator = operators.Mask(known)
    y = read_measurement(tmp_path / "photo.png", operator, (64, 64, 3), "crop", tmp_path / "mask.png")
    grey = np.array([60, 100, 140]) / 127.5 - 1
    np.testing.assert_allclose(y[known > 0], np.broadcast_to(grey, (int(known.sum()), 3)), atol=1e-6)
    resized = read_image(tmp_path / "photo.png", (64, 64), "crop")
    assert np.abs(resized[known > 0] - grey).max() > 0.1


def test_what_is_left_of_nothing_is_said(tmp_path):
    comb = np.tile(np.array([[1, 0], [0, 1]], bool), (32, 32))
    save(tmp_path / "comb.png", Image.fromarray(comb))
    with pytest.raises(InputError, match="leaves no pixel known at 32 x 32"):
        read_mask(tmp_path / "comb.png", (32, 32), "resize")
