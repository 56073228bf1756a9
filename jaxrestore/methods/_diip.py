"""DIIP: fully blind restoration by an inversion that is stopped early (Chihaoui, Favaro, ICCV 2025, arXiv 2503.21410)."""

from dataclasses import dataclass

import optax
from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore.diffusion.ddim import GradientMode
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import GridName
from jaxrestore.methods.contract import Answer, Combine
from jaxrestore.methods.descent import Descent, DescentIterate, DescentState, parts_of
from jaxrestore.methods.settings import Decay, Loss, Scalar, Settings, changed, settings_of
from jaxrestore.operators import Identity
from jaxrestore.stopping import Rule

# Adam at 0.0015 without the sphere, BIRD's unroll. What restores is where it stops, after a hundred iterations: at an image
# that is less sharp than the one before, or at a data term that hardly differs from the one before, whichever comes first.
# The paper's k_min is said of sharpness. That the slope waits for it, too, is our reading: from random noise the data term
# may rise before it falls, and where it turns its slope is nothing, for no reason that has to do with y.
PUBLISHED = {
    "any": Settings(
        noise_lr=0.0015,
        iterations=1500,
        stop=({"rule": "small_slope", "fraction": 0.001, "after": 100}, {"rule": "less_sharp", "after": 100}),
        identity=True,
    )
}


@register
@dataclass(frozen=True, kw_only=True)
class Diip(Descent):
    """Descend on |G(z) - y|^2: on the way to y the image is cleaner than y, and the stopping rule ends there."""

    def step(self, state: DescentState, y: Array) -> tuple[DescentState, DescentIterate]:
        """One iteration. The iterate is the point at which the loss was taken, before the update."""
        gradient, iterate = self.differentiate(state, y)
        moved, optimizer = self.descend(state, gradient)
        return DescentState(moved["noise"], state.unknown, optimizer, state.iteration + 1), iterate


def diip(
    prior: Prior,
    *,
    settings: Settings | None = None,
    sigma_y: Scalar = 0.0,
    noise_lr: Scalar | None = None,
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
) -> Diip:
    """argmin over z of |G(z) - y|^2 as `shred`, with H = identity, stopped early by the two rules of its settings.

    Every keyword is that of `shred`. Facts of this paper are second-hand; the baseline that Invert2Restore is measured
    against.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    >>> method = jr.diip(prior, iterations=20, skip=250, noise_lr=0.1)
    >>> jr.restore(method, jnp.full((8, 8, 3), 0.1), jax.random.key(0)).image.shape
    (8, 8, 3)
    """
    chosen = changed(
        settings or settings_of("diip", PUBLISHED, prior, "blind"),
        noise_lr=noise_lr,
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
    return Diip(operator=Identity(), optimizer=optimizer, **parts_of(prior, chosen, stop, sigma_y))
