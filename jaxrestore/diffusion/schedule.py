"""Noise schedules, and the times at which an unroll visits them.

A schedule is the cumulated signal level alpha_bar[t] of the forward process
x_t = sqrt(alpha_bar[t]) x_0 + sqrt(1 - alpha_bar[t]) noise. Papers count t = 1..T; arrays, checkpoints and this
library count 0..T-1, so the papers' t is our t - 1.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxrestore._pytree import is_traced, register
from jaxrestore.errors import InputError

GridName = Literal["trailing", "leading", "linspace"]


@register
@dataclass(frozen=True)
class Schedule:
    """alpha_bar, float32 ``[T]``, falling from nearly 1 (clean) to nearly 0 (pure noise).

    From the cumulated products of 1 - beta; the functions below make the usual ones. InputError unless the levels lie within
    (0, 1) as float32 and never rise (not checked of traced arrays, whose values nobody knows).

    >>> len(Schedule([0.9, 0.5, 0.1]))
    3
    """

    alpha_bar: Float[Array, " T"] | Any

    def __post_init__(self) -> None:
        if is_traced(self.alpha_bar):
            return
        levels = np.asarray(self.alpha_bar, np.float32)
        if levels.ndim != 1 or levels.size == 0:
            raise InputError(
                f"alpha_bar must be a vector [T] of at least one level, not an array of shape {levels.shape}."
            )
        if not (np.all(levels > 0) and np.all(levels < 1) and np.all(np.diff(levels) <= 0)):
            raise InputError(
                "alpha_bar must lie within (0, 1) and must not rise with t: give cumulated products of 1 - beta."
            )
        object.__setattr__(self, "alpha_bar", jnp.asarray(levels))

    def __len__(self) -> int:
        return self.alpha_bar.shape[0]

    def diffuse(
        self, x0: Float[Array, "*b h w c"], noise: Float[Array, "*b h w c"], t: Any
    ) -> Float[Array, "*b h w c"]:
        """x_t of the forward process at time t, ``[]`` or one for each image ``[b]``."""
        alpha_bar = jnp.expand_dims(self.alpha_bar[t], (-3, -2, -1))
        return jnp.sqrt(alpha_bar) * x0 + jnp.sqrt(1 - alpha_bar) * noise


def clean_part(x: Array, noise: Array, alpha_bar: Array) -> Array:
    """x0 in x_t = sqrt(ab) x0 + sqrt(1 - ab) noise, of which the noise is known or predicted; `alpha_bar` broadcasts."""
    return (x - jnp.sqrt(1 - alpha_bar) * noise) / jnp.sqrt(alpha_bar)


def noise_part(x: Array, x0: Array, alpha_bar: Array) -> Array:
    """The noise in x_t = sqrt(ab) x0 + sqrt(1 - ab) noise, of which x0 is known; `alpha_bar` broadcasts."""
    return (x - jnp.sqrt(alpha_bar) * x0) / jnp.sqrt(1 - alpha_bar)


def from_betas(betas) -> Schedule:
    """The schedule of the given betas ``[T]`` in [0, 1): alpha_bar[t] = prod_{s <= t} (1 - beta[s])."""
    betas = np.asarray(betas, np.float64)
    if betas.ndim != 1 or not (np.all(betas >= 0) and np.all(betas < 1)):
        raise InputError("betas must be a vector [T] of values in [0, 1).")
    return Schedule(np.cumprod(1 - betas))


def linear(steps: int = 1000, first: float = 1e-4, last: float = 0.02) -> Schedule:
    """Betas evenly spaced from `first` to `last` (Ho et al. 2020, DDPM)."""
    return from_betas(np.linspace(first, last, steps))


def scaled_linear(steps: int = 1000, first: float = 0.00085, last: float = 0.012) -> Schedule:
    """Betas whose square roots are evenly spaced (Rombach et al. 2022, latent diffusion)."""
    return from_betas(np.linspace(first**0.5, last**0.5, steps) ** 2)


def cosine(steps: int = 1000, offset: float = 0.008, max_beta: float = 0.999) -> Schedule:
    """alpha_bar(u) = cos^2(pi/2 (u + offset) / (1 + offset)), each beta at most `max_beta` (Nichol & Dhariwal 2021)."""
    level = np.cos((np.arange(steps + 1) / steps + offset) / (1 + offset) * np.pi / 2) ** 2
    return from_betas(np.minimum(1 - level[1:] / level[:-1], max_beta))


def sigmoid(
    steps: int = 1000, start: float = -3.0, end: float = 3.0, tau: float = 1.0, max_beta: float = 0.999
) -> Schedule:
    """alpha_bar(u) from a logistic curve between `start` and `end` at temperature `tau` (Jabri et al. 2022, alg. 1)."""

    def curve(u):
        return 1 / (1 + np.exp(-(u * (end - start) + start) / tau))

    level = (curve(1.0) - curve(np.arange(steps + 1) / steps)) / (curve(1.0) - curve(0.0))
    return from_betas(np.minimum(1 - level[1:] / level[:-1], max_beta))


def flow(steps: int = 1000, last: float = 0.999) -> Schedule:
    """The levels of x = (1 - u) x0 + u noise at even times u up to `last` (rectified, conditional-OT flows).

    Scaled to preserve variance: ab = (1 - u)^2 / ((1 - u)^2 + u^2). At u = 1 nothing would be left of x0.

    >>> round(float(flow(2, 0.5).alpha_bar[-1]), 3)
    0.5
    """
    u = np.linspace(last / steps, last, steps)
    return Schedule((1 - u) ** 2 / ((1 - u) ** 2 + u**2))


class TimeGrid(NamedTuple):
    """The steps of an unroll, noise to image: step i goes from level alpha_bar[i] to alpha_bar_next[i]; the last is 1."""

    t: Int[Array, " steps"]  # what the network is told
    alpha_bar: Float[Array, " steps"]
    alpha_bar_next: Float[Array, " steps"]


def grid_times(length: int, skip: int, grid: GridName) -> np.ndarray:
    """The times ``[S]``, falling, of a skip-step unroll over a schedule of `length` steps. Example: 1000, skip 100.

    - "trailing": t = T, T - skip, ..., skip as the papers write it (SHRED, BIRD): 999, 899, ..., 99.
    - "leading": as BIRD's published code has it: 900, 800, ..., 0.
    - "linspace": guided-diffusion's respacing into length/skip steps, both ends kept: 999, 888, ..., 0.

    >>> grid_times(1000, 250, "leading").tolist()
    [750, 500, 250, 0]
    """
    if grid not in get_args(GridName):
        raise InputError(f"Unknown time grid {grid!r}; known: {', '.join(get_args(GridName))}.")
    if not 1 <= skip <= length:
        raise InputError(f"skip must lie between 1 and the schedule's {length} steps, not {skip}.")
    if grid == "trailing":
        return np.arange(length, 0, -skip) - 1
    steps = length // skip
    if grid == "leading":
        return np.arange(steps)[::-1] * (length // steps)
    return np.round(np.linspace(0, length - 1, steps)).astype(int)[::-1]


def time_grid(schedule: Schedule, skip: int = 100, grid: GridName = "leading") -> TimeGrid:
    """The `TimeGrid` of a schedule; see `grid_times`. The step after the last time leads to alpha_bar = 1, the image."""
    return _visiting(schedule, jnp.asarray(grid_times(len(schedule), skip, grid), jnp.int32))


def partial_grid(schedule: Schedule, depth: Any, steps: int) -> TimeGrid:
    """`steps` even steps from the time `depth` down to the image, for `ddim.descend` and `ddim.ascend`.

    `depth` lies in 1..T-1 and may be a tracer, one image's among others': programs don't depend on it. `steps` is static;
    more of them than `depth` repeat times, which changes nothing but the cost.
    """
    return _visiting(schedule, jnp.round(depth * (steps - jnp.arange(steps)) / steps).astype(jnp.int32))


def even_grid(schedule: Schedule, steps: int) -> TimeGrid:
    """`steps` even times over a whole schedule, from its last down to its first, as samplers respace it.

    >>> even_grid(linear(), 4).t.tolist()
    [999, 666, 333, 0]
    """
    return _visiting(schedule, jnp.asarray(np.round(np.linspace(len(schedule) - 1, 0, steps)), jnp.int32))


def levels_grid(schedule: Schedule, sigmas: Float[Array, " steps"]) -> TimeGrid:
    """The times whose noise-to-signal ratios are nearest to the given deviations, falling; these may be traced.

    >>> levels_grid(linear(), jnp.array([2.0, 0.1])).t.tolist()
    [396, 26]
    """
    own = 0.5 * jnp.log((1 - schedule.alpha_bar) / schedule.alpha_bar)
    return _visiting(schedule, jnp.argmin(jnp.abs(jnp.log(sigmas)[:, None] - own), axis=1).astype(jnp.int32))


def _visiting(schedule: Schedule, t: Int[Array, " steps"]) -> TimeGrid:
    alpha_bar = schedule.alpha_bar[t]
    return TimeGrid(t, alpha_bar, jnp.append(alpha_bar[1:], jnp.ones((), alpha_bar.dtype)))


def depth_of(schedule: Schedule, noise_to_signal: Any) -> Array:
    """The time, from 1 on, at which the noise is so many times as strong as the picture.

    >>> int(depth_of(linear(), 2.0))
    396
    """
    ratio = jnp.sqrt((1 - schedule.alpha_bar) / schedule.alpha_bar)
    return jnp.maximum(1, jnp.argmin(jnp.abs(jnp.log(ratio) - jnp.log(noise_to_signal)))).astype(jnp.int32)
