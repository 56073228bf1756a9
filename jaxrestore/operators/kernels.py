"""Blur kernels as functions of what is unknown about them: each is called and gives an array ``[size, size]`` of sum one."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._pytree import register


def check_size(size: int) -> None:
    if size < 1 or size % 2 == 0:
        raise ValueError(f"A kernel's size must be odd and at least 1, not {size}: it needs a centre.")


@register
@dataclass(frozen=True)
class GaussianKernel:
    """An anisotropic Gaussian: two standard deviations in pixels, along axes turned by an angle in radians.

    `log_sigmas` is ``[2]``, so that a step of any optimiser leaves the deviations positive; `angle` is a scalar; `offset`
    ``[2]`` is the centre in pixels down and to the right of the middle (BIRD's published kernel lies 8 of 41 pixels off).
    """

    log_sigmas: Any
    angle: Any
    offset: Any
    size: int = field(metadata={"static": True})
    unknown: tuple[str, ...] = field(default=(), metadata={"static": True})

    @staticmethod
    def create(
        size: int,
        sigmas: tuple[float, float],
        angle: float = 0.0,
        offset: tuple[float, float] = (0.0, 0.0),
        known: bool = True,
    ) -> "GaussianKernel":
        """ValueError for an even size or a deviation that is not positive. ``known=False``: all of it is estimated."""
        check_size(size)
        if min(sigmas) <= 0:
            raise ValueError(f"The deviations of a Gaussian kernel must be positive, not {sigmas}.")
        unknown = () if known else ("log_sigmas", "angle", "offset")
        log_sigmas, centre = jnp.log(jnp.asarray(sigmas, jnp.float32)), jnp.asarray(offset, jnp.float32)
        return GaussianKernel(log_sigmas, jnp.float32(angle), centre, size, unknown)

    def __call__(self) -> Float[Array, "size size"]:
        middle = jnp.arange(self.size) - self.size // 2
        rows, columns = jnp.meshgrid(middle - self.offset[0], middle - self.offset[1], indexing="ij")
        along = columns * jnp.cos(self.angle) + rows * jnp.sin(self.angle)
        across = rows * jnp.cos(self.angle) - columns * jnp.sin(self.angle)
        sigmas = jnp.exp(self.log_sigmas)
        energy = -0.5 * ((along / sigmas[0]) ** 2 + (across / sigmas[1]) ** 2)
        return jax.nn.softmax(energy.ravel()).reshape(self.size, self.size)


@register
@dataclass(frozen=True)
class SoftmaxKernel:
    """The softmax of free logits ``[size, size]``: any kernel that is positive and of sum one (as in DMPlug)."""

    logits: Any
    unknown = ("logits",)

    @staticmethod
    def create(size: int, sigma: float | None = None) -> "SoftmaxKernel":
        """Starts as an isotropic Gaussian of deviation `sigma` (default: size / 6)."""
        check_size(size)
        sigma = sigma or size / 6
        start = GaussianKernel.create(size, (sigma, sigma))()
        return SoftmaxKernel(jnp.log(jnp.maximum(start, 1e-12)))

    def __call__(self) -> Float[Array, "size size"]:
        return jax.nn.softmax(self.logits.ravel()).reshape(self.logits.shape)


@register
@dataclass(frozen=True)
class GeneratedKernel:
    """The fully connected kernel generator of SelfDeblur (Ren et al. 2020), which SHRED and BIRD use.

    A fixed input ``[inputs]``, a hidden layer with ReLU6, a layer to size^2 logits, softmax. Weights are ``[in, out]``.
    """

    code: Any  # the fixed input: known
    hidden_weight: Any
    hidden_bias: Any
    output_weight: Any
    output_bias: Any
    unknown = ("hidden_weight", "hidden_bias", "output_weight", "output_bias")

    @staticmethod
    def create(key: Array, size: int, inputs: int = 200, hidden: int = 1000) -> "GeneratedKernel":
        """Random weights, uniform within 1 / sqrt(fan-in), and a code uniform in [0, 0.1], as in BIRD's published code."""
        check_size(size)
        keys = jax.random.split(key, 5)

        def uniform(key, shape, fan_in):
            return jax.random.uniform(key, shape, minval=-(fan_in**-0.5), maxval=fan_in**-0.5)

        return GeneratedKernel(
            0.1 * jax.random.uniform(keys[0], (inputs,)),
            uniform(keys[1], (inputs, hidden), inputs),
            uniform(keys[2], (hidden,), inputs),
            uniform(keys[3], (hidden, size**2), hidden),
            uniform(keys[4], (size**2,), hidden),
        )

    def __call__(self) -> Float[Array, "size size"]:
        hidden = jax.nn.relu6(self.code @ self.hidden_weight + self.hidden_bias)
        logits = hidden @ self.output_weight + self.output_bias
        size = round(logits.shape[-1] ** 0.5)
        return jax.nn.softmax(logits).reshape(size, size)
