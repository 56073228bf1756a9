"""Noise models: ``(image, key, amount) -> noisy image``, images in [-1, 1], deviations in the same units. Pure.

Papers state deviations relative to white, or in grey levels of 255: of 30 grey levels sigma_y is 2 * 30 / 255.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def gaussian_noise(image: Float[Array, "*s"], key: Array, sigma_y: float | Array) -> Float[Array, "*s"]:
    """image + sigma_y * N(0, 1).

    >>> gaussian_noise(jnp.zeros((2, 2, 3)), jax.random.key(0), 0.1).shape
    (2, 2, 3)
    """
    return image + sigma_y * jax.random.normal(key, image.shape, image.dtype)


def speckle_noise(image: Float[Array, "*s"], key: Array, sigma_y: float | Array) -> Float[Array, "*s"]:
    """Multiplicative: brightness * (1 + N(0, 1) * sigma_y / 2), so that sigma_y is the deviation at white; black has none.

    >>> speckle_noise(-jnp.ones((1, 1, 3)), jax.random.key(0), 0.1).ravel().tolist()
    [-1.0, -1.0, -1.0]
    """
    return image + (image + 1) * (sigma_y / 2) * jax.random.normal(key, image.shape, image.dtype)


def bird_noise(
    image: Float[Array, "*s"], key: Array, speckle: float = 0.24, gaussian: float = 0.1
) -> Float[Array, "*s"]:
    """BIRD's published mixture, 0.8 speckle + 0.2 Gaussian; its denoising task has speckle = 0.8 and gaussian = 0.3.

    (Relative to white, as the paper's code has them, 0.12, 0.05, 0.4 and 0.15.) The published denoising task then clips to
    [0, 255], which saving to an 8-bit file does as well.

    >>> bird_noise(jnp.zeros((2, 2, 3)), jax.random.key(0)).shape
    (2, 2, 3)
    """
    speckle_key, gaussian_key = jax.random.split(key)
    return 0.8 * speckle_noise(image, speckle_key, speckle) + 0.2 * gaussian_noise(image, gaussian_key, gaussian)


def poisson_noise(image: Float[Array, "*s"], key: Array, peak: float | Array) -> Float[Array, "*s"]:
    """Photon counting: Poisson counts of mean `peak` at white, divided by `peak`. No derivative in the image.

    The deviation at white is 2 / sqrt(peak); black has none.

    >>> poisson_noise(-jnp.ones((1, 1, 3)), jax.random.key(0), peak=100.0).ravel().tolist()
    [-1.0, -1.0, -1.0]
    """
    brightness = jnp.clip((image + 1) / 2, 0, None)
    counts = jax.random.poisson(key, peak * brightness.astype(jnp.float32)).astype(jnp.float32)
    return (2 * counts / peak - 1).astype(image.dtype)


def salt_and_pepper(image: Float[Array, "*b h w c"], key: Array, fraction: float | Array) -> Float[Array, "*b h w c"]:
    """A random `fraction` of the pixels replaced, half by white and half by black, all channels alike.

    >>> bool(jnp.all(jnp.abs(salt_and_pepper(jnp.zeros((2, 2, 3)), jax.random.key(0), 1.0)) == 1))
    True
    """
    uniform = jax.random.uniform(key, (*image.shape[:-1], 1))
    extreme = jnp.where(uniform < fraction / 2, 1, -1).astype(image.dtype)
    return jnp.where(uniform < fraction, extreme, image)
