"""How good a restoration is. Pure functions on images in [-1, 1]."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore.errors import InputError
from jaxrestore.operators import GaussianKernel, Operator
from jaxrestore.operators.blur import convolve


def psnr(image: Float[Array, "*b h w c"], reference: Float[Array, "*b h w c"]) -> Float[Array, "*b"]:
    """Peak signal-to-noise ratio in dB: 10 log10(4 / mean square error), 4 being the square of the range [-1, 1].

    >>> psnr(jnp.zeros((8, 8, 3)), jnp.full((8, 8, 3), 0.2)).round(2)
    Array(20., dtype=float32)
    """
    return 10 * jnp.log10(4 / jnp.mean((image - reference) ** 2, axis=(-3, -2, -1)))


def ssim(image: Float[Array, "*b h w c"], reference: Float[Array, "*b h w c"]) -> Float[Array, "*b"]:
    """Structural similarity (Wang et al. 2004), at most 1: Gaussian window of 11 pixels and deviation 1.5, inner part,
    mean over channels. Images of at least 11 x 11 pixels.

    >>> image = jnp.linspace(-1, 1, 432).reshape(12, 12, 3)
    >>> ssim(image, image).round(4)
    Array(1., dtype=float32)
    """
    window = GaussianKernel(11, (1.5, 1.5))()

    def local_mean(values):
        return convolve(values, window, "zero")[..., 5:-5, 5:-5, :]

    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    mean_a, mean_b = local_mean(image), local_mean(reference)
    var_a, var_b = local_mean(image**2) - mean_a**2, local_mean(reference**2) - mean_b**2
    covariance = local_mean(image * reference) - mean_a * mean_b
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return jnp.mean(similarity, axis=(-3, -2, -1))


def gradient_deviation(image: Float[Array, "*b h w c"], reference: Float[Array, "*b h w c"]) -> Float[Array, "*b"]:
    """How unevenly edges are kept: the deviation of the gradients' similarity over the image, 0 where all are alike (GMSD;
    Xue et al. 2014, the lower the better, at most about 0.35). Unlike `psnr` it never rewards blur.

    Prewitt gradients of the mean over channels in [0, 1], at full size (the published 2 x 2 averaging is for photographs of
    half a megapixel), inner part; the constant is the paper's 170 of 255 squared. Images of at least 3 x 3 pixels.

    >>> image = jnp.linspace(-1, 1, 192).reshape(8, 8, 3)
    >>> gradient_deviation(image, image).round(4)
    Array(0., dtype=float32)
    """
    down = jnp.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -1.0, -1.0]]) / 3

    def magnitude(values):
        grey = jnp.mean(values, axis=-1, keepdims=True) / 2
        parts = (convolve(grey, kernel, "zero")[..., 1:-1, 1:-1, 0] for kernel in (down, down.T))
        return jnp.sqrt(sum(part**2 for part in parts) + 1e-12)  # differentiable at 0

    a, b, constant = magnitude(image), magnitude(reference), 170 / 255**2
    similarity = (2 * a * b + constant) / (a**2 + b**2 + constant)
    return jnp.std(similarity, axis=(-2, -1))


def data_residual(operator: Operator, image: Float[Array, "h w c"], y: Array) -> Array:
    """The mean square of H(image) - y over all entries of y, in the square of the units of [-1, 1]: the searches' data term.

    Needs no reference, and says nothing of what H hides. With noise in y the truth has the noise's variance, and less is no
    better. Of a batch: `jax.vmap`.

    >>> from jaxrestore.operators import Identity
    >>> data_residual(Identity(), jnp.zeros((8, 8, 3)), jnp.full((8, 8, 3), 0.5))
    Array(0.25, dtype=float32)
    """
    return jnp.mean((operator(image) - y) ** 2)


def registered(
    image: Float[Array, "h w c"], reference: Float[Array, "h w c"], radius: int = 3
) -> tuple[Float[Array, "hs ws c"], Float[Array, "hs ws c"]]:
    """Both images without a margin of `radius` pixels, `image` moved by the whole number of pixels, at most `radius`, that
    brings it nearest to the reference (least squares).

    In blind deblurring a shift of the image and the opposite shift of the kernel explain the measurement equally well: it
    is to be removed before `psnr` or `ssim` judge.

    >>> image = jnp.linspace(-1, 1, 432).reshape(12, 12, 3)
    >>> moved, reference = registered(jnp.roll(image, (1, -2), (0, 1)), image)
    >>> float(abs(moved - reference).max())
    0.0
    """
    h, w, c = image.shape
    inner = (h - 2 * radius, w - 2 * radius, c)
    if min(inner) < 1:
        raise InputError(f"An image of {h} x {w} has nothing left inside a margin of {radius}.")
    target = reference[radius : h - radius, radius : w - radius]
    shifts = jnp.stack(jnp.meshgrid(*[jnp.arange(2 * radius + 1)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)

    def moved(shift):
        return jax.lax.dynamic_slice(image, (shift[0], shift[1], 0), inner)

    errors = jax.lax.map(lambda shift: jnp.mean((moved(shift) - target) ** 2), shifts)
    return moved(shifts[jnp.argmin(errors)]), target


def kernel_similarity(a: Float[Array, "ka la"], b: Float[Array, "kb lb"]) -> Array:
    """The largest normalised cross-correlation of two kernels over all shifts (Hu & Yang 2012), at most 1.

    >>> point = jnp.zeros((5, 5)).at[2, 2].set(1)
    >>> kernel_similarity(point, jnp.roll(point, 1, 0)).round(4)
    Array(1., dtype=float32)
    """
    size = (a.shape[0] + b.shape[0], a.shape[1] + b.shape[1])  # no shift wraps around
    product = jnp.fft.rfft2(a, size) * jnp.conj(jnp.fft.rfft2(b, size))
    return jnp.max(jnp.fft.irfft2(product, size)) / jnp.sqrt(jnp.sum(a**2) * jnp.sum(b**2))


def uncertainty(samples: Float[Array, "n h w c"]) -> Float[Array, "h w"]:
    """The standard deviation over answers to one problem (restarts), root mean square over channels: where they disagree,
    the measurement and the prior leave it open. In units of [-1, 1].

    >>> uncertainty(jnp.stack([jnp.zeros((2, 2, 3)), jnp.ones((2, 2, 3))]))[0, 0]
    Array(0.5, dtype=float32)
    """
    return jnp.sqrt(jnp.mean(jnp.var(samples, axis=0), axis=-1))


def rank_correlation(a: Float[Array, "*s"], b: Float[Array, "*s"]) -> Array:
    """Spearman's coefficient of two arrays of one shape, -1 to 1; ties are ranked in order.

    >>> rank_correlation(jnp.array([1.0, 2.0, 3.0]), jnp.array([2.0, 4.0, 100.0])).round(4)
    Array(1., dtype=float32)
    """
    ranks = [jnp.argsort(jnp.argsort(jnp.ravel(values))).astype(jnp.float32) for values in (a, b)]
    return jnp.corrcoef(ranks[0], ranks[1])[0, 1]
