"""The blurs of `kernels.py`: true kernels, and starts that are far from them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import jaxrestore as jr
from jaxrestore.simulate import motion_kernel

REDUCTION = 2  # of Levin's kernels
POINT = 0.5  # deviation of a start that is nearly a point, in pixels


class Kind(NamedTuple):
    """One class of true kernels, and what a restoration starts from: an unknown kernel, the same for all photographs."""

    true: Callable[[int, np.random.Generator], np.ndarray]  # of a photograph's number and what is drawn for it
    start: Any
    problem: str  # by which settings are found


def gaussian(longer: tuple[float, float], shorter: tuple[float, float]) -> Callable[..., np.ndarray]:
    """Of any angle, deviations log-uniform within these limits, in pixels."""

    def true(_: int, draw: np.random.Generator) -> np.ndarray:
        sigmas = [float(np.exp(draw.uniform(*np.log(limits)))) for limits in (longer, shorter)]
        return np.asarray(jr.GaussianKernel(11, (sigmas[0], sigmas[1]), float(draw.uniform(0, np.pi)))())

    return true


def motion(number: int, draw: np.random.Generator) -> np.ndarray:
    """A path of 8 pixels."""
    return np.asarray(motion_kernel(jax.random.key(int(draw.integers(2**31))), 11, 8.0))


def reduced(kernel: np.ndarray) -> np.ndarray:
    """Its centre of mass in the middle of a square, and each 2 x 2 pixels summed: ``[15, 15]``, of sum one.

    Levin's were taken on images of 255 pixels. A quarter, as 64 is of that, would leave 3 to 7 pixels and nothing of their
    shape; a half keeps it, and blurs twice as much of the picture as theirs do.
    """
    side, weights = 15 * REDUCTION, kernel / kernel.sum()
    centre = [round(float((weights * grid).sum()) - 0.5) for grid in np.indices(kernel.shape)]
    wide = np.pad(weights, side)  # a window around it never leaves this
    top, left = (at + side + 1 - side // 2 for at in centre)
    window = wide[top : top + side, left : left + side]
    pooled = window.reshape(15, REDUCTION, 15, REDUCTION).sum((1, 3))
    return (pooled / pooled.sum()).astype(np.float32)


def levin(path: Path) -> Callable[..., np.ndarray]:
    """Levin's eight kernels in turn, of `levin09.npz`."""
    stored = np.load(path)
    kernels = [reduced(stored[name]) for name in sorted(stored.files)]
    return lambda number, _: kernels[number % len(kernels)]


def kinds(path: Path | None) -> dict[str, Kind]:
    """All of them; those of Levin where their file is given."""
    narrow = jr.GaussianKernel(11, (1.1 * POINT, 0.9 * POINT), np.pi / 8, unknown=True)
    wide = jr.GaussianKernel(11, (2.2, 1.8), np.pi / 8, unknown=True)
    many = {
        "wide Gaussian, from nearly a point": Kind(gaussian((1.8, 2.6), (1.2, 1.8)), narrow, "blind-deblur"),
        "narrow Gaussian, from a wide one": Kind(gaussian((0.7, 1.0), (0.5, 0.7)), wide, "blind-deblur"),
        "motion, from nearly a point": Kind(motion, jr.SoftmaxKernel(11, POINT), "blind-motion-deblur"),
        "motion, from a Gaussian": Kind(motion, jr.SoftmaxKernel(11, 2.0), "blind-motion-deblur"),
    }
    if path is not None:
        many["Levin's, from a Gaussian"] = Kind(levin(path), jr.SoftmaxKernel(15, 2.0), "blind-motion-deblur")
    return many
