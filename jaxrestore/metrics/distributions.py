"""Distances of two sets of images in the features of a network: FID and KID, over Inception's or any features."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore.errors import InputError


def features_of(features: Callable, images: Iterable[np.ndarray] | np.ndarray, batch_size: int = 32) -> np.ndarray:
    """``features(batch [b, h, w, c]) -> [b, d]`` of all images, in batches of one size. Not for jit: a loop on the host."""
    stacked, batches = np.asarray(images), []
    function = jax.jit(features)
    for start in range(0, len(stacked), batch_size):
        batch = stacked[start : start + batch_size]
        short = batch_size - len(batch)  # repeated, so that one program serves all
        whole = np.concatenate([batch, np.repeat(batch[-1:], short, axis=0)]) if short else batch
        batches.append(np.asarray(function(jnp.asarray(whole)))[: len(batch)])
    return np.concatenate(batches)


class Moments(NamedTuple):
    """Of a set of features, in float64: a covariance of 2048 numbers isn't known well enough in less."""

    mean: np.ndarray  # [d]
    covariance: np.ndarray  # [d, d]


def moments(features: Float[Any, "n d"]) -> Moments:
    """Mean and covariance (over n - 1) of at least two features. On the host, not for jit."""
    values = np.asarray(features, np.float64)
    if values.ndim != 2 or len(values) < 2:
        raise InputError(f"Moments need features [n, d] of at least two images, not an array of shape {values.shape}.")
    return Moments(values.mean(0), np.atleast_2d(np.cov(values, rowvar=False)))


def frechet_distance(a: Moments, b: Moments) -> float:
    """|m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^1/2), from 0 (alike) up (Heusel et al. 2017, FID): float64 on the host.

    The trace of the root is the sum of the roots of the eigenvalues of C_a^1/2 C_b C_a^1/2, which are real. Biased: sets of
    other sizes can't be compared, and a few hundred images say little.
    """
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    mixed = np.linalg.eigvalsh(root @ b.covariance @ root)
    trace = np.trace(a.covariance) + np.trace(b.covariance) - 2 * np.sqrt(np.maximum(mixed, 0)).sum()
    return float(max(0.0, np.sum((a.mean - b.mean) ** 2) + trace))


@jax.jit
def kernel_distance(a: Float[Array, "n d"], b: Float[Array, "m d"]) -> Array:
    """The unbiased squared MMD with the kernel (x.y / d + 1)^3, about 0 for alike sets, lower is better (Binkowski et al.
    2018, KID, over all pairs). Pure. At least two features each; differentiable."""

    def mean(x, y):
        kernel = (jnp.matmul(x, y.T, precision="highest") / x.shape[1] + 1) ** 3
        if x is not y:
            return jnp.mean(kernel)
        n = x.shape[0]
        return (jnp.sum(kernel) - jnp.trace(kernel)) / (n * (n - 1))

    return mean(a, a) + mean(b, b) - 2 * mean(a, b)
