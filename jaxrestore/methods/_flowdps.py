"""FlowDPS: flow-driven posterior sampling for inverse problems (Kim, Kim & Ye, ICCV 2025, arXiv 2503.08136).

The velocity at x splits it into an image and a noise. The image is moved towards y and mixed with what it was, by as much as
the time still has of noise; the noise is mixed with fresh one, by as much as it hasn't; and both make the next x. No
derivative of the network.

Known of it: y goes in with a weight that falls with u, whatever its noise is, and the last steps have next to none of it. So
an exact y isn't reached, and draws vary there, too; the mean lies between the prior's and the posterior's.

What is our reading: the paper's space is a latent one, where it takes three steps along the gradient of a norm, of a length
that suits those latents, on times moved towards noise. Ours is that of images: three steps on |H(x0) - y|^2, each of the
length that the stiffest direction allows, on even times.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore._ranges import Range
from jaxrestore.diffusion.denoisers import flow_times
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.flows import flow_grid, towards
from jaxrestore.methods.settings import Count, Scalar, Tried, WalkSettings, changed, settings_of
from jaxrestore.methods.walking import Walk, check_walk, onward, steps_within
from jaxrestore.operators import Operator, kind_of


@dataclass(frozen=True)
class FlowdpsSettings(WalkSettings):
    """How far each predicted image is moved towards y, in how many steps, and how many times there are."""

    # of the inverse of the largest curvature: a step's size
    share: Annotated[Scalar, Range(0, 2), Tried((0.25, 0.5, 1.0, 1.5))] = 1.0
    inner: Count = 3  # such steps
    steps: Count = 28  # at most as many as the schedule has times


PUBLISHED = {"any": FlowdpsSettings()}  # numbers of steps; their size is ours


@register
@dataclass(frozen=True, kw_only=True)
class Flowdps(Walk):
    """Algorithm 1, a step of it an iteration; `flowdps` makes it."""

    share: Any
    inner: int = field(default=3, metadata={"static": True})

    @property
    def times(self) -> TimeGrid:
        """Even on the straight path."""
        return flow_grid(self.prior.schedule, self.iterations)

    def move(self, x: Array, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array]:
        """The image moved towards y, the noise renewed, and x made of them."""
        for_step, for_noise = jax.random.split(key)
        x0, eps = self.predicted(x, time)
        u, following = flow_times(time.alpha_bar), flow_times(time.alpha_bar_next)
        x0 = (1 - u) * x0 + u * towards(self.operator, x0, y, self.share, for_step, self.inner)
        fresh = jax.random.normal(for_noise, x.shape, x.dtype)
        noise = jnp.sqrt(following) * eps + jnp.sqrt(1 - following) * fresh
        return onward(x0, noise, time.alpha_bar_next, 0.0, fresh), x0


def flowdps(
    prior: Prior,
    operator: Operator,
    *,
    settings: FlowdpsSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    share: Scalar | None = None,
    inner: int | None = None,
    steps: int | None = None,
    clip: bool = True,
    restarts: int = 1,
    combine: Combine = "mean",
) -> Flowdps:
    """A draw, of images ``[h, w, c]`` in [-1, 1], near to what any known, differentiable `operator` measured.

    `steps`: of the walk, as many network evaluations, and no derivatives; in each the predicted image goes `inner` steps
    towards y, of a `share`, in [0, 2], of what the stiffest direction allows. What isn't given comes from `settings`, without
    those from the prior, for the `kind` of problem (default: the operator's), or from what is published. `clip`: predicted
    images to [-1, 1]. `sigma_y`, the rms of y's noise in those units, only rates answers. The mean of several `restarts` is
    nearer to the truth than any. The prior may be a flow or of any other kind. InputError for a number out of its range, an
    operator of which something is unknown, a prior of latents, or one that ends before noise.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    >>> method = jr.flowdps(prior, jr.AveragePool(2))
    >>> result = jr.restore(method, jnp.full((4, 4, 3), 0.1), jax.random.key(0))
    >>> result.image.shape, bool(result.data_term < 0.01)
    ((8, 8, 3), True)
    """
    check_walk("flowdps", prior, operator, sigma_y, linear=False)
    chosen = changed(
        settings or settings_of("flowdps", PUBLISHED, prior, kind or kind_of(operator)),
        share=share,
        inner=inner,
        steps=steps,
    )
    return Flowdps(
        prior=prior,
        operator=operator,
        sigma_y=jnp.float32(sigma_y),
        share=jnp.float32(chosen.share),
        inner=chosen.inner,
        clip=clip,
        iterations=steps_within(prior, chosen.steps),
        restarts=restarts,
        combine=combine,
    )
