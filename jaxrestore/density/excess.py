"""The nearest noise without excess: what is too loud for N(0, I) brought to the edge of what chance allows, the rest kept.

A degradation that adds something (grain, blocks, streaks) adds energy to the noise; what a noise has too little of is the
picture itself, whose plain regions leave little noise behind. So the test is one-sided. It is made of each frequency of the
DCT of the noise's patches, in opponent colours and over all patches: of N(0, I) their sum of squares is chi-square
distributed. Pure functions of one noise ``[h, w, c]``.
"""

from typing import Any

import jax.numpy as jnp
from jax.scipy.special import gammaincc
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from jaxrestore._promotion import against
from jaxrestore.density.typical import PATCH, from_blocks, on_two_tilings, to_blocks


def mean_square_below(p: Any, n: Any) -> Array:
    """What the mean square of n numbers of N(0, 1) exceeds with probability p, by Wilson and Hilferty's cube root (1931):
    within 1 % of the exact quantile of chi-square for n >= 16 and p between 0.001 and 0.95.

    >>> round(float(mean_square_below(0.05, 64)), 2)  # the 95 % point of chi-square with 64 degrees is 83.68
    1.31
    """
    spread = 2 / (9 * jnp.asarray(n, jnp.float32))
    return (1 - spread - norm.ppf(p) * jnp.sqrt(spread)) ** 3


def excess_p_values(noise: Float[Array, "h w c"], size: int = PATCH) -> Float[Array, "p p c"]:
    """p-values of each frequency's energy: the probability that N(0, I) has as much or more. Uniform on fresh noise."""
    half = _count(noise, size) / 2
    return gammaincc(half, half * _energy(to_blocks(noise, size)))


def without_excess(noise: Float[Array, "h w c"], p: Any = 0.5, size: int = PATCH) -> Float[Array, "h w c"]:
    """The nearest noise of which no frequency fails the one-sided test at level `p`; of two tilings of patches the mean.

    At 0.5 a frequency ends at the energy that is as likely exceeded as not; smaller levels leave more of what was there. All
    coefficients of a frequency are scaled alike, which is the nearest point. InputError if patches don't tile the noise.

    >>> import jax
    >>> fresh = jax.random.normal(jax.random.key(0), (64, 64, 3))
    >>> calm = without_excess(1.5 * fresh)
    >>> round(float(jnp.sqrt(jnp.mean(calm**2))), 2)
    0.99
    """
    return on_two_tilings(lambda noise: _scaled(noise, p, size), noise, size)


def _scaled(noise: Float[Array, "h w c"], p: Any, size: int) -> Float[Array, "h w c"]:
    blocks = to_blocks(noise, size)
    ratio = mean_square_below(p, _count(noise, size)) / jnp.maximum(_energy(blocks), 1e-12)
    return from_blocks(blocks * against(jnp.minimum(1.0, jnp.sqrt(ratio))[:, None], blocks))


def _energy(blocks: Float[Array, "y p x p c"]) -> Float[Array, "p p c"]:
    return jnp.mean(blocks**2, axis=(0, 2))


def _count(noise: Float[Array, "h w c"], size: int) -> int:
    """Patches, each of which has one coefficient of a frequency."""
    return (noise.shape[0] // size) * (noise.shape[1] // size)
