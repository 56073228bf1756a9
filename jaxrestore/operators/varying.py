"""Blur that varies over the image: a few kernels, each with its region (Nagy & O'Leary 1998)."""

from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore.operators.blur import Boundary, convolve


@register
@dataclass(frozen=True)
class VaryingBlur:
    """H(image) = sum_i weights_i * (kernel_i convolved with the image): smooth weights blend the blurred images.

    `kernels` are arrays ``[k, k]`` or kernel objects with unknown leaves; `weights` ``[n, h, w]`` sum to one at each pixel.
    """

    kernels: tuple[Any, ...]
    weights: Any
    boundary: Boundary = field(default="reflect", metadata={"static": True})

    @staticmethod
    def create(kernels: tuple[Any, ...], size: tuple[int, int], boundary: Boundary = "reflect") -> "VaryingBlur":
        """With `region_weights` of n = m x m kernels, in rows, over images of `size`. ValueError if n is not a square."""
        side = round(len(kernels) ** 0.5)
        if not kernels or side**2 != len(kernels):
            raise ValueError(f"The kernels must form a square grid: 1, 4, 9, ..., not {len(kernels)} of them.")
        return VaryingBlur(tuple(kernels), region_weights(side, size), boundary)

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        arrays: list[Any] = [kernel() if callable(kernel) else kernel for kernel in self.kernels]
        blurred = (convolve(image, kernel, self.boundary, "fft") for kernel in arrays)
        weights = self.weights.astype(image.dtype)[..., None]
        return sum((weight * one for weight, one in zip(weights, blurred, strict=True)), jnp.zeros_like(image))


def region_weights(side: int, size: tuple[int, int]) -> Float[Array, "n h w"]:
    """Weights of `side` x `side` regions, n = side^2: each falls from one at its centre to zero at its neighbours'."""

    def along(length: int) -> Array:
        where = jnp.clip(side * (jnp.arange(length) + 0.5) / length - 0.5, 0, side - 1)
        return jnp.maximum(0, 1 - jnp.abs(where - jnp.arange(side)[:, None]))

    rows, columns = along(size[0]), along(size[1])
    return (rows[:, None, :, None] * columns[None, :, None, :]).reshape(side**2, *size)
