"""Noise models that simulate a measurement: ``(key, image) -> noisy image``, images in [-1, 1], amounts in units of [0, 1].

Amounts are standard deviations relative to white, as papers state them: 30 grey levels are 30 / 255.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def gaussian_noise(key: Array, image: Float[Array, "*s"], level: float) -> Float[Array, "*s"]:
    """image + level * N(0, 1)."""
    return image + 2 * level * jax.random.normal(key, image.shape, image.dtype)


def speckle_noise(key: Array, image: Float[Array, "*s"], level: float) -> Float[Array, "*s"]:
    """Multiplicative: image * (1 + level * N(0, 1)) on the brightness in [0, 1]."""
    return image + (image + 1) * level * jax.random.normal(key, image.shape, image.dtype)


def bird_noise(
    key: Array, image: Float[Array, "*s"], speckle: float = 0.12, gaussian: float = 0.05
) -> Float[Array, "*s"]:
    """BIRD's published mixture, 0.8 speckle + 0.2 Gaussian; its denoising task has speckle = 0.4 and gaussian = 0.15.

    The published denoising task then clips to [0, 255], which saving to an 8-bit file does as well.
    """
    speckle_key, gaussian_key = jax.random.split(key)
    return 0.8 * speckle_noise(speckle_key, image, speckle) + 0.2 * gaussian_noise(gaussian_key, image, gaussian)


def poisson_noise(key: Array, image: Float[Array, "*s"], peak: float) -> Float[Array, "*s"]:
    """Photon counting: Poisson counts of mean `peak` at white, divided by `peak`. No derivative in the image."""
    brightness = jnp.clip((image + 1) / 2, 0, None)
    counts = jax.random.poisson(key, peak * brightness.astype(jnp.float32))
    return (2 * counts / peak - 1).astype(image.dtype)


def salt_and_pepper(key: Array, image: Float[Array, "*b h w c"], fraction: float) -> Float[Array, "*b h w c"]:
    """A random `fraction` of the pixels replaced, half by white and half by black."""
    uniform = jax.random.uniform(key, (*image.shape[:-1], 1))
    extreme = jnp.where(uniform < fraction / 2, 1, -1).astype(image.dtype)
    return jnp.where(uniform < fraction, extreme, image)
