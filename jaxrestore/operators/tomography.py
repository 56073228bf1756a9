"""Sparse-view parallel-beam tomography: sums of an image along straight lines, from a few directions."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore._promotion import against
from jaxrestore._pytree import assign, is_traced, register
from jaxrestore.errors import InputError
from jaxrestore.operators.checks import Number, holds


@register
@dataclass(frozen=True, init=False)
class ParallelBeam:
    """The sinogram ``[*b, n, angles, c]`` of a square image ``[*b, n, n, c]``: sums over lines, one pixel apart.

    `angles` is a number of views, evenly over half a turn, or a list of angles in degrees; InputError for an empty list, or
    values that are not finite. Axes, directions and units are those of `skimage.transform.radon`: the image is turned by
    each angle about pixel n // 2 with bilinear interpolation, and summed down its columns; what lies outside the inscribed
    circle counts as nothing. The field `angles` is in radians.

    >>> ParallelBeam(2)(jnp.ones((5, 5, 1)))[2, :, 0].round(3).tolist()
    [5.0, 5.0]
    """

    angles: Float[Array, " angles"]
    kind = "tomography"
    is_picture = False

    def __init__(self, angles: int | Sequence[Number] | np.ndarray | Array) -> None:
        if isinstance(angles, int | np.integer):
            degrees = np.linspace(0, 180, max(0, int(angles)), endpoint=False)
        else:
            degrees = jnp.asarray(angles) if is_traced(angles) else np.asarray(angles)
        if degrees.ndim != 1 or degrees.size == 0 or not holds(np.isfinite, degrees):
            raise InputError(f"Tomography needs at least one angle, a list of finite numbers, not {angles}.")
        radians = jnp.deg2rad(degrees) if is_traced(degrees) else np.deg2rad(degrees)  # in float64 where they are known
        assign(self, angles=jnp.asarray(radians, jnp.float32))

    def __call__(self, image: Float[Array, "*b n m c"]) -> Float[Array, "*b n angles c"]:
        *batch, n, m, c = image.shape
        if n != m:
            raise InputError(f"Tomography takes square images, not {n} x {m}.")
        planes = jnp.moveaxis(image * against(_inside(n), image), -1, -3).reshape(-1, n, n)
        sums = jax.lax.map(lambda angle: _project(planes, angle), self.angles)  # [angles, planes, n]
        return jnp.moveaxis(jnp.moveaxis(sums, 0, -1).reshape(*batch, c, n, -1), -3, -1)

    def filtered_back_projection(self, sinogram: Float[Array, "*b n angles c"]) -> Float[Array, "*b n n c"]:
        """The classical reconstruction: ramp filter along the detector, then back projection (the adjoint)."""
        n = sinogram.shape[-3]
        length = 2 ** int(np.ceil(np.log2(2 * n)))
        # The ramp sampled in space (Kak & Slaney 1988, eq. 61): sampled in frequency it would shift the mean.
        places = np.minimum(np.arange(length), length - np.arange(length))
        impulse = np.where(places % 2 == 1, -1 / (np.pi * np.maximum(places, 1)) ** 2, 0.0)
        impulse[0] = 0.25
        ramp = 2 * np.fft.rfft(impulse).real
        spectrum = jnp.fft.rfft(sinogram, length, axis=-3)
        spectrum = spectrum * against(ramp[:, None, None], spectrum)
        filtered = jnp.fft.irfft(spectrum, length, axis=-3)[..., :n, :, :].astype(sinogram.dtype)
        shape = (*sinogram.shape[:-3], n, n, sinogram.shape[-1])
        (back,) = jax.linear_transpose(self, jax.ShapeDtypeStruct(shape, sinogram.dtype))(filtered)
        return back * np.pi / (2 * self.angles.shape[0])

    def shown(self, y: Float[Array, "*b n angles c"]) -> Float[Array, "*b n n c"]:
        """The filtered back projection: a sinogram itself is nothing that people read."""
        return self.filtered_back_projection(y)

    def from_brightness(self, values: Float[Array | np.ndarray, "*b n angles c"]) -> Float[Array, "*b n angles c"]:
        """The sinogram of an image in [-1, 1], from that of its brightness in [0, 1]."""
        values = jnp.asarray(values, jnp.float32)
        n, _, c = values.shape[-3:]
        light = self(jnp.ones((n, n, c), jnp.float32))
        return 2 * values - against(light, values)

    def sigma_of(self, sigma: float | Array, y: Float[Array, "*b n angles c"]) -> float | Array:
        """White noise on the image's pixels adds up along a ray: by the root of their number."""
        return sigma * y.shape[-3] ** 0.5


def _inside(n: int) -> Array:
    rows, columns = np.ogrid[:n, :n]
    return jnp.asarray((rows - n // 2) ** 2 + (columns - n // 2) ** 2 <= (n // 2) ** 2)[..., None]


def _project(planes: Float[Array, "p n n"], angle: Array) -> Float[Array, "p n"]:
    """Column sums of the images turned by one angle, by bilinear interpolation with nothing outside."""
    n = planes.shape[-1]
    middle = jnp.arange(n, dtype=jnp.float32) - n // 2
    rows, columns = jnp.meshgrid(middle, middle, indexing="ij")
    where = [
        rows * jnp.cos(angle) - columns * jnp.sin(angle) + n // 2,
        rows * jnp.sin(angle) + columns * jnp.cos(angle) + n // 2,
    ]
    turned = jax.vmap(lambda plane: jax.scipy.ndimage.map_coordinates(plane, where, order=1))(planes)
    return turned.sum(axis=-2)
