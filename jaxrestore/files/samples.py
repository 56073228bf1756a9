"""A sheet of what a prior knows."""

from pathlib import Path

import jax
import numpy as np

from jaxrestore.diffusion.ddim import unroll
from jaxrestore.diffusion.prior import Prior
from jaxrestore.files.images import sheet, write_image


def write_samples(path: str | Path, prior: Prior, number: int, skip: int, seed: int) -> None:
    """The sheet of the first `number` samples of a seed, drawn by DDIM in steps of `skip` times."""
    noise = jax.random.normal(jax.random.key(seed), (number, *prior.noise_shape))
    write_image(path, sheet(np.asarray(unroll(prior, noise, skip=skip, grid="linspace"))))
