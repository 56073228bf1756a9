"""DPS: diffusion posterior sampling for general inverse problems (Chung et al., ICLR 2023, arXiv 2209.14687).

Ancestral sampling, of which each step is followed by one along the gradient of |y - H(x0(x_t))| in x_t, through the network.
It takes the likelihood of y given x_t for that given the x0 predicted, as if nothing were left unknown of x0; and a
step of fixed length in place of the likelihood's own. So it explains y, but how sure it is says nothing: where y fixes little
its draws leave the posterior's spread behind, and its noise isn't asked for.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore._ranges import Range
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.settings import Count, Scalar, Tried, WalkSettings, changed, settings_of
from jaxrestore.methods.walking import Walk, ancestral_spread, check_walk, onward, steps_within
from jaxrestore.operators import Operator, kind_of


@dataclass(frozen=True)
class DpsSettings(WalkSettings):
    """How strongly the image is pulled towards what was measured, and in how many steps."""

    # length of a pull, of the gradient of a norm, not of its square
    scale: Annotated[Scalar, Range(0), Tried((0.3, 1.0, 3.0, 10.0))] = 0.3
    steps: Count = 1000  # at most as many as the schedule has times


# The published code's, which pulls by the gradient of the norm: scale 0.3, for inpainting 0.5.
PUBLISHED = {"any": DpsSettings(), "inpaint": DpsSettings(scale=0.5)}


@register
@dataclass(frozen=True, kw_only=True)
class Dps(Walk):
    """Algorithm 1, a step of it an iteration; `dps` makes it."""

    scale: Any

    def move(self, x: Array, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array]:
        """An ancestral step, and the pull, taken at x_t."""

        def distance(x: Array) -> tuple[Array, tuple[Array, Array]]:
            x0, eps = self.predicted(x, time)
            return optax.safe_norm(y - self.operator(x0), 1e-6), (x0, eps)

        pull, (x0, eps) = jax.grad(distance, has_aux=True)(x)
        fresh = jax.random.normal(key, x.shape, x.dtype)
        after = onward(x0, eps, time.alpha_bar_next, ancestral_spread(time), fresh)
        return after - self.scale * pull, x0


def dps(
    prior: Prior,
    operator: Operator,
    *,
    settings: DpsSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    scale: Scalar | None = None,
    steps: int | None = None,
    clip: bool = True,
    restarts: int = 1,
    combine: Combine = "mean",
) -> Dps:
    """A draw, of images ``[h, w, c]`` in [-1, 1], that explains what any known, differentiable `operator` measured.

    `scale`, from 0 on: the length of each pull. `steps`: of the walk, as many network evaluations, each with its derivative.
    What isn't given comes from `settings`, without those from the prior, for the `kind` of problem (default: the operator's),
    or from what is published. `clip`: predicted images to [-1, 1]. `sigma_y`, the rms of y's noise in those units, only
    rates answers. The mean of several `restarts` is nearer to the truth than any. InputError for a number out of its range,
    an operator of which something is unknown, a prior of latents, or one that ends before noise.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    >>> method = jr.dps(prior, jr.AveragePool(2), steps=50)
    >>> result = jr.restore(method, jnp.full((4, 4, 3), 0.1), jax.random.key(0))
    >>> result.image.shape, bool(result.data_term < 0.01)
    ((8, 8, 3), True)
    """
    check_walk("dps", prior, operator, sigma_y, linear=False)
    chosen = changed(
        settings or settings_of("dps", PUBLISHED, prior, kind or kind_of(operator)), scale=scale, steps=steps
    )
    return Dps(
        prior=prior,
        operator=operator,
        sigma_y=jnp.float32(sigma_y),
        scale=jnp.float32(chosen.scale),
        clip=clip,
        iterations=steps_within(prior, chosen.steps),
        restarts=restarts,
        combine=combine,
    )
