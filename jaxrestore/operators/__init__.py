"""Degradation operators: frozen pytrees called with an image ``[h, w, c]`` or ``[b, h, w, c]`` in [-1, 1]."""

from jaxrestore.operators.basic import Grayscale, Identity, Mask
from jaxrestore.operators.blur import Algorithm, Blur, Boundary, convolve
from jaxrestore.operators.borders import cut_out, frame_of, has_boundary, middle, reach_of, with_boundary
from jaxrestore.operators.chains import parse, read_operator
from jaxrestore.operators.compose import Compose
from jaxrestore.operators.contract import (
    Operator,
    adjoint,
    begin,
    described,
    from_brightness,
    is_picture,
    kernels_of,
    kind_of,
    measure_shape,
    penalty,
    put_back,
    selected,
    shown,
    sigma_of,
)
from jaxrestore.operators.decomposition import Svd, decompose
from jaxrestore.operators.generated import GeneratedKernel
from jaxrestore.operators.jpeg import Jpeg
from jaxrestore.operators.kernels import DiscKernel, GaussianKernel, Kernel, SoftmaxKernel, default_kernel_size
from jaxrestore.operators.rain import RainLayer
from jaxrestore.operators.reduce import REDUCTIONS, AveragePool, Bicubic, ReductionName, Stride
from jaxrestore.operators.solving import dual, has_proximal, is_linear, proximal, pseudo_inverse, squared_norm
from jaxrestore.operators.tomography import ParallelBeam
from jaxrestore.operators.tone import Tone
from jaxrestore.operators.unknown import combine, is_blind, partition
from jaxrestore.operators.varying import VaryingBlur, region_weights

__all__ = [
    "REDUCTIONS",
    "Algorithm",
    "AveragePool",
    "Bicubic",
    "Blur",
    "Boundary",
    "Compose",
    "DiscKernel",
    "GaussianKernel",
    "GeneratedKernel",
    "Grayscale",
    "Identity",
    "Jpeg",
    "Kernel",
    "Mask",
    "Operator",
    "ParallelBeam",
    "RainLayer",
    "ReductionName",
    "SoftmaxKernel",
    "Stride",
    "Svd",
    "Tone",
    "VaryingBlur",
    "adjoint",
    "begin",
    "combine",
    "convolve",
    "cut_out",
    "decompose",
    "default_kernel_size",
    "described",
    "dual",
    "frame_of",
    "from_brightness",
    "has_boundary",
    "has_proximal",
    "is_blind",
    "is_linear",
    "is_picture",
    "kernels_of",
    "kind_of",
    "measure_shape",
    "middle",
    "parse",
    "partition",
    "penalty",
    "proximal",
    "pseudo_inverse",
    "put_back",
    "reach_of",
    "read_operator",
    "region_weights",
    "selected",
    "shown",
    "sigma_of",
    "squared_norm",
    "with_boundary",
]
