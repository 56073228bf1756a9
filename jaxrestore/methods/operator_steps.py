"""A damped Gauss-Newton (Levenberg-Marquardt) step on the unknown leaves of an operator, the image held fixed."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

CG_STEPS = 10  # damping leaves few directions to solve for; more were not better


def gauss_newton(predict: Callable[[PyTree], Array], unknown: PyTree, y: Array, damping: Any) -> PyTree:
    """`unknown` plus the step d that minimises mean (predict(unknown) + J d - y)^2 + damping |d|^2, by conjugate gradients.

    Adam gives every weight of a kernel steps of one size, so the many that the measurement says nothing about walk at
    random; here a direction moves as far as the measurement decides it against the damping. The cost is that of a few
    applications of the operator; no network is evaluated. Pure.
    """
    start, unravel = ravel_pytree(unknown)
    predicted, push = jax.linearize(lambda flat: predict(unravel(flat)), start)
    pull = jax.linear_transpose(push, start)
    residual = y - predicted

    def normal(step: Array) -> Array:
        return pull(push(step))[0] / residual.size + damping * step

    step, _ = jax.scipy.sparse.linalg.cg(normal, pull(residual)[0] / residual.size, maxiter=CG_STEPS, tol=1e-6)
    return unravel(start + jnp.where(jnp.all(jnp.isfinite(step)), step, 0.0))


@jax.custom_batching.custom_vmap
def for_any(due: Array) -> Array:
    """`due`, and under vmap whether any is: a branch on it stays a branch, where vmap would compute both sides for all."""
    return due


@for_any.def_vmap
def _(axis_size: int, in_batched: list[bool], due: Array) -> tuple[Array, bool]:
    return for_any(jnp.any(due)), False  # again: there may be a vmap around this one
