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


class _Walk(NamedTuple):
    """Where the flow stands."""

    u: Float[Array, "h w c"]
    eps: Float[Array, "h w c"]  # at u
    before: Float[Array, "h w c"]  # eps at the time before
    width: Array  # [] from that time to this, in sigma
    trace: Array  # [] at u
    volume: Array  # [] so far


def log_likelihood(
    prior: Prior,
    image: Float[Array, "h w c"],
    key: Array,
    steps: int = 40,
    probes: int = 1,
) -> Likelihood:
    """log of the density at the image in [-1, 1], of images with the noise of the schedule's time 1.

    In u = x / sqrt(ab) and sigma = sqrt((1 - ab) / ab) the flow is du = eps dsigma, so that log p changes by minus the trace
    of d eps / d u, which `probes` random signs estimate without bias (Hutchinson). `steps` times lie evenly in log sigma from
    1 to the last with a signal above a thousandth of the noise (ab > 1e-6). Adams and Bashforth's second order for the flow,
    trapezoids in log sigma for the trace. Cost: steps + 1 evaluations, with a derivative a probe each. The error of one
    probe is about sqrt(2) times the norm of the derivative's part off the diagonal: compare images under the same key,
    which is not one that an image was drawn with. InputError for a prior of latents, fewer than two steps, or no probe.

    >>> import jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    >>> found = log_likelihood(prior, jnp.full((8, 8, 3), 0.5), jax.random.key(0), steps=200)
    >>> exact = jax.scipy.stats.norm.logpdf(1.0) - jnp.log(0.5)
    >>> bool(jnp.abs(found.total / 192 - exact) < 0.01)
    True
    """
    if prior.latent is not None:
        raise InputError(f"The prior {prior.name!r} is one of latents, in which an image has no density of its own.")
    if steps < 2 or probes < 1:
        raise InputError(f"A likelihood takes at least 2 steps and a probe, not {steps} and {probes}.")
    times = _times(prior.schedule, steps)
    alpha_bar = prior.schedule.alpha_bar[times]
    sigma = jnp.sqrt((1 - alpha_bar) / alpha_bar)
    signs = jax.random.rademacher(key, (probes, *image.shape), image.dtype)

    def flow(u: Array, index: Any) -> tuple[Array, Array]:
        """eps, and the trace of its derivative by u."""
        scale = jnp.sqrt(alpha_bar[index])
        eps, back = jax.vjp(lambda u: prior.predict_noise(scale * u, times[index]), u)
        return eps, jnp.mean(jnp.stack([jnp.sum(sign * back(sign)[0]) for sign in signs]))

    def step(state: _Walk, index: Any) -> tuple[_Walk, None]:
        width = sigma[index + 1] - sigma[index]
        moves = width > 0  # not where a time comes twice
        ratio = width / state.width  # 0 at first, whose width is infinite: a step of Euler's
        u = state.u + width * ((1 + ratio / 2) * state.eps - ratio / 2 * state.before)
        eps, trace = flow(u, index + 1)
        # in log sigma: there the trace times sigma changes little, and sigma itself by orders at a schedule's end
        part = jnp.log(sigma[index + 1] / sigma[index]) * (sigma[index] * state.trace + sigma[index + 1] * trace) / 2
        before, width = jnp.where(moves, state.eps, state.before), jnp.where(moves, width, state.width)
        return _Walk(u, eps, before, width, trace, state.volume + part), None

    first, trace = flow(image, 0)
    start = _Walk(image, first, first, jnp.float32(jnp.inf), trace, jnp.float32(0))
    end = jax.lax.scan(step, start, jnp.arange(steps))[0]
    noise = jnp.sqrt(alpha_bar[-1]) * end.u
    dimension = image.size
    density = -0.5 * jnp.sum(noise**2) - dimension / 2 * jnp.log(2 * jnp.pi)
    volume = end.volume + dimension / 2 * jnp.log(alpha_bar[-1])
    return Likelihood(density + volume, density, volume)


def _times(schedule: Schedule, steps: int) -> Array:
    """steps + 1 of them, evenly in log sigma."""
    alpha_bar = schedule.alpha_bar
    sigma = jnp.log(1 - alpha_bar) / 2 - jnp.log(alpha_bar) / 2
    end = jnp.sum(alpha_bar > 1e-6) - 1
    wanted = jnp.linspace(sigma[1], sigma[end], steps + 1)
    return jnp.clip(jnp.searchsorted(sigma, wanted), 1, end)
