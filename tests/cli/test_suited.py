"""Which prior and which method a photograph gets where none is named, and at which size."""

import json

import numpy as np
import pytest
from PIL import Image

import jaxrestore as jr
from jaxrestore.cli.flags import OperatorFlags, RestorationFlags
from jaxrestore.cli.paths import entries_of
from jaxrestore.cli.plan import restoration_plan
from jaxrestore.cli.problems import read_problem
from jaxrestore.cli.suited import factor_of, looked_for, suited_prior
from jaxrestore.cli.tasks import TASKS
from jaxrestore.errors import InputError
from jaxrestore.files.opening import image_size

NOTHING = OperatorFlags()


@pytest.fixture
def file(tmp_path):
    """Makes an image file of a size (height, width)."""

    def made(height, width, name="y.png", **how):
        path = tmp_path / name
        pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        Image.fromarray(pixels).save(path, **how)
        return path

    return made


def test_a_photograph_of_any_size_has_photos_and_one_of_flowers64s_size_flowers64(file):
    small, odd = file(64, 64, "a.png"), file(48, 71, "b.png")
    denoise, enlarge = TASKS["denoise"], TASKS["super-resolution"]
    assert suited_prior(denoise, None, NOTHING, [small]) == "flowers64"
    assert suited_prior(denoise, None, NOTHING, [odd]) == "photos"
    assert suited_prior(denoise, None, NOTHING, [small, odd]) == "photos"  # one for all of a folder
    assert suited_prior(denoise, None, NOTHING, [small, small]) == "flowers64"
    assert suited_prior(enlarge, None, NOTHING, [small]) == "photos"  # of an image of 512 x 512
    assert suited_prior(enlarge, None, NOTHING, [file(8, 8)]) == "flowers64"
    assert suited_prior(enlarge, None, OperatorFlags(scale=4), [file(16, 16)]) == "flowers64"


def test_what_a_denoiser_cannot_do_has_the_prior_that_draws(file):
    odd = [file(48, 71)]
    for name in ("colorize", "derain", "exposure", "tomography", "old-photo", "blind-super-resolution"):
        assert suited_prior(TASKS[name], None, NOTHING, odd) == "flowers64"
    assert suited_prior(TASKS["blind"], None, NOTHING, odd) == "photos"
    assert suited_prior(TASKS["blind"], "gen2res", NOTHING, odd) == "flowers64"
    with pytest.raises(InputError, match=r"can't do the task colorize \(it knows no colours\): leave --prior out"):
        TASKS["colorize"].choice(None, any_size=True)
    assert TASKS["colorize"].choice("bird", any_size=True).name == "bird"  # who names it has it


def test_the_factor_is_that_of_the_operator(tmp_path):
    assert [factor_of(TASKS[name], NOTHING) for name in ("super-resolution", "old-photo", "jpeg")] == [8, 2, 1]
    assert factor_of(TASKS["super-resolution"], OperatorFlags(scale=5)) == 5
    chain = tmp_path / "chain.json"
    chain.write_text('[{"operator": "blur", "size": 9}, {"operator": "reduce", "factor": 3}]')
    assert factor_of(TASKS["operator"], OperatorFlags(operator=chain)) == 3


def test_a_file_of_a_known_linear_operator_is_one_for_a_denoiser(file, tmp_path):
    chain = tmp_path / "chain.json"
    for text, prior, method in (
        ('{"operator": "reduce", "factor": 3}', "photos", "dpir"),
        ('{"operator": "tone", "stops": 1}', "flowers64", "invert2restore"),
        ('{"operator": "blur", "sigmas": "unknown", "size": 5}', "flowers64", "invert2restore"),
    ):
        chain.write_text(text)
        plan = restoration_plan(RestorationFlags(operator=chain), [file(20, 30)])
        assert (plan.prior_name, plan.options["method"]) == (prior, method)


def test_sizes_are_those_of_upright_images_and_arrays(file, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert image_size(file(20, 30, "turned.jpg", exif=exif)) == (30, 20)
    assert image_size(file(20, 30, "flat.bmp")) == (20, 30)
    np.save(tmp_path / "y.npy", np.zeros((5, 7, 3)))
    assert looked_for(tmp_path / "y.npy", 2) == (10, 14)
    assert looked_for(tmp_path / "nowhere.png", 2) is None


def planned(path, out, task, **flags):
    made = restoration_plan(RestorationFlags(task=task, **flags), [path])
    return made, read_problem(made, entries_of(path, out, None, flags.get("mask"))[0])


def test_methods_are_those_that_serve_a_denoiser_best(file, tmp_path):
    path, out, kernel = file(37, 54), tmp_path / "x.png", tmp_path / "k.npy"
    np.save(kernel, np.ones((5, 3)))
    plan, problem = planned(path, out, "denoise")
    assert (plan.prior_name, plan.options["prior"], plan.options["method"]) == ("photos", "photos", "dpir")
    assert (plan.sigma, problem.y.shape, problem.size) == ("auto", (37, 54, 3), (37, 54))
    for fit in ("exact", "tile"):
        assert planned(path, out, "super-resolution", scale=3, fit=fit)[1].size == (111, 162)
    plan, problem = planned(path, out, "blind-motion-deblur")
    assert (plan.options["method"], plan.sigma) == ("blind-dpir", "auto")
    assert problem.operator.kernel().shape == (7, 7)  # in proportion to the shorter side
    assert planned(file(300, 400), out, "blind-motion-deblur")[1].operator.kernel().shape == (25, 25)
    plan, problem = planned(path, out, "deblur", kernel=kernel)  # a larger image explains the border
    assert (problem.frame, problem.operator.boundary, problem.y.shape) == ((2, 1), "valid", (300, 400, 3))
    assert np.abs(problem.y[0]).min() < np.abs(problem.y[0]).max()  # all of the photograph is kept
    assert planned(path, out, "motion-deblur", kernel=kernel)[0].method.settings == jr.published("dpir", "deblur")
    assert restoration_plan(RestorationFlags(task="blind"), [path]).method.settings == jr.published("dpir", "denoise")
    assert planned(path, out, "deblur", kernel=kernel, boundary="reflect")[1].frame == (0, 0)
    assert planned(path, out, "deblur", kernel=kernel, method="bird")[1].frame == (0, 0)


def test_a_mask_of_the_photographs_size_is_taken(file, tmp_path):
    mask = tmp_path / "mask.png"
    Image.fromarray(np.uint8(255 * (np.arange(37 * 54).reshape(37, 54) % 7 == 0))).save(mask)
    plan, problem = planned(file(37, 54), tmp_path / "x.png", "inpaint", mask=mask)
    assert (plan.options["method"], plan.sigma) == ("dpir", 0.0)
    assert problem.operator.known.shape[:2] == (37, 54)


def test_the_quality_of_a_jpeg_is_what_its_file_says(file, tmp_path):
    out = tmp_path / "x.png"
    _, problem = planned(file(37, 54, "y.jpg", quality=23), out, "jpeg")
    assert float(problem.operator.quality) == pytest.approx(23, abs=1e-3)
    assert not jr.operators.is_blind(problem.operator)
    assert jr.operators.is_blind(planned(file(37, 54, "y.png"), out, "jpeg")[1].operator)
    _, told = planned(file(37, 54, "y.jpg", quality=23), out, "jpeg", quality=50)
    assert float(told.operator.quality) == pytest.approx(50)
    _, resized = planned(file(37, 54, "y.jpg", quality=23), out, "jpeg", prior="flowers64", fit="resize")
    assert jr.operators.is_blind(resized.operator)


def test_a_photograph_is_denoised_at_its_own_size_without_a_flag(command, file, tmp_path):
    """End to end."""
    path, out = file(48, 70), tmp_path / "x.png"
    code, _, said = command("restore", path, out, "--task", "denoise")
    assert code == 0
    assert "denoise by dpir with photos: 1 image, 1 iteration, 1 network evaluation an image" in said
    assert Image.open(out).size == (70, 48)
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["options"]["prior"], record["options"]["method"]) == ("photos", "dpir")
    assert record["strip"]["restored"][2:] == [5 * 70, 5 * 48]
