"""What the methods of flows share: their times, even on the straight path (1 - u) x0 + u noise, and a step towards y.

Every prior's x_t lies on that path, scaled (`diffusion.denoisers`), and what it predicts of x0 there is a flow's. So these
methods take any prior of images that reaches noise, a flow being one whose own levels are the even ones.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore.diffusion.denoisers import flow_times
from jaxrestore.diffusion.schedule import Schedule, TimeGrid
from jaxrestore.operators import Operator, squared_norm


def flow_grid(schedule: Schedule, steps: int) -> TimeGrid:
    """The times nearest to u = 1, 1 - 1 / steps, ..., 1 / steps, from noise to image.

    >>> from jaxrestore.diffusion.schedule import flow
    >>> flow_grid(flow(), 4).t.tolist()
    [999, 750, 500, 249]
    """
    shares = flow_times(schedule.alpha_bar)
    wanted = 1 - jnp.arange(steps, dtype=shares.dtype) / steps
    t = jnp.argmin(jnp.abs(shares[None, :] - wanted[:, None]), axis=1).astype(jnp.int32)
    alpha_bar = schedule.alpha_bar[t]
    return TimeGrid(t, alpha_bar, jnp.append(alpha_bar[1:], jnp.ones((), alpha_bar.dtype)))


def towards(
    operator: Operator, image: Float[Array, "h w c"], y: Array, share: Any, key: Array, number: int = 1
) -> Float[Array, "h w c"]:
    """The image after so many gradient steps on |H(image) - y|^2 / 2, each a `share` of the inverse of the largest curvature.

    With share 1 and an operator whose singular values are all alike (a mask, an average) one step explains y.

    >>> from jaxrestore.operators import AveragePool
    >>> towards(AveragePool(2), jnp.zeros((2, 2, 1)), jnp.ones((1, 1, 1)), 1.0, jax.random.key(0)).round(3).ravel().tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    size = share / jnp.maximum(squared_norm(operator, image, key), 1e-12)

    def step(_: Any, image: Array) -> Array:
        measured, pull = jax.vjp(operator, image)
        return image - size * pull(measured - y)[0]

    return jax.lax.fori_loop(0, number, step, image)
