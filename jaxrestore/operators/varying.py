"""Blur that varies over the image: a few kernels, each with its region (Nagy & O'Leary 1998)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxrestore._promotion import against
from jaxrestore._pytree import assign, register
from jaxrestore.errors import InputError
from jaxrestore.operators.blur import Boundary, as_kernel, as_matrix, convolve
from jaxrestore.operators.borders import Bordered, middle
from jaxrestore.operators.checks import check_word
from jaxrestore.operators.kernels import Kernel


@register
@dataclass(frozen=True, init=False)
class VaryingBlur(Bordered):
    """H(image) = sum_i weights_i * (kernel_i convolved with the image): smooth weights blend the blurred images.

    `kernels` are n = m x m arrays ``[k, k]`` or kernel objects with unknown fields, for regions in m rows over images of
    `size` (height, width); `boundary` as in `Blur`. InputError if n is not a square, or a kernel is none. The field
    `weights` ``[n, h, w]``, `region_weights` of them, sums to one at each pixel.

    >>> sharp = jnp.zeros((3, 3)).at[1, 1].set(1.0)
    >>> VaryingBlur([sharp] * 4, (8, 8))(jnp.ones((8, 8, 3)))[0, 0].round(3).tolist()
    [1.0, 1.0, 1.0]
    """

    kernels: tuple[Float[Array, "kh kw"] | Kernel, ...]
    weights: Float[Array, "n h w"]
    boundary: Boundary = field(metadata={"static": True})
    kind = "nonuniform-deblur"

    def __init__(
        self, kernels: Sequence[ArrayLike | Kernel], size: tuple[int, int], boundary: Boundary = "reflect"
    ) -> None:
        check_word("boundary", boundary, Boundary)
        side = round(len(kernels) ** 0.5)
        if not kernels or side**2 != len(kernels):
            raise InputError(f"The kernels must form a square grid: 1, 4, 9, ..., not {len(kernels)} of them.")
        known = tuple(as_kernel(kernel) for kernel in kernels)
        assign(self, kernels=known, weights=region_weights(side, size), boundary=boundary)

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        return self.selected(self._blended(image, (image.shape[-3], image.shape[-2])))

    def _blended(self, scene: Float[Array, "*b H W c"], size: tuple[int, int]) -> Float[Array, "*b h w c"]:
        """The middles of the blurred scenes, by their weights."""
        blurred = (middle(convolve(scene, as_matrix(kernel), self.boundary, "fft"), size) for kernel in self.kernels)
        weights = (against(weight[..., None], scene) for weight in self.weights)
        first, *others = (weight * one for weight, one in zip(weights, blurred, strict=True))
        return sum(others, first)

    def cut_out(self, scene: Float[Array, "*b H W c"], size: tuple[int, int]) -> Float[Array, "*b h w c"]:
        """Of the middle of a scene that is larger by the reach (`borders.cut_out`)."""
        return self._blended(scene, size)


def region_weights(side: int, size: tuple[int, int]) -> Float[Array, "n h w"]:
    """Weights of `side` x `side` regions, n = side^2: each falls from one at its centre to zero at its neighbours'.

    >>> region_weights(2, (4, 4)).sum(axis=0)[0].tolist()
    [1.0, 1.0, 1.0, 1.0]
    """

    def along(length: int) -> Array:
        pixels, regions = (jnp.arange(number, dtype=jnp.float32) for number in (length, side))
        where = jnp.clip(side * (pixels + 0.5) / length - 0.5, 0, side - 1)
        return jnp.maximum(0, 1 - jnp.abs(where[None] - regions[:, None]))

    rows, columns = along(size[0]), along(size[1])
    return (rows[:, None, :, None] * columns[None, :, None, :]).reshape(side**2, *size)
