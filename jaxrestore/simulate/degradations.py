"""Degradations of which a fully blind restoration is told nothing: ``(seed, image) -> image``, as an 8-bit file holds it.

On the host, with NumPy images ``[h, w, 3]`` in [-1, 1]: a codec is among them. Strengths are those of papers.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxrestore import operators as ops
from jaxrestore import simulate
from jaxrestore.files.images import as_stored, jpeg, resized

Degradation = Callable[[int, np.ndarray], np.ndarray]
GRID = 4  # kernels of a non-uniform blur


def _stored(function: Callable[[Any, Any], Any]) -> Degradation:
    return lambda seed, image: as_stored(np.asarray(function(jax.random.key(seed), jnp.asarray(image))))


def _blur(key: Any, image: Any) -> Any:
    """Camera shake that differs over the image: four motion kernels of a fifth of the image's side, blended."""
    side = min(image.shape[:2])
    drawn = [simulate.motion_kernel(k, 2 * round(side * 17 / 128) + 1, side * 13 / 64) for k in jax.random.split(key, GRID)]
    return ops.VaryingBlur.create(tuple(drawn), image.shape[:2])(image)


def _reduction(seed: int, image: np.ndarray) -> np.ndarray:
    """A quarter of the size by averaging, shown enlarged again (bilinear)."""
    small = np.asarray(ops.AveragePool(4)(jnp.asarray(image)))
    return resized(small, image.shape[:2])


def _mixture(seed: int, image: np.ndarray) -> np.ndarray:
    """Rain, sensor noise of 10 grey levels, and a codec."""
    wet = _stored(simulate.rain_streaks)(seed, image)
    noisy = _stored(lambda key, x: simulate.gaussian_noise(jax.random.fold_in(key, 1), x, 10 / 255))(seed, wet)
    return jpeg(noisy, 30)


DEGRADATIONS: dict[str, Degradation] = {
    "jpeg": lambda seed, image: jpeg(image, 8),
    "noise": _stored(lambda key, image: simulate.gaussian_noise(key, image, 30 / 255)),
    "rain": _stored(simulate.rain_streaks),
    "raindrop": _stored(simulate.raindrops),
    "blur": _stored(_blur),
    "reduction": _reduction,
    "mixture": _mixture,
}
