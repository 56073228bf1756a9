"""What the methods share that fit an untrained network to the one measurement there is. What they know of photographs is
the network's form, and that they end before it has learnt the noise: of a prior they take the image's shape, and nothing
else.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from jaxrestore._promotion import standard_promotion
from jaxrestore._pytree import register
from jaxrestore._ranges import Range, check_ranges
from jaxrestore.diffusion.prior import Prior
from jaxrestore.errors import InputError
from jaxrestore.methods.contract import Combine, Method
from jaxrestore.methods.descent import Noisy
from jaxrestore.methods.operator_steps import check_differentiable
from jaxrestore.methods.settings import Count, Kernel, Rate, Scalar
from jaxrestore.operators import Boundary, Operator, begin, combine, partition, penalty, selected
from jaxrestore.stopping import Rule, never

CODE = 0.1  # the code is uniform from 0 to this


@dataclass(frozen=True)
class UntrainedSettings:
    """The network, and how it is fitted."""

    lr: Rate = 0.01  # of Adam on the network's weights
    operator_lr: Rate = 1e-4  # of Adam on what is unknown of the operator
    iterations: Count = 3000
    halved_at: tuple[float, ...] = ()  # shares of the iterations after which both rates are halved
    channels: Count = 128  # of each of the network's layers
    levels: Count = 5  # how often it halves the image; at most as often as that has even sides
    skip: Count = 4  # channels from each level to its mirror image
    inputs: Count = 32  # channels of the code
    jitter: Rate = 1 / 30  # deviation of fresh noise on the code, which is uniform in [0, 0.1]
    average: Annotated[Scalar, Range(0, 1)] = 0.99  # the last image's weight in the moving average of outputs
    variation: Rate = 0.0  # weight of the mean total variation, beside the mean square of the residual
    # Of the operator that a command line makes for the problem; one that is given has its own.
    kernel: Kernel = "generator"
    boundary: Boundary = "reflect"

    def __post_init__(self) -> None:
        check_ranges(self)


class UntrainedState(NamedTuple):
    """Where one image's fit stands."""

    weights: PyTree  # the network's
    unknown: PyTree  # the operator's unknown leaves, None elsewhere
    optimizer: PyTree  # Optax's state over both
    average: Float[Array, "h w c"]  # of the outputs so far
    code: Float[Array, "h w inputs"]
    iteration: Array  # [] int32
    seed: Array  # [] uint32, of the noise on the code


class UntrainedIterate(NamedTuple):
    image: Float[Array, "h w c"]  # the moving average of the network's outputs
    noise: None  # no prior makes it
    unknown: PyTree  # the operator's unknown leaves, None elsewhere
    data_term: Array  # []: mean square of H(image) - y


@register
@dataclass(frozen=True, kw_only=True)
class Untrained(Method):
    """Adam on a network's weights, and on what is unknown of the operator, of the mean square of H(network(code)) - y."""

    lr: Any
    operator_lr: Any
    jitter: Any
    average: Any
    variation: Any
    network: Any = field(metadata={"static": True})  # a config of `networks`
    halved_at: tuple[float, ...] = field(default=(), metadata={"static": True})

    def init(self, y: Array, key: Array) -> UntrainedState:
        """Random weights and code; the operator's unknown leaves as they are, or as y says (`operators.begin`)."""
        for_weights, for_code, rest = jax.random.split(key, 3)
        weights, unknown = self.network.init(for_weights), partition(begin(self.operator, y))[0]
        optimizer = self._adam.init({"weights": weights, "operator": unknown})
        code = CODE * jax.random.uniform(for_code, (*self.prior.shape[:2], self.network.channels))
        seed = jax.random.bits(rest, dtype=jnp.uint32)
        return UntrainedState(weights, unknown, optimizer, jnp.zeros(self.prior.shape), code, jnp.int32(0), seed)

    def step(self, state: UntrainedState, y: Array) -> tuple[UntrainedState, UntrainedIterate]:
        """One iteration. The iterate has the operator and the output at which the loss was taken, before the update."""
        key = jax.random.fold_in(jax.random.key(state.seed), state.iteration)
        code = state.code + self.jitter * jax.random.normal(key, state.code.shape)
        variables: Any = {"weights": state.weights, "operator": state.unknown}
        known = partition(self.operator)[1]

        def loss(variables: Any) -> tuple[Array, Array]:
            output = self.network(variables["weights"], code[None], jnp.int32(0))[0]
            operator = combine(variables["operator"], known)
            residual = selected(operator, operator(output) - y)
            return jnp.mean(residual**2) + self.variation * total_variation(output) + penalty(operator), output

        gradient, output = jax.grad(loss, has_aux=True)(variables)
        with standard_promotion():
            updates, optimizer = self._adam.update(gradient, state.optimizer, variables)
            moved: Any = optax.apply_updates(variables, updates)
        averaged = self.average * state.average + (1 - self.average) * output
        image = jnp.where(state.iteration == 0, output, averaged)
        data_term = jnp.mean((combine(state.unknown, known)(image) - y) ** 2)
        following = (moved["weights"], moved["operator"], optimizer, image, state.code, state.iteration + 1, state.seed)
        return UntrainedState(*following), UntrainedIterate(image, None, state.unknown, data_term)

    @property
    def evaluations(self) -> int:
        """Of the prior: none."""
        return 0

    def operator_at(self, iterate: UntrainedIterate) -> Operator:
        return combine(iterate.unknown, partition(self.operator)[1])

    @property
    def _adam(self) -> optax.GradientTransformation:
        halvings = {round(share * self.iterations): 0.5 for share in self.halved_at}
        rates = {"weights": self.lr, "operator": self.operator_lr}
        if halvings:
            rates = {name: optax.piecewise_constant_schedule(rate, halvings) for name, rate in rates.items()}
        return optax.partition({name: optax.adam(rate) for name, rate in rates.items()}, {name: name for name in rates})


def total_variation(image: Float[Array, "h w c"]) -> Array:
    """The mean absolute difference of neighbours, along rows and columns, ``[]``.

    >>> float(total_variation(jnp.array([[[0.0], [2.0]], [[0.0], [2.0]]])))
    2.0
    """
    return sum((jnp.mean(jnp.abs(jnp.diff(image, axis=axis))) for axis in (0, 1)), jnp.float32(0.0))


def parts_of(
    name: str,
    prior: Prior,
    operator: Operator,
    settings: UntrainedSettings,
    sigma_y: Scalar,
    restarts: int,
    combine: Combine,
    stop: Rule | None,
) -> dict[str, Any]:
    """The fields of an `Untrained`; InputError for what it can't be made of."""
    from jaxrestore.networks import Hourglass  # Flax is heavy

    check_ranges(Noisy(sigma_y))
    check_differentiable(name, operator, prior.shape)
    height, width, channels = prior.shape
    levels = settings.levels
    while levels and (height % 2**levels or width % 2**levels or min(height, width) < 2 ** (levels + 1)):
        levels -= 1
    if not levels:
        raise InputError(
            f"{name} halves the image, and {height} x {width} pixels can't be: both sides must be even, and at least 4."
        )
    return {
        "prior": prior,
        "operator": operator,
        "sigma_y": jnp.float32(sigma_y),
        "lr": jnp.float32(settings.lr),
        "operator_lr": jnp.float32(settings.operator_lr),
        "jitter": jnp.float32(settings.jitter),
        "average": jnp.float32(settings.average),
        "variation": jnp.float32(settings.variation),
        "network": Hourglass(
            channels=settings.inputs,
            out_channels=channels,
            ch=settings.channels,
            levels=levels,
            skip=settings.skip,
        ),
        "halved_at": settings.halved_at,
        "iterations": settings.iterations,
        "restarts": restarts,
        "combine": combine,
        "stop": never() if stop is None else stop,
    }
