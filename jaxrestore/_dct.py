"""The orthonormal DCT of square blocks, as matrix products: for blocks they compile and run faster than FFTs."""

from functools import cache

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


@cache
def dct_basis(size: int) -> np.ndarray:
    """The orthonormal DCT-II of vectors, as a matrix."""
    from scipy.fft import dct  # takes a quarter of a second

    return np.asarray(dct(np.eye(size, dtype=np.float32), axis=0, norm="ortho"))


def block_dct(planes: Float[Array, "*b h w c"], size: int) -> Float[Array, "*b y size x size c"]:
    """The coefficients of each block of size x size pixels, which must tile the planes."""
    *batch, h, w, c = planes.shape
    blocks = planes.reshape(*batch, h // size, size, w // size, size, c)
    basis = dct_basis(size).astype(planes.dtype)
    return jnp.einsum("ki,...yixjc,lj->...ykxlc", basis, blocks, basis, precision="highest")


def inverse_block_dct(coefficients: Float[Array, "*b y size x size c"]) -> Float[Array, "*b h w c"]:
    """The planes of which `block_dct` gives these coefficients."""
    *batch, y, size, x, _, c = coefficients.shape
    basis = dct_basis(size).astype(coefficients.dtype)
    blocks = jnp.einsum("ki,...ykxlc,lj->...yixjc", basis, coefficients, basis, precision="highest")
    return blocks.reshape(*batch, y * size, x * size, c)
