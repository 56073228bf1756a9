"""RePaint: inpainting with denoising diffusion models (Lugmayr et al., CVPR 2022, arXiv 2201.09865).

Ancestral sampling, of which after each step the known pixels are put in the place of drawn ones, with as much noise as
belongs to the time. What is drawn beside them doesn't know them yet; so the walk goes back up some times, by fresh noise, and
down again, and each time both are closer to one image.

Known of it: what is missing is drawn given known pixels with a noise of their own, and told less by them than by y: between
neighbours its mean stays on the prior's side. Noise in y is not asked for.
"""

import math
from dataclasses import dataclass, field
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from jaxrestore._pytree import is_traced, register
from jaxrestore._ranges import Range
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid, even_grid
from jaxrestore.errors import InputError
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.settings import Count, Scalar, Tried, WalkSettings, changed, settings_of
from jaxrestore.methods.walking import Walk, WalkIterate, WalkState, ancestral_spread, check_walk, onward, steps_within
from jaxrestore.operators import Operator, kind_of


@dataclass(frozen=True)
class RepaintSettings(WalkSettings):
    """How many times there are, and how the walk goes back among them."""

    steps: Annotated[int, Range(2)] = 250  # times, at most as many as the schedule has
    jump: Count = 10  # steps that the walk goes back up
    # how often each stretch of `jump` steps is walked down; 1: once
    repeats: Annotated[Count, Tried((1, 2, 4, 10))] = 10

    @property
    def evaluations_a_step(self) -> int:
        """At most: each step is walked down as often."""
        return self.repeats


PUBLISHED = {"any": RepaintSettings()}  # the paper's


@register
@dataclass(frozen=True, kw_only=True)
class Repaint(Walk):
    """Algorithm 1 with jumps, a network evaluation an iteration; `repaint` makes it."""

    steps: int = field(default=250, metadata={"static": True})
    jump: int = field(default=10, metadata={"static": True})
    repeats: int = field(default=10, metadata={"static": True})

    @property
    def times(self) -> TimeGrid:
        """Those of all steps down, in their order; between some of them lies a way up."""
        grid, order = even_grid(self.prior.schedule, self.steps), walk_order(self.steps, self.jump, self.repeats)
        return TimeGrid(*(part[order] for part in grid))

    def move(self, x: Array, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array]:
        """A step down, and the known pixels of the next time's level."""
        for_step, for_known = jax.random.split(jax.random.fold_in(key, 1))
        x0, eps = self.predicted(x, time)
        following, fresh = time.alpha_bar_next, jax.random.normal(for_step, x.shape, x.dtype)
        after = onward(x0, eps, following, ancestral_spread(time), fresh)
        noise = jax.random.normal(for_known, x.shape, x.dtype)
        measured = jnp.sqrt(following) * y + jnp.sqrt(1 - following) * noise
        known = self.operator(jnp.ones_like(y)) > 0
        return jnp.where(known, measured, after), jnp.where(known, y, x0)

    def step(self, state: WalkState, y: Array) -> tuple[WalkState, WalkIterate]:
        """As any walk's, after fresh noise where the step lies above the end of the one before."""
        times, number = self.times, state.done
        before = jnp.where(number > 0, times.alpha_bar_next[number - 1], times.alpha_bar[0])
        kept = jnp.minimum(times.alpha_bar[number] / before, 1.0)
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(state.seed), number), 0)
        fresh = jax.random.normal(key, state.x.shape, state.x.dtype)
        return super().step(state._replace(x=jnp.sqrt(kept) * state.x + jnp.sqrt(1 - kept) * fresh), y)


def walk_order(steps: int, jump: int, repeats: int) -> Int[np.ndarray, " moves"]:
    """Which steps down the walk takes, counted from pure noise: from every `jump`-th time, the last before the image among
    them, it goes `jump` steps back, `repeats` - 1 times.

    >>> walk_order(6, 2, 2).tolist()
    [0, 1, 2, 1, 2, 3, 4, 3, 4, 5]
    """
    left = {time: repeats - 1 for time in range(1, steps - jump + 1, jump)}  # times count from the image
    order, time = [], steps
    while time > 0:
        order.append(steps - time)
        time -= 1
        if left.get(time, 0):
            left[time] -= 1
            time += jump
    return np.array(order)


def check_mask(operator: Operator, shape: tuple[int, ...]) -> None:
    """InputError for an operator that doesn't leave each number of an image as it is, or make it zero."""
    if is_traced(operator):
        return
    image = np.linspace(1, 2, math.prod(shape), dtype=np.float32).reshape(shape)
    y = np.asarray(operator(jnp.asarray(image)))
    if y.shape != image.shape or not np.all((y == image) | (y == 0)):
        raise InputError(f"repaint needs a mask, and this {type(operator).__name__} is none: take ddnm, pigdm or dps.")


def repaint(
    prior: Prior,
    operator: Operator,
    *,
    settings: RepaintSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    steps: int | None = None,
    jump: int | None = None,
    repeats: int | None = None,
    clip: bool = True,
    restarts: int = 1,
    combine: Combine = "mean",
) -> Repaint:
    """A draw of the missing pixels of images ``[h, w, c]``, in [-1, 1], beside known ones; the `operator` is a mask.

    `steps`: from 2 on, times of the walk. After `jump` of them it goes as many back up, until it has come down `repeats`
    times. Cost: about steps x repeats network evaluations. What isn't given comes from `settings`, without those from the
    prior, for the `kind` of problem (default: the operator's), or from what is published. `clip`: predicted images to
    [-1, 1]. `sigma_y`, the rms of y's noise in those units, only rates answers. The mean of several `restarts` is nearer to
    the truth than any. InputError for a number out of its range, an operator that is no mask, a prior of latents, or one that
    ends before noise.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior, mask = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2), jr.Mask(jr.box_mask((8, 8), 3))
    >>> method = jr.repaint(prior, mask, steps=20, jump=5, repeats=2)
    >>> result = jr.restore(method, mask(jnp.full((8, 8, 3), 0.1)), jax.random.key(0))
    >>> method.iterations, result.image.shape, bool(result.data_term < 1e-8)
    (35, (8, 8, 3), True)
    """
    check_walk("repaint", prior, operator, sigma_y, linear=True)
    check_mask(operator, prior.shape)
    chosen = changed(
        settings or settings_of("repaint", PUBLISHED, prior, kind or kind_of(operator)),
        steps=steps,
        jump=jump,
        repeats=repeats,
    )
    times = steps_within(prior, chosen.steps)
    return Repaint(
        prior=prior,
        operator=operator,
        sigma_y=jnp.float32(sigma_y),
        steps=times,
        jump=chosen.jump,
        repeats=chosen.repeats,
        clip=clip,
        iterations=len(walk_order(times, chosen.jump, chosen.repeats)),
        restarts=restarts,
        combine=combine,
    )
