"""A step of ancestral sampling, x_t to x_{t-1}, and the loss of networks that learn its variance (Nichol & Dhariwal 2021)."""

from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm
from jaxtyping import Array, Float

from jaxrestore._pytree import replaced
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import Schedule, clean_part
from jaxrestore.errors import InputError

Variance = Literal["learned", "fixed_small", "fixed_large"]


class Gaussian(NamedTuple):
    """q(x_{t-1} | x_t, x_0), or the network's p(x_{t-1} | x_t)."""

    mean: Array
    log_variance: Array  # of the mean's shape, or [b, 1, 1, 1]
    x0: Array  # the clean image that it is about


def posterior(schedule: Schedule, x0: Float[Array, "b h w c"], x: Float[Array, "b h w c"], t: Array) -> Gaussian:
    """q(x_{t-1} | x_t, x_0) of the forward process (Ho et al. 2020, eq. 7), t ``[]`` or ``[b]``.

    In float32, beta of a small t is known to 5e-4. The variance is 0 at t = 0; as in the published code, its logarithm is
    that of t = 1 there.
    """
    beta, alpha_bar, previous = _levels(schedule, t)
    mean = beta * jnp.sqrt(previous) * x0 + (1 - previous) * jnp.sqrt(1 - beta) * x
    later = _levels(schedule, jnp.maximum(t, 1))
    return Gaussian(mean / (1 - alpha_bar), jnp.log(later[0] * (1 - later[2]) / (1 - later[1])), x0)


def predict(
    prior: Prior,
    x: Float[Array, "b h w c"],
    t: Array,
    variance: Variance = "learned",
    clip: bool = True,
    label: Array | None = None,
) -> Gaussian:
    """The network's p(x_{t-1} | x_t), its x0 clipped to [-1, 1] if `clip`. One network evaluation; t ``[]`` or ``[b]``.

    "learned": between the two fixed ones in the logarithm, by the network's second output (Nichol & Dhariwal 2021, eq. 15);
    "fixed_small": that of `posterior`; "fixed_large": beta. InputError for "learned" where the network has no such output.
    """
    eps, raw = prior.apply(x, t, label)
    alpha_bar = _spread(prior.schedule.alpha_bar[t])
    x0 = clean_part(x, eps, alpha_bar)
    if clip:
        x0 = jnp.clip(x0, -1.0, 1.0)
    small = posterior(prior.schedule, x0, x, t)
    log_beta = jnp.log(_levels(prior.schedule, t)[0])
    if variance == "fixed_small":
        return small
    if variance == "fixed_large":  # as published: the posterior's at t = 0, where beta is too large
        first = _levels(prior.schedule, jnp.maximum(t, 1))[0]
        return small._replace(log_variance=jnp.where(_spread(t) == 0, small.log_variance, jnp.log(first)))
    if variance != "learned":
        raise InputError(f"Unknown variance {variance!r}; known: {', '.join(get_args(Variance))}.")
    if raw is None:
        raise InputError("This prior's network has no variance output: choose fixed_small or fixed_large.")
    share = (raw + 1) / 2
    return small._replace(log_variance=share * log_beta + (1 - share) * small.log_variance)


def ancestral_step(
    prior: Prior,
    x: Float[Array, "b h w c"],
    t: Array,
    key: Array,
    variance: Variance = "learned",
    clip: bool = True,
    label: Array | None = None,
) -> Float[Array, "b h w c"]:
    """A draw of x_{t-1} from `predict`; at t = 0 its mean, the image. One network evaluation."""
    step = predict(prior, x, t, variance, clip, label)
    noise = jax.random.normal(key, x.shape, x.dtype)
    return step.mean + jnp.where(_spread(t) == 0, 0.0, jnp.exp(step.log_variance / 2)) * noise


class Losses(NamedTuple):
    """Per image ``[b]``."""

    mean_square: Array  # of the predicted noise
    bound: Array  # term t of the variational bound, in bits per number; it trains the variance alone
    total: Array


def hybrid_loss(
    prior: Prior,
    x0: Float[Array, "b h w c"],
    noise: Float[Array, "b h w c"],
    t: Array,
    label: Array | None = None,
    key: Array | None = None,
) -> Losses:
    """The loss of learned-variance networks: L_simple + T / 1000 L_vlb (Nichol & Dhariwal 2021, eq. 16). One evaluation.

    The bound's derivative passes through the variance only, as published: its weight is absorbed in our T / 1000 for the
    usual T = 1000.
    """
    x = prior.schedule.diffuse(x0, noise, t)
    eps, raw = prior.apply(x, t, label, key)
    if raw is None:
        raise InputError("This prior's network has no variance output: its loss is the mean square alone.")
    output = jnp.concatenate([jax.lax.stop_gradient(eps), raw], axis=-1)
    held = replaced(prior, network=lambda *_: output, parameters=None, prediction="noise")
    ours, true = predict(held, x, t, clip=False), posterior(prior.schedule, x0, x, t)
    divergence = 0.5 * (
        ours.log_variance
        - true.log_variance
        - 1
        + jnp.exp(true.log_variance - ours.log_variance)
        + (true.mean - ours.mean) ** 2 * jnp.exp(-ours.log_variance)
    )
    decoder = -_log_likelihood(x0, ours.mean, ours.log_variance / 2)
    bound = jnp.where(_spread(t) == 0, decoder, divergence).mean((1, 2, 3)) / jnp.log(2.0)
    mean_square = jnp.mean((noise - eps) ** 2, axis=(1, 2, 3))
    return Losses(mean_square, bound, mean_square + bound * len(prior.schedule) / 1000)


def _log_likelihood(x: Array, mean: Array, log_deviation: Array) -> Array:
    """Of 8-bit numbers in [-1, 1] under a Gaussian: its mass within half a grey level, the last levels open outwards."""
    scale = jnp.exp(-log_deviation)
    upper, lower = ((x - mean + sign / 255) * scale for sign in (1, -1))
    mass = jnp.where(
        x < -0.999, norm.cdf(upper), jnp.where(x > 0.999, norm.sf(lower), norm.cdf(upper) - norm.cdf(lower))
    )
    return jnp.log(jnp.maximum(mass, 1e-12))


def _levels(schedule: Schedule, t: Array) -> tuple[Array, Array, Array]:
    """(beta_t, alpha_bar_t, alpha_bar_{t-1}), to be multiplied with images."""
    alpha_bar = schedule.alpha_bar
    previous = jnp.concatenate([jnp.ones(1, alpha_bar.dtype), alpha_bar[:-1]])
    return _spread(1 - alpha_bar[t] / previous[t]), _spread(alpha_bar[t]), _spread(previous[t])


def _spread(values: Array) -> Array:
    """``[]`` or ``[b]`` against ``[b, h, w, c]``."""
    return jnp.reshape(values, (-1, 1, 1, 1))
