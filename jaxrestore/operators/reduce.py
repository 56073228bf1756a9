"""Reduction: a small image of a large one, by averaging, by leaving pixels out, or by bicubic resampling."""

import math
from dataclasses import dataclass, field
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore._names import ReductionName
from jaxrestore._pytree import register
from jaxrestore.errors import InputError
from jaxrestore.operators.borders import NONE, Frame
from jaxrestore.operators.contract import Step
from jaxrestore.operators.decomposition import Separable, factor


@dataclass(frozen=True)
class _Reduction:
    """By `scale` in each direction, which must divide the sides of the image; InputError unless it does, and is from 1 on."""

    scale: int = field(metadata={"static": True})
    kind = "super-resolution"
    by: ClassVar[ReductionName]

    def __post_init__(self) -> None:
        if not self.scale >= 1:
            raise InputError(f"An image is reduced by a whole number from 1 on, not by {self.scale}.")

    def describe(self) -> Step:
        """As a step of chains.py."""
        return {"operator": "reduce", "factor": self.scale, "by": self.by}

    def framed(self, frame: Frame) -> Frame:
        """Of the measurement: whatever has a part in it (`borders.frame_of`)."""
        return -(-frame[0] // self.scale), -(-frame[1] // self.scale)

    def __call__(self, image: Array) -> Array:
        raise NotImplementedError

    def svd(self, image_shape: tuple[int, ...]) -> Separable:
        """Of the reductions of rows and columns, which are one matrix each, whose rows sum to one."""
        height, width, channels = image_shape
        return Separable((factor(self._of_side(height)), factor(self._of_side(width)), factor(np.eye(channels))))

    def _of_side(self, side: int) -> np.ndarray:
        """The matrix ``[side / scale, side]`` of one direction: each unit vector as a channel, the same in few columns."""
        with jax.ensure_compile_time_eval():
            units = jnp.broadcast_to(jnp.eye(side, dtype=jnp.float32)[:, None], (side, self.scale, side))
            return np.asarray(self(units)[:, 0])

    def _size(self, image: Array) -> tuple[int, int]:
        """Of the measurement of an image."""
        h, w = image.shape[-3:-1]
        if h % self.scale or w % self.scale:
            raise InputError(
                f"An image of {h} x {w} can't be reduced by {self.scale}: its sides must be multiples of it."
            )
        return h // self.scale, w // self.scale


@register
@dataclass(frozen=True)
class AveragePool(_Reduction):
    """Reduction by averaging blocks of `scale` x `scale` pixels: ``[*b, h, w, c]`` to ``[*b, h / scale, w / scale, c]``.

    BIRD's published super-resolution. InputError for an image whose sides are no multiples of `scale`.

    >>> AveragePool(2)(jnp.arange(4.0).reshape(2, 2, 1)).item()
    1.5
    """

    by = "average"

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b hs ws c"]:
        hs, ws = self._size(image)
        *batch, _, _, c = image.shape
        return image.reshape(*batch, hs, self.scale, ws, self.scale, c).mean(axis=(-4, -2))

    def pinv(self, measurement: Float[Array, "*b hs ws c"]) -> Float[Array, "*b h w c"]:
        """Every block filled with its average."""
        return jnp.repeat(jnp.repeat(measurement, self.scale, axis=-3), self.scale, axis=-2)


@register
@dataclass(frozen=True)
class Stride(_Reduction):
    """Reduction by keeping one pixel of every block of `scale` x `scale`, that at or before its middle.

    ``[*b, h, w, c]`` to ``[*b, h / scale, w / scale, c]``. InputError for an image whose sides are no multiples of `scale`.

    >>> Stride(2)(jnp.arange(4.0).reshape(2, 2, 1)).item()
    0.0
    """

    by = "stride"

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b hs ws c"]:
        self._size(image)
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
class Bicubic(_Reduction):
    """Reduction by bicubic resampling with antialiasing (Keys' kernel, a = -1/2, widened by `scale`), as Pillow does it.

    ``[*b, h, w, c]`` to ``[*b, h / scale, w / scale, c]``. InputError for an image whose sides are no multiples of `scale`.

    >>> Bicubic(2)(jnp.ones((4, 4, 3))).shape
    (2, 2, 3)
    """

    by = "bicubic"

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b hs ws c"]:
        *batch, _, _, c = image.shape
        return jax.image.resize(image, (*batch, *self._size(image), c), "cubic", antialias=True)

    def framed(self, frame: Frame) -> Frame:
        """The kernel reaches two pixels of the measurement from the middle of one."""
        if not any(frame):
            return NONE
        return math.ceil(frame[0] / self.scale + 1.5), math.ceil(frame[1] / self.scale + 1.5)


REDUCTIONS: dict[ReductionName, type[AveragePool] | type[Stride] | type[Bicubic]] = {
    "average": AveragePool,
    "stride": Stride,
    "bicubic": Bicubic,
}
