"""A blur's kernel from the photograph alone: sharp edges predicted by the prior, least squares on the kernel, coarse to fine.

To an image of strong edges and nothing else, the kernel that explains the measurement is the one that blurred it (Cho & Lee
2009). Here the prior predicts them: a denoiser that is told more noise than there is takes texture away and leaves edges
sharp. The search begins where the kernel is `COARSEST` pixels wide, and goes on at sizes that grow by the square root of two.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore._ranges import Range
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import levels_grid
from jaxrestore.methods.walking import denoised
from jaxrestore.operators.blur import spectrum_of

COARSEST, GROWTH = 5, 2**0.5
UNEXPLAINED = 14 / 255  # deviation of what a wrong kernel leaves of y, in units of [-1, 1]


@dataclass(frozen=True)
class EdgeSettings:
    """How edges are predicted, and what of the kernel is believed."""

    deviations: tuple[float, ...] = (80 / 255, 80 / 255, 60 / 255, 60 / 255, 40 / 255, 40 / 255)  # told, at each size
    believed: float = 0.23  # of the prior in the steps on the data, as `dpir` has its strength
    salient: Annotated[float, Range(0, 1)] = 0.85  # share of the gradients that are too weak to be asked
    ridge: Annotated[float, Range(0)] = 0.1  # of the least squares, over the mean power of the gradients
    least: Annotated[float, Range(0, 1)] = 0.1  # of a kernel's greatest weight: what is less is none


def search_kernel(
    prior: Prior, y: Float[Array, "h w c"], side: int, settings: EdgeSettings = EdgeSettings()
) -> Float[Array, "side side"]:
    """The kernel ``[side, side]``, of weights from 0 on and sum one, that blurred a photograph. Its centre of mass lies in
    the middle, as nothing tells where it was. Pure; the prior takes images of any size (`takes_any_size`).

    Cost: an evaluation for each of the settings' deviations at each size, together of about twice the photograph's pixels.
    """
    sides = [side]
    while sides[-1] / GROWTH >= COARSEST:
        sides.append(round(sides[-1] / GROWTH))
    kernel = jnp.zeros((3, 3)).at[1].set(1 / 3)
    for wanted in reversed(sides):
        odd = wanted + 1 - wanted % 2
        scale = wanted / side
        height, width = (max(2 * odd, round(length * scale)) for length in y.shape[:2])
        picture = y if wanted == side else jax.image.resize(y, (height, width, y.shape[2]), "linear", antialias=True)
        kernel = _grown(kernel, odd)
        kernel = _alternated(prior, picture, kernel, settings)
    return kernel


def _alternated(prior: Prior, y: Array, kernel: Array, settings: EdgeSettings) -> Array:
    """At one size: by turns the image that has the prior's edges, and the kernel that blurs these to y's."""
    n = len(kernel)
    whole = wrapped(y, n)
    inner = (slice(n // 2, y.shape[0] - n // 2 - 1), slice(n // 2, y.shape[1] - n // 2 - 1))
    known = np.zeros(whole.shape[:2], np.float32)
    known[inner] = 1
    measured = _gradients(whole.mean(-1)) * known
    times = levels_grid(prior.schedule, jnp.asarray(settings.deviations))

    def turn(state: Any, time: Any) -> Any:
        (x, kernel), (t, alpha_bar) = state, time
        variance = (1 - alpha_bar) / alpha_bar
        z = deconvolved(whole, kernel, x, jnp.maximum(settings.believed * UNEXPLAINED**2 / variance, 1e-4))
        x = denoised(prior, jnp.clip(z, -1.5, 1.5), t, alpha_bar)
        edges = _gradients(x.mean(-1)) * known
        strength = jnp.sqrt(jnp.sum(edges**2, axis=0))
        edges = jnp.where(strength > jnp.quantile(strength[inner], settings.salient), edges, 0)
        return (x, _fitted(edges, measured, n, settings)), None

    (_, kernel), _ = jax.lax.scan(turn, (whole, kernel), (times.t, times.alpha_bar))
    return kernel


def _fitted(edges: Array, measured: Array, n: int, settings: EdgeSettings) -> Array:
    """The kernel of least squares between two sets of gradients ``[2, h, w]``: what is positive, strong and in the middle."""
    x, y = jnp.fft.rfft2(edges), jnp.fft.rfft2(measured)
    power = jnp.sum(jnp.abs(x) ** 2, axis=0)
    ratio = jnp.sum(jnp.conj(x) * y, axis=0) / (power + settings.ridge * jnp.mean(power) + 1e-12)
    kernel = jnp.roll(jnp.fft.irfft2(ratio, edges.shape[1:]), (n // 2, n // 2), (0, 1))[:n, :n]
    kernel = jnp.where(kernel >= settings.least * jnp.max(kernel), jnp.maximum(kernel, 0), 0)
    kernel = _connected(kernel)
    return centred(kernel / jnp.maximum(jnp.sum(kernel), 1e-12))


def _connected(kernel: Array) -> Array:
    """Without those of its connected parts that have less than a tenth of its weight."""
    n, seen = len(kernel), kernel > 0
    numbers = jnp.where(seen, 1 + jnp.arange(n * n).reshape(n, n), 0)

    def spread(_: Any, numbers: Array) -> Array:
        return jnp.where(seen, jax.lax.reduce_window(numbers, 0, jax.lax.max, (3, 3), (1, 1), "SAME"), 0)

    numbers = jax.lax.fori_loop(0, 2 * n, spread, numbers)  # each part has its greatest number then
    weight = jnp.zeros(n * n + 1).at[numbers.ravel()].add(kernel.ravel())
    return jnp.where(weight[numbers] >= 0.1 * jnp.sum(kernel), kernel, 0)


def centred(kernel: Float[Array, "n n"]) -> Float[Array, "n n"]:
    """A kernel of sum one, moved until its centre of mass lies in the middle, as far as whole pixels go.

    >>> centred(jnp.zeros((3, 3)).at[0, 1].set(1.0))[1].tolist()
    [0.0, 1.0, 0.0]
    """
    n = len(kernel)
    place = jnp.arange(n) - n // 2
    for axis, places in enumerate((place[:, None], place[None])):
        kernel = jnp.roll(kernel, -jnp.round(jnp.sum(kernel * places)).astype(int), axis)
    return kernel


def _grown(kernel: Array, side: int) -> Array:
    """Enlarged to a side."""
    larger = jnp.maximum(jax.image.resize(kernel, (side, side), "linear"), 0)
    return centred(larger / jnp.sum(larger))


def _gradients(plane: Float[Array, "h w"]) -> Float[Array, "2 h w"]:
    return jnp.stack([jnp.roll(plane, -1, axis) - plane for axis in (0, 1)])


def wrapped(y: Float[Array, "h w c"], margin: int) -> Float[Array, "H W c"]:
    """The picture with as many rows and columns after its last as lead back to its first: for a convolution that is circular.

    >>> wrapped(jnp.zeros((8, 6, 3)), 2).shape
    (12, 10, 3)
    """
    fade = np.float32(0.5 + 0.5 * np.cos(np.pi * (np.arange(2 * margin) + 1) / (2 * margin + 1)))
    for axis in (0, 1):
        first, last = jnp.take(y, jnp.array([0]), axis), jnp.take(y, jnp.array([-1]), axis)
        share = fade.reshape([-1 if axis == number else 1 for number in range(3)])
        y = jnp.concatenate([y, share * last + (1 - share) * first], axis)
    return y


def deconvolved(y: Float[Array, "h w c"], kernel: Float[Array, "n n"], point: Array, weight: Any) -> Array:
    """The image x of least |k * x - y|^2 + weight |x - point|^2, the convolution circular: closed in the spectrum."""
    size = y.shape[:2]
    response = spectrum_of(kernel, size)[:, : size[1] // 2 + 1, None]
    power = jnp.abs(response) ** 2
    target = jnp.conj(response) * jnp.fft.rfft2(y, axes=(0, 1)) + weight * jnp.fft.rfft2(point, axes=(0, 1))
    return jnp.fft.irfft2(target / (power + weight), size, axes=(0, 1))
