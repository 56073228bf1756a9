"""What the command line reads beside photographs: masks, kernels and measurements, each error a sentence with the file."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxrestore.errors import InputError
from jaxrestore.files.images import Fit, open_image, read_image
from jaxrestore.operators import Grayscale, Operator, from_brightness, is_picture, measure_shape, selected


def read_mask(path: str | Path, size: tuple[int, int], fit: Fit = "exact") -> np.ndarray:
    """``[h, w]``, one where a pixel is known, for `Mask`, from an image file whose white pixels are missing.

    It is fitted to `size` (height, width) as the image is (`read_image`). InputError where nothing is known.
    """
    known = (read_image(path, size, fit)[..., 0] < 0).astype(np.float32)
    if not known.any():
        raise InputError(f"The mask {path} is all white: every pixel is missing, and there is nothing to restore from.")
    return known


def read_kernel(path: str | Path, size: tuple[int, int]) -> np.ndarray:
    """A blur kernel ``[kh, kw]`` for `Blur`, of odd sides and sum one: a NumPy file, FILE.npz:NAME, or a grey image.

    InputError for one that is larger than images of `size` (height, width), for values that are not finite, or a sum that
    is not positive.
    """
    path = Path(path)
    file, _, name = str(path).partition(".npz:")
    if name or path.suffix in (".npy", ".npz"):
        kernel = _read_array(Path(f"{file}.npz") if name else path, name)
    else:
        if not path.is_file():
            raise InputError(f"There is no file {path}.")
        image = open_image(path)  # 16 bits of grey have modes of their own, which "L" would cut off
        kernel = np.asarray(
            image if image.mode.startswith("I") or image.mode == "F" else image.convert("L"), np.float64
        )
    if kernel.ndim != 2 or kernel.shape[0] % 2 == 0 or kernel.shape[1] % 2 == 0 or max(kernel.shape) > min(size):
        shape = " x ".join(map(str, kernel.shape))
        raise InputError(f"The kernel {path} is {shape}: it must be a matrix with odd sides of at most {min(size)}.")
    if not np.all(np.isfinite(kernel)) or kernel.sum() <= 0:
        raise InputError(f"The kernel {path} holds values that are not finite, or its sum is not positive.")
    return (kernel / kernel.sum()).astype(np.float32)


def read_measurement(
    path: str | Path, operator: Operator, shape: tuple[int, int, int], fit: Fit = "exact"
) -> np.ndarray:
    """The degraded image as the operator's measurement of an image of `shape` (height, width, channels), in [-1, 1].

    A .npy file holds the operator's own measurement of brightness in [0, 1] (a sinogram: as `skimage.transform.radon` makes
    it), an image file what a camera made: it is taken to grey, or to what a mask leaves, as the operator asks. InputError
    where the file isn't of the measurement's shape, or where only a .npy file can hold the measurement.
    """
    path, wanted = Path(path), measure_shape(operator, shape)
    if path.suffix == ".npy":
        array = _read_array(path)
        if array.ndim == 2:
            array = np.repeat(array[..., None], wanted[-1], axis=-1)
        if array.shape != wanted or not np.all(np.isfinite(array)):
            raise InputError(f"{path} is {array.shape}: the task takes finite numbers of shape {wanted}.")
        y = np.asarray(from_brightness(operator, array), np.float32)
    elif not is_picture(operator):
        raise InputError(f"{path} must be a .npy file {wanted[:2]}: a sinogram, as skimage.transform.radon makes it.")
    else:
        y = read_image(path, (wanted[0], wanted[1]), fit)
        if wanted[-1] == 1:
            y = Grayscale()(jnp.asarray(y))
    return np.asarray(selected(operator, jnp.asarray(y)))


def _read_array(path: Path, name: str = "") -> np.ndarray:
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    try:
        loaded: Any = np.load(path, allow_pickle=False)
        names = None if isinstance(loaded, np.ndarray) else loaded.files
        array = loaded if names is None else loaded[name] if name in names else None
    except Exception as error:  # a damaged file may raise anything
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise InputError(f"{path} can't be read: {reason}.") from error
    if array is None:
        raise InputError(f"{path} holds several arrays: say which, {path}:NAME with NAME of {', '.join(names or [])}.")
    if not np.issubdtype(array.dtype, np.number) or np.iscomplexobj(array):
        raise InputError(f"{path} holds {array.dtype}, not real numbers.")
    return array.astype(np.float64)
