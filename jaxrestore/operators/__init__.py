"""Degradation operators: frozen pytrees called with an image ``[h, w, c]`` or ``[b, h, w, c]`` in [-1, 1]."""

from jaxrestore.operators.basic import Compose, Grayscale, Identity, Mask
from jaxrestore.operators.blur import Blur, Boundary, convolve
from jaxrestore.operators.jpeg import Jpeg
from jaxrestore.operators.kernels import GaussianKernel, GeneratedKernel, SoftmaxKernel
from jaxrestore.operators.masks import box_mask, random_mask, text_mask
from jaxrestore.operators.motion import motion_kernel
from jaxrestore.operators.noise import bird_noise, gaussian_noise, poisson_noise, salt_and_pepper, speckle_noise
from jaxrestore.operators.rain import RainLayer
from jaxrestore.operators.reduce import REDUCTIONS, AveragePool, Bicubic, ReductionName, Stride
from jaxrestore.operators.tomography import ParallelBeam
from jaxrestore.operators.tone import Tone
from jaxrestore.operators.unknown import adjoint, begin, combine, is_blind, measure_shape, partition, penalty
from jaxrestore.operators.varying import VaryingBlur, region_weights
from jaxrestore.operators.weather import rain_streaks, raindrops

__all__ = [
    "REDUCTIONS",
    "AveragePool",
    "Bicubic",
    "Blur",
    "Boundary",
    "Compose",
    "GaussianKernel",
    "GeneratedKernel",
    "Grayscale",
    "Identity",
    "Jpeg",
    "Mask",
    "ParallelBeam",
    "RainLayer",
    "ReductionName",
    "SoftmaxKernel",
    "Stride",
    "Tone",
    "VaryingBlur",
    "adjoint",
    "begin",
    "bird_noise",
    "box_mask",
    "combine",
    "convolve",
    "gaussian_noise",
    "is_blind",
    "measure_shape",
    "motion_kernel",
    "partition",
    "penalty",
    "poisson_noise",
    "rain_streaks",
    "raindrops",
    "random_mask",
    "region_weights",
    "salt_and_pepper",
    "speckle_noise",
    "text_mask",
]
