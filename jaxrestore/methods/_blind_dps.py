"""BlindDPS: image and operator by gradients of one likelihood (Chung, Kim, Kim & Ye, CVPR 2023, arXiv 2211.10656).

Each step is one of DPS, by the operator as it is estimated so far: ancestral sampling, then a pull along the gradient of
|y - H(x0(x_t))| in x_t, through the network. The operator follows the gradient of the same misfit at the same prediction.

What is our reading, and less than the paper's method: there, the operator's parameters (a blur kernel, a map of tilts)
walk down from noise, too, under a diffusion prior of their own. There is no such prior here. The operator starts where it
is given, takes steps of Adam, as the scale of an operator's gradients is anyone's guess, and is held to what is possible
by its own parameters (a softmax's kernel is positive and of sum one).
"""

from dataclasses import dataclass, replace
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax
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
class BlindDpsSettings(BlindWalkSettings):
    """How strongly image and operator are pulled towards what was measured, and in how many steps."""

    # length of a pull on the image, of the gradient of a norm
    scale: Annotated[Scalar, Range(0), Tried((0.3, 3.0, 10.0, 30.0))] = 0.3
    operator_lr: Rate = 0.01  # of Adam on the operator
    steps: Count = 1000  # at most as many as the schedule has times


# Scale and steps are the published code's; the operator's rate is ours, as its steps are.
PUBLISHED = {"any": BlindDpsSettings()}
PUBLISHED["blind-deblur"] = replace(PUBLISHED["any"], kernel="gaussian")


@register
@dataclass(frozen=True, kw_only=True)
class BlindDps(BlindWalk):
    """Algorithm 1 without a prior of operators, a step of it an iteration; `blind_dps` makes it."""

    scale: Any

    def move(self, state: BlindState, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array, Estimate]:
        """An ancestral step, the pull, taken at x_t, and the operator's step at the same prediction."""
        operator = self.whole(state.estimate)

        def distance(x: Array) -> tuple[Array, tuple[Array, Array]]:
            x0, eps = self.predicted(x, time)
            return optax.safe_norm(y - operator(x0), 1e-6), (x0, eps)

        pull, (x0, eps) = jax.grad(distance, has_aux=True)(state.x)
        fresh = jax.random.normal(key, x0.shape, x0.dtype)
        after = onward(x0, eps, time.alpha_bar_next, ancestral_spread(time), fresh)
        return after - self.scale * pull, x0, self.estimated(state, x0, y)


def blind_dps(
    prior: Prior,
    operator: Operator,
    *,
    settings: BlindDpsSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    scale: Scalar | None = None,
    operator_lr: Scalar | None = None,
    steps: int | None = None,
    clip: bool = True,
    restarts: int = 1,
    combine: Combine = "mean",
) -> BlindDps:
    """An image ``[h, w, c]``, in [-1, 1], and what is unknown of the differentiable `operator` that made y of it.

    `scale`, from 0 on: the length of each pull on the image. `operator_lr`, from 0 on: of Adam on the operator. `steps`:
    of the walk, as many network evaluations, each with its derivative. What isn't given comes from `settings`, without
    those from the prior, for the `kind` of problem (default: the operator's), or from what is published. `clip`:
    predicted images to [-1, 1]. `sigma_y`, the rms of y's noise in those units, only rates answers. Of several `restarts`
    `combine` makes one result. InputError for a number out of its range, an operator without derivatives, a prior of
    latents, or one that ends before noise.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    >>> method = jr.blind_dps(prior, jr.Blur(jr.GaussianKernel(3, unknown=True)), steps=50)
    >>> result = jr.restore(method, jnp.full((8, 8, 3), 0.1), jax.random.key(0))
    >>> result.image.shape, result.operator.kernel().shape
    ((8, 8, 3), (3, 3))
    """
    check_blind_walk("blind_dps", prior, operator, sigma_y)
    chosen = changed(
        settings or settings_of("blind-dps", PUBLISHED, prior, kind or kind_of(operator)),
        scale=scale,
        operator_lr=operator_lr,
        steps=steps,
    )
    return BlindDps(
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
