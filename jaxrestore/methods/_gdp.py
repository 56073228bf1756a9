"""GDP: the generative diffusion prior, for operators known or not (Fei et al., CVPR 2023, arXiv 2304.01247).

Ancestral sampling, of which each step is followed by one along the gradient of |y - H(x0)|^2 / 2 in the predicted x0
itself: no derivative goes through the network. The operator's parameters follow the same misfit. This is the paper's
GDP-x0, without the losses of exposure, colour and smoothness that it adds for enlightening dark photographs.

The pull is as long in the last steps, when the prior has no more to say, as before: of noise in y the image takes its
share.

What is our reading: the operator takes steps of Adam, not of the gradient, as the scale of an operator's gradients is
anyone's guess; and it starts where it is given, not at random.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore._ranges import Range
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid
from jaxrestore.methods.blind_walking import BlindState, BlindWalk, Estimate, check_blind_walk
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.settings import BlindWalkSettings, Count, Rate, Scalar, Tried, changed, settings_of
from jaxrestore.methods.walking import ancestral_spread, onward, steps_within
from jaxrestore.operators import Operator, kind_of


@dataclass(frozen=True)
class GdpSettings(BlindWalkSettings):
    """How strongly image and operator are pulled towards what was measured, and in how many steps."""

    # length of a pull on the image, of the gradient of half a squared norm
    scale: Annotated[Scalar, Range(0), Tried((0.1, 0.2, 0.5, 1.0))] = 0.2
    operator_lr: Rate = 0.01  # of Adam on the operator
    steps: Count = 1000  # at most as many as the schedule has times


# Steps are the paper's. So is the scale, nearly: what its code's guidance of dark photographs comes to. The operator's
# rate is ours, as its steps are.
PUBLISHED = {"any": GdpSettings()}
PUBLISHED["blind-deblur"] = replace(PUBLISHED["any"], kernel="gaussian")


@register
@dataclass(frozen=True, kw_only=True)
class Gdp(BlindWalk):
    """Algorithm 2, a step of it an iteration; `gdp` makes it."""

    scale: Any

    def move(self, state: BlindState, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array, Estimate]:
        """An ancestral step, the pull, taken at the predicted image, and the operator's step at the same one."""
        x0, eps = self.predicted(state.x, time)
        seen, pull_back = jax.vjp(self.whole(state.estimate), x0)
        (pull,) = pull_back(seen - y)
        fresh = jax.random.normal(key, x0.shape, x0.dtype)
        after = onward(x0, eps, time.alpha_bar_next, ancestral_spread(time), fresh)
        return after - self.scale * pull, x0, self.estimated(state, x0, y)


def gdp(
    prior: Prior,
    operator: Operator,
    *,
    settings: GdpSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    scale: Scalar | None = None,
    operator_lr: Scalar | None = None,
    steps: int | None = None,
    clip: bool = True,
    restarts: int = 1,
    combine: Combine = "mean",
) -> Gdp:
    """An image ``[h, w, c]``, in [-1, 1], and what is unknown of the differentiable `operator` that made y of it.

    `scale`, from 0 on: the length of each pull on the image; below 2 over the operator's largest squared norm, or the
    walk diverges. `operator_lr`, from 0 on: of Adam on the operator. `steps`: of the walk, as many network evaluations,
    and no derivatives of them. What isn't given comes from `settings`, without those from the prior, for the `kind` of
    problem (default: the operator's), or from what is published. `clip`: predicted images to [-1, 1]. `sigma_y`, the rms
    of y's noise in those units, only rates answers. Of several `restarts` `combine` makes one result. InputError for a
    number out of its range, an operator without derivatives, a prior of latents, or one that ends before noise.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    >>> method = jr.gdp(prior, jr.Blur(jr.GaussianKernel(3, unknown=True)), steps=50)
    >>> result = jr.restore(method, jnp.full((8, 8, 3), 0.1), jax.random.key(0))
    >>> result.image.shape, result.operator.kernel().shape
    ((8, 8, 3), (3, 3))
    """
    check_blind_walk("gdp", prior, operator, sigma_y)
    chosen = changed(
        settings or settings_of("gdp", PUBLISHED, prior, kind or kind_of(operator)),
        scale=scale,
        operator_lr=operator_lr,
        steps=steps,
    )
    return Gdp(
        prior=prior,
        operator=operator,
        sigma_y=jnp.float32(sigma_y),
        scale=jnp.float32(chosen.scale),
        operator_lr=jnp.float32(chosen.operator_lr),
        clip=clip,
        iterations=steps_within(prior, chosen.steps),
        restarts=restarts,
        combine=combine,
    )
