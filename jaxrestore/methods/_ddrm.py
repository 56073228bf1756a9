"""DDRM: denoising diffusion restoration models (Kawar, Elad, Ermon & Song, NeurIPS 2022, arXiv 2201.11793).

In the coordinates of H = U S V^T each number of an image is measured by itself, with noise of deviation sigma_y / s, or not
at all. Where x is noisier than that, its next value is drawn about what y says; where y is the noisier one, about the
prediction, moved towards y; and what isn't measured is DDIM's. No derivative, and few steps. The paper writes it for
variance-exploding x; ours is that x, scaled by sqrt(ab), as in its appendix.

Known of it: fresh noise in the place of the prior's (eta) draws images that vary less than the data do; and at no time is y
weighed against the prior: a number is y's until the noise has fallen to y's own, so that where y is a little noisy it is
believed too much, and its draws vary less than the posterior.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore._ranges import Range
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid
from jaxrestore.errors import InputError
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.settings import Count, Scalar, Tried, WalkSettings, changed, settings_of
from jaxrestore.methods.walking import Walk, WalkState, check_walk, steps_within
from jaxrestore.operators import Operator, Svd, decompose, kind_of

CUTOFF = 1e-3  # of the largest singular value, below which a direction is not measured, as in a blur's pseudo-inverse


@dataclass(frozen=True)
class DdrmSettings(WalkSettings):
    """How much of each step's noise is fresh, how much of y goes in at once, and how many steps there are."""

    # share in the deviation of the next x's noise, not of DDIM's own eta
    eta: Annotated[Scalar, Range(0, 1), Tried((0.2, 0.5, 0.85, 1.0))] = 0.85
    eta_b: Annotated[Scalar, Range(0, 1)] = 1.0  # share of y in the next x's mean, where x is the noisier one
    steps: Count = 20  # at most as many as the schedule has times


PUBLISHED = {"any": DdrmSettings()}  # the paper's


@register
@dataclass(frozen=True, kw_only=True)
class Ddrm(Walk):
    """Equations 4 to 8, a step of it an iteration; `ddrm` makes it."""

    svd: Svd
    eta: Any
    eta_b: Any

    def told(self, y: Array) -> tuple[Array, Array, Array]:
        """Of each coordinate: what y says, the deviation of its noise, and whether it is measured at all."""
        values = self.svd.values
        measured = values > CUTOFF * jnp.max(values)
        inverse = jnp.where(measured, 1 / jnp.where(measured, values, 1), 0)
        return inverse * self.svd.ut(y), inverse * self.deviation(y), measured

    def init(self, y: Array, key: Array) -> WalkState:
        """Pure noise about what y says, with as much less of it as y has itself."""
        state, alpha_bar = super().init(y, key), self.times.alpha_bar[0]
        said, sigma, measured = self.told(y)
        level = jnp.sqrt((1 - alpha_bar) / alpha_bar)
        known = measured & (sigma <= level)
        spread = jnp.sqrt(level**2 - jnp.where(known, sigma, 0) ** 2)
        x = self.svd.v(jnp.where(known, said, 0) + spread * self.svd.vt(state.x))
        return state._replace(x=jnp.sqrt(alpha_bar) * x)

    def move(self, x: Array, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array]:
        """Each coordinate of the next x, drawn by itself."""
        x0 = self.predicted(x, time)[0]
        said, sigma, measured = self.told(y)
        level, following = (jnp.sqrt((1 - ab) / ab) for ab in (time.alpha_bar, time.alpha_bar_next))
        predicted, exploded = self.svd.vt(x0), self.svd.vt(x / jnp.sqrt(time.alpha_bar))
        kept = jnp.sqrt(1 - self.eta**2) * following
        free = predicted + kept * (exploded - predicted) / level
        towards = predicted + kept * (said - predicted) / jnp.where(sigma > 0, sigma, 1)
        about = (1 - self.eta_b) * predicted + self.eta_b * said
        loud = measured & (sigma <= following)  # x, compared with y
        mean = jnp.where(loud, about, jnp.where(measured, towards, free))
        rest = jnp.sqrt(jnp.maximum(following**2 - (self.eta_b * jnp.where(loud, sigma, 0)) ** 2, 0))
        fresh = jax.random.normal(key, predicted.shape, x.dtype)
        drawn = mean + jnp.where(loud, rest, self.eta * following) * fresh
        return jnp.sqrt(time.alpha_bar_next) * self.svd.v(drawn), x0


def ddrm(
    prior: Prior,
    operator: Operator,
    *,
    settings: DdrmSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    eta: Scalar | None = None,
    eta_b: Scalar | None = None,
    steps: int | None = None,
    clip: bool = True,
    restarts: int = 1,
    combine: Combine = "mean",
) -> Ddrm:
    """An image ``[h, w, c]``, in [-1, 1], drawn beside what a known linear `operator` measured with noise of `sigma_y`.

    `sigma_y`: the rms of y - H(true image), in those units. `eta`, in [0, 1]: the share of fresh noise. `eta_b`, in [0, 1]:
    that of y, where x is noisier. `steps`: of the walk, as many network evaluations, and no derivatives. What isn't given
    comes from `settings`, without those from the prior, for the `kind` of problem (default: the operator's), or from what is
    published. `clip`: predicted images to [-1, 1]. The mean of several `restarts` is nearer to the truth than any.

    The operator's singular values (`operators.decompose`) are in closed form for `Identity`, `Mask`, the reductions,
    `Grayscale` and a circular `Blur`; of any other they are computed here, once, from its matrix. InputError where that
    would be too large, for a number out of its range, an operator that isn't linear or of which something is unknown, a
    prior of latents, or one that ends before noise.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    >>> method = jr.ddrm(prior, jr.AveragePool(2))
    >>> result = jr.restore(method, jnp.full((4, 4, 3), 0.1), jax.random.key(0))
    >>> method.iterations, result.image.shape, bool(result.data_term < 1e-8)
    (20, (8, 8, 3), True)
    """
    check_walk("ddrm", prior, operator, sigma_y, linear=True)
    chosen = changed(
        settings or settings_of("ddrm", PUBLISHED, prior, kind or kind_of(operator)),
        eta=eta,
        eta_b=eta_b,
        steps=steps,
    )
    try:
        svd = decompose(operator, prior.shape)
    except InputError as error:
        raise InputError(f"{error} ddrm can't do without: take pigdm or diffpir.") from error
    return Ddrm(
        prior=prior,
        operator=operator,
        sigma_y=jnp.float32(sigma_y),
        svd=svd,
        eta=jnp.float32(chosen.eta),
        eta_b=jnp.float32(chosen.eta_b),
        clip=clip,
        iterations=steps_within(prior, chosen.steps),
        restarts=restarts,
        combine=combine,
    )
