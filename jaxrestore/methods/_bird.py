"""BIRD: blind image restoration via fast diffusion inversion (Chihaoui, Lemkhenter, Favaro, NeurIPS 2024)."""

from typing import Any

import optax
from jaxtyping import PyTree

from jaxrestore.diffusion.prior import Prior
from jaxrestore.methods.descent import Descent, descent


def bird(
    prior: Prior,
    operator: PyTree,
    *,
    task: str = "denoise",
    preset: str | None = None,
    noise_level: Any = 0.0,
    optimizer: optax.GradientTransformation | None = None,
    **settings: Any,
) -> Descent:
    """As `shred`, with the noise brought back to the sphere of radius sqrt(d) after each step (eq. 6, algorithm 1).

    `preset="paper"` has the grid, clipping, loss, rates and iterations of the published code, whose noise predictions are
    constants for the derivative (``gradient="frozen"``), and reproduces its trajectories.
    """
    return descent("bird", prior, operator, task, preset, noise_level, optimizer, settings)
