"""SHRED: restoration by optimising the initial noise of a skip-step DDIM chain (Chihaoui et al., ICLR 2024 submission)."""

from typing import Any

import optax
from jaxtyping import PyTree

from jaxrestore.diffusion.prior import Prior
from jaxrestore.methods.descent import Descent, descent


def shred(
    prior: Prior,
    operator: PyTree,
    *,
    task: str = "denoise",
    preset: str | None = None,
    noise_level: Any = 0.0,
    optimizer: optax.GradientTransformation | None = None,
    **settings: Any,
) -> Descent:
    """Adam on the noise, and on what is unknown of the operator, of ||H(G(z)) - y||; the noise is free to leave the sphere.

    Settings come from the preset of the `task` (`presets.preset`): that of the prior's name, or `preset="paper"`; each can
    be replaced by name (`noise_lr=`, `operator_lr=`, `skip=`, `grid=`, `clip=`, `gradient=`, `loss=`, `decay=`,
    `answer=`, `iterations=`, and of an unknown operator `operator_every=`, `operator_from=`, `damping=`: alternating steps,
    which a given `operator_lr` or `optimizer` turns off). `noise_level` is the rms of y - H(true image) in units of
    [-1, 1], 0 or unknown; it decides which of several answers is best, and when `Stop` stops. `optimizer`, an Optax
    transformation of a dict of "noise" and "operator", replaces Adam.
    """
    return descent("shred", prior, operator, task, preset, noise_level, optimizer, settings)
