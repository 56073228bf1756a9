"""Images of least total variation that explain a linear measurement (Rudin, Osher & Fatemi 1992), by the alternating
direction method of multipliers (Boyd et al. 2011, section 6.4.1): the classical answer to any of the linear problems."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.sparse.linalg import cg
from jaxtyping import Array, Float

from jaxrestore.operators import adjoint, squared_norm

EDGE = 0.05  # a difference of neighbours that the method takes for one at first; its answer doesn't depend on it
OUTER, INNER = 50, 5  # iterations, and those of conjugate gradients within each


def differences(image: Float[Array, "h w c"]) -> Float[Array, "2 h w c"]:
    """Of each pixel to the one below and to the one at its right, none beyond the border."""
    down = jnp.diff(image, axis=0, append=image[-1:])
    return jnp.stack([down, jnp.diff(image, axis=1, append=image[:, -1:])])


@partial(jax.jit, static_argnames=("shape", "iterations"))
def smoothest(
    operator: Any, y: Array, weight: Any, shape: tuple[int, ...], iterations: int = OUTER
) -> Float[Array, "h w c"]:
    """The image ``[h, w, c]`` of least |H x - y|^2 / (2 |H|^2) + weight * TV(x), for a linear H. Pure.

    TV is the sum over pixels of the length of all differences, channels taken together (Blomgren & Chan 1998).
    """
    scale = squared_norm(operator, jnp.zeros(shape), jax.random.key(0))
    penalty = weight / EDGE

    def turned(edges: Array) -> Array:
        return jax.linear_transpose(differences, jax.ShapeDtypeStruct(shape, jnp.float32))(edges)[0]

    def normal(x: Array) -> Array:
        return adjoint(operator, operator(x), shape) / scale + penalty * turned(differences(x))

    data = adjoint(operator, y, shape) / scale

    def once(_: Any, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        x, edges, multiplier = state
        x, _ = cg(normal, data + penalty * turned(edges - multiplier), x0=x, maxiter=INNER)
        wanted = differences(x) + multiplier
        length = jnp.sqrt(jnp.sum(wanted**2, axis=(0, 3), keepdims=True) + 1e-20)
        edges = wanted * jnp.maximum(1 - EDGE / length, 0)  # soft thresholding
        return x, edges, wanted - edges

    none = jnp.zeros((2, *shape))
    return jax.lax.fori_loop(0, iterations, once, (data, none, none))[0]
