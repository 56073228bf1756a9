"""What people have in their folders, on the command line: names, colours, masks, arrays."""

import json

import numpy as np
import pytest
from PIL import Image

import jaxrestore as jr
from jaxrestore.files.images import read_image

FAST = ("--iterations", 2, "--preset", "published")
NAME = "caf\udce9.png"  # a Latin-1 name where names are UTF-8


@pytest.fixture
def restore(command, tiny_folder):
    def run(*arguments):
        return command("restore", *arguments, "--prior", tiny_folder, *FAST)

    return run


def picture(seed=0):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8))


def test_a_folder_as_it_comes_is_restored(restore, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name in (NAME, "фото.png", "a.png", "a.png.png"):
        picture().save(folder / name)
    picture().save(folder / "a.jfif", "JPEG")
    (folder / "._a.png").write_bytes(b"\0\5\x16\7")
    code, said, errors = restore(folder, out, "--task", "denoise")
    assert code == 0
    assert "caf\\udce9.png: all 2 iterations were run" in said
    assert "left out, as hidden: ._a.png" in errors
    written = sorted(path.name for path in out.glob("*.png"))
    assert written == sorted([NAME, "фото.png", "a.png", "a.png.png", "a.jfif.png"])
    inputs = {json.loads(path.read_text())["input"] for path in (out / "runs").iterdir()}
    assert inputs == {str(path) for path in folder.iterdir() if path.name[0] != "."}
    assert restore(folder, out, "--task", "denoise")[1].count("restored before") == 1


def test_layers_are_kept_and_single_results_keep_their_records(restore, tmp_path):
    layered = picture().convert("RGBA")
    layered.putalpha(Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)))
    layered.save(tmp_path / "a.png", dpi=(300, 300))
    picture(1).save(tmp_path / "b.png")
    out = tmp_path / "out"
    assert restore(tmp_path / "a.png", out / "a.tif", "--task", "denoise")[0] == 0
    assert restore(tmp_path / "b.png", out / "b.png", "--task", "denoise")[0] == 0
    back = Image.open(out / "a.tif")
    np.testing.assert_array_equal(back.getchannel("A"), layered.getchannel("A"))
    assert back.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    records = {path.name: json.loads(path.read_text())["input"] for path in out.glob("*.json")}
    assert records == {"run.json": str(tmp_path / "a.png"), "b_run.json": str(tmp_path / "b.png")}
    code, _, said = restore(tmp_path / "a.png", out / "a.jpg", "--task", "denoise")
    assert code == 2
    assert "a.jpg can't hold transparency" in said


def test_a_scratch_stays_missing_in_a_reduced_photograph(restore, command, tmp_path):
    large = picture().resize((128, 96), Image.Resampling.BICUBIC)
    scratch = Image.new("RGBA", (64, 48))
    scratch.putdata([(0, 255, 0, 255) if i % 64 == 30 else (0, 0, 0, 0) for i in range(64 * 48)])
    scratch.save(tmp_path / "mask.png")
    photo = np.asarray(large).copy()
    photo[:, 60:62] = 255
    Image.fromarray(photo).save(tmp_path / "photo.png")
    flags = ("--task", "inpaint", "--mask", tmp_path / "mask.png", "--fit", "crop")
    code, _, said = restore(tmp_path / "photo.png", tmp_path / "x.png", *flags)
    assert code == 0
    assert "inverted" not in said
    known = jr.read_mask(tmp_path / "mask.png", (16, 16), "crop", (96, 128))
    assert (1 - known).sum(axis=1).tolist() == [1] * 16
    operator = jr.Mask(known)
    y = jr.read_measurement(tmp_path / "photo.png", operator, (16, 16, 3), "crop", tmp_path / "mask.png")
    np.testing.assert_allclose(read_image(tmp_path / "x.png")[known > 0], y[known > 0], atol=1e-6)
    Image.new("L", (50, 50)).save(tmp_path / "mask.png")
    code, _, said = restore(tmp_path / "photo.png", tmp_path / "x.png", *flags)
    assert code == 2
    assert "is 50 x 50 pixels and its photograph 96 x 128" in said
    Image.new("L", (50, 40), 255).save(tmp_path / "mask.png")
    code, _, said = command(
        "degrade", tmp_path / "photo.png", tmp_path / "y.png", "--task", "inpaint", "--mask", tmp_path / "mask.png"
    )
    assert code == 2
    assert "draw it in the photograph's proportions, or square" in said


def test_arrays_of_another_range_are_refused(restore, tmp_path):
    np.save(tmp_path / "y.npy", np.asarray(picture(), np.float32))
    code, _, said = restore(tmp_path / "y.npy", tmp_path / "x.png", "--task", "denoise")
    assert code == 2
    assert "brightness from 0 to 1 is meant: divide 0..255 by 255 first" in said
    assert not (tmp_path / "x.png").exists()
