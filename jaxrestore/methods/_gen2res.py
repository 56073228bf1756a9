"""Gen2Res: restoration by generation (Ding et al., CVPR 2024, arXiv 2312.17161).

Noise is added to the degraded image until what is wrong with it drowns, and the image is denoised again by ancestral
sampling. That alone drifts to what the prior knows best; so the prior is first fine-tuned on an album of anchors
(`jaxrestore.constrain`), of the same subject, or made from the degraded image by the guided sampling that is here, too.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore.diffusion.ancestral import Variance, ancestral_step, predict
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import Schedule
from jaxrestore.errors import InputError
from jaxrestore.methods.contract import Combine, Method
from jaxrestore.methods.settings import settings_of
from jaxrestore.operators import Identity
from jaxrestore.training.steps import Training


@register
@dataclass(frozen=True)
class Guidance:
    """Skip guidance: every so many steps the sample is drawn towards the degraded image, through the network.

    - ``form="paper"`` (eq. 6): x_t - scale grad_{x_t} |y - x0hat|^2, before the step, which is evaluated there anew.
    - ``form="published"``: the same gradient of the norm, not its square, taken from x_{t-1} after the step.

    Guided are the steps of which (t + 1) is divisible by `every` (0: none), and those of the `last` times below T, the
    noisiest; but none below `first`. Of a respaced chain `every` counts its own steps.
    """

    scale: Any = 0.3
    every: int = field(default=10, metadata={"static": True})
    last: int = field(default=0, metadata={"static": True})
    first: int = field(default=0, metadata={"static": True})
    form: Literal["paper", "published"] = field(default="published", metadata={"static": True})


class Chain(NamedTuple):
    """Where one image's sampling stands."""

    x: Float[Array, "h w c"]
    done: Array  # [] int32: steps
    seed: Array  # [] uint32


class Regeneration(NamedTuple):
    image: Float[Array, "h w c"]  # the sample, on the way in the scale of images
    noise: None
    data_term: Array  # []: mean square of the image's distance from y


@register
@dataclass(frozen=True, kw_only=True)
class Gen2Res(Method):
    """A step is one of the sampler's; `gen2res` makes it. Its operator is the identity."""

    guidance: Guidance | None
    depth: int | None = field(default=199, metadata={"static": True})
    variance: Variance = field(default="fixed_small", metadata={"static": True})
    clip: bool = field(default=True, metadata={"static": True})

    def init(self, y: Array, key: Array) -> Chain:
        """x_t = sqrt(ab) y + sqrt(1 - ab) noise at t = `depth`; without one pure noise, and all the way down."""
        noise_key, seed_key = jax.random.split(key)
        noise = jax.random.normal(noise_key, y.shape, jnp.float32)
        x = noise if self.depth is None else self.prior.schedule.diffuse(y, noise, self.depth)
        return Chain(x, jnp.int32(0), jax.random.bits(seed_key, dtype=jnp.uint32))

    def step(self, state: Chain, y: Array) -> tuple[Chain, Regeneration]:
        """From x_t to the next time's; one network evaluation, and twice that with its derivative where it is guided."""
        first = len(self.prior.schedule) - 1 if self.depth is None else self.depth
        times = chain_times(first, self.iterations)
        prior, index = respaced(self.prior, times), len(times) - 1 - state.done
        key, x = jax.random.fold_in(jax.random.key(state.seed), state.done), state.x
        guidance = self.guidance
        if guidance is not None and guidance.form == "paper":
            x = x - self._pull(guidance, prior, x, times, index, y)
        after = ancestral_step(prior, x[None], index, key, self.variance, self.clip)[0]
        if guidance is not None and guidance.form == "published":
            after = after - self._pull(guidance, prior, state.x, times, index, y)
        image = jnp.clip(after / jnp.sqrt(jnp.where(index > 0, prior.schedule.alpha_bar[index - 1], 1.0)), -1, 1)
        return Chain(after, state.done + 1, state.seed), Regeneration(image, None, jnp.mean((image - y) ** 2))

    @property
    def evaluations(self) -> int:
        """One; that of a guided step isn't counted."""
        return 1

    def _pull(self, guidance: Guidance, prior: Prior, x: Array, times: np.ndarray, index: Array, y: Array) -> Array:
        """The guidance's move at this step, or zeros."""

        def distance(x):
            x0 = predict(prior, x[None], index, "fixed_small", self.clip).x0[0]
            square = jnp.sum((y - x0) ** 2)
            return square if guidance.form == "paper" else jnp.sqrt(jnp.maximum(square, 1e-12))

        guided = jnp.asarray(guided_steps(guidance, times, len(self.prior.schedule)))[index]
        # A loop of one or no iteration: under vmap a cond would take the derivative at every step.
        pull = jax.lax.fori_loop(0, guided.astype(int), lambda _, x: jax.grad(distance)(x), x)
        return jnp.where(guided, guidance.scale * pull, 0.0)

    def score(self, iterate: Regeneration) -> Array:
        """The data term; of samples of one restoration none is better than another for it."""
        return iterate.data_term


def chain_times(depth: int, steps: int) -> np.ndarray:
    """The times of a sampler from `depth` down, rising ``[steps]``: 0..depth, or `steps` even ones of them, of which the last
    is `depth`. InputError for more steps than that.

    >>> chain_times(199, 3).tolist()
    [0, 100, 199]
    """
    if not 1 <= steps <= depth + 1:
        raise InputError(f"A chain from depth {depth} has 1 to {depth + 1} steps, not {steps}.")
    return np.round(np.linspace(depth, 0, steps)).astype(int)[::-1]


def guided_steps(guidance: Guidance, times: np.ndarray, length: int) -> np.ndarray:
    """Which steps of rising `times` are guided, bool ``[steps]``; `length` is T."""
    every = (np.arange(len(times)) + 1) % guidance.every == 0 if guidance.every else np.zeros(len(times), bool)
    return (every | (times >= length - guidance.last)) & (times >= guidance.first)


@dataclass(frozen=True)
class _AtTimes:
    """A network that is told times by their number."""

    network: Any

    def __call__(self, parameters, x, t, label=None, key=None):
        return self.network(parameters["network"], x, parameters["times"][t], label, key)


def respaced(prior: Prior, times: np.ndarray) -> Prior:
    """The prior over a few of its times, rising: its t counts them, and its schedule is theirs (Nichol & Dhariwal 2021)."""
    times_ = jnp.asarray(times, jnp.int32)
    parameters = {"network": prior.parameters, "times": times_}
    schedule = Schedule(prior.schedule.alpha_bar[times_])
    return replace(prior, parameters=parameters, schedule=schedule, network=_AtTimes(prior.network))


@dataclass(frozen=True)
class Constraint:
    """How a prior is constrained to an album, and how it restores then. Of an album of photographs the first two lines are
    not used."""

    album: int  # images of a generative album
    guidance: Guidance
    finetuning: Training
    personal_steps: int  # of fine-tuning on an album of photographs
    depth: int = 199  # of the album and of the restoration; the papers' K = depth + 1
    steps: int | None = None  # of the sampler, from there down; None: all
    guided: bool = False  # the restoration, too, and not the album alone


# K, album, iterations, batch and rate are the paper's. AdamW without decay, the rate annealed linearly to zero, no
# augmentation and no average are the published code's, on which the paper is silent.
_FINETUNING = Training(
    steps=3000, batch_size=4, learning_rate=1e-5, warmup=0, anneal="linear", clip=0.0, average=0.0, flip=False, crop=1.0
)
_PAPER = Constraint(16, Guidance(0.0034, every=10, form="paper"), _FINETUNING, 5000)
PUBLISHED = {
    # Equation 6. Its lambda isn't told: this moves as far as the code's 0.3 does where 256 pixels are off by 0.1 (rms).
    "any": _PAPER,
    "paper": _PAPER,
    # The published command: guided while it restores, too. Its script for albums isn't published.
    "published": replace(_PAPER, guidance=Guidance(0.3, every=10, last=200), guided=True),
    # Ours: the code's guidance for albums alone, from K down.
    "reading": replace(_PAPER, guidance=Guidance(0.3, every=10)),
}


def gen2res(
    prior: Prior,
    *,
    settings: Constraint | None = None,
    depth: int | None = None,
    steps: int | None = None,
    variance: Variance | None = None,
    guidance: Guidance | None = None,
    clip: bool = True,
    restarts: int = 1,
    combine: Combine = "mean",
) -> Gen2Res:
    """Regeneration from x_t at t = `depth` (-1: from pure noise), fully blind.

    Depth and steps that aren't given come from `settings`, without those from the prior, or from what is published. `steps`
    respaces the chain: fewer network evaluations than depth + 1. `variance`: see `diffusion.predict`; default learned where
    the network knows it, else fixed_small. `guidance`: that of albums (`generative_album`); default the settings' where
    they are `guided`, else none. The answer is a random draw, of which none is the best; the mean of several `restarts` is
    nearer to the truth. InputError for a depth or for steps that the schedule doesn't have.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    >>> method = jr.gen2res(prior, depth=99, steps=5)
    >>> jr.restore(method, jnp.full((8, 8, 3), 0.1), jax.random.key(0)).image.shape
    (8, 8, 3)
    """
    if prior.latent is not None:
        raise InputError(
            f"The prior {prior.name!r} is one of latents, in which gen2res doesn't draw: take bird or shred."
        )
    chosen = settings or settings_of("gen2res", PUBLISHED, prior, "any")
    length = len(prior.schedule)
    start = chosen.depth if depth is None else depth
    if not -1 <= start < length:
        raise InputError(f"depth must lie between 0 and {length - 1}, or be -1 for pure noise, not {start}.")
    most = length if start == -1 else start + 1
    if steps is None:
        steps = most if chosen.steps is None else min(chosen.steps, most)
    if not 2 <= steps <= most:
        raise InputError(f"steps must lie between 2 and {most}, not {steps}.")
    if variance is None:
        shape = jax.ShapeDtypeStruct((1, *prior.shape), jnp.float32)
        learned = jax.eval_shape(prior.apply, shape, jax.ShapeDtypeStruct((), jnp.int32))[1] is not None
        variance = "learned" if learned else "fixed_small"
    guidance = chosen.guidance if guidance is None and chosen.guided else guidance
    guidance = None if guidance is None else replace(guidance, scale=jnp.float32(guidance.scale))
    return Gen2Res(
        prior=prior,
        operator=Identity(),
        guidance=guidance,
        depth=None if start == -1 else start,
        variance=variance,
        clip=clip,
        iterations=steps,
        restarts=restarts,
        combine=combine,
    )
