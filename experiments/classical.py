"""One classical reference a task, by scikit-image and Pillow. Where it needs the blur, it is given the isotropic Gaussian
nearest to the true one (of its mean variance), or the true one where that is known."""

from typing import Any

import numpy as np
from flowers import Problem

from jaxrestore.metrics.fidelity import estimate_sigma_y
from jaxrestore.operators import Mask, ParallelBeam, kernels_of


def references(problem: Problem) -> dict[str, np.ndarray]:
    """Name and image [-1, 1] of the references of a task; none where the input itself is one (bicubic enlargement)."""
    from skimage import restoration, transform

    task, truth, y = problem.task, problem.truth, np.asarray(problem.y)
    unit = (y + 1) / 2
    if task == "denoise":
        sigma = float(estimate_sigma_y(problem.y)) / 2
        fast = {"patch_size": 5, "patch_distance": 7, "channel_axis": -1}
        return {
            "non-local means": 2 * restoration.denoise_nl_means(unit, h=0.8 * sigma, sigma=sigma, **fast) - 1,
            "total variation": 2 * restoration.denoise_tv_chambolle(unit, weight=0.12, channel_axis=-1) - 1,
        }
    if isinstance(truth, Mask):
        missing = np.asarray(truth.known)[..., 0] == 0
        return {"biharmonic": restoration.inpaint_biharmonic(y, missing, channel_axis=-1)}
    if isinstance(truth, ParallelBeam):
        angles = np.rad2deg(np.asarray(truth.angles))
        sinograms = np.moveaxis(y.astype(np.float64), -1, 0)
        once = [transform.iradon_sart(plane, theta=angles) for plane in sinograms]
        twice = [transform.iradon_sart(plane, angles, image) for plane, image in zip(sinograms, once, strict=True)]
        return {"SART, two rounds": np.stack(twice, axis=-1)}
    if task.endswith("deblur"):
        known = task in ("deblur", "motion-deblur")
        kernel = np.asarray(kernels_of(truth)[0]) if known else nearest_gaussian(kernels_of(truth))
        pad = kernel.shape[0]
        wide = np.pad(unit, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
        planes: list[Any] = [
            restoration.wiener(plane, kernel, balance=0.05, clip=False) for plane in np.moveaxis(wide, -1, 0)
        ]
        return {"Wiener": 2 * np.stack(planes, axis=-1)[pad:-pad, pad:-pad] - 1}
    return {}


def nearest_gaussian(kernels: list[Any]) -> np.ndarray:
    """The isotropic Gaussian of the kernels' mean variance about their centres."""
    rows, columns = np.mgrid[:11, :11]
    variances = []
    for kernel in map(np.asarray, kernels):
        centre = (kernel * rows).sum(), (kernel * columns).sum()
        variances.append((kernel * ((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2)).sum() / 2)
    bell = np.exp(-((rows - 5) ** 2 + (columns - 5) ** 2) / (2 * np.mean(variances)))
    return bell / bell.sum()
