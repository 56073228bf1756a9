"""The loop that SHRED, BIRD and Invert2Restore with an operator share: Adam on the noise, and on the operator where it is
unknown, through the unroll.

Everything here is about one image ``[h, w, c]`` and one measurement. Batches and restarts are `jax.vmap` of it: image i has
the same result in any batch, an unknown operator is one per image, and the network sees one batch all the same.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from jaxrestore._pytree import register
from jaxrestore.density.corrections import sphere
from jaxrestore.density.objective import objective
from jaxrestore.diffusion.ddim import GradientMode, unroll
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import GridName
from jaxrestore.methods.operator_steps import for_any, gauss_newton
from jaxrestore.methods.origins import Origin
from jaxrestore.methods.settings import AROUND, preset, preset_name
from jaxrestore.operators.unknown import begin, combine, partition, penalty

Loss = Literal["mean_square", "norm"]
Decay = Literal["constant", "cosine"]


class DescentState(NamedTuple):
    noise: Array  # [h, w, c]
    unknown: PyTree  # the operator's unknown leaves, None elsewhere
    optimizer: PyTree  # Optax state over both
    iteration: Array  # [] int32


class Iterate(NamedTuple):
    """One point of the search: everything in it belongs together."""

    image: Array  # [h, w, c]
    noise: Array  # [h, w, c]
    unknown: PyTree  # the operator's unknown leaves, None elsewhere
    data_term: Array  # []: mean square of H(image) - y, in units of [-1, 1]


@register
@dataclass(frozen=True)
class Descent:
    """Gradient descent on ``loss(H(G(z)) - y) + density * objective(z)``. `shred`, `bird` and `partially_blind` make it; a
    pytree with pure functions init and step.

    The numbers that are leaves (rates, weights, noise level) can be replaced and vmapped over without compiling anew.
    """

    prior: Prior
    operator: PyTree
    noise_lr: Any
    operator_lr: Any
    noise_level: Any  # rms of y - H(true image) over all entries of y, in units of [-1, 1]; 0 where there is no noise
    skip: int = field(metadata={"static": True})
    grid: GridName = field(metadata={"static": True})
    clip: bool = field(metadata={"static": True})
    gradient: GradientMode = field(metadata={"static": True})
    loss: Loss = field(metadata={"static": True})
    sphere: bool = field(metadata={"static": True})  # back to radius sqrt(d) after every step
    decay: Decay = field(metadata={"static": True})  # of the rates, over the iterations
    answer: Literal["last", "best"] = field(metadata={"static": True})  # which iterate is the result
    iterations: int = field(metadata={"static": True})  # how many the driver runs unless told otherwise
    operator_every: int = field(default=0, metadata={"static": True})  # 0: a gradient step with every step of the noise
    operator_from: float = field(default=0.0, metadata={"static": True})  # share of the iterations before the first
    damping: Any = 0.0  # of a Gauss-Newton step on the operator, every `operator_every` iterations
    spread: Any = 0.0  # deviation of normal numbers that are added to the operator's unknown leaves at the start
    density: Any = None  # weight of the Gaussian-density objective; None: it isn't computed
    density_decay: Decay = field(default="constant", metadata={"static": True})  # of that weight
    patch: int = field(default=8, metadata={"static": True})  # of that objective, and of the rectification
    rectify_every: int = field(default=0, metadata={"static": True})  # patches to their spheres; 0: never
    origin: Origin | None = None  # where the noise starts; None: fresh
    optimizer: optax.GradientTransformation | None = field(default=None, metadata={"static": True})

    def init(self, key: Array, y: Array) -> DescentState:
        """Noise from N(0, I) or the origin's; the operator's unknown leaves as they are, or as y says (`begin`), and
        normal numbers of deviation `spread` added to them."""
        noise = jax.random.normal(key, self.prior.shape)
        if self.origin is not None:
            noise = self.origin(self.prior, y, noise, self.skip, self.grid)
        unknown = partition(begin(self.operator, y))[0]
        return self.init_from(noise, _around(jax.random.fold_in(key, 1), unknown, self.spread))

    def init_from(self, noise: Float[Array, "h w c"], unknown: PyTree = None) -> DescentState:
        """The state that starts from a given noise, and from the operator's unknown leaves or others in their place."""
        unknown = partition(self.operator)[0] if unknown is None else unknown
        return DescentState(noise, unknown, self._optimizer().init({"noise": noise, "operator": unknown}), jnp.int32(0))

    def step(self, state: DescentState, y: Array) -> tuple[DescentState, Iterate]:
        """One iteration. The iterate is the point at which the loss was taken, before the update."""
        known = partition(self.operator)[1]

        def cost(variables):
            image = self.generate(variables["noise"])
            operator = combine(variables["operator"], known)
            residual = operator(image) - y
            data_term = jnp.mean(residual**2)
            misfit = data_term if self.loss == "mean_square" else optax.safe_norm(residual, 1e-12)
            return misfit + penalty(operator) + self._untypical(variables["noise"], state.iteration), (image, data_term)

        variables = {"noise": state.noise, "operator": state.unknown}
        gradient, (image, data_term) = jax.grad(cost, has_aux=True)(variables)
        updates, optimizer = self._optimizer().update(gradient, state.optimizer, variables)
        moved: Any = optax.apply_updates(variables, updates)
        noise = sphere(moved["noise"]) if self.sphere else moved["noise"]
        if self.rectify_every:
            due = (state.iteration + 1) % self.rectify_every == 0
            noise = jnp.where(due, sphere(noise, self.patch), noise)
        unknown = moved["operator"]
        if self.operator_every:
            unknown = self._alternate(state, image, y)
        iterate = Iterate(image, state.noise, state.unknown, data_term)
        return DescentState(noise, unknown, optimizer, state.iteration + 1), iterate

    def _untypical(self, noise: Array, iteration: Array) -> Any:
        """The weighted density objective."""
        if self.density is None:
            return 0.0
        weight = self.density
        if self.density_decay == "cosine":
            weight = weight * optax.cosine_decay_schedule(1.0, self.iterations)(iteration)
        return weight * objective(noise, self.patch)

    def _alternate(self, state: DescentState, image: Array, y: Array) -> PyTree:
        """The unknown leaves after this iteration: a Gauss-Newton step when one is due, else as they were.

        Not before the image has formed: to a random one the best kernel is a broad one, and the image then suits it.
        """
        known, unknown = partition(self.operator)[1], state.unknown
        if not jax.tree.leaves(unknown):
            return unknown
        every = min(self.operator_every, max(1, self.iterations // 4))  # a short run has its kernel steps, too
        due = (state.iteration >= self.operator_from * self.iterations) & (state.iteration % every == 0)
        fixed = jax.lax.stop_gradient(image)

        def move(leaves: PyTree) -> PyTree:
            return gauss_newton(lambda new: combine(new, known)(fixed), leaves, y, self.damping)

        found = jax.lax.cond(for_any(due), move, lambda leaves: leaves, unknown)
        return jax.tree.map(lambda new, old: jnp.where(due, new, old), found, unknown)

    def generate(self, noise: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        """G(noise), by the method's own unroll."""
        return unroll(self.prior, noise, skip=self.skip, grid=self.grid, clip=self.clip, gradient=self.gradient)

    def score(self, iterate: Iterate) -> Array:
        """What the best of several answers has least of: the distance of the data term from the noise's variance.

        With no noise that is the data term. With noise, an image that explains y better than the truth does has begun to
        reproduce the noise (the discrepancy principle). With H = identity it needs a noise level: a small data term alone
        means no more than that the degradation has been reproduced. Where the noise's density is part of the objective, it
        is part of this.
        """
        return jnp.abs(iterate.data_term - self.noise_level**2) + self._untypical(iterate.noise, jnp.int32(0))

    def operator_at(self, iterate: Iterate) -> PyTree:
        """The whole operator of an iterate."""
        return combine(iterate.unknown, partition(self.operator)[1])

    def _optimizer(self) -> optax.GradientTransformation:
        if self.optimizer is not None:
            return self.optimizer
        rates = {"noise": self.noise_lr, "operator": self.operator_lr}
        if self.decay == "cosine":
            rates = {name: optax.cosine_decay_schedule(rate, self.iterations) for name, rate in rates.items()}
        return optax.partition({name: optax.adam(rate) for name, rate in rates.items()}, {name: name for name in rates})


def _around(key: Array, leaves: PyTree, spread: Any) -> PyTree:
    """Each leaf plus `spread` times N(0, I)."""
    flat, structure = jax.tree.flatten(leaves)
    keys = jax.random.split(key, max(1, len(flat)))
    moved = [leaf + spread * jax.random.normal(k, leaf.shape, leaf.dtype) for k, leaf in zip(keys, flat, strict=False)]
    return jax.tree.unflatten(structure, moved)


def descent(
    method: str,
    prior: Prior,
    operator: PyTree,
    task: str,
    given: str | None,
    noise_level: Any,
    optimizer: optax.GradientTransformation | None,
    settings: dict[str, Any],
    origin: Origin | None = None,
) -> Descent:
    """The `Descent` of a named method with its preset; `settings` replace the preset's. For `shred`, `bird`, ..."""
    chosen = asdict(preset(method, task, preset_name(method, given, prior.name)))
    known = {name: value for name, value in chosen.items() if name not in AROUND}
    unknown = settings.keys() - known.keys()
    if unknown:
        raise TypeError(f"{method} has no setting {', '.join(sorted(unknown))}; it has: {', '.join(known)}.")
    values = {**known, **settings}
    if (optimizer is not None or "operator_lr" in settings) and "operator_every" not in settings:
        values["operator_every"] = 0  # who asks for a rate or an optimiser of the operator's wants it used
    for name in ("noise_lr", "operator_lr", "damping", "spread", "density"):
        values[name] = None if values[name] is None else jnp.asarray(values[name], jnp.float32)
    values |= {"noise_level": jnp.asarray(noise_level, jnp.float32), "sphere": method == "bird"}
    return Descent(prior, operator, **values, optimizer=optimizer, origin=origin)
