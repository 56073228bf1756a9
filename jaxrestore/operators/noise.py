"""Noise models that simulate a measurement: ``(key, image) -> noisy image``, images in [-1, 1], amounts in units of [0, 1].

Amounts are standard deviations relative to white, as papers state them: 30 grey levels are 30 / 255.
"""

import jax
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
