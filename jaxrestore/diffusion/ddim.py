"""Deterministic DDIM sampling as a differentiable map G from noise to image, and its inverse (Song et al. 2021).

Cost of G with S steps: S network evaluations. Of its derivative, beside that:

- ``gradient="frozen"``: the noise predictions are constants for the derivative (what BIRD's published code does). The
  backward pass evaluates no network, and keeps a few images a step, none of the network's activations.
- ``"frozen_v"``: v = sqrt(ab) eps - sqrt(1 - ab) x0 is the constant instead, and clipping passes its derivative on: then
  dG/dz is one number for all pixels, 0.88 for ten steps of the linear schedule. With "frozen" a pixel that the last step
  clips has no derivative, and never comes back.
- ``"frozen_x0"``: x0 is the constant (but in the last step, which would have no derivative left).
- ``gradient="full"``: the exact derivative. Each step is evaluated again on the way back (rematerialised): 2 S evaluations
  and S backward passes in all, memory of one step's activations plus one image a step.
"""

from functools import partial
from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._names import GradientMode
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import GridName, TimeGrid, clean_part, noise_part, time_grid
from jaxrestore.errors import InputError

Solver = Literal["euler", "midpoint"]


@partial(jax.jit, static_argnames=("skip", "grid", "clip", "gradient", "solver"))
def unroll(
    prior: Prior,
    noise: Float[Array, "*b h w c"],
    *,
    skip: int = 100,
    grid: GridName = "leading",
    clip: bool = True,
    gradient: GradientMode = "frozen",
    solver: Solver = "euler",
    label: Array | None = None,
) -> Float[Array, "*b H W C"]:
    """The image G(noise), in [-1, 1] if `clip`: a skip-step DDIM chain with sigma = 0 (BIRD, algorithm 2).

    With `clip`, every predicted x0 is clipped to [-1, 1] and the noise derived from it anew, as in BIRD's published code;
    without, the map is smooth and invertible. `skip` and `grid` name the times (`schedule.grid_times`); `gradient` is
    described above. `solver`: DDIM is Euler's method; "midpoint" takes each step along the direction at its middle, with two
    evaluations. One `lax.scan`: compile time does not grow with the steps. Pure; for jit, vmap and grad.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    >>> image = jr.unroll(prior, jax.random.normal(jax.random.key(0), prior.shape), skip=250)
    >>> image.shape, bool(abs(image).max() <= 1)
    ((8, 8, 3), True)
    """
    times = time_grid(prior.schedule, skip, grid)
    solve = descend_by_midpoints if solver == "midpoint" else descend
    if prior.latent is None:
        return solve(prior, noise, times, clip=clip, gradient=gradient, label=label)
    latent = solve(prior, noise, times, clip=False, gradient=gradient, label=label)  # latents have no bounds
    image = prior.latent.decode(latent)
    return jnp.clip(image, -1.0, 1.0) if clip else image


def descend(
    prior: Prior,
    x: Float[Array, "*b h w c"],
    times: TimeGrid,
    *,
    clip: bool = True,
    gradient: GradientMode = "frozen",
    label: Array | None = None,
) -> Float[Array, "*b h w c"]:
    """The image to which DDIM leads from x at ``times.t[0]``, of pure noise or of a noisy image. See `unroll`. Pure."""
    if gradient not in get_args(GradientMode):
        raise InputError(f"Unknown gradient mode {gradient!r}; known: {', '.join(get_args(GradientMode))}.")

    def step(x, time):
        t, alpha_bar, alpha_bar_next = time
        eps = _predicted(prior, x, t, label, gradient)
        x0 = clean_part(x, eps, alpha_bar)
        if gradient == "frozen_v":
            x0 = _with_slope(x0, jnp.sqrt(alpha_bar), x)
        elif gradient == "frozen_x0":
            x0 = _with_slope(x0, jnp.where(alpha_bar_next == 1, 1 / jnp.sqrt(alpha_bar), 0), x)
        if clip:
            clipped = jnp.clip(x0, -1.0, 1.0)
            x0 = x0 + jax.lax.stop_gradient(clipped - x0) if gradient == "frozen_v" else clipped
        if clip or gradient in ("frozen_v", "frozen_x0"):
            eps = noise_part(x, x0, alpha_bar)
        return jnp.sqrt(alpha_bar_next) * x0 + jnp.sqrt(1 - alpha_bar_next) * eps, None

    if gradient == "full":
        step = jax.checkpoint(step, prevent_cse=False)  # inside a scan nothing can be merged across steps
    return jax.lax.scan(step, x, times)[0]


def descend_by_midpoints(
    prior: Prior,
    x: Float[Array, "*b h w c"],
    times: TimeGrid,
    *,
    clip: bool = True,
    gradient: GradientMode = "frozen",
    label: Array | None = None,
) -> Float[Array, "*b h w c"]:
    """As `descend`, by the midpoint rule on the straight path (1 - u) x0 + u noise, to which every prior's can be scaled.

    There dx/du = noise - x0, and DDIM is a step along the direction at its start. The middle is the schedule's nearest time.
    The gradient is "frozen" (the predictions are constants) or "full".
    """
    if gradient not in ("frozen", "full"):
        raise InputError(f"The midpoint rule has the gradients frozen and full, not {gradient!r}.")
    following = jnp.append(times.t[1:], -1)
    middle = jnp.maximum(jnp.round((times.t + following) / 2), 0).astype(jnp.int32)

    def direction(x: Array, t: Array, alpha_bar: Array) -> tuple[Array, Array]:
        """(x0, noise) at x."""
        eps = _predicted(prior, x, t, label, gradient)
        x0 = clean_part(x, eps, alpha_bar)
        if clip:
            x0 = jnp.clip(x0, -1.0, 1.0)
            eps = noise_part(x, x0, alpha_bar)
        return x0, eps

    def step(x, time):
        (t, alpha_bar, alpha_bar_next), t_middle = time
        level = prior.schedule.alpha_bar[t_middle]
        x0, eps = direction(x, t, alpha_bar)
        x0, eps = direction(jnp.sqrt(level) * x0 + jnp.sqrt(1 - level) * eps, t_middle, level)
        scale, scale_next = (jnp.sqrt(ab) + jnp.sqrt(1 - ab) for ab in (alpha_bar, alpha_bar_next))
        u, u_next = jnp.sqrt(1 - alpha_bar) / scale, jnp.sqrt(1 - alpha_bar_next) / scale_next
        moved = scale_next * (x / scale + (u_next - u) * (eps - x0))
        return jnp.where(alpha_bar_next == 1, jnp.clip(moved, -1.0, 1.0), moved) if clip else moved, None

    if gradient == "full":
        step = jax.checkpoint(step, prevent_cse=False)
    return jax.lax.scan(step, x, (times, middle))[0]


def _predicted(prior: Prior, x: Array, t: Array, label: Array | None, gradient: GradientMode) -> Array:
    """The predicted noise: a constant for the derivative, unless that is to be exact."""
    if gradient == "full":
        return prior.predict_noise(x, t, label)
    # on the input, too: then nothing of the network is kept for the backward pass
    return jax.lax.stop_gradient(prior.predict_noise(jax.lax.stop_gradient(x), t, label))


def _with_slope(value: Array, slope: Array, x: Array) -> Array:
    """`value`, whose derivative in x is taken to be `slope`."""
    return jax.lax.stop_gradient(value) + slope * (x - jax.lax.stop_gradient(x))


@partial(jax.jit, static_argnames=("skip", "grid", "refinements"))
def invert(
    prior: Prior,
    image: Float[Array, "*b H W C"],
    *,
    skip: int = 100,
    grid: GridName = "leading",
    refinements: int = 0,
    label: Array | None = None,
) -> Float[Array, "*b h w c"]:
    """The noise z with G(z) = image, for `unroll` with `clip=False` on the same grid. Cost: S (1 + refinements) evaluations.

    For a prior of latents the noise is one of theirs, of `Prior.noise_shape`.

    A DDIM step from x_t to x_s is implicit in x_t when read backwards: x_t = a x_s + b eps(x_t, t). It is solved by
    fixed-point iteration from x_t = x_s; `refinements` counts the iterations after the first. The error falls with the
    size of the steps and geometrically with the refinements; check ``unroll(prior, z, clip=False)`` against the image.

    >>> import jax.numpy as jnp, jaxrestore as jr
    >>> prior, image = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5), jnp.full((8, 8, 3), 0.3)
    >>> again = jr.unroll(prior, jr.invert(prior, image, skip=50, refinements=8), skip=50, clip=False)
    >>> bool(abs(again - image).max() < 1e-3)
    True
    """
    start = image if prior.latent is None else prior.latent.encode(image)
    return ascend(prior, start, time_grid(prior.schedule, skip, grid), refinements=refinements, label=label)


def ascend(
    prior: Prior, image: Float[Array, "*b h w c"], times: TimeGrid, *, refinements: int = 0, label: Array | None = None
) -> Float[Array, "*b h w c"]:
    """The x at ``times.t[0]`` from which `descend` without `clip` leads to the image. See `invert`. Pure."""

    def step(x, time):
        t, alpha_bar, alpha_bar_next = time
        ratio = jnp.sqrt(alpha_bar / alpha_bar_next)

        def iterate(_, guess):
            eps = prior.predict_noise(guess, t, label)
            return ratio * (x - jnp.sqrt(1 - alpha_bar_next) * eps) + jnp.sqrt(1 - alpha_bar) * eps

        return jax.lax.fori_loop(0, 1 + refinements, iterate, x), None

    return jax.lax.scan(step, image, times, reverse=True)[0]
