"""Degradations of which a fully blind restoration is told nothing: ``(image, seed) -> image``, as an 8-bit file holds it.

On the host, with NumPy images ``[h, w, 3]`` in [-1, 1]: a codec is among them. Strengths are those of papers.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore.files.images import as_stored, jpeg, resized
from jaxrestore.operators.reduce import AveragePool
from jaxrestore.operators.varying import VaryingBlur
from jaxrestore.simulate.motion import motion_kernel
from jaxrestore.simulate.noise import gaussian_noise
from jaxrestore.simulate.weather import rain_streaks, raindrops

Degradation = Callable[[np.ndarray, int], np.ndarray]
GRID = 4  # kernels of a non-uniform blur


def _stored(function: Callable[[Array, Array], Array]) -> Degradation:
    return lambda image, seed: as_stored(np.asarray(function(jnp.asarray(image), jax.random.key(seed))))


def _blur(image: Float[Array, "h w c"], key: Array) -> Float[Array, "h w c"]:
    """Camera shake that differs over the image: four motion kernels of a fifth of the image's side, blended."""
    height, width, _ = image.shape
    side = min(height, width)
    keys = jax.random.split(key, GRID)
    kernels = [motion_kernel(each, 2 * round(side * 17 / 128) + 1, side * 13 / 64) for each in keys]
    return VaryingBlur(kernels, (height, width))(image)


def _reduction(image: np.ndarray, seed: int) -> np.ndarray:
    """A quarter of the size by averaging, shown enlarged again (bilinear)."""
    small = np.asarray(AveragePool(4)(jnp.asarray(image)))
    return resized(small, image.shape[:2])


def _mixture(image: np.ndarray, seed: int) -> np.ndarray:
    """Rain, sensor noise of 10 grey levels, and a codec."""
    wet = _stored(rain_streaks)(image, seed)
    noisy = _stored(lambda x, key: gaussian_noise(x, jax.random.fold_in(key, 1), 20 / 255))(wet, seed)
    return jpeg(noisy, 30)


DEGRADATIONS: dict[str, Degradation] = {
    "jpeg": lambda image, seed: jpeg(image, 8),
    "noise": _stored(lambda image, key: gaussian_noise(image, key, 60 / 255)),  # 30 grey levels
    "rain": _stored(rain_streaks),
    "raindrop": _stored(raindrops),
    "blur": _stored(_blur),
    "reduction": _reduction,
    "mixture": _mixture,
}
