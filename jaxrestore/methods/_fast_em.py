"""Fast diffusion EM: blind restoration by guided samples (Laroche, Almansa & Coupete, WACV 2024, arXiv 2309.00287).

Expectation-maximisation in one walk. E: a few walks, guided as in PiGDM by the operator as it is, predict images. M: the
operator is moved to what makes y of those images in the mean. The paper walks to the end for each E step, too; this is
its fast form, of which a step of the walk is both.

What is our reading:

- the paper's M step is a least-squares problem with a denoiser of blur kernels for a prior. There is none here: a damped
  Gauss-Newton step takes its place, on the operator's own parameters, which hold a kernel to be positive and of sum one.
- the samples of the E step are x0 predicted, with noise of a `share` of its unknown deviation r_t on it. Predictions
  alone (share 0) vary less than images do: a gain found from them is too large. Of Gaussian data of a known deviation
  draws (share 1) mend that; of photographs they make a kernel too broad, as r_t is taken for too much.
- guidance is that of this library's `pigdm`; y's noise is never taken for less than `least_sigma`, as an operator that is
  off acts as noise.
"""

from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore._ranges import Range
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid, clean_part, noise_part
from jaxrestore.methods._pigdm import likelihood_gradient, unknown_variance
from jaxrestore.methods.blind_walking import BlindState, BlindWalk, Estimate, check_blind_walk
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.operator_steps import GaussNewton
from jaxrestore.methods.settings import BlindWalkSettings, Count, Rate, Scalar, Share, Tried, changed, settings_of
from jaxrestore.methods.walking import ancestral_spread, onward, steps_within
from jaxrestore.operators import Operator, kind_of


@dataclass(frozen=True)
class FastEmSettings(BlindWalkSettings):
    """Those of PiGDM, how many walks an operator is estimated from, and how."""

    spread: Annotated[Scalar, Range(0, out=True), Tried((0.1, 0.25, 0.5, 1.0))] = 1.0  # deviation of the data
    eta: Annotated[Scalar, Range(0, 1)] = 1.0  # 0: DDIM, 1: ancestral sampling
    particles: Count = 1  # walks with one operator
    share: Annotated[Scalar, Range(0)] = 0.0  # of the unknown deviation of x0, on what the operator is estimated from
    least_sigma: Annotated[Scalar, Range(0)] = 0.1  # y's noise is never taken for less
    operator_from: Share = 0.6  # the share of the walk before the first M step
    damping: Rate = 2e-6

    @property
    def evaluations_a_step(self) -> int:
        """One of each walk."""
        return self.particles


# 100 steps and one walk are the published code's; the M step's numbers are ours, as it is.
PUBLISHED = {"any": FastEmSettings()}
PUBLISHED["blind-deblur"] = replace(PUBLISHED["any"], kernel="gaussian", damping=1e-3)


@register
@dataclass(frozen=True, kw_only=True)
class FastEm(BlindWalk):
    """A step of the walk, with its E and its M, is an iteration; `fast_em` makes it. The image is the walks' mean."""

    spread: Any
    eta: Any
    share: Any
    least_sigma: Any
    particles: int = field(default=1, metadata={"static": True})

    @property
    def start_shape(self) -> tuple[int, ...]:
        return (self.particles, *self.prior.shape)

    def move(self, state: BlindState, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array, Estimate]:
        """The predictions, the operator that explains them, and the predictions moved along its likelihood's gradient."""
        x, alpha_bar = state.x, time.alpha_bar
        for_samples, for_next = jax.random.split(key)

        def predict(x: Array) -> Array:  # unclipped: what was clipped would have no gradient
            return clean_part(x, self.prior.predict_noise(x, time.t), alpha_bar)

        x0, pull_back = jax.vjp(predict, x)
        uncertain = unknown_variance(self.spread, alpha_bar)
        samples = jnp.clip(x0, -1.0, 1.0) if self.clip else x0
        samples += self.share * jnp.sqrt(uncertain) * jax.random.normal(for_samples, x.shape, x.dtype)
        estimate = self.estimated(state, samples, y)
        operator, deviation = self.whole(estimate), jnp.maximum(self.deviation(y), self.least_sigma)

        def explained(image: Array) -> Array:
            return likelihood_gradient(operator, image, y, deviation, uncertain)

        (gradient,) = pull_back(jax.vmap(explained)(x0))
        x0 = x0 + (1 - alpha_bar) / jnp.sqrt(alpha_bar) * gradient
        if self.clip:
            x0 = jnp.clip(x0, -1.0, 1.0)
        eps, fresh = noise_part(x, x0, alpha_bar), jax.random.normal(for_next, x.shape, x.dtype)
        return onward(x0, eps, time.alpha_bar_next, self.eta * ancestral_spread(time), fresh), x0, estimate

    @property
    def evaluations(self) -> int:
        """One of each walk, with a derivative."""
        return self.particles


def fast_em(
    prior: Prior,
    operator: Operator,
    *,
    settings: FastEmSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    spread: Scalar | None = None,
    eta: Scalar | None = None,
    steps: int | None = None,
    particles: int | None = None,
    share: Scalar | None = None,
    least_sigma: Scalar | None = None,
    operator_from: Scalar | None = None,
    damping: Scalar | None = None,
    clip: bool = True,
    restarts: int = 1,
    combine: Combine = "mean",
) -> FastEm:
    """An image ``[h, w, c]``, in [-1, 1], and what is unknown of the differentiable `operator` that made y of it.

    `sigma_y`: the rms of y - H(true image), in those units, and taken for at least `least_sigma`, from 0 on. `spread`,
    above 0: the deviation of the data. `eta`, in [0, 1]: the share of fresh noise. `particles`: walks with one operator,
    whose mean the image is. `steps`: of each, as many network evaluations with their derivatives. `share`, from 0 on: of
    the unknown deviation of a prediction, as noise on what the operator is estimated from. `operator_from`, `damping`: of
    the Gauss-Newton steps, as in `bird`. What isn't given comes from `settings`, without those from the prior, for the
    `kind` of problem (default: the operator's), or from what is published. `clip`: predicted images to [-1, 1]. Of
    several `restarts` `combine` makes one result. InputError for a number out of its range, an operator without
    derivatives, a prior of latents, or one that ends before noise.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    >>> blur = jr.Blur(jr.GaussianKernel(3, unknown=True))
    >>> method = jr.fast_em(prior, blur, sigma_y=0.01, steps=20, particles=2)
    >>> result = jr.restore(method, jnp.full((8, 8, 3), 0.1), jax.random.key(0))
    >>> result.image.shape, result.operator.kernel().shape
    ((8, 8, 3), (3, 3))
    """
    check_blind_walk("fast_em", prior, operator, sigma_y)
    chosen = changed(
        settings or settings_of("fast-em", PUBLISHED, prior, kind or kind_of(operator)),
        spread=spread,
        eta=eta,
        steps=steps,
        particles=particles,
        share=share,
        least_sigma=least_sigma,
        operator_from=operator_from,
        damping=damping,
    )
    return FastEm(
        prior=prior,
        operator=operator,
        sigma_y=jnp.float32(sigma_y),
        spread=jnp.float32(chosen.spread),
        eta=jnp.float32(chosen.eta),
        share=jnp.float32(chosen.share),
        least_sigma=jnp.float32(chosen.least_sigma),
        particles=chosen.particles,
        operator_steps=GaussNewton(jnp.float32(chosen.damping), 1, chosen.operator_from),
        clip=clip,
        iterations=steps_within(prior, chosen.steps),
        restarts=restarts,
        combine=combine,
    )
