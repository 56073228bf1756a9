"""From files and flags to operators: what each task of the command line knows and what it estimates."""

import math
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxrestore import operators
from jaxrestore.errors import InputError
from jaxrestore.images import Fit, open_image, read_image
from jaxrestore.presets import Preset, TaskName


def task_operator(
    task: TaskName,
    size: tuple[int, int],
    *,
    mask: Path | None = None,
    kernel: Path | None = None,
    kernel_size: int | None = None,
    scale: int = 8,
    fit: Fit = "exact",
    settings: Preset | None = None,
    seed: int = 0,
) -> Any:
    """The operator of a task on images of `size` (height, width). InputError where a needed file is missing or unfit.

    The preset's `settings` say how a blur treats the border and how an unknown kernel is parametrised (and a generator's
    weights come from the `seed`).
    """
    settings = settings or Preset(0.0, 0)
    if task == "denoise":
        return operators.Identity()
    if task == "inpaint":
        return operators.Mask.create(read_mask(_needed(task, "--mask", mask), size, fit))
    if task == "super-resolution":
        if scale < 2 or size[0] % scale or size[1] % scale:
            raise InputError(f"--scale {scale} doesn't divide the prior's {size[0]} x {size[1]} pixels.")
        return operators.AveragePool(scale)
    if task == "deblur":
        return operators.Blur.create(read_kernel(_needed(task, "--kernel", kernel), size), settings.boundary)
    side = kernel_size or default_kernel_size(size)
    if side % 2 == 0 or not 1 <= side <= min(size):
        raise InputError(f"--kernel-size must be odd and at most {min(size)}, not {side}: a kernel needs a centre.")
    if settings.kernel == "generator":
        unknown: Any = operators.GeneratedKernel.create(jax.random.key(seed), side)
    else:
        unknown = operators.SoftmaxKernel.create(side)
    return operators.Blur.create(unknown, settings.boundary)


def default_kernel_size(size: tuple[int, int]) -> int:
    """The papers' 41 pixels at 256, in proportion, odd and at least 3."""
    return 2 * max(1, math.ceil((41 / 256 * min(size) - 1) / 2)) + 1


def _needed(task: str, flag: str, path: Path | None) -> Path:
    if path is None:
        raise InputError(f"The task {task} needs {flag} FILE.")
    return path


def read_mask(path: Path, size: tuple[int, int], fit: Fit = "exact") -> np.ndarray:
    """``[h, w]``, one where a pixel is known, from an image whose white pixels are missing; fitted as the image is."""
    known = (read_image(path, size, fit)[..., 0] < 0).astype(np.float32)
    if not known.any():
        raise InputError(f"The mask {path} is all white: every pixel is missing, and there is nothing to restore from.")
    return known


def read_kernel(path: Path, size: tuple[int, int]) -> np.ndarray:
    """A blur kernel ``[k, k]``, k odd, of sum one, from a NumPy file or a grey image."""
    if not path.is_file():
        raise InputError(f"There is no kernel file {path}.")
    if path.suffix == ".npy":
        try:
            kernel = np.load(path, allow_pickle=False).astype(np.float64)
        except Exception as error:  # a damaged file may raise anything
            raise InputError(f"The kernel {path} can't be read: {error}.") from error
    else:
        image = open_image(path)  # 16 bits of grey have modes of their own, which "L" would cut off
        kernel = np.asarray(
            image if image.mode.startswith("I") or image.mode == "F" else image.convert("L"), np.float64
        )
    if kernel.ndim != 2 or kernel.shape[0] % 2 == 0 or kernel.shape[1] % 2 == 0 or max(kernel.shape) > min(size):
        shape = " x ".join(map(str, kernel.shape))
        raise InputError(f"The kernel {path} is {shape}: it must be a matrix with odd sides of at most {min(size)}.")
    if not np.all(np.isfinite(kernel)) or kernel.sum() <= 0:
        raise InputError(f"The kernel {path} holds values that are not finite, or its sum is not positive.")
    return (kernel / kernel.sum()).astype(np.float32)


def simulate(key: Any, task: TaskName, image: Any, operator: Any, noise_level: float) -> Any:
    """The measurement that the operator and white noise (in grey levels of 255) make of an image ``[h, w, c]``."""
    noisy = operators.gaussian_noise(key, operator(image), noise_level / 255)
    return operator(noisy) if task == "inpaint" else noisy  # what is missing has no noise either
