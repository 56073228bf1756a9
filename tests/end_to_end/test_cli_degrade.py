"""`jaxrestore degrade`: what is cut from a larger photograph, and folders."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jaxrestore as jr
from jaxrestore import operators as ops
from jaxrestore.cli import degrading
from jaxrestore.files.images import as_stored, read_image

SMALL = ("--size", 16)
BLUR = ("--task", "deblur", "--kernel-size", 3, "--sigmas", 0.8, 0.6, *SMALL)


@pytest.fixture
def folder(photograph, tmp_path):
    """Three images, two of them of one stem, and a file that is none."""
    (tmp_path / "in").mkdir()
    for i, name in enumerate(("a.png", "a.jpg", "b.png")):
        Image.open(photograph).crop((i, i, i + 30, i + 30)).save(tmp_path / "in" / name)
    (tmp_path / "in" / "broken.png").write_text("no image")
    return tmp_path / "in"


def contents(*folders):
    return {path: path.read_bytes() for folder in folders for path in sorted(folder.rglob("*.*")) if path.is_file()}


def test_a_photograph_is_blurred_with_what_lies_around_it(command, photograph, tmp_path):
    y = tmp_path / "y.png"
    code, said, _ = command("degrade", photograph, y, *BLUR)
    assert code == 0
    assert "16 x 16, blurred at 18 x 18 and cut" in said
    scene, clean = read_image(photograph, (18, 18), "crop"), read_image(tmp_path / "y_clean.png")
    np.testing.assert_array_equal(clean, scene[1:-1, 1:-1])
    blur = ops.Blur(np.load(tmp_path / "y_kernel.npy"))
    wanted = ops.cut_out(blur, jnp.asarray(scene), (16, 16))
    np.testing.assert_allclose(read_image(y), as_stored(wanted), atol=0.009)
    assert command("degrade", photograph, y, *BLUR, "--boundary", "zero", "--fit", "resize")[0] == 0
    clean = read_image(tmp_path / "y_clean.png")
    np.testing.assert_array_equal(clean, read_image(photograph, (16, 16), "resize"))
    wanted = ops.with_boundary(blur, "zero")(jnp.asarray(clean))
    np.testing.assert_allclose(read_image(y), as_stored(wanted), atol=0.009)


def test_a_photograph_keeps_its_own_size(command, photograph, tmp_path):
    """But for what is over where it is reduced, and for the border of a blur; nothing is resized."""
    whole, y = read_image(photograph), tmp_path / "y.png"
    height, width = whole.shape[:2]
    assert command("degrade", photograph, y, "--task", "denoise", "--size", "own")[0] == 0
    np.testing.assert_array_equal(read_image(tmp_path / "y_clean.png"), whole)
    assert command("degrade", photograph, y, "--task", "super-resolution", "--scale", 3, "--size", "own")[0] == 0
    assert read_image(y).shape == (height // 3, width // 3, 3)
    code, said, _ = command("degrade", photograph, y, "--task", "deblur", "--kernel-size", 5, "--size", "own")
    assert code == 0
    assert f"blurred at {height} x {width} and cut" in said
    np.testing.assert_array_equal(read_image(tmp_path / "y_clean.png"), whole[2:-2, 2:-2])


def test_a_border_is_left_out_of_a_restoration(command, tiny_folder, photograph, tmp_path):
    y, x, kernel = tmp_path / "y.png", tmp_path / "x.png", tmp_path / "y_kernel.npy"
    assert command("degrade", photograph, y, *BLUR)[0] == 0
    told = ("--task", "deblur", "--kernel", kernel, "--boundary", "valid", "--prior", tiny_folder, "--iterations", 2)
    assert command("restore", y, x, *told)[0] == 0
    assert json.loads((tmp_path / "run.json").read_text())["options"]["boundary"] == "valid"
    prior, blur = jr.load_prior(tiny_folder), jr.Blur(np.load(kernel), "valid")
    result = jr.restore(jr.bird(prior, blur, iterations=2), jr.read_image(y, prior), jax.random.key(0))
    np.testing.assert_array_equal(read_image(x), as_stored(result.image))
    seen = np.asarray(ops.selected(blur, jnp.asarray(read_image(y))))
    np.testing.assert_allclose(result.data_term, np.mean((np.asarray(blur(result.image)) - seen) ** 2), rtol=1e-3)


def test_what_has_no_border_or_nothing_around_it(command, photograph, tmp_path):
    Image.open(photograph).crop((0, 0, 16, 16)).save(tmp_path / "small.png")
    y = tmp_path / "y.png"
    code, said, _ = command("degrade", tmp_path / "small.png", y, *BLUR)
    assert code == 0
    assert "cut" not in said
    for photo, flags, sentence in (
        (tmp_path / "small.png", (*BLUR, "--boundary", "valid"), "needs a blur and a larger photograph than"),
        (photograph, ("--task", "denoise", "--boundary", "valid"), "needs a blur and a larger photograph than"),
        (photograph, ("--task", "denoise", "--boundary", "zero"), "--boundary zero is for a blur"),
    ):
        code, _, said = command("degrade", photo, y, *flags)
        assert code == 2
        assert sentence in said


def test_a_folder_goes_on_where_it_was_killed(command, folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    clean, kernels = tmp_path / "out_clean", tmp_path / "out_kernel"
    run = ("degrade", folder, out, "--task", "motion-deblur", "--noise-level", 5, *SMALL)

    def killed(path, value):
        raise KeyboardInterrupt

    monkeypatch.setattr(degrading, "write_json", killed)
    assert command(*run)[0] == 130
    monkeypatch.undo()
    code, said, errors = command(*run)
    assert code == 1
    assert f"jaxrestore: {folder / 'broken.png'} is not an image" in errors
    assert "before" not in said
    for where in (out, clean):
        assert sorted(path.name for path in where.glob("*.png")) == ["a.jpg.png", "a.png", "b.png"]
    made = contents(out, clean, kernels)
    assert len({made[path] for path in kernels.iterdir()}) == 3  # each is drawn anew
    seed = json.loads((out / "runs" / "b.json").read_text())["seed"]
    alone = tmp_path / "alone.png"
    assert command("degrade", folder / "b.png", alone, *run[3:], "--seed", seed)[0] == 0
    assert alone.read_bytes() == made[out / "b.png"]

    (out / "a.png").unlink()
    (clean / "b.png").unlink()
    code, said, _ = command(*run)
    assert said.count("degraded before") == 1
    assert contents(out, clean, kernels) == made
    command(*run, "--seed", 1)
    assert contents(out)[out / "b.png"] != made[out / "b.png"]

    code, said, _ = command("score", out, clean, "--format", "json")
    assert code == 0
    assert sorted(json.loads(said)["images"]) == ["a.jpg.png", "a.png", "b.png"]


def test_flags_that_cannot_be_meant_are_said_once(command, folder, tmp_path):
    code, _, said = command("degrade", folder, tmp_path / "out", "--task", "motion-deblur", "--length", 99, *SMALL)
    assert code == 2
    assert said.count("--length must lie between") == 1
    code, _, said = command("degrade", folder, tmp_path / "file.png", "--task", "denoise")
    assert code == 2
    assert "INPUT is a folder, so OUTPUT must be one" in said
    folder.rename(tmp_path / "out_clean")
    code, _, said = command("degrade", tmp_path / "out_clean", tmp_path / "out", "--task", "denoise", *SMALL)
    assert code == 2
    assert "is read, and would be written into" in said
    assert not (tmp_path / "out").exists()


def test_sinograms_of_a_folder(command, folder, tmp_path):
    (folder / "broken.png").unlink()
    assert command("degrade", folder, tmp_path / "out", "--task", "tomography", "--views", 3, *SMALL)[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.*")) == ["a.jpg.npy", "a.npy", "b.npy"]
    assert np.load(tmp_path / "out" / "b.npy").shape[-1] == 3
