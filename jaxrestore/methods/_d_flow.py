"""D-Flow: differentiating through flows (Ben-Hamu et al., ICML 2024, arXiv 2402.14017).

The noise search of `shred` by the exact derivative through a flow's ODE, solved by the midpoint rule in six steps. Two things
are its own: the noise starts at that of the degraded picture, mixed with fresh one; and its norm is held near sqrt(d), by the
log-density of the norm of N(0, I) as a term of the objective. Any prior that reaches noise has such an ODE.

What is our reading: Adam in the place of L-BFGS with a line search, with its rate and iterations; and the picture is what
`shown` makes of y, enlarged, so that any operator has one.

Known of it: as all that search for a noise, it explains y's own with it.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore._ranges import Range
from jaxrestore.density.corrections import mix
from jaxrestore.diffusion.ddim import GradientMode, ascend, unroll
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import GridName, time_grid
from jaxrestore.errors import InputError
from jaxrestore.methods.contract import Answer, Combine
from jaxrestore.methods.descent import Descent, DescentIterate, DescentState, parts_of
from jaxrestore.methods.settings import Decay, Loss, Rate, Scalar, Settings, changed, settings_of
from jaxrestore.operators import Operator, begin, kind_of, partition, shown
from jaxrestore.stopping import Rule


@dataclass(frozen=True)
class DFlowSettings(Settings):
    """Of D-Flow: those of a search, where it starts, and how much its norm weighs."""

    blend: Annotated[Scalar, Range(0, 1)] = 0.1  # share, in the variance, of the picture's noise in the first
    radial: Rate = 0.001  # weight of the norm's log-density, beside the sum of squares of the residual


# Six midpoint steps, a blend of 0.1, a weight of 0.001 as in a published comparison (that of PnP-Flow's code); the rest ours.
PUBLISHED = {
    "any": DFlowSettings(
        noise_lr=0.05, iterations=200, operator_lr=0.05, skip=167, grid="trailing", clip=False, gradient="full"
    )
}


@register
@dataclass(frozen=True, kw_only=True)
class DFlow(Descent):
    """Descend on ``|H(G(z)) - y|^2 + radial * r(z)``; `d_flow` makes it."""

    blend: Any
    radial: Any

    def init(self, y: Array, key: Array) -> DescentState:
        """The noise of the picture, by the ODE backwards, and fresh one; the operator's unknown leaves as y says."""
        height, width, channels = self.prior.shape
        picture = jax.image.resize(shown(self.operator, y), (height, width, 3), "linear")
        if channels != 3:
            picture = jnp.broadcast_to(jnp.mean(picture, axis=-1, keepdims=True), self.prior.shape)
        start = picture if self.prior.latent is None else self.prior.latent.encode(picture)
        times = time_grid(self.prior.schedule, self.unroll.skip, self.unroll.grid)
        fresh = jax.random.normal(key, self.prior.noise_shape, jnp.float32)
        noise = mix(ascend(self.prior, start, times), fresh, jnp.sqrt(1 - self.blend))
        return self.init_from(noise, partition(begin(self.operator, y))[0])

    def generate(self, noise: Float[Array, "*b h w c"]) -> Float[Array, "*b H W C"]:
        """The end of the ODE, by the midpoint rule."""
        how = self.unroll
        return unroll(
            self.prior,
            noise,
            skip=how.skip,
            grid=how.grid,
            clip=how.clip,
            gradient=how.gradient,
            solver="midpoint",
        )

    def step(self, state: DescentState, y: Array) -> tuple[DescentState, DescentIterate]:
        """One iteration. The iterate is the point at which the loss was taken, before the update."""
        weight = self.radial / y.size  # beside a mean of squares
        gradient, iterate = self.differentiate(state, y, lambda noise: weight * radial_energy(noise))
        moved, optimizer = self.descend(state, gradient)
        unknown = self.move_operator(state, moved, iterate.image, y)
        return DescentState(moved["noise"], unknown, optimizer, state.iteration + 1), iterate

    @property
    def evaluations(self) -> int:
        """Of the unroll, whose steps have two each."""
        return 2 * super().evaluations


def radial_energy(noise: Float[Array, "h w c"]) -> Float[Array, ""]:
    """Minus the log-density of the norm of a noise of N(0, I), up to a constant: least where the norm is sqrt(d - 1).

    >>> round(float(jax.grad(radial_energy)(jnp.ones((2, 2, 1))).sum()), 3)  # |z| = 2 is above sqrt(3)
    1.0
    """
    square = jnp.sum(noise**2)
    return square / 2 - (noise.size - 1) / 2 * jnp.log(square + 1e-12)


def d_flow(
    prior: Prior,
    operator: Operator,
    *,
    settings: DFlowSettings | None = None,
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
    blend: Scalar | None = None,
    radial: Scalar | None = None,
) -> DFlow:
    """As `shred`, through an ODE's midpoint steps, from the noise of the degraded picture, its norm held near sqrt(d).

    Every keyword is that of `shred`, but that `gradient` is "full" or "frozen". `blend`, in [0, 1]: the share, in the
    variance, of the picture's noise in the first; `radial`, from 0 on: the weight of minus the log-density of the noise's
    norm, beside the sum of squares of H(G(z)) - y (over the entries of y, as the loss is a mean). The prior may be a flow or
    of any other kind, of latents, too; InputError for one that ends before noise, and for settings that can't be meant.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.flow_prior(lambda parameters, x, time: x / time[:, None, None, None], None, (8, 8, 3))
    >>> method = jr.d_flow(prior, jr.AveragePool(2), iterations=3)
    >>> jr.restore(method, jnp.full((4, 4, 3), 0.1), jax.random.key(0)).image.shape
    (8, 8, 3)
    """
    chosen = changed(
        settings or settings_of("d-flow", PUBLISHED, prior, kind or kind_of(operator)),
        noise_lr=noise_lr,
        operator_lr=operator_lr,
        operator_every=operator_every if optimizer is None or operator_every is not None else 0,
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
        blend=blend,
        radial=radial,
    )
    if chosen.gradient not in ("full", "frozen"):  # now, rather than when it is traced
        raise InputError(
            f"d-flow takes midpoint steps, which have the gradients full and frozen, not {chosen.gradient}."
        )
    return DFlow(
        operator=operator,
        optimizer=optimizer,
        blend=jnp.float32(chosen.blend),
        radial=jnp.float32(chosen.radial),
        **parts_of(prior, chosen, stop, sigma_y),
    )
