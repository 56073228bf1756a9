"""How likely an image is under a prior, by the deterministic flow's change of variables: what "density" says of images.

The paper's Proposition 1 takes degraded images for unlikely ones. Whether a diffusion model does is a question to it, and
this is how it is asked (Song et al. 2021, arXiv 2011.13456, eq. 39). Pure, for one image ``[h, w, c]``.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import Schedule
from jaxrestore.errors import InputError


class Likelihood(NamedTuple):
    """A logarithm of the density, in nats, and the parts that it is the sum of: of one image each ``[]``."""

    total: Array
    noise: Array  # of the noise that the flow ends at, under N(0, I)
    volume: Array  # by how much the flow shrinks volume on the way, and the images' own scale


def log_likelihood(
    prior: Prior,
    image: Float[Array, "h w c"],
    key: Array,
    steps: int = 40,
    probes: int = 1,
    last: Any = None,
) -> Likelihood:
    """log of the density at the image in [-1, 1], of images with the noise of the schedule's time 1.

    In u = x / sqrt(ab) and sigma = sqrt((1 - ab) / ab) the flow is du = eps dsigma, so that log p changes by minus the trace
    of d eps / d u, which `probes` random signs estimate without bias (Hutchinson). `steps` times lie evenly in log sigma from
    1 to `last`; without: the last of a signal above a thousandth of the noise (ab > 1e-6). Adams and Bashforth's second
    order for the flow, trapezoids for the trace. Cost: steps + 1 evaluations with a forward derivative each. The error of one
    probe is about sqrt(2) times the norm of the derivative's part off the diagonal: compare images under the same key.
    InputError for a prior of latents, or fewer than two steps.

    >>> import jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    >>> found = log_likelihood(prior, jnp.full((8, 8, 3), 0.5), jax.random.key(0), steps=200)
    >>> exact = jax.scipy.stats.norm.logpdf(1.0) - jnp.log(0.5)
    >>> bool(jnp.abs(found.total / 192 - exact) < 0.01)
    True
    """
    if prior.latent is not None:
        raise InputError(f"The prior {prior.name!r} is one of latents, in which an image has no density of its own.")
    if steps < 2:
        raise InputError(f"A likelihood takes at least 2 steps, not {steps}.")
    times = _times(prior.schedule, steps, last)
    alpha_bar = prior.schedule.alpha_bar[times]
    sigma = jnp.sqrt((1 - alpha_bar) / alpha_bar)
    signs = jax.random.rademacher(key, (probes, *image.shape), image.dtype)

    def flow(u: Array, index: Any) -> tuple[Array, Array]:
        """eps, and the trace of its derivative by u."""
        scale = jnp.sqrt(alpha_bar[index])
        eps, along = jax.linearize(lambda u: prior.predict_noise(scale * u, times[index]), u)
        return eps, jnp.mean(jnp.sum(signs * jax.vmap(along)(signs), axis=(1, 2, 3)))

    def step(state: tuple[Array, Array, Array, Array], index: Any) -> tuple[Any, None]:
        u, before, trace, volume = state
        width = sigma[index + 1] - sigma[index]
        earlier = sigma[index] - sigma[jnp.maximum(index - 1, 0)]  # 0 at first, and where a time comes twice
        ratio = jnp.where(earlier > 0, width / jnp.where(earlier > 0, earlier, 1.0), 0.0)
        moved = u + width * ((1 + ratio / 2) * before[0] - ratio / 2 * before[1])
        eps, next_trace = flow(moved, index + 1)
        return (moved, jnp.stack([eps, before[0]]), next_trace, volume + width * (trace + next_trace) / 2), None

    first, trace = flow(image, 0)
    start = (image, jnp.stack([first, first]), trace, jnp.float32(0))
    (u, _, _, volume), _ = jax.lax.scan(step, start, jnp.arange(steps))
    noise = jnp.sqrt(alpha_bar[-1]) * u
    dimension = image.size
    density = -0.5 * jnp.sum(noise**2) - dimension / 2 * jnp.log(2 * jnp.pi)
    volume = volume + dimension / 2 * jnp.log(alpha_bar[-1])
    return Likelihood(density + volume, density, volume)


def _times(schedule: Schedule, steps: int, last: Any) -> Array:
    """steps + 1 of them, evenly in log sigma."""
    alpha_bar = schedule.alpha_bar
    sigma = jnp.log(1 - alpha_bar) / 2 - jnp.log(alpha_bar) / 2
    end = jnp.sum(alpha_bar > 1e-6) - 1 if last is None else last
    wanted = jnp.linspace(sigma[1], sigma[end], steps + 1)
    return jnp.clip(jnp.searchsorted(sigma, wanted), 1, end)
