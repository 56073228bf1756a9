"""Invert2Restore, fully blind: zero-shot restoration by rectified noise (Chihaoui, Favaro, arXiv 2503.21486, 2025).

The paper's three stages: the noise of the degraded image, rectified towards a nearby one of higher density, generates the
clean image. What is our reading, because no more of the paper is known to us:

- the depth. The paper's noise is that of t = T; ours is that of x_t at a few small t, one after the other, where a
  correction costs little of the picture. `docs/invert2restore.md` has what either reaches.
- the density's reference: the noise of clean photographs (`typical`), not the ideal N(0, I), which theirs is far from.
- the correction, and its strength (`rectify`), tuned on photographs that stand in no table.
- how deep: by the statistics of the noise itself, asked anew at each depth. A noise as typical as a clean photograph's is
  left alone, and the restoration ends. Where brightness has lost its coarse frequencies, as blur takes them, one round
  follows at the depth where raising them serves best. Two rounds are for all others; the depths beyond, which drown noise and
  cost detail, are for images whose fine frequencies had far too much at the depth before, as white noise leaves them.

Nothing is known of the degradation, and nothing is drawn at random.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore.density.objective import BANDS
from jaxrestore.density.rectification import Correction, Strength, correct, has_lost, raising, rectify
from jaxrestore.density.typical import Typical, noise_of
from jaxrestore.diffusion.ddim import descend
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import partial_grid
from jaxrestore.operators.basic import Identity

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
    deviation: Float[Array, "bands c"]  # of the noise before it was rectified, in z-scores (`typical.deviation`)
    moved: Array  # []: |rectified - noise| / sqrt(d)


@register
@dataclass(frozen=True)
class Invert2Restore:
    """Made by `invert2restore`; a pytree with pure functions init and step, where a step is a round at the next depth."""

    prior: Prior
    typical: Typical
    strength: Strength
    untypical: Any  # the largest deviation, either way, that is still left alone
    noisy: Any  # the excess of fine frequencies that calls for a third round, and each after it
    operator: Identity = field(default_factory=Identity)
    noise_level: Any = 0.0
    correction: Correction = field(default=correct, metadata={"static": True})
    answer: str = field(default="last", metadata={"static": True})
    iterations: int = field(default=3, metadata={"static": True})

    def init(self, key: Array, y: Array) -> Round:
        """From y alone: the key is of no use to it."""
        return Round(y, jnp.int32(0), jnp.bool_(False), jnp.bool_(True))

    def step(self, state: Round, y: Array) -> tuple[Round, Rectification]:
        """A round, or the image as it is once it is over."""
        index = jnp.minimum(state.following, self.typical.depths.shape[0] - 1)
        depth = self.typical.depths[index]
        noise = noise_of(self.prior, state.image, depth, self.typical.steps, self.typical.refinements)
        made = rectify(noise, self.typical, index, raising(self.strength, state.lost), self.correction)
        going = state.going & (jnp.max(jnp.abs(made.before)) > self.untypical)
        lost = (index == 0) & has_lost(noise, self.typical.energy[0])  # seen, and left to the depth that serves it
        moves = going & (state.lost | ~lost)
        image = jnp.where(moves, self.generate(state.image, made.noise, depth), state.image)
        found = Rectification(
            image,
            jnp.where(moves, made.noise, noise),
            jnp.mean((image - y) ** 2),
            made.before,
            jnp.where(moves, made.moved, 0.0),
        )
        deeper = (index + 1 < ROUNDS) | (jnp.mean(made.before[BANDS // 2 :]) > self.noisy)
        following = jnp.where(lost, jnp.argmin(jnp.abs(self.typical.depths - RAISING)), index + 1)
        return Round(image, following, state.lost | lost, going & deeper & ~state.lost), found

    def finished(self, state: Round) -> Array:
        """Whether another step would change nothing."""
        return ~state.going

    def generate(self, image: Float[Array, "h w c"], noise: Float[Array, "h w c"], depth: Any) -> Float[Array, "h w c"]:
        """The image that DDIM makes of the image diffused with the noise to t = depth, on the inversion's own grid,
        unclipped but for the end."""
        x = self.prior.schedule.diffuse(image, noise, depth)
        grid = partial_grid(self.prior.schedule, depth, self.typical.steps)
        return jnp.clip(descend(self.prior, x, grid, clip=False), -1.0, 1.0)

    def score(self, iterate: Rectification) -> Array:
        """How untypical the noise still was: there is nothing random of which a best could be chosen."""
        return jnp.max(jnp.abs(iterate.deviation))

    def operator_at(self, iterate: Rectification) -> Identity:
        return self.operator


def invert2restore(
    prior: Prior,
    typical: Typical,
    *,
    strength: Any = None,
    untypical: Any = 2.5,
    noisy: Any = 4.2,
    correction: Correction = correct,
) -> Invert2Restore:
    """Fully blind restoration with the statistics of clean photographs that were calibrated for the prior
    (``load_typical("flowers64")``, or `typical.calibrate` on photographs of your own), and a correction (`rectify.rectify`).

    At most steps (2 + refinements) network evaluations a depth: 160 in all for the embedded calibration. Give the result to
    `restore` or `run`, or call its `step`.
    """
    strength, untypical, noisy = jax.tree.map(jnp.float32, (strength or Strength(), untypical, noisy))
    depths = typical.depths.shape[0]
    return Invert2Restore(prior, typical, strength, untypical, noisy, correction=correction, iterations=depths)
