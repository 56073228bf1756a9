"""Each task by the command line and from Python: the same pixels, the same files. On a prior of 16 x 16, weights random."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.cli.tasks import TASKS
from jaxrestore.operators.chains import read_operator

SIZE = (16, 16)
FAST = ("--iterations", 2, "--restarts", 2)
SHORT = {"iterations": 2, "restarts": 2}
SMALL = ("--scale", 4)
CHAIN = '[{"operator": "reduce", "factor": 2}, {"operator": "jpeg", "quality": 50}]'


def generated(size=3):
    """The unknown kernel that the published settings of BIRD and SHRED ask for."""
    return jr.GeneratedKernel(size, jax.random.fold_in(jax.random.key(0), 0))


def noise_in(y):
    return jr.metrics.estimate_sigma_y(jnp.asarray(y))


def bird(prior, operator, y):
    return jr.bird(prior, operator, **SHORT)


def joint(prior, operator, y):
    return jr.invert2restore(prior, operator, **SHORT)


def denoised(prior, operator, y):
    return jr.bird(prior, operator, sigma_y=noise_in(y), **SHORT)


def told_nothing(prior, operator, y):
    settings = jr.published("bird", "nonuniform-deblur")
    return jr.bird(prior, operator, settings=settings, sigma_y=noise_in(y), **SHORT)


class Case(NamedTuple):
    both: tuple  # flags of both commands; of a file those that begin with y_
    degrade: tuple
    restore: tuple
    shape: tuple[int, int]  # of the measurement
    operator: Callable[[Path], jr.Operator]  # from the folder in which degrade writes
    method: Callable = bird


CASES = {
    "denoise": Case((), ("--noise-level", 20), ("--noise-level", "auto"), SIZE, lambda folder: jr.Identity(), denoised),
    "inpaint": Case(
        (),
        ("--box", 5),
        ("--mask", "y_mask.png"),
        SIZE,
        lambda folder: jr.Mask(jr.read_mask(folder / "y_mask.png", SIZE)),
    ),
    "compressed-sensing": Case(
        (),
        ("--fraction", 0.3),
        ("--mask", "y_mask.png"),
        SIZE,
        lambda folder: jr.Mask(jr.read_mask(folder / "y_mask.png", SIZE), kind="compressed-sensing"),
    ),
    "super-resolution": Case(
        SMALL, ("--noise", "poisson", "--noise-level", 5), (), (4, 4), lambda folder: jr.AveragePool(4)
    ),
    "blind-super-resolution": Case(
        SMALL,
        ("--reduction", "stride"),
        ("--reduction", "stride"),
        (4, 4),
        lambda folder: jr.Compose((jr.Blur(generated(), "zero"), jr.Stride(4))),
    ),
    "deblur": Case(
        (),
        ("--sigmas", 1.0, 0.7, "--noise", "bird"),
        ("--kernel", "y_kernel.npy"),
        SIZE,
        lambda folder: jr.Blur(jr.read_kernel(folder / "y_kernel.npy", SIZE), "zero"),
    ),
    "blind-deblur": Case(
        ("--kernel-size", 5),
        ("--offset", 0.5, 0.5),
        ("--method", "shred", "--preset", "published"),
        SIZE,
        lambda folder: jr.Blur(generated(5), "zero"),
        lambda prior, operator, y: jr.shred(prior, operator, **SHORT),
    ),
    "motion-deblur": Case(
        (),
        ("--length", 3),
        ("--kernel", "y_kernel.npy"),
        SIZE,
        lambda folder: jr.Blur(jr.read_kernel(folder / "y_kernel.npy", SIZE), "zero"),
    ),
    "blind-motion-deblur": Case(
        (),
        ("--noise", "speckle", "--noise-level", 5),
        ("--method", "invert2restore"),
        SIZE,
        lambda folder: jr.Blur(jr.SoftmaxKernel(3)),
        joint,
    ),
    "nonuniform-deblur": Case(
        (), ("--noise", "salt-and-pepper", "--noise-level", 9), (), SIZE, lambda folder: jr.Identity(), told_nothing
    ),
    "jpeg": Case(("--quality", 20), (), ("--uncertainty",), SIZE, lambda folder: jr.Jpeg(20), joint),
    "derain": Case((), (), (), SIZE, lambda folder: jr.RainLayer(SIZE, length=16 / 21), joint),
    "exposure": Case(
        ("--gamma", 1.3),
        ("--stops", -0.5),
        ("--method", "bird"),
        SIZE,
        lambda folder: jr.Tone(gamma=1.3, unknown=("stops", "log_balance")),
    ),
    "operator": Case(
        ("--operator", "y_chain.json"),
        (),
        (),
        (8, 8),
        lambda folder: read_operator(folder / "y_chain.json", SIZE),
        joint,
    ),
    "colorize": Case((), (), (), SIZE, lambda folder: jr.Grayscale()),
    "old-photo": Case(
        (),
        ("--reduction", "bicubic"),
        ("--reduction", "bicubic"),
        (8, 8),
        lambda folder: jr.Compose((jr.Blur(generated(), "zero"), jr.Bicubic(2), jr.Grayscale())),
    ),
    "tomography": Case(("--views", 5), ("--noise-level", 2), (), (16, 5), lambda folder: jr.ParallelBeam(5)),
    "blind": Case(
        (),
        ("--degradation", "jpeg"),
        ("--method", "diip", "--slope", 1e-9),
        SIZE,
        lambda folder: jr.Identity(),
        lambda prior, operator, y: jr.diip(prior, sigma_y=noise_in(y), stop=jr.any_of(jr.plateau(1e-9)), **SHORT),
    ),
}
KERNELS = {"blind-deblur", "blind-motion-deblur", "blind-super-resolution", "old-photo"}
FOUND = KERNELS | {"exposure", "derain"}  # operators that are written as chains


def test_every_task_is_tried():
    assert CASES.keys() == TASKS.keys()


@pytest.fixture(scope="module")
def prior(tiny_folder):
    return jr.load_prior(tiny_folder)


@pytest.mark.parametrize("task", CASES)
def test_degrade_then_restore(command, prior, tiny_folder, photograph, tmp_path, task):
    case = CASES[task]

    def flags(words):
        return [tmp_path / str(word) if str(word).startswith("y_") else word for word in words]

    (tmp_path / "y_chain.json").write_text(CHAIN)
    both, y_file = flags(case.both), tmp_path / ("y.npy" if task == "tomography" else "y.png")
    assert command("degrade", photograph, y_file, "--task", task, "--size", 16, *both, *case.degrade)[0] == 0
    assert (np.load(y_file) if task == "tomography" else jr.read_image(y_file)).shape[:2] == case.shape
    out, clean = tmp_path / "out" / "x.png", tmp_path / "y_clean.png"
    told = [*both, *flags(case.restore), "--reference", clean]
    code, said, _ = command("restore", y_file, out, "--task", task, "--prior", tiny_folder, *FAST, *told)
    assert code == 0
    record = json.loads((out.parent / "run.json").read_text())
    assert jr.read_image(out).shape == (16, 16, 3)
    assert jr.read_image(out.parent / "x_strip.png").shape[0] == 256
    assert (out.parent / "x_kernel.png").exists() == ("estimated_kernels" in record) == (task in KERNELS)
    assert (out.parent / "x_operator.json").exists() == ("estimated_operator" in record) == (task in FOUND)
    assert (record["options"]["task"], record["options"]["seed"]) == (task, 0)
    assert (record["iterations_run"], record["restarts"], record["method"]["iterations"]) == (2, 2, 2)
    assert record["result"] == "all 2 iterations were run"
    assert record["versions"]["jaxrestore"] == jr.__version__
    assert f"PSNR {record['psnr']:.2f} dB" in said
    if task in ("inpaint", "compressed-sensing"):  # what was measured stays
        known = jr.read_image(tmp_path / "y_mask.png")[..., 0] < 0
        np.testing.assert_allclose(jr.read_image(out)[known], jr.read_image(y_file)[known], atol=1e-6)

    operator = case.operator(tmp_path)
    y = jr.read_measurement(y_file, operator, prior.shape)
    method = case.method(prior, operator, y)
    result = jr.restore(method, y, jax.random.key(0))
    jr.write_image(tmp_path / "python.png", result.image)
    assert (tmp_path / "python.png").read_bytes() == out.read_bytes()

    files = tmp_path / "python" / "x.png"
    reference = jr.read_image(clean, prior)
    uncertainty = "--uncertainty" in case.restore
    again = jr.write_restoration(files, method, y, result, reference=reference, uncertainty=uncertainty)
    assert {path.name for path in files.parent.iterdir()} == {path.name for path in out.parent.iterdir()}
    for path in files.parent.iterdir():
        assert path.name == "run.json" or path.read_bytes() == (out.parent / path.name).read_bytes(), path.name
    own = {"output", "options", "input", "run", "seconds"}  # of the command line
    assert {**again, "output": ""} == {**{key: record[key] for key in record if key not in own}, "output": ""}
