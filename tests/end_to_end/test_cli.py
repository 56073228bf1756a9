"""The command line, on a tiny prior: what it writes, and what it says when it can't."""

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jaxrestore as jr
from jaxrestore.cli.paths import entries_of
from jaxrestore.cli.tasks import TASKS, Task
from jaxrestore.files.images import read_image


@pytest.fixture(scope="module")
def prior(tiny_folder):
    return tiny_folder


FAST = ("--iterations", 2, "--restarts", 2)


def test_bad_degradations_get_one_sentence(command, photograph, tmp_path):
    y = tmp_path / "y.png"
    np.save(tmp_path / "y_kernel.npy", np.ones((3, 3)))
    cases = {
        "There is no task 'denose'": ("denose",),
        "OUTPUT of tomography must be a .npy file": ("tomography",),
        "--noise speckle needs --noise-level": ("denoise", "--noise", "speckle", "--noise-level", 0),
        "--noise bird has the published levels": ("denoise", "--noise", "bird", "--noise-level", 9),
        "--sigmas must be positive": ("deblur", "--sigmas", 99, 1),
        "--sigmas must be positive and": ("blind-deblur", "--offset", 99, 0),
        "--kernel-size must be odd": ("motion-deblur", "--kernel-size", 4),
        "--length must lie between 0 and 16": ("nonuniform-deblur", "--length", 99),
        "The box's side must lie between 1 and 15": ("inpaint", "--box", 16),
        "--fraction must lie above 0 and up to 1, not 0.0": ("compressed-sensing", "--fraction", 0),
        "--scale 3 doesn't divide": ("old-photo", "--scale", 3),
        "y_kernel.npy is read, and would be written over": ("deblur", "--kernel", tmp_path / "y_kernel.npy"),
    }
    for sentence, (task, *extra) in cases.items():
        code, _, errors = command("degrade", photograph, y, "--task", task, "--size", 16, *extra)
        assert code == 2, sentence
        assert sentence in errors
        assert errors.strip().count("\n") == 0, errors
        assert not y.exists()


@pytest.mark.slow
def test_tuned_settings_of_a_blind_task(command, photograph, tmp_path):
    """With the embedded prior: kernels by alternating steps, several of them in one picture."""
    y, out = tmp_path / "y.png", tmp_path / "x.png"
    assert command("degrade", photograph, y, "--task", "nonuniform-deblur", "--length", 6)[0] == 0
    assert command("restore", y, out, "--task", "nonuniform-deblur", "--iterations", 4)[0] == 0
    record = json.loads((tmp_path / "run.json").read_text())
    kernels = np.asarray(record["estimated_kernels"])
    assert kernels.shape == (4, 11, 11)
    assert not np.allclose(kernels[0], kernels[1])
    assert read_image(tmp_path / "x_kernel.png").shape == (8 * 13, 4 * 8 * 13, 3)


def test_a_new_task_is_one_operator_and_one_line(command, prior, photograph, tmp_path, monkeypatch):
    """The example of docs/tasks.md, as it stands there."""
    blocks = re.findall(
        r"```text\n(.*?)```", (Path(__file__).parent.parent.parent / "docs" / "tasks.md").read_text(), re.DOTALL
    )
    names = {"jr": jr, "jnp": jnp, "dataclass": dataclasses.dataclass, "Any": Any, "Task": Task}
    exec(blocks[0], names)
    monkeypatch.setitem(TASKS, "vignette", eval(blocks[1].strip().rstrip(","), names))
    y = tmp_path / "y.png"
    assert command("degrade", photograph, y, "--task", "vignette", "--size", 16)[0] == 0
    assert read_image(y)[0, 0].mean() < read_image(tmp_path / "y_clean.png")[0, 0].mean()
    assert command("restore", y, tmp_path / "x.png", "--task", "vignette", "--prior", prior, *FAST)[0] == 0
    assert "vignette\n    known: its shape; estimated: its strength" in command("tasks")[1]


def test_a_folder_is_restored_but_for_its_bad_image(command, prior, photograph, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    picture = Image.open(photograph).resize((16, 16))
    picture.save(folder / "a.png")
    picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "b.jpg")
    (folder / "c.png").write_text("no image")
    (folder / "notes.txt").write_text("not looked at")
    arguments = ("--task", "denoise", "--prior", prior, *FAST)
    code, _, errors = command("restore", folder, out, *arguments)
    assert code == 1
    assert f"jaxrestore: {folder / 'c.png'} is not an image" in errors
    assert "left out, as no image by their suffix" in errors
    assert ": notes.txt" in errors
    assert "jaxrestore: denoise by bird with " in errors
    assert f"{prior}: 3 images, 2 iterations x 2 restarts, 40 network evaluations an image" in errors
    assert sorted(path.name for path in out.iterdir()) == ["a.png", "b.png", "runs", "strips"]
    picture.save(folder / "a.bmp")  # beside a.png, which keeps its name
    assert [entry.files.image.name for entry in entries_of(folder, out)] == ["a.bmp.png", "a.png", "b.png", "c.png"]
    assert json.loads((out / "runs" / "b.json").read_text())["input"].endswith("b.jpg")
    assert command("restore", folder / "a.png", tmp_path / "alone.png", *arguments)[0] == 0
    np.testing.assert_allclose(read_image(tmp_path / "alone.png"), read_image(out / "a.png"), atol=0.01)


def test_sizes_are_fitted_on_request_and_said(command, prior, photograph, tmp_path):
    arguments = ("restore", photograph, tmp_path / "x.png", "--task", "denoise", "--prior", prior, *FAST)
    code, _, errors = command(*arguments)
    assert code == 2
    assert (
        "40 x 48 pixels where 16 x 16 are needed: pass --fit crop, --fit resize or, to keep all of it, --fit tile"
        in errors
    )
    code, _, errors = command(*arguments, "--fit", "crop")
    assert code == 0
    assert "taken as 16 x 16 pixels (--fit crop)" in errors
    assert command(*arguments, "--fit", "crop", "--quiet")[2] == ""


def test_bad_input_gets_one_sentence_and_leaves_nothing(command, prior, photograph, tmp_path):
    y = tmp_path / "y.png"
    Image.open(photograph).resize((16, 16)).save(y)
    Image.new("L", (16, 16), 255).save(tmp_path / "white.png")
    Image.new("L", (8, 8)).save(tmp_path / "small.png")
    np.save(tmp_path / "even.npy", np.ones((4, 4)))
    np.save(tmp_path / "nan.npy", np.full((3, 3), np.nan))
    comb = np.tile(np.array([[0, 255], [255, 0]], np.uint8), (8, 8))
    Image.fromarray(comb).save(tmp_path / "comb.png")
    np.savez(tmp_path / "several.npz", a=np.ones((3, 3)), b=np.ones((5, 5)))
    (tmp_path / "file").write_text("in the way")
    x = tmp_path / "x.png"
    cases = {
        "There is no file or folder": ("none.png", x, "denoise"),
        "There is no prior nobody": (y, x, "denoise", "--prior", "nobody"),
        "The task needs --mask FILE": (y, x, "inpaint"),
        "every pixel is missing": (y, x, "inpaint", "--mask", tmp_path / "white.png"),
        "small.png is 8 x 8 pixels where 16 x 16 are needed": (y, x, "inpaint", "--mask", tmp_path / "small.png"),
        "odd sides of at most 16": (y, x, "deblur", "--kernel", tmp_path / "even.npy"),
        "not finite": (y, x, "deblur", "--kernel", tmp_path / "nan.npy"),
        "There is no file": (y, x, "deblur", "--kernel", tmp_path / "none.npy"),
        "must be odd and at most 16": (y, x, "blind-deblur", "--kernel-size", 4),
        "There is no task 'denose'; there are: denoise, inpaint": (y, x, "denose"),
        "The task blind-deblur takes no --kernel": (y, x, "blind-deblur", "--kernel", tmp_path / "nan.npy"),
        "holds several arrays: say which": (y, x, "deblur", "--kernel", tmp_path / "several.npz"),
        "must be a .npy file (16, 20)": (y, x, "tomography"),
        "the task takes finite numbers of shape (16, 20, 3)": (tmp_path / "nan.npy", x, "tomography"),
        "can't tell noise from detail": (y, x, "compressed-sensing", "--noise-level", "auto"),
        "--regions must lie between 1 and 8": (y, x, "nonuniform-deblur", "--method", "shred", "--regions", 0),
        "--views must lie between 1 and 10,000, not 0": (y, x, "tomography", "--views", 0),
        "doesn't divide": (y, x, "super-resolution", "--scale", 5),
        "--restarts must lie between 1 and 10,000, not 0": (y, x, "denoise", "--restarts", 0),
        "--iterations must lie between 1 and 1,000,000, not -3": (y, x, "denoise", "--iterations", -3),
        "--noise-level must lie between 0 and 255, not nan": (y, x, "denoise", "--noise-level", "nan"),
        "--window must be 0 or at least 2": (y, x, "denoise", "--window", 1),
        "no 2 x 2 pixels that are all known": (
            y,
            x,
            "inpaint",
            "--mask",
            tmp_path / "comb.png",
            "--noise-level",
            "auto",
        ),
        "--discrepancy needs --noise-level": (y, x, "denoise", "--discrepancy", 1, "--noise-level", 0),
        "Unknown preset 'papper'": (y, x, "denoise", "--preset", "papper"),
        "is read, and would be written over": (y, x, "denoise", "--reference", x),
        "OUTPUT must be a .png, .jpg, .jpeg, .webp": (y, tmp_path / "x.gif", "denoise"),
        "OUTPUT is INPUT": (y, y, "denoise"),
        "can't be written": (y, tmp_path / "file" / "x.png", "denoise", *FAST),
    }
    before = y.read_bytes()
    for sentence, (given, out, task, *extra) in cases.items():
        chosen = () if "--prior" in extra else ("--prior", prior)
        code, _, errors = command("restore", given, out, "--task", task, *chosen, *extra)
        assert code == 2, sentence
        assert sentence in errors
        assert errors.strip().count("\n") == 0, errors
        assert "Traceback" not in errors
        assert not x.exists()
    assert y.read_bytes() == before


def test_sample_and_priors(command, prior, tmp_path):
    code, said, _ = command("sample", tmp_path / "sheet.png", "--prior", prior, "--number", 3, "--skip", 250)
    assert code == 0
    assert "3 samples of tiny" in said
    assert read_image(tmp_path / "sheet.png").shape == (256, 256, 3)
    code, said, _ = command("priors")
    assert "flowers64: 64 x 64 x 3, ddpm" in said
    code, said, _ = command("priors", prior)
    assert json.loads(said)["data"] == "nothing"
    assert command("priors", "nobody")[0] == 2


def test_tasks_are_listed_with_what_they_take(command):
    code, said, _ = command("tasks")
    assert code == 0
    for name, task in TASKS.items():
        assert f"{name}\n    known: {task.known}" in said
        assert task.flags in said


@pytest.mark.parametrize("name", ["restore", "degrade", "tasks", "sample", "priors", "calibrate", "tune", "demo"])
def test_help_explains_every_argument(command, name):
    code, said, _ = command(name, "--help")
    assert code == 0
    assert "usage: jaxrestore" in said
    assert len(said.splitlines()) > 4


def test_blind_restoration_is_told_nothing(command, prior, photograph, tmp_path):
    folder, clean = tmp_path / "prior", tmp_path / "clean"
    shutil.copytree(prior, folder)
    y, out = tmp_path / "y.png", tmp_path / "x.png"
    assert command("degrade", photograph, y, "--task", "blind", "--degradation", "noise", "--size", 16)[0] == 0
    assert command("restore", y, out, "--task", "blind", "--prior", folder)[0] == 0  # to the letter: it needs nothing
    assert json.loads((tmp_path / "run.json").read_text())["method"]["noise_to_signal"] == [1, 2, 2]
    code, _, said = command("restore", y, tmp_path / "z.png", "--task", "blind", "--prior", folder, "--preset", "prior")
    assert code == 2
    clean.mkdir()
    code, _, said = command("calibrate", folder, clean)
    assert code == 2
    for seed in range(5):
        pixels = np.random.default_rng(seed).integers(0, 255, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(clean / f"{seed}.png")
    code, said, _ = command("calibrate", folder, clean)
    assert code == 0
    assert "5 photographs at depths 25, 50, 100, 200" in said
    assert command("priors", "verify", folder)[0] == 0
    code, said, _ = command(
        "restore", y, out, "--task", "blind", "--prior", folder, "--reference", tmp_path / "y_clean.png"
    )
    assert code == 0
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["options"]["method"] == "invert2restore"
    assert 1 <= record["iterations_run"] <= 4
    random = ("--method", "dreamclean", "--iterations", 2, "--restarts", 2, "--uncertainty")
    code, _, said = command("restore", y, tmp_path / "d.png", "--task", "blind", "--prior", folder, *random)
    assert code == 0
    assert "blind by dreamclean" in said
    assert "2 iterations x 2 restarts, 12 network evaluations an image" in said
    assert (tmp_path / "d_uncertainty.png").is_file()
    record = json.loads((tmp_path / "d_run.json").read_text())
    assert record["options"]["method"] == "dreamclean"
    assert record["method"]["gamma"] == pytest.approx(0.05)
    for wrong, sentence in (
        (("--iterations", 3), "no use for --iterations"),
        (("--method", "bird"), "give invert2restore or invert2restore-literal or invert2restore-calibrated or diip"),
    ):
        code, _, said = command("restore", y, out, "--task", "blind", "--prior", folder, *wrong)
        assert code == 2
        assert sentence in said


def test_a_sampler_has_the_noise_estimated_and_says_what_it_costs(command, prior, photograph, tmp_path):
    y = tmp_path / "y.png"
    assert command("degrade", photograph, y, "--task", "denoise", "--size", 16)[0] == 0
    random = ("--method", "pigdm", "--iterations", 2, "--restarts", 2, "--uncertainty")
    code, _, said = command("restore", y, tmp_path / "p.png", "--task", "denoise", "--prior", prior, *random)
    assert code == 0
    assert "2 iterations x 2 restarts, 4 network evaluations an image" in said
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["options"]["method"] == "pigdm"
    assert record["method"]["sigma_y"] > 0  # estimated, as nothing was said
    assert (tmp_path / "p_uncertainty.png").is_file()
