"""Classical filters by other libraries: scikit-image's, and BM3D by its authors' package.

`bm3d` (Tampere University) is for non-commercial use alone, and no dependency of anything here; the experiments that need it
say so. What it computes is that of Mäkinen, Azzari & Foi, IEEE Transactions on Image Processing 29 (2020), after Dabov, Foi,
Katkovnik & Egiazarian, the same 16 (2007).
"""

from types import SimpleNamespace
from typing import Any

import numpy as np

from jaxrestore.errors import InputError


def biharmonic(y: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The picture ``[h, w, c]`` with its missing pixels, where `known` ``[h, w]`` is 0, smoothly filled."""
    from skimage.restoration import inpaint_biharmonic

    return inpaint_biharmonic(y, known == 0, channel_axis=-1)


def wiener(y: np.ndarray, kernel: np.ndarray, balance: float) -> np.ndarray:
    """The picture ``[h, w, c]`` in [-1, 1] deconvolved; the larger the `balance` the smoother."""
    from skimage.restoration import wiener as filtered

    wide, pad = _mirrored(y, kernel)
    planes: list[Any] = [filtered(plane, kernel, balance=balance, clip=False) for plane in np.moveaxis(wide, -1, 0)]
    return 2 * np.stack(planes, axis=-1)[pad:-pad, pad:-pad] - 1


def bm3d_denoised(image: np.ndarray, deviation: float) -> np.ndarray:
    """The image ``[h, w, 3]`` in [-1, 1] without white noise of a deviation, of which 2 is from black to white."""
    unit = (np.asarray(image, np.float64) + 1) / 2
    if deviation <= 0 or np.ptp(unit) == 0:
        return np.asarray(image)
    if np.all(unit == unit[..., :1]):  # grey: the package divides by the range of each colour
        return np.repeat(2 * _bm3d().bm3d(unit[..., 0], deviation / 2)[..., None] - 1, 3, axis=-1)
    return 2 * _bm3d().bm3d_rgb(unit, deviation / 2) - 1


def bm3d_deblurred(y: np.ndarray, kernel: np.ndarray, deviation: float) -> np.ndarray:
    """The picture ``[h, w, c]`` in [-1, 1] deconvolved, channel by channel, as with white noise of a deviation."""
    wide, pad = _mirrored(y, kernel)
    wide = wide.astype(np.float64)
    planes = [
        _bm3d().bm3d_deblurring(wide[..., number : number + 1], deviation / 2, kernel)
        for number in range(wide.shape[-1])  # all at once the package can't
    ]
    return 2 * np.stack(planes, axis=-1)[pad:-pad, pad:-pad] - 1


def _mirrored(y: np.ndarray, kernel: np.ndarray) -> tuple[np.ndarray, int]:
    """In [0, 1], with a margin: the filters take pictures to be periodic."""
    pad = kernel.shape[0]
    return np.pad((y + 1) / 2, ((pad, pad), (pad, pad), (0, 0)), mode="reflect"), pad


def _bm3d() -> Any:
    try:
        import bm4d  # pyright: ignore[reportMissingImports]
        import bm3d  # pyright: ignore[reportMissingImports]  # isort: skip
    except ImportError:
        raise InputError("BM3D isn't installed: `pip install bm3d` (for non-commercial use alone).") from None
    if not hasattr(np, "trapz"):  # NumPy 2.4 has it under another name; bm4d 4.2.5 asks for this one
        bm4d.np = SimpleNamespace(**vars(np), trapz=np.trapezoid)
    return bm3d
