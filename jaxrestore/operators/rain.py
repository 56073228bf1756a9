"""A layer of rain whose streaks are unknown: additive, sparse, smooth along one direction."""

from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore.operators.blur import convolve
from jaxrestore.operators.kernels import GaussianKernel, check_size


@register
@dataclass(frozen=True)
class RainLayer:
    """H(image) = image + light, the same in all channels, where each point of amplitude^2 leaves a streak.

    `amplitude` is ``[h, w, 1]``: under the square small values stay small: the layer is positive and sparse. A streak
    is a Gaussian of deviation exp(`log_length`) along and half a pixel across, turned by `angle` radians from the vertical.
    `sparsity` weighs the mean light in the objective, or the layer would explain all that G(z) doesn't.
    """

    amplitude: Any
    angle: Any
    log_length: Any
    sparsity: Any
    size: int = field(metadata={"static": True})  # of a streak's window, odd
    unknown = ("amplitude", "angle", "log_length")

    @staticmethod
    def create(
        shape: tuple[int, int], length: float = 3.0, angle: float = 0.0, sparsity: float = 0.02, start: float = 0.1
    ) -> "RainLayer":
        """A faint even veil on images of `shape` (height, width), vertical streaks of a deviation of `length` pixels."""
        size = 2 * round(2 * length) + 1
        check_size(size)
        if length <= 0 or min(shape) < size:
            raise ValueError(f"Streaks of {length} pixels don't fit an image of {shape[0]} x {shape[1]}.")
        amplitude = jnp.full((*shape, 1), start, jnp.float32)
        return RainLayer(amplitude, jnp.float32(angle), jnp.log(jnp.float32(length)), jnp.float32(sparsity), size)

    def light(self) -> Float[Array, "h w 1"]:
        """What the rain adds."""
        sigmas = jnp.stack([jnp.log(0.5) * jnp.ones_like(self.log_length), self.log_length])
        streak = GaussianKernel(sigmas, -self.angle, jnp.zeros(2), self.size)()
        return convolve(self.amplitude**2, streak, algorithm="fft")

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        return image + self.light().astype(image.dtype)

    def penalty(self) -> Float[Array, ""]:
        """Added to the objective."""
        return self.sparsity * jnp.mean(self.amplitude**2)
