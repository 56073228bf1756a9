"""DDNM and DDNM+: the denoising diffusion null-space model (Wang, Yu & Zhang, ICLR 2023, arXiv 2212.00490).

Of every predicted x0 the part that H sees is put in the place of what y says of it, by the pseudo-inverse; the prior decides
the null space alone. With noise in y (DDNM+, section 3.3) that part is only mixed in, as far as the noise it brings is no
more than the next x has to have, and so much less noise is added.

Known of it: fresh noise in the place of the prior's (eta) draws images that vary less than the data do, the more so the
larger eta is; and its answer to a noisy y is no posterior mean, as nothing weighs y against the prior.

The noise is counted by one number for all that H sees, exact for masks, strides and averages, whose rows are orthogonal and
of one length. A blur's pseudo-inverse amplifies some of it much more than the rest, for which the paper takes an SVD: for a
noisy blur take pigdm or diffpir.
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
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.settings import Scalar, Tried, WalkSettings, changed, settings_of
from jaxrestore.methods.walking import Walk, check_walk, steps_within
from jaxrestore.operators import Operator, kind_of, pseudo_inverse


@dataclass(frozen=True)
class DdnmSettings(WalkSettings):
    """How much of each step's noise is fresh, and how many there are."""

    # share in the deviation of the next x's noise, not of DDIM's own eta
    eta: Annotated[Scalar, Range(0, 1), Tried((0.2, 0.5, 0.85, 1.0))] = 0.85


PUBLISHED = {"any": DdnmSettings()}  # the published code's


@register
@dataclass(frozen=True, kw_only=True)
class Ddnm(Walk):
    """Algorithm 1, with y's noise as in section 3.3; a step of it is an iteration. `ddnm` makes it."""

    eta: Any

    def move(self, x: Array, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array]:
        """The prediction's range-space part corrected by y, and a step from there."""
        x0, eps = self.predicted(x, time)
        fresh = jax.random.normal(key, x.shape, x.dtype)
        sight = self.operator(fresh)
        seen = pseudo_inverse(self.operator, sight, x.shape)  # the part of the fresh noise in the range space
        gain = jnp.linalg.norm(seen) / jnp.linalg.norm(sight)  # of noise, by the pseudo-inverse
        signal, level = jnp.sqrt(time.alpha_bar_next), jnp.sqrt(1 - time.alpha_bar_next)
        wanted = self.eta * level
        share, added = balance(signal * self.deviation(y) * gain, wanted)
        x0 = x0 + share * pseudo_inverse(self.operator, y - self.operator(x0), x.shape)
        kept = level * jnp.sqrt(1 - self.eta**2)
        return signal * x0 + kept * eps + wanted * fresh - (wanted - added) * seen, x0


def balance(brought: Array, wanted: Array) -> tuple[Array, Array]:
    """The share lambda of the correction, and the deviation of the noise to add, where the whole correction would bring noise
    of deviation `brought` into an x whose fresh noise is `wanted`.

    >>> [round(float(number), 2) for number in balance(jnp.float32(0.3), jnp.float32(0.5))]
    [1.0, 0.4]
    """
    share = jnp.where(brought > wanted, wanted / jnp.where(brought > 0, brought, 1.0), 1.0)
    return share, jnp.sqrt(jnp.maximum(wanted**2 - (share * brought) ** 2, 0.0))


def ddnm(
    prior: Prior,
    operator: Operator,
    *,
    settings: DdnmSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    eta: Scalar | None = None,
    steps: int | None = None,
    clip: bool = True,
    restarts: int = 1,
    combine: Combine = "mean",
) -> Ddnm:
    """An image ``[h, w, c]``, in [-1, 1], whose part that a known linear `operator` sees is y's; with noise DDNM+.

    `sigma_y`: the rms of y - H(true image), in those units. `eta`, in [0, 1]: the share of fresh noise; with noise in y and
    eta 0 nothing of y goes in. `steps`: of the walk, as many network evaluations; each step has one pseudo-inverse, the
    operator's own or by conjugate gradients. What isn't given comes from `settings`, without those from the prior, for the
    `kind` of problem (default: the operator's), or from what is published. `clip`: predicted images to [-1, 1]. The mean of
    several `restarts` is nearer to the truth than any. InputError for a number out of its range, an operator that isn't
    linear or of which something is unknown, a prior of latents, or one that ends before noise.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    >>> method = jr.ddnm(prior, jr.AveragePool(2), steps=20)
    >>> result = jr.restore(method, jnp.full((4, 4, 3), 0.1), jax.random.key(0))
    >>> result.image.shape, bool(result.data_term < 1e-8)
    ((8, 8, 3), True)
    """
    check_walk("ddnm", prior, operator, sigma_y, linear=True)
    chosen = changed(settings or settings_of("ddnm", PUBLISHED, prior, kind or kind_of(operator)), eta=eta, steps=steps)
    return Ddnm(
        prior=prior,
        operator=operator,
        sigma_y=jnp.float32(sigma_y),
        eta=jnp.float32(chosen.eta),
        clip=clip,
        iterations=steps_within(prior, chosen.steps),
        restarts=restarts,
        combine=combine,
    )
