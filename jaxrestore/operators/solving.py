"""Least squares with a linear operator, by conjugate gradients: of an image, of an operator, and of nothing else.

What is solved is always (H H^T + w I) u = residual, over measurements. Its answers are a projection (w = 0), a proximal step,
and a Gaussian likelihood's derivative. Masks, averages and strides have one eigenvalue or two, and as many iterations end it
exactly: no closed form is written down for them.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.sparse.linalg import cg
from jaxtyping import Array, Float

from jaxrestore._promotion import standard_promotion
from jaxrestore._pytree import is_traced
from jaxrestore.errors import InputError
from jaxrestore.operators.contract import Operator, adjoint, measure_shape

ITERATIONS = 50  # at most: noise in y is not to be amplified by the smallest singular values of a blur
TOLERANCE = 1e-5  # of the residual, relative
POWER_ITERATIONS = 10  # what they miss of the stiffest direction, a small share of its limit forgives


def is_linear(operator: Operator, image_shape: tuple[int, ...]) -> bool:
    """Whether the operator is linear on images of a shape: JAX can transpose it, and it makes zero of zero.

    Of an operator whose leaves are traced the second is not looked at.

    >>> from jaxrestore.operators import AveragePool, Jpeg
    >>> is_linear(AveragePool(2), (8, 8, 3)), is_linear(Jpeg(30), (8, 8, 3)), is_linear(lambda x: x + 1, (8, 8, 3))
    (True, False, False)
    """
    y = jax.ShapeDtypeStruct(measure_shape(operator, image_shape), jnp.float32)
    try:
        jax.eval_shape(lambda y: adjoint(operator, y, image_shape), y)
    except (NotImplementedError, AssertionError, TypeError, ValueError):  # which one depends on what isn't linear
        return False
    if is_traced(operator):
        return True
    return not np.any(np.asarray(operator(jnp.zeros(image_shape, jnp.float32))))


def dual(
    operator: Operator, residual: Array, weight: Any, image_shape: tuple[int, ...], iterations: int = ITERATIONS
) -> Array:
    """u of (H H^T + weight I) u = residual, for a linear H on images ``[h, w, c]`` of `image_shape`. Pure.

    With weight 0 what H can't reach of the residual stays in it, and the iteration ends at what it can. `iterations` are at
    most so many; each applies H and its adjoint once.

    >>> from jaxrestore.operators import Identity
    >>> dual(Identity(), jnp.ones((1, 1, 1)), 3.0, (1, 1, 1)).item()
    0.25
    """

    def normal(u: Array) -> Array:
        return operator(adjoint(operator, u, image_shape)) + weight * u

    with standard_promotion():
        return cg(normal, residual, tol=TOLERANCE, maxiter=iterations)[0]


def has_proximal(operator: Operator, image_shape: tuple[int, ...]) -> bool:
    """Whether `proximal` is what it says: of a linear operator, or of one with a `proximal` of its own.

    >>> from jaxrestore.operators import Jpeg, Tone
    >>> has_proximal(Jpeg(30), (8, 8, 3)), has_proximal(Tone(), (8, 8, 3))
    (True, False)
    """
    return hasattr(operator, "proximal") or is_linear(operator, image_shape)


def proximal(
    operator: Operator, point: Float[Array, "h w c"], y: Array, weight: Any, iterations: int = ITERATIONS
) -> Float[Array, "h w c"]:
    """The image x of least |H x - y|^2 + weight |x - point|^2, for weight >= 0; of an H that isn't linear its own, or with
    its derivative at the point in its place (one Gauss-Newton step). Pure.

    With weight 0 it is the limit: of all images that explain y best the one nearest to the point.

    >>> from jaxrestore.operators import Mask
    >>> proximal(Mask(jnp.array([[1, 0]])), jnp.ones((1, 2, 1)), jnp.array([[[3.0], [0.0]]]), 1.0).ravel().tolist()
    [2.0, 1.0]
    """
    own: Callable[[Array, Array, Any], Array] | None = getattr(operator, "proximal", None)
    if own is not None:
        return own(point, y, weight)
    predicted, derivative = jax.linearize(operator, point)
    u = dual(derivative, y - predicted, weight, point.shape, iterations)
    return point + adjoint(derivative, u, point.shape)


def pseudo_inverse(operator: Operator, y: Array, image_shape: tuple[int, ...]) -> Float[Array, "h w c"]:
    """The image of least norm among those that explain y best: the operator's own `pinv`, or by conjugate gradients. Pure.

    A chain's own isn't taken, as that of most chains is an approximation.

    >>> from jaxrestore.operators import Bicubic
    >>> operator, y = Bicubic(2), jnp.arange(16.0).reshape(4, 4, 1)
    >>> bool(abs(operator(pseudo_inverse(operator, y, (8, 8, 1))) - y).max() < 1e-3)
    True
    """
    own: Callable[[Array], Array] | None = getattr(operator, "pinv", None)
    if own is not None and not getattr(operator, "parts", ()):
        try:
            return own(y)
        except InputError:  # a blur's, whose boundary has no closed form
            pass
    return adjoint(operator, dual(operator, y, 0.0, image_shape), image_shape)


def squared_norm(operator: Operator, image: Array, key: Array) -> Array:
    """The largest eigenvalue of J^T J, J the operator's derivative at an image, ``[]``, from below, by power iterations.

    >>> from jaxrestore.operators import AveragePool
    >>> round(float(squared_norm(AveragePool(2), jnp.zeros((4, 4, 1)), jax.random.key(0))), 3)
    0.25
    """
    _, push = jax.linearize(operator, image)
    pull = jax.linear_transpose(push, image)

    def once(_: Any, direction: Array) -> Array:
        (turned,) = pull(push(direction))
        return turned / jnp.maximum(jnp.linalg.norm(turned), 1e-12)

    direction = jax.lax.fori_loop(0, POWER_ITERATIONS, once, jax.random.normal(key, image.shape, image.dtype))
    return jnp.sum(push(direction) ** 2)
