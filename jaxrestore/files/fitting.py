"""A photograph of another size than is needed: which part of it is taken, and how it, its transparency and its mask are
reduced, all as one."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool

from jaxrestore._names import Fit
from jaxrestore.errors import ImageError

if TYPE_CHECKING:
    from pathlib import Path

    import PIL.Image

Box = tuple[float, float, float, float]  # left, top, right, bottom
Size = tuple[int, int]  # (height, width)
Missing = Bool[np.ndarray, "h w"]


def part_of(original: Size, size: Size, fit: Fit, name: "str | Path") -> Box:
    """The part of an image of the `original` size that becomes one of `size`: "resize": all of it; "crop": the largest
    centred part of that aspect ratio; "tile": what isn't over, to the right and below. ImageError where it doesn't fit.

    >>> part_of((20, 40), (8, 8), "crop", "a.png")
    (10.0, 0.0, 30.0, 20.0)
    """
    (h, w), (height, width) = original, size
    if original == size:
        return 0.0, 0.0, float(w), float(h)
    if fit == "exact":
        larger = h >= height and w >= width
        ways = "--fit crop, --fit resize or, to keep all of it, --fit tile" if larger else "--fit crop or --fit resize"
        raise ImageError(
            f"{name} is {h} x {w} pixels where {height} x {width} are needed: "
            f"pass {ways}; or give an image of that size."
        )
    if fit == "tile":
        if w < width or h < height:
            raise ImageError(f"{name} is {h} x {w} pixels, smaller than {height} x {width}.")
        return 0.0, 0.0, float(width), float(height)
    if fit == "resize":
        return 0.0, 0.0, float(w), float(h)
    aspect = width / height
    inner_w, inner_h = (w, h) if w / h == aspect else (aspect * h, h) if w / h > aspect else (w, w / aspect)
    left, top = (w - inner_w) * 0.5, (h - inner_h) * 0.5
    return float(left), float(top), float(left + inner_w), float(top + inner_h)


def fitted(
    image: "PIL.Image.Image", size: Size, fit: Fit, name: "str | Path", missing: Missing | None = None
) -> "PIL.Image.Image":
    """The part of an RGB or grey image, resized by Lanczos' filter where its size is another.

    Pixels that are `missing`, of an RGB image's own size, take no part in what is resized (the filter's weighed mean is of
    the others): a scratch would leave its colour in the known pixels beside it.
    """
    from PIL import Image

    box = part_of((image.height, image.width), size, fit, name)
    wanted = (size[1], size[0])
    if box == (0.0, 0.0, *map(float, wanted)):
        return image if image.size == wanted else image.crop((0, 0, *wanted))
    if missing is None or not missing.any():
        return image.resize(wanted, Image.Resampling.LANCZOS, box)

    def resized(values: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(values).resize(wanted, Image.Resampling.LANCZOS, box))

    known = (~missing).astype(np.float32)
    weight = resized(known)
    sums = np.stack([resized(np.asarray(channel, np.float32) * known) for channel in image.split()], axis=-1)
    mean = sums / np.where(weight > 1e-3, weight, np.inf)[..., None]
    return Image.fromarray(np.clip(np.round(mean), 0, 255).astype(np.uint8))


def covered(missing: Missing, box: Box, size: Size) -> Bool[np.ndarray, "height width"]:
    """A mask of missing pixels, reduced or enlarged: a pixel is missing if any part of it is.

    >>> covered(np.eye(4, dtype=bool), (0.0, 0.0, 4.0, 4.0), (2, 2)).tolist()
    [[True, False], [False, True]]
    """
    left, top, right, bottom = box
    for axis, (start, stop, count) in enumerate(((top, bottom, size[0]), (left, right, size[1]))):
        edges = np.round(
            np.linspace(start, stop, count + 1), 6
        )  # of pixels; rounded, or a third of three would touch four
        length = missing.shape[axis]
        first = np.clip(np.floor(edges[:-1]).astype(int), 0, length - 1)
        last = np.clip(np.ceil(edges[1:]).astype(int), first + 1, length)
        padded = np.insert(missing, length, False, axis=axis)  # `last` is an index, too
        between = np.logical_or.reduceat(padded, np.stack([first, last], axis=1).ravel(), axis)
        missing = between[::2] if axis == 0 else between[:, ::2]
    return missing


def check_proportions(size: Size, photograph: Size, sentence: str) -> None:
    """ImageError with the sentence unless the two sizes are of one aspect ratio, but for the rounding of a pixel.

    >>> check_proportions((333, 500), (667, 1000), "No.")
    """
    (h, w), (height, width) = size, photograph
    off = min(abs(h - w * height / width), abs(w - h * width / height))
    if off > 1 or abs(h * width / (w * height) - 1) > 0.02:
        raise ImageError(sentence)
