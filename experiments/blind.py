"""What the experiments on fully blind restoration share: degraded photographs, the controls, and the scores."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxrestore as jr
from jaxrestore.density import corrections
from jaxrestore.density.rectification import correct
from jaxrestore.density.typical import noise_of
from jaxrestore.methods._diip import early_stop
from jaxrestore import metrics
from jaxrestore.simulate.degradations import DEGRADATIONS

KINDS = ("clean", *DEGRADATIONS)
CEILING = 60.0  # dB: an image that is left as it is has no PSNR


def degraded(kind: str, images: np.ndarray) -> np.ndarray:
    """The photographs ``[n, h, w, 3]`` with one degradation, drawn anew for each."""
    if kind == "clean":
        return images
    return np.stack([DEGRADATIONS[kind](seed, image) for seed, image in enumerate(images)])


@partial(jax.jit, static_argnames=("steps", "refinements"))
def inverted(prior: Any, y: Any, depth: Any, steps: int, refinements: int) -> Any:
    """The noises ``[n, h, w, c]`` at a depth."""
    return jax.vmap(lambda image: noise_of(prior, image, depth, steps, refinements))(y)


def no_change(noise: Any, energy: Any, strength: Any) -> Any:
    """Inversion and generation alone."""
    return noise


def whole_sphere(noise: Any, energy: Any, strength: Any) -> Any:
    """The whole noise at the norm that clean photographs' has."""
    return corrections.sphere(noise) * jnp.sqrt(jnp.mean(energy))


def random_move(noise: Any, energy: Any, strength: Any) -> Any:
    """As far as the rectification moves, in a random direction."""
    length = jnp.linalg.norm(correct(noise, energy, strength) - noise)
    direction = jax.random.normal(jax.random.key(1), noise.shape)
    return noise + direction * length / jnp.linalg.norm(direction)


CORRECTIONS: dict[str, Callable] = {
    "no rectification": no_change,
    "whole sphere": whole_sphere,
    "random move": random_move,
    "Invert2Restore": correct,
}
METHODS = (*list(CORRECTIONS)[:3], "DIIP", "Invert2Restore")


def restored(name: str, prior: Any, typical: Any, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Images, network evaluations of each, and seconds an image, with compilation."""
    began = time.perf_counter()
    if name == "DIIP":
        method, stop = jr.diip(prior), early_stop("flowers64")
        each = 1000 // method.skip
    else:
        method, stop = jr.invert2restore(prior, typical, correction=CORRECTIONS[name]), None
        each = typical.steps * (2 + typical.refinements)
    result = jr.restore(
        method, jnp.asarray(y), jax.random.key(0), stop=stop, chunk_size=1 if stop is None else 10, devices="all"
    )
    images = np.asarray(result.image)
    return images, np.asarray(result.iterations) * each, (time.perf_counter() - began) / len(y)


def scores(images: np.ndarray, references: np.ndarray) -> tuple[list[float], list[float]]:
    """PSNR, of at most `CEILING`, and SSIM of each."""
    one, other = jnp.asarray(images), jnp.asarray(references)
    psnr = np.minimum(np.nan_to_num(np.asarray(metrics.psnr(one, other)), posinf=CEILING), CEILING)
    return psnr.round(4).tolist(), np.asarray(metrics.ssim(one, other)).round(4).tolist()
