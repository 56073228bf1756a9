"""What is in a folder, and what is left out."""

from pathlib import Path

import pytest

from jaxrestore.errors import ImageError, InputWarning
from jaxrestore.files.folders import counterpart, list_images


def test_all_that_is_no_image_is_named_with_its_reason(tmp_path):
    for name in ("b.HEIC", "a.jfif", "c.avif", "._a.jfif", ".DS_Store", "notes.txt", "raw.CR2"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.warns(InputWarning) as warned:
        assert [path.name for path in list_images(tmp_path)] == ["a.jfif", "b.HEIC", "c.avif"]
    said = sorted(str(one.message).removeprefix(f"{tmp_path}: left out, as ") for one in warned)
    assert said == [
        "hidden: .DS_Store, ._a.jfif",
        "links to nothing: gone.png",
        "no image by their suffix: notes.txt, raw.CR2",
    ]


def test_a_folder_without_any_is_an_error(tmp_path):
    (tmp_path / "._a.png").write_bytes(b"")
    with pytest.raises(ImageError, match="holds no image file"), pytest.warns(InputWarning, match="hidden"):
        list_images(tmp_path)


def test_what_belongs_together_has_the_nearest_name():
    files = [Path("m") / name for name in ("._a.jpg", "a.bmp", "a.jpg", "a.jpg.png", "a.txt", "b.png")]

    def found(name, among=files):
        match = counterpart(Path("in") / name, among)
        return match and match.name

    assert [found(name) for name in ("a.jpg", "a.png", "b.jpg", "c.png")] == ["a.jpg", "a.bmp", "b.png", None]
    assert found("a.jpg", files[3:]) == "a.jpg.png"
    assert found("a.jpg.png", files[:3]) == "a.jpg"
