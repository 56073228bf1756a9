"""What a JPEG file says of how it was compressed."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxrestore.operators.jpeg import LUMA_TABLE


def jpeg_quality(path: str | Path) -> int | None:
    """The quality, 1 to 99, with which a JPEG file was written, by its own tables; None of another file, or a damaged one.

    Of a file that another program than libjpeg wrote it is the one that comes nearest (`nearest_quality`).
    """
    from PIL import Image

    with contextlib.suppress(Exception), Image.open(path, formats=("JPEG",)) as image:
        return nearest_quality(image.quantization[0])  # type: ignore[attr-defined]
    return None


def nearest_quality(table: Sequence[int]) -> int:
    """The quality, 1 to 99, of which libjpeg's table of brightness comes nearest to 64 steps (by rows), by their ratios.

    >>> nearest_quality(luma_steps(35).ravel().tolist())
    35
    """
    steps = np.log(np.maximum(np.asarray(table, np.float64).reshape(8, 8), 1))
    return min(range(1, 100), key=lambda quality: float(np.abs(np.log(luma_steps(quality)) - steps).sum()))


def luma_steps(quality: int) -> np.ndarray:
    """libjpeg's quantisation steps of brightness ``[8, 8]`` at a quality."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return np.clip((LUMA_TABLE.astype(int) * percent + 50) // 100, 1, 255)
