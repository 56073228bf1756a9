"""How an unknown operator is moved apart from the noise: damped Gauss-Newton (Levenberg-Marquardt), the image held fixed.

An image that was fitted to a noisy measurement has that noise in it, and varies less than images do: the kernel that
explains the measurement best from it is too narrow (Levin et al. 2009), the more so the more steps there are. What would be
right is the mean over all images that the measurement leaves possible (the M step of expectation-maximisation). Two of them
stand for it: the image, plus and minus a draw of what is uncertain of it (`uncertain`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from jaxrestore._pytree import register
from jaxrestore.errors import InputError
from jaxrestore.operators.contract import Operator, measure_shape
from jaxrestore.operators.solving import proximal
from jaxrestore.operators.unknown import combine, partition

CG_STEPS = 10  # damping leaves few directions to solve for; more were not better
SPREAD = 0.3  # deviation of images from pixel to pixel, in units of [-1, 1], before anything is measured


@register
@dataclass(frozen=True)
class GaussNewton:
    """A step on the operator's unknown leaves every so many iterations, from a share `start` of all of them on.

    Not before the image has formed: to a random one the best kernel is a broad one, and the image then suits it.
    """

    damping: Any
    every: int = field(metadata={"static": True})
    start: float = field(default=0.0, metadata={"static": True})

    def __call__(
        self,
        operator: PyTree,
        unknown: PyTree,
        image: Float[Array, "*n h w c"],
        y: Array,
        iteration: Array,
        iterations: int,
        sigma_y: Any = None,
    ) -> PyTree:
        """The unknown leaves after iteration number `iteration` (from 0) of `iterations`: as they were, unless one is due. Of
        several images with one operator, ``[n, h, w, c]``, `y` has as many. `sigma_y`: the deviation of y's noise, to which
        the images were fitted, and which is then counted."""
        if not jax.tree.leaves(unknown):
            return unknown
        known = partition(operator)[1]
        every = min(self.every, max(1, iterations // 4))  # a short run has its kernel steps, too
        due = (iteration >= math.ceil(self.start * iterations)) & (iteration % every == 0)
        fixed = jax.lax.stop_gradient(image)

        def move(leaves: PyTree) -> PyTree:
            images, measured = fixed, y
            if sigma_y is not None:
                noise = jax.random.normal(jax.random.fold_in(jax.random.key(0), iteration), y.shape, y.dtype)
                draw = partial(uncertain, combine(leaves, known), sigma_y=sigma_y)
                draw = draw if fixed.ndim == 3 else jax.vmap(draw)
                spread = draw(fixed, y, noise=noise)
                images, measured = jnp.stack([fixed + spread, fixed - spread]), jnp.stack([y, y])
                images = images.reshape(-1, *fixed.shape[-3:])
                measured = measured.reshape(-1, *y.shape[fixed.ndim - 3 :])
            return gauss_newton(lambda new: combine(new, known)(images), leaves, measured, self.damping)

        moved = jax.lax.cond(for_any(due), move, lambda leaves: leaves, unknown)
        return jax.tree.map(lambda new, old: jnp.where(due, new, old), moved, unknown)


def gauss_newton(predict: Callable[[PyTree], Array], unknown: PyTree, y: Array, damping: Any) -> PyTree:
    """`unknown` plus the step d that minimises mean (predict(unknown) + J d - y)^2 + damping |d|^2, by conjugate gradients.

    Adam gives every weight of a kernel steps of one size, so the many that the measurement says nothing about walk at
    random; here a direction moves as far as the measurement decides it against the damping. The cost is that of a few
    applications of the operator; no network is evaluated. Pure.

    >>> gain = gauss_newton(lambda gain: gain * jnp.array([1.0, 2.0]), jnp.float32(0.0), jnp.array([3.0, 6.0]), 0.0)
    >>> round(float(gain), 3)
    3.0
    """
    start, unravel = ravel_pytree(unknown)
    predicted, push = jax.linearize(lambda flat: predict(unravel(flat)), start)
    pull = jax.linear_transpose(push, start)
    residual = y - predicted

    def normal(step: Array) -> Array:
        return pull(push(step))[0] / residual.size + damping * step

    step, _ = jax.scipy.sparse.linalg.cg(normal, pull(residual)[0] / residual.size, maxiter=CG_STEPS, tol=1e-6)
    return unravel(start + jnp.where(jnp.all(jnp.isfinite(step)), step, 0.0))


def uncertain(
    operator: Operator, image: Float[Array, "h w c"], y: Array, sigma_y: Any, noise: Array
) -> Float[Array, "h w c"]:
    """What y's noise, of deviation `sigma_y`, leaves open of an image that was fitted to it: a draw, made of `noise` from
    N(0, I), of y's shape. Pure.

    Of images of independent pixels of deviation `SPREAD` it is what the posterior's mean owes to noise. A search fits more of
    the noise than that mean does: H(draw) is made at least as strong as what the residual lacks of the noise's variance. Zero
    where `sigma_y` is.

    >>> from jaxrestore.operators import Identity
    >>> image, noise = jnp.zeros((1, 2, 1)), jnp.array([[[1.0], [-1.0]]])
    >>> draw = uncertain(Identity(), image, image, 0.2, noise)  # all of the noise, as no residual is left
    >>> [round(value, 3) for value in draw.ravel().tolist()]
    [0.2, -0.2]
    >>> draw = uncertain(Identity(), image, image + 0.2, 0.2, noise)  # 0.3^2 / (0.3^2 + 0.2^2) of it
    >>> [round(value, 3) for value in draw.ravel().tolist()]
    [0.138, -0.138]
    """
    predicted = operator(image)
    draw = proximal(operator, image, predicted + sigma_y * noise, jnp.square(sigma_y / SPREAD)) - image
    seen = jnp.mean(jnp.square(operator(image + draw) - predicted))
    fitted = jnp.square(sigma_y) - jnp.mean(jnp.square(y - predicted))
    return draw * jnp.sqrt(jnp.maximum(fitted / jnp.maximum(seen, 1e-12), 1.0))


def check_differentiable(name: str, operator: Operator, image_shape: tuple[int, ...]) -> None:
    """InputError, in the name of a method, for an operator that has no derivatives in the image and in what is unknown of it.
    Nothing is computed."""
    unknown, known = partition(operator)
    image = jax.ShapeDtypeStruct(image_shape, jnp.float32)
    y = jax.ShapeDtypeStruct(measure_shape(operator, image_shape), jnp.float32)

    def derivatives(unknown: PyTree, image: Array, y: Array) -> Any:
        return jax.vjp(lambda leaves, image: combine(leaves, known)(image), unknown, image)[1](y)

    try:
        jax.eval_shape(derivatives, unknown, image, y)
    except Exception as error:  # which one depends on what has no derivative
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200].rstrip('.')}"
        raise InputError(
            f"{name} needs derivatives of the operator, and this {type(operator).__name__} has none ({reason}): write it "
            "in functions that JAX can differentiate."
        ) from error


@jax.custom_batching.custom_vmap
def for_any(due: Array) -> Array:
    """`due`, and under vmap whether any is: a branch on it stays a branch, where vmap would compute both sides for all."""
    return due


@for_any.def_vmap
def _(axis_size: int, in_batched: list[bool], due: Array) -> tuple[Array, bool]:
    return for_any(jnp.any(due)), False  # again: there may be a vmap around this one
