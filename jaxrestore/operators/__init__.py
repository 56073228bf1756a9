"""Degradation operators: frozen pytrees called with an image ``[h, w, c]`` or ``[b, h, w, c]`` in [-1, 1]."""

from jaxrestore.operators.basic import Compose, Grayscale, Identity, Mask
from jaxrestore.operators.blur import Blur, Boundary, convolve
from jaxrestore.operators.jpeg import Jpeg
from jaxrestore.operators.kernels import GaussianKernel, GeneratedKernel, SoftmaxKernel
from jaxrestore.operators.rain import RainLayer
from jaxrestore.operators.reduce import REDUCTIONS, AveragePool, Bicubic, ReductionName, Stride
from jaxrestore.operators.tomography import ParallelBeam
from jaxrestore.operators.tone import Tone
from jaxrestore.operators.unknown import adjoint, begin, combine, is_blind, measure_shape, partition, penalty
from jaxrestore.operators.varying import VaryingBlur, region_weights

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
    "combine",
    "convolve",
    "is_blind",
    "measure_shape",
    "partition",
    "penalty",
    "region_weights",
]
