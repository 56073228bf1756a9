"""How good an image is: against a reference, by a network's features, or as a set."""

from jaxrestore.metrics.distributions import features_of, frechet_distance, kernel_distance, moments
from jaxrestore.metrics.fidelity import (
    data_residual,
    gradient_deviation,
    kernel_similarity,
    psnr,
    rank_correlation,
    registered,
    ssim,
    uncertainty,
)
from jaxrestore.metrics.inception import inception_features, load_inception
from jaxrestore.metrics.intervals import Interval, mean_interval
from jaxrestore.metrics.lite0 import Lite0, load_lite0
from jaxrestore.metrics.noise_level import estimate_sigma_y, grey_factor
from jaxrestore.metrics.perceptual import Lpips, load_lpips
from jaxrestore.metrics.unreferenced import blockiness

__all__ = [
    "Interval",
    "Lite0",
    "Lpips",
    "blockiness",
    "data_residual",
    "estimate_sigma_y",
    "features_of",
    "frechet_distance",
    "gradient_deviation",
    "grey_factor",
    "inception_features",
    "kernel_distance",
    "kernel_similarity",
    "load_inception",
    "load_lite0",
    "load_lpips",
    "mean_interval",
    "moments",
    "psnr",
    "rank_correlation",
    "registered",
    "ssim",
    "uncertainty",
]
