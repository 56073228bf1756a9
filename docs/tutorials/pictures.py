"""Images side by side, for the tutorials."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np


def row(images: Mapping[str, Any], columns: int = 5, figsize: tuple[float, float] | None = None, **how: Any) -> None:
    """Images ``[h, w, 3]`` in [-1, 1] under their titles, pixel by pixel; matrices ``[h, w]`` in a grey scale of their own.

    `figsize`: of the whole, in inches. `how` is for matplotlib's ``imshow``.
    """
    columns = min(columns, len(images))
    lines = -(-len(images) // columns)
    size = figsize or (2.1 * columns, 2.35 * lines)
    _, axes = plt.subplots(lines, columns, figsize=size, squeeze=False, layout="constrained")
    for axis in axes.ravel():
        axis.axis("off")
    for axis, (title, image) in zip(axes.ravel(), images.items(), strict=False):
        image = np.asarray(image)
        shown = np.clip((image + 1) / 2, 0, 1) if image.ndim == 3 else image
        axis.imshow(shown, **{"interpolation": "nearest", "cmap": "gray", **how})
        axis.set_title(title, fontsize=9)
    plt.show()
