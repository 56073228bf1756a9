"""Rules that look at the images."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore.stopping.contract import Seen, Status, at_least, status_where


class _Window(NamedTuple):
    images: Float[Array, "window h w c"]  # the last ones, in a ring
    least: Array  # smallest windowed variance so far
    least_at: Array  # its iteration


@register
@dataclass(frozen=True)
class FlatVariance:
    """Stops when the variance of the last `window` images about their mean has had no new minimum for `patience` iterations
    (ES-WMV; Wang et al. 2021, early stopping for deep image prior). Keeps `window` images a search."""

    patience: Any
    window: int = field(metadata={"static": True})

    def start(self, shape: tuple[int, ...]) -> _Window:
        return _Window(jnp.zeros((self.window, *shape), jnp.float32), jnp.float32(jnp.inf), jnp.int32(0))

    def look(self, memory: _Window, seen: Seen) -> tuple[_Window, Array]:
        images = memory.images.at[(seen.iteration - 1) % self.window].set(seen.image)
        variance, filled = jnp.sum(jnp.var(images, axis=0)), seen.iteration >= self.window
        lower = filled & (variance < memory.least)
        least = jnp.where(lower, variance, memory.least)
        least_at = jnp.where(lower, seen.iteration, memory.least_at)
        status = status_where(filled & (seen.iteration - least_at >= self.patience), Status.VARIANCE)
        return _Window(images, least, least_at), status


@register
@dataclass(frozen=True)
class LessSharp:
    """Stops when, after so many iterations, the image is less sharp than that before it (DIIP's first rule)."""

    after: Any

    def start(self, shape: tuple[int, ...]) -> Array:
        return jnp.float32(jnp.inf)

    def look(self, memory: Array, seen: Seen) -> tuple[Array, Array]:
        sharp = sharpness(seen.image)
        return sharp, status_where((seen.iteration > self.after) & (sharp < memory), Status.SOFTER)


def flat_variance(window: int = 10, patience: int = 20) -> FlatVariance:
    """Stop when the variance of the last `window` images has had no new minimum for `patience` iterations."""
    return FlatVariance(at_least("patience", patience, 1), at_least("window", window, 2))


def less_sharp(after: int = 100) -> LessSharp:
    """Stop at the first iteration beyond `after` whose image has less variance of its Laplacian than that before it."""
    return LessSharp(at_least("after", after, 0))


def sharpness(image: Float[Array, "h w c"]) -> Float[Array, ""]:
    """The variance of the image's Laplacian (its five-point stencil, inside), over all channels."""
    inside = image[1:-1, 1:-1]
    around = image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:]
    return jnp.var(around - 4 * inside)
