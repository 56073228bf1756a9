"""Measurements from files: the degraded photograph, or an array, each error a sentence with the file."""

from pathlib import Path

import jax.numpy as jnp
import numpy as np

from jaxrestore.errors import InputError
from jaxrestore.files.arrays import read_array
from jaxrestore.files.fitting import Fit
from jaxrestore.files.images import read_known
from jaxrestore.files.ranges import check_brightness, check_sums
from jaxrestore.operators import Grayscale, Operator, from_brightness, is_picture, measure_shape, selected


def read_measurement(
    path: str | Path,
    operator: Operator,
    shape: tuple[int, int, int],
    fit: Fit = "exact",
    mask: str | Path | None = None,
) -> np.ndarray:
    """The degraded image as the operator's measurement of an image of `shape` (height, width, channels), in [-1, 1].

    A .npy file holds the operator's own measurement of brightness in [0, 1] (a sinogram: as `skimage.transform.radon` makes
    it), an image file what a camera made: it is taken to grey, or to what a mask leaves, as the operator asks. Where an
    image is resized, pixels that the file `mask` says are missing take no part. InputError where the file isn't of the
    measurement's shape or range, or where only a .npy file can hold the measurement.
    """
    path, wanted = Path(path), measure_shape(operator, shape)
    if path.suffix == ".npy":
        array = read_array(path)
        if array.ndim == 2:
            array = np.repeat(array[..., None], wanted[-1], axis=-1)
        if array.shape != wanted or not np.all(np.isfinite(array)):
            raise InputError(f"{path} is {array.shape}: the task takes finite numbers of shape {wanted}.")
        if is_picture(operator):
            check_brightness(path, array)
        else:
            check_sums(path, array, operator(jnp.ones(shape)))
        y = np.asarray(from_brightness(operator, array.astype(np.float32)), np.float32)
    elif not is_picture(operator):
        raise InputError(f"{path} must be a .npy file {wanted[:2]}: a sinogram, as skimage.transform.radon makes it.")
    else:
        y = read_known(path, (wanted[0], wanted[1]), fit, mask)
        if wanted[-1] == 1:
            y = Grayscale()(jnp.asarray(y))
    return np.asarray(selected(operator, jnp.asarray(y)))
