"""Denoisers, consistency functions and flows as priors: every kind that users bring, behind the same G.

A denoiser D(x, sigma) of x = x0 + sigma noise (variance exploding; Karras et al. 2022, EDM) sees the same image as a network
of x_t = sqrt(ab) x0 + sqrt(1 - ab) noise with ab = 1 / (1 + sigma^2), scaled by sqrt(1 + sigma^2). So it becomes a `Prior`
that predicts x0, and DDIM on it is Euler's method on its probability-flow ODE: unroll, inversion, methods and gradients are
those of every prior. A flow's velocity is the prediction of the same name (`Prior`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import Schedule, flow
from jaxrestore.errors import InputError

SigmaGrid = Literal["karras", "log"]


def sigma_levels(
    lowest: float, highest: float, levels: int, grid: SigmaGrid = "karras", rho: float = 7.0
) -> np.ndarray:
    """Noise levels ``[levels]``, rising from `lowest` to `highest`, in units of [-1, 1].

    "karras": evenly spaced in sigma^(1/rho) (Karras et al. 2022, eq. 5), "log": in log sigma. Any even selection of such
    levels is such a grid again, so that `unroll` with ``grid="linspace"`` visits Karras's own. InputError otherwise.

    >>> sigma_levels(0.01, 1.0, 3, "log").round(4).tolist()
    [0.01, 0.1, 1.0]
    """
    if not 0 < lowest <= highest < np.inf or levels < 1 or (levels > 1 and lowest == highest):
        raise InputError(f"sigma_range must rise between positive numbers, not go from {lowest} to {highest}.")
    if grid not in get_args(SigmaGrid):
        raise InputError(f"Unknown sigma grid {grid!r}; known: {', '.join(get_args(SigmaGrid))}.")
    if grid == "log":
        return np.geomspace(lowest, highest, levels)
    return np.linspace(lowest ** (1 / rho), highest ** (1 / rho), levels) ** rho


@dataclass(frozen=True)
class _Denoiser:
    """A denoiser as a network that predicts x0; static, as every network is."""

    denoise: Callable
    blind: bool

    @property
    def takes(self) -> str:
        """The signature of the function that is given."""
        given = "(parameters, x)" if self.blind else "(parameters, x, sigma), sigma [b]"
        return f"A denoiser is a pure function {given} over x [b, h, w, c], and gives x0 of the same shape."

    def __call__(self, parameters: Any, x: Array, t: Any, label: Any = None, key: Any = None) -> Array:
        sigma = jnp.broadcast_to(parameters["sigmas"][t], x.shape[:1])
        exploded = x * jnp.sqrt(1 + sigma**2)[:, None, None, None]
        if self.blind:
            return self.denoise(parameters["denoiser"], exploded)
        return self.denoise(parameters["denoiser"], exploded, sigma)


def denoiser_prior(
    denoise: Callable,
    parameters: Any,
    shape: tuple[int, int, int],
    sigma_range: tuple[float, float],
    *,
    levels: int = 1000,
    grid: SigmaGrid | ArrayLike | Sequence[float] = "karras",
    blind: bool = False,
    name: str = "denoiser",
) -> Prior:
    """The prior of a denoiser ``denoise(parameters, x, sigma) -> x0`` over ``x [b, h, w, c]`` and ``sigma [b]``, both in
    units of [-1, 1]; of a `blind` one ``denoise(parameters, x)``.

    `sigma_range` is what it was trained for, and no other level is asked of it: the schedule's `levels` lie within, on a
    `grid` of `sigma_levels`, or at given levels, rising. A range that ends before the image has drowned (sigma under about 4)
    can't generate from pure noise: methods that start there refuse such a prior, and fully blind restoration, which goes to a
    partial depth, takes it. Cost of a step: one evaluation.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> def denoise(parameters, x, sigma):  # of data N(0, 0.25)
    ...     return x * (0.25 / (0.25 + sigma**2))[:, None, None, None]
    >>> prior = jr.denoiser_prior(denoise, None, (8, 8, 3), (0.002, 80.0))
    >>> jr.unroll(prior, jax.random.normal(jax.random.key(0), prior.shape), grid="linspace", clip=False).shape
    (8, 8, 3)
    """
    if isinstance(grid, str):
        sigmas = sigma_levels(*sigma_range, levels, grid)
    else:
        sigmas = np.asarray(grid, np.float64)
        low, high = sigma_range
        if sigmas.ndim != 1 or not np.all(np.diff(sigmas) > 0) or sigmas[0] < low or sigmas[-1] > high:
            raise InputError(
                f"The levels must rise within the range {low} to {high} that the denoiser was trained for."
            )
    schedule = Schedule(1 / (1 + sigmas**2))
    weights = {"denoiser": parameters, "sigmas": jnp.asarray(sigmas, jnp.float32)}
    return Prior(_Denoiser(denoise, blind), weights, schedule, shape, "x0", name)


def consistency_prior(
    function: Callable,
    parameters: Any,
    shape: tuple[int, int, int],
    sigmas: ArrayLike | Sequence[float] = (80.0,),
    *,
    name: str = "consistency",
) -> Prior:
    """The prior of a consistency function ``function(parameters, x, sigma) -> x0`` (Song et al. 2023): an image in as many
    evaluations as there are levels in `sigmas`, one to four, say.

    Between two levels the noise that was found is kept (DDIM), so that G stays a function of the first noise; ``unroll`` with
    ``skip=1`` visits all levels.

    >>> import jax.numpy as jnp, jaxrestore as jr
    >>> def consistent(parameters, x, sigma):  # of data N(0, 0.25)
    ...     return x / (1 + 4 * sigma[:, None, None, None] ** 2) ** 0.5
    >>> prior = jr.consistency_prior(consistent, None, (8, 8, 3))
    >>> jr.unroll(prior, jnp.ones((8, 8, 3)), skip=1).shape
    (8, 8, 3)
    """
    levels = np.sort(np.atleast_1d(np.asarray(sigmas, np.float64)))
    return denoiser_prior(function, parameters, shape, (levels[0], levels[-1]), grid=levels, name=name)


@dataclass(frozen=True)
class _Flow:
    """A velocity in continuous time as a network that is told the number of its time."""

    velocity: Callable
    reverse: bool
    takes = "A velocity is a pure function (parameters, x, time) over x [b, h, w, c] and time [b], of the shape of x."

    def __call__(self, parameters: Any, x: Array, t: Any, label: Any = None, key: Any = None) -> Array:
        time = jnp.broadcast_to(parameters["times"][t], x.shape[:1])
        if self.reverse:
            return -self.velocity(parameters["velocity"], x, 1 - time)
        return self.velocity(parameters["velocity"], x, time)


def flow_prior(
    velocity: Callable,
    parameters: Any,
    shape: tuple[int, int, int],
    *,
    levels: int = 1000,
    noise_at: Literal[0, 1] = 1,
    name: str = "flow",
) -> Prior:
    """The prior of a rectified or conditional-OT flow (Lipman et al. 2023; Liu et al. 2023).

    ``velocity(parameters, x, time)`` over ``x [b, h, w, c]``, ``time [b]`` in [0, 1] is dx/dtime on
    x = (1 - time) x0 + time noise; with ``noise_at=0`` the other way round. `unroll` on it is Euler's method, with
    ``solver="midpoint"`` the midpoint rule.

    >>> import jax.numpy as jnp, jaxrestore as jr
    >>> def velocity(parameters, x, time):  # of data that are all zero: x is the noise times the time
    ...     return x / time[:, None, None, None]
    >>> prior = jr.flow_prior(velocity, None, (8, 8, 3))
    >>> bool(abs(jr.unroll(prior, jnp.ones((8, 8, 3)))).max() < 1e-3)
    True
    """
    if noise_at not in (0, 1):
        raise InputError(f"noise_at must be 0 or 1, not {noise_at}.")
    schedule = flow(levels)
    weights = {"velocity": parameters, "times": flow_times(schedule.alpha_bar)}
    return Prior(_Flow(velocity, noise_at == 0), weights, schedule, shape, "velocity", name)


def flow_times(alpha_bar: Float[Array, "*T"]) -> Float[Array, "*T"]:
    """The times of a flow at the levels of a schedule: the share of the noise, sqrt(1 - ab) / (sqrt(ab) + sqrt(1 - ab))."""
    signal, noise = jnp.sqrt(alpha_bar), jnp.sqrt(1 - alpha_bar)
    return noise / (signal + noise)
