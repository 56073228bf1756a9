"""Singular value decompositions H = U S V^T of linear operators: in closed form where there is one, else of the matrix.

The coordinates V^T x of an image and U^T y of a measurement lie in arrays of one shape, so that what a method does to each
singular direction is arithmetic of arrays. Directions that no measurement has are zero in U^T y and in S.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore.errors import InputError
from jaxrestore.operators.contract import Operator, measure_shape

LARGEST = 2**22  # numbers of a matrix that is decomposed, or of its V: more would take minutes on a CPU


@runtime_checkable
class Svd(Protocol):
    """H = U S V^T for images of one shape: a pytree of arrays, and pure functions of one image or measurement."""

    @property
    def values(self) -> Array:
        """S: each coordinate's singular value, from 0 on; of the coordinates' shape, or with axes of one."""
        ...

    def vt(self, image: Float[Array, "h w c"]) -> Array:
        """V^T image: its coordinates."""
        ...

    def v(self, coordinates: Array) -> Float[Array, "h w c"]:
        """V coordinates: the image that has them."""
        ...

    def ut(self, y: Array) -> Array:
        """U^T y: the coordinates of a measurement."""
        ...

    def u(self, coordinates: Array) -> Array:
        """U coordinates: a measurement."""
        ...


def decompose(operator: Operator, image_shape: tuple[int, ...]) -> Svd:
    """The singular value decomposition of a linear operator on images ``[h, w, c]`` of `image_shape`.

    By the operator's own method ``svd(image_shape)`` where it has a closed form, else of its matrix; InputError where that
    would have more than `LARGEST` numbers.

    >>> from jaxrestore.operators import AveragePool
    >>> svd = decompose(AveragePool(2), (2, 2, 1))
    >>> round(float(svd.values.max()), 4), int((svd.values > 1e-6).sum())
    (0.5, 1)
    >>> bool(jnp.allclose(svd.v(svd.vt(jnp.eye(2)[..., None])), jnp.eye(2)[..., None], atol=1e-6))
    True
    """
    own: Callable[[tuple[int, ...]], Svd] | None = getattr(operator, "svd", None)
    if own is not None:
        try:
            return own(image_shape)
        except InputError:  # a blur's, whose boundary has no closed form
            pass
    y_shape, number = measure_shape(operator, image_shape), int(np.prod(image_shape))
    rows = int(np.prod(y_shape))
    if number * max(rows, number) > LARGEST:
        raise InputError(
            f"This {type(operator).__name__} has no singular value decomposition in closed form, and its matrix of {rows:,} "
            f"x {number:,} numbers is too large for one ({LARGEST:,} numbers at most)."
        )
    units = jnp.eye(number, dtype=jnp.float32).reshape(number, *image_shape)
    columns = jax.lax.map(operator, units, batch_size=min(number, 256)).reshape(number, rows)
    left, values, right = jnp.linalg.svd(columns.T, full_matrices=rows < number)
    missing = number - len(values)
    return Dense(jnp.pad(left.T, ((0, missing), (0, 0))), jnp.pad(values, (0, missing)), right, image_shape, y_shape)


@register
@dataclass(frozen=True)
class Diagonal:
    """Of an operator that multiplies each number of an image: U and V are the identity. `values`: ``[h, w, c]``."""

    values: Any

    def vt(self, image: Array) -> Array:
        return image

    v = ut = u = vt


class Factor(NamedTuple):
    """A matrix A ``[m, n]``, m <= n, as left^T diag(values) right; the rows of `left` below the m-th are zero."""

    left: Float[Array, "n m"]
    values: Float[Array, " n"]
    right: Float[Array, "n n"]


def factor(matrix: np.ndarray) -> Factor:
    """The decomposition of a matrix ``[m, n]``, m <= n, whose numbers are known.

    >>> factor(np.array([[3.0, 4.0]])).values.tolist()
    [5.0, 0.0]
    """
    left, values, right = np.linalg.svd(np.asarray(matrix, np.float64))
    missing = len(right) - len(values)
    padded = np.pad(left.T, ((0, missing), (0, 0))), np.pad(values, (0, missing)), right
    return Factor(*(jnp.asarray(part, jnp.float32) for part in padded))


@register
@dataclass(frozen=True)
class Separable:
    """Of an operator that is a matrix along each axis of an image: along its height, its width and its channels."""

    along: tuple[Factor, Factor, Factor]

    @property
    def values(self) -> Float[Array, "h w c"]:
        rows, columns, channels = (each.values for each in self.along)
        return rows[:, None, None] * columns[None, :, None] * channels[None, None, :]

    def vt(self, image: Array) -> Array:
        return _along(image, *(each.right for each in self.along))

    def v(self, coordinates: Array) -> Array:
        return _along(coordinates, *(each.right.T for each in self.along))

    def ut(self, y: Array) -> Array:
        return _along(y, *(each.left for each in self.along))

    def u(self, coordinates: Array) -> Array:
        return _along(coordinates, *(each.left.T for each in self.along))


def _along(image: Array, *matrices: Array) -> Array:
    """The product with a matrix along each axis."""
    return jnp.einsum("hwc,ih,jw,kc->ijk", image, *matrices, precision="highest")


@register
@dataclass(frozen=True)
class Spectral:
    """Of a circular convolution of each channel, whose spectrum is gain x phase, both ``[h, w, 1]``.

    V is Hartley's transform, the real one whose rows are cosine plus sine of a frequency. Convolved with a real kernel each
    of them is the same wave, times the spectrum's gain and moved by its phase: U is V and that move.
    """

    values: Any
    phase: Any  # complex, of modulus one

    def vt(self, image: Array) -> Array:
        return _hartley(_spectrum(image))

    v = vt  # its own inverse

    def ut(self, y: Array) -> Array:
        return _hartley(jnp.conj(self.phase) * _spectrum(y))

    def u(self, coordinates: Array) -> Array:
        moved = self.phase * _spectrum(self.v(coordinates))
        return jnp.fft.ifft2(moved, axes=(-3, -2), norm="ortho").real


def _spectrum(image: Array) -> Array:
    return jnp.fft.fft2(image, axes=(-3, -2), norm="ortho")


def _hartley(spectrum: Array) -> Array:
    """Hartley's transform of a real image, from its spectrum."""
    return spectrum.real - spectrum.imag


@register
@dataclass(frozen=True)
class Dense:
    """Of a matrix; coordinates are vectors ``[n]``, the largest singular value's first."""

    left: Any  # [n, numbers of y]: U^T
    values: Any
    right: Any  # [n, n]: V^T
    image_shape: tuple[int, ...] = field(metadata={"static": True})
    y_shape: tuple[int, ...] = field(metadata={"static": True})

    def vt(self, image: Array) -> Array:
        return jnp.matmul(self.right, jnp.ravel(image), precision="highest")

    def v(self, coordinates: Array) -> Array:
        return jnp.matmul(self.right.T, coordinates, precision="highest").reshape(self.image_shape)

    def ut(self, y: Array) -> Array:
        return jnp.matmul(self.left, jnp.ravel(y), precision="highest")

    def u(self, coordinates: Array) -> Array:
        return jnp.matmul(self.left.T, coordinates, precision="highest").reshape(self.y_shape)
