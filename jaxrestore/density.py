"""How typical a noise is under N(0, I): the Gaussian-density objective, tests of normality, projections.

"High density" cannot mean the density itself, which is highest at 0: scaled towards 0, a noise gives grey fog. It means the
typical set, where nearly all the mass lies: norms, means, correlations and shapes as fresh Gaussian noise has them, patch by
patch (Invert2Restore, Fig. 3 and our reading of it: docs/invert2restore.md). Everything here is a pure function of noise
``[*b, h, w, c]`` for jit, vmap and grad; patches are squares of one channel, `size` must divide the sides.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

BANDS = 6  # of the spectrum of a patch


def to_patches(noise: Float[Array, "*b h w c"], size: int) -> Float[Array, "*b m c n"]:
    """The m = (h / size)(w / size) patches of each channel, as vectors of n = size^2. ValueError if it can't divide."""
    *batch, h, w, c = noise.shape
    if size < 1 or h % size or w % size:
        raise ValueError(f"Patches of {size} don't tile a noise of {h} x {w}: the size must divide both sides.")
    split = noise.reshape(*batch, h // size, size, w // size, size, c)
    return jnp.moveaxis(split, (-4, -3, -2, -1), (-2, -4, -1, -3)).reshape(*batch, -1, c, size * size)


def from_patches(patches: Float[Array, "*b m c n"], shape: tuple[int, ...]) -> Float[Array, "*b h w c"]:
    """The inverse of `to_patches`; `shape` is that of the noise."""
    *batch, h, w, c = shape
    size = int(patches.shape[-1] ** 0.5)
    split = patches.reshape(*batch, h // size, w // size, c, size, size)
    return jnp.moveaxis(split, (-5, -4, -3, -2, -1), (-5, -3, -1, -4, -2)).reshape(shape)
