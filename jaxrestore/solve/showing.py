"""What a person sees of a restoration in a notebook."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from jaxrestore.errors import InputError
from jaxrestore.files.images import enlarge, kernels_as_image, sheet, strip
from jaxrestore.files.pictures import Picture, picture_of
from jaxrestore.operators import is_blind, kernels_of, shown
from jaxrestore.solve.result import Restoration, image_of

ROWS = 8  # images of a batch that are shown
VISIBLE = 192  # pixels up to which a small image is enlarged


def show(
    what: "Restoration | Array | np.ndarray",
    measurement: Array | np.ndarray | None = None,
    reference: Array | np.ndarray | None = None,
) -> Picture:
    """A picture of a restoration, or of images, for a notebook: the last line of a cell.

    Of a `Restoration` a strip: the `measurement` where it is given, the restored image, the `reference` where it is given,
    and the kernels where they were estimated; of a batch a strip each, of the first eight. Of an array in [-1, 1], ``[h, w,
    3]`` or ``[h, w, 1]``, the image; of a batch ``[b, h, w, c]`` a sheet. Small images are enlarged, large ones reduced.
    InputError for other shapes. Needs neither IPython nor matplotlib. Not for jit: it makes a file's bytes.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    >>> y = jnp.full((8, 8, 3), 0.1)
    >>> result = jr.restore(jr.bird(prior, jr.Identity(), iterations=2, skip=250), y, jax.random.key(0))
    >>> jr.show(result, y)
    Picture(396 x 192 pixels: measurement, restored)
    """
    if isinstance(what, Restoration):
        return _of_restoration(what, measurement, reference)
    images = np.asarray(what, np.float32)
    if images.ndim not in (3, 4) or images.shape[-1] not in (1, 3) or 0 in images.shape:
        raise InputError(
            f"What is shown must be a Restoration, or an array [h, w, c] or [b, h, w, c] with one channel or three, not "
            f"{list(images.shape)}."
        )
    if images.ndim == 4:
        return picture_of(sheet(images), f"{len(images)} images")
    return picture_of(enlarge(images, _factor(images)), "an image")


def _of_restoration(result: Restoration, measurement: Any, reference: Any) -> Picture:
    result = jax.device_get(replace(result, restarts=None))
    if result.image.ndim not in (3, 4):
        raise InputError(
            f"A Restoration of shape {list(result.image.shape)} can't be shown: give that of one image or of one batch."
        )
    if result.image.ndim == 3:
        images, caption = _row(result, measurement, reference)
        return picture_of(images, caption)
    number = len(result.image)
    rows = [
        _row(image_of(result, i), *(None if one is None else one[i] for one in (measurement, reference)))
        for i in range(min(number, ROWS))
    ]
    width = max(row.shape[1] for row, _ in rows)
    padded = [np.pad(row, ((0, 4), (0, width - row.shape[1]), (0, 0)), constant_values=1.0) for row, _ in rows]
    some = f"; the first {ROWS} of {number} images" if number > ROWS else ""
    return picture_of(np.concatenate(padded)[:-4], rows[0][1] + some)


def _row(result: Restoration, measurement: Any, reference: Any) -> tuple[np.ndarray, str]:
    """The strip of one image, and what is in it."""
    parts = {"restored": result.image}
    if measurement is not None:
        parts = {"measurement": np.asarray(shown(result.operator, jnp.asarray(measurement))), **parts}
    if reference is not None:
        parts["reference"] = np.asarray(reference)
    if is_blind(result.operator) and (kernels := kernels_of(jax.tree.map(jnp.asarray, result.operator))):
        parts["kernels" if len(kernels) > 1 else "kernel"] = kernels_as_image([np.asarray(one) for one in kernels])
    images = [np.repeat(one, 3, axis=-1) if one.shape[-1] == 1 else one for one in parts.values()]
    images = [np.clip(image, -1, 1) for image in images]
    return strip([enlarge(image, _factor(result.image)) for image in images], gap=12), ", ".join(parts)


def _factor(image: np.ndarray) -> int:
    return max(1, VISIBLE // max(image.shape[:2]))
