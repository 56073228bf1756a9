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
    level = options.noise_level if options.noise_level is not None else 30.0 * (options.task == "denoise")
    if not 8 <= options.size <= 4096 or not 0 <= level < float("inf"):
        raise InputError("--size must lie between 8 and 4096, and --noise-level must be a number from 0 on.")
    if output.suffix.lower() != ".png":
        raise InputError(f"OUTPUT must be a .png file, not {output}: another format would degrade the image once more.")
    written = {output.resolve(), *(_beside(output, end).resolve() for end in ("clean.png", "mask.png", "kernel.npy"))}
    if options.input.resolve() in written:
        raise InputError(f"{options.input} is read, and would be written over: give another OUTPUT.")
    image = read_image(options.input, size, "crop")
    operator = operators.Identity()
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
    y = simulate(jax.random.key(options.seed), options.task, jnp.asarray(image), operator, level)
    write_png(_beside(output, "clean.png"), image)
    write_png(output, np.asarray(y))
    print(f"{output}: {options.task} of {options.input}, {y.shape[0]} x {y.shape[1]} pixels")


def box_mask(size: tuple[int, int], side: int) -> np.ndarray:
    """``[h, w]``, one inside a centred square of `side` pixels."""
    mask = np.zeros(size, np.float32)
    top, left = (size[0] - side) // 2, (size[1] - side) // 2
    mask[top : top + side, left : left + side] = 1
    return mask


def _kernel(options: Any, size: tuple[int, int]) -> np.ndarray:
    if options.kernel is not None:
        return read_kernel(options.kernel, size)
    if not all(0 < sigma < options.size for sigma in options.sigmas):
        raise InputError(f"--sigmas must be positive and fit the image, not {options.sigmas}.")
    side = max(default_kernel_size(size), 2 * math.ceil(2 * max(options.sigmas)) + 1)
    if side > options.size:
        raise InputError(f"--sigmas must be positive and fit the image, not {options.sigmas}.")
    return np.asarray(operators.GaussianKernel.create(side, options.sigmas, math.radians(options.angle))())


def _beside(output: Path, ending: str) -> Path:
    return output.with_name(f"{output.stem}_{ending}")


def _save_array(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as stream:  # np.save appends .npy to a name
        np.save(stream, array)


def sample_sheet(output: Path, prior_name: str, number: int, skip: int, seed: int) -> str:
    """Write a sheet of images drawn by DDIM; a sentence about it."""
    prior = load_prior(prior_name)
    steps = len(prior.schedule)
    if number < 1 or not 1 <= skip <= steps:
        raise InputError(f"--number must be at least 1, and --skip between 1 and {steps}.")
    noise = jax.random.normal(jax.random.key(seed), (number, *prior.shape))
    images = np.asarray(unroll(prior, noise, skip=skip, grid="respaced"))
    columns = math.ceil(math.sqrt(number))
    blank = np.ones((columns * math.ceil(number / columns) - number, *prior.shape), np.float32)
    rows = np.concatenate([images, blank]).reshape(-1, columns, *prior.shape)
    sheet = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    write_png(output, enlarge(sheet, max(1, 128 // prior.shape[0])))
    return f"{output}: {number} samples of {prior.name}, {steps // skip} steps"
