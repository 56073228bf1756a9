"""What numbers say of the range they were made in: another than is meant gives white or black pictures without a word.

Judged by averages over 8 x 8 pixels, which the noise of a measurement leaves where they are.
"""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxrestore.errors import InputError, RangeWarning
from jaxrestore.operators import Operator, is_picture, selected

BLOCK = 8
FAR = 10  # times what is meant: beyond any noise, and 0..255 are beyond it


def as_measurement(y: Any) -> Array:
    """What NumPy or JAX can make an array of, as one of real numbers; InputError for anything else."""
    try:
        array = y if isinstance(y, jax.Array) else np.asarray(y)
    except (ValueError, TypeError) as error:
        raise InputError(f"The measurement is a {type(y).__name__} of which there is no array: {error}.") from error
    if not jnp.issubdtype(array.dtype, jnp.floating) and not jnp.issubdtype(array.dtype, jnp.integer):
        raise InputError(f"The measurement is a {type(y).__name__} of {array.dtype}: an array of numbers is needed.")
    return jnp.asarray(array)


def check_restorable(operator: Operator, images: Array, image_shape: tuple[int, ...]) -> None:
    """InputError for pictures ``[b, ...]`` whose numbers can't be of [-1, 1]; RangeWarning if they look like [0, 1].

    Those that an operator of the caller's own makes larger are judged by what it makes of white. Measurements that are no
    pictures may hold anything.
    """
    if not is_picture(operator):
        return
    if jnp.issubdtype(images.dtype, jnp.integer):
        raise InputError(
            f"The measurement is an array of {images.dtype}: floats in [-1, 1] are meant, y / 127.5 - 1 of bytes "
            "(jr.read_image reads a file)."
        )
    values = np.asarray(images, np.float32)
    low, high = extremes(values)
    largest = max(-low, high)
    if largest > FAR and largest > FAR * _largest(operator, image_shape):
        raise InputError(
            f"The measurement holds {_span(values)}, and [-1, 1] is meant: y / 127.5 - 1 of 0..255, 2 * y - 1 of [0, 1]."
        )
    measured = values[:, np.asarray(selected(operator, jnp.ones(values.shape[1:]))) != 0]
    if measured.size and measured.min() >= 0 and measured.max() <= 1 and measured.max() - measured.min() > 0.5:
        sentence = "All values of the measurement lie in [0, 1], and [-1, 1] is meant: give 2 * y - 1 if 0 is black."
        warnings.warn(sentence, RangeWarning, stacklevel=3)


def check_brightness(path: Any, values: np.ndarray) -> None:
    """InputError for an array file of a picture whose numbers can't be brightness in [0, 1]."""
    if np.issubdtype(values.dtype, np.integer):
        raise InputError(
            f"{path} holds {values.dtype}, and brightness from 0 to 1 is meant, as floats: divide bytes by 255 first."
        )
    if values.ndim != 3:
        return
    low, high = extremes(values)
    margin = BLOCK / min(BLOCK, *values.shape[:2])  # of fewer pixels the averages are noisier
    if low < -0.3 * margin or high > 1 + 0.5 * margin:
        hint = "this looks like [-1, 1]: give (y + 1) / 2" if values.max() < 2 else "divide 0..255 by 255 first"
        raise InputError(f"{path} holds {_span(values)}, and brightness from 0 to 1 is meant: {hint}.")


def check_sums(path: Any, values: np.ndarray, white: Array) -> None:
    """InputError for an array file of sums of brightness that are far beyond those of a `white` image."""
    most = float(jnp.max(white))
    if values.max() > 2 * most or values.min() < -most:
        raise InputError(
            f"{path} holds {_span(values)}, and sums of brightness from 0 to 1 are meant, {most:.4g} at most: divide those "
            "of 0..255 by 255 first."
        )


def extremes(values: np.ndarray) -> tuple[float, float]:
    """The least and the largest average over 8 x 8 pixels of a channel of images ``[..., h, w, c]``; of anything else,
    its least and largest value.

    >>> extremes(np.stack([np.zeros((8, 8, 3)), np.ones((8, 8, 3))]))
    (0.0, 1.0)
    """
    if values.ndim < 3:
        return float(values.min()), float(values.max())
    h, w, c = values.shape[-3:]
    down, across = min(BLOCK, h), min(BLOCK, w)
    whole = values[..., : h // down * down, : w // across * across, :]
    averages = whole.reshape(-1, h // down, down, w // across, across, c).mean((2, 4))
    return float(averages.min()), float(averages.max())


def _span(values: np.ndarray) -> str:
    return f"values from {values.min():.4g} to {values.max():.4g}"


def _largest(operator: Operator, image_shape: tuple[int, ...]) -> float:
    """What the operator makes of white and of black."""
    return max(float(jnp.max(jnp.abs(operator(jnp.full(image_shape, value))))) for value in (1.0, -1.0))
