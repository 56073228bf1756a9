"""A Gaussian in the place of a blur kernel that nobody knows: its width by the measurement, and its width by the truth."""

from typing import Any

import numpy as np
from scipy.fft import dctn

from jaxrestore.operators import kernels_of

SIDE = 11
WIDTHS = np.geomspace(0.3, 3.0, 28)  # pixels


def gaussian(width: float) -> np.ndarray:
    """The isotropic Gaussian kernel ``[11, 11]`` of a deviation in pixels."""
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    bell = np.exp(-(rows**2 + columns**2) / (2 * width**2))
    return bell / bell.sum()


def true_width(truth: Any) -> float:
    """The deviation of the isotropic Gaussian of the kernels' mean variance about their centres."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    variances = []
    for kernel in map(np.asarray, kernels_of(truth)):
        centre = (kernel * rows).sum(), (kernel * columns).sum()
        variances.append((kernel * ((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2)).sum() / 2)
    return float(np.sqrt(np.mean(variances)))


def likeliest_width(y: np.ndarray, deviation: float, falloff: float) -> float:
    """Of `WIDTHS` the one under which a blurred picture ``[h, w, c]`` with white noise of a deviation is likeliest.

    The likelihood of the kernel alone, the image integrated out, which doesn't favour no blur as that of both together does
    (Levin et al. 2009). Images are Gaussian with the power spectrum c / f^falloff of photographs (Field 1987), c the
    likeliest, too; at a mirrored border a cosine transform makes their frequencies independent.
    """
    power = np.mean(np.asarray(dctn(y, axes=(0, 1), norm="ortho")) ** 2, axis=-1).ravel()[1:]
    rows, columns = (np.arange(side) / (2 * side) for side in y.shape[:2])
    square = (rows[:, None] ** 2 + columns**2).ravel()[1:]  # cycles a pixel, squared; all but the mean
    prior, kernel = square ** (-falloff / 2), np.exp(-((2 * np.pi) ** 2) * square * WIDTHS[:, None] ** 2)
    scales = np.geomspace(1e-3, 1e3, 61) * np.mean(power) / np.mean(prior)
    expected = scales[:, None, None] * prior * kernel + deviation**2  # [scales, widths, frequencies]
    cost = np.sum(np.log(expected) + power / expected, axis=-1)
    return float(WIDTHS[np.unravel_index(cost.argmin(), cost.shape)[1]])
