"""Folders and larger images: what is restored, what is left as it is, what goes on after a kill."""

import numpy as np
import pytest
from PIL import Image

from jaxrestore.files.images import read_image
from jaxrestore.solve import record as outputs

FAST = ("--iterations", 2, "--preset", "published", "--task", "denoise")


@pytest.fixture
def folder(photograph, tmp_path):
    """Three images of the tiny prior's size."""
    (tmp_path / "in").mkdir()
    picture = Image.open(photograph)
    for i, name in enumerate(("a.png", "b.png", "c.png")):
        picture.crop((i, i, i + 16, i + 16)).save(tmp_path / "in" / name)
    return tmp_path / "in"


def written(out):
    return {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")}


def test_what_is_finished_is_not_restored_again(command, tiny_folder, folder, tmp_path):
    out = tmp_path / "out"
    run = ("restore", folder, out, "--prior", tiny_folder, *FAST, "--batch-size", 2)
    assert command(*run)[0] == 0
    before = written(out)
    assert sorted(before) == ["a.png", "b.png", "c.png"]

    code, said, _ = command(*run)
    assert code == 0
    assert said.count("restored before") == 2  # a and b, c
    assert written(out) == before

    (out / "a.png").unlink()
    assert command(*run)[0] == 0
    after = written(out)
    assert after["c.png"] == before["c.png"]
    assert after["b.png"] != before["b.png"]  # a's batch is redone whole

    Image.open(folder / "a.png").save(folder / "c.png")
    assert command(*run)[0] == 0
    assert written(out)["c.png"] != after["c.png"]

    last = written(out)
    assert command(*run, "--redo")[0] == 0
    assert not set(written(out).values()) & set(last.values())
    last = written(out)
    assert command(*run, "--seed", 1)[0] == 0
    assert not set(written(out).values()) & set(last.values())


def test_an_image_of_a_run_that_was_cut_is_not_taken_for_anothers(command, tiny_folder, folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run = ("restore", folder, out, "--prior", tiny_folder, *FAST)
    assert command(*run)[0] == 0
    wanted = (out / "a.png").read_bytes()

    def killed(path, value):
        raise KeyboardInterrupt

    monkeypatch.setattr(outputs, "write_json", killed)
    assert command(*run, "--seed", 1)[0] == 130  # its images are there, and its records not
    monkeypatch.undo()
    assert (out / "a.png").read_bytes() != wanted
    assert command(*run)[0] == 0
    assert (out / "a.png").read_bytes() == wanted


def test_larger_images_are_restored_whole(command, tiny_folder, photograph, tmp_path):
    x = tmp_path / "x.png"
    run = ("--prior", tiny_folder, "--iterations", 1, "--preset", "published", "--fit", "tile")
    code, _, said = command("restore", photograph, x, "--task", "blind-motion-deblur", *run)
    assert code == 0
    assert "taken as 40 x 48 pixels (--fit tile)" in said
    assert ": 1 image, 1 iteration in 12 tiles, 120 network evaluations an image" in said
    assert read_image(x).shape == (40, 48, 3)
    assert Image.open(tmp_path / "x_kernel.png").size == (40, 40)  # one of 3 x 3, as at 16 pixels, and its frame

    Image.open(photograph).crop((0, 0, 21, 10)).save(tmp_path / "small.png")
    assert command("restore", tmp_path / "small.png", x, "--task", "super-resolution", "--scale", 2, *run)[0] == 0
    assert read_image(x).shape == (16, 40, 3)  # of 20 x 42, in multiples of 8

    hole = np.zeros((40, 48), np.uint8)
    hole[12:28, 16:32] = 255
    Image.fromarray(hole).save(tmp_path / "hole.png")
    mask = ("--mask", tmp_path / "hole.png", "--reference", photograph)
    assert command("restore", photograph, x, "--task", "inpaint", *mask, *run)[0] == 0
    found, clean = read_image(x), read_image(photograph)
    np.testing.assert_array_equal(found[hole == 0], clean[hole == 0])  # what is known lies where it was

    code, _, said = command("restore", tmp_path / "small.png", x, "--task", "deblur", "--kernel", x, *run)
    assert code == 2
    code, _, said = command("restore", tmp_path / "small.png", x, "--task", "denoise", *run)
    assert code == 2
    assert "smaller than the prior's 16 x 16: pass --fit resize" in said


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--devices", 9), "devices here, not 9"),
        (("--hosts", 2), "Give --coordinator HOST:PORT, --hosts N and --host-id I"),
    ],
)
def test_devices_and_hosts_that_cannot_be_are_named(command, tiny_folder, folder, tmp_path, flags, sentence):
    code, _, said = command("restore", folder, tmp_path / "out", "--prior", tiny_folder, *FAST, *flags)
    assert code == 2
    assert sentence in said
