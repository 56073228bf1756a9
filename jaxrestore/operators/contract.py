"""What an operator is, and what can be asked of any: its shapes, its adjoint, and what it says of itself by optional methods.

Every function here takes any operator, ours or a user's. What the operator has no method for has a default, which suits
one whose measurement is a picture; of a chain the last part is asked, as it is the one that makes the measurement.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore._pytree import replaced

Step = dict[str, Any]  # of the language of chains.py, as JSON holds it


@runtime_checkable
class Operator(Protocol):
    """The degradation H: a pytree that is called with an image ``[*b, h, w, c]`` in [-1, 1] and gives its measurement.

    Nothing else is required. A class becomes a pytree by `jaxrestore.register`, a NamedTuple is one. What it may have:

    - ``unknown``: a tuple of the names of those fields that are to be estimated (see `partition`);
    - ``kind``: a str, the name of the kind of problem it makes, by which methods choose their settings;
    - ``pinv(y)``: the pseudo-inverse;
    - ``proximal(point, y, weight)``: an image between one and what was measured, where least squares say less than is known
      (`solving.proximal`);
    - ``svd(image_shape)``: the singular value decomposition in closed form (`decomposition.Svd`);
    - ``begin(y)``: the operator with unknowns set that can be read off the measurement itself;
    - ``penalty()``: a number that is added to the objective, ``[]``;
    - ``put_back(image, y)``: the image ``[h, w, c]`` with what was measured of it exactly;
    - ``shown(y)``: the measurement as a picture;
    - ``selected(y)``: those entries of `y` that were measured, zero elsewhere;
    - ``sigma_of(sigma, y)``: what white noise on the camera's pixels amounts to in the measurement;
    - ``is_picture``: False where a measurement is no picture, and ``from_brightness(values)``, which makes a measurement of
      values that are of brightness in [0, 1];
    - ``framed(frame)``: the outer rows and columns of its measurement that depend on those of an image (`borders.frame_of`);
    - ``kernel`` or ``kernels``: blur kernels, arrays or objects that are called for one;
    - ``describe()``: itself as a step of the language of chains.py, a dict.

    >>> from typing import NamedTuple
    >>> class Exposure(NamedTuple):
    ...     gain: jax.Array
    ...     unknown = ("gain",)
    ...     def __call__(self, image):
    ...         return self.gain * image
    >>> operator = Exposure(jnp.float32(0.5))
    >>> isinstance(operator, Operator), kind_of(operator), measure_shape(operator, (8, 8, 3))
    (True, 'any', (8, 8, 3))
    """

    def __call__(self, image: Array, /) -> Array: ...


def kind_of(operator: Operator) -> str:
    """The name of the kind of problem that the operator makes, by which methods choose their settings; "any" by default.

    >>> from jaxrestore.operators import Blur, GaussianKernel
    >>> kind_of(Blur(GaussianKernel(5, unknown=True)))
    'blind-deblur'
    """
    return getattr(operator, "kind", "any")


def begin(operator: Operator, y: Array) -> Operator:
    """The operator with those unknown leaves set that can be read off the measurement itself; as it is, for nearly all. Pure.

    >>> from jaxrestore.operators import Identity
    >>> begin(Identity(), jnp.zeros((8, 8, 3)))
    Identity()
    """
    own: Callable[[Array], Operator] | None = getattr(operator, "begin", None)
    if own is not None:
        return own(y)
    parts: tuple[Operator, ...] = getattr(operator, "parts", ())
    return replaced(operator, parts=(*parts[:-1], begin(parts[-1], y))) if parts else operator


def penalty(operator: Operator) -> Float[Array, ""] | float:
    """What the operator, or a part of a chain, adds to an objective: nothing, for nearly all.

    >>> from jaxrestore.operators import Identity
    >>> penalty(Identity())
    0.0
    """
    own: Callable[[], Array] | None = getattr(operator, "penalty", None)
    return sum((penalty(part) for part in getattr(operator, "parts", ())), 0.0 if own is None else own())


def put_back(operator: Operator, image: Float[Array, "*b h w c"], y: Array) -> Float[Array, "*b h w c"]:
    """What was measured of the image itself, put back: known pixels, or the luma. Any other image stays as it is, a chain's
    among them: what its first part kept, a later one may have changed.

    >>> from jaxrestore.operators import Mask
    >>> image, y = jnp.zeros((1, 2, 1)), jnp.ones((1, 2, 1))
    >>> put_back(Mask(jnp.array([[1, 0]])), image, y).ravel().tolist()
    [1.0, 0.0]
    """
    own: Callable[[Array, Array], Array] | None = getattr(operator, "put_back", None)
    return image if own is None else own(image, y)


def shown(operator: Operator, y: Array) -> Float[Array, "*b h w 3"]:
    """The measurement as a picture of three channels: a sinogram by filtered back projection, grey thrice.

    >>> from jaxrestore.operators import Grayscale
    >>> shown(Grayscale(), jnp.zeros((8, 8, 1))).shape
    (8, 8, 3)
    """
    own: Callable[[Array], Array] | None = _of_the_last(operator, "shown")
    picture = y if own is None else own(y)
    return jnp.repeat(picture, 3, axis=-1) if picture.shape[-1] == 1 else picture


def selected(operator: Operator, y: Array) -> Array:
    """The entries of the measurement that were measured, zero elsewhere: all of them, unless a mask leaves some out.

    >>> from jaxrestore.operators import Mask
    >>> selected(Mask(jnp.array([[1, 0]])), jnp.ones((1, 2, 3)))[0, :, 0].tolist()
    [1.0, 0.0]
    """
    own: Callable[[Array], Array] | None = _of_the_last(operator, "selected")
    return y if own is None else own(y)


def sigma_of(operator: Operator, sigma: float | Array, y: Array) -> float | Array:
    """The rms, over all entries of `y`, that white noise of deviation `sigma` on the camera's pixels has in the measurement.

    A method's `sigma_y`. The same number for most; missing pixels have no noise, and along a ray it adds up.

    >>> from jaxrestore.operators import Mask
    >>> half = Mask(jnp.array([[1, 0], [0, 1]]))
    >>> round(float(sigma_of(half, 0.1, jnp.ones((2, 2, 3)))), 4)
    0.0707
    """
    own: Callable[[float | Array, Array], float | Array] | None = _of_the_last(operator, "sigma_of")
    return sigma if own is None else own(sigma, y)


def is_picture(operator: Operator) -> bool:
    """Whether a measurement is a picture, which an image file can hold: a sinogram is none.

    >>> from jaxrestore.operators import ParallelBeam
    >>> is_picture(ParallelBeam(20))
    False
    """
    own: bool | None = _of_the_last(operator, "is_picture")
    return own is not False


def from_brightness(operator: Operator, values: Array | np.ndarray) -> Array | np.ndarray:
    """The measurement in units of [-1, 1] of `values` that were measured of brightness in [0, 1].

    >>> from jaxrestore.operators import Identity
    >>> from_brightness(Identity(), jnp.array([0.0, 0.5])).tolist()
    [-1.0, 0.0]
    """
    own: Callable[[Array | np.ndarray], Array] | None = _of_the_last(operator, "from_brightness")
    return 2 * values - 1 if own is None else own(values)


def kernels_of(operator: Operator) -> list[Float[Array, "kh kw"]]:
    """The blur kernels of an operator, those of a chain's parts included.

    >>> from jaxrestore.operators import Blur, Compose, GaussianKernel, Grayscale
    >>> [kernel.shape for kernel in kernels_of(Compose((Blur(GaussianKernel(5)), Grayscale())))]
    [(5, 5)]
    """
    one: Array | Callable[[], Array] | None = getattr(operator, "kernel", None)
    own: Sequence[Array | Callable[[], Array]] = getattr(operator, "kernels", ()) if one is None else (one,)
    matrices = [kernel() if callable(kernel) else kernel for kernel in own]
    return matrices + [kernel for part in getattr(operator, "parts", ()) for kernel in kernels_of(part)]


def described(operator: Operator) -> Step | list[Step] | None:
    """The operator in the language of chains.py, with values in the place of unknowns; None for one that has no such form.

    `chains.parse` reads it again, as a known operator (the streaks of rain are not in it, and start anew).

    >>> from jaxrestore.operators import AveragePool, Compose, Grayscale, Identity
    >>> described(Compose((AveragePool(4), Grayscale())))
    [{'operator': 'reduce', 'factor': 4, 'by': 'average'}, {'operator': 'grey'}]
    >>> described(Compose((AveragePool(4), Identity()))) is None
    True
    """
    own: Callable[[], Step | list[Step] | None] | None = getattr(operator, "describe", None)
    return None if own is None else own()


def adjoint(operator: Operator, measurement: Array, image_shape: tuple[int, ...]) -> Array:
    """H^T measurement for a linear operator H on images of `image_shape`, exact, by `jax.linear_transpose`.

    A non-linear operator is an error of JAX's own, which names the operation; of an affine one the constant is passed over
    (see `is_linear`).

    >>> from jaxrestore.operators import AveragePool
    >>> adjoint(AveragePool(2), jnp.ones((1, 1, 1)), (2, 2, 1)).ravel().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    image = jax.ShapeDtypeStruct(image_shape, measurement.dtype)
    return jax.linear_transpose(operator, image)(measurement)[0]


def measure_shape(operator: Operator, image_shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the measurement that the operator makes of an image of `image_shape`; nothing is computed.

    >>> from jaxrestore.operators import AveragePool
    >>> measure_shape(AveragePool(4), (64, 64, 3))
    (16, 16, 3)
    """
    return jax.eval_shape(operator, jax.ShapeDtypeStruct(image_shape, jnp.float32)).shape


def _of_the_last(operator: Operator, name: str) -> Any:
    """A method or attribute of the operator, or else of the last part of a chain; None if it has none."""
    while not hasattr(operator, name) and getattr(operator, "parts", ()):
        operator = operator.parts[-1]  # type: ignore[attr-defined]
    return getattr(operator, name, None)
