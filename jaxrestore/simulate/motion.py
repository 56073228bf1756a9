"""Motion-blur kernels: what a camera that moves while the shutter is open makes of a point."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore.operators.checks import check_size


def motion_kernel(
    key: Array, size: int, length: float | Array, curvature: float | Array = 1.0
) -> Float[Array, "size size"]:
    """The kernel of a random trajectory of `length` pixels: positive, of sum one, its centre of mass in the middle.

    The direction starts anywhere and does a random walk, which turns by `curvature` radians (rms) from end to end; 0 is a
    straight line. Speed varies along the way by up to a factor of three, as a hand's does. What would leave the window of
    `size` pixels stays at its edge. `key` decides all of it. Pure; for jit and vmap over keys, lengths and curvatures.
    InputError for an even size.

    >>> kernel = motion_kernel(jax.random.key(0), 5, length=3.0)
    >>> kernel.shape, round(float(kernel.sum()), 3)
    ((5, 5), 1.0)
    """
    check_size(size)
    points = 32 * size  # dense enough for a smooth line
    angle_key, turn_key, speed_key = jax.random.split(key, 3)
    turns = curvature * jnp.cumsum(jax.random.normal(turn_key, (points,))) / points**0.5
    heading = jax.random.uniform(angle_key, maxval=2 * jnp.pi) + turns
    path = jnp.cumsum(jnp.stack([jnp.sin(heading), jnp.cos(heading)], axis=-1) * length / points, axis=0)
    phase = jax.random.uniform(speed_key, (2,), maxval=2 * jnp.pi)
    time = jnp.linspace(0, 1, points)
    weight = 1 + 0.25 * jnp.sin(2 * jnp.pi * time + phase[0]) + 0.25 * jnp.sin(4 * jnp.pi * time + phase[1])
    weight /= jnp.sum(weight)  # time spent at each point
    path -= (weight @ path)[None]
    path = jnp.clip(path + size // 2, 0, size - 1)
    places = jnp.arange(size, dtype=path.dtype)[None]
    # a point between pixels is shared among its four neighbours (bilinear)
    rows, columns = (jnp.maximum(0, 1 - jnp.abs(path[:, i, None] - places)) for i in range(2))
    return jnp.einsum("p,ph,pw->hw", weight, rows, columns)
