"""PnP-Flow: plug-and-play image restoration with flow matching (Martin et al., ICLR 2025, arXiv 2410.02423).

Each step goes along the gradient of |H(x) - y|^2, puts the result back to time u of the flow by fresh noise, and takes what
the velocity there says of x0: a denoiser as strong as the time asks for. The gradient's step falls as u^alpha. No derivative
of the network, and nothing of one step is kept for the next but the image.

Known of it: it looks for one image. Its draws vary far less than the posterior, and are no posterior's mean: sigma_y has no
part in it (the paper's step is in its units, which cancel), and the last denoisers, of hardly any noise, change nothing.

What is our reading: the step is a share of what the stiffest direction allows. The paper's operators have 1 there.
"""

from dataclasses import dataclass, field, replace
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
from jaxrestore.methods.walking import Walk, WalkState, check_walk, steps_within
from jaxrestore.operators import Operator, kind_of


@dataclass(frozen=True)
class PnpFlowSettings(WalkSettings):
    """How long the steps on the data are, how fast they fall, and how many draws of how many times there are."""

    share: Annotated[Scalar, Range(0, 2)] = 1.0  # of the inverse of the largest curvature: the first step's size
    alpha: Annotated[Scalar, Range(0), Tried((0.01, 0.3, 0.5, 0.8))] = 0.5  # power of u by which it falls
    draws: Count = 5  # of fresh noise in a step, of which the denoised are averaged

    @property
    def evaluations_a_step(self) -> int:
        """One a draw."""
        return self.draws


_ANY = PnpFlowSettings()
PUBLISHED = {  # of the paper's faces, by task; what it doesn't have takes the code's default
    "any": _ANY,
    "denoise": replace(_ANY, alpha=0.8),
    "deblur": replace(_ANY, alpha=0.01),
    "super-resolution": replace(_ANY, alpha=0.3),
    "inpaint": replace(_ANY, alpha=0.5),
    "compressed-sensing": replace(_ANY, alpha=0.01),
}


@register
@dataclass(frozen=True, kw_only=True)
class PnpFlow(Walk):
    """Algorithm 3, a step of it an iteration; `pnp_flow` makes it. Its x is the image."""

    share: Any
    alpha: Any
    draws: int = field(default=5, metadata={"static": True})

    @property
    def times(self) -> TimeGrid:
        """Even on the straight path."""
        return flow_grid(self.prior.schedule, self.iterations)

    def init(self, y: Array, key: Array) -> WalkState:
        """Grey: at u = 1 nothing of it is left."""
        state = super().init(y, key)
        return state._replace(x=jnp.zeros_like(state.x))

    def move(self, x: Array, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array]:
        """A step on the data, and the mean of what is denoised of it."""
        for_step, for_draws = jax.random.split(key)
        share = self.share * flow_times(time.alpha_bar) ** self.alpha
        nearer = towards(self.operator, x, y, share, for_step)
        fresh = jax.random.normal(for_draws, (self.draws, *x.shape), x.dtype)
        x0, _ = self.predicted(jnp.sqrt(time.alpha_bar) * nearer[None] + jnp.sqrt(1 - time.alpha_bar) * fresh, time)
        image = jnp.mean(x0, axis=0)
        return image, image

    @property
    def evaluations(self) -> int:
        """One a draw."""
        return self.draws


def pnp_flow(
    prior: Prior,
    operator: Operator,
    *,
    settings: PnpFlowSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    share: Scalar | None = None,
    alpha: Scalar | None = None,
    draws: int | None = None,
    steps: int | None = None,
    clip: bool = True,
    restarts: int = 1,
    combine: Combine = "mean",
) -> PnpFlow:
    """An image ``[h, w, c]``, in [-1, 1], between the prior and what any known, differentiable `operator` measured.

    `share`, in [0, 2]: the first step's size on the data; it falls as u^`alpha` (from 0 on), u being the share of noise.
    `draws` of fresh noise in each of `steps`: as many network evaluations, in one batch, and no derivatives. What isn't given
    comes from `settings`, without those from the prior, for the `kind` of problem (default: the operator's), or from what is
    published. `clip`: predicted images to [-1, 1]. `sigma_y`, the rms of y's noise in those units, only rates answers. The
    prior may be a flow or of any other kind. InputError for a number out of its range, an operator of which something is
    unknown, a prior of latents, or one that ends before noise.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    >>> method = jr.pnp_flow(prior, jr.AveragePool(2), steps=20, alpha=0.01)
    >>> result = jr.restore(method, jnp.full((4, 4, 3), 0.1), jax.random.key(0))
    >>> result.image.shape, bool(result.data_term < 1e-3)
    ((8, 8, 3), True)
    """
    check_walk("pnp-flow", prior, operator, sigma_y, linear=False)
    chosen = changed(
        settings or settings_of("pnp-flow", PUBLISHED, prior, kind or kind_of(operator)),
        share=share,
        alpha=alpha,
        draws=draws,
        steps=steps,
    )
    return PnpFlow(
        prior=prior,
        operator=operator,
        sigma_y=jnp.float32(sigma_y),
        share=jnp.float32(chosen.share),
        alpha=jnp.float32(chosen.alpha),
        draws=chosen.draws,
        clip=clip,
        iterations=steps_within(prior, chosen.steps),
        restarts=restarts,
        combine=combine,
    )
