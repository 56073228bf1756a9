"""What a JPEG file says of its own quality."""

import io

import numpy as np
import pytest
from PIL import Image

from jaxrestore.files.jpegs import jpeg_quality, luma_steps, nearest_quality


@pytest.fixture(scope="module")
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8))


def test_every_quality_is_read_off_the_file_as_it_was_written(picture, tmp_path):
    path = tmp_path / "x.jpg"
    for quality in range(5, 96):
        picture.save(path, quality=quality)
        assert jpeg_quality(path) == quality
    picture.convert("L").save(path, quality=35)
    assert jpeg_quality(path) == 35


def test_other_files_have_none(picture, tmp_path):
    for name in ("x.png", "x.webp"):
        picture.save(tmp_path / name)
        assert jpeg_quality(tmp_path / name) is None
    (tmp_path / "x.jpg").write_bytes(b"\xff\xd8\xff no image")
    assert jpeg_quality(tmp_path / "x.jpg") is None
    assert jpeg_quality(tmp_path / "nowhere.jpg") is None


def test_of_foreign_tables_the_nearest_is_taken(picture):
    assert nearest_quality([1] * 64) == 99
    rng = np.random.default_rng(1)
    bent = luma_steps(40) * rng.uniform(0.9, 1.1, (8, 8))
    assert abs(nearest_quality(np.round(bent).astype(int).ravel().tolist()) - 40) <= 2
    stream = io.BytesIO()
    picture.save(stream, "JPEG", qtables=[bent.round().astype(int).ravel().tolist()] * 2)
    assert abs(nearest_quality(Image.open(stream).quantization[0]) - 40) <= 2  # type: ignore[attr-defined]
