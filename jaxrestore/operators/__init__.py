"""Degradation operators: frozen pytrees called with an image ``[h, w, c]`` or ``[b, h, w, c]`` in [-1, 1]."""

from jaxrestore.operators.basic import AveragePool, Compose, Identity, Mask
from jaxrestore.operators.blur import Blur, Boundary, convolve
from jaxrestore.operators.kernels import GaussianKernel, GeneratedKernel, SoftmaxKernel
from jaxrestore.operators.noise import bird_noise, gaussian_noise, speckle_noise
from jaxrestore.operators.unknown import adjoint, combine, is_blind, measure_shape, partition

__all__ = [
    "AveragePool",
    "Blur",
    "Boundary",
    "Compose",
    "GaussianKernel",
    "GeneratedKernel",
    "Identity",
    "Mask",
    "SoftmaxKernel",
    "adjoint",
    "bird_noise",
    "combine",
    "convolve",
    "gaussian_noise",
    "is_blind",
    "measure_shape",
    "partition",
    "speckle_noise",
]
