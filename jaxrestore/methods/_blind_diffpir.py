"""Blind DiffPIR, this library's own: DiffPIR (Zhu et al. 2023), estimating what is unknown of the operator on its way.

Each step is one of DiffPIR's, by the operator as it is estimated so far. From a share of the walk on, when the predicted
images have formed, the estimate is moved before it is used: by the damped least-squares steps that the library's searches
take on an operator, on the image that the prior predicts alone, y's noise counted. Nothing else is known of the operator
but its form: there is no prior of kernels.

Several walks go down together with one operator, which is estimated from all their predictions, and the image is their mean:
nearer to the posterior's mean than a draw is.

What an operator is off acts as noise that y doesn't have. So y's noise is never taken for less than `least_sigma`, and
each prediction stays that much nearer to the prior.

Known of it: x0 predicted early is smoother than the image, and a kernel estimated from it narrower than the true one. A
walk that believes a wrong kernel for long makes an image that suits it: so the operator's steps come late, and are few.
"""

from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore._ranges import Range
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid, noise_part
from jaxrestore.methods.blind_walking import BlindState, BlindWalk, Estimate, check_blind_walk
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.operator_steps import GaussNewton
from jaxrestore.methods.settings import BlindWalkSettings, Count, Rate, Scalar, Share, Tried, changed, settings_of
from jaxrestore.methods.walking import onward, steps_within
from jaxrestore.operators import Operator, kind_of, proximal


@dataclass(frozen=True)
class BlindDiffpirSettings(BlindWalkSettings):
    """Those of DiffPIR, and how the operator is moved."""

    strength: Annotated[Scalar, Range(0)] = 1.0  # lambda: how much the prior is believed
    zeta: Annotated[Scalar, Range(0, 1)] = 1.0  # share of fresh noise, in the variance
    # y's noise is never taken for less
    least_sigma: Annotated[Scalar, Range(0), Tried((0.02, 0.05, 0.1, 0.2))] = 0.05
    steps: Count = 25  # more are a little better behind motion, and much worse behind a Gaussian
    walks: Count = 4  # with one operator
    operator_every: Count = 1  # steps of the walk from one on the operator to the next
    operator_from: Share = 0.8  # the share of the walk before the first of them
    damping: Rate = 2e-6  # of those on the operator

    @property
    def evaluations_a_step(self) -> int:
        """One of each walk."""
        return self.walks


# Ours, chosen on photographs of flowers. The five numbers of a Gaussian kernel are bound, 121 weights hardly.
PUBLISHED = {"any": BlindDiffpirSettings()}
PUBLISHED["blind-deblur"] = replace(PUBLISHED["any"], kernel="gaussian", damping=1e-3)


@register
@dataclass(frozen=True, kw_only=True)
class BlindDiffpir(BlindWalk):
    """A step of the walk is an iteration; `blind_diffpir` makes it."""

    strength: Any
    zeta: Any
    least_sigma: Any
    walks: int = field(default=1, metadata={"static": True})

    @property
    def start_shape(self) -> tuple[int, ...]:
        return (self.walks, *self.prior.shape)

    def move(self, state: BlindState, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array, Estimate]:
        """The operator moved, a proximal step from the prediction, and one of the walk from there."""
        x, alpha_bar, following = state.x, time.alpha_bar, time.alpha_bar_next
        x0 = self.predicted(x, time)[0]
        estimate = self.estimated(state, x0, y, self.deviation(y))
        deviation = jnp.maximum(self.deviation(y), self.least_sigma)
        rho = self.strength * deviation**2 * alpha_bar / (1 - alpha_bar)
        operator = self.whole(estimate)
        x0 = jax.vmap(lambda image: proximal(operator, image, y, rho))(x0)
        fresh = jax.random.normal(key, x.shape, x.dtype)
        spread = jnp.sqrt(self.zeta * (1 - following))
        return onward(x0, noise_part(x, x0, alpha_bar), following, spread, fresh), x0, estimate

    @property
    def evaluations(self) -> int:
        """One of each walk."""
        return self.walks


def blind_diffpir(
    prior: Prior,
    operator: Operator,
    *,
    settings: BlindDiffpirSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    strength: Scalar | None = None,
    zeta: Scalar | None = None,
    least_sigma: Scalar | None = None,
    steps: int | None = None,
    walks: int | None = None,
    operator_every: int | None = None,
    operator_from: Scalar | None = None,
    damping: Scalar | None = None,
    clip: bool = True,
    restarts: int = 1,
    combine: Combine = "mean",
) -> BlindDiffpir:
    """An image ``[h, w, c]``, in [-1, 1], and what is unknown of the differentiable `operator` that made y of it.

    `sigma_y`: the rms of y - H(true image), in those units, and taken for at least `least_sigma`, from 0 on. `strength`,
    from 0 on: how much the prior is believed (lambda). `zeta`, in [0, 1]: the share of fresh noise. `steps`: of the
    walks, as many network evaluations of each of the `walks` and no derivatives of them; each has up to 50 iterations of
    conjugate gradients.
    `operator_every`, `operator_from`, `damping`: of the Gauss-Newton steps on the operator, as in `bird`. What isn't
    given comes from `settings`, without those from the prior, for the `kind` of problem (default: the operator's), or
    from `published`, which here is the library's own. `clip`: predicted images to [-1, 1]. Of several `restarts`
    `combine` makes one result; an operator of which nothing is unknown is restored by as `diffpir` does. InputError for a
    number out of its range, an operator without derivatives, a prior of latents, or one that ends before noise.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    >>> blur = jr.Blur(jr.GaussianKernel(3, unknown=True))
    >>> method = jr.blind_diffpir(prior, blur, sigma_y=0.01, steps=20)
    >>> result = jr.restore(method, jnp.full((8, 8, 3), 0.1), jax.random.key(0))
    >>> result.image.shape, result.operator.kernel().shape
    ((8, 8, 3), (3, 3))
    """
    check_blind_walk("blind_diffpir", prior, operator, sigma_y)
    chosen = changed(
        settings or settings_of("blind-diffpir", PUBLISHED, prior, kind or kind_of(operator)),
        strength=strength,
        zeta=zeta,
        least_sigma=least_sigma,
        steps=steps,
        walks=walks,
        operator_every=operator_every,
        operator_from=operator_from,
        damping=damping,
    )
    return BlindDiffpir(
        prior=prior,
        operator=operator,
        sigma_y=jnp.float32(sigma_y),
        strength=jnp.float32(chosen.strength),
        zeta=jnp.float32(chosen.zeta),
        least_sigma=jnp.float32(chosen.least_sigma),
        walks=chosen.walks,
        operator_steps=GaussNewton(jnp.float32(chosen.damping), chosen.operator_every, chosen.operator_from),
        clip=clip,
        iterations=steps_within(prior, chosen.steps),
        restarts=restarts,
        combine=combine,
    )
