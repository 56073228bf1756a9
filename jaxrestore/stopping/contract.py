"""What a rule is shown, and how a search ends."""

from enum import IntEnum
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

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


def status_where(fires: Array, status: Status) -> Array:
    return jnp.where(fires, int(status), int(Status.RUNNING)).astype(jnp.int32)


def at_least(name: str, value: Any, least: int) -> Any:
    """The value itself; InputError for a number below that, or no finite one."""
    if isinstance(value, int | float) and not least <= value < float("inf"):
        raise InputError(f"{name} of a stopping rule must be at least {least}, not {value}.")
    return value
