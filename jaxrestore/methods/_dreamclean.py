"""DreamClean: fully blind restoration by corrections on the way down from an inversion (Xiao et al., ICLR 2024).

The degraded image is inverted by DDIM to a time tau, and DDIM descends from there. Before each of its steps come M
corrections: a move along the score, and fresh noise of as much variance as the move took from a noise that is as it should
be. A noise that is not, since there was something in the image that the prior doesn't know, comes nearer to it.

What we don't know of the paper is our reading:

- tau: where the noise has 0.3 of the picture's strength, in the units of `LiteralSettings`, so that one number serves every
  schedule; gamma: 0.05. Both by six photographs on which the embedded prior was trained: heavy noise gains 6 dB there, rain
  loses 2. Deeper and stronger takes away more noise up to a point, and everywhere more of the picture.
- 90 network evaluations are published, and 60 where the degradation is known: 30 steps of an inversion without fixed-point
  iterations, 30 corrections, 30 steps of DDIM.
- predicted images are not clipped but at the end: with gamma = 0 the image comes back as it was inverted.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore._ranges import Range
from jaxrestore.diffusion.ddim import ascend
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid, depth_of, partial_grid
from jaxrestore.methods.contract import Combine, refuse_latents
from jaxrestore.methods.settings import Count, Every, Scalar, Tried, WalkSettings, changed, settings_of
from jaxrestore.methods.walking import Walk, WalkIterate, WalkState, onward
from jaxrestore.operators import Identity


@dataclass(frozen=True)
class DreamCleanSettings(WalkSettings):
    """How deep, in how many steps, and how strong and how many the corrections of each are."""

    gamma: Annotated[Scalar, Range(0, 1)] = 0.05  # strength of a correction, which leaves 1 - gamma of a noise; 0: none
    # tau as sqrt((1 - ab) / ab); the schedule's last time where it ends before that
    noise_to_signal: Annotated[Scalar, Range(0, out=True), Tried((0.3, 0.6, 1.0, 2.0))] = 0.3
    corrections: Every = 1  # M, before each step
    steps: Count = 30  # down, and as many up
    refinements: Every = 0  # fixed-point iterations of each step up, after its first evaluation

    @property
    def evaluations_a_step(self) -> int:
        """Of the corrections, the step down, and the step of the inversion to the same time."""
        return self.corrections + 1 + (1 + self.refinements)


PUBLISHED = {"any": DreamCleanSettings()}


@register
@dataclass(frozen=True, kw_only=True)
class DreamClean(Walk):
    """A step is one of DDIM's, after its corrections; `dreamclean` makes it. Its operator is the identity."""

    gamma: Any
    noise_to_signal: Any
    corrections: int = field(default=1, metadata={"static": True})
    refinements: int = field(default=0, metadata={"static": True})

    @property
    def times(self) -> TimeGrid:
        """From tau down to the image, as many as there are iterations."""
        schedule = self.prior.schedule
        return partial_grid(schedule, depth_of(schedule, self.noise_to_signal), self.iterations)

    def init(self, y: Array, key: Array) -> WalkState:
        """The x at tau to which y inverts. The key is for the corrections."""
        x = ascend(self.prior, y, self.times, refinements=self.refinements)
        return WalkState(x, jnp.int32(0), jax.random.bits(key, dtype=jnp.uint32))

    def move(self, x: Array, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array]:
        """The corrections at a time, and DDIM's step to the next."""

        def once(number: Any, x: Array) -> Array:
            fresh = jax.random.normal(jax.random.fold_in(key, number), x.shape, x.dtype)
            return corrected(self.prior, x, time.t, self.gamma, fresh)

        x = jax.lax.fori_loop(0, self.corrections, once, x)
        x0, eps = self.predicted(x, time)
        return onward(x0, eps, time.alpha_bar_next, 0.0, eps), x0

    @property
    def evaluations(self) -> int:
        """Of the corrections, the step, and the inversion's step to the same time, which `init` has made."""
        return self.corrections + 1 + (1 + self.refinements)

    def score(self, iterate: WalkIterate) -> Array:
        """The data term; of images from different fresh noise none is better than another for it."""
        return iterate.data_term


def corrected(
    prior: Prior, x: Float[Array, "h w c"], t: Any, gamma: Any, fresh: Float[Array, "h w c"]
) -> Float[Array, "h w c"]:
    """x_t after one variance-preserving correction, with `fresh` from N(0, I). One network evaluation.

    x + eta_l score + eta_g fresh, of eta_l = gamma (1 - ab) and eta_g = sqrt(gamma (2 - gamma) (1 - ab)): a noise that the
    network sees as it is becomes 1 - gamma of itself, and (1 - gamma)^2 + gamma (2 - gamma) = 1.

    In general it is a step of Langevin's dynamics, and has the error of its size. For data N(m, s^2), x_t has the variance
    v = ab s^2 + 1 - ab, of which r = (1 - ab) / v is noise. The distance from the mean becomes 1 - gamma r of itself, and so
    a variance above or below v (1 - gamma / 2) / (1 - gamma r / 2), at which it rests, comes nearer to that by
    (1 - gamma r)^2. Of v itself 1 - gamma^2 r (1 - r) is left: preserved where all is noise, and to first order in gamma.
    """
    alpha_bar = prior.schedule.alpha_bar[t]
    spread = jnp.sqrt(1 - alpha_bar)
    score = -prior.predict_noise(x, t) / spread
    return x + gamma * (1 - alpha_bar) * score + jnp.sqrt(gamma * (2 - gamma)) * spread * fresh


def dreamclean(
    prior: Prior,
    *,
    settings: DreamCleanSettings | None = None,
    gamma: Scalar | None = None,
    noise_to_signal: Scalar | None = None,
    corrections: int | None = None,
    steps: int | None = None,
    refinements: int | None = None,
    restarts: int = 1,
    combine: Combine = "mean",
) -> DreamClean:
    """Inversion of the degraded image ``[h, w, c]``, in [-1, 1], and a corrected way down from there, fully blind.

    `gamma`, in [0, 1]: the strength of the `corrections` before each of the `steps`. `noise_to_signal`, above 0: how deep,
    as the ratio of the deviation of the noise in x_tau to the weight of the picture. `refinements`: see `invert`. What isn't
    given comes from `settings`, without those from the prior, or from our reading of the paper. Cost: steps (2 + refinements
    + corrections) network evaluations, 90 as published. The answer depends on fresh noise, and no draw is best; the mean of
    several `restarts` is nearer to the truth. InputError for a number out of its range, or a prior of latents.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    >>> noisy = 0.6 * jax.random.normal(jax.random.key(1), prior.shape)
    >>> image = jr.restore(jr.dreamclean(prior, gamma=0.3, noise_to_signal=1.0), noisy, jax.random.key(0)).image
    >>> image.shape, bool(image.std() < 0.5)
    ((8, 8, 3), True)
    """
    refuse_latents(prior)
    chosen = changed(
        settings or settings_of("dreamclean", PUBLISHED, prior, "any"),
        gamma=gamma,
        noise_to_signal=noise_to_signal,
        corrections=corrections,
        steps=steps,
        refinements=refinements,
    )
    return DreamClean(
        prior=prior,
        operator=Identity(),
        gamma=jnp.float32(chosen.gamma),
        noise_to_signal=jnp.float32(chosen.noise_to_signal),
        corrections=chosen.corrections,
        refinements=chosen.refinements,
        clip=False,
        iterations=chosen.steps,
        restarts=restarts,
        combine=combine,
    )
