"""DAPS: decoupled annealing posterior sampling (Zhang et al., CVPR 2025, arXiv 2407.01521), for any operator.

Each step draws an x0 given x_t and y, and the next x from that x0 alone, with fresh noise of its time: so no step is bound to
the one before, and an error is no heritage. What the prior says of x0 is N(x0hat, r_t^2 I) about the end of a short DDIM
chain from x_t; the draw is by Langevin's dynamics, whose steps ask the operator and not the network. Where that Gaussian is
the prior's own (Gaussian data of one deviation, a chain of one step) the draws are the posterior's, in however few steps.
Else they vary too much.

What is our reading:

- r_t is that of data of deviation `spread` (as in `pigdm`); the paper's, the noise of x_t, is that of data without bounds.
- the dynamics start from a draw of the Gaussian, not from its centre: what y says nothing of has its spread at once.
- their steps are a share of what the stiffest direction allows, by a few power iterations, not a rate of each task's.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore._ranges import Range
from jaxrestore.diffusion.ddim import descend
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid, partial_grid
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.settings import Count, Scalar, Tried, WalkSettings, changed, settings_of
from jaxrestore.methods.walking import Walk, check_walk, onward, steps_within
from jaxrestore.operators import Operator, kind_of, squared_norm


@dataclass(frozen=True)
class DapsSettings(WalkSettings):
    """How many annealing steps, how long the chain and the dynamics of each are, and what is taken for unknown."""

    steps: Count = 200  # at most as many as the schedule has times
    chain: Count = 5  # steps of DDIM to x0hat
    dynamics: Count = 100  # steps of Langevin's
    # of the inverse of the largest curvature: the size of those
    share: Annotated[Scalar, Range(0, 1, out=True), Tried((0.03, 0.1, 0.3, 0.9))] = 0.1
    spread: Annotated[Scalar, Range(0, out=True)] = 1.0  # deviation of the data
    least_sigma: Annotated[Scalar, Range(0, out=True)] = 0.01  # y's noise is never taken for less

    @property
    def evaluations_a_step(self) -> int:
        """The chain's."""
        return self.chain


PUBLISHED = {"any": DapsSettings()}  # steps, chain, dynamics and least noise as in the paper's 1000 evaluations


@register
@dataclass(frozen=True, kw_only=True)
class Daps(Walk):
    """Algorithm 1, an annealing step an iteration; `daps` makes it."""

    share: Any
    spread: Any
    least_sigma: Any
    chain: int = field(default=5, metadata={"static": True})
    dynamics: int = field(default=100, metadata={"static": True})

    def move(self, x: Array, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array]:
        """A draw of x0 given x_t and y, and noise of the next time on it."""
        for_start, for_stiffest, for_dynamics, for_next = jax.random.split(key, 4)
        centre = descend(self.prior, x, partial_grid(self.prior.schedule, time.t, self.chain), clip=self.clip)
        uncertain = self.spread**2 * (1 - time.alpha_bar) / (time.alpha_bar * self.spread**2 + 1 - time.alpha_bar)
        variance = jnp.maximum(self.deviation(y), self.least_sigma) ** 2
        stiffest = 1 / uncertain + squared_norm(self.operator, centre, for_stiffest) / variance
        size = self.share / stiffest

        def energy(x0: Array) -> Array:
            misfit = jnp.sum((self.operator(x0) - y) ** 2) / variance
            return (misfit + jnp.sum((x0 - centre) ** 2) / uncertain) / 2

        def langevin(number: Any, x0: Array) -> Array:
            fresh = jax.random.normal(jax.random.fold_in(for_dynamics, number), x.shape, x.dtype)
            return x0 - size * jax.grad(energy)(x0) + jnp.sqrt(2 * size) * fresh

        start = centre + jnp.sqrt(uncertain) * jax.random.normal(for_start, x.shape, x.dtype)
        x0 = jax.lax.fori_loop(0, self.dynamics, langevin, start)
        fresh = jax.random.normal(for_next, x.shape, x.dtype)
        return onward(x0, fresh, time.alpha_bar_next, 0.0, fresh), x0

    @property
    def evaluations(self) -> int:
        """Of the chain."""
        return self.chain


def daps(
    prior: Prior,
    operator: Operator,
    *,
    settings: DapsSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    steps: int | None = None,
    chain: int | None = None,
    dynamics: int | None = None,
    share: Scalar | None = None,
    spread: Scalar | None = None,
    least_sigma: Scalar | None = None,
    clip: bool = True,
    restarts: int = 1,
    combine: Combine = "mean",
) -> Daps:
    """A draw, of images ``[h, w, c]`` in [-1, 1], given what any known, differentiable `operator` measured with noise.

    `sigma_y`: the rms of y - H(true image), in those units, and taken for at least `least_sigma`. `steps` of annealing, each
    with `chain` steps of DDIM (as many network evaluations, and no derivatives of them) and `dynamics` steps of Langevin's
    with a derivative of the operator each; these are of a `share`, in (0, 1], of what the stiffest direction allows.
    `spread`, above 0: the deviation of the data. What isn't given comes from `settings`, without those from the prior, for
    the `kind` of problem (default: the operator's), or from what is published. `clip`: the chain's predictions to [-1, 1].
    The mean of several `restarts` is nearer to the truth than any. InputError for a number out of its range, an operator of
    which something is unknown, a prior of latents, or one that ends before noise.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    >>> method = jr.daps(prior, jr.AveragePool(2), steps=10)
    >>> result = jr.restore(method, jnp.full((4, 4, 3), 0.1), jax.random.key(0))
    >>> result.image.shape, bool(result.data_term < 1e-3)
    ((8, 8, 3), True)
    """
    check_walk("daps", prior, operator, sigma_y, linear=False)
    chosen = changed(
        settings or settings_of("daps", PUBLISHED, prior, kind or kind_of(operator)),
        steps=steps,
        chain=chain,
        dynamics=dynamics,
        share=share,
        spread=spread,
        least_sigma=least_sigma,
    )
    return Daps(
        prior=prior,
        operator=operator,
        sigma_y=jnp.float32(sigma_y),
        share=jnp.float32(chosen.share),
        spread=jnp.float32(chosen.spread),
        least_sigma=jnp.float32(chosen.least_sigma),
        chain=chosen.chain,
        dynamics=chosen.dynamics,
        clip=clip,
        iterations=steps_within(prior, chosen.steps),
        restarts=restarts,
        combine=combine,
    )
