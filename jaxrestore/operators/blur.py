"""Blur: convolution with one kernel for all channels."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Complex, Float

from jaxrestore._names import Boundary
from jaxrestore._promotion import against
from jaxrestore._pytree import assign, register, replaced
from jaxrestore.errors import InputError
from jaxrestore.operators.borders import Bordered, middle
from jaxrestore.operators.checks import check_word, holds
from jaxrestore.operators.contract import Step
from jaxrestore.operators.decomposition import Spectral
from jaxrestore.operators.kernels import Kernel
from jaxrestore.operators.unknown import is_blind

Algorithm = Literal["direct", "fft"]
SUMMED = 11 * 11  # weights of a kernel
PADDING: dict[str, Literal["constant", "reflect", "wrap"]] = {
    "zero": "constant",
    "reflect": "reflect",
    "circular": "wrap",
}


def convolve(
    image: Float[Array, "*b h w c"],
    kernel: Float[Array, "kh kw"],
    boundary: Boundary = "reflect",
    algorithm: Algorithm = "direct",
) -> Float[Array, "*b h w c"]:
    """The convolution of each channel with a kernel of odd sides, of the same size as the image.

    The kernel is turned, as a convolution's is: a bright point becomes a picture of it. See `Blur` for the words. InputError
    where the boundary "valid" leaves nothing.

    >>> row = convolve(jnp.ones((4, 4, 1)), jnp.full((3, 3), 1 / 9), "zero")[0, :, 0]
    >>> print(np.asarray(row).round(3))
    [0.444 0.667 0.667 0.444]
    """
    kh, kw = kernel.shape
    margins = [(0, 0)] * (image.ndim - 3) + [(kh // 2, kh // 2), (kw // 2, kw // 2), (0, 0)]
    of_known_pixels = _spectral if algorithm == "fft" else _direct
    if boundary != "valid":
        return of_known_pixels(jnp.pad(image, margins, mode=PADDING[boundary]), kernel)
    h, w = image.shape[-3:-1]
    if h < kh or w < kw:
        raise InputError(f'The boundary "valid" leaves nothing of {h} x {w} pixels with a kernel of {kh} x {kw}.')
    return jnp.pad(of_known_pixels(image, kernel), margins)


def _spectral(padded: Float[Array, "*b H W c"], kernel: Float[Array, "kh kw"]) -> Float[Array, "*b h w c"]:
    """Where the kernel lies wholly inside, by spectra; in float32: there is no FFT of less."""
    (height, width), (kh, kw), dtype = padded.shape[-3:-1], kernel.shape, padded.dtype
    padded = padded.astype(jnp.promote_types(dtype, jnp.float32))
    spectrum = jnp.fft.rfft2(padded, axes=(-3, -2))
    spectrum = spectrum * against(jnp.fft.rfft2(kernel, (height, width))[..., None], spectrum)
    circular = jnp.fft.irfft2(spectrum, (height, width), axes=(-3, -2))
    return circular[..., kh - 1 :, kw - 1 :, :].astype(dtype)


def _direct(padded: Float[Array, "*b H W c"], kernel: Float[Array, "kh kw"]) -> Float[Array, "*b h w c"]:
    """The same by sums over the kernel."""
    *batch, height, width, c = padded.shape
    planes = jnp.moveaxis(padded, -1, -3).reshape(
        -1, height, width, 1
    )  # channels are images to a kernel that they share
    blurred = jax.lax.conv_general_dilated(
        planes,
        kernel.astype(padded.dtype)[::-1, ::-1, None, None],
        (1, 1),
        "VALID",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        precision="highest",
    )
    return jnp.moveaxis(blurred.reshape(*batch, c, *blurred.shape[1:3]), -3, -1)


def as_kernel(kernel: ArrayLike | Kernel) -> Float[Array, "kh kw"] | Kernel:
    """A kernel object as it is, a matrix as float32; InputError unless its sides are odd and its values finite.

    >>> as_kernel(np.eye(3)).dtype
    dtype('float32')
    """
    if callable(kernel):
        return kernel
    shape = np.shape(kernel)
    if len(shape) != 2 or shape[0] % 2 == 0 or shape[1] % 2 == 0:
        raise InputError(f"A kernel must be a matrix with odd sides, not an array of shape {shape}.")
    if not holds(np.isfinite, kernel):
        raise InputError("The kernel holds values that are not finite.")
    return jnp.asarray(kernel, jnp.float32)


def as_matrix(kernel: Float[Array, "kh kw"] | Kernel) -> Float[Array, "kh kw"]:
    """The array of a kernel, or the one that a kernel object makes.

    >>> from jaxrestore.operators import SoftmaxKernel
    >>> as_matrix(SoftmaxKernel(3)).shape
    (3, 3)
    """
    return kernel() if callable(kernel) else kernel


def spectrum_of(kernel: Float[Array, "kh kw"], size: tuple[int, ...]) -> Complex[Array, "h w"]:
    """What a circular convolution of images of a size multiplies their spectrum by; a larger kernel is wound around.

    >>> spectrum_of(jnp.ones((1, 1)), (2, 3)).real.tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    rows, columns = ((np.arange(k) - k // 2) % side for k, side in zip(kernel.shape, size, strict=True))
    wound = jnp.zeros(size, kernel.dtype).at[rows[:, None], columns].add(kernel)
    return jnp.fft.fft2(wound)


@register
@dataclass(frozen=True, init=False)
class Blur(Bordered):
    """Convolution with one kernel for all channels; images ``[*b, h, w, c]``, the measurement of the same size.

    `kernel` is an array ``[kh, kw]`` with odd sides, or a kernel object (`operators.kernels`), some of whose fields may be
    unknown. `boundary` is what lies beyond the border: 0, which is middle grey ("zero"), the image mirrored about its
    outermost pixels ("reflect"), its other side ("circular"), or what nobody knows ("valid"): then the measurement is zero in
    a frame as wide as the kernel reaches, whose pixels depend on it, and `selected` takes the others of a photograph.
    `algorithm` "direct" sums over the kernel, and is the default for arrays of up to `SUMMED` weights; "fft" multiplies
    spectra, the default for larger ones (25 x 25 weights take it a hundredth of the time on a CPU) and for kernel objects,
    and the one to take under vmap over kernels, where a direct convolution turns into a grouped one with a slow backward pass
    (dozens of times slower on CPU).
    InputError names what is wrong with a kernel or a word.

    >>> box = Blur(jnp.full((3, 3), 1 / 9), boundary="circular")
    >>> box(jnp.zeros((3, 3, 1)).at[0, 0].set(9.0))[..., 0].round(3).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    kernel: Float[Array, "kh kw"] | Kernel
    boundary: Boundary = field(metadata={"static": True})
    algorithm: Algorithm = field(metadata={"static": True})

    def __init__(
        self, kernel: ArrayLike | Kernel, boundary: Boundary = "reflect", algorithm: Algorithm | None = None
    ) -> None:
        check_word("boundary", boundary, Boundary)
        algorithm = algorithm or ("fft" if callable(kernel) or np.size(kernel) > SUMMED else "direct")
        check_word("algorithm", algorithm, Algorithm)
        assign(self, kernel=as_kernel(kernel), boundary=boundary, algorithm=algorithm)

    @property
    def kind(self) -> str:
        """ "deblur" with a known kernel, else what the kernel's class says, or "blind-motion-deblur"."""
        return getattr(self.kernel, "kind", "blind-motion-deblur") if is_blind(self.kernel) else "deblur"

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        return convolve(image, as_matrix(self.kernel), self.boundary, self.algorithm)

    def with_weights(self, weights: Float[Array, "n n"]) -> "Blur":
        """With an unknown kernel, one of the objects, that is fitted to an array's weights. Pure."""
        own: Callable[[Array], Kernel] = self.kernel.fitted  # type: ignore[union-attr]
        return replaced(self, kernel=own(weights))

    def pinv(self, measurement: Float[Array, "*b h w c"], cutoff: float = 1e-3) -> Float[Array, "*b h w c"]:
        """The image of least norm with this blur, for the circular boundary (InputError for the others, which have no closed
        form): spectra divided, where the kernel's is above `cutoff` of its largest; zero elsewhere."""
        if self.boundary != "circular":
            raise InputError(
                f"A blur has a closed pseudo-inverse for the circular boundary, not for {self.boundary!r}."
            )
        size = measurement.shape[-3:-1]
        response = spectrum_of(as_matrix(self.kernel), size)[:, : size[1] // 2 + 1, None]
        power = jnp.abs(response) ** 2
        usable = power > cutoff**2 * jnp.max(power)
        inverse = jnp.where(usable, jnp.conj(response) / jnp.where(usable, power, 1).astype(response.dtype), 0)
        spectrum = jnp.fft.rfft2(measurement, axes=(-3, -2))
        spectrum = spectrum * against(inverse, spectrum)
        return jnp.fft.irfft2(spectrum, size, axes=(-3, -2)).astype(measurement.dtype)

    def svd(self, image_shape: tuple[int, ...]) -> Spectral:
        """The spectrum's, for the circular boundary (InputError for the others)."""
        if self.boundary != "circular":
            raise InputError(
                f"A blur has its singular values in closed form for the circular boundary, not for {self.boundary!r}."
            )
        spectrum = spectrum_of(as_matrix(self.kernel), image_shape[:2])[..., None]
        gain = jnp.abs(spectrum)
        return Spectral(gain, jnp.where(gain > 0, spectrum / jnp.where(gain > 0, gain, 1).astype(spectrum.dtype), 1))

    def cut_out(self, scene: Float[Array, "*b H W c"], size: tuple[int, int]) -> Float[Array, "*b h w c"]:
        """Of the middle of a scene that is larger by the reach (`borders.cut_out`)."""
        return middle(self(scene), size)

    def describe(self) -> Step:
        """As a step of chains.py: by the kernel's own description, or by its values."""
        own: Callable[[], Step] | None = getattr(self.kernel, "describe", None)
        kernel = {"kernel": np.asarray(as_matrix(self.kernel)).tolist()} if own is None else own()
        return {"operator": "blur", "boundary": self.boundary, **kernel}
