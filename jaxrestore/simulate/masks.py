"""Which pixels are known: masks ``[h, w]`` of float32, one where a pixel was measured, for `Mask`. Not for jit."""

import jax
import numpy as np
from jaxtyping import Array, Float

from jaxrestore.errors import InputError

Known = Float[np.ndarray, "h w"]


def box_mask(size: tuple[int, int], side: int) -> Known:
    """All but a centred square of `side` pixels, for images of `size` (height, width).

    InputError unless the box leaves something.

    >>> box_mask((3, 4), 2).tolist()
    [[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]]
    """
    if not 1 <= side < max(size):
        raise InputError(f"The box's side must lie between 1 and {max(size) - 1}, not {side}.")
    known = np.ones(size, np.float32)
    top, left = max(0, (size[0] - side) // 2), max(0, (size[1] - side) // 2)
    known[top : top + side, left : left + side] = 0
    return known


def random_mask(key: Array, size: tuple[int, int], fraction: float) -> Known:
    """A random `fraction` of the pixels, at least one: SHRED's compressed sensing measures 1 % or 5 %.

    InputError unless it lies above 0 and at most at 1.

    >>> random_mask(jax.random.key(0), (4, 4), 0.25).sum().item()
    4.0
    """
    if not 0 < fraction <= 1:
        raise InputError(f"The fraction of known pixels must lie above 0 and at most at 1, not {fraction}.")
    count = size[0] * size[1]
    chosen = np.asarray(jax.random.permutation(key, count))[: max(1, round(fraction * count))]
    known = np.zeros(count, np.float32)
    known[chosen] = 1
    return known.reshape(size)


def text_mask(size: tuple[int, int], text: str, height: int | None = None) -> Known:
    """All but `text`, written over the whole image in lines of `height` pixels (default: an eighth of the image's).

    InputError for a text of nothing but blanks.

    >>> text_mask((16, 16), "flower").shape
    (16, 16)
    """
    if not text.strip():
        raise InputError("There is no text to draw.")
    from PIL import Image, ImageDraw, ImageFont

    h, w = size
    height = height or max(6, h // 8)
    page = Image.new("L", (w, h), 0)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(height)
    line = f"{text} " * (2 + (w + h) // max(1, int(font.getlength(f"{text} "))))
    for number, top in enumerate(range(0, h, round(1.5 * height))):
        draw.text((-number * height, top), line, fill=255, font=font)  # shifted, so that no column stays free
    return (np.asarray(page) < 128).astype(np.float32)
