"""DPIR: plug-and-play restoration with a denoiser (Zhang et al., TPAMI 2021, arXiv 2008.13751), by half-quadratic splitting.

Steps on the data and steps of the prior by turns: z, the image of least |H z - y|^2 + rho |z - x|^2 with rho = strength
sigma_y^2 / sigma^2; and x, what the prior makes of z as if z had white noise of deviation sigma, which falls from step to
step. Nothing is drawn: the answer is the same for every key, and lies near to the most likely image rather than the mean.

Where the paper starts from an enlarged or blurred y, this starts from nothing at a noise far above: what y doesn't show is
filled in by the prior's coarsest steps, of which those of `photos` cost two transforms.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree

from jaxrestore._pytree import register
from jaxrestore._ranges import Range, check_ranges
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid, levels_grid
from jaxrestore.errors import InputError
from jaxrestore.methods.blind_walking import BlindIterate
from jaxrestore.methods.contract import Method
from jaxrestore.methods.descent import Noisy
from jaxrestore.methods.operator_steps import for_any
from jaxrestore.methods.settings import Count, Scalar, Tried, WalkSettings, changed, settings_of
from jaxrestore.methods.walking import denoised, deviation_of
from jaxrestore.operators import Operator, begin, combine, has_proximal, kind_of, partition, proximal

CG_STEPS = 12  # of each step on the data, which begins where the last one ended


@dataclass(frozen=True)
class DpirSettings(WalkSettings):
    """Between which deviations the steps lie, and how much the prior is believed."""

    strength: Annotated[Scalar, Range(0), Tried((0.1, 0.23, 0.5, 1.0))] = 0.23  # lambda
    highest: Annotated[Scalar, Range(1e-3)] = 10.0  # deviation at the first step, in units of [-1, 1]
    lowest: Annotated[Scalar, Range(1e-3)] = 4 / 255  # at the last, unless y's noise is more
    floor: Annotated[Scalar, Range(0)] = 4 / 255  # what y's noise counts for at least in the steps on the data
    steps: Count = 24


# lambda = 0.23 is published, and 8 steps from 49 grey levels on, 24 to enlarge. Ours, chosen on photographs that no table
# shows: the start where y leaves pixels open, the levels for JPEG, and how much noise y has at least: much where a kernel may
# be a little wrong, to enlarge no more than rounding makes. Denoising is one step.
PUBLISHED = {"any": DpirSettings(), "denoise": DpirSettings(strength=0.0, steps=1)}
PUBLISHED["super-resolution"] = DpirSettings(highest=150 / 255, floor=0.5 / 255)
PUBLISHED["deblur"] = DpirSettings(highest=98 / 255, steps=8)
PUBLISHED["jpeg"] = DpirSettings(highest=100 / 255, lowest=16 / 255, floor=16 / 255, steps=12)


class SplitState(NamedTuple):
    x: Float[Array, "h w c"]
    unknown: PyTree  # the operator's unknown leaves, None elsewhere
    done: Array  # [] int32: steps


@register
@dataclass(frozen=True, kw_only=True)
class Splitting(Method):
    """A step on the data and one of the prior are an iteration. A method is its `init`, which finds what is unknown of the
    operator."""

    strength: Any
    highest: Any
    lowest: Any
    floor: Any
    explains: bool = field(default=False, metadata={"static": True})  # the last answer all of a y that has no noise

    def step(self, state: SplitState, y: Array) -> tuple[SplitState, BlindIterate]:
        """On the data, then by the prior."""
        operator, times = combine(state.unknown, partition(self.operator)[1]), self.times(y)
        t, alpha_bar = times.t[state.done], times.alpha_bar[state.done]
        z = proximal(operator, state.x, y, self.weight(y, alpha_bar), CG_STEPS)
        image = x = denoised(self.prior, z, t, alpha_bar)
        if self.explains:
            exact = (jnp.asarray(self.sigma_y) == 0) & (state.done == self.iterations - 1)
            last = jax.lax.cond(for_any(exact), lambda: proximal(operator, x, y, 0.0, CG_STEPS), lambda: x)
            image = jnp.where(exact, last, x)
        image = jnp.clip(image, -1.0, 1.0)
        iterate = BlindIterate(image, None, state.unknown, jnp.mean((operator(image) - y) ** 2))
        return SplitState(x, state.unknown, state.done + 1), iterate

    def operator_at(self, iterate: BlindIterate) -> Operator:
        return combine(iterate.unknown, partition(self.operator)[1])

    def noise(self, y: Array) -> Array:
        """The deviation of y's noise; less than `lowest` counts as that much."""
        return jnp.maximum(deviation_of(self.operator, self.sigma_y, y), self.lowest)

    def times(self, y: Array) -> TimeGrid:
        """Of the prior's schedule, those nearest to deviations whose logarithm falls evenly; one alone is the last."""
        last = self.noise(y)
        first = jnp.maximum(self.highest, last)
        along = jnp.linspace(0.0, 1.0, self.iterations) if self.iterations > 1 else jnp.ones(1)
        return levels_grid(self.prior.schedule, jnp.exp((1 - along) * jnp.log(first) + along * jnp.log(last)))

    def weight(self, y: Array, alpha_bar: Array) -> Array:
        """rho."""
        noise = jnp.maximum(deviation_of(self.operator, self.sigma_y, y), self.floor)
        return self.strength * noise**2 * alpha_bar / (1 - alpha_bar)

    @property
    def evaluations(self) -> int:
        return 1


@register
@dataclass(frozen=True, kw_only=True)
class Dpir(Splitting):
    """Of a known operator; `dpir` makes it."""

    def init(self, y: Array, key: Array) -> SplitState:
        """Middle grey; of the operator what y says itself (`operators.begin`)."""
        grey = jnp.zeros(self.prior.shape, jnp.float32)
        return SplitState(grey, partition(begin(self.operator, y))[0], jnp.int32(0))


def dpir(
    prior: Prior,
    operator: Operator,
    *,
    settings: DpirSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    strength: Scalar | None = None,
    highest: Scalar | None = None,
    lowest: Scalar | None = None,
    floor: Scalar | None = None,
    steps: int | None = None,
) -> Dpir:
    """An image ``[h, w, c]``, in [-1, 1], near to the most likely one given what a known `operator` measured.

    The operator is linear, or has a `proximal` of its own (`Jpeg`, whose quality may be read off y). `sigma_y`: the rms of
    y - H(true image), in those units; 0: the answer explains y. `strength`, from 0 on: how much the prior is believed
    (lambda). `highest`, `lowest`: deviations between which the steps lie, the latter unless y's noise is more. `floor`: what
    `sigma_y` counts for at least in the steps on the data, as y was rounded or the operator is a little wrong. `steps`: as
    many network evaluations; each step on the data has up to `CG_STEPS` iterations of conjugate gradients. What isn't given
    comes from `settings`, without those from the prior, for the `kind` of problem (default: the operator's), or from what is
    published. InputError for a number out of its range, another operator, or a prior of latents.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.2)
    >>> result = jr.restore(jr.dpir(prior, jr.AveragePool(2), steps=8), jnp.full((4, 4, 3), 0.1), jax.random.key(0))
    >>> result.image.shape, bool(result.data_term < 1e-6)
    ((8, 8, 3), True)
    """
    check_splitting("dpir", prior, sigma_y)
    if not has_proximal(operator, prior.shape):
        raise InputError(
            f"dpir needs a linear operator, or one with a proximal step of its own, and this {type(operator).__name__} is "
            "neither: take dps, bird or shred."
        )
    chosen = changed(
        settings or settings_of("dpir", PUBLISHED, prior, kind or kind_of(operator)),
        strength=strength,
        highest=highest,
        lowest=lowest,
        floor=floor,
        steps=steps,
    )
    return Dpir(prior=prior, operator=operator, explains=True, **numbers_of(chosen, sigma_y))


NUMBERS = ("strength", "highest", "lowest", "floor")


def numbers_of(settings: DpirSettings, sigma_y: Scalar) -> dict[str, Any]:
    """The numbers of a `Splitting`, by name."""
    numbers = {"sigma_y": sigma_y, **{name: getattr(settings, name) for name in NUMBERS}}
    return {"iterations": settings.steps, **{name: jnp.float32(value) for name, value in numbers.items()}}


def check_splitting(name: str, prior: Prior, sigma_y: Any) -> None:
    """InputError for a prior of latents, and for a noise that is no number from 0 on."""
    if prior.latent is not None:
        raise InputError(f"The prior {prior.name!r} is one of latents, which {name} can't split: take bird or shred.")
    check_ranges(Noisy(sigma_y))
