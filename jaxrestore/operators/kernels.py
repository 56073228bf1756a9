"""Blur kernels as functions of what is unknown about them: each is called and gives an array ``[size, size]`` of sum one."""

import math
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxrestore._pytree import assign, is_traced, register, replaced
from jaxrestore.errors import InputError
from jaxrestore.operators.checks import Number, Pair, check_size, holds
from jaxrestore.operators.contract import Step
from jaxrestore.operators.unknown import Unknown, unknown_fields

RIM = 0.5  # pixels, of a disc's rim within and without; no disc is smaller
START = 0.1  # the deviation from which an unknown kernel is estimated, over its size


@runtime_checkable
class Kernel(Protocol):
    """A kernel object: a pytree that is called for the kernel, an array ``[kh, kw]`` with odd sides. It declares what of it
    is unknown by an attribute ``unknown``, as operators do; ``kind`` may name the kind of deblurring in which it is, and
    ``describe()`` gives its parameters in the language of chains.py."""

    def __call__(self) -> Array: ...


def default_kernel_size(size: tuple[int, int]) -> int:
    """The papers' 41 pixels at 256, in proportion to an image of `size` (height, width), odd and at least 3.

    >>> default_kernel_size((256, 256)), default_kernel_size((64, 64))
    (41, 11)
    """
    return 2 * max(1, math.ceil((41 / 256 * min(size) - 1) / 2)) + 1


def gaussian(
    log_sigmas: Float[Array, "2"], angle: Float[Array, ""], offset: Float[Array, "2"], size: int
) -> Float[Array, "size size"]:
    """The kernel that a `GaussianKernel` of these fields is.

    >>> gaussian(jnp.zeros(2), jnp.float32(0.0), jnp.zeros(2), 3).shape
    (3, 3)
    """
    middle = jnp.arange(size, dtype=jnp.float32) - size // 2
    rows, columns = jnp.meshgrid(middle - offset[0], middle - offset[1], indexing="ij")
    along = columns * jnp.cos(angle) + rows * jnp.sin(angle)
    across = rows * jnp.cos(angle) - columns * jnp.sin(angle)
    sigmas = jnp.exp(log_sigmas)
    energy = -0.5 * ((along / sigmas[0]) ** 2 + (across / sigmas[1]) ** 2)
    return jax.nn.softmax(energy.ravel()).reshape(size, size)


@register
@dataclass(frozen=True, init=False)
class GaussianKernel:
    """An anisotropic Gaussian: two standard deviations in pixels, along axes turned by an angle in radians.

    `offset` is the centre in pixels down and to the right of the middle (BIRD's published kernel lies 8 of 41 pixels off).
    Without `sigmas` it is where an estimate starts: deviations of about a tenth of `size`, unlike, so that the angle has a
    slope, and turned by pi/8 unless `angle` is given; with them the default angle is 0. `unknown` says what is estimated:
    all of it (True), nothing, or some of "log_sigmas", "angle", "offset". InputError for an even size, for deviations that
    are not positive, or for numbers that are not finite.

    The field `log_sigmas` is ``[2]``, so that a step of any optimiser leaves the deviations positive; `angle` is ``[]``,
    `offset` ``[2]``.

    >>> print(np.asarray(GaussianKernel(3, sigmas=(1.0, 1.0))())[1].round(3))
    [0.124 0.204 0.124]
    >>> GaussianKernel(11, unknown=True).unknown
    ('log_sigmas', 'angle', 'offset')
    """

    log_sigmas: Float[Array, "2"]
    angle: Float[Array, ""]
    offset: Float[Array, "2"]
    size: int = field(metadata={"static": True})
    unknown: tuple[str, ...] = field(metadata={"static": True})
    kind = "blind-deblur"  # BIRD's name of the problem in which it is unknown

    def __init__(
        self,
        size: int,
        sigmas: Pair | None = None,
        angle: Number | None = None,
        offset: Pair = (0.0, 0.0),
        unknown: Unknown = False,
    ) -> None:
        check_size(size)
        angle = angle if angle is not None else 0.0 if sigmas is not None else np.pi / 8
        width = START * size
        sigmas = (1.1 * width, 0.9 * width) if sigmas is None else sigmas
        if not holds(lambda values: values > 0, sigmas):
            raise InputError(f"The deviations of a Gaussian kernel must be positive, not {sigmas}.")
        deviations, turn, centre = (jnp.asarray(value, jnp.float32) for value in (sigmas, angle, offset))
        if deviations.shape != (2,) or turn.shape != () or centre.shape != (2,):
            raise InputError(
                f"A Gaussian kernel has two deviations, one angle and two offsets, not {sigmas}, {angle} and {offset}."
            )
        if not holds(np.isfinite, sigmas, angle, offset):
            raise InputError(f"A Gaussian kernel takes finite numbers, not {sigmas}, {angle} and {offset}.")
        fields = unknown_fields(type(self), unknown, ("log_sigmas", "angle", "offset"))
        assign(self, log_sigmas=jnp.log(deviations), angle=turn, offset=centre, size=size, unknown=fields)

    def __call__(self) -> Float[Array, "size size"]:
        return gaussian(self.log_sigmas, self.angle, self.offset, self.size)

    def fitted(self, weights: Float[Array, "n n"]) -> "GaussianKernel":
        """With the second moments of a kernel's weights, about their centre. Pure."""
        n = len(weights)
        place = jnp.arange(n, dtype=jnp.float32) - n // 2
        middle = jnp.stack([jnp.sum(weights * place[:, None]), jnp.sum(weights * place)])
        rows, columns = place[:, None] - middle[0], place[None] - middle[1]
        across, along, both = (jnp.sum(weights * part) for part in (rows**2, columns**2, rows * columns))
        turn = 0.5 * jnp.arctan2(2 * both, along - across)
        spread = jnp.hypot(0.5 * (along - across), both)
        variances = 0.5 * (along + across) + jnp.stack([spread, -spread])
        return replaced(
            self, log_sigmas=0.5 * jnp.log(jnp.maximum(variances, 0.04)), angle=turn, offset=jnp.zeros(2) * middle
        )

    def describe(self) -> Step:
        """Its part of a blur's step in chains.py."""
        sigmas, angle = np.exp(self.log_sigmas).tolist(), math.degrees(float(self.angle))
        offset = np.asarray(self.offset).tolist()
        return {"kernel": "gaussian", "size": self.size, "sigmas": sigmas, "angle": angle, "offset": offset}


@register
@dataclass(frozen=True, init=False)
class DiscKernel:
    """A disc of one weight with a soft rim of a pixel: what a lens that is out of focus makes of a point.

    `radius` in pixels; without it a fifth of `size`, where an estimate starts. It is `unknown` (True, or ("radius",)) or
    not. A pixel at a distance r of the middle weighs as much as the part of a pixel that lies inside, min(max(radius + 1/2
    - r, 0), 1): the derivative in the radius is that of the rim, and none below half a pixel. InputError for an even size, a
    radius that is not positive, or one that is no finite number.

    >>> print(np.asarray(DiscKernel(5, 1.5)())[2].round(3))
    [0.    0.136 0.136 0.136 0.   ]
    """

    radius: Float[Array, ""]
    size: int = field(metadata={"static": True})
    unknown: tuple[str, ...] = field(metadata={"static": True})
    kind = "blind-deblur"

    def __init__(self, size: int, radius: Number | None = None, unknown: Unknown = False) -> None:
        check_size(size)
        radius = 2 * START * size if radius is None else radius
        if np.shape(radius) != () or not holds(lambda value: (value > 0) & np.isfinite(value), radius):
            raise InputError(f"The radius of a disc must be a positive number, not {radius}.")
        fields = unknown_fields(type(self), unknown, ("radius",))
        assign(self, radius=jnp.asarray(radius, jnp.float32), size=size, unknown=fields)

    def __call__(self) -> Float[Array, "size size"]:
        middle = np.arange(self.size) - self.size // 2
        distance = np.hypot(middle[:, None], middle).astype(np.float32)
        weights = jnp.clip(jnp.maximum(self.radius, RIM) + RIM - distance, 0, 1)
        return weights / jnp.sum(weights)

    def fitted(self, weights: Float[Array, "n n"]) -> "DiscKernel":
        """With the second moment of a kernel's weights, about their centre: radius^2 / 2, and what the rim adds. Pure."""
        place = jnp.arange(len(weights), dtype=jnp.float32) - len(weights) // 2
        moment = 0.0
        for axis in (0, 1):
            along = jnp.sum(weights, axis=1 - axis)
            moment += jnp.sum(along * (place - jnp.sum(along * place)) ** 2)
        return replaced(self, radius=jnp.sqrt(jnp.maximum(2 * moment - 5 / 12, RIM**2)))

    def describe(self) -> Step:
        """Its part of a blur's step in chains.py."""
        return {"kernel": "disc", "size": self.size, "radius": float(self.radius)}


@register
@dataclass(frozen=True, init=False)
class SoftmaxKernel:
    """The softmax of free logits ``[size, size]``: any kernel that is positive and of sum one (as in DMPlug).

    It starts as an isotropic Gaussian of deviation `sigma` pixels, by default a tenth of `size`. InputError for an even
    size or a deviation that is not positive.

    >>> kernel = SoftmaxKernel(5)
    >>> round(float(kernel().sum()), 3), kernel.unknown
    (1.0, ('logits',))
    """

    logits: Float[Array, "size size"]
    unknown: tuple[str, ...] = field(metadata={"static": True})

    def __init__(self, size: int, sigma: Number | None = None, unknown: Unknown = True) -> None:
        sigma = START * size if sigma is None else sigma
        start = GaussianKernel(size, (sigma, sigma))()
        fields = unknown_fields(type(self), unknown, ("logits",))
        assign(self, logits=jnp.log(jnp.maximum(start, 1e-12)), unknown=fields)

    @classmethod
    def from_weights(cls, weights: ArrayLike, unknown: Unknown = True) -> "SoftmaxKernel":
        """One that starts as the kernel ``[size, size]``, normalised; weights of zero start at a millionth, from where there
        is a slope. InputError unless the size is odd and all weights are from 0 on, one above.

        >>> print(np.asarray(SoftmaxKernel.from_weights(np.eye(3))())[1].round(3))
        [0.    0.333 0.   ]
        """
        shape = np.shape(weights)
        if len(shape) != 2 or shape[0] != shape[1]:
            raise InputError(f"The weights of a kernel must be a square matrix, not an array of shape {shape}.")
        check_size(shape[0])
        if not holds(lambda values: (values >= 0) & (0 < values.sum() < np.inf), weights):
            raise InputError("The weights of a kernel must be finite numbers from 0 on, and not all zero.")
        weights = jnp.asarray(weights) if is_traced(weights) else np.asarray(weights, np.float64)
        logits = jnp.log(jnp.maximum(jnp.asarray(weights / weights.sum(), jnp.float32), 1e-6))
        return assign(object.__new__(cls), logits=logits, unknown=unknown_fields(cls, unknown, ("logits",)))

    def __call__(self) -> Float[Array, "size size"]:
        return jax.nn.softmax(self.logits.ravel()).reshape(self.logits.shape)

    def fitted(self, weights: Float[Array, "n n"]) -> "SoftmaxKernel":
        """With a kernel's weights, of which zeros are a millionth. Pure."""
        return replaced(self, logits=jnp.log(jnp.maximum(weights / jnp.sum(weights), 1e-6)))
