"""When a search is done, without ground truth: rules that are values and combine, and how a search ended.

A rule is a pytree with two pure functions about one image: ``start(shape) -> memory`` and
``look(memory, seen) -> (memory, status)``. Its numbers are leaves. `any_of` makes one rule of several.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxrestore._pytree import register
from jaxrestore.errors import InputError


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
        """In words, after so many iterations.

        >>> Status.FLAT.sentence(30)
        'the data term stopped falling at iteration 30'
        """
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


class Seen(NamedTuple):
    """What a rule is shown after each iteration."""

    iteration: Array  # [] int32, from 1
    image: Float[Array, "h w c"]
    data_term: Array  # []
    sigma_y: Array  # []: the rms noise of the measurement, in units of [-1, 1]


@runtime_checkable
class Rule(Protocol):
    """A stopping rule; one of your own needs these two functions and `jr.register`."""

    def start(self, shape: tuple[int, ...]) -> PyTree:
        """What it remembers before the first iteration, for images of `shape`."""
        ...

    def look(self, memory: PyTree, seen: Seen) -> tuple[PyTree, Array]:
        """What it remembers then, and a `Status` as int32 ``[]``: RUNNING to go on."""
        ...


def _status(fires: Array, status: Status) -> Array:
    return jnp.where(fires, int(status), int(Status.RUNNING)).astype(jnp.int32)


@register
@dataclass(frozen=True)
class Discrepancy:
    """Stops when the data term is at most ``(factor * sigma_y)^2`` (Morozov's discrepancy principle)."""

    factor: Any

    def start(self, shape: tuple[int, ...]) -> None:
        return None

    def look(self, memory: None, seen: Seen) -> tuple[None, Array]:
        return None, _status(seen.data_term <= (self.factor * seen.sigma_y) ** 2, Status.NOISE_LEVEL)


class _Fall(NamedTuple):
    reference: Array  # data term at the last fall by the fraction
    since: Array  # its iteration


@register
@dataclass(frozen=True)
class Plateau:
    """Stops when the data term has not fallen by a fraction within `patience` iterations."""

    fraction: Any
    patience: Any

    def start(self, shape: tuple[int, ...]) -> _Fall:
        return _Fall(jnp.float32(jnp.inf), jnp.int32(0))

    def look(self, memory: _Fall, seen: Seen) -> tuple[_Fall, Array]:
        fell = seen.data_term < (1 - self.fraction) * memory.reference
        since = jnp.where(fell, seen.iteration, memory.since)
        status = _status(seen.iteration - since >= self.patience, Status.FLAT)
        return _Fall(jnp.where(fell, seen.data_term, memory.reference), since), status


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
        status = _status(filled & (seen.iteration - least_at >= self.patience), Status.VARIANCE)
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
        return sharp, _status((seen.iteration > self.after) & (sharp < memory), Status.SOFTER)


@register
@dataclass(frozen=True)
class AnyOf:
    """Stops as soon as one of its rules does; of several at once the first names the reason. Of no rule: never."""

    rules: tuple[Rule, ...]

    def start(self, shape: tuple[int, ...]) -> tuple[PyTree, ...]:
        return tuple(rule.start(shape) for rule in self.rules)

    def look(self, memory: tuple[PyTree, ...], seen: Seen) -> tuple[tuple[PyTree, ...], Array]:
        looked = [rule.look(part, seen) for rule, part in zip(self.rules, memory, strict=True)]
        status = jnp.int32(Status.RUNNING)
        for _, one in reversed(looked):
            status = jnp.where(one == Status.RUNNING, status, one)
        return tuple(part for part, _ in looked), status


def discrepancy(factor: float = 1.0) -> Discrepancy:
    """Stop when the rms data term reaches `factor` times the method's sigma_y: further, the noise would be explained.

    >>> any_of(discrepancy(1.0), plateau(0.01)).rules[0].factor
    1.0
    """
    return Discrepancy(_at_least("factor", factor, 0))


def plateau(fraction: float = 0.01, patience: int = 20) -> Plateau:
    """Stop when the data term has not fallen by `fraction` within `patience` iterations."""
    if isinstance(fraction, int | float) and not fraction < 1:
        raise InputError(f"fraction of a stopping rule must be below 1, not {fraction}.")
    return Plateau(_at_least("fraction", fraction, 0), _at_least("patience", patience, 1))


def flat_variance(window: int = 10, patience: int = 20) -> FlatVariance:
    """Stop when the variance of the last `window` images has had no new minimum for `patience` iterations."""
    return FlatVariance(_at_least("patience", patience, 1), _at_least("window", window, 2))


def less_sharp(after: int = 100) -> LessSharp:
    """Stop at the first iteration beyond `after` whose image has less variance of its Laplacian than that before it."""
    return LessSharp(_at_least("after", after, 0))


def any_of(*rules: Rule) -> AnyOf:
    """The rule that stops as soon as one of these does."""
    return AnyOf(rules)


def never() -> AnyOf:
    """The rule that lets all iterations be run."""
    return AnyOf(())


def _at_least(name: str, value: Any, least: int) -> Any:
    if isinstance(value, int | float) and not least <= value < float("inf"):
        raise InputError(f"{name} of a stopping rule must be at least {least}, not {value}.")
    return value


def sharpness(image: Float[Array, "h w c"]) -> Float[Array, ""]:
    """The variance of the image's Laplacian (its five-point stencil, inside), over all channels."""
    inside = image[1:-1, 1:-1]
    around = image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:]
    return jnp.var(around - 4 * inside)


NAMES: dict[str, Callable[..., Rule]] = {
    "discrepancy": discrepancy,
    "plateau": plateau,
    "flat_variance": flat_variance,
    "less_sharp": less_sharp,
}


def rule_of(described: list[dict[str, Any]]) -> AnyOf:
    """The rule of a settings file: ``[{"rule": "plateau", "fraction": 0.01, "patience": 20}, ...]``; InputError otherwise."""
    rules = []
    for one in described:
        arguments = dict(one)
        name = arguments.pop("rule", None)
        if name not in NAMES:
            raise InputError(f"There is no stopping rule {name!r}; there are: {', '.join(NAMES)}.")
        try:
            rules.append(NAMES[name](**arguments))
        except TypeError as error:
            raise InputError(f"The stopping rule {name} doesn't take that: {error}.") from error
    return any_of(*rules)
