"""Invert2Restore's three stages where nothing is known of the degradation: invert, rectify, generate.

The paper's noise is that of t = T; ours is that of x_t at a few small t, one after the other, where a correction costs
little of the picture. What else is our reading:

- the density's reference: the noise of clean photographs (`Prior.statistics`), not the ideal N(0, I), which theirs is far
  from.
- the correction, and its strength (`density.rectify`), tuned on photographs that stand in no table.
- how deep: by the statistics of the noise itself, asked anew at each depth. A noise as typical as a clean photograph's is
  left alone, and the restoration ends. Where brightness has lost its coarse frequencies, as blur takes them, one round
  follows at the depth where raising them serves best. Two rounds are for all others; the depths beyond, which drown noise and
  cost detail, are for images whose fine frequencies had far too much at the depth before, as white noise leaves them.

Nothing is drawn at random. `docs/invert2restore.md` has what either reaches.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore._ranges import Range, check_ranges
from jaxrestore.density.gaussian import BANDS
from jaxrestore.density.rectification import Correction, Strength, correct, has_lost, raising, rectify
from jaxrestore.density.typical import image_of_noise, noise_of
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.statistics import NoiseStatistics
from jaxrestore.errors import InputError
from jaxrestore.methods.contract import Method, refuse_latents
from jaxrestore.operators import Identity

Positive = Annotated[float, Range(0)]
ROUNDS = 2  # for every noise to which something was added
RAISING = 100  # the depth for one that has lost something


class Round(NamedTuple):
    """After some rounds: each is an inversion, a rectification and a generation, deeper than the one before."""

    image: Float[Array, "h w c"]
    following: Array  # [] int32: which depth is next
    lost: Array  # [] bool: coarse frequencies are to be raised, and nothing else
    going: Array  # [] bool: whether another may follow


class Rectification(NamedTuple):
    image: Float[Array, "h w c"]
    noise: Float[Array, "h w c"]  # rectified, at the depth of the round
    data_term: Array  # []: mean square of the image's distance from y
    deviation: Float[Array, "bands c"]  # of the noise before it was rectified, in z-scores (`density.deviation`)
    moved: Array  # []: |rectified - noise| / sqrt(d)


@register
@dataclass(frozen=True, kw_only=True)
class CalibratedInvert2Restore(Method):
    """The three stages, again at the next depth in each step; `invert2restore` makes it. Its operator is the identity."""

    strength: Strength
    untypical: Any  # the largest deviation, either way, that is still left alone
    noisy: Any  # the excess of fine frequencies that calls for a third round, and each after it
    correction: Correction = field(default=correct, metadata={"static": True})

    def init(self, y: Array, key: Array) -> Round:
        """From y alone: the key is of no use to it."""
        return Round(y, jnp.int32(0), jnp.bool_(False), jnp.bool_(True))

    def step(self, state: Round, y: Array) -> tuple[Round, Rectification]:
        """A round, or the image as it is once it is over."""
        clean = self.statistics
        index = jnp.minimum(state.following, clean.depths.shape[0] - 1)
        depth = clean.depths[index]
        noise = noise_of(self.prior, state.image, depth, clean.steps, clean.refinements)  # invert
        rectified = rectify(noise, clean, index, raising(self.strength, state.lost), self.correction)
        going = state.going & (jnp.max(jnp.abs(rectified.before)) > self.untypical)
        lost = (index == 0) & has_lost(noise, clean.energy[0])  # seen, and left to the depth that serves it
        moves = going & (state.lost | ~lost)
        image = jnp.where(moves, self.generate(state.image, rectified.noise, depth), state.image)
        iterate = Rectification(
            image,
            jnp.where(moves, rectified.noise, noise),
            jnp.mean((image - y) ** 2),
            rectified.before,
            jnp.where(moves, rectified.moved, 0.0),
        )
        deeper = (index + 1 < ROUNDS) | (jnp.mean(rectified.before[BANDS // 2 :]) > self.noisy)
        following = jnp.where(lost, jnp.argmin(jnp.abs(clean.depths - RAISING)), index + 1)
        return Round(image, following.astype(jnp.int32), state.lost | lost, going & deeper & ~state.lost), iterate

    @property
    def statistics(self) -> NoiseStatistics:
        """The prior's, of clean photographs' noise."""
        assert self.prior.statistics is not None  # `calibrated_rounds` has seen to it
        return self.prior.statistics

    @property
    def evaluations(self) -> int:
        """Of an inversion and a generation."""
        return self.statistics.steps * (2 + self.statistics.refinements)

    def finished(self, state: Round) -> Array:
        """Whether another step would change nothing."""
        return ~state.going

    def generate(self, image: Float[Array, "h w c"], noise: Float[Array, "h w c"], depth: Any) -> Float[Array, "h w c"]:
        """The image of a noise at t = depth (`density.typical.image_of_noise`), in as many steps as the inversion has."""
        return image_of_noise(self.prior, image, noise, depth, self.statistics.steps)

    def score(self, iterate: Rectification) -> Array:
        """How untypical the noise still was: there is nothing random of which a best could be chosen."""
        return jnp.max(jnp.abs(iterate.deviation))


@dataclass(frozen=True)
class CalibratedSettings:
    """When a noise is left alone, and how the others are corrected (`density.Strength`)."""

    untypical: Positive = 2.5
    noisy: Annotated[float, Range()] = 4.2
    pixel: Positive = Strength().pixel
    pixel_power: Positive = Strength().pixel_power
    local: Positive = Strength().local
    everywhere: Positive = Strength().everywhere
    boost: Positive = Strength().boost

    def __post_init__(self) -> None:
        check_ranges(self)

    @property
    def strength(self) -> Strength:
        return Strength(self.pixel, self.pixel_power, self.local, self.everywhere, self.boost)


def calibrated_rounds(
    prior: Prior,
    strength: Strength,
    untypical: Any,
    noisy: Any,
    correction: Correction = correct,
) -> CalibratedInvert2Restore:
    """The method over the depths of the prior's statistics; InputError where the prior has none."""
    refuse_latents(prior)
    if prior.statistics is None:
        raise InputError(
            f"The prior {prior.name!r} has not been calibrated: run `jaxrestore calibrate PRIOR FOLDER` with a few dozen "
            "clean photographs of its kind, or give it the statistics of jaxrestore.calibrate (dataclasses.replace)."
        )
    strength, untypical, noisy = jax.tree.map(jnp.float32, (strength, untypical, noisy))
    return CalibratedInvert2Restore(
        prior=prior,
        operator=Identity(),
        strength=strength,
        untypical=untypical,
        noisy=noisy,
        correction=correction,
        iterations=prior.statistics.depths.shape[0],
    )
