"""Tone: exposure, white balance and gamma, as a camera or its owner may have set them wrongly."""

from dataclasses import dataclass, field

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore._promotion import against
from jaxrestore._pytree import assign, register
from jaxrestore.errors import InputError
from jaxrestore.operators.checks import Number, Pair, holds
from jaxrestore.operators.contract import Step
from jaxrestore.operators.unknown import Unknown, unknown_fields

DARKEST = 1e-3  # of [0, 1]: below it a gamma under 1 has too steep a slope


@register
@dataclass(frozen=True, init=False)
class Tone:
    """H(image) = clip(2^stops * balance * v)^gamma of each channel, v in [0, 1]; for images ``[*b, h, w, 3]`` in [-1, 1].

    `stops` is the exposure in powers of two, `balance` by how much red and blue are stronger than green, `gamma` the
    exponent. `unknown`: which of "stops", "log_balance" and "log_gamma" are estimated, from where they stand. What is
    clipped to white has no derivative: it says nothing about the image. InputError unless balance and gamma are positive,
    and all of it finite.

    The fields are `stops` ``[]``, and the logarithms `log_balance` ``[2]`` and `log_gamma` ``[]``.

    >>> Tone(stops=-1.0)(jnp.ones((1, 1, 3))).round(3).ravel().tolist()
    [0.0, 0.0, 0.0]
    """

    stops: Float[Array, ""]
    log_balance: Float[Array, "2"]
    log_gamma: Float[Array, ""]
    unknown: tuple[str, ...] = field(metadata={"static": True})
    kind = "exposure"

    def __init__(
        self,
        stops: Number = 0.0,
        balance: Pair = (1.0, 1.0),
        gamma: Number = 1.0,
        unknown: Unknown = False,
    ) -> None:
        gains = jnp.asarray(balance, jnp.float32)
        if gains.shape != (2,) or not holds(lambda values: values > 0, balance, gamma):
            raise InputError(f"The balance must be two positive numbers and gamma one, not {balance} and {gamma}.")
        if not holds(np.isfinite, stops, balance, gamma):
            raise InputError(f"Stops, balance and gamma must be finite, not {stops}, {balance} and {gamma}.")
        assign(
            self,
            stops=jnp.asarray(stops, jnp.float32),
            log_balance=jnp.log(gains),
            log_gamma=jnp.log(jnp.asarray(gamma, jnp.float32)),
            unknown=unknown_fields(type(self), unknown, ("stops", "log_balance", "log_gamma")),
        )

    def __call__(self, image: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 3"]:
        red, blue = self.log_balance[..., 0], self.log_balance[..., 1]
        gain = jnp.exp2(self.stops) * jnp.exp(jnp.stack([red, jnp.zeros_like(red), blue], axis=-1))
        values = jnp.clip((image + 1) / 2 * against(gain, image), DARKEST, 1.0)
        return 2 * values ** jnp.exp(self.log_gamma).astype(image.dtype) - 1

    def describe(self) -> Step:
        """As a step of chains.py."""
        balance, gamma = np.exp(self.log_balance).tolist(), float(np.exp(self.log_gamma))
        return {"operator": "tone", "stops": float(self.stops), "balance": balance, "gamma": gamma}
