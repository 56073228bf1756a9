"""Blur: convolution with one kernel for all channels."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxrestore._pytree import register

Boundary = Literal["zero", "reflect", "circular"]
Algorithm = Literal["direct", "fft"]
PADDING: dict[str, Any] = {"zero": "constant", "reflect": "reflect", "circular": "wrap"}


def convolve(
    image: Float[Array, "*b h w c"],
    kernel: Float[Array, "kh kw"],
    boundary: Boundary = "reflect",
    algorithm: Algorithm = "direct",
) -> Float[Array, "*b h w c"]:
    """The convolution (kernel turned: a bright point becomes a picture of the kernel) with an odd kernel, same size out."""
    (kh, kw), c = kernel.shape, image.shape[-1]
    margins = [(0, 0)] * (image.ndim - 3) + [(kh // 2, kh // 2), (kw // 2, kw // 2), (0, 0)]
    padded = jnp.pad(image, margins, mode=PADDING[boundary])
    height, width = padded.shape[-3:-1]
    if algorithm == "fft":  # in float32: there is no FFT of less
        padded = padded.astype(jnp.promote_types(image.dtype, jnp.float32))
        spectrum = jnp.fft.rfft2(padded, axes=(-3, -2)) * jnp.fft.rfft2(kernel, (height, width))[..., None]
        circular = jnp.fft.irfft2(spectrum, (height, width), axes=(-3, -2))
        return circular[..., kh - 1 :, kw - 1 :, :].astype(image.dtype)
    planes = jnp.moveaxis(padded, -1, -3).reshape(
        -1, height, width, 1
    )  # channels are images to a kernel that they share
    blurred = jax.lax.conv_general_dilated(
        planes,
        kernel.astype(image.dtype)[::-1, ::-1, None, None],
        (1, 1),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision="highest",
    )
    return jnp.moveaxis(blurred.reshape(*image.shape[:-3], c, *image.shape[-3:-1]), -3, -1)


@register
@dataclass(frozen=True)
class Blur:
    """Convolution with `kernel`: an array ``[k, k]``, k odd, or a kernel object (`operators.kernels`) with unknown leaves.

    "direct" sums over the kernel; "fft" multiplies spectra, and is the one to take under vmap over kernels, where a direct
    convolution turns into a grouped one with a slow backward pass (dozens of times slower on CPU).
    """

    kernel: Any
    boundary: Boundary = field(default="reflect", metadata={"static": True})
    algorithm: Algorithm = field(default="direct", metadata={"static": True})

    @staticmethod
    def create(
        kernel: ArrayLike | Callable[[], Array], boundary: Boundary = "reflect", algorithm: Algorithm | None = None
    ) -> "Blur":
        """Checked; by default "fft" for kernel objects and "direct" for arrays. ValueError names the fault."""
        if boundary not in get_args(Boundary):
            raise ValueError(f"Unknown boundary {boundary!r}; known: {', '.join(get_args(Boundary))}.")
        if callable(kernel):
            return Blur(kernel, boundary, algorithm or "fft")
        array = np.asarray(kernel)
        if array.ndim != 2 or array.shape[0] % 2 == 0 or array.shape[1] % 2 == 0:
            raise ValueError(f"A kernel must be a matrix with odd sides, not an array of shape {array.shape}.")
        if not np.all(np.isfinite(array)):
            raise ValueError("The kernel holds values that are not finite.")
        return Blur(jnp.asarray(array, jnp.float32), boundary, algorithm or "direct")

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        kernel: Any = self.kernel() if callable(self.kernel) else self.kernel
        return convolve(image, kernel, self.boundary, self.algorithm)

    def pinv(self, measurement: Float[Array, "*b h w c"], cutoff: float = 1e-3) -> Float[Array, "*b h w c"]:
        """The image of least norm with this blur, for the circular boundary (ValueError for the others, which have no closed
        form): spectra divided, where the kernel's is above `cutoff` of its largest; zero elsewhere."""
        if self.boundary != "circular":
            raise ValueError(
                f"A blur has a closed pseudo-inverse for the circular boundary, not for {self.boundary!r}."
            )
        kernel: Any = self.kernel() if callable(self.kernel) else self.kernel
        (kh, kw), size = kernel.shape, measurement.shape[-3:-1]
        padded = jnp.zeros(size).at[:kh, :kw].set(kernel)  # ValueError of JAX's own for a kernel larger than the image
        response = jnp.fft.rfft2(jnp.roll(padded, (-(kh // 2), -(kw // 2)), (0, 1)))[..., None]
        power = jnp.abs(response) ** 2
        usable = power > cutoff**2 * jnp.max(power)
        inverse = jnp.where(usable, jnp.conj(response) / jnp.where(usable, power, 1), 0)
        spectrum = jnp.fft.rfft2(measurement, axes=(-3, -2)) * inverse
        return jnp.fft.irfft2(spectrum, size, axes=(-3, -2)).astype(measurement.dtype)
