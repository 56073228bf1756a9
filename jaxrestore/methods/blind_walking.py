"""What the samplers share that walk down from pure noise with an operator of which something is unknown.

At each time the prior predicts an image from x_t; what is unknown of the operator is moved towards what makes y of that
prediction, before y has had a say in it (afterwards it would explain y by any operator); then the image is guided by the
operator as it is now. How it is guided, and how the operator is moved, is each method's own file.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from jaxrestore._promotion import standard_promotion
from jaxrestore._pytree import register
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid
from jaxrestore.methods.operator_steps import GaussNewton, check_differentiable
from jaxrestore.methods.walking import Times, check_start
from jaxrestore.operators import Operator, begin, combine, partition, penalty


class Estimate(NamedTuple):
    """Where what is unknown of the operator stands."""

    unknown: PyTree  # its leaves, None elsewhere
    optimizer: PyTree  # Adam's state, or None


class BlindState(NamedTuple):
    """Where one image's walk stands."""

    x: Float[Array, "*n h w c"]  # x_t at the time of the next step; of several walks with one operator
    estimate: Estimate
    done: Array  # [] int32: steps
    seed: Array  # [] uint32, of all fresh noise


class BlindIterate(NamedTuple):
    image: Float[Array, "h w c"]  # the step's prediction of the clean image; of the last step the end of the walk
    noise: None  # fresh noise has gone in on the way: there is none that generates the image
    unknown: PyTree  # the operator's unknown leaves, None elsewhere
    data_term: Array  # []: mean square of H(image) - y, with that operator


@register
@dataclass(frozen=True, kw_only=True)
class BlindWalk(Times):
    """A step of the walk is an iteration. A method is its `move`."""

    operator_steps: GaussNewton | None = None
    operator_lr: Any = 0.0  # of Adam on the operator, where it has no steps of its own

    def init(self, y: Array, key: Array) -> BlindState:
        """Pure noise; the operator's unknown leaves as they are, or as y says (`operators.begin`)."""
        start, rest = jax.random.split(key)
        unknown = partition(begin(self.operator, y))[0]
        optimizer = None if self.operator_steps is not None else self._adam.init(unknown)
        noise = jax.random.normal(start, self.start_shape, jnp.float32)
        return BlindState(noise, Estimate(unknown, optimizer), jnp.int32(0), jax.random.bits(rest, dtype=jnp.uint32))

    @property
    def start_shape(self) -> tuple[int, ...]:
        """Of the noise that the walk starts from: an image's."""
        return self.prior.shape

    @abstractmethod
    def move(self, state: BlindState, y: Array, time: TimeGrid, key: Array) -> tuple[Array, Array, Estimate]:
        """The x of the next time from that of a `time`, whose members are numbers ``[]``, the clean image predicted on the
        way, and what the operator is after it."""

    def step(self, state: BlindState, y: Array) -> tuple[BlindState, BlindIterate]:
        """To the next time."""
        time = jax.tree.map(lambda leaf: leaf[state.done], self.times)
        key = jax.random.fold_in(jax.random.key(state.seed), state.done)
        following, x0, estimate = self.move(state, y, time, key)
        image = jnp.clip(jnp.where(time.alpha_bar_next == 1, following, x0), -1.0, 1.0)
        image = jnp.mean(image.reshape(-1, *self.prior.shape), axis=0)
        data_term = jnp.mean((self.whole(estimate)(image) - y) ** 2)
        iterate = BlindIterate(image, None, estimate.unknown, data_term)
        return BlindState(following, estimate, state.done + 1, state.seed), iterate

    def whole(self, estimate: Estimate) -> Operator:
        """The operator with what is estimated of it."""
        return combine(estimate.unknown, partition(self.operator)[1])

    def estimated(
        self, state: BlindState, x0: Float[Array, "*n h w c"], y: Array, sigma_y: Array | None = None
    ) -> Estimate:
        """The operator's unknown leaves, moved towards what makes y of the predicted images: by damped least squares where
        those steps are given, which count noise of a deviation `sigma_y`, else a step of Adam along the gradient of the mean
        square."""
        unknown, optimizer = state.estimate
        x0 = jax.lax.stop_gradient(x0)
        if self.operator_steps is not None:
            every = jnp.broadcast_to(y, (*x0.shape[:-3], *y.shape))
            steps = self.operator_steps(self.operator, unknown, x0, every, state.done, self.iterations, sigma_y)
            return Estimate(steps, optimizer)
        known = partition(self.operator)[1]

        def misfit(unknown: PyTree) -> Array:
            operator = combine(unknown, known)
            return jnp.mean((operator(x0) - y) ** 2) + penalty(operator)

        gradient = jax.grad(misfit)(unknown)
        with standard_promotion():
            updates, optimizer = self._adam.update(gradient, optimizer, unknown)
            return Estimate(optax.apply_updates(unknown, updates), optimizer)

    def operator_at(self, iterate: BlindIterate) -> Operator:
        return combine(iterate.unknown, partition(self.operator)[1])

    @property
    def _adam(self) -> optax.GradientTransformation:
        return optax.adam(self.operator_lr)


def check_blind_walk(name: str, prior: Prior, operator: Operator, sigma_y: Any) -> None:
    """InputError for what a blind sampler can't restore with: a prior that it can't walk down, or an operator that has no
    derivatives in the image and in what is unknown of it."""
    check_start(name, prior, sigma_y)
    check_differentiable(name, operator, prior.shape)
