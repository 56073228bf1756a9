"""Which files a job writes: nobody's are written over by another's."""

import json

import pytest

from jaxrestore.cli.paths import entries_of
from jaxrestore.errors import InputError, InputWarning


def folder_of(path, *names):
    path.mkdir(parents=True, exist_ok=True)
    for name in names:
        (path / name).write_bytes(b"")
    return path


def restored(entries):
    """As if they had been."""
    for entry in entries:
        entry.files.record.parent.mkdir(parents=True, exist_ok=True)
        entry.files.image.write_bytes(b"")
        entry.files.record.write_text(json.dumps({"input": str(entry.input), "output": str(entry.files.image)}))
    return names(entries)


def names(entries):
    return {entry.input.name: entry.files.image.name for entry in entries}


def test_each_image_of_a_folder_has_names_of_its_own(tmp_path):
    images = folder_of(
        tmp_path / "in", "photo.jpg", "photo.png", "photo.jpg.png", "PHOTO.webp", "e\u0301.jpg", "\xe9.png"
    )
    entries = entries_of(images, tmp_path / "out")
    assert len(entries) == 6
    for field in entries[0].files._fields:
        assert len({str(getattr(entry.files, field)).casefold() for entry in entries}) == 6
    assert names(entries)["photo.jpg.png"] == "photo.jpg.png"
    assert names(entries)["photo.png"] == "photo.png"
    assert len({entry.album for entry in entries}) == 6


def test_names_stay_where_another_image_comes_to_them(tmp_path):
    images, out = folder_of(tmp_path / "in", "photo.jpg"), tmp_path / "out"
    assert restored(entries_of(images, out)) == {"photo.jpg": "photo.png"}
    folder_of(images, "photo.png")
    for _ in range(2):
        assert restored(entries_of(images, out)) == {"photo.jpg": "photo.png", "photo.png": "photo.png.png"}
    images.rename(tmp_path / "moved")
    assert names(entries_of(tmp_path / "moved", out)) == {"photo.jpg": "photo.png", "photo.png": "photo.png.png"}


def test_two_folders_restored_into_one_keep_their_results(tmp_path):
    out = tmp_path / "out"
    first, second = (folder_of(tmp_path / name, "0001.png") for name in ("a", "b"))
    assert restored(entries_of(first, out)) == {"0001.png": "0001.png"}
    for _ in range(2):
        assert restored(entries_of(second, out)) == {"0001.png": "0001.png.png"}
    assert names(entries_of(first, out)) == {"0001.png": "0001.png"}


def test_images_restored_one_by_one_into_a_folder(tmp_path):
    images, out = folder_of(tmp_path / "in", "a.jpg", "a.png"), folder_of(tmp_path / "out")
    for _ in range(2):
        assert restored(entries_of(images / "a.jpg", out)) == {"a.jpg": "a.png"}
    (other,) = entries_of(images / "a.png", out)
    assert other.files.image.name == "a.png.png"
    folder_of(out, "b.png")  # of which nothing is known
    assert names(entries_of(folder_of(images, "b.jpg") / "b.jpg", out)) == {"b.jpg": "b.jpg.png"}
    with pytest.raises(InputError, match="OUTPUT is INPUT"):
        entries_of(images / "a.png", images)


def test_an_output_is_written_as_its_suffix_says(tmp_path):
    image = folder_of(tmp_path / "in", "a.png") / "a.png"
    for suffix in (".png", ".JPG", ".jpeg", ".webp", ".tif", ".tiff"):
        assert entries_of(image, tmp_path / f"x{suffix}")[0].files.image.suffix == suffix
    png, jpg = (entries_of(image, tmp_path / f"x{suffix}")[0] for suffix in (".png", ".jpg"))
    assert not {*png.files[:-1], png.album} & {
        *jpg.files[:-1],
        jpg.album,
    }  # the record's name is settled as it is written
    for wrong in ("x.gif", "x"):
        with pytest.raises(InputError, match=r"OUTPUT must be a \.png, \.jpg"):
            entries_of(image, tmp_path / wrong)


def test_a_folder_is_not_named_as_an_image(tmp_path):
    images = folder_of(tmp_path / "in", "a.png")
    with pytest.raises(InputError, match=r"OUTPUT must be one, and .*x\.png is named as an image"):
        entries_of(images, tmp_path / "x.png")
    assert entries_of(images, folder_of(tmp_path / "x.png"))


def test_folders_inside_are_named(tmp_path):
    images = folder_of(tmp_path / "in", "a.png")
    folder_of(images / "more", "b.png")
    folder_of(images / "texts", "b.txt")
    folder_of(images / "out", "a.png")
    with pytest.warns(InputWarning) as warned:
        assert len(entries_of(images, images / "out")) == 1
    assert [str(one.message).partition(" is a folder inside INPUT")[0] for one in warned] == [str(images / "more")]


def test_masks_and_references_are_found_by_name(tmp_path):
    images = folder_of(tmp_path / "in", "a.jpg", "a.png", "b.png")
    masks = folder_of(tmp_path / "masks", "a.jpg.png", "a.png", "._b.png")
    entries = entries_of(images, tmp_path / "out", mask=masks)
    found = {entry.input.name: entry.mask.name for entry in entries}
    assert found == {"a.jpg": "a.jpg.png", "a.png": "a.png", "b.png": "b (no mask of that name)"}
