"""Masks: from what a person drew to which pixels are known."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from jaxrestore.errors import InputError, InputWarning
from jaxrestore.files.drawings import drawing_of
from jaxrestore.files.fitting import Fit, Missing, Size, check_proportions, covered, part_of
from jaxrestore.files.opening import open_image

if TYPE_CHECKING:
    import PIL.Image

EDGE = 0.25  # of the way from background to paint: a soft edge belongs to the stroke
FAINT = 16  # grey levels that no one draws with


def read_mask(
    path: str | Path, size: Size, fit: Fit = "exact", photograph: Size | None = None
) -> Float[np.ndarray, "h w"]:
    """``[h, w]``, one where a pixel is known, for `Mask`, from an image file in which the missing ones are drawn.

    White is missing, black is known. Any colour on black or on transparency is as good as white, a colour on white paper
    too, and values 0 and 1 as 0 and 255; soft edges belong to the stroke. It is fitted to `size` (height, width) as the
    `photograph` of the size given here is fitted (`read_image`; default: the mask's own size), whose size or proportions it
    must have; a pixel is missing if any part of it is. InputError where nothing is missing or nothing is known, or for other
    proportions; InputWarning for what looks like a photograph.

    >>> import tempfile, jaxrestore as jr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     jr.write_image(f"{folder}/mask.png", np.eye(4, dtype=np.uint8))
    ...     read_mask(f"{folder}/mask.png", (2, 2), "resize").tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    image = open_image(path)
    own = (image.height, image.width)
    whole = photograph or own
    if fit == "exact":
        part_of(own, size, fit, f"The mask {path}")
    _check(path, own, whole)
    box = part_of(whole, size, fit, f"The mask {path}")
    down, across, missing = own[0] / whole[0], own[1] / whole[1], _drawn(image, path)
    known = ~covered(missing, (box[0] * across, box[1] * down, box[2] * across, box[3] * down), size)
    if not known.any():
        raise InputError(
            f"The mask {path} leaves no pixel known at {size[0]} x {size[1]}: there is nothing to restore from."
        )
    return known.astype(np.float32)


def missing_of(path: str | Path, photograph: Size) -> Missing:
    """The mask at the size of its photograph."""
    image = open_image(path)
    _check(path, (image.height, image.width), photograph)
    return covered(_drawn(image, path), (0.0, 0.0, float(image.width), float(image.height)), photograph)


def _drawn(image: "PIL.Image.Image", path: str | Path) -> Missing:
    """Which pixels a picture says are missing, at its own size; InputError if it is none or all of them."""
    drawing = drawing_of(image)
    bright, holes = drawing.brightest, drawing.holes
    if holes is not None and not drawing.colours.any() and holes.mean() < 0.5:  # black but for them, and black is known
        return holes
    if not np.all(np.isfinite(bright)):
        raise InputError(f"The mask {path} holds values that are not finite.")
    low, high = float(bright.min()), float(bright.max())
    coloured = drawing.saturation > EDGE * max(high, 1)
    paper = bright[~coloured]
    if coloured.any() and paper.size and paper.min() > high / 2:  # strokes of colour on white
        return coloured
    if low == high:
        what = "is black everywhere: no pixel is missing, and there is nothing to restore"
        if high > 0:
            what = "is one colour everywhere, as if all white: every pixel is missing, and there is nothing to restore from"
        raise InputError(f"The mask {path} {what}. White marks what is missing.")
    if high - low < FAINT and _is_noise(np.unique(bright)):
        raise InputError(
            f"The mask {path} holds values from {low:g} to {high:g} alone: nothing on it is told from its background. "
            "White marks what is missing."
        )
    if drawing.is_photograph:
        if holes is not None:
            return holes
        sentence = (
            f"The mask {path} is mostly neither black nor white: it looks like a photograph, and not like a mask."
        )
        warnings.warn(sentence, InputWarning, stacklevel=3)
    return bright > low + EDGE * (high - low)


def _is_noise(levels: np.ndarray) -> bool:
    """Rather than two values, or numbers from 0 to 1."""
    return len(levels) > 2 and bool(np.all(levels == np.round(levels)))


def _check(path: str | Path, own: Size, photograph: Size) -> None:
    """ImageError unless the mask's own size is the photograph's, but for a scale."""
    sizes = f"{own[0]} x {own[1]} pixels and its photograph {photograph[0]} x {photograph[1]}"
    sentence = f"The mask {path} is {sizes}: draw it at the photograph's size, or in its proportions."
    check_proportions(own, photograph, sentence)
