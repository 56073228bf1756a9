"""The Gaussian-density objective: how far a noise is from typical under N(0, I), patch by patch.

"High density" can't mean the density itself, which is highest at 0: a noise scaled towards 0 gives a grey fog
(Invert2Restore, Fig. 3). It means the typical set, where nearly all the mass lies: norms, means, spectra, correlations and
shapes as fresh Gaussian noise has them. This is our reading of the paper, which prints no formula that we know of. Everything
here is a pure function of noise ``[*b, h, w, c]`` for jit, vmap and grad; a patch is a square of one channel.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore._dct import block_dct, inverse_block_dct
from jaxrestore.errors import InputError

OMEGA = 1.5  # where the characteristic function is looked at: there skewness, kurtosis and bimodality all show
BANDS = 6  # rings of a patch's spectrum, from its mean to its finest checkerboard


class Terms(NamedTuple):
    """One number a noise each, ``[*b]``, or whatever of theirs: weights, for instance."""

    radial: Array | float = 1.0  # norms of the patches
    mean: Array | float = 1.0  # their means
    whiteness: Array | float = 1.0  # their energies in bands of the DCT
    channels: Array | float = 1.0  # correlations between the channels
    shape: Array | float = 1.0  # the characteristic function of their values (Epps & Pulley 1983)


def to_patches(noise: Float[Array, "*b h w c"], size: int) -> Float[Array, "*b m c n"]:
    """The m = (h / size)(w / size) patches of each channel, as vectors of n = size^2. InputError if it can't divide."""
    *batch, h, w, c = noise.shape
    if size < 1 or h % size or w % size:
        raise InputError(f"Patches of {size} don't tile a noise of {h} x {w}: the size must divide both sides.")
    split = noise.reshape(*batch, h // size, size, w // size, size, c)
    axes = len(batch) + np.array([0, 2, 4, 1, 3])
    return split.transpose(*range(len(batch)), *axes).reshape(*batch, -1, c, size * size)


def from_patches(patches: Float[Array, "*b m c n"], shape: tuple[int, ...]) -> Float[Array, "*b h w c"]:
    """The inverse of `to_patches`; `shape` is that of the noise."""
    *batch, h, w, c = shape
    size = round(patches.shape[-1] ** 0.5)
    split = patches.reshape(*batch, h // size, w // size, c, size, size)
    axes = len(batch) + np.array([0, 3, 1, 4, 2])
    return split.transpose(*range(len(batch)), *axes).reshape(shape)


def spectrum(patches: Float[Array, "*b m c n"], inverse: bool = False) -> Float[Array, "*b m c n"]:
    """The orthonormal DCT of square patches: of fresh noise, fresh noise again."""
    size = round(patches.shape[-1] ** 0.5)
    if inverse:
        return inverse_block_dct(patches.reshape(*patches.shape[:-1], 1, size, 1, size, 1)).reshape(patches.shape)
    return block_dct(patches.reshape(*patches.shape[:-1], size, size, 1), size).reshape(patches.shape)


def band_of(size: int, bands: int = BANDS) -> np.ndarray:
    """The band, 0 ... bands - 1, of each of the size^2 frequencies: rings of equal width around frequency 0."""
    u = np.arange(size) / size
    ring = (np.hypot(u[:, None], u) / np.sqrt(2) * bands).astype(int)
    return np.minimum(ring, bands - 1).ravel()


def rings(size: int) -> list[np.ndarray]:
    """The frequencies of each band that has any."""
    by_band = [np.flatnonzero(band_of(size) == band) for band in range(BANDS)]
    return [ring for ring in by_band if ring.size]


@cache
def _moments(function: Callable) -> tuple[float, float]:
    """Variance and excess kurtosis of ``function(OMEGA z)`` for z of N(0, 1), by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()
    values = function(OMEGA * nodes)
    values = values - weights @ values
    variance = weights @ values**2
    return float(variance), float(weights @ values**4 / variance**2 - 3)


def statistics(noise: Float[Array, "*b h w c"], size: int) -> dict[str, tuple[Array, Array]]:
    """For each term its statistics ``[*b, ...]``, of mean 0 and variance 1 on fresh noise, and the variance of their squares.

    Sums of functions of independent values, so that both are exact at any size: the square of a standardised mean of n
    numbers has variance 2 + kurtosis / n. Powers above two have tails too heavy to be of use: shape is told by bounded ones.
    """
    patches = to_patches(noise, size)
    n = patches.shape[-1]
    squares = patches**2 - 1
    coefficients = spectrum(patches) ** 2 - 1
    pairs = np.triu_indices(patches.shape[-2], 1)
    products = patches[..., pairs[0], :] * patches[..., pairs[1], :]
    even, odd = jnp.cos(OMEGA * patches) - np.exp(-(OMEGA**2) / 2), jnp.sin(OMEGA * patches)

    def standard(values: Array, variance: float, kurtosis: float) -> tuple[Array, Array]:
        count = values.shape[-1]
        standardised = values.sum(-1) / (count * variance) ** 0.5
        return standardised, jnp.full(standardised.shape, 2 + kurtosis / count)

    def joined(*parts: tuple[Array, Array]) -> tuple[Array, Array]:
        one, other = ([part[i].reshape(*noise.shape[:-3], -1) for part in parts] for i in (0, 1))
        return jnp.concatenate(one, -1), jnp.concatenate(other, -1)

    return {
        "radial": joined(standard(squares, 2.0, 12.0)),
        "mean": joined((patches.sum(-1) / n**0.5, jnp.full(patches.shape[:-1], 2.0))),
        "whiteness": joined(*(standard(coefficients[..., ring], 2.0, 12.0) for ring in rings(size))),
        "channels": joined(standard(products, 1.0, 6.0)),
        "shape": joined(standard(even, *_moments(np.cos)), standard(odd, *_moments(np.sin))),
    }


def terms(noise: Float[Array, "*b h w c"], size: int = 8) -> Terms:
    """How untypical a noise is in each respect: from 0 on, of mean and deviation about 1 on fresh noise at any patch size.

    Each is half the sum of two squares, each of mean 1 on fresh noise: of the statistics' mean, which should be 0, and of
    their mean square, which should be 1. Sums of squared statistics alone would not do: they are least for a noise that is
    too small. Correlations that a single channel doesn't have count as 1.

    >>> import jax
    >>> fresh = jax.random.normal(jax.random.key(0), (16, 16, 3))
    >>> bool(terms(fresh).radial < 5 < terms(0.9 * fresh).radial)
    True
    """
    deviations = {}
    for name, (values, spread) in statistics(noise, size).items():
        count = values.shape[-1]
        location = values.sum(-1) / max(count, 1) ** 0.5
        dispersion = (values**2 - 1).sum(-1) / jnp.maximum(spread.sum(-1), 1.0) ** 0.5
        deviations[name] = (location**2 + dispersion**2) / 2 if count else jnp.ones(noise.shape[:-3])
    return Terms(**deviations)


def objective(noise: Float[Array, "*b h w c"], size: int = 8, weights: Terms | None = None) -> Float[Array, "*b"]:
    """How far a noise is outside the typical set: the weighted sum over the `terms` d of hinge(d) = (max(sqrt(d), 1) - 1)^2.

    The terms themselves are least, 0, for a noise more regular than any fresh one, whose terms have mean 1: to descend them
    leads through the typical set and out of it on the other side. The hinge is half the squared distance of a term's two
    statistics from the disc on which d is at most 1, so its gradient is 0 there, grows from there continuously, and is d's
    own far away; who descends it stops at its edge, where terms are as fresh noise's are on average. A wider disc, with
    nearly all fresh noise within, would not do: a noise that came to its edge would be rare in every term at once. Fresh
    noise still has a value of 0.09 a term on average, from what of it lies outside (for two normal statistics
    3 / e - 2 Gamma(3/2, 1)). This form is ours: the paper prints none that we know of.

    Values are from 0 on, one a noise; pure, differentiable everywhere. InputError if the size doesn't divide both sides.

    >>> import jax
    >>> fresh = jax.random.normal(jax.random.key(0), (16, 16, 3))
    >>> bool(objective(fresh) < 5 < objective(0.5 * fresh))
    True
    """
    weights, zero = weights or Terms(), jnp.zeros(noise.shape[:-3])
    hinges = (jnp.square(jnp.sqrt(jnp.maximum(value, 1.0)) - 1) for value in terms(noise, size))
    return sum((weight * hinge for weight, hinge in zip(weights, hinges, strict=True)), zero)
