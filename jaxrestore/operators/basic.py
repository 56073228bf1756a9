"""Operators that need no more than a line of arithmetic: identity, mask, loss of colour."""

from dataclasses import dataclass, field

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxrestore._promotion import against
from jaxrestore._pytree import assign, register
from jaxrestore.errors import InputError
from jaxrestore.operators.checks import holds
from jaxrestore.operators.contract import Step
from jaxrestore.operators.decomposition import Diagonal, Separable, factor


@register
@dataclass(frozen=True)
class Identity:
    """H(image) = image: denoising, and every fully blind problem.

    >>> Identity()(jnp.ones((1, 1, 1))).shape
    (1, 1, 1)
    """

    kind = "denoise"

    def __call__(self, image: Array) -> Array:
        return image

    def pinv(self, measurement: Array) -> Array:
        """The measurement."""
        return measurement

    def svd(self, image_shape: tuple[int, ...]) -> Diagonal:
        """All singular values are one."""
        return Diagonal(jnp.ones(image_shape, jnp.float32))


@register
@dataclass(frozen=True, init=False)
class Mask:
    """H(image) = known * image: inpainting, and compressed sensing where few pixels are known.

    `known` is ``[h, w]``, ``[h, w, 1]`` or ``[h, w, c]`` of zeros and ones: one where a pixel was measured, zero where it is
    missing, and at least one of them; InputError otherwise. It is kept as float32 with an axis of channels. `kind` is the
    name of the problem by which methods choose their settings, "inpaint" or "compressed-sensing".

    >>> Mask(jnp.array([[1, 0]]))(jnp.ones((1, 2, 3)))[0, :, 0].tolist()
    [1.0, 0.0]
    """

    known: Float[Array, "h w c"]
    kind: str = field(metadata={"static": True})

    def __init__(self, known: ArrayLike, kind: str = "inpaint") -> None:
        if np.ndim(known) not in (2, 3) or not holds(lambda values: (values == 0) | (values == 1), known):
            raise InputError(f"A mask must be [h, w] or [h, w, 1] of zeros and ones; this one is {np.shape(known)}.")
        if not holds(lambda values: values.any(), known):
            raise InputError("The mask says that every pixel is missing: there is nothing to restore from.")
        array = jnp.asarray(known, jnp.float32)
        assign(self, known=array[..., None] if array.ndim == 2 else array, kind=kind)

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        return image * against(self.known, image)

    def pinv(self, measurement: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        """What was measured, zero elsewhere."""
        return self(measurement)

    def svd(self, image_shape: tuple[int, ...]) -> Diagonal:
        """The singular values are the mask."""
        return Diagonal(jnp.broadcast_to(self.known, image_shape))

    def selected(self, y: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        """The known pixels: what a file shows in the place of missing ones is nothing that was measured."""
        return self(y)

    def put_back(self, image: Float[Array, "*b h w c"], y: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        """The image with the known pixels as they were measured."""
        return jnp.where(against(self.known, image) > 0, y, image)

    def sigma_of(self, sigma: float | Array, y: Array) -> Array:
        """Missing pixels have no noise, and they count among the entries of `y`."""
        return sigma * jnp.sqrt(jnp.mean(self.known))


LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, the weights of Pillow's mode "L" and of JPEG


@register
@dataclass(frozen=True)
class Grayscale:
    """H(image) = its luma ``[*b, h, w, 1]``, by the weights of ITU-R BT.601.

    >>> Grayscale()(jnp.ones((2, 2, 3))).shape
    (2, 2, 1)
    """

    kind = "colorize"

    def __call__(self, image: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 1"]:
        return jnp.sum(image * against(np.array(LUMA), image), axis=-1, keepdims=True)

    def pinv(self, measurement: Float[Array, "*b h w 1"]) -> Float[Array, "*b h w 3"]:
        """The colours of least norm that have this luma: not grey, since the weights are unequal."""
        weights = np.asarray(LUMA)
        return measurement * against(weights / np.sum(weights**2), measurement)

    def svd(self, image_shape: tuple[int, ...]) -> Separable:
        """A colour seen of three, by a singular value that is the length of the weights."""
        height, width, _ = image_shape
        return Separable((factor(np.eye(height)), factor(np.eye(width)), factor(np.array([LUMA]))))

    def put_back(self, image: Float[Array, "*b h w 3"], y: Float[Array, "*b h w 1"]) -> Float[Array, "*b h w 3"]:
        """The image with the measured luma, all colours shifted alike."""
        return image + y - self(image)

    def describe(self) -> Step:
        """As a step of chains.py."""
        return {"operator": "grey"}
