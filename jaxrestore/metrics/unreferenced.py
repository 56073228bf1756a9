"""What an image says of itself, without a reference. Pure functions on images in [-1, 1], for jit, vmap and grad."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore.errors import InputError


def blockiness(image: Float[Array, "*b h w c"], size: int = 8) -> Float[Array, "*b"]:
    """How much more neighbours differ across the borders of a codec's blocks than within them: the ratio of their rms.

    About 1 for an image without blocks, whatever its contrast. Blocks begin at the upper left corner, as JPEG's do.
    InputError unless a border lies inside, both ways.

    >>> tiles = jnp.repeat(jnp.repeat(jnp.array([[0.2, -0.3], [-0.1, 0.4]]), 8, 0), 8, 1)[..., None]
    >>> ramp = jnp.linspace(-0.5, 0.5, 16)[:, None, None] * jnp.linspace(0, 1, 16)[None, :, None]
    >>> bool(blockiness(tiles + 0.1 * ramp) > 10)
    True
    >>> blockiness(ramp + ramp[::-1, ::-1]).round(1)
    Array(1., dtype=float32)
    """
    *_, height, width, _ = image.shape
    if size < 2 or min(height, width) <= size:
        raise InputError(f"An image of {height} x {width} has no borders of blocks of {size}: it must be larger.")
    down, right = jnp.diff(image, axis=-3) ** 2, jnp.diff(image, axis=-2) ** 2
    borders = (
        jnp.mean(down[..., size - 1 :: size, :, :], (-3, -2, -1)),
        jnp.mean(right[..., size - 1 :: size, :], (-3, -2, -1)),
    )
    down_inside = np.arange(height - 1) % size != size - 1
    right_inside = np.arange(width - 1) % size != size - 1
    inside = (
        jnp.mean(down[..., down_inside, :, :], (-3, -2, -1)),
        jnp.mean(right[..., right_inside, :], (-3, -2, -1)),
    )
    return jnp.sqrt((borders[0] + borders[1] + 1e-12) / (inside[0] + inside[1] + 1e-12))
