"""SHRED: restoration by optimising the initial noise of a skip-step DDIM chain (Chihaoui et al., ICLR 2024 submission)."""

from dataclasses import dataclass, replace

import optax
from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore.diffusion.ddim import GradientMode
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import GridName
from jaxrestore.methods.contract import Answer, Combine
from jaxrestore.methods.descent import Descent, DescentIterate, DescentState, parts_of
from jaxrestore.methods.settings import Decay, Loss, Scalar, Settings, changed, settings_of
from jaxrestore.operators import Operator, kind_of
from jaxrestore.stopping import Rule

# The paper's grid t = T, ..., skip, no clipping, the norm (not its square) as loss, one rate for noise and operator. 0.003 is
# what the paper calls competitive for all tasks, with the iterations of its deconvolution.
_ANY = Settings(
    noise_lr=0.003,
    iterations=150,
    operator_lr=0.003,
    grid="trailing",
    clip=False,
    loss="norm",
    kernel="generator",
    boundary="zero",
)
PUBLISHED = {
    "any": _ANY,
    "inpaint": replace(_ANY, noise_lr=0.01, iterations=200),
    "compressed-sensing": replace(_ANY, noise_lr=0.01),
    "super-resolution": replace(_ANY, iterations=50),
}


@register
@dataclass(frozen=True, kw_only=True)
class Shred(Descent):
    """Descend on |H(G(z)) - y| in the noise z, which is free, and in what is unknown of the operator."""

    def step(self, state: DescentState, y: Array) -> tuple[DescentState, DescentIterate]:
        """One iteration. The iterate is the point at which the loss was taken, before the update."""
        gradient, iterate = self.differentiate(state, y)
        moved, optimizer = self.descend(state, gradient)
        unknown = self.move_operator(state, moved, iterate.image, y)
        return DescentState(moved["noise"], unknown, optimizer, state.iteration + 1), iterate


def shred(
    prior: Prior,
    operator: Operator,
    *,
    settings: Settings | None = None,
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
) -> Shred:
    """Adam on the noise, and on what is unknown of the operator, of ||H(G(z)) - y||; the noise is free to leave the sphere.

    What isn't given comes from `settings`; without those from the prior, for the kind of problem that the operator makes
    (or `kind`), and where the prior has none, from what is published (`published("shred", kind)`).

    - `sigma_y`: the rms of y - H(true image) in units of [-1, 1], 0 or unknown; it decides which of several answers is best,
      and when `discrepancy` stops, and is counted by the Gauss-Newton steps on an operator.
    - `noise_lr`, `operator_lr`: rates of Adam; `decay`: whether they fall to zero over the `iterations`. `optimizer`, an
      Optax transformation of a dict of "noise" and "operator", takes its place.
    - `operator_every`, `operator_from`, `damping`: Gauss-Newton steps on the operator in the place of Adam's, which a given
      `operator_lr` or `optimizer` turns off.
    - `skip`, `grid`, `clip`, `gradient`: of the unroll (`unroll`). `loss`: "mean_square" or "norm" of the residual.
    - `answer`: the "last" or the "best" iterate. `restarts`: searches an image, of which `combine` makes one result, the
      "best" or the "mean" image. `stop`: a rule (`discrepancy`, `plateau`, ..., `any_of`).

    InputError for settings that can't be meant.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    >>> method = jr.shred(prior, jr.AveragePool(2), iterations=20, skip=250, noise_lr=0.1)
    >>> jr.restore(method, jnp.full((4, 4, 3), 0.1), jax.random.key(0)).image.shape
    (8, 8, 3)
    """
    chosen = changed(
        settings or settings_of("shred", PUBLISHED, prior, kind or kind_of(operator)),
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
    )
    return Shred(operator=operator, optimizer=optimizer, **parts_of(prior, chosen, stop, sigma_y))
