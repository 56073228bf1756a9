"""Invert2Restore where the form of the degradation is known: noise and operator found together."""

from typing import Any

import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from jaxrestore.density.typical import Typical
from jaxrestore.diffusion.prior import Prior
from jaxrestore.methods._invert2restore import invert2restore
from jaxrestore.methods.descent import Descent, descent
from jaxrestore.methods.origins import Origin


def partially_blind(
    prior: Prior,
    operator: PyTree,
    typical: Typical | None = None,
    *,
    task: str = "any",
    preset: str | None = None,
    noise_level: Any = 0.0,
    fresh: Any = 0.0,
    optimizer: optax.GradientTransformation | None = None,
    **settings: Any,
) -> Descent:
    """argmin over z and the operator's unknown leaves of ``|H(G(z)) - y|^2 + density * objective(z)``.

    As `bird`, with the Gaussian density of patches in the place of the sphere around the whole: as a term of the objective
    (`density`, its weight), or by bringing every patch back to its sphere each `rectify_every` iterations. With `typical`
    the search starts at the rectified noise of the fully blind method (`Origin`; `fresh` noise mixed in), otherwise from
    fresh noise. An operator without unknown leaves makes it non-blind. Our reading of Invert2Restore (Chihaoui, Favaro,
    arXiv 2503.21486), whose algorithm for this case isn't known to us.
    """
    origin = None if typical is None else Origin(invert2restore(prior, typical), jnp.float32(fresh))
    return descent("invert2restore", prior, operator, task, preset, noise_level, optimizer, settings, origin)
