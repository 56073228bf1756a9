"""Invert2Restore's three stages to the letter, for any prior at once: no photographs, no statistics, nothing told.

The image is inverted to its noise, the part of the noise that fails a test of normality is replaced by the nearest that
passes (`density.without_excess`), and the image is generated from it. What the paper leaves open is our reading:

- which failures: too much energy alone, since clean pictures' own noise has too little in places.
- how deep: to where noise and picture are equally strong. Deeper, a picture comes back that is a little another one; nearer
  to t = 0 what was added stays.
- how often: again, and where the noise is twice as strong, while the noise as a whole lies outside the shell on which N(0, I)
  has its mass. Only grain is that loud, and it is too much to be gone at once; a codec, rain and a clean picture have one
  round.

Nothing is drawn at random. `docs/invert2restore.md` has what was tried and what it reaches.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore._ranges import Range, check_ranges
from jaxrestore.density.excess import without_excess
from jaxrestore.density.typical import PATCH, image_of_noise, noise_of
from jaxrestore.diffusion.ddim import descend
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import depth_of, partial_grid
from jaxrestore.errors import InputError
from jaxrestore.methods.contract import Method, refuse_latents
from jaxrestore.operators import Identity

POLISH_LR = 0.02  # falls to zero
Rectify = Callable[[Array, Any, int], Array]  # noise [h, w, c], level of the test, side of a patch


class Stage(NamedTuple):
    image: Float[Array, "h w c"]
    round: Array  # [] int32, from 0
    norm: Array  # [] of the noise that was rectified last, over sqrt(d); infinite before the first round


class Rectification(NamedTuple):
    image: Float[Array, "h w c"]
    noise: Float[Array, "h w c"]  # rectified
    data_term: Array  # [] mean square of the image's distance from y
    norm: Array  # [] of the noise before, over sqrt(d)


@dataclass(frozen=True)
class LiteralSettings:
    """How deep, how finely, and at which level of the test."""

    # sqrt((1 - ab) / ab) at the depth of each round; the schedule's last time where it ends before that
    noise_to_signal: Annotated[tuple[float, ...], Range(0, out=True)] = (1.0, 2.0, 2.0)
    p: Annotated[float, Range(0, 1, out=True)] = 0.5
    patch: Annotated[int, Range(1)] = PATCH
    steps: Annotated[int, Range(1)] = 15
    refinements: Annotated[int, Range(0)] = 1
    polish: Annotated[int, Range(0)] = 0  # iterations of Adam for a noise that generates the image more exactly

    def __post_init__(self) -> None:
        if not isinstance(self.noise_to_signal, tuple) or not self.noise_to_signal:
            raise InputError(
                f"noise_to_signal must be a tuple with a number for each round, as (1.0, 2.0), not {self.noise_to_signal!r}."
            )
        check_ranges(self)


@register
@dataclass(frozen=True, kw_only=True)
class LiteralInvert2Restore(Method):
    """Invert, rectify, generate; `invert2restore` makes it. Its operator is the identity, its iterations are the rounds.

    Another rectification is a pure function ``(noise, p, patch) -> noise`` in the place of `rectify`.
    """

    noise_to_signal: Any  # [rounds]
    p: Any
    patch: int = field(default=PATCH, metadata={"static": True})
    steps: int = field(default=15, metadata={"static": True})
    refinements: int = field(default=1, metadata={"static": True})
    polish: int = field(default=0, metadata={"static": True})
    rectify: Rectify = field(default=without_excess, metadata={"static": True})

    @property
    def evaluations(self) -> int:
        """Of a round: an inversion, its polish, and a generation."""
        return self.steps * (2 + self.refinements + self.polish)

    def init(self, y: Array, key: Array) -> Stage:
        """From y alone: the key is of no use to it."""
        return Stage(y, jnp.int32(0), jnp.float32(jnp.inf))

    def step(self, state: Stage, y: Array) -> tuple[Stage, Rectification]:
        """A round."""
        depth = depth_of(self.prior.schedule, self.noise_to_signal[state.round])
        noise = noise_of(self.prior, state.image, depth, self.steps, self.refinements)
        noise = polished(self.prior, state.image, noise, depth, self.steps, self.polish)
        rectified = self.rectify(noise, self.p, self.patch)
        image = image_of_noise(self.prior, state.image, rectified, depth, self.steps)
        norm = jnp.sqrt(jnp.mean(noise**2))
        return Stage(image, state.round + 1, norm), Rectification(image, rectified, jnp.mean((image - y) ** 2), norm)

    def finished(self, state: Stage) -> Array:
        """Whether the noise lay within the shell: its norm is that of N(0, I) within three deviations, or less."""
        return state.norm <= 1 + 3 / jnp.sqrt(2.0 * state.image.size)

    def score(self, iterate: Rectification) -> Array:
        """How loud the noise still was: there is nothing random of which a best could be chosen."""
        return iterate.norm


def polished(
    prior: Prior, image: Float[Array, "h w c"], noise: Float[Array, "h w c"], depth: Any, steps: int, iterations: int
) -> Float[Array, "h w c"]:
    """The optimised inversion, from where the flow's ends: Adam on |G(noise) - image|^2, noise predictions constant.

    Cost: steps evaluations an iteration.
    """
    if not iterations:
        return noise
    times = partial_grid(prior.schedule, depth, steps)
    optimizer = optax.adam(optax.cosine_decay_schedule(POLISH_LR, iterations))

    def error(noise: Array) -> Array:
        x = prior.schedule.diffuse(image, noise, depth)
        return jnp.mean((descend(prior, x, times, clip=False, gradient="frozen") - image) ** 2)

    def step(state: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], None]:
        update, memory = optimizer.update(jax.grad(error)(state[0]), state[1])
        return (jnp.asarray(optax.apply_updates(state[0], update)), memory), None

    return jax.lax.scan(step, (noise, optimizer.init(noise)), length=iterations)[0][0]


def literal_rounds(prior: Prior, settings: LiteralSettings) -> LiteralInvert2Restore:
    """The method of those settings; InputError for a prior of latents, whose images can't be inverted."""
    refuse_latents(prior)
    return LiteralInvert2Restore(
        prior=prior,
        operator=Identity(),
        noise_to_signal=jnp.float32(settings.noise_to_signal),
        p=jnp.float32(settings.p),
        patch=settings.patch,
        steps=settings.steps,
        refinements=settings.refinements,
        polish=settings.polish,
        iterations=len(settings.noise_to_signal),
    )
