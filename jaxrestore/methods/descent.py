"""What SHRED, BIRD, DIIP and Invert2Restore with an operator are composed of: a gradient of the misfit through the unroll,
Adam's move along it, and a move of the operator. Which of them, in which order and with what between them, is each
method's own file.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, TypedDict

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from jaxrestore._promotion import standard_promotion
from jaxrestore._pytree import register
from jaxrestore._ranges import Range, check_ranges
from jaxrestore.diffusion.ddim import GradientMode, unroll
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import GridName, grid_times
from jaxrestore.methods.contract import Method
from jaxrestore.methods.operator_steps import GaussNewton
from jaxrestore.methods.settings import Decay, Loss, Scalar, Settings
from jaxrestore.operators import Operator, begin, combine, partition, penalty
from jaxrestore.stopping import Rule, rule_of


class Variables(TypedDict):
    """What is optimised, and a gradient with respect to it."""

    noise: Array  # [h, w, c]
    operator: PyTree  # the operator's unknown leaves, None elsewhere


class DescentState(NamedTuple):
    noise: Float[Array, "h w c"]
    unknown: PyTree  # the operator's unknown leaves, None elsewhere
    optimizer: PyTree  # Optax's state over both
    iteration: Array  # [] int32


class DescentIterate(NamedTuple):
    """The point at which a gradient was taken."""

    image: Float[Array, "H W C"]
    noise: Float[Array, "h w c"]  # of the image's size, but for a prior of latents
    unknown: PyTree  # the operator's unknown leaves, None elsewhere
    data_term: Float[Array, ""]  # mean square of H(image) - y, in units of [-1, 1]


@register
@dataclass(frozen=True, kw_only=True)
class Unroll:
    """G, as a method sees it: `diffusion.unroll` with these settings."""

    skip: int = field(default=100, metadata={"static": True})
    grid: GridName = field(default="leading", metadata={"static": True})
    clip: bool = field(default=True, metadata={"static": True})
    gradient: GradientMode = field(default="frozen", metadata={"static": True})


@register
@dataclass(frozen=True, kw_only=True)
class Descent(Method):
    """The parts of a descent on the noise, and on what is unknown of the operator. A method's `step` puts them together."""

    noise_lr: Any
    operator_lr: Any  # of Adam on the operator, where it has no steps of its own
    operator_steps: GaussNewton | None = None
    unroll: Unroll = Unroll()
    loss: Loss = field(default="mean_square", metadata={"static": True})
    decay: Decay = field(default="constant", metadata={"static": True})  # of the rates, over the iterations
    optimizer: optax.GradientTransformation | None = field(default=None, metadata={"static": True})

    def init(self, y: Array, key: Array) -> DescentState:
        """Noise from N(0, I); the operator's unknown leaves as they are, or as y says (`operators.begin`)."""
        return self.init_from(
            jax.random.normal(key, self.prior.noise_shape, jnp.float32), partition(begin(self.operator, y))[0]
        )

    def init_from(self, noise: Float[Array, "h w c"], unknown: PyTree = None) -> DescentState:
        """The state that starts from a given noise, and from the operator's unknown leaves or others in their place."""
        unknown = partition(self.operator)[0] if unknown is None else unknown
        variables: Variables = {"noise": noise, "operator": unknown}
        return DescentState(noise, unknown, self._optimizer().init(variables), jnp.int32(0))  # type: ignore[arg-type]

    def generate(self, noise: Float[Array, "*b h w c"]) -> Float[Array, "*b H W C"]:
        """G(noise), by the method's own unroll."""
        unrolled = self.unroll
        return unroll(
            self.prior,
            noise,
            skip=unrolled.skip,
            grid=unrolled.grid,
            clip=unrolled.clip,
            gradient=unrolled.gradient,
        )

    def differentiate(
        self, state: DescentState, y: Array, objective: Callable[[Array], Any] = lambda noise: 0.0
    ) -> tuple[Variables, DescentIterate]:
        """The gradient of ``loss(H(G(z)) - y) + objective(z)``, and what the operator adds, in noise and operator."""
        known = partition(self.operator)[1]

        def cost(variables: Variables) -> tuple[Array, tuple[Array, Array]]:
            image = self.generate(variables["noise"])
            operator = combine(variables["operator"], known)
            residual = operator(image) - y
            data_term = jnp.mean(residual**2)
            misfit = data_term if self.loss == "mean_square" else optax.safe_norm(residual, 1e-12)
            return misfit + penalty(operator) + objective(variables["noise"]), (image, data_term)

        variables: Variables = {"noise": state.noise, "operator": state.unknown}
        gradient, (image, data_term) = jax.grad(cost, has_aux=True)(variables)
        return gradient, DescentIterate(image, state.noise, state.unknown, data_term)

    def descend(self, state: DescentState, gradient: Variables) -> tuple[Variables, PyTree]:
        """Noise and operator after a step of the optimiser along a gradient, and its state."""
        variables: Any = {"noise": state.noise, "operator": state.unknown}
        with standard_promotion():
            updates, optimizer = self._optimizer().update(gradient, state.optimizer, variables)  # type: ignore[arg-type]
            moved: Any = optax.apply_updates(variables, updates)
        return moved, optimizer

    def move_operator(self, state: DescentState, moved: Variables, image: Array, y: Array) -> PyTree:
        """The operator's unknown leaves after the iteration: by its own steps where it has them, else the optimiser's. Those
        count the noise of y, `sigma_y`, which the image has been fitted to."""
        if self.operator_steps is None:
            return moved["operator"]
        return self.operator_steps(
            self.operator, state.unknown, image, y, state.iteration, self.iterations, self.sigma_y
        )

    @property
    def evaluations(self) -> int:
        """Of the unroll; an exact gradient evaluates each step again."""
        steps = len(grid_times(len(self.prior.schedule), self.unroll.skip, self.unroll.grid))
        return 2 * steps if self.unroll.gradient == "full" else steps

    def operator_at(self, iterate: DescentIterate) -> Operator:
        return combine(iterate.unknown, partition(self.operator)[1])

    def _optimizer(self) -> optax.GradientTransformation:
        """Adam on each with its own rate, unless one is given."""
        if self.optimizer is not None:
            return self.optimizer
        rates = {"noise": self.noise_lr, "operator": self.operator_lr}
        if self.decay == "cosine":
            rates = {name: optax.cosine_decay_schedule(rate, self.iterations) for name, rate in rates.items()}
        return optax.partition({name: optax.adam(rate) for name, rate in rates.items()}, {name: name for name in rates})


@dataclass(frozen=True)
class Noisy:
    """A measurement's noise, as a number that can be meant."""

    sigma_y: Annotated[Any, Range(0)]


def parts_of(prior: Prior, settings: Settings, stop: Rule | None, sigma_y: Scalar) -> dict[str, Any]:
    """The fields of a `Descent` that settings decide, its prior, its noise, and its rule: the one given, or theirs.
    InputError for a prior that generates nothing from pure noise, or a noise that is not a number from 0 on."""
    prior.check_reaches_noise()
    check_ranges(Noisy(sigma_y))
    steps = None
    if settings.operator_every:
        steps = GaussNewton(jnp.float32(settings.damping), settings.operator_every, settings.operator_from)
    return {
        "prior": prior,
        "sigma_y": jnp.float32(sigma_y),
        "noise_lr": jnp.float32(settings.noise_lr),
        "operator_lr": jnp.float32(settings.operator_lr),
        "operator_steps": steps,
        "unroll": Unroll(skip=settings.skip, grid=settings.grid, clip=settings.clip, gradient=settings.gradient),
        "loss": settings.loss,
        "decay": settings.decay,
        "iterations": settings.iterations,
        "answer": settings.answer,
        "restarts": settings.restarts,
        "combine": settings.combine,
        "stop": rule_of(list(settings.stop)) if stop is None else stop,
    }
