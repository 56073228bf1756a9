"""Tone: exposure, white balance and gamma, as a camera or its owner may have set them wrongly."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore._pytree import register

DARKEST = 1e-3  # of [0, 1]: below it a gamma under 1 has too steep a slope


@register
@dataclass(frozen=True)
class Tone:
    """H(image) = clip(2^stops * balance * v)^gamma of each channel, v in [0, 1]; for images ``[*b, h, w, 3]`` in [-1, 1].

    `stops` [] is the exposure in powers of two, `log_balance` ``[2]`` the logarithms by which red and blue are stronger than
    green, `log_gamma` [] that of the exponent. What is clipped to white has no derivative: it says nothing about the image.
    """

    stops: Any
    log_balance: Any
    log_gamma: Any
    unknown: tuple[str, ...] = field(default=(), metadata={"static": True})

    @staticmethod
    def create(
        stops: float = 0.0,
        balance: Sequence[float] | np.ndarray = (1.0, 1.0),
        gamma: float = 1.0,
        unknown: tuple[str, ...] = (),
    ) -> "Tone":
        """`unknown`: which of "stops", "log_balance" and "log_gamma" are estimated, from where they stand."""
        found = jnp.asarray(balance, jnp.float32)
        if found.shape != (2,) or not bool(jnp.all(found > 0)) or gamma <= 0:
            raise ValueError(f"The balance must be two positive numbers and gamma one, not {balance} and {gamma}.")
        return Tone(jnp.float32(stops), jnp.log(found), jnp.log(jnp.float32(gamma)), unknown)

    def __call__(self, image: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 3"]:
        red, blue = self.log_balance[..., 0], self.log_balance[..., 1]
        gain = jnp.exp2(self.stops) * jnp.exp(jnp.stack([red, jnp.zeros_like(red), blue], axis=-1))
        values = jnp.clip((image + 1) / 2 * gain.astype(image.dtype), DARKEST, 1.0)
        return 2 * values ** jnp.exp(self.log_gamma).astype(image.dtype) - 1
