"""BIRD: blind image restoration via fast diffusion inversion (Chihaoui, Lemkhenter, Favaro, NeurIPS 2024)."""

from dataclasses import dataclass, replace

import optax
from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore.density.corrections import sphere
from jaxrestore.diffusion.ddim import GradientMode
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import GridName
from jaxrestore.methods.contract import Answer, Combine
from jaxrestore.methods.descent import Descent, DescentIterate, DescentState, parts_of
from jaxrestore.methods.settings import Decay, Loss, Scalar, Settings, changed, settings_of
from jaxrestore.operators import Operator, kind_of
from jaxrestore.stopping import Rule

# The published code's grid, clipping, loss and rates for the five tasks that it has. Everything else, known-kernel
# deblurring and tomography of the paper's appendix among it, has the rate and the iterations of the paper's text ("for all
# our experiments"), the code's zero padding, and for an unknown kernel its generator and rate.
_ANY = Settings(noise_lr=0.003, iterations=200, operator_lr=2e-4, kernel="generator", boundary="zero")
PUBLISHED = {
    "any": _ANY,
    "denoise": replace(_ANY, noise_lr=0.01),
    "inpaint": replace(_ANY, noise_lr=0.01),
    "super-resolution": replace(_ANY, noise_lr=0.001, iterations=100),
    "blind-deblur": replace(_ANY, iterations=100),
    "blind-motion-deblur": replace(_ANY, iterations=100),
    # the published code restores it with H = identity, and relies on stopping early
    "nonuniform-deblur": replace(_ANY, noise_lr=0.002, iterations=25, identity=True),
}


@register
@dataclass(frozen=True, kw_only=True)
class Bird(Descent):
    """Algorithm 1: descend on |H(G(z)) - y|^2 in the noise z and the operator's parameters, z kept on its sphere."""

    def step(self, state: DescentState, y: Array) -> tuple[DescentState, DescentIterate]:
        """One iteration. The iterate is the point at which the loss was taken, before the update."""
        gradient, iterate = self.differentiate(state, y)  # eq. 5, through the skip-step unroll (algorithm 2)
        moved, optimizer = self.descend(state, gradient)
        noise = sphere(moved["noise"])  # eq. 6: back to radius sqrt(d), where N(0, I) has its mass
        unknown = self.move_operator(state, moved, iterate.image, y)
        return DescentState(noise, unknown, optimizer, state.iteration + 1), iterate


def bird(
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
) -> Bird:
    """As `shred`, with the noise brought back to the sphere of radius sqrt(d) after each step.

    Every keyword is that of `shred`. `published("bird", kind)` has the grid, clipping, loss, rates and iterations of the
    published code, whose noise predictions are constants for the derivative (``gradient="frozen"``), and reproduces its
    trajectories.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    >>> method = jr.bird(prior, jr.AveragePool(2), iterations=20, skip=250, noise_lr=0.1)
    >>> result = jr.restore(method, jnp.full((4, 4, 3), 0.1), jax.random.key(0))
    >>> result.message, bool(result.data_term < result.history[0])
    ('all 20 iterations were run', True)
    """
    chosen = changed(
        settings or settings_of("bird", PUBLISHED, prior, kind or kind_of(operator)),
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
    return Bird(operator=operator, optimizer=optimizer, **parts_of(prior, chosen, stop, sigma_y))
