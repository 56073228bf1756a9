"""Invert2Restore: zero-shot restoration by rectified noise (Chihaoui, Favaro, arXiv 2503.21486, 2025).

Fully blind, the degraded image is inverted to its noise, the noise rectified toward the high-density region of N(0, I), and
the clean image generated from it (`literal.py`, `calibrated.py`). Partially blind, noise and operator are found together, the
noise kept where its density is high. No more of the paper is known to us: the formulas are our reading, which
`docs/invert2restore.md` argues.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PyTree

from jaxrestore._pytree import register
from jaxrestore.density.corrections import sphere
from jaxrestore.density.gaussian import objective
from jaxrestore.density.rectification import Correction, Strength, correct
from jaxrestore.diffusion.ddim import GradientMode
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import GridName, time_grid
from jaxrestore.errors import InputError
from jaxrestore.methods.calibrated import CalibratedInvert2Restore, CalibratedSettings, calibrated_rounds
from jaxrestore.methods.contract import Answer, Combine
from jaxrestore.methods.descent import Descent, DescentIterate, DescentState, parts_of
from jaxrestore.methods.literal import LiteralInvert2Restore, LiteralSettings, literal_rounds
from jaxrestore.methods.origins import Origin
from jaxrestore.methods.settings import Decay, JointSettings, Loss, Scalar, changed, settings_of
from jaxrestore.operators import Operator, begin, kind_of, partition
from jaxrestore.stopping import Rule

# The published rate and steps of its sibling BIRD, and our reading's density objective.
PUBLISHED = {"any": JointSettings(noise_lr=0.003, iterations=200, density=1e-5)}
PUBLISHED_CALIBRATED = {"any": CalibratedSettings()}  # our reading's
PUBLISHED_LITERAL = {"any": LiteralSettings()}


@register
@dataclass(frozen=True, kw_only=True)
class PartiallyBlind(Descent):
    """Descend on ``|H(G(z)) - y|^2 + density * objective(z)`` in the noise z and the operator's parameters."""

    density: Any = None  # weight of the Gaussian-density objective; None: it isn't computed
    density_decay: Decay = field(default="constant", metadata={"static": True})  # of that weight
    patch: int = field(default=8, metadata={"static": True})  # of that objective, and of the rectification
    rectify_every: int = field(default=0, metadata={"static": True})  # patches to their spheres; 0: never
    spread: Any = 0.0  # deviation of normal numbers that are added to the operator's unknown leaves at the start
    origin: Origin | None = None  # where the noise starts; None: fresh

    def init(self, y: Array, key: Array) -> DescentState:
        """Noise from N(0, I) or the origin's; the operator's unknown leaves as y says, and `spread` around that."""
        noise = jax.random.normal(key, self.prior.noise_shape, jnp.float32)
        if self.origin is not None:
            times = time_grid(self.prior.schedule, self.unroll.skip, self.unroll.grid)
            noise = self.origin(self.prior, y, noise, times)
        unknown = partition(begin(self.operator, y))[0]
        return self.init_from(noise, _around(jax.random.fold_in(key, 1), unknown, self.spread))

    def step(self, state: DescentState, y: Array) -> tuple[DescentState, DescentIterate]:
        """One iteration. The iterate is the point at which the loss was taken, before the update."""
        gradient, iterate = self.differentiate(state, y, lambda noise: self.untypical(noise, state.iteration))
        moved, optimizer = self.descend(state, gradient)
        noise = self.rectify(moved["noise"], state.iteration)
        unknown = self.move_operator(state, moved, iterate.image, y)
        return DescentState(noise, unknown, optimizer, state.iteration + 1), iterate

    def untypical(self, noise: Float[Array, "h w c"], iteration: Array) -> Any:
        """The weighted density objective."""
        if self.density is None:
            return 0.0
        weight = self.density
        if self.density_decay == "cosine":
            weight = weight * optax.cosine_decay_schedule(1.0, self.iterations)(iteration.astype(jnp.float32))
        return weight * objective(noise, self.patch)

    def rectify(self, noise: Float[Array, "h w c"], iteration: Array) -> Float[Array, "h w c"]:
        """Every so many iterations each patch on its sphere, where the whole of BIRD's noise is on one."""
        if not self.rectify_every:
            return noise
        return jnp.where((iteration + 1) % self.rectify_every == 0, sphere(noise, self.patch), noise)

    def score(self, iterate: DescentIterate) -> Array:
        """As every method's; where the noise's density is part of the objective, it is part of this."""
        return super().score(iterate) + self.untypical(iterate.noise, jnp.int32(0))


def _around(key: Array, leaves: PyTree, spread: Any) -> PyTree:
    """Each leaf plus `spread` times N(0, I)."""
    flat, structure = jax.tree.flatten(leaves)
    keys = jax.random.split(key, max(1, len(flat)))
    moved = [leaf + spread * jax.random.normal(k, leaf.shape, leaf.dtype) for k, leaf in zip(keys, flat, strict=False)]
    return jax.tree.unflatten(structure, moved)


def invert2restore(
    prior: Prior,
    operator: Operator | None = None,
    *,
    settings: JointSettings | CalibratedSettings | LiteralSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    noise_lr: Scalar | None = None,
    operator_lr: Scalar | None = None,
    operator_every: int | None = None,
    operator_from: Scalar | None = None,
    damping: Scalar | None = None,
    iterations: int | None = None,
    skip: int | None = None,
    grid: GridName | None = None,
    clip: bool | None = None,
    gradient: GradientMode | None = None,
    loss: Loss | None = None,
    decay: Decay | None = None,
    answer: Answer | None = None,
    restarts: int | None = None,
    combine: Combine | None = None,
    stop: Rule | None = None,
    optimizer: optax.GradientTransformation | None = None,
    density: Scalar | None = None,
    density_decay: Decay | None = None,
    patch: int | None = None,
    rectify_every: int | None = None,
    spread: Scalar | None = None,
    origin: Literal["fresh", "rectified"] | None = None,
    fresh: Scalar | None = None,
    untypical: Scalar | None = None,
    noisy: Scalar | None = None,
    strength: Strength | None = None,
    correction: Correction = correct,
) -> LiteralInvert2Restore | CalibratedInvert2Restore | PartiallyBlind:
    """Restoration told nothing, or with an `operator` whose unknown leaves are found together with the noise.

    Fully blind (no operator), in two variants. The literal one (``settings=LiteralSettings()``; the default of a prior
    without statistics) runs on any prior that draws well: 45 evaluations a round, one to three rounds. The calibrated one
    (`CalibratedSettings`; the default of a prior with statistics) goes to small depths and compares with clean photographs,
    as a weaker prior needs it: at most steps (2 + refinements) evaluations a depth of the statistics, 160 in all for the
    embedded prior. `untypical`: the largest z-score of a noise that is left alone; `noisy`: the excess of fine frequencies
    that calls for another round; `strength` and `correction`: of its rectification (`density.rectify`).

    With an operator: argmin over z and its unknown leaves of ``|H(G(z)) - y|^2 + density * objective(z)``. As `bird`, with
    the Gaussian density of patches in the place of the sphere around the whole: as a term of the objective (`density`, its
    weight, constant or decaying), or by bringing every `patch` back to its sphere each `rectify_every` iterations.
    ``origin="rectified"`` starts at the rectified noise of the fully blind method (with a weight `fresh` of fresh noise),
    `spread` lets the operator's start differ between keys. All other keywords are those of `shred`. An operator without
    unknown leaves makes it non-blind.

    InputError for CalibratedSettings with a prior that has no statistics (`calibrate`), or a keyword of another case.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    >>> method = jr.invert2restore(prior, jr.AveragePool(2), iterations=5, skip=250, density=1e-4)
    >>> jr.restore(method, jnp.full((4, 4, 3), 0.1), jax.random.key(0)).message
    'all 5 iterations were run'
    """
    joint = dict(
        noise_lr=noise_lr,
        operator_lr=operator_lr,
        operator_every=operator_every,
        operator_from=operator_from,
        damping=damping,
        iterations=iterations,
        skip=skip,
        grid=grid,
        clip=clip,
        gradient=gradient,
        loss=loss,
        decay=decay,
        answer=answer,
        restarts=restarts,
        combine=combine,
        density=density,
        density_decay=density_decay,
        patch=patch,
        rectify_every=rectify_every,
        spread=spread,
        origin=origin,
        fresh=fresh,
    )
    rounds = dict(untypical=untypical, noisy=noisy)
    if operator is None:
        _refuse("is for an operator, and there is none", **joint, optimizer=optimizer, stop=stop)
        choice = settings or blind_settings(prior)
        if isinstance(choice, LiteralSettings):
            _refuse("is for the calibrated variant, of CalibratedSettings", **rounds, strength=strength)
            return literal_rounds(prior, choice)
        if not isinstance(choice, CalibratedSettings):
            raise InputError(
                "Without an operator invert2restore takes LiteralSettings or CalibratedSettings, "
                "published('invert2restore-literal') or published('invert2restore-calibrated')."
            )
        choice = changed(choice, **rounds)
        return calibrated_rounds(prior, strength or choice.strength, choice.untypical, choice.noisy, correction)
    _refuse("is for the fully blind method, and there is an operator", **rounds, strength=strength)
    chosen = settings or settings_of("invert2restore", PUBLISHED, prior, kind or kind_of(operator))
    if not isinstance(chosen, JointSettings):
        raise InputError("With an operator invert2restore takes JointSettings: published('invert2restore').")
    if optimizer is not None and operator_every is None:
        joint["operator_every"] = 0
    chosen = changed(chosen, **joint)
    start = None
    if chosen.origin == "rectified":
        blind = settings_of("invert2restore-calibrated", PUBLISHED_CALIBRATED, prior, "any")
        calibrated_rounds(prior, blind.strength, blind.untypical, blind.noisy)  # raises where it can't be
        start = Origin(jnp.float32(chosen.fresh), blind)
    return PartiallyBlind(
        operator=operator,
        optimizer=optimizer,
        density=None if chosen.density is None else jnp.float32(chosen.density),
        density_decay=chosen.density_decay,
        patch=chosen.patch,
        rectify_every=chosen.rectify_every,
        spread=jnp.float32(chosen.spread),
        origin=start,
        **parts_of(prior, chosen, stop, sigma_y),
    )


def blind_settings(prior: Prior) -> CalibratedSettings | LiteralSettings:
    """Those of the variant that serves the prior: the calibrated one where it has statistics, else the literal one."""
    if prior.statistics is not None:
        return settings_of("invert2restore-calibrated", PUBLISHED_CALIBRATED, prior, "any")
    return settings_of("invert2restore-literal", PUBLISHED_LITERAL, prior, "any")


def _refuse(why: str, **given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise InputError(f"invert2restore: {name} {why}.")
