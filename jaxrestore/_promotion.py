"""Arithmetic for processes that forbid what JAX does unasked: a mix of types (`jax_numpy_dtype_promotion`), or of arrays with
more and fewer axes (`jax_numpy_rank_promotion`)."""

import contextlib
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array


@contextlib.contextmanager
def standard_promotion() -> Iterator[None]:
    """JAX's own rules in here, whatever the process asks for: where code of others runs that relies on them (Optax's powers
    of a count)."""
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def against(values: ArrayLike, image: Array | np.ndarray) -> Array:
    """`values` of the type of an image, or of a batch of them, and with as many axes, the first of them one.

    >>> against(jnp.array([0.3, 0.6, 0.1]), jnp.zeros((8, 8, 3))).shape
    (1, 1, 3)
    """
    values = jnp.asarray(values, image.dtype)
    return values.reshape((1,) * (image.ndim - values.ndim) + values.shape)
