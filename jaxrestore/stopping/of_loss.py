"""Rules that look at the data term alone."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore.errors import InputError
from jaxrestore.stopping.contract import Seen, Status, at_least, status_where


@register
@dataclass(frozen=True)
class Discrepancy:
    """Stops when the data term is at most ``(factor * sigma_y)^2`` (Morozov's discrepancy principle)."""

    factor: Any

    def start(self, shape: tuple[int, ...]) -> None:
        return None

    def look(self, memory: None, seen: Seen) -> tuple[None, Array]:
        return None, status_where(seen.data_term <= (self.factor * seen.sigma_y) ** 2, Status.NOISE_LEVEL)


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
        status = status_where(seen.iteration - since >= self.patience, Status.FLAT)
        return _Fall(jnp.where(fell, seen.data_term, memory.reference), since), status


@register
@dataclass(frozen=True)
class SmallSlope:
    """Stops when, after so many iterations, the data term differs from that before it by a fraction or less, up or down
    (DIIP's second rule)."""

    fraction: Any
    after: Any

    def start(self, shape: tuple[int, ...]) -> Array:
        return jnp.float32(jnp.inf)

    def look(self, memory: Array, seen: Seen) -> tuple[Array, Array]:
        still = jnp.abs(seen.data_term - memory) <= self.fraction * memory
        return seen.data_term, status_where((seen.iteration > self.after) & still, Status.FLAT)


def discrepancy(factor: float = 1.0) -> Discrepancy:
    """Stop when the rms data term reaches `factor` times the method's sigma_y: further, the noise would be explained.

    >>> discrepancy(1.0).factor
    1.0
    """
    return Discrepancy(at_least("factor", factor, 0))


def plateau(fraction: float = 0.01, patience: int = 20) -> Plateau:
    """Stop when the data term has not fallen by `fraction` within `patience` iterations."""
    if isinstance(fraction, int | float) and not fraction < 1:
        raise InputError(f"fraction of a stopping rule must be below 1, not {fraction}.")
    return Plateau(at_least("fraction", fraction, 0), at_least("patience", patience, 1))


def small_slope(fraction: float = 0.001, after: int = 100) -> SmallSlope:
    """Stop at the first iteration beyond `after` (at least 1: there must be one before it) whose data term E_k has
    |E_k - E_{k-1}| at most `fraction` of E_{k-1}.

    A rise by more than that is no end: Adam's first steps overshoot. Nor is the moment between a rise and a fall, at which
    the slope is nothing; that is what `after` is for. `plateau` asks for a fall within several iterations instead.
    """
    return SmallSlope(at_least("fraction", fraction, 0), at_least("after", after, 1))
