"""What the experiments on fully blind restoration share: degraded photographs, the controls, and the scores."""

import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxrestore as jr
from jaxrestore import metrics
from jaxrestore.density import correct, noise_of, sphere
from jaxrestore.density.rectification import Correction
from jaxrestore.methods.settings import values_of
from jaxrestore.simulate import DEGRADATIONS

KINDS = ("clean", *DEGRADATIONS)
TEST = 10_000  # the first seed of the test half
CEILING = 60.0  # dB: an image that is left as it is has no PSNR


def degraded(kind: str, images: np.ndarray, first: int = 0) -> np.ndarray:
    """The photographs ``[n, h, w, 3]`` with one degradation, drawn anew for each, with seeds from the first on: those of the
    test half from `TEST` on, where nothing that was tuned has any."""
    if kind == "clean":
        return images
    return np.stack([DEGRADATIONS[kind](image, seed) for seed, image in enumerate(images, first)])


@partial(jax.jit, static_argnames=("steps", "refinements"))
def inverted(prior: Any, y: Any, depth: Any, steps: int, refinements: int) -> Any:
    """The noises ``[n, h, w, c]`` at a depth."""
    return jax.vmap(lambda image: noise_of(prior, image, depth, steps, refinements))(y)


def no_change(noise: Any, energy: Any, strength: Any) -> Any:
    """Inversion and generation alone."""
    return noise


def whole_sphere(noise: Any, energy: Any, strength: Any) -> Any:
    """The whole noise at the norm that clean photographs' has."""
    return sphere(noise) * jnp.sqrt(jnp.mean(energy))


def random_move(noise: Any, energy: Any, strength: Any) -> Any:
    """As far as the rectification moves, in a random direction."""
    length = jnp.linalg.norm(correct(noise, energy, strength) - noise)
    direction = jax.random.normal(jax.random.key(1), noise.shape)
    return noise + direction * length / jnp.linalg.norm(direction)


CORRECTIONS: dict[str, Correction] = {
    "no rectification": no_change,
    "whole sphere": whole_sphere,
    "random move": random_move,
    "Invert2Restore": correct,
}
METHODS = (*list(CORRECTIONS)[:3], "DIIP", "Invert2Restore")


def settings(name: str, prior: jr.Prior) -> dict[str, Any]:
    """What a method of that name is run with: the prior's settings, and where it inverts."""
    if name == "DIIP":
        return values_of(jr.settings_for("diip", "any", prior))
    clean = prior.statistics
    assert clean is not None
    grid = {"depths": clean.depths.tolist(), "steps": clean.steps, "refinements": clean.refinements}
    return values_of(jr.settings_for("invert2restore-calibrated", "any", prior)) | grid


def restored(name: str, prior: jr.Prior, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Images, network evaluations of each, and seconds an image, with compilation."""
    began, clean = time.perf_counter(), prior.statistics
    assert clean is not None
    if name == "DIIP":
        method, chunk_size = jr.diip(prior), 10
        each = 1000 // method.unroll.skip
    else:
        method, chunk_size = jr.invert2restore(prior, correction=CORRECTIONS[name]), 1
        each = clean.steps * (2 + clean.refinements)
    result = jr.restore(method, jnp.asarray(y), jax.random.key(0), chunk_size=chunk_size, devices="all")
    images = np.asarray(result.image)
    return images, np.asarray(result.iterations) * each, (time.perf_counter() - began) / len(y)


def scores(images: np.ndarray, references: np.ndarray) -> tuple[list[float], list[float]]:
    """PSNR, of at most `CEILING`, and SSIM of each."""
    one, other = jnp.asarray(images), jnp.asarray(references)
    psnr = np.minimum(np.nan_to_num(np.asarray(metrics.psnr(one, other)), posinf=CEILING), CEILING)
    return psnr.round(4).tolist(), np.asarray(metrics.ssim(one, other)).round(4).tolist()
