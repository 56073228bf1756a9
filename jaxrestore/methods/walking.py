"""What DreamClean and the posterior samplers are composed of: one walk down a grid of times, from noise to an image.

Each step sees the image that the prior predicts from x_t, does with it what its paper says, and goes on to the next time as
DDIM does, with a share of fresh noise. What is done with the prediction is each method's own file.
"""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore._ranges import check_ranges
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid, clean_part, even_grid, noise_part
from jaxrestore.errors import InputError
from jaxrestore.methods.contract import Method
from jaxrestore.methods.descent import Noisy
from jaxrestore.operators import Operator, is_blind, is_linear, selected


class WalkState(NamedTuple):
    """Where one image's walk stands."""

    x: Float[Array, "h w c"]  # x_t at the time of the next step
    done: Array  # [] int32: steps
    seed: Array  # [] uint32, of all fresh noise


class WalkIterate(NamedTuple):
    image: Float[Array, "h w c"]  # the step's prediction of the clean image; of the last step the end of the walk
    noise: None  # fresh noise has gone in on the way: there is none that generates the image
    data_term: Array  # []: mean square of H(image) - y


@register
@dataclass(frozen=True, kw_only=True)
class Times(Method):
    """A method whose iterations are the steps of a walk: its times, and what can be said at each."""

    clip: bool = field(default=True, metadata={"static": True})  # predicted images to [-1, 1]

    @property
    def times(self) -> TimeGrid:
        """As many as there are iterations, from the schedule's last down to its first."""
        return even_grid(self.prior.schedule, self.iterations)

    def predicted(self, x: Array, time: TimeGrid) -> tuple[Array, Array]:
        """The prior's x0 in x_t, clipped or not, and the noise that is left with it. One network evaluation."""
        eps = self.prior.predict_noise(x, time.t)
        x0 = clean_part(x, eps, time.alpha_bar)
        if not self.clip:
            return x0, eps
        x0 = jnp.clip(x0, -1.0, 1.0)
        return x0, noise_part(x, x0, time.alpha_bar)

    def deviation(self, y: Array) -> Array:
        """`deviation_of` its own noise."""
        return deviation_of(self.operator, self.sigma_y, y)

    @property
    def evaluations(self) -> int:
        """One; where guidance goes through the network, with a derivative of it."""
        return 1


@register
@dataclass(frozen=True, kw_only=True)
class Walk(Times):
    """A step of the walk is an iteration. A method is its `move`, and where it doesn't start from pure noise its `init`."""

    def init(self, y: Array, key: Array) -> WalkState:
        """Pure noise."""
        start, rest = jax.random.split(key)
        noise = jax.random.normal(start, self.prior.shape, jnp.float32)
        return WalkState(noise, jnp.int32(0), jax.random.bits(rest, dtype=jnp.uint32))

    @abstractmethod
    def move(self, x: Array, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array]:
        """The x of the next time from that of a `time`, whose members are numbers ``[]``, and the clean image predicted on
        the way."""

    def step(self, state: WalkState, y: Array) -> tuple[WalkState, WalkIterate]:
        """To the next time."""
        time = jax.tree.map(lambda leaf: leaf[state.done], self.times)
        key = jax.random.fold_in(jax.random.key(state.seed), state.done)
        following, x0 = self.move(state.x, y, time, key)
        image = jnp.clip(jnp.where(time.alpha_bar_next == 1, following, x0), -1.0, 1.0)
        iterate = WalkIterate(image, None, jnp.mean((self.operator(image) - y) ** 2))
        return WalkState(following, state.done + 1, state.seed), iterate


def onward(x0: Array, eps: Array, alpha_bar_next: Array, spread: Array | float, fresh: Array) -> Array:
    """x at the next time's level, of whose noise a part of deviation `spread` is fresh (Song et al. 2021, eq. 12)."""
    kept = jnp.sqrt(jnp.maximum(1 - alpha_bar_next - spread**2, 0.0))
    return jnp.sqrt(alpha_bar_next) * x0 + kept * eps + spread * fresh


def deviation_of(operator: Operator, sigma_y: Any, y: Array) -> Array:
    """Of the noise of an entry that was measured: `sigma_y` is over all entries, and missing pixels have none."""
    ones = jnp.isfinite(y).astype(y.dtype)  # that XLA can't add up while it compiles, which takes it minutes
    return jnp.asarray(sigma_y) / jnp.sqrt(jnp.mean(selected(operator, ones)))


def denoised(prior: Prior, image: Float[Array, "h w c"], t: Array, alpha_bar: Array) -> Float[Array, "h w c"]:
    """What the prior makes of an image as if it had the noise of a time."""
    x = jnp.sqrt(alpha_bar) * image
    return clean_part(x, prior.predict_noise(x, t), alpha_bar)


def ancestral_spread(time: TimeGrid) -> Array:
    """The deviation of x at the next time given x_t and x0 (Song et al. 2021, eq. 16 with eta = 1), ``[]``; 0 at the end."""
    falls = (1 - time.alpha_bar_next) / (1 - time.alpha_bar)
    return jnp.sqrt(falls * (1 - time.alpha_bar / time.alpha_bar_next))


def check_start(name: str, prior: Prior, sigma_y: Any) -> None:
    """InputError for a prior of latents, or one that doesn't reach noise, and for a noise that is no number from 0 on."""
    if prior.latent is not None:
        raise InputError(
            f"The prior {prior.name!r} is one of latents, in which {name} doesn't walk: take bird, shred or invert2restore."
        )
    prior.check_reaches_noise()
    check_ranges(Noisy(sigma_y))


def check_walk(name: str, prior: Prior, operator: Operator, sigma_y: Any, *, linear: bool) -> None:
    """InputError for what a sampler that starts from pure noise can't restore with: a prior that it can't walk down, an
    operator of which something is unknown, or one that isn't linear where it must be."""
    check_start(name, prior, sigma_y)
    kind = type(operator).__name__
    if is_blind(operator):
        raise InputError(
            f"{name} restores by a known operator, and of this {kind} something is unknown: give its values, or take bird, "
            "shred or invert2restore, which estimate them."
        )
    if linear and not is_linear(operator, prior.shape):
        raise InputError(f"{name} needs a linear operator, and this {kind} is none: take dps, bird or shred.")


def steps_within(prior: Prior, steps: int) -> int:
    """So many steps, or where the schedule has fewer times each of them once."""
    return min(steps, len(prior.schedule))
