"""Blur kernels from files."""

import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float

from jaxrestore.errors import ImageError, InputError, InputWarning
from jaxrestore.files.arrays import ARRAYS, read_array, split_name
from jaxrestore.files.drawings import drawing_of
from jaxrestore.files.fitting import Size
from jaxrestore.files.opening import open_image


def read_kernel(path: str | Path, size: Size) -> Float[np.ndarray, "kh kw"]:
    """A blur kernel ``[kh, kw]`` for `Blur`, of odd sides and sum one.

    From a NumPy or MATLAB file (FILE.npz:NAME, FILE.mat:NAME where it holds several arrays), a table of numbers in a .csv or
    .txt, or a picture: bright on black, or painted on transparency. It is the picture of a bright point: a convolution's,
    which is turned as it is applied; one that was meant for a correlation must be turned by half first.

    InputError for one that is larger than images of `size` (height, width), for values that are not finite, or a sum that
    is not positive; InputWarning for a picture that looks inverted.
    """
    file, name = split_name(path)
    picture = not name and file.suffix.lower() not in ARRAYS
    kernel = _drawn(file) if picture else read_array(path).astype(np.float64)
    if kernel.ndim != 2 or kernel.shape[0] % 2 == 0 or kernel.shape[1] % 2 == 0 or max(kernel.shape) > min(size):
        shape = " x ".join(map(str, kernel.shape))
        raise InputError(f"The kernel {path} is {shape}: it must be a matrix with odd sides of at most {min(size)}.")
    if not np.all(np.isfinite(kernel)) or kernel.sum() <= 0:
        raise InputError(f"The kernel {path} holds values that are not finite, or its sum is not positive.")
    if picture and min(kernel.shape) > 2:
        inner = kernel[1:-1, 1:-1]
        border = (kernel.sum() - inner.sum()) / (kernel.size - inner.size)
        if border > 0.9 * kernel.max() and inner.min() < 0.5 * border:
            sentence = f"The kernel {path} is brightest along its border: is it drawn in black on white? White blurs."
            warnings.warn(sentence, InputWarning, stacklevel=2)
    return (kernel / kernel.sum()).astype(np.float32)


def _drawn(path: Path) -> Float[np.ndarray, "kh kw"]:
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    try:
        return drawing_of(open_image(path)).luma
    except ImageError as error:
        raise ImageError(f"{error} A kernel is read from {', '.join(ARRAYS)} or a grey image.") from error
