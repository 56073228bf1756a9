"""Training a prior, from fresh weights or from trained ones: the losses, and one step. Pure functions.

`training.train` is the loop around them: photographs in, a prior out.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from jaxrestore._promotion import standard_promotion
from jaxrestore.diffusion.ancestral import hybrid_loss
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import clean_part


@jax.tree_util.register_static
@dataclass(frozen=True)
class Training:
    """The settings of a training; without leaves: a program is made for each. The defaults are for fresh weights."""

    steps: int = 20_000
    batch_size: int = 64
    learning_rate: float = 3e-4
    warmup: int = 500  # steps from a rate of zero up
    anneal: Literal["constant", "linear", "cosine"] = "cosine"  # of the rate, to zero, after them
    weight_decay: float = 0.0
    clip: float = 1.0  # the gradient's largest norm over all parameters; 0: any
    average: float = 0.999  # of the weights, from step to step (EMA); 0: the last weights are the prior's
    min_snr: float | None = None  # gamma of Hang et al. 2023; None: every time weighs the same
    times: int | None = None  # train 0..times-1 alone, where a restoration from step K = times never sees others
    accumulate: int = 1  # parts that a batch is evaluated in, one after the other: less memory, the same gradient
    flip: bool = True  # photographs left to right, half of the time
    crop: float = 0.75  # the smallest part of a photograph's shorter side that is looked at; 1: its centre


class State(NamedTuple):
    """Where a training stands."""

    parameters: PyTree
    average: PyTree  # of them, or None without `Training.average`
    optimizer: PyTree  # Optax's
    step: Array  # [] int32


def losses(
    prior: Prior,
    x0: Float[Array, "b h w c"],
    noise: Float[Array, "b h w c"],
    t: Array,
    min_snr: float | None = None,
    key: Array | None = None,
) -> Float[Array, " b"]:
    """Each image's loss at its time t ``[b]``: the mean square error of what the network predicts. One evaluation.

    Noise, x0 or v is compared with its own target. A network with a variance output has the hybrid loss (`hybrid_loss`).
    `min_snr` weighs the times by min(snr, gamma), as seen from x0 (Hang et al. 2023, eq. 9), snr = ab / (1 - ab).
    A network with dropout draws it from `key`; without one there is none.
    """
    x = prior.schedule.diffuse(x0, noise, t)
    bound = 0.0
    if jax.eval_shape(prior.apply, x, t)[1] is None:
        square = jnp.mean((prior.apply(x, t, key=key)[0] - noise) ** 2, axis=(1, 2, 3))
    else:
        hybrid = hybrid_loss(prior, x0, noise, t, key=key)
        square, bound = hybrid.mean_square, hybrid.total - hybrid.mean_square
    # An error of the noise is sqrt(ab) times one of v, and sqrt(snr) times one of x0.
    alpha_bar = prior.schedule.alpha_bar[t]
    snr = alpha_bar / (1 - alpha_bar)
    velocity = (
        jnp.sqrt(alpha_bar) + jnp.sqrt(1 - alpha_bar)
    ) ** 2 / alpha_bar  # noise - x0, shown (1 - u) x0 + u noise
    seen = {"noise": 1.0, "v": 1 / alpha_bar, "x0": 1 / snr, "velocity": velocity}[prior.prediction]
    return square * (seen if min_snr is None else jnp.minimum(snr, min_snr) / snr) + bound


def learning_rate(settings: Training) -> optax.Schedule:
    """The rate at a step: warmed up, for an eighth of the steps at most, then annealed."""
    rate, warmup = settings.learning_rate, min(settings.warmup, settings.steps // 8)
    rest = settings.steps - warmup
    after = {
        "constant": optax.constant_schedule(rate),
        "linear": optax.linear_schedule(rate, 0.0, rest),
        "cosine": optax.cosine_decay_schedule(rate, rest),
    }[settings.anneal]
    return optax.join_schedules([optax.linear_schedule(0.0, rate, warmup), after], [warmup])


def optimizer(settings: Training) -> optax.GradientTransformation:
    """AdamW, after the gradient is clipped."""
    adam = optax.adamw(learning_rate(settings), weight_decay=settings.weight_decay)
    return optax.chain(optax.clip_by_global_norm(settings.clip), adam) if settings.clip else adam


def begin(prior: Prior, settings: Training) -> State:
    """Before the first step, from the prior's weights. Pure."""
    average = prior.parameters if settings.average else None
    return State(prior.parameters, average, optimizer(settings).init(prior.parameters), jnp.int32(0))


@partial(jax.jit, donate_argnames="state")
def step(
    prior: Prior, settings: Training, state: State, images: Float[Array, "parts b h w c"], key: Array
) -> tuple[State, dict[str, Array]]:
    """One step on a batch in [-1, 1], divided into `settings.accumulate` parts; takes `state`'s buffers. Pure.

    The prior's own weights are not used (None will do): the state holds them. Times are
    even over 0..T-1, each image's random and those of a batch spread evenly (Kingma et al. 2021, appendix I.1): less noise
    in the gradient. All is drawn from the key and the step, image by image, so that the parts make no difference. Returns
    the state, and the batch's "loss" and "gradient" norm. Where the arguments are sharded over devices, so is the work.
    """
    key, parts = jax.random.fold_in(key, state.step), images.shape[:2]
    keys, number = jax.random.split(key, parts), parts[0] * parts[1]
    spread = (jax.random.uniform(jax.random.fold_in(key, number)) + jnp.arange(number) / number) % 1
    times = (spread * (settings.times or len(prior.schedule))).astype(jnp.int32).reshape(parts)

    def loss(parameters, images, keys, t):
        noise = jax.vmap(lambda key: jax.random.normal(key, images.shape[1:]))(keys)
        return jnp.mean(losses(replace(prior, parameters=parameters), images, noise, t, settings.min_snr, key=keys[0]))

    def part(total, drawn):
        return jax.tree.map(jnp.add, total, jax.value_and_grad(loss)(state.parameters, *drawn)), None

    drawn = (images, keys, times)
    zeros = (jnp.zeros(()), jax.tree.map(jnp.zeros_like, state.parameters))
    total = (
        jax.lax.scan(part, zeros, drawn)[0]
        if len(images) > 1
        else part(zeros, jax.tree.map(lambda leaf: leaf[0], drawn))[0]
    )
    value, gradient = jax.tree.map(lambda leaf: leaf / len(images), total)
    with standard_promotion():
        updates, optimizer_state = optimizer(settings).update(gradient, state.optimizer, state.parameters)
        parameters: Any = optax.apply_updates(state.parameters, updates)
    average = state.average
    if settings.average:  # a young average forgets the start soon
        decay = jnp.minimum(settings.average, (1 + state.step) / (10 + state.step))
        average = optax.incremental_update(parameters, average, 1 - decay)
    norm = optax.tree.norm(gradient)
    return State(parameters, average, optimizer_state, state.step + 1), {"loss": value, "gradient": norm}


def trained(prior: Prior, settings: Training, state: State) -> Prior:
    """The prior with the weights of a state: their average, or the last ones."""
    return replace(prior, parameters=state.average if settings.average else state.parameters)


@jax.jit
def held_out_error(prior: Prior, images: Float[Array, "b h w c"], t: Any, key: Array) -> Float[Array, "b 2"]:
    """Mean square error of the predicted noise, and of x0 clipped to [-1, 1], at a time t ``[]`` or ``[b]``. Pure."""
    noise = jax.random.normal(key, images.shape)
    alpha_bar = prior.schedule.alpha_bar[t].reshape(-1, 1, 1, 1)
    x = prior.schedule.diffuse(images, noise, t)
    eps = prior.predict_noise(x, t)
    x0 = jnp.clip(clean_part(x, eps, alpha_bar), -1, 1)
    return jnp.stack([jnp.mean((a - b) ** 2, axis=(1, 2, 3)) for a, b in ((eps, noise), (x0, images))], axis=-1)
