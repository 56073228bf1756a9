"""The border of a blurred photograph: which of its pixels depend on what lies beyond it, and measurements of a larger scene.

A photograph was blurred before it was cut: its outer pixels, as far as the kernel reaches, depend on what nobody knows. With
the boundary "valid" they are no part of the measurement; all others are what they are whatever lies outside.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._pytree import replaced
from jaxrestore.errors import InputError
from jaxrestore.operators.contract import Operator, is_picture

Frame = tuple[int, int]  # so many rows above and below, so many columns on the left and on the right
NONE: Frame = (0, 0)
O = TypeVar("O")  # noqa: E741


def frame_of(operator: Operator, frame: Frame = NONE) -> Frame:
    """The outer rows and columns of a measurement that depend on such a `frame` of the image, or on what lies beyond it
    where the operator leaves that out. Shapes alone decide it.

    By the operator's own ``framed(frame)``; without one the frame stays as it is, as where each pixel is by itself.
    InputError where the measurement is no picture, and has no frame.

    >>> from jaxrestore.operators import AveragePool, Blur, Compose
    >>> kernel = jnp.full((5, 3), 1 / 15)
    >>> frame_of(Blur(kernel)), frame_of(Blur(kernel, "valid")), frame_of(Compose((Blur(kernel, "valid"), AveragePool(4))))
    ((0, 0), (2, 1), (1, 1))
    """
    own: Callable[[Frame], Frame] | None = getattr(operator, "framed", None)
    if own is not None:
        return own(frame)
    if any(frame) and not is_picture(operator):
        raise InputError(
            f"Pixels beyond the border enter all of what {type(operator).__name__} measures, which is no picture."
        )
    return frame


def inside(y: Float[Array, "*b h w c"], frame: Frame) -> Float[Array, "*b h w c"]:
    """The picture with zero in its frame; InputError if nothing is left.

    >>> inside(jnp.ones((3, 3, 1)), (1, 0))[..., 0].tolist()
    [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]]
    """
    if not any(frame):
        return y
    (rows, columns), (height, width) = frame, y.shape[-3:-1]
    if height <= 2 * rows or width <= 2 * columns:
        raise InputError(
            f"All of {height} x {width} pixels depend on what lies beyond the border: the kernel is too large for the "
            'boundary "valid".'
        )
    inner = y[..., rows : height - rows, columns : width - columns, :]
    return jnp.pad(inner, [(0, 0)] * (y.ndim - 3) + [(rows, rows), (columns, columns), (0, 0)])


def radius(kernels: Sequence[Array | Callable[[], Array]]) -> Frame:
    """How far the largest of some kernels reaches, each an array or a kernel object; nothing is computed.

    >>> radius([jnp.ones((5, 3)), jnp.ones((1, 7))])
    (2, 3)
    """
    shapes = [jax.eval_shape(kernel).shape if callable(kernel) else kernel.shape for kernel in kernels]
    return max(shape[0] for shape in shapes) // 2, max(shape[1] for shape in shapes) // 2


class Bordered:
    """What a blur says of its border, by its field `boundary` and its `kernel` or `kernels`: a base class of blurs."""

    @property
    def reach(self) -> Frame:
        """Rows and columns, of the largest kernel."""
        return radius(self.kernels if hasattr(self, "kernels") else [self.kernel])  # type: ignore[attr-defined]

    def cut_out(self, scene: Float[Array, "*b H W c"], size: Frame) -> Float[Array, "*b h w c"]:
        """The measurement of the middle of a scene that is larger by the reach."""
        raise NotImplementedError

    def framed(self, frame: Frame) -> Frame:
        """Wider by its reach, where there is one; with the boundary "valid" one begins here."""
        if self.boundary != "valid" and not any(frame):  # type: ignore[attr-defined]
            return frame
        return frame[0] + self.reach[0], frame[1] + self.reach[1]

    def selected(self, y: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        """What depends on nothing beyond the border: all of it, but for the boundary "valid"."""
        return inside(y, self.framed(NONE))

    def sigma_of(self, sigma: Any, y: Float[Array, "*b h w c"]) -> Any:
        """Pixels that were left out have no noise, and count among the entries of `y`."""
        return sigma * share(self.framed(NONE), y) ** 0.5


def share(frame: Frame, y: Float[Array, "*b h w c"]) -> float:
    """The part of a measurement's pixels that lies inside a frame.

    >>> share((1, 1), jnp.zeros((4, 4, 3)))
    0.25
    """
    (rows, columns), (height, width) = frame, y.shape[-3:-1]
    return (1 - 2 * rows / height) * (1 - 2 * columns / width)


def has_boundary(operator: Operator) -> bool:
    """Whether a boundary is said of the operator, or of a part of a chain: whether there is a blur.

    >>> from jaxrestore.operators import Blur, Compose, Grayscale
    >>> has_boundary(Compose((Blur(jnp.eye(3)), Grayscale()))), has_boundary(Grayscale())
    (True, False)
    """
    return isinstance(operator, Bordered) or any(has_boundary(part) for part in getattr(operator, "parts", ()))


def with_boundary(operator: O, boundary: str) -> O:
    """The operator with another boundary (see `Blur`), also of the parts of a chain; as it is, where there is none.

    >>> from jaxrestore.operators import Blur
    >>> with_boundary(Blur(jnp.eye(3)), "valid").boundary
    'valid'
    """
    changes: dict[str, Any] = {"boundary": boundary} if isinstance(operator, Bordered) else {}
    if parts := getattr(operator, "parts", ()):
        changes["parts"] = tuple(with_boundary(part, boundary) for part in parts)
    return replaced(operator, **changes) if changes else operator


def reach_of(operator: Operator) -> Frame:
    """By how many rows and columns on each side a scene must be larger than an image for `cut_out`: as far as the blur
    reaches, or that of the first part of a chain.

    >>> from jaxrestore.operators import AveragePool, Blur, Compose
    >>> reach_of(Compose((Blur(jnp.eye(5)), AveragePool(4)))), reach_of(AveragePool(4))
    ((2, 2), (0, 0))
    """
    if parts := getattr(operator, "parts", ()):
        return reach_of(parts[0])
    return operator.reach if isinstance(operator, Bordered) else NONE


def cut_out(operator: Operator, scene: Float[Array, "*b H W c"], size: Frame) -> Array:
    """The measurement of the middle of a larger scene, of `size` (height, width): blurred with what lies around it, then cut.
    Pure.

    What follows the first part of a chain gets what was cut, as the codec of a camera does. InputError where the scene isn't
    larger by `reach_of` on each side.

    >>> from jaxrestore.operators import Blur
    >>> scene = jnp.arange(25.0).reshape(5, 5, 1)
    >>> cut_out(Blur(jnp.full((3, 3), 1 / 9)), scene, (3, 3))[..., 0].round().astype(int).tolist()
    [[6, 7, 8], [11, 12, 13], [16, 17, 18]]
    """
    if parts := getattr(operator, "parts", ()):
        y = cut_out(parts[0], scene, size)
        for part in parts[1:]:
            y = part(y)
        return y
    reach, sides = reach_of(operator), scene.shape[-3:-1]
    if any(have < side + 2 * more for have, side, more in zip(sides, size, reach, strict=True)):
        raise InputError(
            f"A scene of {sides[0]} x {sides[1]} is too small: {size[0]} x {size[1]} pixels are to be cut from it, and the "
            f"blur reaches {reach[0]} x {reach[1]} pixels further."
        )
    return operator.cut_out(scene, size) if isinstance(operator, Bordered) else operator(middle(scene, size))


def middle(scene: Float[Array, "*b H W c"], size: Frame) -> Float[Array, "*b h w c"]:
    """The middle of a scene, of `size` (height, width).

    >>> middle(jnp.arange(9.0).reshape(3, 3, 1), (1, 1)).item()
    4.0
    """
    top, left = ((whole - side) // 2 for whole, side in zip(scene.shape[-3:-1], size, strict=True))
    return scene[..., top : top + size[0], left : left + size[1], :]
