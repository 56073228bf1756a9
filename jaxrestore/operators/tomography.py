"""Sparse-view parallel-beam tomography: sums of an image along straight lines, from a few directions."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxrestore._pytree import register


@register
@dataclass(frozen=True)
class ParallelBeam:
    """The sinogram ``[n, angles, c]`` of a square image ``[n, n, c]``: sums over lines, one pixel apart.

    Axes, directions and units are those of `skimage.transform.radon`: the image is turned by each angle about pixel n // 2
    with bilinear interpolation, and summed down its columns; what lies outside the inscribed circle counts as nothing.
    """

    angles: Any  # [angles] in radians

    @staticmethod
    def create(angles: int | ArrayLike) -> "ParallelBeam":
        """From a number of views, evenly over half a turn, or from the angles in degrees."""
        degrees = (
            np.linspace(0, 180, angles, endpoint=False) if isinstance(angles, int | np.integer) else np.asarray(angles)
        )
        if degrees.ndim != 1 or degrees.size == 0 or not np.all(np.isfinite(degrees)):
            raise ValueError(f"Tomography needs at least one angle, a list of finite numbers, not {angles}.")
        return ParallelBeam(jnp.asarray(np.deg2rad(degrees), jnp.float32))

    def __call__(self, image: Float[Array, "*b n m c"]) -> Float[Array, "*b n angles c"]:
        *batch, n, m, c = image.shape
        if n != m:
            raise ValueError(f"Tomography takes square images, not {n} x {m}.")
        planes = jnp.moveaxis(image * _inside(n, image.dtype), -1, -3).reshape(-1, n, n)
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
        spectrum = jnp.fft.rfft(sinogram, length, axis=-3) * ramp[:, None, None]
        filtered = jnp.fft.irfft(spectrum, length, axis=-3)[..., :n, :, :].astype(sinogram.dtype)
        shape = (*sinogram.shape[:-3], n, n, sinogram.shape[-1])
        (back,) = jax.linear_transpose(self, jax.ShapeDtypeStruct(shape, sinogram.dtype))(filtered)
        return back * np.pi / (2 * self.angles.shape[0])


def _inside(n: int, dtype) -> Array:
    rows, columns = np.ogrid[:n, :n]
    return jnp.asarray((rows - n // 2) ** 2 + (columns - n // 2) ** 2 <= (n // 2) ** 2, dtype)[..., None]


def _project(planes: Float[Array, "p n n"], angle: Array) -> Float[Array, "p n"]:
    """Column sums of the images turned by one angle, by bilinear interpolation with nothing outside."""
    n = planes.shape[-1]
    rows, columns = jnp.meshgrid(jnp.arange(n) - n // 2, jnp.arange(n) - n // 2, indexing="ij")
    where = [
        rows * jnp.cos(angle) - columns * jnp.sin(angle) + n // 2,
        rows * jnp.sin(angle) + columns * jnp.cos(angle) + n // 2,
    ]
    turned = jax.vmap(lambda plane: jax.scipy.ndimage.map_coordinates(plane, where, order=1))(planes)
    return turned.sum(axis=-2)
