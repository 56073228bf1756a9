"""Chains of operators."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Array

from jaxrestore._pytree import register
from jaxrestore.errors import InputError
from jaxrestore.operators.borders import NONE, Frame, frame_of, inside, share
from jaxrestore.operators.contract import Operator, Step, described, kind_of, selected, sigma_of

DEBLURRING = ("blind-deblur", "blind-motion-deblur")


@register
@dataclass(frozen=True)
class Compose:
    """Operators one after another: ``Compose((first, second))(image) = second(first(image))``.

    What is unknown of the parts is unknown of the chain. After a blur with the boundary "valid" the measurement is zero where
    anything beyond the border enters it. InputError for no parts, or for one that can't be called.

    >>> import jax.numpy as jnp
    >>> from jaxrestore.operators import AveragePool, Grayscale
    >>> chain = Compose((AveragePool(2), Grayscale()))
    >>> chain(jnp.ones((4, 4, 3))).shape, chain.pinv(jnp.ones((2, 2, 1))).shape
    ((2, 2, 1), (4, 4, 3))
    """

    parts: tuple[Operator, ...]

    def __post_init__(self) -> None:
        if not self.parts or not all(callable(part) for part in self.parts):
            raise InputError(f"A chain needs at least one operator, and operators only, not {self.parts!r}.")

    def __call__(self, image: Array) -> Array:
        for part in self.parts:
            image = part(image)
        return inside(image, self.framed(NONE))

    def framed(self, frame: Frame) -> Frame:
        """The parts' one after another: what later parts make of the frame of a blur is left out, too."""
        for part in self.parts:
            frame = frame_of(part, frame)
        return frame

    def selected(self, y: Array) -> Array:
        """What the last part measured, inside the frame."""
        return inside(selected(self.parts[-1], y), self.framed(NONE))

    def sigma_of(self, sigma: float | Array, y: Array) -> float | Array:
        """As the last part has it, but for the frame."""
        own = sigma_of(self.parts[-1], sigma, y)
        return own * (share(self.framed(NONE), y) / share(frame_of(self.parts[-1]), y)) ** 0.5

    @property
    def kind(self) -> str:
        """ "blind-super-resolution" of an unknown blur and a reduction, "old-photo" if colour is lost, too; or "operator"."""
        kinds = tuple(kind_of(part) for part in self.parts)
        if kinds[0] in DEBLURRING and kinds[1:] == ("super-resolution",):
            return "blind-super-resolution"
        if kinds[0] in DEBLURRING and kinds[1:] == ("super-resolution", "colorize"):
            return "old-photo"
        return "operator"

    def pinv(self, measurement: Array) -> Array:
        """The parts' pseudo-inverses, the last part's first; InputError names a part that has none in closed form.

        It is the pseudo-inverse of the chain (Greville 1966)

        - where every part but the last has rows that are orthogonal and of one length: `Identity`, `AveragePool`, `Stride`,
          `Grayscale`; the last may be anything;
        - of parts that act on different axes, as `Grayscale` on colours and a circular `Blur` or `Mask` on pixels;
        - of masks, and of circular blurs, among themselves.

        Of an invertible circular blur and then a reduction it is a right inverse: the image it gives has this measurement,
        but isn't the one of least norm. Of any other chain, as of a mask or a blur that deletes frequencies before a
        reduction, it is an approximation: the image needn't have this measurement.
        """
        for number, part in reversed([*enumerate(self.parts, 1)]):
            inverse: Callable[[Array], Array] | None = getattr(part, "pinv", None)
            if inverse is None:
                raise InputError(
                    f"Part {number} of the chain, {type(part).__name__}, has no pseudo-inverse in closed form."
                )
            measurement = inverse(measurement)
        return measurement

    def describe(self) -> list[Step] | None:
        """As steps of chains.py; None where a part has no such form."""
        steps = [step for part in self.parts if isinstance(step := described(part), dict)]
        return steps if len(steps) == len(self.parts) else None
