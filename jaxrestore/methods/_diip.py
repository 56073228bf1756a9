"""DIIP: fully blind restoration by an inversion that is stopped early (Chihaoui, Favaro, ICCV 2025, arXiv 2503.21410)."""

from typing import Any

import optax

from jaxrestore.diffusion.prior import Prior
from jaxrestore.methods.descent import Descent, descent
from jaxrestore.operators.basic import Identity
from jaxrestore.solve.stopping import Stop


def diip(
    prior: Prior,
    operator: Identity | None = None,
    *,
    task: str = "any",
    preset: str | None = None,
    noise_level: Any = 0.0,
    optimizer: optax.GradientTransformation | None = None,
    **settings: Any,
) -> Descent:
    """argmin over z of |G(z) - y|^2 as `shred`, with H = identity: on the way to y the image is cleaner than y, and
    `early_stop` ends there. Facts of this paper are second-hand; the baseline that Invert2Restore is measured against.
    """
    return descent("diip", prior, operator or Identity(), task, preset, noise_level, optimizer, settings)


STOPS = {  # of a preset: the published numbers, and those tuned with the embedded prior's rate
    "paper": Stop(sharpness=100, slope=0.001, patience=1),
    "flowers64": Stop(sharpness=60, slope=0.003, patience=1),
}


def early_stop(preset: str = "paper") -> Stop:
    """The two rules of a preset, whichever fires first: after some iterations the image becomes less sharp, or an
    iteration's data term has fallen by less than a fraction."""
    return STOPS[preset]
