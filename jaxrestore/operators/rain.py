"""A layer of rain whose streaks are unknown: additive, sparse, smooth along one direction."""

import math
from dataclasses import dataclass, field

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore._promotion import against
from jaxrestore._pytree import assign, register
from jaxrestore.errors import InputError
from jaxrestore.operators.blur import convolve
from jaxrestore.operators.checks import Number
from jaxrestore.operators.contract import Step
from jaxrestore.operators.kernels import gaussian
from jaxrestore.operators.unknown import Unknown, unknown_fields


@register
@dataclass(frozen=True, init=False)
class RainLayer:
    """H(image) = image + light, the same in all channels, where each point of amplitude^2 leaves a streak.

    For images of `shape` (height, width). A streak is a Gaussian of deviation `length` pixels along and half a pixel across,
    turned by `angle` radians from the vertical. `start` is the amplitude at first, a faint even veil; under the square small
    values stay small: the layer is positive and sparse. `sparsity` weighs the mean light in the objective, or the layer
    would explain all that G(z) doesn't. `unknown` are "amplitude", "angle" and "log_length" unless it says otherwise.
    InputError where such streaks don't fit the image; `length` must be a number, not a traced array, as a window's size
    follows from it.

    The field `amplitude` is ``[h, w, 1]``, `angle`, `log_length` and `sparsity` are ``[]``.

    >>> layer = RainLayer((8, 8), length=1.0)
    >>> layer(jnp.zeros((8, 8, 3))).shape, round(float(layer.penalty()), 6)
    ((8, 8, 3), 0.0002)
    """

    amplitude: Float[Array, "h w 1"]
    angle: Float[Array, ""]
    log_length: Float[Array, ""]
    sparsity: Float[Array, ""]
    size: int = field(metadata={"static": True})  # of a streak's window, odd
    unknown: tuple[str, ...] = field(metadata={"static": True})
    kind = "derain"

    def __init__(
        self,
        shape: tuple[int, int],
        length: float | int = 3.0,
        angle: Number = 0.0,
        sparsity: Number = 0.02,
        start: Number = 0.1,
        unknown: Unknown = True,
    ) -> None:
        if not 0 < length < math.inf or min(shape) < 2 * round(2 * length) + 1:
            raise InputError(f"Streaks of {length} pixels don't fit an image of {shape[0]} x {shape[1]}.")
        assign(
            self,
            amplitude=jnp.full((*shape, 1), start, jnp.float32),
            angle=jnp.asarray(angle, jnp.float32),
            log_length=jnp.log(jnp.float32(length)),
            sparsity=jnp.asarray(sparsity, jnp.float32),
            size=2 * round(2 * length) + 1,
            unknown=unknown_fields(type(self), unknown, ("amplitude", "angle", "log_length")),
        )

    def light(self) -> Float[Array, "h w 1"]:
        """What the rain adds."""
        sigmas = jnp.stack([jnp.log(0.5) * jnp.ones_like(self.log_length), self.log_length])
        streak = gaussian(sigmas, -self.angle, jnp.zeros(2, jnp.float32), self.size)
        return convolve(self.amplitude**2, streak, algorithm="fft")

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        return image + against(self.light(), image)

    def penalty(self) -> Float[Array, ""]:
        """What is added to the objective: `sparsity` times the mean light."""
        return self.sparsity * jnp.mean(self.amplitude**2)

    def describe(self) -> Step:
        """As a step of chains.py: what its streaks have in common."""
        angle, length = math.degrees(float(self.angle)), float(np.exp(self.log_length))
        return {"operator": "rain", "angle": angle, "length": length, "sparsity": float(self.sparsity)}
