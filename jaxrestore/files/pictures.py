"""Pictures that a page or a notebook holds: pixels as the text of a file, reduced where they are many."""

import base64
import html
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Array, Float, UInt8

from jaxrestore.files.images import to_uint8

if TYPE_CHECKING:
    import PIL.Image

SIDE = 1600  # pixels of the longer side, beyond which a picture is reduced
PLAIN = 2**17  # pixels up to which a picture is kept without loss


@dataclass(frozen=True, repr=False)
class Picture:
    """Pixels and what they show, as notebooks take them."""

    pixels: UInt8[np.ndarray, "h w c"]  # of one channel or three
    caption: str

    def __repr__(self) -> str:
        height, width = self.pixels.shape[:2]
        return f"Picture({width} x {height} pixels: {self.caption})"

    def _repr_png_(self) -> bytes:
        return encoded(image_of(self.pixels, SIDE), "PNG")

    def _repr_html_(self) -> str:
        caption = html.escape(self.caption)
        uri = data_uri(self._repr_png_(), "png")
        return f'<figure><img src="{uri}" alt="{caption}" style="max-width: 100%"><figcaption>{caption}</figcaption></figure>'


def picture_of(image: Float[np.ndarray, "h w c"] | Float[Array, "h w c"], caption: str) -> Picture:
    """Of ``[h, w, 3]`` or ``[h, w, 1]`` in [-1, 1]; what isn't finite is black.

    >>> picture_of(np.zeros((4, 6, 3), np.float32), "grey")
    Picture(6 x 4 pixels: grey)
    """
    return Picture(to_uint8(np.nan_to_num(np.asarray(image), nan=-1.0)), caption)


def image_of(pixels: UInt8[np.ndarray, "h w c"], side: int) -> "PIL.Image.Image":
    """As Pillow's, of at most `side` pixels a side."""
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    return reduced(image, side)


def reduced(image: "PIL.Image.Image", side: int) -> "PIL.Image.Image":
    """Of at most `side` pixels a side, in proportion."""
    from PIL import Image

    if max(image.size) <= side:
        return image
    factor = side / max(image.size)
    width, height = (max(1, round(length * factor)) for length in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def embedded(image: "PIL.Image.Image") -> str:
    """A picture as the text of an address: PNG of a small one, JPEG of quality 90 of one of more than `PLAIN` pixels."""
    kind = "PNG" if image.width * image.height <= PLAIN else "JPEG"
    return data_uri(encoded(image, kind), kind.lower())


def encoded(image: "PIL.Image.Image", kind: str) -> bytes:
    """The bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, kind, **({"quality": 90} if kind == "JPEG" else {"optimize": True}))
    return stream.getvalue()


def data_uri(content: bytes, kind: str) -> str:
    """
    >>> data_uri(b"GIF", "gif")
    'data:image/gif;base64,R0lG'
    """
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
