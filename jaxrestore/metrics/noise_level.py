"""What an image says of its white noise. Pure functions on images in [-1, 1]."""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._promotion import against

PATCH = 5  # pixels: the side of the patches whose covariance tells
PATCHES = 50_000  # of a photograph, at most about so many
EQUAL = 4 / 255  # by how much the channels of a grey picture may differ: two grey levels, as a codec rounds


def estimate_sigma_y(image: Float[Array, "*b h w c"], known: Float[Array, "h w k"] | None = None) -> Float[Array, "*b"]:
    """The standard deviation of white noise in an image, in units of [-1, 1], from the image alone.

    Of a photograph by the covariance of its patches, whose least variances are noise alone (Chen, Zhu & Heng 2015): texture
    is then not taken for noise. Of an image that is too small for that (there are fewer than ten patches for each of their
    numbers) the median absolute value of the diagonal Haar details over 0.6745 (Donoho & Johnstone 1994): edges are few,
    noise is everywhere. With a mask `known`, only what is wholly known counts.

    A grey picture of three channels has the same noise in all of them, not three independent ones: what is said is the
    deviation of white noise that disturbs it as much, `grey_factor` times a channel's.

    >>> noise = 0.1 * jax.random.normal(jax.random.key(0), (64, 64, 3))
    >>> bool(abs(estimate_sigma_y(noise) - 0.1) < 0.005)
    True
    """
    if image.shape[-1] == 1:
        return _of_channels(image, known)
    plane, factor = image.mean(axis=-1, keepdims=True), grey_factor(image)
    seen = None if known is None else jnp.min(known, axis=-1, keepdims=True)
    return jnp.where(factor > 1, factor * _of_channels(plane, seen), _of_channels(image, known))


def grey_factor(image: Float[Array, "*b h w c"]) -> Float[Array, "*b"]:
    """By how much the deviation of white noise in a picture is to be taken for more: the root of the number of channels where
    they are all equal, as then there is one noise in the place of so many; else 1.

    >>> import jax.numpy as jnp
    >>> [round(float(grey_factor(jnp.zeros((8, 8, channels)))), 2) for channels in (1, 3)]
    [1.0, 1.73]
    """
    grey = jnp.all(jnp.ptp(image, axis=-1) <= EQUAL, axis=(-2, -1))
    return jnp.where(grey, jnp.sqrt(jnp.float32(image.shape[-1])), 1.0)


def _of_channels(image: Float[Array, "*b h w c"], known: Float[Array, "h w k"] | None) -> Float[Array, "*b"]:
    """Of noise that is independent in each."""
    small = _by_details(image, known)
    h, w, c = image.shape[-3:]
    step = max(3, math.ceil(math.sqrt(h * w / PATCHES)))
    if ((h - PATCH) // step + 1) * ((w - PATCH) // step + 1) < 10 * PATCH**2 * c:
        return small
    large, whole = _by_patches(image, jnp.ones((h, w, 1)) if known is None else known, step)
    return jnp.where(whole, large, small)


def _by_patches(image: Float[Array, "*b h w c"], known: Float[Array, "h w k"], step: int) -> tuple[Array, Array]:
    """The deviation, and whether enough patches are wholly known for it.

    The variances of the patches' principal components, in order: as long as the mean of those from the least on lies above
    their median, the greatest of them is a part of the picture.
    """
    c = image.shape[-1]
    whole = _patches((jnp.min(known, axis=-1, keepdims=True) > 0).astype(image.dtype), step).min(-1)
    number = jnp.sum(whole)

    def of_one(image: Float[Array, "h w c"]) -> Array:
        patches = _patches(image, step)
        centred = (patches - whole @ patches / jnp.maximum(number, 1)) * whole[:, None]
        variances = jnp.linalg.eigvalsh(centred.T @ centred / jnp.maximum(number, 1))
        counts = jnp.arange(1, len(variances) + 1)
        means = jnp.cumsum(variances) / counts
        medians = (variances[(counts - 1) // 2] + variances[counts // 2]) / 2
        noise = jnp.where(means <= medians, counts, 0)
        return jnp.sqrt(jnp.maximum(means[jnp.maximum(jnp.argmax(noise), 0)], 0))

    found = jax.vmap(of_one)(image.reshape(-1, *image.shape[-3:]))
    return found.reshape(image.shape[:-3]), number >= 10 * PATCH**2 * c


def _patches(image: Float[Array, "h w c"], step: int) -> Float[Array, "n numbers"]:
    """Those that begin at every so many pixels, flat."""
    h, w, c = image.shape
    rows, columns = (jnp.arange(0, side - PATCH + 1, step)[:, None] + jnp.arange(PATCH) for side in (h, w))
    parts = image[rows[:, None, :, None], columns[None, :, None, :]]
    return parts.reshape(-1, PATCH * PATCH * c)


def _by_details(image: Float[Array, "*b h w c"], known: Float[Array, "h w k"] | None) -> Float[Array, "*b"]:
    """By the finest details."""
    h, w = image.shape[-3] // 2 * 2, image.shape[-2] // 2 * 2
    x = image[..., :h, :w, :]
    details = (x[..., ::2, ::2, :] - x[..., 1::2, ::2, :] - x[..., ::2, 1::2, :] + x[..., 1::2, 1::2, :]) / 2
    if known is not None:
        mask = known[:h, :w]
        whole = mask[::2, ::2] * mask[1::2, ::2] * mask[::2, 1::2] * mask[1::2, 1::2]
        whole = jnp.broadcast_to(against(whole, details) > 0, details.shape)
    else:
        whole = jnp.ones(details.shape, bool)
    sizes = jnp.where(whole, jnp.abs(details), jnp.inf).reshape(*details.shape[:-3], -1)
    number = jnp.sum(whole, axis=(-3, -2, -1))[..., None]
    middle = [jnp.maximum(number - 1, 0) // 2, number // 2]  # infinite where nothing is known
    median = sum(jnp.take_along_axis(jnp.sort(sizes), place, axis=-1)[..., 0] for place in middle) / 2
    return jnp.asarray(median / 0.6745)
