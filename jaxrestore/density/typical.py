"""What the noise of clean photographs has: the typical set as this prior's inversion sees it.

Inverted clean photographs aren't white: plain regions leave too little energy, and few steps leave traces. What tells a
degraded photograph is how its noise differs from theirs, so they, and not the ideal N(0, I), are the reference. A noise is
looked at in opponent colours (brightness, and two differences) and in the DCT of its patches: of N(0, I) both are N(0, I)
again. Everything here is about one noise ``[h, w, c]``, pure, for jit, vmap and grad.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore._dct import block_dct, inverse_block_dct
from jaxrestore.density.gaussian import BANDS, rings
from jaxrestore.diffusion.ddim import ascend, descend
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import noise_part, partial_grid
from jaxrestore.diffusion.statistics import NoiseStatistics
from jaxrestore.errors import InputError

PATCH = 8
DEPTHS, STEPS, REFINEMENTS = (25, 50, 100, 200), 10, 2  # of a calibration, if nothing else is said
OPPONENT = np.array([[1, 1, 1], [1, 0, -1], [0.5, -1, 0.5]]) / np.sqrt([[3], [2], [1.5]])  # orthonormal


def noise_of(
    prior: Prior, image: Float[Array, "h w c"], depth: Any, steps: int, refinements: int
) -> Float[Array, "h w c"]:
    """The noise in x_t to which an image inverts, t = `depth`: of x_t = sqrt(ab) image + sqrt(1 - ab) noise.

    At t = T - 1 that is the noise of the whole unroll. Cost: steps (1 + refinements) network evaluations.
    """
    x = ascend(prior, image, partial_grid(prior.schedule, depth, steps), refinements=refinements)
    return noise_part(x, image, prior.schedule.alpha_bar[depth])


def image_of_noise(
    prior: Prior, image: Float[Array, "h w c"], noise: Float[Array, "h w c"], depth: Any, steps: int
) -> Float[Array, "h w c"]:
    """The image that DDIM makes of the image diffused with the noise to t = depth, on the grid of `noise_of`, unclipped but
    for the end. Cost: `steps` network evaluations."""
    x = prior.schedule.diffuse(image, noise, depth)
    return jnp.clip(descend(prior, x, partial_grid(prior.schedule, depth, steps), clip=False), -1.0, 1.0)


def on_two_tilings(
    function: Callable[[Array], Array], noise: Float[Array, "h w c"], size: int = PATCH
) -> Float[Array, "h w c"]:
    """The mean of what a function of patches makes of the noise on two tilings, half a patch apart: no seams."""
    half = size // 2
    shifted = function(jnp.roll(noise, (-half, -half), (0, 1)))
    return (function(noise) + jnp.roll(shifted, (half, half), (0, 1))) / 2


def to_opponent(noise: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
    """Brightness and two colour differences of three channels, by a rotation; any other number of channels as it is."""
    return jnp.asarray(noise @ OPPONENT.T.astype(noise.dtype)) if noise.shape[-1] == 3 else noise


def from_opponent(noise: Float[Array, "*b c"]) -> Float[Array, "*b c"]:
    """The inverse of `to_opponent`."""
    return jnp.asarray(noise @ OPPONENT.astype(noise.dtype)) if noise.shape[-1] == 3 else noise


def to_blocks(noise: Float[Array, "h w c"], size: int = PATCH) -> Float[Array, "y size x size c"]:
    """The DCT of each patch, in opponent colours. InputError if patches don't tile the noise."""
    h, w, _ = noise.shape
    if h % size or w % size:
        raise InputError(f"Patches of {size} don't tile a noise of {h} x {w}: the size must divide both sides.")
    return block_dct(to_opponent(noise), size)


def from_blocks(blocks: Float[Array, "y size x size c"]) -> Float[Array, "h w c"]:
    """The inverse of `to_blocks`."""
    return from_opponent(inverse_block_dct(blocks))


def band_levels(noise: Float[Array, "h w c"], energy: Float[Array, "p p c"]) -> Float[Array, "bands c"]:
    """log2 of the mean of squared coefficients over `energy`, in each band of the DCT and each (opponent) channel."""
    ratio = jnp.mean(to_blocks(noise, energy.shape[0]) ** 2, axis=(0, 2)) / energy
    flat = ratio.reshape(-1, ratio.shape[-1])
    return jnp.log2(jnp.stack([flat[ring].mean(0) for ring in rings(energy.shape[0])]) + 1e-12)


def deviation(noise: Float[Array, "h w c"], statistics: NoiseStatistics, index: Any) -> Float[Array, "bands c"]:
    """z-scores of the noise's energies in bands against clean photographs', at the depth of that index.

    About N(0, 1) for another clean photograph: above 2 something was added, below -2 something was taken away. Bands from
    the lowest frequencies to the highest.
    """
    return (band_levels(noise, statistics.energy[index]) - statistics.level[index]) / statistics.spread[index]


NOVEL = 2.6  # of another kind: 19 of 20 photographs have less, with noise of up to 30 grey levels (docs/novelty.md)
LOUD = 0.267  # the noise, as it is estimated, with which they have more; in units of [-1, 1]


def novelty(prior: Prior, image: Float[Array, "h w c"]) -> Float[Array, ""]:
    """How unlike the photographs that a prior was calibrated with an image is: about 1 for another of them, above `NOVEL`
    for one of another kind.

    The rms of the z-scores (`deviation`) of its brightness in the coarser half of the bands, at the depth next to t = 50:
    white noise below `LOUD` changes them little, but a codec, holes or a blur do. `docs/novelty.md` has what it tells apart.
    Cost: an inversion. InputError for a prior without statistics.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> from dataclasses import replace
    >>> prior = jr.gaussian_prior(jnp.zeros((16, 16, 3)), 0.5)
    >>> photographs = 0.5 * jax.random.normal(jax.random.key(0), (16, 16, 16, 3))
    >>> prior = replace(prior, statistics=jr.calibrate(prior, photographs, depths=(50,), steps=2))
    >>> stripes = jnp.tile(jnp.sign(jnp.sin(jnp.arange(16.0)))[:, None, None], (1, 16, 3))
    >>> bool(novelty(prior, photographs[0]) < NOVEL < novelty(prior, stripes))
    True
    """
    clean = prior.statistics
    if clean is None:
        raise InputError(
            f"The prior {prior.name!r} has not been calibrated: nobody knows what is unlike its photographs."
        )
    index = jnp.argmin(jnp.abs(clean.depths - 50))
    noise = noise_of(prior, image, clean.depths[index], clean.steps, clean.refinements)
    return jnp.sqrt(jnp.mean(deviation(noise, clean, index)[: BANDS // 2, 0] ** 2))


def calibrate(
    prior: Prior,
    photographs: Float[Array, "n h w c"],
    depths: tuple[int, ...] = DEPTHS,
    steps: int = STEPS,
    refinements: int = REFINEMENTS,
    patch: int = PATCH,
) -> NoiseStatistics:
    """The statistics of clean photographs: a few dozen, of the prior's kind and in [-1, 1].

    Cost: steps (1 + refinements) evaluations a photograph and depth. InputError for fewer than 4 photographs, or depths
    that don't rise within the schedule.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    >>> photographs = 0.5 * jax.random.normal(jax.random.key(0), (8, 8, 8, 3))
    >>> jr.calibrate(prior, photographs, depths=(100,), steps=2).energy.shape
    (1, 8, 8, 3)
    """
    check_calibration(len(photographs), depths, len(prior.schedule))

    def at(depth: Array) -> tuple[Array, Array, Array]:
        noise = jax.lax.map(
            lambda photograph: noise_of(prior, photograph, depth, steps, refinements), photographs, batch_size=8
        )
        return typical_of(noise, patch)

    photographs, times = jnp.asarray(photographs, jnp.float32), jnp.asarray(depths, jnp.int32)
    energy, level, spread = jax.lax.map(at, times)
    return NoiseStatistics(times, energy, level, spread, steps, refinements)


def check_calibration(number: int, depths: tuple[int, ...], length: int) -> None:
    """InputError for too few photographs, or depths that don't rise within a schedule of that length."""
    if number < 4:
        raise InputError(f"{number} photographs can't say how photographs differ: give some dozens.")
    if list(depths) != sorted(set(depths)) or not depths or depths[0] < 1 or depths[-1] >= length:
        raise InputError(f"Depths must rise from 1 to at most {length - 1}, not be {depths}.")


def typical_of(
    noise: Float[Array, "n h w c"], patch: int = PATCH
) -> tuple[Float[Array, "p p c"], Float[Array, "bands c"], Float[Array, "bands c"]]:
    """(energy, level, spread) of `NoiseStatistics` at one depth, of photographs' noise there; patches on two grids."""
    shifted = jnp.roll(noise, (patch // 2, patch // 2), (1, 2))
    blocks = jax.vmap(lambda one: to_blocks(one, patch))(jnp.concatenate([noise, shifted]))
    energy = jnp.mean(blocks**2, axis=(0, 1, 3))
    level = jax.vmap(lambda one: band_levels(one, energy))(noise)
    return energy, level.mean(0), level.std(0, ddof=1)
