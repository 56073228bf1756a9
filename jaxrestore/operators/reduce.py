"""Reduction: a small image of a large one, by averaging, by leaving pixels out, or by bicubic resampling."""

from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._pytree import register

ReductionName = Literal["average", "stride", "bicubic"]


@register
@dataclass(frozen=True)
class AveragePool:
    """Reduction by averaging blocks of `scale` x `scale` pixels (BIRD's published super-resolution)."""

    scale: int = field(metadata={"static": True})

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b hs ws c"]:
        hs, ws = _reduced(image, self.scale)
        *batch, _, _, c = image.shape
        return image.reshape(*batch, hs, self.scale, ws, self.scale, c).mean(axis=(-4, -2))

    def pinv(self, measurement: Float[Array, "*b hs ws c"]) -> Float[Array, "*b h w c"]:
        """Every block filled with its average."""
        return jnp.repeat(jnp.repeat(measurement, self.scale, axis=-3), self.scale, axis=-2)


@register
@dataclass(frozen=True)
class Stride:
    """Reduction by keeping one pixel of every block of `scale` x `scale`, that at or before its middle."""

    scale: int = field(metadata={"static": True})

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b hs ws c"]:
        _reduced(image, self.scale)
        first = (self.scale - 1) // 2
        return image[..., first :: self.scale, first :: self.scale, :]

    def pinv(self, measurement: Float[Array, "*b hs ws c"]) -> Float[Array, "*b h w c"]:
        """The pixels back in their places, zero between them."""
        *batch, hs, ws, c = measurement.shape
        first = (self.scale - 1) // 2
        image = jnp.zeros((*batch, hs * self.scale, ws * self.scale, c), measurement.dtype)
        return image.at[..., first :: self.scale, first :: self.scale, :].set(measurement)


@register
@dataclass(frozen=True)
class Bicubic:
    """Reduction by bicubic resampling with antialiasing (Keys' kernel, a = -1/2, widened by `scale`), as Pillow does it."""

    scale: int = field(metadata={"static": True})

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b hs ws c"]:
        *batch, _, _, c = image.shape
        return jax.image.resize(image, (*batch, *_reduced(image, self.scale), c), "cubic", antialias=True)


REDUCTIONS: dict[str, Any] = {"average": AveragePool, "stride": Stride, "bicubic": Bicubic}


def _reduced(image: Array, scale: int) -> tuple[int, int]:
    h, w = image.shape[-3:-1]
    if scale < 1 or h % scale or w % scale:
        raise ValueError(f"An image of {h} x {w} can't be reduced by {scale}: its sides must be multiples of it.")
    return h // scale, w // scale
