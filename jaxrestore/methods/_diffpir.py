"""DiffPIR: diffusion models for plug-and-play image restoration (Zhu et al., CVPR workshops 2023, arXiv 2305.08995).

Half-quadratic splitting, annealed: every predicted x0 is the start of a proximal step on |H x - y|^2, which it is held to by
rho_t = strength sigma_y^2 / sigma_t^2, sigma_t^2 = (1 - ab) / ab. As the noise falls the prior is believed more. The noise of
the next x is that which belongs to the result, a share of it fresh.

With strength 1 the step is E[x0 | x_t, y] for a prior that knows nothing but x_t, which is what every prior is when the noise
has become small; before, y is believed more than a posterior would. Fresh noise (zeta) takes from the draws' spread.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore._ranges import Range
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid, noise_part
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.settings import Scalar, Tried, WalkSettings, changed, settings_of
from jaxrestore.methods.walking import Walk, check_walk, onward, steps_within
from jaxrestore.operators import Operator, kind_of, proximal


@dataclass(frozen=True)
class DiffpirSettings(WalkSettings):
    """How much the prior is believed, how much of each step's noise is fresh, and how many steps there are."""

    strength: Annotated[Scalar, Range(0)] = 1.0  # lambda; idle where y has no noise
    zeta: Annotated[Scalar, Range(0, 1), Tried((0.1, 0.3, 0.6, 1.0))] = 0.3  # share of fresh noise, in the variance


# 100 steps are published. lambda and zeta are, task by task; these are ours: the lambda that a posterior has in the end.
PUBLISHED = {"any": DiffpirSettings()}


@register
@dataclass(frozen=True, kw_only=True)
class Diffpir(Walk):
    """Algorithm 1, a step of it an iteration; `diffpir` makes it."""

    strength: Any
    zeta: Any

    def move(self, x: Array, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array]:
        """A proximal step from the prediction, and one of the walk from there."""
        alpha_bar, following = time.alpha_bar, time.alpha_bar_next
        rho = self.strength * self.deviation(y) ** 2 * alpha_bar / (1 - alpha_bar)
        x0 = proximal(self.operator, self.predicted(x, time)[0], y, rho)
        fresh = jax.random.normal(key, x.shape, x.dtype)
        spread = jnp.sqrt(self.zeta * (1 - following))
        return onward(x0, noise_part(x, x0, alpha_bar), following, spread, fresh), x0


def diffpir(
    prior: Prior,
    operator: Operator,
    *,
    settings: DiffpirSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    strength: Scalar | None = None,
    zeta: Scalar | None = None,
    steps: int | None = None,
    clip: bool = True,
    restarts: int = 1,
    combine: Combine = "mean",
) -> Diffpir:
    """An image ``[h, w, c]``, in [-1, 1], between the prior and what a known linear `operator` measured with noise.

    `sigma_y`: the rms of y - H(true image), in those units; 0: every prediction is projected onto what was measured.
    `strength`, from 0 on: how much the prior is believed (lambda). `zeta`, in [0, 1]: the share of fresh noise. `steps`: of
    the walk, as many network evaluations; each step has up to 50 iterations of conjugate gradients. What isn't given comes
    from `settings`, without those from the prior, for the `kind` of problem (default: the operator's), or from what is
    published. `clip`: predicted images to [-1, 1]. The mean of several `restarts` is nearer to the truth than any. InputError
    for a number out of its range, an operator that isn't linear or of which something is unknown, a prior of latents, or one
    that ends before noise.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    >>> method = jr.diffpir(prior, jr.AveragePool(2), sigma_y=0.01, steps=20)
    >>> result = jr.restore(method, jnp.full((4, 4, 3), 0.1), jax.random.key(0))
    >>> result.image.shape, bool(result.data_term < 1e-3)
    ((8, 8, 3), True)
    """
    check_walk("diffpir", prior, operator, sigma_y, linear=True)
    chosen = changed(
        settings or settings_of("diffpir", PUBLISHED, prior, kind or kind_of(operator)),
        strength=strength,
        zeta=zeta,
        steps=steps,
    )
    return Diffpir(
        prior=prior,
        operator=operator,
        sigma_y=jnp.float32(sigma_y),
        strength=jnp.float32(chosen.strength),
        zeta=jnp.float32(chosen.zeta),
        clip=clip,
        iterations=steps_within(prior, chosen.steps),
        restarts=restarts,
        combine=combine,
    )
