"""What `jaxrestore degrade` and `jaxrestore sample` write."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore import operators, simulate
from jaxrestore.cli.tasks import check_task, kernels_of, named_task, true_operator
from jaxrestore.diffusion.ddim import unroll
from jaxrestore.diffusion.storage import load_prior
from jaxrestore.errors import InputError
from jaxrestore.files.images import enlarge, read_image, write_aside, write_png
from jaxrestore.simulate.degradations import DEGRADATIONS


def simulate(key: Any, image: Any, operator: Any, noise_level: float, noise: str = "gaussian") -> Any:
    """The measurement that the operator and noise of a level in grey levels of 255 make of an image ``[h, w, c]``.

    "gaussian" and "speckle": the deviation, of speckle at white; "poisson": the deviation at white; "salt-and-pepper": the
    share of pixels, of 255; "bird": BIRD's published mixtures, that of its denoising task for the identity, whatever the
    level. A sinogram has Gaussian noise only, of the deviation that white noise on the image's pixels adds up to on a ray.
    """
    y, level = operator(image), noise_level / 255
    if isinstance(operator, operators.ParallelBeam):
        return simulate.gaussian_noise(key, y, (0.05 if noise == "bird" else level) * ray_gain(y))
    if noise == "bird":
        heavy = isinstance(operator, operators.Identity)
        noisy = simulate.bird_noise(key, y, 0.4, 0.15) if heavy else simulate.bird_noise(key, y)
    elif level == 0:
        noisy = y
    elif noise == "poisson":
        noisy = simulate.poisson_noise(key, y, level**-2)
    else:
        models = {
            "gaussian": simulate.gaussian_noise,
            "speckle": simulate.speckle_noise,
            "salt-and-pepper": simulate.salt_and_pepper,
        }
        noisy = models[noise](key, y, level)
    return operator(noisy) if isinstance(operator, operators.Mask) else noisy  # what is missing has no noise either


def ray_gain(sinogram: Any) -> float:
    """How much larger white noise on the image's pixels is once added up along a ray: the root of their number."""
    return sinogram.shape[-3] ** 0.5


def degrade_file(options: Any) -> None:
    """Write the degraded image of `cli.Degrade`, and beside it what a restoration may be given."""
    options = replace(options, task=named_task(options))
    check_task(options.task)
    output, size = options.output, (options.size, options.size)
    level = options.noise_level if options.noise_level is not None else 30.0 * (options.task == "denoise")
    if not 8 <= options.size <= 4096 or not 0 <= level < float("inf"):
        raise InputError("--size must lie between 8 and 4096, and --noise-level must be a number from 0 on.")
    if options.noise == "bird" and options.noise_level is not None:
        raise InputError("--noise bird has the published levels: leave --noise-level out.")
    if options.noise in ("speckle", "poisson", "salt-and-pepper") and (level < 0.01 or options.task == "tomography"):
        raise InputError(f"--noise {options.noise} needs --noise-level, from 0.01 on, and an image: no sinogram.")
    suffix = ".npy" if options.task == "tomography" else ".png"
    if output.suffix.lower() != suffix:
        raise InputError(f"OUTPUT of {options.task} must be a {suffix} file, not {output}: nothing else would hold it.")
    written = {output.resolve(), *(_beside(output, end).resolve() for end in ("clean.png", "mask.png", "kernel.npy"))}
    for path in (options.input, options.mask, options.kernel, options.operator):
        if path is not None and path.resolve() in written:
            raise InputError(f"{path} is read, and would be written over: give another OUTPUT.")
    image = jnp.asarray(read_image(options.input, size, "crop"))
    operator = true_operator(options.task, size, options)
    key = jax.random.fold_in(jax.random.key(options.seed), 1 << 20)  # apart from the keys that the operator draws from
    y = simulate(key, image, operator, level, options.noise)
    if options.task == "blind":
        y = jnp.asarray(DEGRADATIONS[options.degradation](options.seed, np.asarray(y)))
    if isinstance(operator, operators.Mask):
        missing = np.asarray(1 - operator.known[..., 0])
        write_png(_beside(output, "mask.png"), (255 * missing).astype(np.uint8))
    kernels = [np.asarray(kernel) for kernel in kernels_of(operator)]
    if kernels:
        array = kernels[0] if len(kernels) == 1 else np.stack(kernels)
        write_aside(_beside(output, "kernel.npy"), lambda path: _save_array(path, array))
    write_png(_beside(output, "clean.png"), np.asarray(image))
    if suffix == ".npy":  # of brightness in [0, 1]
        sinogram = np.asarray((y + operator(jnp.ones_like(image))) / 2)
        write_aside(output, lambda path: _save_array(path, sinogram))
    else:
        write_png(output, np.asarray(y))
    what = options.degradation if options.task == "blind" else options.task
    print(f"{output}: {what} of {options.input}, {y.shape[0]} x {y.shape[1]}")


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
    write_samples(output, prior, number, skip, seed)
    return f"{output}: {number} samples of {prior.name}, {steps // skip} steps"


def write_samples(output: Path, prior: Any, number: int, skip: int, seed: int) -> None:
    """The sheet of the first `number` samples of a seed."""
    noise = jax.random.normal(jax.random.key(seed), (number, *prior.shape))
    write_png(output, sheet(np.asarray(unroll(prior, noise, skip=skip, grid="respaced"))))


def sheet(images: np.ndarray) -> np.ndarray:
    """Images ``[n, h, w, c]`` as one, in rows of about as many, small ones enlarged."""
    number, *shape = images.shape
    columns = math.ceil(math.sqrt(number))
    blank = np.ones((columns * math.ceil(number / columns) - number, *shape), np.float32)
    rows = np.concatenate([images, blank]).reshape(-1, columns, *shape)
    joined = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    return enlarge(joined, max(1, 128 // shape[0]))
