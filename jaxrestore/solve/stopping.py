"""When a search is done, without ground truth: four rules as pure functions of the iterates, and how a search ended."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._pytree import register


class Status(IntEnum):
    """How a search ended; `sentence` is for people."""

    RUNNING = 0
    ITERATIONS = 1
    NOISE_LEVEL = 2
    FLAT = 3
    NON_FINITE = 4
    VARIANCE = 5
    SOFTER = 6
    FINISHED = 7

    def sentence(self, iteration: int) -> str:
        return {
            Status.RUNNING: f"the search was cut off after {iteration} iterations",
            Status.ITERATIONS: f"all {iteration} iterations were run",
            Status.NOISE_LEVEL: f"the data term reached the noise level at iteration {iteration}",
            Status.FLAT: f"the data term stopped falling at iteration {iteration}",
            Status.VARIANCE: f"the images' variance from one to the next stopped falling at iteration {iteration}",
            Status.SOFTER: f"the image had become less sharp at iteration {iteration}",
            Status.FINISHED: f"the method had nothing more to change after {iteration} iteration{'s' * (iteration > 1)}",
            Status.NON_FINITE: f"the loss became non-finite at iteration {iteration}"
            + ("; the answer is from before it" if iteration > 1 else ", and there is no answer"),
        }[self]


@register
@dataclass(frozen=True)
class Stop:
    """When to stop before the iterations are spent. Zero means never; all but `window` and `sharpness` are leaves.

    `discrepancy`: when the data term is at most ``(discrepancy * method.noise_level)^2``; about 1.
    `slope` and `patience`: when the data term has not fallen by the fraction `slope` within `patience` iterations.
    `window` and `patience`: when the variance of the last `window` images about their mean has had no new minimum for
    `patience` iterations (ES-WMV; Wang et al. 2021, early stopping for deep image prior). At least 2;
    keeps `window` images a search.
    `sharpness`: when, after so many iterations, the image is less sharp (in variance of its Laplacian) than that before it:
    the first rule of DIIP, of which the second is ``slope=0.001, patience=1``.
    """

    discrepancy: Any = 0.0
    slope: Any = 0.0
    patience: Any = 20
    sharpness: int = field(default=0, metadata={"static": True})
    window: int = field(default=0, metadata={"static": True})


class Watch(NamedTuple):
    """What the rules remember of one search."""

    reference: Array  # data term at the last fall by the slope's fraction
    since: Array  # iteration of that fall
    images: Float[Array, "window h w c"] | None  # the last ones, in a ring; None without a window (nothing to save)
    least: Array  # smallest windowed variance so far
    least_at: Array  # its iteration
    sharp: Array  # sharpness of the last image


def start_watch(stop: Stop, shape: tuple[int, ...]) -> Watch:
    """Before the first iteration, for images of `shape`. Pure."""
    infinite, zero = jnp.asarray(jnp.inf), jnp.asarray(0, jnp.int32)
    images = jnp.zeros((stop.window, *shape)) if stop.window else None
    return Watch(infinite, zero, images, infinite, zero, jnp.asarray(jnp.inf))


def look(
    stop: Stop,
    watch: Watch,
    iteration: Array,
    image: Float[Array, "h w c"],
    data_term: Array,
    noise_level: Any,
) -> tuple[Watch, Array]:
    """The rules after iteration number `iteration` (from 1): what they remember, and a `Status`. Pure."""
    finite = jnp.isfinite(data_term) & jnp.all(jnp.isfinite(image))
    fell = data_term < (1 - stop.slope) * watch.reference
    since = jnp.where(fell, iteration, watch.since)
    images, least, least_at, spread = watch.images, watch.least, watch.least_at, jnp.asarray(False)
    if images is not None:
        images = images.at[(iteration - 1) % stop.window].set(image)
        variance = jnp.sum(jnp.var(images, axis=0))
        lower = (iteration >= stop.window) & (variance < least)
        least, least_at = jnp.where(lower, variance, least), jnp.where(lower, iteration, least_at)
        spread = (iteration >= stop.window) & (iteration - least_at >= stop.patience)
    sharp, softer = watch.sharp, jnp.asarray(False)
    if stop.sharpness:
        sharp = sharpness(image)
        softer = (iteration > stop.sharpness) & (sharp < watch.sharp)
    rules: list[tuple[Status, Array]] = [
        (Status.NON_FINITE, ~finite),
        (
            Status.NOISE_LEVEL,
            (jnp.asarray(stop.discrepancy) > 0) & (data_term <= (stop.discrepancy * noise_level) ** 2),
        ),
        (Status.FLAT, (jnp.asarray(stop.slope) > 0) & (iteration - since >= stop.patience)),
        (Status.VARIANCE, spread),
        (Status.SOFTER, softer),
    ]
    status = jnp.select([rule for _, rule in rules], [int(name) for name, _ in rules], int(Status.RUNNING))
    reference = jnp.where(fell, data_term, watch.reference)
    return Watch(reference, since, images, least, least_at, sharp), status.astype(jnp.int32)


def sharpness(image: Float[Array, "h w c"]) -> Array:
    """The variance of the image's Laplacian (its five-point stencil, inside), over all channels."""
    inside = image[1:-1, 1:-1]
    around = image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:]
    return jnp.var(around - 4 * inside)
