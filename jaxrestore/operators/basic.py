"""Operators that need no more than a line of arithmetic: identity, mask, loss of colour, and chains of operators."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxrestore._pytree import register


@register
@dataclass(frozen=True)
class Identity:
    """H(image) = image: denoising, and every fully blind problem."""

    def __call__(self, image: Array) -> Array:
        return image

    def pinv(self, measurement: Array) -> Array:
        """The measurement."""
        return measurement


@register
@dataclass(frozen=True)
class Mask:
    """H(image) = known * image, with `known` ``[h, w, 1]`` one where a pixel was measured and zero where it is missing."""

    known: Any

    @staticmethod
    def create(known: ArrayLike) -> "Mask":
        """From ``[h, w]``, ``[h, w, 1]`` or ``[h, w, c]`` of zeros and ones, with at least one of them."""
        array = np.asarray(known, np.float32)
        if array.ndim == 2:
            array = array[..., None]
        if array.ndim != 3 or not np.all((array == 0) | (array == 1)):
            raise ValueError(f"A mask must be [h, w] or [h, w, 1] of zeros and ones; this one is {array.shape}.")
        if not array.any():
            raise ValueError("The mask says that every pixel is missing: there is nothing to restore from.")
        return Mask(jnp.asarray(array))

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        return image * self.known.astype(image.dtype)

    def pinv(self, measurement: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        """What was measured, zero elsewhere."""
        return self(measurement)


LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, the weights of Pillow's mode "L" and of JPEG


@register
@dataclass(frozen=True)
class Grayscale:
    """H(image) = its luma ``[h, w, 1]``, by the weights of ITU-R BT.601."""

    def __call__(self, image: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 1"]:
        return jnp.sum(image * jnp.asarray(LUMA, image.dtype), axis=-1, keepdims=True)

    def pinv(self, measurement: Float[Array, "*b h w 1"]) -> Float[Array, "*b h w 3"]:
        """The colours of least norm that have this luma: not grey, since the weights are unequal."""
        weights = np.asarray(LUMA)
        return measurement * jnp.asarray(weights / np.sum(weights**2), measurement.dtype)


@register
@dataclass(frozen=True)
class Compose:
    """Operators one after another: ``Compose((first, second))(image) = second(first(image))``."""

    parts: tuple[Callable[[Array], Array], ...]

    def __call__(self, image: Array) -> Array:
        for part in self.parts:
            image = part(image)
        return image
