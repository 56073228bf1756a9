"""What `jaxrestore degrade` and `jaxrestore sample` write."""

import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore import operators
from jaxrestore.ddim import unroll
from jaxrestore.errors import InputError
from jaxrestore.images import enlarge, read_image, write_aside, write_png
from jaxrestore.storage import load_prior
from jaxrestore.tasks import default_kernel_size, read_kernel, simulate


def degrade_file(options: Any) -> None:
    """Write the degraded image of `cli.Degrade`, and beside it what a restoration may be given."""
    output, size = options.output, (options.size, options.size)
    if output.suffix.lower() != ".png":
        raise InputError(f"OUTPUT must be a .png file, not {output}: another format would degrade the image once more.")
    if output.resolve() == options.input.resolve():
        raise InputError(f"OUTPUT is INPUT ({options.input}): the clean image would be lost.")
    image = read_image(options.input, size, "crop")
    operator, y_size = operators.Identity(), f"{options.size} x {options.size}"
    if options.task == "inpaint":
        if not 1 <= options.box < options.size:
            raise InputError(f"--box must lie between 1 and {options.size - 1}, not {options.box}.")
        missing = box_mask(size, options.box)
        operator = operators.Mask.create(1 - missing)
        write_png(_beside(output, "mask.png"), (255 * missing).astype(np.uint8))
    elif options.task == "super-resolution":
        if options.scale < 2 or options.size % options.scale:
            raise InputError(f"--scale {options.scale} doesn't divide --size {options.size}.")
        operator = operators.AveragePool(options.scale)
    elif options.task != "denoise":
        kernel = _kernel(options, size)
        operator = operators.Blur.create(kernel)
        write_aside(_beside(output, "kernel.npy"), lambda path: _save_array(path, kernel))
    y = simulate(jax.random.key(options.seed), options.task, jnp.asarray(image), operator, options.noise_level)
    write_png(_beside(output, "clean.png"), image)
    write_png(output, np.asarray(y))
    print(f"{output}: {options.task} of {options.input} at {y_size} pixels")


def box_mask(size: tuple[int, int], side: int) -> np.ndarray:
    """``[h, w]``, one inside a centred square of `side` pixels."""
    mask = np.zeros(size, np.float32)
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    mask[top : top + side, left : left + side] = 1
    return mask


def _kernel(options: Any, size: tuple[int, int]) -> np.ndarray:
    if options.kernel is not None:
        return read_kernel(options.kernel, size)
    side = max(default_kernel_size(size), 2 * math.ceil(2 * max(options.sigmas)) + 1)
    if min(options.sigmas) <= 0 or side > options.size:
        raise InputError(f"--sigmas must be positive and fit the image, not {options.sigmas}.")
    return np.asarray(operators.GaussianKernel.create(side, options.sigmas, math.radians(options.angle))())


def _beside(output: Path, ending: str) -> Path:
    return output.with_name(f"{output.stem}_{ending}")


def _save_array(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as stream:  # np.save appends .npy to a name
        np.save(stream, array)


def sample_sheet(output: Path, prior_name: str, number: int, skip: int, seed: int) -> str:
    """Write a sheet of images drawn by DDIM; a sentence about it."""
    if number < 1 or not 1 <= skip <= 1000:
        raise InputError("--number must be at least 1, and --skip between 1 and 1000.")
    prior = load_prior(prior_name)
    noise = jax.random.normal(jax.random.key(seed), (number, *prior.shape))
    images = np.asarray(jax.jit(unroll, static_argnames=("skip", "grid"))(prior, noise, skip=skip, grid="respaced"))
    columns = math.ceil(math.sqrt(number))
    blank = np.ones((columns * math.ceil(number / columns) - number, *prior.shape), np.float32)
    rows = np.concatenate([images, blank]).reshape(-1, columns, *prior.shape)
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    write_png(output, enlarge(sheet, max(1, 128 // prior.shape[0])))
    return f"{output}: {number} samples of {prior.name}, {-(-1000 // skip)} steps"
