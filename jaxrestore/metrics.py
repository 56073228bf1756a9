"""How good a restoration is. Pure functions on images in [-1, 1], ``[*b, h, w, c]`` -> ``[*b]``; higher is better."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore.operators.blur import convolve
from jaxrestore.operators.kernels import GaussianKernel


def psnr(image: Float[Array, "*b h w c"], reference: Float[Array, "*b h w c"]) -> Float[Array, "*b"]:
    """Peak signal-to-noise ratio in dB: 10 log10(4 / mean square error), 4 being the square of the range [-1, 1]."""
    return 10 * jnp.log10(4 / jnp.mean((image - reference) ** 2, axis=(-3, -2, -1)))


def ssim(image: Float[Array, "*b h w c"], reference: Float[Array, "*b h w c"]) -> Float[Array, "*b"]:
    """Structural similarity (Wang et al. 2004), at most 1: Gaussian window of 11 pixels and deviation 1.5, inner part,
    mean over channels. Images of at least 11 x 11 pixels."""
    window = GaussianKernel.create(11, (1.5, 1.5))()

    def local_mean(values):
        return convolve(values, window, "zero")[..., 5:-5, 5:-5, :]

    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    mean_a, mean_b = local_mean(image), local_mean(reference)
    var_a, var_b = local_mean(image**2) - mean_a**2, local_mean(reference**2) - mean_b**2
    covariance = local_mean(image * reference) - mean_a * mean_b
    similarity = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    similarity /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return jnp.mean(similarity, axis=(-3, -2, -1))


def estimate_noise_level(
    image: Float[Array, "*b h w c"], known: Float[Array, "h w k"] | None = None
) -> Float[Array, "*b"]:
    """The standard deviation of white noise in an image, in units of [-1, 1], from the image alone.

    Median absolute value of the diagonal Haar details over 0.6745 (Donoho & Johnstone 1994): edges are few, noise is
    everywhere. Sides are cut to even numbers; with a mask `known`, only 2 x 2 blocks that are wholly known count.
    """
    h, w = image.shape[-3] // 2 * 2, image.shape[-2] // 2 * 2
    x = image[..., :h, :w, :]
    details = (x[..., ::2, ::2, :] - x[..., 1::2, ::2, :] - x[..., ::2, 1::2, :] + x[..., 1::2, 1::2, :]) / 2
    if known is not None:
        mask = known[:h, :w]
        whole = mask[::2, ::2] * mask[1::2, ::2] * mask[::2, 1::2] * mask[1::2, 1::2]
        details = jnp.where(whole > 0, details, jnp.nan)
    return jnp.nanmedian(jnp.abs(details), axis=(-3, -2, -1)) / 0.6745
