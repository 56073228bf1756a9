"""PiGDM: pseudoinverse-guided diffusion (Song, Vahdat, Mardani & Kautz, ICLR 2023), for linear operators.

As DPS, through the network; but what is left unknown of x0 at x_t is counted, as N(x0 predicted, r_t^2 I). The likelihood is
then Gaussian, N(H x0, r_t^2 H H^T + sigma_y^2 I), and its gradient in x_t makes of the prior's score the posterior's.
Of Gaussian data of one deviation it is exact for every linear operator, and the draws are the posterior's, up to the size of
the steps.

What is our reading: the gradient goes into the prediction of x0 by Tweedie's formula, and from there into DDIM, as the score
it is. (The paper's sampler adds it to the next x with an adaptive weight instead, of which more steps make more.) r_t is
written for data of deviation `spread`; the paper's r_t^2 = 1 - ab is that of 1.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore._ranges import Range
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid, clean_part, noise_part
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.settings import Scalar, Tried, WalkSettings, changed, settings_of
from jaxrestore.methods.walking import Walk, ancestral_spread, check_walk, onward, steps_within
from jaxrestore.operators import Operator, adjoint, dual, kind_of


@dataclass(frozen=True)
class PigdmSettings(WalkSettings):
    """What is thought unknown of an image, in how many steps, and how much noise of each is fresh."""

    spread: Annotated[Scalar, Range(0, out=True), Tried((0.1, 0.25, 0.5, 1.0))] = 1.0  # deviation of the data
    eta: Annotated[Scalar, Range(0, 1)] = 1.0  # 0: DDIM, 1: ancestral sampling


PUBLISHED = {"any": PigdmSettings()}


@register
@dataclass(frozen=True, kw_only=True)
class Pigdm(Walk):
    """DDIM by the posterior's score, a step of it an iteration; `pigdm` makes it."""

    spread: Any
    eta: Any

    def move(self, x: Array, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array]:
        """The prediction moved along the likelihood's gradient, and a step from there."""
        alpha_bar = time.alpha_bar

        def predict(x: Array) -> Array:  # unclipped: what was clipped would have no gradient
            return clean_part(x, self.prior.predict_noise(x, time.t), alpha_bar)

        x0, pull_back = jax.vjp(predict, x)
        uncertain = unknown_variance(self.spread, alpha_bar)
        (gradient,) = pull_back(likelihood_gradient(self.operator, x0, y, self.deviation(y), uncertain))
        x0 = x0 + (1 - alpha_bar) / jnp.sqrt(alpha_bar) * gradient
        if self.clip:
            x0 = jnp.clip(x0, -1.0, 1.0)
        eps, fresh = noise_part(x, x0, alpha_bar), jax.random.normal(key, x.shape, x.dtype)
        return onward(x0, eps, time.alpha_bar_next, self.eta * ancestral_spread(time), fresh), x0


def unknown_variance(spread: Any, alpha_bar: Array) -> Array:
    """r_t^2, of x0 given x_t, for data of deviation `spread`."""
    return spread**2 * (1 - alpha_bar) / (alpha_bar * spread**2 + 1 - alpha_bar)


def likelihood_gradient(operator: Operator, x0: Array, y: Array, deviation: Array, uncertain: Array) -> Array:
    """The gradient of log p(y | x_t) in x0 predicted, of which a variance is `uncertain`; of an operator that isn't linear,
    with its derivative there in its place."""
    predicted, derivative = jax.linearize(operator, x0)
    explained = dual(derivative, y - predicted, deviation**2 / uncertain, x0.shape) / uncertain
    return adjoint(derivative, explained, x0.shape)


def pigdm(
    prior: Prior,
    operator: Operator,
    *,
    settings: PigdmSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    spread: Scalar | None = None,
    eta: Scalar | None = None,
    steps: int | None = None,
    clip: bool = True,
    restarts: int = 1,
    combine: Combine = "mean",
) -> Pigdm:
    """A draw, of images ``[h, w, c]`` in [-1, 1], given what a known linear `operator` measured with noise of `sigma_y`.

    `sigma_y`: the rms of y - H(true image), in those units. `spread`, above 0: the deviation of the data. `eta`, in [0, 1]:
    the share of fresh noise. `steps`: of the walk, as many network evaluations, each with its derivative. What isn't given
    comes from `settings`, without those from the prior, for the `kind` of problem (default: the operator's), or from what is
    published. `clip`: predicted images to [-1, 1]. The mean of several `restarts` is nearer to the truth than any. InputError
    for a number out of its range, an operator that isn't linear or of which something is unknown, a prior of latents, or one
    that ends before noise.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    >>> method = jr.pigdm(prior, jr.AveragePool(2), steps=20)
    >>> result = jr.restore(method, jnp.full((4, 4, 3), 0.1), jax.random.key(0))
    >>> result.image.shape, bool(result.data_term < 1e-4)
    ((8, 8, 3), True)
    """
    check_walk("pigdm", prior, operator, sigma_y, linear=True)
    chosen = changed(
        settings or settings_of("pigdm", PUBLISHED, prior, kind or kind_of(operator)),
        spread=spread,
        eta=eta,
        steps=steps,
    )
    return Pigdm(
        prior=prior,
        operator=operator,
        sigma_y=jnp.float32(sigma_y),
        spread=jnp.float32(chosen.spread),
        eta=jnp.float32(chosen.eta),
        clip=clip,
        iterations=steps_within(prior, chosen.steps),
        restarts=restarts,
        combine=combine,
    )
