"""What a person drew: the brightness of a mask's or a kernel's picture, whatever colours and transparency it has."""

import functools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from jaxrestore.files.colours import DEEP_GREY
from jaxrestore.operators.basic import LUMA

if TYPE_CHECKING:
    import PIL.Image


class Drawing(NamedTuple):
    """In the file's own units: 0..255, 0..65535, or numbers."""

    colours: np.ndarray  # [h, w, c], black where nothing is painted
    opaque: Float[np.ndarray, "h w"] | None  # 0 to 1; None: all of it

    @property
    def brightest(self) -> Float[np.ndarray, "h w"]:
        """The strongest of the colours: green is as bright as white. Where all is black, paint of any colour on
        transparency."""
        return self._or_paint(_over_colours(np.maximum, self.colours))

    @property
    def luma(self) -> Float[np.ndarray, "h w"]:
        """As `brightest`, with colours as bright as they look."""
        if self.colours.shape[-1] == 1:
            return self._or_paint(self.colours[..., 0])
        return self._or_paint(self.colours @ np.asarray(LUMA, np.float32))

    @property
    def holes(self) -> Bool[np.ndarray, "h w"] | None:
        """Where it is transparent, if it is so in part."""
        if self.opaque is None or self.opaque.min() == self.opaque.max():
            return None
        return self.opaque < 0.75

    @property
    def saturation(self) -> np.ndarray:
        """``[h, w]``: how far the colours are from grey."""
        return _over_colours(np.maximum, self.colours) - _over_colours(np.minimum, self.colours)

    @property
    def is_photograph(self) -> bool:
        """Whether most of what is painted is neither dark nor bright: judged by some of its pixels."""
        every = max(1, min(self.colours.shape[:2]) // 256)
        few = Drawing(self.colours[::every, ::every], None).luma
        if self.opaque is not None:
            few = few[self.opaque[::every, ::every] > 0.5]
        low, high = (few.min(), few.max()) if few.size else (0, 0)
        return bool(np.mean(np.abs(few - (low + high) / 2) < 0.35 * (high - low)) > 0.5)

    def _or_paint(self, values: np.ndarray) -> Float[np.ndarray, "h w"]:
        if values.any() or self.opaque is None or self.holes is None:
            return values.astype(np.float32)
        return 255 * self.opaque


def _over_colours(ufunc: np.ufunc, colours: np.ndarray) -> np.ndarray:
    """``[h, w]``; NumPy's own reduction of a short last axis is slow."""
    return functools.reduce(ufunc, np.moveaxis(colours, -1, 0))


def drawing_of(image: "PIL.Image.Image") -> Drawing:
    """Of a Pillow image of any mode."""
    if image.mode in DEEP_GREY or image.mode == "F":
        return Drawing(np.asarray(image, np.float32)[..., None], None)
    if image.has_transparency_data:
        layers = np.asarray(image.convert("RGBA"))
        opaque = layers[..., 3].astype(np.float32) / 255
        return Drawing(layers[..., :3] * opaque[..., None], opaque)
    layers = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    return Drawing(layers.reshape(*layers.shape[:2], -1), None)
