"""Corrections of a noise towards the ideal N(0, I), in closed form: what a rectification may be made of, for comparison.

All but the mixing are nearest points: of all noises that have the property, the one that moves least. Pure functions of one
noise ``[h, w, c]``; patches are squares of one channel, as in `density`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Bool, Float

from jaxrestore.density.gaussian import from_patches, rings, spectrum, to_patches


def sphere(noise: Float[Array, "h w c"], size: int | None = None) -> Float[Array, "h w c"]:
    """On the shell where nearly all the mass lies, norm sqrt(d): as a whole (BIRD, eq. 6), or each patch of `size`.

    >>> sphere(jnp.full((8, 8, 3), 0.5)).max()
    Array(1., dtype=float32)
    """
    patches = noise.reshape(1, 1, -1) if size is None else to_patches(noise, size)
    square = jnp.sum(patches**2, axis=-1, keepdims=True)
    scaled = patches * jnp.sqrt(patches.shape[-1] / (square + 1e-9))
    return scaled.reshape(noise.shape) if size is None else from_patches(scaled, noise.shape)


def mean_and_norm(noise: Float[Array, "h w c"], size: int = 8) -> Float[Array, "h w c"]:
    """Each patch the nearest point of mean 0 and mean square 1."""
    patches = to_patches(noise, size)
    patches = patches - patches.mean(-1, keepdims=True)
    return sphere(from_patches(patches, noise.shape), size)


def rank_gaussian(noise: Float[Array, "h w c"], size: int = 8) -> Float[Array, "h w c"]:
    """Each patch's values replaced by the quantiles of N(0, 1) for their ranks: exactly normal marginals."""
    patches = to_patches(noise, size)
    n = patches.shape[-1]
    ranks = jnp.argsort(jnp.argsort(patches, axis=-1), axis=-1)
    return from_patches(norm.ppf((ranks.astype(noise.dtype) + 0.5) / n), noise.shape)


def whiten_bands(noise: Float[Array, "h w c"], size: int = 8) -> Float[Array, "h w c"]:
    """Each channel with mean square 1 in every band of the DCT of its patches, taken over the whole noise."""
    patches = to_patches(noise, size)
    coefficients = spectrum(patches)
    for ring in rings(size):
        part = coefficients[..., ring]
        gain = jnp.sqrt(1 / jnp.maximum(jnp.mean(part**2, axis=(-3, -1), keepdims=True), 1e-12))
        coefficients = coefficients.at[..., ring].set(part * gain)
    return from_patches(spectrum(coefficients, inverse=True), noise.shape)


def mix(noise: Float[Array, "h w c"], fresh: Float[Array, "h w c"], weight: Any) -> Float[Array, "h w c"]:
    """sqrt(1 - weight^2) noise + weight fresh: of two noises of N(0, I), again one. `weight` broadcasts."""
    return jnp.sqrt(1 - jnp.asarray(weight) ** 2) * noise + weight * fresh


def mix_until(
    noise: Float[Array, "h w c"],
    fresh: Float[Array, "h w c"],
    fails: Callable[[Array], Bool[Array, "m c"]],
    size: int = 8,
    levels: int = 10,
) -> Float[Array, "h w c"]:
    """Each patch mixed with fresh noise by the smallest weight, 0, 1 / levels, ..., 1, at which `fails` no longer flags it.

    ``fails(noise)`` says which patches fail ``[m, c]`` (`normality.flagged` of `normality.patch_tests`, say). At weight 1
    a patch is fresh, and stays so even if it fails by chance. `levels` evaluations of `fails`.
    """
    flags = jax.lax.map(lambda i: fails(mix(noise, fresh, i / levels)), jnp.arange(levels))
    passed = jnp.concatenate([~flags, jnp.ones((1, *flags.shape[1:]), bool)])
    weight = jnp.argmax(passed, axis=0) / levels  # the first that passes
    return from_patches(
        mix(to_patches(noise, size), to_patches(fresh, size), weight[..., None]).astype(noise.dtype), noise.shape
    )
