"""Operators that need no more than a line of arithmetic: identity, mask, reduction by averaging, and chains of operators."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Identity:
    """H(image) = image: denoising, and every fully blind problem."""

    def __call__(self, image: Array) -> Array:
        return image


@jax.tree_util.register_dataclass
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


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class AveragePool:
    """Reduction by averaging blocks of `scale` x `scale` pixels (BIRD's published super-resolution)."""

    scale: int = field(metadata={"static": True})

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b hs ws c"]:
        *batch, h, w, c = image.shape
        if self.scale < 1 or h % self.scale or w % self.scale:
            raise ValueError(
                f"An image of {h} x {w} can't be reduced by {self.scale}: its sides must be multiples of it."
            )
        blocks = image.reshape(*batch, h // self.scale, self.scale, w // self.scale, self.scale, c)
        return blocks.mean(axis=(-4, -2))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Compose:
    """Operators one after another: ``Compose((first, second))(image) = second(first(image))``."""

    parts: tuple[Callable[[Array], Array], ...]

    def __call__(self, image: Array) -> Array:
        for part in self.parts:
            image = part(image)
        return image
