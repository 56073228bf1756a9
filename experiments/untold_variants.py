"""What `untold.py tune` compares: rectifications of a noise, how deep they are made, and how exactly the noise is found."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from faces_problems import faces

import jaxrestore as jr
from jaxrestore.density.corrections import sphere, whiten_bands
from jaxrestore.density.excess import mean_square_below, without_excess
from jaxrestore.density.typical import from_blocks, noise_of, on_two_tilings, to_blocks
from jaxrestore.diffusion.schedule import depth_of

BY_SAMPLES = ("matched", "excess over samples")  # rectifications that ask for them
SAMPLES = 8  # of the prior, whose noise says what is typical
Rectify = Callable[[Any, Any, int], Any]


class Variant(NamedTuple):
    """Settings, and the rectification's name in `rectifications`."""

    settings: jr.LiteralSettings
    rectify: str = "excess"


ONCE = jr.LiteralSettings(noise_to_signal=(2.0,), steps=30, refinements=2)
VARIANTS = {
    "shipped": Variant(jr.LiteralSettings()),
    "2": Variant(ONCE),
    "1, 15 steps, one refinement": Variant(jr.LiteralSettings(noise_to_signal=(1.0,))),
    "2, 15 steps, one refinement": Variant(replace(ONCE, steps=15, refinements=1)),
    "2, no refinement": Variant(replace(ONCE, refinements=0)),
    "2, nothing rectified": Variant(ONCE, "none"),
    "1": Variant(replace(ONCE, noise_to_signal=(1.0,))),
    "4": Variant(replace(ONCE, noise_to_signal=(4.0,))),
    "10": Variant(replace(ONCE, noise_to_signal=(10.0,))),
    "2, p = 0.05": Variant(replace(ONCE, p=0.05)),
    "2, patches of 16": Variant(replace(ONCE, patch=16)),
    "2, whole sphere": Variant(ONCE, "sphere"),
    "2, each patch on its sphere": Variant(ONCE, "patch spheres"),
    "2, bands to N(0, I), raised too": Variant(ONCE, "whitened"),
    "2, bands to own samples', raised too": Variant(ONCE, "matched"),
    "2, excess over own samples": Variant(ONCE, "excess over samples"),
    "2, excess, then loud patches": Variant(ONCE, "excess and patches"),
}


def none(noise: Any, p: Any, size: int) -> Any:
    return noise


def whole_sphere(noise: Any, p: Any, size: int) -> Any:
    return sphere(noise)


def patches_below(noise: Any, p: Any, size: int) -> Any:
    """Each patch of each channel scaled down to what chance allows its energy at level 0.05 of all patches."""
    level = 0.05 * size**2 / noise[..., 0].size

    def tiled(noise: Any) -> Any:
        ratio = mean_square_below(level, size**2) / jnp.maximum(_patch_energy(noise, size), 1e-12)
        gain = jnp.minimum(1.0, jnp.sqrt(ratio))
        return noise * jnp.repeat(jnp.repeat(gain, size, 0), size, 1)

    return on_two_tilings(tiled, noise, size)


def _patch_energy(noise: Any, size: int) -> Any:
    h, w, c = noise.shape
    return jnp.mean(noise.reshape(h // size, size, w // size, size, c) ** 2, axis=(1, 3))


def scaled_to(energy: Any, noise: Any, size: int, most: float) -> Any:
    """Each frequency at that energy, but none made louder by more than `most`."""

    def tiled(noise: Any) -> Any:
        blocks = to_blocks(noise, size)
        gain = jnp.sqrt(energy / jnp.maximum(jnp.mean(blocks**2, axis=(0, 2)), 1e-12))
        return from_blocks(blocks * jnp.minimum(most, gain)[:, None])

    return on_two_tilings(tiled, noise, size)


def matched(energy: Any, noise: Any, p: Any, size: int) -> Any:
    """Each frequency scaled to that energy, up or down."""
    return scaled_to(energy, noise, size, jnp.inf)


def excess_over(energy: Any, noise: Any, p: Any, size: int) -> Any:
    """Each frequency brought down to that energy where it is louder than chance allows about it."""
    return scaled_to(energy * mean_square_below(p, noise[..., 0].size // size**2), noise, size, 1.0)


def rectifications(energy: Any) -> dict[str, Rectify]:
    """By name; `energy` ``[p, p, c]`` is that of the noise of the prior's own samples."""
    return {
        "excess": without_excess,
        "none": none,
        "sphere": whole_sphere,
        "patch spheres": lambda noise, p, size: sphere(noise, size),
        "whitened": lambda noise, p, size: whiten_bands(noise, size),
        "matched": partial(matched, energy),
        "excess over samples": partial(excess_over, energy),
        "excess and patches": lambda noise, p, size: patches_below(without_excess(noise, p, size), p, size),
    }


def typical_energy(prior: jr.Prior, settings: jr.LiteralSettings) -> Any:
    """Mean square of each coefficient of the DCT of patches of the noise of samples of seeds of their own."""
    images = jnp.asarray(faces(prior, "typical", SAMPLES))
    depth = depth_of(prior.schedule, settings.noise_to_signal[0])
    found = jax.jit(lambda image: noise_of(prior, image, depth, settings.steps, settings.refinements))
    noises = [found(image) for image in images]
    return jnp.mean(jnp.stack([jnp.mean(to_blocks(noise) ** 2, axis=(0, 2)) for noise in noises]), axis=0)
